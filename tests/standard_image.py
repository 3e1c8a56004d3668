"""The image `standard`, made and built in: gigabytes and minutes, so only when it is asked for:
`./check standard`."""

import json

import pytest

import harness
from conftest import nothing_stays, unique
from harness import environment
from test_recipes import build, image

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
    "node -e 'console.log(\"js\", 6 * 7)' && npm --version",
    "python -c 'print(\"py\", 6 * 7)' && pip --version && python -m venv v",
    "printf 'package main\\nfunc main() { println(\"go\", 6*7) }\\n' > a.go",
    "go run a.go 2>&1",
    "ruby -e 'puts \"rb #{6 * 7}\"' && bundle --version && rake --version",
    "php -r 'echo \"php \", 6 * 7, PHP_EOL;' && composer --version",
    "echo 'fn main() { println!(\"rs {}\", 6 * 7) }' > a.rs && rustc a.rs && ./a",
    "echo 'int main(){return 42;}' > a.c && cargo --version",
    "for c in gcc clang; do $c a.c -o a; ./a || echo $c $?; done",
    "git --version && git lfs version && aws --version && cmake --version",
]


@pytest.fixture(scope="module")
def yard(workplace):
    service = harness.Service(workplace / unique("standard"))
    made = build(service, "standard")
    assert made.returncode == 0, made.stderr
    print(made.stdout)
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
    for line in ("rs 42", "gcc 42", "clang 42"):
        assert line in lines, line


def test_its_languages_are_listed(yard):
    [platform] = yard.codebuild.list_curated_environment_images()["platforms"]
    there = {
        found["language"]
        for found in platform["languages"]
        if any(image["name"] == "buildyard/standard:trixie" for image in found["images"])
    }
    assert there == {"GOLANG", "JAVA", "NODE_JS", "PHP", "PYTHON", "RUBY"}
    assert image(yard, "rm", "buildyard/standard", "buildyard/standard:trixie").returncode == 0
