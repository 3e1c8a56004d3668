"""The yard: what runs, what waits and why, and what is counted of the builds that have ended."""

import csv
import io
import re
import sqlite3
import tarfile
import time

import pytest

import harness
from harness import spec, wait_for
from test_console import Browser, path_of

PRICES = """
[builds]
at_once_max = 1

[prices]
currency = "EUR"
per_minute = { BUILD_GENERAL1_SMALL = 0.005, BUILD_GENERAL1_LARGE = 0.02 }
"""


@pytest.fixture
def small_yard(own_yard, tmp_path):
    """A service that runs one build at a time, and has prices."""
    config = tmp_path / "buildyard.toml"
    config.write_text(PRICES)
    return own_yard(arguments=["--config", config]).start()


def signed_in(yard):
    browser = Browser(yard)
    browser.sign_in()
    return browser


def table_of(page):
    """The texts of a page's table, row by row."""
    rows = re.findall(r"<tr>(.*?)</tr>", page, re.DOTALL)
    cells = [re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL) for row in rows]
    return [[re.sub(r"<[^>]+>", " ", cell).split() for cell in row] for row in cells if row]


def lines_of(browser, month=""):
    """The lines of a month's CSV; of this one's, if none is named."""
    return list(csv.DictReader(io.StringIO(browser.get(f"/console/minutes.csv?month={month}"))))


def test_the_yard_says_what_waits_and_why(small_yard):
    yard = small_yard
    browser = signed_in(yard)
    assert "It is quiet here" in browser.get("/console")
    for project in ("first", "other"):
        yard.create_project(project, source={"type": "NO_SOURCE", "buildspec": spec("sleep 60")})
    runs = yard.start_build("first")
    wait_for(lambda: yard.build(runs["id"])["currentPhase"] == "BUILD", "the build to run")
    waiting = [yard.start_build(project) for project in ("first", "first", "other")]
    page = browser.get("/console/now")
    assert "Under way" in page and "of 1 at once" in page
    for said, build in [
        ("BUILD", runs),
        ("The one place is taken", waiting[0]),
        ("Another build of its project is before it", waiting[1]),
        ("The one place is taken", waiting[2]),
    ]:
        row = page.split(f'href="{path_of(build)}"')[1].split("</tr>")[0]
        assert said in row
    # The whole page has the same.
    assert "The one place is taken" in browser.get("/console")
    for build in [*reversed(waiting), runs]:
        yard.codebuild.stop_build(id=build["id"])
        yard.ended(build["id"])
    page = browser.get("/console/now")
    assert "Under way" not in page and "Ended last" in page


def test_builds_under_way_are_shown_however_many_came_after_them(yard):
    browser = signed_in(yard)
    yard.create_project("lasting", source={"type": "NO_SOURCE", "buildspec": spec("sleep 60")})
    runs = yard.start_build("lasting")
    yard.create_project("short", source={"type": "NO_SOURCE", "buildspec": "version: 0.3"})
    later = [yard.start_build("short") for _ in range(101)]
    for build in later:
        yard.ended(build["id"])
    assert f'href="{path_of(runs)}"' in browser.get("/console/now").split("Ended last")[0]
    yard.codebuild.stop_build(id=runs["id"])


def test_minutes_are_counted_by_project_and_compute_type_and_have_a_price(small_yard):
    yard = small_yard
    for project in ("mint", "plain"):
        yard.create_project(project, source={"type": "NO_SOURCE", "buildspec": spec("true")})
    large = {"computeTypeOverride": "BUILD_GENERAL1_LARGE"}
    medium = {"computeTypeOverride": "BUILD_GENERAL1_MEDIUM"}
    yard.run("mint")
    yard.run("mint", buildspecOverride=spec("exit 3"))
    yard.run("mint", **large)
    yard.run("plain", **medium)
    # A build that never left the queue had nothing of the machine.
    busy = yard.start_build("plain", buildspecOverride=spec("sleep 60"), **medium)
    queued = yard.start_build("plain", **medium)
    for build in (queued, busy):
        yard.codebuild.stop_build(id=build["id"])
        yard.ended(build["id"])
    browser = signed_in(yard)
    expected = [
        ("mint", "BUILD_GENERAL1_LARGE", "1", "0", "0", "1", "0.02", "0.02", "EUR"),
        ("mint", "BUILD_GENERAL1_SMALL", "1", "1", "0", "2", "0.005", "0.01", "EUR"),
        ("plain", "BUILD_GENERAL1_MEDIUM", "1", "0", "2", "2", "", "", ""),
    ]
    names = ("project", "compute_type", "succeeded", "failed", "stopped", "minutes")
    names += ("price_per_minute", "cost", "currency")
    lines = lines_of(browser)
    assert [tuple(line[name] for name in names) for line in lines] == expected
    assert {line["day"] for line in lines} == {time.strftime("%Y-%m-%d", time.gmtime())}
    page = browser.get("/console/minutes")
    rows = {(row[0][0], row[1][0]): row for row in table_of(page)}
    assert rows["mint", "BUILD_GENERAL1_SMALL"][2:] == [["2"], ["1"], ["2"], ["0.005"], ["0.01"]]
    assert rows["plain", "BUILD_GENERAL1_MEDIUM"][5:] == [["no", "price"], ["–"]]
    assert "0.03 EUR" in page and "for what has a price" in page
    yard_page = browser.get("/console")
    assert "0.03 EUR" in yard_page and "6 builds, 1 failed, 2 stopped" in yard_page
    assert browser.ask("GET", "/console/minutes?month=2026-13").status == 404
    assert "No build ended in this month" in browser.get("/console/minutes?month=1999-01")
    assert "0.005 EUR" in browser.get("/console/settings")
    assert browser.ask("GET", "/console/minutes.csv?month=1999-01").data.count(b"\r\n") == 1


def test_counts_are_exact_after_a_kill_and_outlive_their_builds(small_yard):
    yard = small_yard
    yard.create_project("counted", source={"type": "NO_SOURCE", "buildspec": spec("true")})
    builds = [yard.start_build("counted") for _ in range(12)]
    # In the middle of it.
    yard.ended(builds[3]["id"])
    yard.kill()
    yard.start()
    for build in builds:
        yard.ended(build["id"])
    browser = signed_in(yard)
    ends = lambda: [int(lines_of(browser)[0][name]) for name in ("succeeded", "failed", "stopped")]
    statuses = [yard.build(build["id"])["buildStatus"] for build in builds]
    assert ends() == [statuses.count("SUCCEEDED"), statuses.count("FAILED"), 0]
    assert sum(ends()) == 12
    yard.codebuild.batch_delete_builds(ids=[build["id"] for build in builds])
    assert sum(ends()) == 12


def test_builds_that_ended_before_there_were_counts_are_counted(own_yard):
    yard = own_yard()
    unpacked = yard.data_dir.with_name(yard.data_dir.name + ".old")
    with tarfile.open(harness.ROOT / "tests/formats/0.tar.xz") as packed:
        packed.extractall(unpacked, filter="data")
    (unpacked / "data").rename(yard.data_dir)
    (unpacked / "data.key").rename(f"{yard.data_dir}.key")
    yard.start()
    ids = yard.codebuild.list_builds()["ids"]
    [failed, _] = [yard.build(build_id) for build_id in ids]
    [line] = lines_of(signed_in(yard), f"{failed['endTime']:%Y-%m}")
    assert (line["project"], line["compute_type"]) == ("demo", "BUILD_GENERAL1_SMALL")
    assert (line["succeeded"], line["failed"], line["minutes"]) == ("1", "1", "2")


def test_a_million_builds_make_the_yard_no_slower(own_yard):
    yard = own_yard().start()
    yard.create_project("many", source={"type": "NO_SOURCE", "buildspec": spec("true")})
    yard.run("many")
    yard.stop()
    today = int(time.time() // 86_400)
    with sqlite3.connect(yard.data_dir / "state.db") as state:
        # As many as four thousand projects' builds of a month leave.
        state.executemany(
            "INSERT OR REPLACE INTO ended_day VALUES (?, ?, ?, 'small', 8, 1, 0, 9, 9)",
            (
                ("eu-central-1", today - day, f"many-{project}")
                for day in range(28)
                for project in range(4_000)
            ),
        )
        state.executemany(
            "INSERT OR REPLACE INTO ended_hour VALUES (?, ?, 1300, 40, 10, 1)",
            (("eu-central-1", today * 24 - hour) for hour in range(28 * 24)),
        )
    yard.start()
    browser = signed_in(yard)
    # What the page asks for every two seconds is not about projects.
    took = []
    for _ in range(5):
        began = time.monotonic()
        browser.get("/console/now")
        took.append(time.monotonic() - began)
    assert min(took) < 0.1, took
    began = time.monotonic()
    page = browser.get("/console")
    assert time.monotonic() - began < 3
    assert re.search(r"<h2>Builds, 30 days</h2><b>9\d\d,\d\d\d</b>", page)
