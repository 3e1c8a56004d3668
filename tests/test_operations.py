"""Running the service: what it says of itself, doctor, stopping, backups, and disks that fail."""

import contextlib
import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import tarfile
import time

import botocore.exceptions
import pytest

import harness
from conftest import unique
from harness import spec

NOWHERE = "127.0.0.1:0"


def buildyard(*arguments, check=True, stdin=None):
    """Runs the program; gives it when it has ended."""
    done = subprocess.run(
        [harness.BINARY, *map(str, arguments)],
        env=harness.Service.clean_environment(),
        capture_output=True,
        timeout=120,
        stdin=stdin or subprocess.DEVNULL,
    )
    assert not check or done.returncode == 0, done.stderr.decode()
    return done


def doctor(folder, *arguments, listen=NOWHERE):
    """What doctor says of each thing: `{subject: (verdict, text)}`, and its exit status."""
    done = buildyard("doctor", "--data-dir", folder, "--listen", listen, *arguments, check=False)
    found = {}
    for line in done.stdout.decode().splitlines():
        if match := re.match(r"(ok|warning|bad) +(\S+(?: folder)?) +(.*)", line):
            verdict, subject, text = match.groups()
            if found.get(subject, ("ok",))[0] == "ok":
                found[subject] = (verdict, text)
    assert done.returncode in (0, 1), done.stderr.decode()
    return found, done.returncode


def metrics(yard):
    status, body = yard.get("/metrics")
    assert status == 200
    lines = [line for line in body.decode().splitlines() if not line.startswith("#")]
    return {name: int(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def test_health_and_metrics_tell_what_it_does(own_yard):
    config = "[builds]\nat_once_max = 1\n"
    yard = own_yard()
    file = yard.data_dir.with_name(yard.data_dir.name + ".toml")
    file.write_text(config)
    yard.arguments += ["--config", file]
    yard.start()
    yard.create_project("demo")
    assert yard.run("demo", buildspecOverride=spec("exit 1"))["buildStatus"] == "FAILED"
    running = yard.start_build("demo", buildspecOverride=spec("echo here", "exec sleep 600"))
    yard.wait_for_log(running["id"], "here\n")
    yard.start_build("demo")
    time_waited = harness.wait_for(
        lambda: metrics(yard)["buildyard_queue_age_seconds"], "the queue to grow old", 10
    )
    assert time_waited < 10
    found = metrics(yard)
    assert found['buildyard_builds{stage="queued"}'] == 1
    assert found['buildyard_builds{stage="running"}'] == 1
    assert found['buildyard_builds_ended_total{status="FAILED"}'] == 1
    assert found['buildyard_builds_ended_total{status="SUCCEEDED"}'] == 0
    assert found["buildyard_journal_lag_bytes"] == 0
    assert found["buildyard_healthy"] == 1
    assert found['buildyard_errors_total{what="state"}'] == 0
    assert found['buildyard_disk_bytes{kind="free"}'] > 0
    status, body = yard.get("/health")
    health = json.loads(body)
    assert (status, health["status"], health["wrong"]) == (200, "ok", [])
    assert (health["builds"]["queued"], health["builds"]["running"]) == (1, 1)
    assert health["disk"]["freeBytes"] < health["disk"]["totalBytes"]


def test_builds_are_not_told_the_metrics(yard, build):
    program = (
        "import os, urllib.request, urllib.error\n"
        "try: urllib.request.urlopen(os.environ['AWS_ENDPOINT_URL'] + '/metrics')\n"
        "except urllib.error.HTTPError as refusal: print('refused', refusal.code)\n"
    )
    assert "refused 404" in yard.printed(build(f'python3 -c "{program}"'))


# Stopping


@pytest.mark.parametrize("how", ["wait", "stop"])
def test_a_service_told_to_waits_for_its_builds_or_stops_them(own_yard, how):
    yard = own_yard(arguments=["--at-stop", how]).start()
    yard.create_project("demo")
    commands = ["echo here", "sleep 3" if how == "wait" else "sleep 600", "echo end"]
    build = yard.start_build("demo", buildspecOverride=spec(*commands))
    yard.wait_for_log(build["id"], "here\n")
    yard.process.send_signal(signal.SIGTERM)

    def refused():
        try:
            yard.codebuild.start_build(projectName="demo")
        except botocore.exceptions.ClientError as refusal:
            return refusal.response["ResponseMetadata"]["HTTPStatusCode"]
        except (botocore.exceptions.HTTPClientError, botocore.exceptions.ConnectionError):
            return "gone"

    if how == "wait":
        assert harness.wait_for(refused, "new builds to be refused", 5) == 503
    assert yard.process.wait(15) == 0
    assert [t for t in harness.traces(yard) if t.startswith("process")] == []
    yard.process.stdout.close()
    yard.start()
    ended = yard.build(build["id"])
    assert ended["buildStatus"] == ("SUCCEEDED" if how == "wait" else "STOPPED")


def test_a_second_signal_leaves_the_builds(own_yard):
    yard = own_yard(arguments=["--at-stop", "wait"]).start()
    yard.create_project("demo")
    build = yard.start_build("demo", buildspecOverride=spec("echo here", "sleep 2; echo end"))
    yard.wait_for_log(build["id"], "here\n")
    yard.process.send_signal(signal.SIGTERM)
    harness.wait_for(lambda: "end first" in yard.stderr(), "the service to wait", 10)
    assert yard.stop() == 0
    yard.start()
    assert yard.ended(build["id"])["buildStatus"] == "SUCCEEDED"


# Doctor


def settle(database):
    """Has the database's file hold all of it: else its write-ahead log mends what is damaged."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def test_doctor_finds_nothing_wrong_where_builds_run(own_yard):
    yard = own_yard().start()
    found, status = doctor(yard.data_dir, listen=f"127.0.0.1:{yard.port}")
    assert status == 0
    assert found["data folder"][0] == found["database"][0] == found["disk"][0] == "ok"
    assert found["container"][1].startswith("one was made")
    assert found["port"][1].startswith("buildyard answers")
    yard.create_project("demo")
    assert yard.run("demo")["buildStatus"] == "SUCCEEDED"


def test_doctor_says_what_is_wrong_and_what_to_do(own_yard, tmp_path):
    yard = own_yard().start()
    yard.stop()
    yard.process = None
    folder = tmp_path / "data"
    shutil.copytree(yard.data_dir, folder)
    folder.chmod(0o755)
    (folder / "version").write_text("99\n")
    database = folder / "objects" / "objects.db"
    settle(database)
    content = bytearray(database.read_bytes())
    content[4096:8192] = os.urandom(4096)
    database.write_bytes(content)
    os.utime(folder / "state.db", (time.time() + 9_000,) * 2)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        # It accepts and says nothing: doctor must not wait for it for ever.
        taken.settimeout(0)
        found, status = doctor(folder, listen=f"127.0.0.1:{port}")
    assert status == 1
    assert found["data folder"][0] == "warning" and "other users" in found["data folder"][1]
    assert found["version"][0] == "bad" and "99" in found["version"][1]
    assert found["database"][0] == "bad" and "objects.db" in found["database"][1]
    assert found["clock"][0] == "bad"
    assert found["port"][0] == "bad" and "another program" in found["port"][1]


def test_a_folder_of_a_newer_program_is_refused(own_yard):
    yard = own_yard().start()
    yard.stop()
    (yard.data_dir / "version").write_text("99\n")
    done = buildyard("serve", "--listen", NOWHERE, "--data-dir", yard.data_dir, check=False)
    assert done.returncode == 2
    assert "format 99" in done.stderr.decode()
    (yard.data_dir / "version").write_text("1\n")


FORMATS = sorted((harness.ROOT / "tests" / "formats").glob("*.tar.xz"))


@pytest.mark.parametrize("archive", FORMATS, ids=lambda path: path.name.split(".")[0])
def test_a_folder_of_every_earlier_format_opens_with_all_that_is_in_it(own_yard, archive):
    yard = own_yard()
    unpacked = yard.data_dir.with_name(yard.data_dir.name + ".old")
    with tarfile.open(archive) as packed:
        packed.extractall(unpacked, filter="data")
    (unpacked / "data").rename(yard.data_dir)
    (unpacked / "data.key").rename(f"{yard.data_dir}.key")
    yard.start()
    failed, built = yard.codebuild.list_builds()["ids"]
    assert yard.build(failed)["buildStatus"] == "FAILED"
    built = yard.build(built)
    assert (built["buildStatus"], built["buildNumber"]) == ("SUCCEEDED", 1)
    assert "remembered\n" in yard.log(built)
    project = yard.codebuild.batch_get_projects(names=["demo"])["projects"][0]
    assert project["tags"] == [{"key": "k", "value": "v"}]
    small = yard.s3.get_object(Bucket="kept", Key="small")
    assert (small["Body"].read(), small["Metadata"]) == (b"x", {"m": "1"})
    large = yard.s3.get_object(Bucket="kept", Key="large")["Body"].read()
    assert large == bytes(range(256)) * 1024
    assert yard.secrets.get_secret_value(SecretId="s")["SecretString"] == "sealed"
    assert yard.parameters.get_parameter(Name="p")["Parameter"]["Value"] == "plain"
    assert yard.run("demo")["buildNumber"] == 3
    assert (yard.data_dir / "version").read_text() == "1\n"


# Backups


def test_a_backup_made_while_it_serves_has_everything_that_was_acknowledged(own_yard, tmp_path):
    yard = own_yard().start()
    yard.create_project("demo")
    yard.s3.create_bucket(
        Bucket="kept", CreateBucketConfiguration={"LocationConstraint": harness.REGION}
    )
    large = os.urandom(3_000_000)
    yard.s3.put_object(Bucket="kept", Key="small", Body=b"x")
    yard.s3.put_object(Bucket="kept", Key="large", Body=large)
    yard.secrets.create_secret(Name="s", SecretString="sealed")
    built = yard.run("demo", buildspecOverride=spec("echo remembered"))
    log = yard.log_events(built)
    running = yard.start_build("demo", buildspecOverride=spec("echo here", "exec sleep 600"))
    yard.wait_for_log(running["id"], "here\n")
    file = tmp_path / "backup"
    said = buildyard("backup", file, "--data-dir", yard.data_dir).stderr.decode()
    assert "sealed under is not among them" in said
    assert b"sealed" not in file.read_bytes()
    yard.s3.delete_object(Bucket="kept", Key="large")

    second = own_yard()
    buildyard("restore", file, "--data-dir", second.data_dir)
    shutil.copy(f"{yard.data_dir}.key", f"{second.data_dir}.key")
    second.start()
    assert second.build(built["id"]) == built
    assert second.log_events(built) == log
    assert second.s3.get_object(Bucket="kept", Key="large")["Body"].read() == large
    assert second.secrets.get_secret_value(SecretId="s")["SecretString"] == "sealed"
    # It ran elsewhere, and is not run again.
    lost = second.ended(running["id"], 10)
    assert lost["buildStatus"] == "FAULT"
    assert re.findall(r"^here$", second.log(lost), re.M) == ["here"]
    assert second.run("demo")["buildNumber"] == 3
    assert not [p for p in yard.data_dir.iterdir() if p.name.startswith("backup-")]


def test_a_backup_that_is_damaged_or_cut_off_is_refused_and_nothing_is_made(own_yard, tmp_path):
    yard = own_yard().start()
    yard.create_project("demo")
    file, folder = tmp_path / "backup", tmp_path / "data"
    buildyard("backup", file, "--data-dir", yard.data_dir)
    content = file.read_bytes()
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 1
    for damaged in (content[:-1], content[: len(content) // 2], bytes(flipped), b"no backup", b""):
        file.write_bytes(damaged)
        done = buildyard("restore", file, "--data-dir", folder, check=False)
        assert done.returncode == 2, done.stderr
        assert "panicked" not in done.stderr.decode()
        assert not folder.exists()
    file.write_bytes(content)
    done = buildyard("restore", file, "--data-dir", yard.data_dir, check=False)
    assert done.returncode == 2 and "is there already" in done.stderr.decode()
    with open(file, "rb") as whole:
        buildyard("restore", "-", "--data-dir", folder, stdin=whole)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["backup", "data"]


# What is torn or lost


def damage_ends(folder):
    """Adds half a record to each log file and journal, as a machine's sudden end can."""
    files = [*folder.glob("logs/*/*.log"), *folder.glob("journals/*")]
    for file in files:
        with open(file, "ab") as end:
            end.write(b"\x50\x00\x00\x00\x12\x34\x56\x78half a record")
    return files


def test_torn_ends_are_taken_back_and_nothing_before_them_is_lost(own_yard):
    yard = own_yard().start()
    yard.create_project("demo")
    built = yard.run("demo", buildspecOverride=spec("seq 1 100"))
    log = yard.log(built)
    running = yard.start_build(
        "demo", buildspecOverride=spec("echo here", "sleep 5", "echo more", "exec sleep 600")
    )
    yard.wait_for_log(running["id"], "here\n")
    yard.kill()
    assert len(damage_ends(yard.data_dir)) >= 3
    yard.start()
    assert yard.log(yard.build(built["id"])) == log
    # What its agent writes behind half a record cannot be read, so nobody can know what it does.
    ended = yard.ended(running["id"], 30)
    assert ended["buildStatus"] == "FAULT"
    assert re.findall(r"^here$", yard.log(ended), re.M) == ["here"]
    assert yard.run("demo")["buildStatus"] == "SUCCEEDED"


def test_a_torn_write_ahead_log_is_taken_back(own_yard):
    yard = own_yard().start()
    yard.create_project("demo")
    built = yard.run("demo")
    yard.kill()
    with open(yard.data_dir / "state.db-wal", "ab") as end:
        end.write(os.urandom(5_000))
    yard.start()
    assert yard.build(built["id"])["buildStatus"] == "SUCCEEDED"
    assert yard.run("demo")["buildNumber"] == 2


def test_a_damaged_database_is_said_at_the_start(own_yard):
    yard = own_yard().start()
    yard.create_project("demo")
    yard.stop()
    database = yard.data_dir / "state.db"
    settle(database)
    whole = database.read_bytes()
    database.write_bytes(b"\0" * 4096 + whole[4096:])
    done = buildyard("serve", "--listen", NOWHERE, "--data-dir", yard.data_dir, check=False)
    assert done.returncode == 2
    assert "database" in done.stderr.decode() and "panicked" not in done.stderr.decode()
    database.write_bytes(whole)
    yard.start()
    assert yard.codebuild.list_projects()["projects"] == ["demo"]


class Mounted:
    """A folder of a file system of its own, seen in one mount namespace alone."""

    def __init__(self, folder, options):
        self.folder = folder
        folder.mkdir()
        script = f'mount -t tmpfs -o {options} tmpfs "$0" && echo ready && exec sleep infinity'
        self.holder = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", script, folder], stdout=subprocess.PIPE, text=True
        )
        assert self.holder.stdout.readline() == "ready\n"
        self.seen = pathlib.Path(f"/proc/{self.holder.pid}/root{folder}")
        self.program = folder.with_name(folder.name + ".sh")
        self.program.write_text(
            "#!/bin/sh\n"
            f'exec nsenter --mount=/proc/{self.holder.pid}/ns/mnt {harness.BINARY} "$@"\n'
        )
        self.program.chmod(0o755)

    def end(self):
        self.holder.kill()
        self.holder.wait()


@pytest.fixture
def mounted(workplace):
    if os.geteuid() != 0:
        pytest.skip("only root mounts file systems")
    made = []

    def make(options):
        made.append(Mounted(workplace / unique("mounted"), options))
        return made[-1]

    yield make
    for one in made:
        one.end()


def test_a_full_disk_is_said_and_survived(own_yard, mounted):
    disk = mounted("size=96m")
    yard = own_yard(binary=disk.program)
    yard.data_dir = disk.folder / "data"
    yard.start()
    yard.create_project("demo")
    noisy = spec("echo begun", "for n in $(seq 1 400); do echo line $n; sleep 0.01; done")
    build = yard.start_build("demo", buildspecOverride=noisy)
    yard.wait_for_log(build["id"], "begun\n")
    filler = disk.seen / "filler"
    # What a buffer had left would be written once more when the file is closed.
    with open(filler, "wb", buffering=0) as file, pytest.raises(OSError):
        while True:
            file.write(bytes(1 << 16))

    def trouble():
        status, body = yard.get("/health")
        return status == 503 and json.loads(body)["wrong"]

    assert any("disk" in wrong for wrong in harness.wait_for(trouble, "the trouble to be told", 20))
    with pytest.raises(botocore.exceptions.ClientError) as refusal:
        yard.create_project("another")
    assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    found, status = doctor(disk.seen / "data")
    assert (status, found["disk"][0]) == (1, "bad")
    assert yard.process.poll() is None
    filler.unlink()
    ended = yard.ended(build["id"])
    lines = re.findall(r"^line (\d+)$", yard.log(ended), re.M)
    # What an agent cannot write ends its build; what it has written is there.
    assert ended["buildStatus"] in ("SUCCEEDED", "FAULT")
    assert lines == [str(n) for n in range(1, len(lines) + 1)]
    if ended["buildStatus"] == "SUCCEEDED":
        assert len(lines) == 400
    assert yard.run("demo")["buildStatus"] == "SUCCEEDED"
    assert harness.wait_for(lambda: yard.get("/health")[0] == 200, "the service to be well", 10)
    assert yard.codebuild.list_projects()["projects"] == ["demo"]


def test_a_read_only_folder_is_said(mounted):
    disk = mounted("size=1m,ro")
    done = subprocess.run(
        [disk.program, "serve", "--listen", NOWHERE, "--data-dir", disk.folder],
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert done.returncode == 2
    assert "Read-only file system" in done.stderr and "panicked" not in done.stderr
    found, status = doctor(disk.seen)
    assert (status, found["data folder"][0]) == (1, "bad")


def test_old_builds_leave_with_their_logs(own_yard):
    yard = own_yard()
    file = yard.data_dir.with_name(yard.data_dir.name + ".toml")
    file.write_text("[retention]\nbuilds_max = 2\n")
    yard.arguments += ["--config", file]
    yard.start()
    yard.create_project("demo")
    builds = [yard.run("demo")["id"] for _ in range(4)]
    yard.stop()
    yard.start()

    def left():
        ids = yard.codebuild.list_builds()["ids"]
        return ids if len(ids) == 2 else None

    assert harness.wait_for(left, "old builds to leave", 10) == [builds[3], builds[2]]
    group = "/aws/codebuild/demo"
    streams = yard.logs.describe_log_streams(logGroupName=group)["logStreams"]
    names = {stream["logStreamName"] for stream in streams}
    assert names == {build.split(":")[1] for build in builds[2:]}
    assert yard.run("demo")["buildNumber"] == 5


def test_a_finished_log_is_known_by_a_hash(yard, build):
    built = build("seq 1 2000", "printf 'no line end'", "head -c 600000 /dev/zero | tr '\\0' x")
    command = [harness.BINARY, "commands", "--json", "--data-dir", yard.data_dir, built["id"]]
    environment = yard.environment(**yard.variables)
    told = json.loads(subprocess.check_output(command, env=environment, timeout=30))["log"]
    messages = [event["message"] for event in yard.log_events(built)]
    text = "".join(messages).encode()
    assert told == {
        "sha256": hashlib.sha256(text).hexdigest(),
        "events": len(messages),
        "bytes": len(text),
    }
