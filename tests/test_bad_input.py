"""Bad input ends its own build, as CodeBuild ends it, and nothing else."""

import struct
import zipfile

import pytest

import harness
from calls import refused
from harness import context, phase, spec


@pytest.fixture(autouse=True)
def the_rest_does_not_notice(yard, project):
    """Another build runs all the while, and ends well; so does one started afterwards."""
    neighbour = yard.start_build(
        project, buildspecOverride=spec("while [ ! -e /tmp/stop ]; do sleep 0.05; done")
    )
    yield
    assert yard.build(neighbour["id"])["buildStatus"] == "IN_PROGRESS"
    yard.codebuild.stop_build(id=neighbour["id"])
    assert yard.ended(neighbour["id"])["buildStatus"] == "STOPPED"
    assert yard.run(project)["buildStatus"] == "SUCCEEDED"
    assert yard.get("/health")[0] == 200


@pytest.fixture
def from_zip(yard, project, bucket):
    """Builds this ZIP (bytes, or files), with its own buildspec unless told otherwise."""

    def run(source, **overrides):
        body = source if isinstance(source, bytes) else harness.zipped(source)
        yard.s3.put_object(Bucket=bucket, Key="source.zip", Body=body)
        return yard.run(
            project,
            **{
                "sourceTypeOverride": "S3",
                "sourceLocationOverride": f"{bucket}/source.zip",
                "buildspecOverride": "",
            }
            | overrides,
        )

    return run


def fails_in_download(yard, ended, code, message=None):
    assert ended["buildStatus"] == "FAILED"
    assert phase(ended, "DOWNLOAD_SOURCE")["phaseStatus"] == "FAILED"
    assert phase(ended, "INSTALL") is None
    found = context(ended, "DOWNLOAD_SOURCE")
    assert found[0] == code, found
    if message:
        assert message in found[1]
    log = yard.log(ended)
    assert "Phase complete: DOWNLOAD_SOURCE State: FAILED\n" in log
    assert f"Phase context status code: {code} Message: {found[1]}\n" in log
    return found[1]


def test_an_object_that_is_not_there(yard, project, bucket):
    yard.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    source = {"sourceTypeOverride": "S3", "sourceLocationOverride": f"{bucket}/none.zip"}
    message = fails_in_download(yard, yard.run(project, **source), "CLIENT_ERROR", "NoSuchKey: ")
    assert message.endswith(" for primary source")
    yard.s3.put_object(Bucket=bucket, Key="none.zip", Body=harness.zipped({}))
    other = "00000000-0000-4000-8000-000000000000"
    ended = yard.run(project, sourceVersion=other, **source)
    message = fails_in_download(yard, ended, "CLIENT_ERROR", "status code: 4")
    assert message.endswith(f" for primary source and source version {other}")


def test_a_value_that_no_variable_can_have(yard, from_zip):
    text = 'version: 0.2\nenv: {variables: {A: "a\\0b"}}\nphases: {build: {commands: [env]}}\n'
    ended = from_zip({"buildspec.yml": text})
    fails_in_download(yard, ended, "YAML_FILE_ERROR", "A")


# Buildspecs


@pytest.mark.parametrize(
    "text",
    [
        "version: 0.2\nphases: [\n",
        "version: 0.2\nphases:\n  build:\n   commands:\n  - a\n - b\n",
        "version: 0.2\nphases: {build: {commands: ['a'}}\n",
        "\tversion: 0.2\n",
        "version: 0.2\nphases: &a [*a]\n",
    ],
    ids=["cut", "indented wrongly", "a missing bracket", "a tab", "a loop"],
)
def test_a_broken_yaml(yard, build, text):
    fails_in_download(yard, build(buildspec=text), "YAML_FILE_ERROR")


@pytest.mark.parametrize(
    "text,message",
    [
        (
            "version: 0.2\nphases:\n  build:\n    commands:\n      - echo a: b\n",
            "Expected Commands[0] to be of string type: found subkeys instead at line 5",
        ),
        ("version: 0.3\nphases: {build: {commands: [a]}}\n", None),
        ("phases: {build: {commands: [a]}}\n", None),
        ("version: 0.2\nphases: {deploy: {commands: [a]}}\n", None),
        ("version: 0.2\n- a\n", None),
        ("version: 0.2\nphases: {build: {commands: [a]}}\nartifacts: {name: n}\n", None),
    ],
    ids=[
        "a map for a command",
        "an unknown version",
        "no version",
        "an unknown phase",
        "a list",
        "artifacts without files",
    ],
)
def test_a_buildspec_that_says_what_none_may(yard, build, text, message):
    fails_in_download(yard, build(buildspec=text), "YAML_FILE_ERROR", message)


def test_a_missing_buildspec(yard, from_zip):
    message = fails_in_download(yard, from_zip({"README": "nothing here"}), "YAML_FILE_ERROR")
    assert "buildspec.yml" in message
    assert "no such file or directory" in message or "does not exist" in message


def test_a_buildspec_that_leads_out_of_the_source(yard, from_zip):
    ended = from_zip({"a": "b"}, buildspecOverride="../../../../etc/hostname")
    fails_in_download(yard, ended, "YAML_FILE_ERROR")


def test_a_yaml_that_grows_without_end(yard, build):
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x]"]
    lines += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    text = "version: 0.2\n" + "\n".join(lines) + "\nphases: {build: {commands: [*a11]}}\n"
    fails_in_download(yard, build(buildspec=text), "YAML_FILE_ERROR")


# Sources


def test_a_zip_that_is_none(yard, from_zip):
    fails_in_download(yard, from_zip(b"this is not a ZIP at all" * 50), "CLIENT_ERROR")


def test_a_zip_that_is_cut(yard, from_zip):
    whole = harness.zipped({"buildspec.yml": spec("true"), "much": "x" * 100_000})
    fails_in_download(yard, from_zip(whole[: len(whole) // 2]), "CLIENT_ERROR")


def link(name, target):
    entry = zipfile.ZipInfo(name)
    entry.create_system = 3
    entry.external_attr = 0o120777 << 16
    return {entry: target}


@pytest.mark.parametrize(
    "evil",
    [
        {"../escaped": "x"},
        {"a/../../escaped": "x"},
        {"/tmp/escaped": "x"},
        link("out", "../../../../etc") | {"out/escaped": "x"},
        link("out", "/etc") | {"out/escaped": "x"},
        link("loop", "loop/loop") | {"loop/escaped": "x"},
        link("one", "..") | link("one/two", "..") | {"one/two/escaped": "x"},
    ],
    ids=[
        "dots",
        "dots within",
        "an absolute path",
        "a link out",
        "an absolute link",
        "a loop",
        "links through links",
    ],
)
def test_a_zip_that_leads_out_of_its_tree(yard, from_zip, evil):
    ended = from_zip({"buildspec.yml": spec("echo never")} | evil)
    fails_in_download(yard, ended, "CLIENT_ERROR")
    assert "never\n" not in yard.log(ended)


def test_a_link_within_the_tree_is_taken(yard, from_zip):
    ended = from_zip(
        {"buildspec.yml": spec("cat to/f"), "real/f": "through the link\n"} | link("to", "real")
    )
    assert ended["buildStatus"] == "SUCCEEDED", yard.log(ended)
    assert yard.printed(ended) == "through the link"


def test_a_small_zip_that_unpacks_to_much(yard, from_zip):
    """A bomb: it ends at a limit of ours or at the disk's, in DOWNLOAD_SOURCE, without harm."""
    with_lies = bytearray(
        harness.zipped({"buildspec.yml": spec("true"), "zeros": b"\0" * 1_000_000})
    )
    at = with_lies.rindex(b"PK\x01\x02")  # the central directory's entry of `zeros`
    with_lies[at + 24 : at + 28] = struct.pack("<I", 10)  # says: ten bytes
    fails_in_download(yard, from_zip(bytes(with_lies)), "CLIENT_ERROR")


@pytest.mark.parametrize("location", ["{bucket}/absent.zip", "no-such-bucket-here/a.zip"])
def test_a_missing_object(yard, project, bucket, location):
    ended = yard.run(
        project,
        sourceTypeOverride="S3",
        buildspecOverride="",
        sourceLocationOverride=location.format(bucket=bucket),
    )
    fails_in_download(yard, ended, "CLIENT_ERROR")


def test_a_project_name_out_of_its_pattern(yard):
    refused(
        yard.client("codebuild", parameter_validation=False).create_project,
        "InvalidInputException",
        name="no such/../name",
        source={"type": "NO_SOURCE", "buildspec": spec("true")},
        artifacts={"type": "NO_ARTIFACTS"},
        environment=harness.environment(),
        serviceRole=harness.ROLE,
    )
    refused(yard.codebuild.start_build, "ResourceNotFoundException", projectName="no such/../name")


# Images


@pytest.mark.parametrize("image", ["rootfs:/absent", "rootfs:relative", "registry.invalid/tool:1"])
def test_an_image_that_cannot_be_used(yard, project, image):
    ended = yard.run(project, imageOverride=image)
    assert ended["buildStatus"] == "FAILED"
    code, message = context(ended, "PROVISIONING")
    assert code == "BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE"
    assert message.startswith("Unable to pull customer's container image.")


# Builds that take all they can


def test_a_line_of_a_gigabyte(yard, project):
    """The line is kept in events of bounded size, and nobody's memory grows with it."""
    started = yard.start_build(
        project,
        buildspecOverride=spec("head -c 1000000000 /dev/zero | tr '\\0' x", "echo", "echo after"),
    )
    peak = 0

    def ask():
        nonlocal peak
        peak = max(peak, resident_mib(yard.process.pid))
        build = yard.build(started["id"])
        return build if build["buildComplete"] else None

    ended = harness.wait_for(ask, "the gigabyte to pass", 180, every=0.1)
    assert peak < 256, f"the service grew to {peak} MiB"
    assert ended["buildStatus"] == "SUCCEEDED"
    where = {
        "logGroupName": ended["logs"]["groupName"],
        "logStreamName": ended["logs"]["streamName"],
    }
    newest = yard.logs.get_log_events(**where, limit=100)["events"]
    assert "after\n" in [event["message"] for event in newest]
    oldest = yard.logs.get_log_events(**where, limit=60, startFromHead=True)["events"]
    assert max(len(event["message"]) for event in oldest + newest) <= 1024 * 1024
    yard.logs.delete_log_stream(**where)


def resident_mib(pid):
    with open(f"/proc/{pid}/status") as status:
        line = next(line for line in status if line.startswith("VmRSS"))
    return int(line.split()[1]) // 1024


def test_a_command_that_forks_until_the_limit(yard, project):
    bomb = spec(
        "sh -c 'f() { f | f & f; }; f' 2>/dev/null &\n"
        "for n in $(seq 3000); do sleep 300 & done 2>/dev/null; wait"
    )
    started = yard.start_build(project, buildspecOverride=bomb)
    uid = started["id"].split(":")[1]
    harness.wait_for(
        lambda: yard.build(started["id"])["currentPhase"] not in ("QUEUED", "PROVISIONING"),
        "the bomb to run",
        30,
    )
    other = yard.run(project, buildspecOverride=spec("sh -c 'echo fine'"))
    assert yard.printed(other) == "fine"
    yard.codebuild.stop_build(id=started["id"])
    ended = yard.ended(started["id"], 20)
    assert ended["buildStatus"] in ("STOPPED", "FAILED")
    harness.wait_for(lambda: not [t for t in harness.traces(yard) if uid in t], "its end", 5)


def test_a_command_that_takes_all_memory(yard, project):
    eater = "keep = []\nwhile True: keep.append(b'x' * (64 << 20))"
    text = spec(f'/usr/bin/python3 -c "{eater}"', "echo never")
    ended = yard.run(project, buildspecOverride=text)
    assert ended["buildStatus"] == "FAILED"
    assert "never\n" not in yard.printed(ended).split("Running command")[0]


def test_an_agent_that_is_killed_from_within(yard, project):
    """A build may signal its environment's first process, which must not hang the build."""
    ended = yard.run(
        project, buildspecOverride=spec("kill -9 1; kill -9 $PPID; sleep 1", "echo on")
    )
    assert ended["buildComplete"]


def test_bytes_that_are_no_text(yard, project):
    ended = yard.run(
        project, buildspecOverride=spec("printf 'a\\377\\376b\\000c\\n'", "echo after")
    )
    assert ended["buildStatus"] == "SUCCEEDED"
    assert "after\n" in yard.log(ended)
