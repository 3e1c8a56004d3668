"""The console in Chromium, as people use it: what they do, what they see, and how soon.

The scripts are in `tests/console`; each is told where the service is and answers with what it saw.
"""

import json
import os
import pathlib
import urllib.parse

import pytest

import harness
import still_network
from conftest import unique
from test_console import path_of, project_of

SCRIPTS = harness.ROOT / "tests" / "console"
CHROMIUM = pathlib.Path(os.environ.get("BUILDYARD_CHROMIUM", "/usr/bin/chromium"))
SCRIPT_SECONDS_MAX = 120


def drive(yard, script, **asked):
    """What a script saw of a service's console."""
    for needed in (CHROMIUM, SCRIPTS / "node_modules/playwright-core"):
        assert needed.exists(), f"no {needed}: run ./check packages browser"
    asked |= {
        "url": yard.url,
        "key": yard.access_key,
        "secret": yard.secret_key,
        "region": harness.REGION,
    }
    done = still_network.run(
        urllib.parse.urlsplit(yard.url).port,
        "node",
        SCRIPTS / script,
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=SCRIPT_SECONDS_MAX,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout)


def test_a_person_makes_a_project_and_watches_its_builds(yard):
    seen = drive(yard, "walk.js", project=unique("walk"))
    assert "comands" in seen["problem"]
    assert seen["here"].startswith("echo a-failing-line")
    # The command, and what it says; the search goes round.
    assert seen["found"].startswith("1 of ") and "a-failing-line" in seen["match"]
    assert seen["focus"] == "BODY"
    lags = seen["lags"]
    assert len(lags) >= 20, lags
    # A machine that tests is at times busy with something else for longer.
    assert lags[len(lags) // 2] < 200, lags


@pytest.mark.parametrize("scheme, width", [("light", 1360), ("light", 420), ("dark", 420)])
def test_axe_finds_nothing_on_any_page(yard, scheme, width):
    project = project_of(yard, "printf '\\033[31mred \\033[32mgreen\\033[0m\\n'", "exit 3")
    build = yard.run(project)
    logs = build["logs"]
    group = urllib.parse.quote(logs["groupName"], safe="")
    stream = urllib.parse.quote(logs["streamName"], safe="")
    paths = [
        "/console",
        "/console/minutes",
        "/console/minutes?month=1999-01",
        "/console/projects",
        "/console/projects?find=nowhere",
        "/console/projects/new",
        f"/console/projects/{project}",
        f"/console/projects/{project}/edit",
        f"/console/projects/{project}/start",
        f"/console/projects/{project}/delete",
        path_of(build),
        "/console/builds",
        "/console/logs",
        f"/console/logs/group?group={group}",
        f"/console/logs/stream?group={group}&stream={stream}",
        "/console/objects",
        "/console/settings",
        "/console/settings/cli",
    ]
    seen = drive(yard, "axe.js", scheme=scheme, width=width, paths=paths)
    assert seen == {"violations": [], "complaints": []}


def test_a_log_of_a_million_lines_is_at_hand(yard):
    # Seven MB, whatever happens.
    long = "printf '%3000s\\n' x | tr ' ' x"
    build = yard.run(project_of(yard, long, "seq 1 1000000"))
    seen = drive(yard, "million.js", path=path_of(build))
    assert seen["most"] < 500
    assert min(seen["toEnd"]) < 300, seen["toEnd"]
    assert seen["matches"] == ["990000", "900009", "900008", "900009"]
    assert seen["marked"] > 0
    frames = seen["frames"]
    assert frames[len(frames) // 2] < 50, frames
    assert seen["long"]["height"] > 400 and seen["flat"] == 20
    assert abs(seen["long"]["gap"]) < 1 and seen["long"]["wider"] == 0
    assert seen["steps"] == [0, 1, 1, -1, -1, -1, -1]


def test_a_builds_page_is_light_and_soon_there(yard):
    build = yard.run(project_of(yard, *[f"echo command {number}" for number in range(200)]))
    seen = drive(yard, "weight.js", path=path_of(build))
    assert seen["complaints"] == []
    assert len(seen["sizes"]) >= 5, seen["sizes"]
    assert seen["bytes"] < 60_000, seen["sizes"]
    assert min(seen["paints"]) < 100, seen["paints"]
