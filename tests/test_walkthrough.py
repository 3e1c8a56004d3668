"""The walk-through of the README, in its order, by the unmodified AWS CLI."""

import subprocess
import zipfile

import pytest

import harness
from conftest import unique

EXAMPLE = harness.ROOT / "examples/maven-jar"
MAIN = "org.example.versions.Main"


def write_zip(target):
    target.write_bytes(harness.folder_zipped(EXAMPLE))
    names = zipfile.ZipFile(target).namelist()
    assert {"pom.xml", "buildspec.yml"} <= set(names)
    assert any(name.startswith("src/") for name in names)


def create_project(yard, version, name, sources, jars):
    made = yard.aws_json(
        "codebuild",
        "create-project",
        "--name",
        name,
        "--source",
        f"type=S3,location={sources}/source.zip",
        "--artifacts",
        f"type=S3,location={jars}",
        "--environment",
        "type=LINUX_CONTAINER,computeType=BUILD_GENERAL1_SMALL,image=host",
        "--service-role",
        harness.ROLE,
        version=version,
    )["project"]
    assert made["arn"] == f"arn:aws:codebuild:{harness.REGION}:{harness.ACCOUNT}:project/{name}"


def batch_get(yard, version, build_id):
    answer = yard.aws_json("codebuild", "batch-get-builds", "--ids", build_id, version=version)
    assert answer["buildsNotFound"] == []
    (build,) = answer["builds"]
    return build


def follow(yard, group, output):
    """Starts `logs tail --follow`, which only version 2 of the CLI has."""
    command = yard.aws_command("logs", "tail", group, "--follow", "--format", "short", version=2)
    with open(output, "wb") as file:
        return subprocess.Popen(
            command,
            env=yard.environment(PYTHONUNBUFFERED="1"),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
        )


@pytest.mark.parametrize("version", [1, 2], ids=["cli-v1", "cli-v2"])
def test_the_walk_through(yard, tmp_path, version):
    sources, jars, name = unique("sources"), unique("jars"), unique("demo")
    source, jar = tmp_path / "source.zip", tmp_path / "versions.jar"
    write_zip(source)

    yard.aws("s3", "mb", f"s3://{sources}", version=version)
    yard.aws("s3", "mb", f"s3://{jars}", version=version)
    yard.aws("s3", "cp", source, f"s3://{sources}/source.zip", version=version)
    create_project(yard, version, name, sources, jars)

    started = yard.aws_json("codebuild", "start-build", "--project-name", name, version=version)[
        "build"
    ]
    build_id = started["id"]
    yard.build_ids.add(build_id)
    assert started["currentPhase"] == "QUEUED"
    assert started["buildStatus"] == "IN_PROGRESS"

    running = harness.wait_for(
        lambda: (b := batch_get(yard, version, build_id))["logs"].get("groupName") and b,
        "the build's log group",
        20,
        every=0.2,
    )
    tailed = tmp_path / "tail"
    tail = follow(yard, running["logs"]["groupName"], tailed)
    try:
        harness.wait_for(lambda: "Entering phase" in tailed.read_text(), "the tail", 30)
        ended = harness.wait_for(
            lambda: (b := batch_get(yard, version, build_id))["buildComplete"] and b,
            "the build to end",
            120,
            every=0.2,
        )
        harness.wait_for(
            lambda: "Phase complete: UPLOAD_ARTIFACTS" in tailed.read_text(),
            "the tail's last line",
            30,
        )
    finally:
        tail.terminate()
        tail.wait(timeout=10)
    assert ended["buildStatus"] == "SUCCEEDED", yard.log(ended)

    events = yard.aws_json(
        "logs",
        "get-log-events",
        "--log-group-name",
        ended["logs"]["groupName"],
        "--log-stream-name",
        ended["logs"]["streamName"],
        "--start-from-head",
        version=version,
    )["events"]
    log = "".join(event["message"] for event in events)
    assert "Tests run: 9, Failures: 0, Errors: 0, Skipped: 0" in log
    assert "BUILD SUCCESS" in log
    assert "Phase complete: UPLOAD_ARTIFACTS State: SUCCEEDED" in log

    assert ended["artifacts"]["location"] == f"arn:aws:s3:::{jars}/{name}"
    yard.aws("s3", "cp", f"s3://{jars}/{name}/versions-1.0.0.jar", jar, version=version)
    ran = subprocess.run(
        ["java", "-cp", jar, MAIN, "--in", "^1.2", "1.10.0", "1.9.3", "2.0.0"],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (ran.returncode, ran.stdout) == (0, "1.9.3\n1.10.0\n")
