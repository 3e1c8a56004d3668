"""The service under load: many builds at once, many that have ended, one that floods.

These measure time, so nothing else runs beside them: `./check load`.
"""

import bisect
import contextlib
import json
import os
import pathlib
import re
import statistics
import subprocess
import threading
import time

import pytest
from callers import Call, Caller, percentile

import harness
from harness import spec

# How many ended builds are many; CI has less time than a night.
ENDED = int(os.environ.get("BUILDYARD_LOAD_BUILDS", "100000"))
FEW = 1_000
GROWTH_MAX = 1.5
FILL = pathlib.Path(os.environ.get("BUILDYARD_FILL", harness.ROOT / "target/debug/examples/fill"))
PROCESSORS = len(os.sched_getaffinity(0))


def memory_peak_mib(yard):
    """The most memory that the service has had."""
    status = pathlib.Path(f"/proc/{yard.process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024


def configured(yard, text):
    """A service with this configuration, started."""
    file = yard.data_dir.with_name(yard.data_dir.name + ".toml")
    file.write_text(text)
    yard.arguments += ["--config", file]
    return yard.start()


class Watcher(threading.Thread):
    """Asks, all the time, what a client would ask; notes how long answers take."""

    def __init__(self, yard, calls):
        super().__init__()
        self.caller, self.calls, self.over = Caller(yard), calls, threading.Event()
        self.failure = None

    def run(self):
        try:
            while not self.over.is_set():
                for call in self.calls:
                    self.caller.insist(call)
                time.sleep(0.005)
        except Exception as failure:
            self.failure = failure

    def end(self):
        self.over.set()
        self.join()
        assert self.failure is None, self.failure
        return self.caller.taken


def documents(yard, ids):
    """The documents of builds, a hundred at a time."""
    parts = [ids[at : at + 100] for at in range(0, len(ids), 100)]
    return [b for part in parts for b in yard.codebuild.batch_get_builds(ids=part)["builds"]]


def all_ended(yard, ids):
    """Whether all have ended; asks of those that have not."""
    left = list(ids)

    def ask():
        left[:] = [b["id"] for b in documents(yard, left) if not b["buildComplete"]]
        return not left

    return ask


def admissions(builds):
    """The ids of builds in the order in which they were let in."""
    let_in = {b["id"]: harness.phase(b, "PROVISIONING")["startTime"] for b in builds}
    return sorted(let_in, key=let_in.get)


def running_at_most(builds):
    """How many builds had a container at once, at most."""
    changes = []
    for build in builds:
        changes.append((harness.phase(build, "PROVISIONING")["startTime"], 1))
        changes.append((harness.phase(build, "FINALIZING")["startTime"], -1))
    most = now = 0
    for _, change in sorted(changes):
        now += change
        most = max(most, now)
    return most


def check_queue_times(build):
    """QUEUED lasts from the end of SUBMITTED to the beginning of PROVISIONING."""
    phases = {p["phaseType"]: p for p in build["phases"]}
    queued = phases["QUEUED"]
    assert queued["startTime"] == phases["SUBMITTED"]["endTime"]
    assert queued["endTime"] == phases["PROVISIONING"]["startTime"]
    waited = (queued["endTime"] - queued["startTime"]).total_seconds()
    assert abs(queued["durationInSeconds"] - waited) <= 1


def test_five_hundred_builds_at_once(own_yard):
    """None is refused, none starves, projects share, and the API answers meanwhile."""
    yard = own_yard().start()
    small = [f"small-{n}" for n in range(4)]
    for name in ["large", *small]:
        yard.create_project(name)
    first = yard.run("large")
    calls = [
        Call(yard, "codebuild", "BatchGetBuilds", ids=[first["id"]]),
        Call(yard, "codebuild", "ListBuilds"),
        Call(yard, "codebuild", "BatchGetProjects", names=["large"]),
        Call(
            yard,
            "logs",
            "GetLogEvents",
            logGroupName=first["logs"]["groupName"],
            logStreamName=first["logs"]["streamName"],
        ),
    ]
    watcher = Watcher(yard, calls)
    watcher.start()
    ids = []
    try:
        starter = Caller(yard)
        for project, count in [("large", 400), *((name, 25) for name in small)]:
            start = Call(yard, "codebuild", "StartBuild", projectName=project)
            for _ in range(count):
                ids.append(starter.insist(start)["build"]["id"])
        yard.build_ids.update(ids)
        last_submitted = time.time()
        harness.wait_for(all_ended(yard, ids), "all builds to end", 240, every=1)
    finally:
        taken = watcher.end()
    builds = documents(yard, ids)
    assert [b["buildStatus"] for b in builds] == ["SUCCEEDED"] * 500
    for build in builds:
        check_queue_times(build)
    assert running_at_most(builds) <= 8 * PROCESSORS
    order = admissions(builds)
    starts = sorted(harness.phase(b, "PROVISIONING")["startTime"].timestamp() for b in builds)
    let_in_before = bisect.bisect(starts, last_submitted)
    last_small = max(at for at, build in enumerate(order) if build.startswith("small-"))
    # From when all wait, the five projects take turns.
    assert last_small <= let_in_before + 125 + 8 * PROCESSORS, (last_small, let_in_before)
    p99, memory = percentile(taken, 99) * 1000, memory_peak_mib(yard)
    submitting = percentile(starter.taken, 99) * 1000
    print(f"p99 of {len(taken)} calls {p99:.1f} ms, of StartBuild {submitting:.1f} ms")
    print(f"memory of the service at most {memory:.0f} MiB")
    assert p99 < 100 and submitting < 100 and memory < 300


def filled(own_yard, count):
    """A service whose store has so many ended builds, made by the store's own code."""
    yard = own_yard()
    configured(yard, "[retention]\nbuilds_max = 10000000\n")
    yard.create_project("demo")
    yard.create_project("other")
    yard.run("demo")
    yard.stop()
    subprocess.run([FILL, yard.data_dir / "state.db", str(count)], check=True, timeout=3600)
    return yard.start()


def under_way(yard):
    """How many builds have not ended."""
    counts = json.loads(yard.get("/health")[1])["builds"]
    return counts["queued"] + counts["running"]


class Grown:
    """A service with many ended builds, and how long what is asked of it takes."""

    def __init__(self, yard):
        self.yard, self.taken = yard, {}
        ids = yard.codebuild.list_builds()["ids"]
        page = {"sortOrder": "DESCENDING"}
        for _ in range(5):
            listed = yard.codebuild.list_builds(**page)
            page["nextToken"] = listed["nextToken"]
            ids += listed["ids"]
        assert len(set(ids)) >= 500
        self.calls = {
            "ListBuilds": Call(yard, "codebuild", "ListBuilds"),
            "ListBuilds, a later page": Call(yard, "codebuild", "ListBuilds", **page),
            "ListBuilds, the oldest": Call(yard, "codebuild", "ListBuilds", sortOrder="ASCENDING"),
            "ListBuildsForProject": Call(
                yard, "codebuild", "ListBuildsForProject", projectName="demo"
            ),
            "BatchGetBuilds": Call(yard, "codebuild", "BatchGetBuilds", ids=ids[100:200]),
            "StartBuild": Call(yard, "codebuild", "StartBuild", projectName="other"),
        }

    def measure(self):
        caller = Caller(self.yard)
        for name, call in self.calls.items():
            caller.insist(call)
            caller.taken.clear()
            for _ in range(1 if name == "StartBuild" else 10):
                caller.insist(call)
            self.taken.setdefault(name, []).extend(caller.taken)
        harness.wait_for(lambda: under_way(self.yard) == 0, "builds to end")

    def restart(self):
        self.yard.stop()
        began = time.perf_counter()
        self.yard.start()
        self.taken.setdefault("start-up", []).append(time.perf_counter() - began)


def test_many_ended_builds_slow_nothing_down(own_yard):
    """What is asked of a store with very many ended builds is answered as by one with few."""
    if not FILL.exists():
        pytest.fail(f"no {FILL}: cargo build -p store --example fill")
    few, many = Grown(filled(own_yard, FEW)), Grown(filled(own_yard, ENDED))
    for turn in range(20):
        for grown in (few, many):
            grown.measure()
        if turn % 4 == 0:
            for grown in (few, many):
                grown.restart()
    slower = {}
    for name, taken in few.taken.items():
        little, much = statistics.median(taken), statistics.median(many.taken[name])
        print(f"{name}: {little * 1000:.2f} ms, with {ENDED} {much * 1000:.2f} ms")
        if much / little >= GROWTH_MAX:
            slower[name] = (little, much)
    assert not slower, slower


LINE = "a line as test runners print them, with ninety-nine letters: 0123456789"
FLOOD_BYTES = 1_000_000_000
STAMPS = "for n in $(seq 1 20); do date +at=%s.%N; sleep 0.5; done"
SMALL = 50
# After so many lines a build's log is no longer new.
BEGUN = 4


@pytest.mark.parametrize("floods", [1, 4])
def test_a_flood_does_not_hold_up_the_logs_of_others(own_yard, floods):
    """A gigabyte is printed beside fifty builds that print little, whose logs stay live."""
    yard = own_yard()
    configured(yard, f"[builds]\nat_once_max = {SMALL + floods}\nmemory_percent = 100000\n")
    share = FLOOD_BYTES // floods
    noise = spec(f"yes '{LINE}' | head -c {share}")
    yard.create_project("flood", source={"type": "NO_SOURCE", "buildspec": noise})
    yard.create_project("small", source={"type": "NO_SOURCE", "buildspec": spec(STAMPS)})
    noisy = [yard.start_build("flood")["id"] for _ in range(floods)]
    builds = [yard.start_build("small")["id"] for _ in range(SMALL)]
    calls = {
        build: Call(
            yard,
            "logs",
            "GetLogEvents",
            logGroupName="/aws/codebuild/small",
            logStreamName=build.split(":")[1],
            startFromHead=True,
        )
        for build in builds
    }
    caller, seen = Caller(yard), dict.fromkeys(builds, 0)
    behind, lately = [], []
    deadline = time.monotonic() + 120
    while any(count < 20 for count in seen.values()):
        assert time.monotonic() < deadline, seen
        for build, call in calls.items():
            status, text = caller(call)
            if status != 200:
                continue
            now, found = time.time(), re.findall(r"at=(\d+\.\d+)", text.decode())
            late = [now - float(stamp) for stamp in found[seen[build] :]]
            behind += late
            lately += late[max(0, BEGUN - seen[build]) :]
            seen[build] = len(found)
    for build in builds:
        assert yard.ended(build, 60)["buildStatus"] == "SUCCEEDED"
    environment = yard.environment(**yard.variables)
    command = [harness.BINARY, "commands", "--json", "--data-dir", yard.data_dir]
    for build in noisy:
        assert yard.ended(build, 240)["buildStatus"] == "SUCCEEDED"
        told = subprocess.check_output([*command, build], env=environment, timeout=60)
        assert json.loads(told)["log"]["bytes"] >= share
    worst, memory = max(behind), memory_peak_mib(yard)
    slow = sum(delay > 0.5 for delay in behind)
    print(f"{len(behind)} lines, {worst:.2f} s behind at most, {slow} over 0.5; {memory:.0f} MiB")
    assert len(behind) == 20 * SMALL
    # While the disk takes several floods, fifty new streams wait for it; then nobody is behind.
    assert max(behind if floods == 1 else lately) < 1 and memory < 300


@pytest.fixture(autouse=True)
def shown(capfd):
    """Figures are shown, whatever becomes of the test."""
    yield
    out, _ = capfd.readouterr()
    with capfd.disabled(), contextlib.suppress(OSError):
        print(out, end="", flush=True)
