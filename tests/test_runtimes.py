"""`runtime-versions`: an image's own `runtimes.yml`, and the toolchains of this machine."""

import json
import pathlib
import re
import shutil
import subprocess

import pytest

from conftest import unique
from harness import context, environment, spec

FILE = """version: 0.1
runtimes:
  nodejs:
    versions:
      20:
        commands:
          - echo "Installing Node.js version 20 ..."
          - export TOOL="$NODE_20_HOME"
      22:
        commands:
          - echo "Installing Node.js version 22 ..."
          - export TOOL="$NODE_22_HOME"
      default:
        commands:
          - echo "Installing custom Node.js version $VERSION ..."
          - export TOOL="custom $VERSION"
"""


def asking(**versions):
    """A buildspec that asks for these versions and says what the commands then find."""
    install = {"runtime-versions": versions}
    build = {"commands": ['echo "tool=$TOOL"']}
    return json.dumps({"version": 0.2, "phases": {"install": install, "build": build}})


@pytest.fixture(scope="module")
def image(workplace):
    """A root file system as CodeBuild's images are one: with a shell and `runtimes.yml`."""
    root = workplace / "runtimes-image"
    for folder in ("bin", "etc", "tmp", "usr/bin", "codebuild/image/config"):
        (root / folder).mkdir(parents=True)
    busybox = shutil.which("busybox")
    if not busybox or "statically" not in _kind(busybox):
        pytest.skip("a static BusyBox is not installed")
    shutil.copy(busybox, root / "bin/busybox")
    for name in ("sh", "env", "cat", "echo"):
        (root / "bin" / name).symlink_to("busybox")
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (root / "codebuild/image/config/runtimes.yml").write_text(FILE)
    return f"rootfs:{root}"


def _kind(program):
    with pathlib.Path(program).open("rb") as file:
        return "" if b"/lib64/ld-linux" in file.read(4096) else "statically linked"


@pytest.fixture
def run(yard, image):
    """Runs a build in the image, with the variables that its maker gave it."""
    name = unique("runtimes")
    variables = [{"name": f"NODE_{n}_HOME", "value": f"/opt/node{n}"} for n in (20, 22)]
    yard.create_project(name, environment=environment(image=image, environmentVariables=variables))
    return lambda text: yard.run(name, buildspecOverride=text)


def test_an_images_own_commands_make_a_version_the_one_in_use(yard, run):
    ended = run(asking(nodejs="22"))
    assert ended["buildStatus"] == "SUCCEEDED", yard.log(ended)
    log = yard.log(ended)
    for line in (
        "Selecting 'nodejs' runtime version '22' based on manual selections...",
        'Running command echo "Installing Node.js version 22 ..."',
    ):
        assert f"] {line}\n" in _without_times(log)
    assert "\nInstalling Node.js version 22 ...\n" in log
    assert "tool=/opt/node22" in log
    order = [log.index(text) for text in ("Processing env", "Selecting", "Moving to directory")]
    assert order == sorted(order)


def _without_times(log):
    prefix = len("[Container] 2026/01/31 23:59:59.123456 ")
    lines = log.splitlines(keepends=True)
    return "".join("] " + x[prefix:] if x.startswith("[Container] ") else x for x in lines)


@pytest.mark.parametrize(
    ("text", "alias", "tool"),
    [
        ("20", None, "/opt/node20"),
        ("20.x", "20", "/opt/node20"),
        ("latest", "22", "/opt/node22"),
        ("18.2.1", None, "custom 18.2.1"),
        ("$WANTED", None, "/opt/node20"),
    ],
)
def test_a_version_may_be_exact_the_latest_an_x_or_a_variable(yard, run, text, alias, tool):
    document = json.loads(asking(nodejs=text)) | {"env": {"variables": {"WANTED": "20"}}}
    log = yard.log(run(json.dumps(document)))
    assert f"tool={tool}\n" in log
    assert (f"Resolved 'nodejs' runtime alias '{text}' to '{alias}'." in log) == bool(alias)


def test_what_the_image_does_not_have_fails_the_build(yard, run):
    ended = run(asking(docker="20"))
    assert ended["buildStatus"] == "FAILED"
    assert context(ended, "DOWNLOAD_SOURCE") == (
        "YAML_FILE_ERROR",
        "Unknown runtime named 'docker'. This build image has the following runtimes: nodejs",
    )
    code, message = context(run(asking(nodejs="19.x")), "DOWNLOAD_SOURCE")
    assert (code, message) == (
        "YAML_FILE_ERROR",
        "Unknown runtime version named '19.x' of nodejs. This build image has the following "
        "versions: 20, 22",
    )


def test_no_choice_is_the_images_default(yard, run):
    log = yard.log(run(spec("true")))
    assert "No runtime version selected in buildspec.\n" in log


def test_an_image_without_the_file_skips_runtimes(yard, workplace, image, build):
    bare = workplace / unique("bare")
    shutil.copytree(image.removeprefix("rootfs:"), bare, symlinks=True)
    shutil.rmtree(bare / "codebuild")
    ended = build(buildspec=asking(nodejs="22"), imageOverride=f"rootfs:{bare}")
    assert ended["buildStatus"] == "SUCCEEDED"
    assert "Skipping install of runtimes. Runtime version selection is not supported" in yard.log(
        ended
    )


# The machine's own toolchains


def _java():
    kits = sorted(pathlib.Path("/usr/lib/jvm").glob("*/bin/javac"))
    if not kits:
        pytest.skip("no Java is installed")
    release = (kits[0].parent.parent / "release").read_text()
    version = next(x for x in release.splitlines() if x.startswith("JAVA_VERSION="))
    return version.split('"')[1].split(".")[0]


def test_the_host_image_answers_with_the_machines_java(yard, build):
    major = _java()
    text = json.loads(asking(java=f"corretto{major}"))
    text["phases"]["build"]["commands"] = [
        "java -version 2>&1",
        "javac -version; ls $JAVA_HOME",
    ]
    ended = build(buildspec=json.dumps(text))
    assert ended["buildStatus"] == "SUCCEEDED", yard.log(ended)
    log = yard.log(ended)
    assert f"Selecting 'java' runtime version 'corretto{major}' based on manual" in log
    assert f'version "{major}' in log and f"javac {major}" in log


def test_the_host_image_answers_with_the_machines_python_and_node(yard, build):
    version = subprocess.run(
        ["/usr/bin/python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
        capture_output=True,
        text=True,
    ).stdout.strip()
    if not version:
        pytest.skip("no Python is in /usr/bin")
    text = json.loads(asking(python=version))
    text["phases"]["build"]["commands"] = ["python --version", "python3 --version"]
    log = yard.log(build(buildspec=json.dumps(text)))
    assert log.count(f"\nPython {version}.") == 2, log


def test_the_host_image_has_python_without_being_asked(yard, build):
    """Under the name that CodeBuild's images have for it, and with a `pip` that may install."""
    missing = "import importlib.util as u, sys; sys.exit(u.find_spec('pip') is not None)"
    if not subprocess.run(["/usr/bin/python3", "-c", missing]).returncode:
        pytest.skip("no Python with pip is in /usr/bin")
    ended = build("python --version", "python -m pip install --no-index nothing-of-this-name")
    log = yard.log(ended)
    assert "\nPython 3." in log
    assert "No matching distribution found" in log and "externally-managed" not in log


def test_the_host_image_takes_any_version_of_docker(yard, build):
    ended = build(buildspec=asking(docker="18"))
    assert ended["buildStatus"] == "SUCCEEDED", yard.log(ended)
    assert "A buildspec chooses no version of Docker" in yard.log(ended)


def test_the_host_image_says_what_the_machine_has(yard, build):
    _java()
    ended = build(buildspec=asking(java="corretto6"))
    code, message = context(ended, "DOWNLOAD_SOURCE")
    assert code == "YAML_FILE_ERROR"
    assert message.startswith(
        "Unknown runtime version named 'corretto6' of java. This build image has the following "
        "versions: "
    )
    assert _java() in message
    code, message = context(build(buildspec=asking(cobol="85")), "DOWNLOAD_SOURCE")
    assert message.startswith("Unknown runtime named 'cobol'. This build image has the following")
    assert "java" in message


def test_the_nearest_version_will_do_where_the_configuration_says_so(
    own_yard, yard, build, workplace
):
    major = _java()
    ended = build(buildspec=asking(java="corretto6"))
    assert "host_image.nearest_versions = true" in yard.log(ended)
    file = workplace / f"{unique('nearest')}.toml"
    file.write_text("[host_image]\nnearest_versions = true\n")
    other = own_yard(arguments=["--config", file]).start()
    other.create_project("nearest")
    text = json.loads(asking(java="$KIT"))
    text["env"] = {"variables": {"KIT": "corretto6"}}
    ended = other.run("nearest", buildspecOverride=json.dumps(text))
    log = other.log(ended)
    assert ended["buildStatus"] == "SUCCEEDED", log
    assert re.search(r"This machine has no java corretto6: the nearest that it has is \w+\n", log)
    assert major in log


def test_a_toolchain_may_be_in_a_configured_folder(own_yard, workplace):
    tools = workplace / unique("tools")
    kit = tools / "jdk-9"
    (kit / "bin").mkdir(parents=True)
    (kit / "release").write_text('JAVA_VERSION="9.0.4"\n')
    java = kit / "bin/java"
    java.write_text("#!/bin/sh\necho nine\n")
    java.chmod(0o755)
    file = workplace / f"{unique('tools')}.toml"
    file.write_text(f"[host_image]\nfolders = ['{tools}']\n")
    yard = own_yard(arguments=["--config", file]).start()
    yard.create_project("nine")
    text = json.loads(asking(java="9"))
    text["phases"]["build"]["commands"] = ["java"]
    ended = yard.run("nine", buildspecOverride=json.dumps(text))
    assert "\nnine\n" in yard.log(ended), yard.log(ended)


def test_no_toolchain_is_looked_for_where_none_is_asked_for(yard, build):
    log = yard.log(build("true"))
    assert "No runtime version selected in buildspec.\n" in log
    assert "Selecting" not in log
