"""The image `standard`, made and built in: gigabytes and minutes, so only when it is asked for:
`./check standard`."""

import json
import re
import subprocess

import pytest

import harness
from conftest import nothing_stays, unique
from harness import context, environment
from test_recipes import build, image

RECIPES = ["base", "standard"]
VERSIONS = {
    "golang": "1.24",
    "nodejs": "20",
    "php": "8.4",
    "python": "3.13",
    "ruby": "3.3",
    "rust": "1.85",
}
COMMANDS = [
    "echo 'class A { public static void main(String[] a) {' > A.java",
    "echo 'System.out.println(Runtime.version().feature()); } }' >> A.java",
    "javac A.java && java A && echo $JAVA_HOME",
    "mvn --version && gradle --version && ant -version",
    "echo certificates $(keytool -list -cacerts -storepass changeit | grep -c trustedCertEntry)",
    "node -e 'console.log(\"js\", 6 * 7)' && npm --version",
    "python -c 'print(\"py\", 6 * 7)' && pip --version && python -m venv v",
    "printf 'package main\\nfunc main() { println(\"go\", 6*7) }\\n' > a.go",
    "go run a.go 2>&1",
    "ruby -e 'puts \"rb #{6 * 7}\"' && bundle --version && rake --version",
    "php -r 'echo \"php \", 6 * 7, PHP_EOL;' && composer --version",
    "echo 'fn main() { println!(\"rs {}\", 6 * 7) }' > a.rs && rustc a.rs && ./a",
    "echo 'int main(){return 42;}' > a.c && cargo --version",
    "for c in gcc clang; do $c a.c -o a; ./a || echo $c $?; done",
    "git --version && git lfs version && aws --version 2>&1 && cmake --version",
    "git config --system filter.lfs.process",
]


@pytest.fixture(scope="module")
def yard(workplace):
    service = harness.Service(workplace / unique("standard"))
    for recipe in RECIPES:
        done = build(service, recipe)
        assert done.returncode == 0, done.stderr
        print(done.stdout)
    service.start()
    yield service
    nothing_stays(service)


@pytest.mark.parametrize(("asked", "feature"), [("corretto21", "21"), ("openjdk25", "25")])
def test_every_language_is_chosen_by_runtime_versions(yard, asked, feature):
    document = {
        "version": 0.2,
        "phases": {
            "install": {"runtime-versions": VERSIONS | {"java": asked}},
            "build": {"commands": COMMANDS},
        },
    }
    name = unique("standard")
    yard.create_project(name, environment=environment(image="buildyard/standard"))
    ended = yard.run(name, buildspecOverride=json.dumps(document))
    assert ended["buildStatus"] == "SUCCEEDED", yard.log(ended)
    lines = yard.printed(ended).splitlines()
    for line in (feature, f"/usr/lib/jvm/{feature}", "js 42", "py 42", "go 42", "rb 42", "php 42"):
        assert line in lines, line
    for line in ("rs 42", "gcc 42", "clang 42", "git-lfs filter-process"):
        assert line in lines, line
    for name in ("Apache Maven 3", "Gradle 4", "git version 2", "git-lfs/3", "aws-cli/2"):
        # Maven's line is in bold.
        assert any(name in line for line in lines), (name, lines)
    [certificates] = [line.split()[1] for line in lines if line.startswith("certificates ")]
    assert int(certificates) > 100


def test_a_version_that_debian_does_not_have_is_told(yard):
    document = {
        "version": 0.2,
        "phases": {
            "install": {"runtime-versions": {"java": "corretto17"}},
            "build": {"commands": ["true"]},
        },
    }
    name = unique("standard")
    yard.create_project(name, environment=environment(image="buildyard/standard"))
    ended = yard.run(name, buildspecOverride=json.dumps(document))
    code, message = context(ended, "DOWNLOAD_SOURCE")
    assert code == "YAML_FILE_ERROR"
    assert re.search("corretto17.*openjdk21", message), message


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_same_packages_give_the_same_image(yard, recipe):
    """At another moment, in another folder, and under another name."""
    first, again = f"localhost/buildyard/{recipe}:trixie", f"again.example.org/{recipe}:1"
    one, other = inspected(yard, first), made(yard, recipe, again, "--name", again)
    if published(one) != published(other):
        # The mirror has got other packages since the first was made.
        one = made(yard, recipe, first)
    assert published(one) == published(other), "the mirror changes too often"
    same = [one[key] == other[key] for key in ("layers", "manifest")]
    assert all(same), differences(yard, one["layers"], other["layers"])
    assert image(yard, "rm", again).returncode == 0


def made(service, recipe, name, *arguments):
    done = build(service, recipe, *arguments)
    assert done.returncode == 0, done.stderr
    return inspected(service, name)


def inspected(service, name):
    return json.loads(image(service, "inspect", name).stdout)


def published(found):
    """The moment of an image, which is that of its packages."""
    return found["configuration"]["created"]


def differences(service, *lists):
    """What is different in the layers of two images: the first lines of it."""
    kept = service.data_dir / "images/layers"
    for one, other in zip(*lists, strict=True):
        folders = [kept / digest.removeprefix("sha256:")[:24] for digest in (one, other)]
        compare = ["diff", "--recursive", "--brief", "--no-dereference", *folders]
        told = subprocess.run(compare, capture_output=True, text=True, errors="replace").stdout
        if one != other:
            return told[:4000] or "they differ in modes, owners or times"
    return "the documents of the images differ"


def test_its_languages_are_listed(yard):
    [platform] = yard.codebuild.list_curated_environment_images()["platforms"]
    there = {
        found["language"]
        for found in platform["languages"]
        if any(image["name"] == "buildyard/standard:trixie" for image in found["images"])
    }
    assert there == {"GOLANG", "JAVA", "NODE_JS", "PHP", "PYTHON", "RUBY"}
    assert image(yard, "rm", "buildyard/standard", "buildyard/standard:trixie").returncode == 0
