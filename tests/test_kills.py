"""The service, agents and environments are killed while builds are in any phase and clients write.

`BUILDYARD_KILL_SECONDS=3600` kills the service for an hour; `BUILDYARD_KILL_SEED` repeats a run's
choices, though not its moments.
"""

import contextlib
import itertools
import os
import pathlib
import random
import re
import signal
import threading
import time

import botocore.exceptions
import pytest

import harness
from harness import spec

SECONDS = float(os.environ.get("BUILDYARD_KILL_SECONDS", "60"))
SEED = int(os.environ.get("BUILDYARD_KILL_SEED", random.randrange(1 << 32)))
BUILDS_AT_ONCE = 5
AWAY = (0, 0, 0.05, 1.5)


def counted(prefix, count, pause=0):
    sleep = f"; sleep {pause}" if pause else ""
    return f"for n in $(seq 1 {count}); do echo {prefix} $n{sleep}; done"


def everywhere(last):
    """A buildspec that prints in each phase, with its last command."""
    phases = {
        name: {"commands": [counted(name, 12, 0.02)], "finally": [counted(f"{name}-finally", 3)]}
        for name in ("install", "pre_build", "build", "post_build")
    }
    phases["build"]["commands"] += ["mkdir out", "seq 1 20000 > out/numbers", last]
    return spec(phases=phases, artifacts={"files": ["out/**/*"]})


EVERYWHERE = [
    f"{name} {n}"
    for phase in ("install", "pre_build", "build", "post_build")
    for name, count in ((phase, 12), (f"{phase}-finally", 3))
    for n in range(1, count + 1)
]

# What a build does, how it ends, and what it prints.
KINDS = [
    (spec(counted("line", 30)), "SUCCEEDED", [f"line {n}" for n in range(1, 31)]),
    (spec(counted("slow", 20, 0.1)), "SUCCEEDED", [f"slow {n}" for n in range(1, 21)]),
    (spec(counted("bad", 10), "exit 3"), "FAILED", [f"bad {n}" for n in range(1, 11)]),
    (everywhere("true"), "SUCCEEDED", EVERYWHERE),
    (everywhere("false"), "FAILED", EVERYWHERE),
]


class Clients:
    """What clients do until they are told to end, and what they were promised."""

    def __init__(self, yard):
        self.yard, self.over = yard, threading.Event()
        self.chance, self.failures = random.Random(SEED + 1), []
        self.builds = {}
        self.written = []
        # Clients are made here: boto3 does not make them on several threads at once.
        self.codebuild, self.s3, self.logs = yard.codebuild, yard.s3, yard.logs
        self.parameters, self.secrets = yard.parameters, yard.secrets
        self.threads = [
            threading.Thread(target=self._guarded, args=(work,))
            for work in (self._build, self._write, self._read)
        ]

    def start(self):
        for thread in self.threads:
            thread.start()

    def end(self):
        self.over.set()
        for thread in self.threads:
            thread.join()
        assert not self.failures, self.failures

    def _guarded(self, work):
        try:
            work()
        except Exception as failure:
            self.failures.append(repr(failure))

    def insist(self, call, **arguments):
        """Asks until there is an answer; while the service is away there is none."""
        while True:
            try:
                return call(**arguments)
            except botocore.exceptions.HTTPClientError:
                time.sleep(0.01)
            except botocore.exceptions.ConnectionError:
                time.sleep(0.01)

    def _build(self):
        """Starts builds; the same token is used until there is an answer."""
        for number in itertools.count():
            while len(self.running()) >= BUILDS_AT_ONCE and not self.over.is_set():
                time.sleep(0.02)
            if self.over.is_set():
                return
            kind = self.chance.choice(KINDS)
            build = self.insist(
                self.codebuild.start_build,
                projectName="demo",
                idempotencyToken=f"token-{number}",
                buildspecOverride=kind[0],
            )["build"]
            assert build["id"] not in self.builds
            assert build["buildNumber"] == number + 1
            self.yard.build_ids.add(build["id"])
            self.builds[build["id"]] = kind

    def running(self):
        ids = list(self.builds)[-50:]
        if not ids:
            return []
        found = self.insist(self.codebuild.batch_get_builds, ids=ids)["builds"]
        assert len(found) == len(ids), "a build that was started is not there"
        return [build for build in found if not build["buildComplete"]]

    def _write(self):
        """Writes of every kind; what was acknowledged is noted."""
        for number in itertools.count():
            if self.over.is_set():
                return
            name = f"written-{number}"
            writes = [
                (self.s3.put_object, {"Bucket": "kept", "Key": name, "Body": name.encode()}),
                (self.parameters.put_parameter, {"Name": name, "Value": name, "Type": "String"}),
                (self.secrets.create_secret, {"Name": name, "SecretString": name}),
                (self.logs.create_log_group, {"logGroupName": name}),
            ]
            call, arguments = writes[number % 4]
            with contextlib.suppress(
                botocore.exceptions.HTTPClientError, botocore.exceptions.ConnectionError
            ):
                call(**arguments)
                self.written.append((number % 4, name))
            time.sleep(0.01)

    def _read(self):
        """What a log has once shown stays there, and more comes behind it."""
        seen = {}
        while not self.over.is_set():
            for build in list(self.builds)[-3:]:
                where = {"logGroupName": "/aws/codebuild/demo", "logStreamName": build[5:]}
                try:
                    page = self.insist(self.logs.get_log_events, startFromHead=True, **where)
                except self.logs.exceptions.ResourceNotFoundException:
                    continue
                text = "".join(event["message"] for event in page["events"])
                assert text.startswith(seen.get(build, "")), "a log has changed"
                seen[build] = text
            time.sleep(0.03)

    def check_written(self):
        for kind, name in self.written:
            if kind == 0:
                assert self.s3.get_object(Bucket="kept", Key=name)["Body"].read() == name.encode()
            elif kind == 1:
                value = self.parameters.get_parameter(Name=name)["Parameter"]["Value"]
                assert value == name
            elif kind == 2:
                assert self.secrets.get_secret_value(SecretId=name)["SecretString"] == name
            else:
                found = self.logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
                assert name in [group["logGroupName"] for group in found]


def check_build(yard, build_id, kind):
    """The build has ended as it would have, and everything that it printed is there once."""
    _, status, lines = kind
    build = yard.ended(build_id, 120)
    log = yard.log(build)
    assert build["buildStatus"] == status, log
    printed = re.findall(r"^(?:line|slow|bad|\w+-finally|install|\w+_build|build) \d+$", log, re.M)
    assert printed == lines, "lines are missing, doubled, or in another order"
    assert log.count("Waiting for agent ping") == log.count("Phase is DOWNLOAD_SOURCE") == 1, log
    kinds = [phase["phaseType"] for phase in build["phases"]]
    assert len(set(kinds)) == len(kinds) and kinds[-1] == "COMPLETED"


def test_the_service_is_killed_at_random_and_nothing_is_lost(own_yard):
    yard = own_yard().start()
    yard.s3.create_bucket(
        Bucket="kept", CreateBucketConfiguration={"LocationConstraint": harness.REGION}
    )
    artifacts = {"type": "S3", "location": "kept", "packaging": "ZIP", "namespaceType": "BUILD_ID"}
    yard.create_project("demo", artifacts=artifacts)
    clients, chance = Clients(yard), random.Random(SEED)
    print(f"BUILDYARD_KILL_SEED={SEED}")
    clients.start()
    kills, until = 0, time.monotonic() + SECONDS
    try:
        while time.monotonic() < until and not clients.failures:
            time.sleep(chance.choice((0.001, 0.01, 0.1, 0.4)) * chance.random() * 2)
            yard.kill()
            kills += 1
            time.sleep(chance.choice(AWAY) * chance.random())
            yard.start()
    finally:
        clients.end()
    print(f"{kills} kills, {len(clients.builds)} builds, {len(clients.written)} writes")
    for build_id, kind in clients.builds.items():
        check_build(yard, build_id, kind)
    clients.check_written()
    numbers = [yard.build(build_id)["buildNumber"] for build_id in clients.builds]
    assert numbers == list(range(1, len(numbers) + 1))
    assert "panicked" not in yard.errors.read_text(errors="replace")


def first_process(build_id):
    """The first process of a build's environment, as this machine knows it."""
    uuid = build_id.split(":")[1]
    for folder in pathlib.Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if folder.name.isdigit() and uuid in (folder / "cgroup").read_text():
                status = (folder / "status").read_text()
                if re.search(r"^NSpid:.*\b1$", status, re.M):
                    return int(folder.name)
    raise AssertionError(f"no process of {build_id}")


def processes(build_id):
    uuid = build_id.split(":")[1]
    for folder in pathlib.Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if folder.name.isdigit() and uuid in (folder / "cgroup").read_text():
                yield int(folder.name)


@pytest.mark.parametrize("whom", ["agent", "environment"])
def test_a_killed_agent_or_environment_ends_its_build_within_five_seconds(yard, project, whom):
    build = yard.start_build(project, buildspecOverride=spec(counted("line", 500), "sleep 600"))
    yard.wait_for_log(build["id"], "line 500\n")
    pids = [first_process(build["id"])] if whom == "agent" else list(processes(build["id"]))
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    ended = yard.ended(build["id"], 5)
    assert ended["buildStatus"] == "FAULT"
    code, message = harness.context(ended, "BUILD")
    assert (code, message[:26]) == ("INTERNAL_SERVER_ERROR", "Build container found dead")
    lines = re.findall(r"^line (\d+)$", yard.log(ended), re.M)
    assert lines == [str(n) for n in range(1, 501)]
