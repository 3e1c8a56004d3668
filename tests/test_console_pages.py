"""Each page of the console as it is sent, without what differs from run to run.

A page that is to look otherwise is written anew by `BUILDYARD_UPDATE=1`, and read in the change.
"""

import os
import re
import urllib.parse

import pytest

import harness
from harness import spec
from test_console import Browser, make_bucket, path_of

PAGES = harness.ROOT / "tests" / "console" / "pages"
PROJECT = "web-shop"
# What differs from run to run, and what stands for it.
DIFFERS = [
    (r"[0-9a-f]{8}((-|%2D)[0-9a-f]{4}){3}(-|%2D)[0-9a-f]{12}", "UUID"),
    (r"[0-9a-f]{32,}", "HEX"),
    (r"127\.0\.0\.1(:|%3A)\d+", r"127.0.0.1\g<1>PORT"),
    (r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME"),
    (r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d\.\d+", "TIME"),
    (r"\d{4}-\d\d(-\d\d)?\b", "DAY"),
    (r"\b\d{1,2} \w+ \d{4}, \d\d:\d\d( UTC)?", "TIME"),
    (
        r"\b(January|February|March|April|May|June|July|August|September|October|November|December)"
        r"( \d{4})?",
        "MONTH",
    ),
    (r"just now|\b\d+ (second|minute|hour|day)s? ago", "AGO"),
    (r"\b\d+(\.\d+)? (ms|s|min|h|d|B|kB|KiB|MiB|GiB)\b", "MUCH"),
    (r"\bsrc\d+", "srcNUMBER"),
    (r"\b[\d.]+( processors| at once)", r"MANY\g<1>"),
    (r"(?<=/console/assets/)[0-9a-f]{12}", "SUM"),
    (r"&#34;line&#34;:\d+", "&#34;line&#34;:LINE"),
    (r' x="\d+" y="0" width="\d+"', ' x="AT" y="0" width="WIDTH"'),
    (r"\b1\d{9,12}(\.\d+)?\b", "SECONDS"),
    (r"(?<=[=\"(:;, -])\d+\.\d+(?=[%\"); ,])", "SHARE"),
]


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A service with one of everything that there is a page of."""
    yard = harness.Service(tmp_path_factory.mktemp("pages") / "data").start()
    inline = spec("echo '<b>bold</b>'", "exit 3")
    yard.create_project(PROJECT, source={"type": "NO_SOURCE", "buildspec": inline})
    build = yard.run(PROJECT)
    make_bucket(yard.s3, "things")
    yard.s3.put_object(Bucket="things", Key="a/b.txt", Body=b"text")
    browser = Browser(yard)
    browser.sign_in()
    yield yard, browser, build
    yard.stop()


def paths(build):
    """Each page's name, and where it is."""
    logs = build["logs"]
    group, stream = (
        urllib.parse.quote(logs[name], safe="") for name in ("groupName", "streamName")
    )
    return {
        "yard": "/console",
        "minutes": "/console/minutes",
        "projects": "/console/projects",
        "projects-none": "/console/projects?find=nowhere",
        "project-new": "/console/projects/new",
        "project": f"/console/projects/{PROJECT}",
        "project-edit": f"/console/projects/{PROJECT}/edit",
        "project-start": f"/console/projects/{PROJECT}/start",
        "project-delete": f"/console/projects/{PROJECT}/delete",
        "build": path_of(build),
        "builds": "/console/builds",
        "log-groups": "/console/logs",
        "log-group": f"/console/logs/group?group={group}",
        "log-stream": f"/console/logs/stream?group={group}&stream={stream}",
        "buckets": "/console/objects",
        "objects": "/console/objects/things",
        "settings": "/console/settings",
        "cli": "/console/settings/cli",
    }


def settled(page, yard):
    """The page without what differs."""
    page = page.replace(str(yard.data_dir), "DATA").replace(str(yard.data_dir.parent), "FOLDER")
    for pattern, instead in DIFFERS:
        page = re.sub(pattern, instead, page)
    return page


def compare(name, page):
    file = PAGES / f"{name}.html"
    if os.environ.get("BUILDYARD_UPDATE"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(page)
    assert page.splitlines() == file.read_text().splitlines(), name


@pytest.mark.parametrize("name", paths({"logs": {"groupName": "", "streamName": ""}, "id": ":"}))
def test_a_page_is_sent_as_it_was(filled, name):
    yard, browser, build = filled
    compare(name, settled(browser.get(paths(build)[name]), yard))


def test_the_page_of_who_signs_in_is_sent_as_it_was(filled):
    yard, _, _ = filled
    compare("sign-in", settled(Browser(yard).get("/console/sign-in"), yard))
