"""Images that are made here, by recipes, of the packages of the machine's own mirror of Debian; and
what ListCuratedEnvironmentImages says of them."""

import contextlib
import datetime
import json
import os
import pty
import shutil
import signal
import subprocess

import pytest

import harness
from conftest import nothing_stays, unique
from harness import context, environment, spec, wait_for

BUILD_SECONDS_MAX = 900
TOOL = """
name = "tool"
extends = "base"
description = "A tool"
packages = ["make"]
commands = ['echo "$GREETING" > /greeting']

[environment]
GREETING = "it's here"

[runtimes.python]
check = "echo 3.13.5"

[runtimes.python.versions."3.13"]
also = ["3.99"]
commands = ['echo "Using $GREETING"', 'export CHOSEN=yes']
"""
NAMES = """
[images.names]
"aws/codebuild/standard:7.0" = "buildyard/base"
"aws/codebuild/amazonlinux-x86_64-standard:5.0" = "host"
"aws/codebuild/standard:6.0" = "registry.example.org/tool:1"
"company/*" = "host"
"""


@pytest.fixture(scope="module")
def place(workplace):
    folder = workplace / unique("recipes")
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def kitchen(place):
    """A service whose folder has the image `base`, made of packages of this machine's mirror."""
    (place / "buildyard.toml").write_text(NAMES)
    service = harness.Service(place / "data", arguments=["--config", place / "buildyard.toml"])
    if shutil.which("mmdebstrap") is None:
        pytest.skip("mmdebstrap is not installed")
    done = build(service, "base")
    if "Could not connect" in done.stderr or "Temporary failure resolving" in done.stderr:
        pytest.skip(f"no mirror of Debian is reachable: {done.stderr}")
    assert done.returncode == 0, done.stderr
    service.said = done
    service.start()
    yield service
    nothing_stays(service)


def command(service, *arguments):
    arguments = [harness.BINARY, "image", *arguments, "--data-dir", service.data_dir]
    return [str(argument) for argument in [*arguments, *service.arguments]]


def image(service, *arguments, **more):
    return subprocess.run(
        command(service, *arguments),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=BUILD_SECONDS_MAX,
        env=service.clean_environment() | more,
    )


def build(service, recipe, *arguments, **more):
    return image(service, "build", recipe, *arguments, **more)


def listed(service):
    return json.loads(image(service, "list", "--json").stdout)


def run(service, name, *commands, versions=None):
    """A build in an image, with runtimes of these versions; gives what it printed."""
    document = json.loads(spec(*commands))
    document["phases"]["install"] = {"runtime-versions": versions or {}}
    project = unique("recipe")
    service.create_project(project, environment=environment(image=name))
    ended = service.run(project, buildspecOverride=json.dumps(document))
    assert ended["buildStatus"] == "SUCCEEDED", service.log(ended)
    return service.printed(ended)


def test_base_is_made_of_debians_packages_and_built_in(kitchen):
    steps = kitchen.said.stderr.splitlines()
    assert steps == [
        "reading the lists of packages",
        "fetching what every Debian has",
        "unpacking it",
        "setting it up",
        "installing the recipe's packages",
        "running the recipe's commands",
        "cleaning up",
        "keeping it as a layer",
    ]
    names = {found["name"]: found for found in listed(kitchen)}
    base = names["localhost/buildyard/base:latest"]
    assert base["origin"] == "recipe"
    assert names["localhost/buildyard/base:trixie"]["manifest"] == base["manifest"]
    assert base["bytes"] < 250_000_000, "it is slim"
    # By our own name, and by one of CodeBuild's that the operator's table points to it.
    printed = run(
        kitchen,
        "aws/codebuild/standard:7.0",
        ". /etc/os-release && echo $ID $VERSION_CODENAME",
        "git --version && id -u codebuild-user && echo $LANG",
        "test ! -e /usr/share/man/man1/git.1.gz && test -e /usr/share/doc/git/copyright",
        "echo day $(cut -d: -f3 /etc/shadow | sort -nu)",
    )
    assert "debian trixie\n" in printed and "git version 2" in printed
    # Not the day on which the image was made: that would make it another one each day.
    shown = json.loads(image(kitchen, "inspect", "buildyard/base").stdout)
    created = datetime.datetime.fromisoformat(shown["configuration"]["created"][:-1] + "+00:00")
    assert f"day {int(created.timestamp()) // 86400}" in printed.splitlines()
    assert "\n1000\nC.UTF-8\n" in f"{printed}\n"
    assert run(kitchen, "buildyard/base:trixie", "echo hello").strip() == "hello"


def test_a_recipe_of_ones_own(kitchen, place):
    folder = place / "tool"
    folder.mkdir()
    (folder / "recipe.toml").write_text(TOOL)
    done = build(kitchen, folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("localhost/buildyard/tool:trixie: built in ")
    printed = run(
        kitchen,
        "buildyard/tool",
        "cat /greeting && make --version && echo $CHOSEN",
        versions={"python": "3.99"},
    )
    assert "Using it's here\n" in printed
    assert "it's here\nGNU Make 4" in printed and printed.strip().endswith("\nyes")
    platforms = kitchen.codebuild.list_curated_environment_images()["platforms"]
    [python] = [
        found
        for platform in platforms
        if platform["platform"] == "DEBIAN"
        for found in platform["languages"]
        if found["language"] == "PYTHON"
    ]
    assert python["images"] == [
        {
            "name": "buildyard/tool:trixie",
            "description": "A tool",
            "versions": ["buildyard/tool:latest", "buildyard/tool:trixie"],
        }
    ]
    names = ("buildyard/tool", "buildyard/tool:trixie")
    assert image(kitchen, "rm", *names).returncode == 0


def test_what_is_curated_is_what_is_there(kitchen):
    answer = json.loads(
        kitchen.aws("codebuild", "list-curated-environment-images", version=2).stdout
    )
    found = {}
    for platform in answer["platforms"]:
        for language in platform["languages"]:
            for entry in language["images"]:
                where = (platform["platform"], language["language"])
                found.setdefault(entry["name"], []).append((where, entry))
    base = "Debian with a shell, Git and tools to fetch and unpack"
    for name, description in (
        ("aws/codebuild/standard:7.0", base),
        ("buildyard/base:trixie", base),
        ("aws/codebuild/amazonlinux-x86_64-standard:5.0", "This machine's own tools: "),
        ("host", "This machine's own tools: "),
    ):
        [(where, entry)] = found[name]
        assert where == ("DEBIAN", "BASE")
        assert entry["description"].startswith(description)
        assert name in entry["versions"]
    # What a name means that is in a registry, and names that stand for others, are not there.
    assert "aws/codebuild/standard:6.0" not in found
    assert not any(name.startswith("company") for name in found)


def test_what_cannot_be_made_says_why_and_leaves_nothing(kitchen, place):
    before = listed(kitchen)
    bad = place / "bad.toml"
    bad.write_text('name = "bad"\nsuite = "trixie"\npackages = ["no-such-package-anywhere"]\n')
    wrong = place / "wrong.toml"
    wrong.write_text(
        'name = "bad"\nsuite = "trixie"\n[runtimes.perl]\ncheck = "echo perl 5.40"\n'
        '[runtimes.perl.versions."5.1"]\ncommands = ["true"]\n'
    )
    nowhere = "http://127.0.0.1:9/debian"
    for arguments, told, more in (
        (["missing"], "is neither a recipe's folder or file nor one of the program's own", {}),
        (["base", "--suite", "none-such"], "none-such is no --suite", {}),
        (["base", "--mirror", nowhere], f"{nowhere} has no trixie of Debian", {}),
        (["base"], "this installs it: apt-get install mmdebstrap", {"PATH": "/nowhere"}),
        ([bad], "Unable to locate package no-such-package-anywhere", {}),
        ([wrong], "the recipe has perl 5.1, and there is: perl 5.40", {}),
    ):
        done = build(kitchen, *arguments, **more)
        assert done.returncode != 0 and told in done.stderr, done.stderr
    assert listed(kitchen) == before
    assert not list((kitchen.data_dir / "images/parts").iterdir())


def test_an_interrupted_build_leaves_no_image(kitchen):
    before = listed(kitchen)
    making = subprocess.Popen(
        command(kitchen, "build", "base", "--name", "half.example.org/base:1"),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=kitchen.clean_environment(),
    )
    for line in making.stderr:
        if line.startswith("unpacking it"):
            making.send_signal(signal.SIGTERM)
    assert making.wait(60) == 1
    assert listed(kitchen) == before
    assert not list((kitchen.data_dir / "images/parts").iterdir())


def test_an_image_that_is_not_made_yet_says_how(kitchen):
    project = unique("recipe")
    kitchen.create_project(project, environment=environment(image="buildyard/standard"))
    ended = kitchen.run(project, buildspecOverride=spec("true"))
    code, message = context(ended, "PROVISIONING")
    assert code == "BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE"
    assert message.endswith("is made here, and was not yet: buildyard image build standard")


def test_a_terminal_is_shown_how_far_it_is(kitchen):
    """Where somebody looks, one line changes; it is gone when the image is there or is given up."""
    control, terminal = pty.openpty()
    making = subprocess.Popen(
        command(kitchen, "build", "base", "--name", "half.example.org/base:1"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=terminal,
        env=kitchen.clean_environment() | {"TERM": "xterm", "COLUMNS": "100"},
    )
    os.close(terminal)
    shown = ""

    def drawn():
        nonlocal shown
        shown += os.read(control, 65536).decode(errors="replace")
        return "fetching " in shown and "[=" in shown

    wait_for(drawn, "a bar that tells of packages", BUILD_SECONDS_MAX)
    making.send_signal(signal.SIGINT)
    with contextlib.suppress(OSError):
        # It ends with an error once nobody has the terminal open any more.
        while drawn() is not None:
            pass
    assert making.wait(60) == 1
    assert "it was interrupted" in shown
    os.close(control)
