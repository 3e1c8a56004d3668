"""What SPECIFICATION.md promises of one build and of one service, measured alone."""

import contextlib
import pathlib
import re
import statistics
import time

from callers import Call, Caller

import harness
from harness import spec

BUILDS = 5
LINES = 40


def memory_mib(process):
    status = pathlib.Path(f"/proc/{process}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) / 1024


def test_a_build_prints_within_a_tenth_of_a_second(own_yard):
    """From StartBuild until GetLogEvents shows what the first command printed."""
    yard = own_yard().start()
    yard.create_project("demo", source={"type": "NO_SOURCE", "buildspec": spec("echo he''llo")})
    yard.run("demo")
    start, caller, taken = (
        Call(yard, "codebuild", "StartBuild", projectName="demo"),
        Caller(yard),
        [],
    )
    for _ in range(20):
        began = time.perf_counter()
        build = caller.insist(start)["build"]["id"]
        yard.build_ids.add(build)
        where = {"logGroupName": "/aws/codebuild/demo", "logStreamName": build.split(":")[1]}
        read = Call(yard, "logs", "GetLogEvents", startFromHead=True, **where)
        harness.wait_for(lambda read=read: b'"hello\\n"' in caller(read)[1], "output", 10, 0.001)
        taken.append(time.perf_counter() - began)
        yard.ended(build)
    median = statistics.median(taken) * 1000
    print(f"first output after {median:.1f} ms")
    assert median < 100
    memory = memory_mib(yard.process.pid)
    print(f"memory of the service {memory:.1f} MiB")
    assert memory < 60


def test_a_line_is_told_as_soon_as_it_is_printed(own_yard):
    """From a line's printing until whoever follows the log has it."""
    yard = own_yard().start()
    count = f"for n in $(seq 1 {LINES}); do sleep 0.02; date +at=%s%N; done"
    yard.create_project("demo", source={"type": "NO_SOURCE", "buildspec": spec(count)})
    group = f"arn:aws:logs:{harness.REGION}:{harness.ACCOUNT}:log-group:/aws/codebuild/demo"
    yard.client("logs").create_log_group(logGroupName="/aws/codebuild/demo")
    logs = yard.new_client("logs", inject_host_prefix=False)
    tail = logs.start_live_tail(logGroupIdentifiers=[group])["responseStream"]
    behind = []
    with contextlib.closing(tail):
        build = yard.start_build("demo")
        for event in tail:
            now = time.time_ns()
            update = event.get("sessionUpdate", {"sessionResults": []})
            lines = [one["message"] for one in update["sessionResults"]]
            stamps = [int(line[3:]) for line in lines if re.fullmatch(r"at=\d+\n", line)]
            behind += [(now - stamp) / 1e6 for stamp in stamps]
            if len(behind) == LINES:
                break
    yard.ended(build["id"])
    median = statistics.median(behind)
    print(f"a line is told after {median:.1f} ms")
    assert median < 20


def test_a_service_that_was_killed_is_back_within_two_seconds(own_yard):
    """It answers, and has taken up what was printed while it was away."""
    yard = own_yard().start()
    count = "for n in $(seq 1 600); do echo at $n; sleep 0.05; done"
    yard.create_project("demo", source={"type": "NO_SOURCE", "buildspec": spec(count)})
    builds = [yard.start_build("demo") for _ in range(BUILDS)]
    for build in builds:
        yard.wait_for_log(build["id"], "at 5\n")
    yard.kill()
    # What they print meanwhile is there to be read.
    time.sleep(1)
    began = time.perf_counter()
    yard.start()
    for build in builds:
        yard.wait_for_log(build["id"], "at 20\n", 10)
    taken = time.perf_counter() - began
    print(f"back after {taken:.2f} s")
    assert taken < 2
