"""`buildyard build`: the same engine with no server."""

import pathlib
import re
import shutil
import subprocess

import pytest

import harness
from harness import spec


@pytest.fixture
def run(tmp_path):
    """Runs `buildyard build …` in an empty folder."""

    def call(*words, seconds=90):
        return subprocess.run(
            [harness.BINARY, "build", *map(str, words)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=seconds,
            env=harness.Service.clean_environment() | {"HOME": str(tmp_path)},
        )

    return call


def folder(path, text, **files):
    path.mkdir(parents=True, exist_ok=True)
    (path / "buildspec.yml").write_text(text)
    for name, content in files.items():
        (path / name.replace("_", ".")).write_text(content)
    return path


def shown(done):
    return done.stdout + done.stderr


def test_the_example_becomes_a_jar(run, tmp_path):
    source = tmp_path / "maven-jar"
    shutil.copytree(
        harness.ROOT / "examples/maven-jar", source, ignore=shutil.ignore_patterns("target")
    )
    done = run(source, "--artifacts", "out", seconds=120)
    assert done.returncode == 0, shown(done)
    assert "Tests run: 9, Failures: 0" in shown(done)
    for name in (
        "DOWNLOAD_SOURCE",
        "INSTALL",
        "PRE_BUILD",
        "BUILD",
        "POST_BUILD",
        "UPLOAD_ARTIFACTS",
    ):
        assert re.search(rf"^.*{name}\b.*\d+(\.\d+)? ?m?s\b", shown(done), re.M), name
    (jar,) = (tmp_path / "out").rglob("*.jar")
    ran = subprocess.run(
        ["java", "-cp", jar, "org.example.versions.Main", "2.0.0", "1.0.0"],
        capture_output=True,
        text=True,
    )
    assert ran.stdout == "1.0.0\n2.0.0\n"
    assert not (source / "target").exists(), "a build must not write into its source"


def test_a_failed_build_exits_with_one(run, tmp_path):
    done = run(folder(tmp_path / "p", spec("echo before", "exit 7")))
    assert done.returncode == 1
    assert "before" in shown(done)
    assert "Error while executing command: exit 7. Reason: exit status 7" in shown(done)


def test_another_buildspec_and_source_and_variables(run, tmp_path):
    project = folder(tmp_path / "p", spec("echo the wrong one"))
    (project / "other.yml").write_text(spec('echo "$ONE-$TWO"', "cat here.txt"))
    (project / "here.txt").write_text("in the source\n")
    done = run(project, "--buildspec", "other.yml", "--env", "ONE=1", "--env", "TWO=a=b c")
    assert done.returncode == 0, shown(done)
    assert "1-a=b c" in shown(done)
    assert "in the source" in shown(done)
    done = run("--source", project, "--buildspec", "other.yml")
    assert done.returncode == 0, shown(done)


def test_artifacts_land_in_the_folder(run, tmp_path):
    text = spec(
        "mkdir -p a/b; echo x > a/b/c", artifacts={"files": ["**/*"], "base-directory": "a"}
    )
    done = run(folder(tmp_path / "p", text), "--artifacts", tmp_path / "deep/out")
    assert done.returncode == 0, shown(done)
    found = [p for p in (tmp_path / "deep/out").rglob("*") if p.is_file()]
    assert [p.read_text() for p in found] == ["x\n"]
    assert found[0].parts[-2:] == ("b", "c")


def test_an_image_can_be_chosen(run, tmp_path):
    done = run(folder(tmp_path / "p", spec("true")), "--image", "rootfs:/absent")
    assert done.returncode == 1
    assert "/absent" in shown(done)


@pytest.mark.parametrize(
    "words", [["absent-folder"], ["p", "--env", "NOEQUALS"], ["p", "--no-such-flag"]]
)
def test_a_wrong_call_exits_with_two(run, tmp_path, words):
    folder(tmp_path / "p", spec("true"))
    done = run(*words)
    assert done.returncode == 2, shown(done)
    assert done.stderr.strip()
    assert "panicked" not in done.stderr


def test_a_missing_buildspec_is_a_failure(run, tmp_path):
    (tmp_path / "p").mkdir()
    done = run("p")
    assert done.returncode == 1
    assert "buildspec.yml" in shown(done)


def test_it_leaves_nothing_behind(run, tmp_path):
    mark = "7215"
    before = pathlib.Path("/proc/self/mountinfo").read_text()
    project = folder(
        tmp_path / "p", spec(f"nohup sleep {mark} >/dev/null 2>&1 &", "echo x > made.txt")
    )
    done = run(project)
    assert done.returncode == 0, shown(done)
    assert pathlib.Path("/proc/self/mountinfo").read_text() == before
    left = subprocess.run(["pgrep", "-f", f"sleep {mark}"], capture_output=True, text=True).stdout
    assert left == ""
    assert sorted(p.name for p in project.iterdir()) == ["buildspec.yml"]


def test_a_signal_ends_it_and_its_build(tmp_path):
    project = folder(tmp_path / "p", spec("echo started", "exec sleep 7216"))
    process = subprocess.Popen(
        [harness.BINARY, "build", project],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        stdin=subprocess.DEVNULL,
        env=harness.Service.clean_environment() | {"HOME": str(tmp_path)},
    )
    for line in process.stdout:
        if line.startswith("started"):
            break
    process.terminate()
    process.communicate(timeout=10)
    assert process.returncode != 0
    left = lambda: (
        subprocess.run(["pgrep", "-f", "sleep 7216"], capture_output=True).returncode == 1
    )
    harness.wait_for(left, "the build's processes to end", 5)
