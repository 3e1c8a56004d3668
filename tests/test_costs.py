"""What things cost, by counts that do not swing: system calls, instructions, allocations.

`costs.json` has the limits. They only go down: a limit above one of the file's history fails.
"""

import json
import pathlib
import re
import shutil
import subprocess

import pytest

import harness
from harness import spec

FILE = harness.ROOT / "tests" / "costs.json"
LIMITS = json.loads(FILE.read_text())
BUILDS = 10
COMMANDS = 100
LINES = 30
# Each name of ours is the sum of the kernel's.
CALLS = {
    "flushes to the disk": ("fsync", "fdatasync", "sync_file_range"),
    "flushes to the disk with the file system's journal": ("fsync",),
    "processes and threads": ("clone", "clone3", "fork", "vfork"),
    "programs executed": ("execve", "execveat"),
    "mounts": ("mount", "fsmount", "move_mount", "open_tree", "umount2", "pivot_root"),
    "files opened": ("open", "openat", "openat2", "creat"),
}


def needed(program):
    path = shutil.which(program)
    if path is None:
        pytest.skip(f"{program} is not installed")
    return path


def check(costs):
    """Each cost is within its limit; all that are not are told at once."""
    print(json.dumps(costs, indent=4))
    above = {name: (cost, LIMITS[name]) for name, cost in costs.items() if cost > LIMITS[name]}
    assert not above, f"cost and limit: {above}"


def system_calls(own_yard, tmp_path, builds, commands=1):
    """How often a service and all that it starts make each system call, with so many builds."""
    counted = tmp_path / f"counted-{builds}-{commands}"
    program = tmp_path / f"traced-{builds}-{commands}"
    trace = f"{needed('strace')} -D -f -c -o {counted} {harness.BINARY}"
    program.write_text(f'#!/bin/sh\nexec {trace} "$@"\n')
    program.chmod(0o755)
    yard = own_yard(binary=program).start()
    buildspec = spec(*[":"] * commands)
    yard.create_project("demo", source={"type": "NO_SOURCE", "buildspec": buildspec})
    # The first build makes what all others find.
    for _ in range(1 + builds):
        assert yard.run("demo")["buildStatus"] == "SUCCEEDED"
    harness.wait_for(lambda: not harness.traces(yard), "traces of builds to vanish", 15)
    yard.stop()
    whole = lambda: counted.exists() and re.search(r" total$", counted.read_text(), re.M)
    harness.wait_for(whole, "the counts", 30)
    lines = re.findall(
        r"^ *[\d.]+ +[\d.]+ +\d+ +(\d+) +(?:\d+ +)?(\w+)$", counted.read_text(), re.M
    )
    return {name: int(count) for count, name in lines}


def test_a_build_makes_no_more_system_calls_than_it_did(own_yard, tmp_path):
    without = system_calls(own_yard, tmp_path, 0)
    having = system_calls(own_yard, tmp_path, BUILDS)
    long = system_calls(own_yard, tmp_path, 0, commands=1 + COMMANDS)
    costs = {}
    for name, calls in CALLS.items():
        sums = [sum(counts.get(call, 0) for call in calls) for counts in (without, having, long)]
        costs[f"a no-op build: {name}"] = (sums[1] - sums[0]) / BUILDS
        costs[f"a further command: {name}"] = (sums[2] - sums[0]) / COMMANDS
    check(costs)


def wakings(yard):
    """How often the threads of a service that serve have gone to sleep."""
    count = 0
    for thread in pathlib.Path(f"/proc/{yard.process.pid}/task").iterdir():
        status = (thread / "status").read_text()
        if status.startswith("Name:\ttokio-rt-worker\n"):
            count += int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)$", status, re.M)[1])
    return count


def test_a_line_wakes_no_more_threads_than_it_did(own_yard):
    yard = own_yard().start()
    commands = f"for n in $(seq {LINES}); do sleep 0.02; echo line $n; done"
    yard.create_project("demo", source={"type": "NO_SOURCE", "buildspec": spec(commands)})
    client = yard.new_client("logs", inject_host_prefix=False)
    client.create_log_group(logGroupName="/aws/codebuild/demo")
    group = f"arn:aws:logs:{harness.REGION}:{harness.ACCOUNT}:log-group:/aws/codebuild/demo"
    tail = client.start_live_tail(logGroupIdentifiers=[group])["responseStream"]
    build = yard.start_build("demo")
    woken = {}
    # Whoever follows a log asks nothing meanwhile, so that nothing but the lines wakes anybody.
    for update in tail:
        for event in update.get("sessionUpdate", {}).get("sessionResults", []):
            if event["message"] in ("line 1\n", f"line {LINES}\n"):
                woken[event["message"]] = wakings(yard)
        if len(woken) == 2:
            break
    tail.close()
    yard.ended(build["id"])
    first, last = woken.values()
    check({"a line that is followed: threads woken": (last - first) / (LINES - 1)})


def checked_buildspec(folder):
    """A buildspec with much in it, and the command that checks it."""
    commands = [f"echo {n} && make target-{n}" for n in range(300)]
    variables = {f"NAME_{n}": f"value {n}" for n in range(100)}
    file = folder / "buildspec.yml"
    file.write_text(spec(*commands, env={"variables": variables}))
    return [harness.BINARY, "buildspec", "check", file]


def valgrind(tmp_path, *words):
    """What valgrind says of a check of a buildspec."""
    command = [needed("valgrind"), *words, *checked_buildspec(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_a_buildspec_is_read_with_no_more_instructions_than_it_was(tmp_path):
    words = ("--tool=callgrind", "--callgrind-out-file=/dev/null")
    collected = re.search(r"Collected : (\d+)", valgrind(tmp_path, *words))
    check({"a buildspec: millions of instructions": int(collected[1]) / 1e6})


def test_a_buildspec_is_read_with_no_more_allocations_than_it_was(tmp_path):
    words = ("--tool=memcheck", "--undef-value-errors=no", "--leak-check=no")
    heap = re.search(r"total heap usage: ([\d,]+) allocs", valgrind(tmp_path, *words))
    check({"a buildspec: allocations": int(heap[1].replace(",", ""))})


def test_limits_only_go_down():
    command = ["git", "log", "--format=%H", "--", "tests/costs.json"]
    done = subprocess.run(command, cwd=harness.ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip("not a checkout of Git")
    for commit in done.stdout.split():
        shown = subprocess.run(
            ["git", "show", f"{commit}:tests/costs.json"],
            cwd=harness.ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        for name, before in json.loads(shown.stdout).items():
            assert LIMITS.get(name, before) <= before, f"{name} was {before} in {commit[:12]}"
