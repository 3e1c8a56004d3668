"""`buildyard build` with what is kept elsewhere: caches from build to build, and secrets."""

import subprocess

import pytest

import harness
from test_local_build import folder, shown

CACHED = """
version: 0.2
phases:
  build:
    commands:
      - cat kept/count 2>/dev/null || echo nothing
      - mkdir -p kept && echo x >> kept/count
cache: {paths: ["kept/**/*"]}
"""

SECRET = """
version: 0.2
env:
  secrets-manager: {WHOLE: plain, PART: "prod/db:password"}
  parameter-store: {PARAMETER: /app/key}
phases:
  build:
    commands:
      - echo "whole=$WHOLE part=$PART parameter=$PARAMETER"
      - printf %s "$WHOLE-$PART" | od -An -tx1
"""


@pytest.fixture
def build(tmp_path):
    def call(*words, **variables):
        return subprocess.run(
            [harness.BINARY, "build", *map(str, words)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=90,
            env=harness.Service.clean_environment() | {"HOME": str(tmp_path)} | variables,
        )

    return call


def test_a_cache_is_there_for_the_next_build_of_the_folder_alone(build, tmp_path):
    one, other = folder(tmp_path / "one/app", CACHED), folder(tmp_path / "other/app", CACHED)
    first = build(one)
    assert (first.returncode, "\nnothing\n" in first.stdout) == (0, True), shown(first)
    assert (tmp_path / ".cache/buildyard").is_dir()
    assert "\nx\n" in build(one).stdout
    assert "\nx\nx\n" in build(one).stdout
    assert "\nnothing\n" in build(one, "--no-cache").stdout
    assert "\nnothing\n" in build(other).stdout, "another folder of the same name"
    assert not (one / "kept").exists(), "the folder itself is not changed"


def test_the_caches_folder_can_be_chosen(build, tmp_path):
    source = folder(tmp_path / "source", CACHED)
    for _ in range(2):
        done = build(source, "--cache", "mine")
    assert "\nx\n" in done.stdout, shown(done)
    assert (tmp_path / "mine").is_dir() and not (tmp_path / ".cache").exists()
    done = build(source, XDG_CACHE_HOME=str(tmp_path / "xdg"))
    assert (tmp_path / "xdg/buildyard").is_dir(), shown(done)


def test_secrets_come_from_a_file_and_are_not_shown(build, tmp_path):
    source = folder(tmp_path / "source", SECRET)
    (tmp_path / "secrets.toml").write_text(
        '[secrets]\nplain = "tiger"\n"prod/db" = \'{"password": "zebra"}\'\n'
        '[parameters]\n"/app/key" = "gazelle"\n'
    )
    done = build(source, "--secrets", "secrets.toml")
    assert done.returncode == 0, shown(done)
    assert "whole=*** part=*** parameter=***" in done.stdout
    assert "gazelle" not in shown(done)
    assert "tiger" not in shown(done) and "zebra" not in shown(done)
    assert b"tiger-zebra".hex(" ") in done.stdout, "the commands have them"
    done = build(source)
    assert done.returncode == 1, "nobody keeps them"


def test_a_file_of_secrets_that_is_none_is_told_without_its_values(build, tmp_path):
    source = folder(tmp_path / "source", SECRET)
    bad = tmp_path / "bad.toml"
    for text in ('plain = "tiger"\n', '[secrets]\nplain = "tiger\n', "[secrets]\nplain = 5\n"):
        bad.write_text(text)
        done = build(source, "--secrets", bad)
        assert (done.returncode, "bad.toml" in done.stderr) == (2, True), shown(done)
        assert "tiger" not in done.stderr
    assert build(source, "--secrets", "missing.toml").returncode == 2
