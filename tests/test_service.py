"""The service itself: health, credentials, its data folder, restarts."""

import json
import pathlib
import re
import shlex
import subprocess
import threading
import time

import pytest

import harness
from harness import phase, spec


def credentials(yard, **settings):
    done = subprocess.run(
        [harness.BINARY, "credentials", "--data-dir", yard.data_dir],
        capture_output=True,
        text=True,
        env=yard.clean_environment() | settings,
        stdin=subprocess.DEVNULL,
        timeout=10,
    )
    assert done.returncode == 0, done.stderr
    pairs = [shlex.split(line)[-1].split("=", 1) for line in done.stdout.splitlines()]
    return done.stdout, dict(pairs)


def test_it_is_healthy(yard):
    status, body = yard.get("/health")
    assert status == 200
    assert json.loads(body)


def test_its_credentials_are_lines_for_a_shell(own_yard):
    yard = own_yard(own_credentials=False).start()
    text, given = credentials(yard)
    assert set(given) >= {"AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
    assert {"AWS_REGION", "AWS_DEFAULT_REGION"} & set(given)
    assert given["AWS_ENDPOINT_URL"] == yard.url
    script = f"{text}\nexec {harness.AWS_V1} sts get-caller-identity --output json"
    done = subprocess.run(
        ["sh", "-c", script],
        capture_output=True,
        text=True,
        timeout=30,
        env=yard.clean_environment(),
    )
    assert json.loads(done.stdout)["Account"] == harness.ACCOUNT, done.stderr
    yard.stop()
    yard.start()
    assert credentials(yard)[1]["AWS_SECRET_ACCESS_KEY"] == given["AWS_SECRET_ACCESS_KEY"]
    yard.access_key, yard.secret_key = given["AWS_ACCESS_KEY_ID"], given["AWS_SECRET_ACCESS_KEY"]


def test_its_secrets_are_for_its_user_alone(own_yard):
    yard = own_yard(own_credentials=False).start()
    _, given = credentials(yard)
    holders = [
        p
        for p in yard.data_dir.rglob("*")
        if p.is_file() and given["AWS_SECRET_ACCESS_KEY"].encode() in p.read_bytes()
    ]
    assert holders, "the credentials are kept in the data folder"
    for holder in holders:
        assert holder.stat().st_mode & 0o777 == 0o600, holder
    assert yard.data_dir.stat().st_mode & 0o077 == 0
    assert given["AWS_SECRET_ACCESS_KEY"] not in yard.stderr()
    cmdline = pathlib.Path(f"/proc/{yard.process.pid}/cmdline").read_text()
    assert given["AWS_SECRET_ACCESS_KEY"] not in cmdline
    yard.access_key, yard.secret_key = given["AWS_ACCESS_KEY_ID"], given["AWS_SECRET_ACCESS_KEY"]


def test_a_second_service_over_the_same_folder_is_refused(own_yard):
    yard = own_yard().start()
    done = subprocess.run(
        [harness.BINARY, "serve", "--listen", "127.0.0.1:0", "--data-dir", yard.data_dir],
        env=yard.clean_environment(),
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert done.returncode != 0
    assert str(yard.data_dir) in done.stderr
    assert yard.get("/health")[0] == 200


@pytest.mark.parametrize("text", ["listen = 3", "no_such_setting = 1", "= ="])
def test_a_wrong_configuration_is_refused(tmp_path, text):
    config = tmp_path / "buildyard.toml"
    config.write_text(text + "\n")
    done = subprocess.run(
        [
            harness.BINARY,
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--data-dir",
            tmp_path / "d",
            "--config",
            config,
        ],
        env=harness.Service.clean_environment(),
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert done.returncode != 0
    assert "buildyard.toml" in done.stderr
    assert "panicked" not in done.stderr


def test_what_is_no_request_is_answered(yard):
    import socket

    import urllib3

    assert urllib3.request("POST", yard.url + "/", body=b"\0" * 10).status in (400, 403, 501)
    with socket.create_connection(("127.0.0.1", yard.port)) as raw:
        raw.sendall(b"\x16\x03\x01 not HTTP\r\n\r\n")
        raw.settimeout(5)
        raw.recv(100)
    assert yard.get("/health")[0] == 200


def test_a_restart_keeps_everything(own_yard):
    yard = own_yard().start()
    yard.create_project("demo", tags=[{"key": "k", "value": "v"}])
    yard.s3.create_bucket(
        Bucket="kept", CreateBucketConfiguration={"LocationConstraint": harness.REGION}
    )
    yard.s3.put_object(Bucket="kept", Key="k", Body=b"x", Metadata={"m": "1"})
    built = yard.run("demo", buildspecOverride=spec("echo remembered"))
    log = yard.log_events(built)
    projects = yard.codebuild.batch_get_projects(names=["demo"])["projects"]
    assert yard.stop() == 0
    yard.start()
    assert yard.codebuild.batch_get_projects(names=["demo"])["projects"] == projects
    assert yard.build(built["id"]) == built
    assert yard.log_events(built) == log
    got = yard.s3.get_object(Bucket="kept", Key="k")
    assert (got["Body"].read(), got["Metadata"]) == (b"x", {"m": "1"})
    assert yard.run("demo")["buildNumber"] == 2


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_build_goes_on_while_the_service_is_away(own_yard, end):
    yard = own_yard().start()
    yard.create_project("demo", timeoutInMinutes=30)
    numbers = spec("for n in $(seq 1 40); do echo line $n; sleep 0.05; done", "echo end")
    build = yard.start_build("demo", buildspecOverride=numbers)
    yard.wait_for_log(build["id"], "line 5\n")
    getattr(yard, end)()
    assert [t for t in harness.traces(yard) if t.startswith("process")], (
        "the build ended with its service"
    )
    yard.start()
    ended = yard.ended(build["id"])
    assert ended["buildStatus"] == "SUCCEEDED", yard.log(ended)
    lines = re.findall(r"^line (\d+)$", yard.log(ended), re.M)
    assert lines == [str(n) for n in range(1, 41)], "nothing is lost and nothing doubled"
    assert "end\n" in yard.log(ended)


def test_a_build_that_ends_while_the_service_is_away_ends_as_it_would_have(own_yard):
    yard = own_yard().start()
    yard.create_project("demo")
    build = yard.start_build(
        "demo", buildspecOverride=spec("echo begun", "sleep 1", "echo x; exit 5")
    )
    yard.wait_for_log(build["id"], "begun\n")
    yard.kill()
    # The agent's own end: nothing of the build runs any more.
    harness.wait_for(
        lambda: not [t for t in harness.traces(yard) if t.startswith("process")],
        "the build to end alone",
        20,
    )
    yard.start()
    ended = yard.ended(build["id"], 15)
    assert ended["buildStatus"] == "FAILED"
    assert harness.context(ended, "BUILD")[0] == "COMMAND_EXECUTION_ERROR"
    length = phase(ended, "BUILD")
    assert 0.9 < (length["endTime"] - length["startTime"]).total_seconds() < 10


def test_kills_at_any_moment_lose_nothing(own_yard):
    """Each round kills the service somewhere between a build's start and its end."""
    yard = own_yard().start()
    yard.create_project("demo")
    for n in range(8):
        build = yard.start_build(
            "demo", buildspecOverride=spec("for n in $(seq 1 20); do echo line $n; done")
        )
        time.sleep(n * 0.012)  # another moment each time
        yard.kill()
        yard.start()
        ended = yard.ended(build["id"])
        assert ended["buildStatus"] == "SUCCEEDED", yard.log(ended)
        assert re.findall(r"^line (\d+)$", yard.log(ended), re.M) == [str(k) for k in range(1, 21)]
        assert ended["buildNumber"] == n + 1


def test_builds_run_side_by_side(yard, project):
    """Both have printed before either ends."""
    builds = [
        yard.start_build(project, buildspecOverride=spec("echo here", "exec sleep 600"))
        for _ in range(2)
    ]
    for build in builds:
        yard.wait_for_log(build["id"], "here\n")
    assert all(not yard.build(b["id"])["buildComplete"] for b in builds)
    for build in builds:
        yard.codebuild.stop_build(id=build["id"])
        yard.ended(build["id"])


def test_an_idle_service_is_small(own_yard):
    yard = own_yard().start()
    yard.get("/health")
    status = pathlib.Path(f"/proc/{yard.process.pid}/status").read_text()
    resident = int(re.search(r"VmRSS:\s+(\d+) kB", status)[1])
    # A debug build is larger than what is promised of a release: 25 MiB.
    assert resident < 64 * 1024


def test_many_builds_at_once_all_end_well(yard, project):
    builds = [yard.start_build(project, buildspecOverride=spec("echo $$")) for _ in range(40)]
    for build in builds:
        ended = yard.ended(build["id"], 120)
        assert ended["buildStatus"] == "SUCCEEDED", yard.log(ended)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_can_complete_its_commands(shell):
    done = subprocess.run(
        [harness.BINARY, "completion", shell], capture_output=True, text=True, timeout=10
    )
    assert "credentials" in done.stdout


def test_two_services_share_a_machine(own_yard):
    """Each makes containers while the other does; neither is in the other's way."""

    def run(yard, statuses):
        for _ in range(15):
            statuses.append(yard.run("demo")["buildStatus"])

    yards, statuses = [own_yard().start() for _ in range(2)], []
    for yard in yards:
        yard.create_project("demo")
    threads = [threading.Thread(target=run, args=(yard, statuses)) for yard in yards]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == ["SUCCEEDED"] * 30, [yard.stderr()[-600:] for yard in yards]
