"""Runs a service that has something to show, and has each page of its console drawn.

    scripts/screenshots [FOLDER]

The projects and builds are made up, and so is what is counted of the days before today.
"""

import json
import pathlib
import random
import sqlite3
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import harness  # noqa: E402

FOLDER = harness.ROOT / "docs" / "screenshots"
CONFIG = """
[builds]
at_once_max = 3

[prices]
currency = "EUR"
per_minute = { BUILD_GENERAL1_SMALL = 0.004, BUILD_GENERAL1_MEDIUM = 0.008 }
"""
BUILDSPEC = """\
version: 0.2

env:
  variables:
    STAGE: test
  exported-variables: [RELEASE]

phases:
  install:
    commands:
      - echo "3 packages are up to date"
  pre_build:
    commands:
      - printf '\\033[33mwarning\\033[0m the option --all is going to leave\\n'
      - export RELEASE=v1.$((40 + $(date +%d)))
  build:
    commands:
      - sleep ${TOOK:-0}
      - |
        for test in $(seq 1 ${TESTS:-240}); do
          took=$((test * 7 % 90))
          printf '\\033[32mok\\033[0m   basket_%03d \\033[2m%d ms\\033[0m\\n' $test $took
        done
      - |
        if [ ${EXIT:-0} != 0 ]; then
          printf '\\033[1;31mFAIL\\033[0m basket_keeps_items: expected 3, found 2\\n'
        fi
        sh -c "exit ${EXIT:-0}"
  post_build:
    commands:
      - echo "$RELEASE" > release.txt

artifacts:
  files: release.txt
"""
PROJECTS = ("billing", "catalogue", "mobile-app", "search-index", "web-shop")
MEDIUM = ("mobile-app", "search-index")


def project(yard, name):
    yard.create_project(
        name,
        description=f"The {name.replace('-', ' ')}, tested and packed",
        source={"type": "NO_SOURCE", "buildspec": BUILDSPEC},
        artifacts={"type": "S3", "location": "releases", "path": name, "packaging": "ZIP"},
        environment={
            "type": "LINUX_CONTAINER",
            "computeType": f"BUILD_GENERAL1_{'MEDIUM' if name in MEDIUM else 'SMALL'}",
            "image": "host",
        },
    )


def past(yard, chance):
    """Counts for the days before today."""
    now = int(time.time())
    with sqlite3.connect(yard.data_dir / "state.db") as state:
        for hour in range(now // 3600 - 29 * 24, now // 3600 - 12):
            at_work = hour % 24 in range(7, 18) and (hour // 24 + 3) % 7 < 5
            builds = chance.randint(2, 9) if at_work else chance.choice([0, 0, 0, 1])
            failed = sum(chance.random() < 0.09 for _ in range(builds))
            if builds == 0:
                continue
            state.execute(
                "INSERT OR REPLACE INTO ended_hour VALUES (?, ?, ?, ?, 0, ?)",
                (harness.REGION, hour, builds - failed, failed, builds * 95_000),
            )
            name = PROJECTS[hour * 7 % 11 % 5]
            state.execute(
                "INSERT INTO ended_day VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?7, ?8) ON CONFLICT DO"
                " UPDATE SET succeeded = succeeded + excluded.succeeded,"
                " failed = failed + excluded.failed, minutes = minutes + excluded.minutes",
                (
                    harness.REGION,
                    hour // 24,
                    name,
                    f"BUILD_GENERAL1_{'MEDIUM' if name in MEDIUM else 'SMALL'}",
                    builds - failed,
                    failed,
                    builds * 95_000,
                    builds * 2,
                ),
            )


def variables(values):
    return [{"name": name, "value": value} for name, value in values.items()]


def fill(yard, chance):
    """Projects and builds; gives the one that failed."""
    location = {"LocationConstraint": harness.REGION}
    for bucket in ("caches", "releases", "sources"):
        yard.s3.create_bucket(Bucket=bucket, CreateBucketConfiguration=location)
    for name in PROJECTS:
        project(yard, name)
    builds = []
    for _ in range(18):
        for name in PROJECTS:
            changed = {
                "EXIT": str(int(chance.random() < 0.15)),
                "TOOK": f"{0.2 + 0.5 * chance.random():.2f}",
            }
            builds.append(yard.start_build(name, environmentVariablesOverride=variables(changed)))
        yard.ended(builds[-2]["id"])
    for build in builds:
        yard.ended(build["id"])
    changed = variables({"EXIT": "3", "TESTS": "3000", "TOOK": "0.4"})
    return yard.run("web-shop", environmentVariablesOverride=changed, sourceVersion="main")


def busy(yard):
    """Builds that run, and builds that wait."""
    lasts = harness.spec("echo compiling; sleep 600")
    names = ("search-index", "mobile-app", "catalogue", "web-shop", "web-shop", "billing")
    started = [yard.start_build(name, buildspecOverride=lasts) for name in names]
    for build in started[:3]:
        yard.wait_for_log(build["id"], "compiling")
    return started


def pages(failed):
    logs = failed["logs"]
    group = f"/console/logs/group?group={logs['groupName'].replace('/', '%2F')}"
    return {
        "yard": "/console",
        "minutes": "/console/minutes",
        "projects": "/console/projects",
        "project": "/console/projects/web-shop",
        "form": "/console/projects/web-shop/edit",
        "start": "/console/projects/web-shop/start",
        "delete": "/console/projects/web-shop/delete",
        "build": "/console/builds/" + failed["id"].replace(":", "/"),
        "builds": "/console/builds",
        "log-groups": "/console/logs",
        "log-streams": group,
        "log-stream": f"{group.replace('/group?', '/stream?')}&stream={logs['streamName']}",
        "buckets": "/console/objects",
        "objects": "/console/objects/releases",
        "settings": "/console/settings",
        "cli": "/console/settings/cli",
    }


def main():
    to = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else FOLDER).resolve()
    to.mkdir(parents=True, exist_ok=True)
    chance = random.Random(7)
    with tempfile.TemporaryDirectory(prefix="buildyard-") as folder:
        config = pathlib.Path(folder) / "buildyard.toml"
        config.write_text(CONFIG)
        data = pathlib.Path(folder) / "data"
        yard = harness.Service(data, arguments=["--config", config]).start()
        yard.stop()
        past(yard, chance)
        yard.start()
        started = []
        try:
            failed = fill(yard, chance)
            started = busy(yard)
            asked = {
                "url": yard.url,
                "key": yard.access_key,
                "secret": yard.secret_key,
                "region": harness.REGION,
                "folder": str(to),
                "pages": pages(failed),
            }
            script = pathlib.Path(__file__).with_name("screenshots.js")
            subprocess.run(["node", script], input=json.dumps(asked), text=True, check=True)
        finally:
            for build in reversed(started):
                yard.codebuild.stop_build(id=build["id"])
            for build in started:
                yard.ended(build["id"])
            yard.stop()


if __name__ == "__main__":
    main()
