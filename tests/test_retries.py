"""Builds that fail and are started again by themselves."""

import subprocess

import pytest

import harness
from harness import phase

FLAKY = (
    'echo "try $CODEBUILD_BUILD_NUMBER: connection timed out"; test $CODEBUILD_BUILD_NUMBER -ge 3'
)


def flaky(on_failure=None, name="build"):
    """A buildspec that succeeds with the project's third build."""
    rule = f"    on-failure: {on_failure}\n" if on_failure else ""
    return (
        f"version: 0.2\nphases:\n  {name}:\n{rule}    commands:\n      - {FLAKY!r}\n"
        "  post_build:\n    commands: [echo after]\n"
    )


@pytest.fixture
def chain(yard):
    """Waits for a build, and for all that it is started again as."""

    def wait(build):
        builds = [yard.ended(build["id"])]
        while following := builds[-1].get("autoRetryConfig", {}).get("nextAutoRetry"):
            yard.build_ids.add(following.split(":build/")[1])
            builds.append(yard.ended(following))
        return builds

    return wait


def test_a_project_has_its_failed_builds_started_again(yard, project, chain):
    started = yard.start_build(project, autoRetryLimitOverride=5, buildspecOverride=flaky())
    assert started["autoRetryConfig"] == {"autoRetryLimit": 5, "autoRetryNumber": 0}
    builds = chain(started)
    assert [build["buildStatus"] for build in builds] == ["FAILED", "FAILED", "SUCCEEDED"]
    assert [build["buildNumber"] for build in builds] == [1, 2, 3]
    arns = [build["arn"] for build in builds]
    assert [build["autoRetryConfig"] for build in builds] == [
        {"autoRetryLimit": 5, "autoRetryNumber": 0, "nextAutoRetry": arns[1]},
        {
            "autoRetryLimit": 5,
            "autoRetryNumber": 1,
            "previousAutoRetry": arns[0],
            "nextAutoRetry": arns[2],
        },
        {"autoRetryLimit": 5, "autoRetryNumber": 2, "previousAutoRetry": arns[1]},
    ]
    # Each has an environment and a log of its own, and everything that a failed build runs.
    assert phase(builds[0], "POST_BUILD")["phaseStatus"] == "SUCCEEDED"
    assert "try 2: connection timed out" in yard.log(builds[1])
    assert "try 1" not in yard.log(builds[1])


def test_the_limit_is_a_limit(yard, project, chain):
    builds = chain(yard.start_build(project, autoRetryLimitOverride=1, buildspecOverride=flaky()))
    assert [build["buildStatus"] for build in builds] == ["FAILED", "FAILED"]
    assert "nextAutoRetry" not in builds[1]["autoRetryConfig"]


@pytest.mark.parametrize(
    "on_failure,statuses",
    [
        ("RETRY", ["FAILED", "FAILED", "SUCCEEDED"]),
        ("RETRY-1", ["FAILED", "FAILED"]),
        ("Retry-4", ["FAILED", "FAILED", "SUCCEEDED"]),
        ("RETRY-.*timed out.*", ["FAILED", "FAILED", "SUCCEEDED"]),
        ("RETRY-1-exit status 1", ["FAILED", "FAILED"]),
        ("RETRY-refused", ["FAILED"]),
        ("RETRY-0", ["FAILED"]),
    ],
)
def test_a_phase_asks_for_a_retry(yard, project, chain, on_failure, statuses):
    builds = chain(yard.start_build(project, buildspecOverride=flaky(on_failure)))
    assert [build["buildStatus"] for build in builds] == statuses
    # A try that is followed by another ends with the phase that asked for it.
    for build in builds[:-1]:
        assert phase(build, "POST_BUILD") is None
        assert phase(build, "UPLOAD_ARTIFACTS") is None
    # The last one is a build like any other.
    assert phase(builds[-1], "POST_BUILD")["phaseStatus"] == "SUCCEEDED"


def test_install_may_ask_too(yard, project, chain):
    builds = chain(yard.start_build(project, buildspecOverride=flaky("RETRY-1", "install")))
    assert [build["buildStatus"] for build in builds] == ["FAILED", "FAILED"]
    assert phase(builds[1], "PRE_BUILD") is None


def test_a_stopped_build_is_not_started_again(yard, project, chain):
    started = yard.start_build(
        project, autoRetryLimitOverride=3, buildspecOverride=harness.spec("sleep 600")
    )
    harness.wait_for(lambda: phase(yard.build(started["id"]), "BUILD"), "BUILD to begin")
    yard.codebuild.stop_build(id=started["id"])
    (only,) = chain(started)
    assert only["buildStatus"] == "STOPPED"
    assert "nextAutoRetry" not in only["autoRetryConfig"]


def test_somebodys_retry_begins_a_new_count(yard, project, chain):
    builds = chain(yard.start_build(project, autoRetryLimitOverride=1, buildspecOverride=flaky()))
    again = yard.codebuild.retry_build(id=builds[1]["id"])["build"]
    assert again["autoRetryConfig"] == {"autoRetryLimit": 1, "autoRetryNumber": 0}
    assert yard.ended(again["id"])["buildStatus"] == "SUCCEEDED"


def test_a_restart_loses_no_retry(own_yard):
    service = own_yard()
    service.start()
    service.create_project("demo", autoRetryLimit=5)
    started = service.start_build("demo", buildspecOverride=flaky())
    harness.wait_for(
        lambda: "nextAutoRetry" in service.build(started["id"])["autoRetryConfig"], "a retry"
    )
    service.kill()
    service.start()
    ids = service.codebuild.list_builds_for_project(projectName="demo")["ids"]
    service.build_ids.update(ids)
    last = service.ended(
        harness.wait_for(
            lambda: next(
                (
                    build["id"]
                    for build in service.codebuild.batch_get_builds(
                        ids=service.codebuild.list_builds_for_project(projectName="demo")["ids"]
                    )["builds"]
                    if build["buildNumber"] == 3
                ),
                None,
            ),
            "the third build",
        )
    )
    service.build_ids.add(last["id"])
    assert last["buildStatus"] == "SUCCEEDED"
    assert len(service.codebuild.list_builds_for_project(projectName="demo")["ids"]) == 3


def test_a_local_build_is_started_again(tmp_path):
    (tmp_path / "buildspec.yml").write_text(flaky("RETRY-5"))
    done = subprocess.run(
        [harness.BINARY, "build", "."],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        env=harness.Service.clean_environment() | {"HOME": str(tmp_path)},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "The build failed; retry 1 of 5." in done.stdout
    assert "The build failed; retry 2 of 5." in done.stdout
    assert "try 3: connection timed out" in done.stdout
