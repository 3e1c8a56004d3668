"""The machine's clock is set forward and back, by minutes, while builds run.

The service believes libfaketime, which reads how far its clock is off from a file; builds and
clients have the machine's own.
"""

import pathlib
import time

import pytest

from harness import spec

LINES = 120
# Farther off, no client's signature would be taken.
STEPS = (600, -600, 0)
STEP_SECONDS = 0.4


@pytest.fixture
def clock(tmp_path):
    """Sets the clock of services that were given `clock.variables`, by seconds that it is off."""
    found = sorted(pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not found:
        pytest.skip("faketime is not installed")

    class Clock:
        off = tmp_path / "off"
        variables = {
            "LD_PRELOAD": str(found[0]),
            "FAKETIME_TIMESTAMP_FILE": str(off),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

        def set(self, seconds):
            new = self.off.with_name("new")
            new.write_text(f"{seconds:+d}\n")
            new.rename(self.off)

    clock = Clock()
    clock.set(0)
    return clock


def test_a_clock_that_is_set_loses_nothing(own_yard, clock):
    yard = own_yard(variables=clock.variables).start()
    yard.create_project("demo")
    loop = f"for n in $(seq {LINES}); do echo line-$n; sleep 0.04; done"
    text = spec("env | grep -c FAKETIME || true", loop)
    # Each build begins under one clock and ends under another; the service is killed once.
    begun = [yard.start_build("demo", buildspecOverride=text)]
    for step in STEPS:
        clock.set(step)
        time.sleep(STEP_SECONDS)
        begun.append(yard.start_build("demo", buildspecOverride=text))
        shown = begun[-1]["startTime"].timestamp() - time.time()
        assert abs(shown - step) < 60, "the service believes its clock"
        time.sleep(STEP_SECONDS)
    yard.kill()
    clock.set(-300)
    yard.start()
    for build in begun:
        ended = yard.ended(build["id"])
        assert ended["buildStatus"] == "SUCCEEDED"
        printed = yard.printed(ended).split()
        assert printed == ["0", *[f"line-{n}" for n in range(1, LINES + 1)]]
        for phase in ended["phases"]:
            if "endTime" in phase:
                assert phase["startTime"] <= phase["endTime"], phase
                assert phase["durationInSeconds"] >= 0
        assert ended["startTime"] <= ended["endTime"]
        times = [event["timestamp"] for event in yard.log_events(ended)]
        assert times == sorted(times)
