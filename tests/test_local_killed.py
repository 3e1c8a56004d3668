"""`buildyard build` that is killed: nothing of its build goes on, and its folder goes."""

import concurrent.futures
import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import types

import pytest

import harness
from harness import spec
from test_local_build import folder
from test_rootless import NOBODY, place  # noqa: F401 (a fixture)

SECONDS_MAX = 5
# How long builds sleep that somebody looks for: nobody else sleeps as long.
SLEEP = 700_000 + os.getpid()


class Local:
    """A build that sleeps, with a folder of its own for what is temporary."""

    def __init__(self, folder, scratch, number, *words, binary=harness.BINARY, **identity):
        self.scratch, self.sleep = scratch, f"{SLEEP}.{number}"
        self.executor = words[1]
        self.output = folder / f"output{number}"
        with open(self.output, "wb") as output:
            self.process = subprocess.Popen(
                [binary, "build", folder / "source", "--no-cache", *words],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=environment(folder, scratch),
                **identity,
            )

    def wait_until_it_sleeps(self):
        begun = lambda: "\nbegun\n" in self.output.read_text()
        harness.wait_for(begun, "a build to begin")
        # In gVisor, processes are not the machine's.
        if self.executor != "runsc":
            harness.wait_for(self.owners, "a build to sleep")

    def owners(self):
        return harness.owners(self.sleep)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def end(self):
        with contextlib.suppress(ProcessLookupError):
            self.kill()


def environment(folder, scratch):
    return harness.Service.clean_environment() | {"HOME": str(folder), "TMPDIR": str(scratch)}


def traces(scratch):
    """Everything on this machine that belongs to the builds of a folder for what is temporary."""
    states = [*scratch.glob("*/data/containers"), *scratch.glob("*/data/executors/*")]
    ids = {f"build:{path.name}" for state in states for path in state.glob("containers/*")}
    return types.SimpleNamespace(data_dir=scratch, build_ids=ids, process=None)


@pytest.fixture
def start(tmp_path):
    """Starts builds in a folder; they sleep in the foreground, the background and a session."""
    builds = []

    def call(at, executor="sandbox", **more):
        scratch = at / "scratch"
        scratch.mkdir(exist_ok=True)
        source = folder(at / "source", "")
        (source / "buildspec.yml").write_text(
            spec("echo begun", 'setsid sleep "$LONG" & sleep "$LONG" &', 'sleep "$LONG"')
        )
        number = len(builds)
        words = ("--executor", executor, "--env", f"LONG={SLEEP}.{number}")
        if "user" in more:
            os.chown(scratch, more["user"], more["user"])
        builds.append(Local(at, scratch, number, *words, **more))
        return builds[-1]

    yield call
    for build in builds:
        build.end()


def is_gone(build, left):
    """Waits until, within seconds there is no process, mount, group or folder of the build."""

    def gone():
        return not build.owners() and not harness.traces(left) and not any(build.scratch.iterdir())

    harness.wait_for(gone, f"{harness.traces(left)} to vanish", SECONDS_MAX)


@pytest.mark.parametrize("executor", ["sandbox", "runc", "crun", "runsc"])
def test_nothing_outlives_a_killed_build(start, tmp_path, executor):
    if executor != "sandbox" and shutil.which(executor) is None:
        pytest.skip(f"{executor} is not installed")
    build = start(tmp_path, executor)
    build.wait_until_it_sleeps()
    left = traces(build.scratch)
    assert left.build_ids and harness.traces(left)
    build.kill()
    is_gone(build, left)


def test_nothing_outlives_the_killed_build_of_an_ordinary_user(start, place):  # noqa: F811
    binary = place / "buildyard"
    identity = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    build = start(place, binary=binary, **identity)
    build.wait_until_it_sleeps()
    left = traces(build.scratch)
    assert left.build_ids and build.owners() == {NOBODY}
    build.kill()
    is_gone(build, left)


def test_nothing_outlives_a_build_that_is_killed_at_its_beginning(start, tmp_path):
    build = start(tmp_path)
    launching = lambda: traces(build.scratch).build_ids
    harness.wait_for(launching, "a container to be made", every=0.001)
    left = traces(build.scratch)
    build.kill()
    is_gone(build, left)


def test_the_next_build_ends_what_is_left_of_one_whose_guard_was_killed_too(start, tmp_path):
    killed, living = start(tmp_path), start(tmp_path)
    killed.wait_until_it_sleeps()
    living.wait_until_it_sleeps()
    (guard,) = guards_of(killed)
    os.kill(guard, signal.SIGKILL)
    killed.kill()
    mine = killed.scratch / "buildyard-build-mine"
    mine.mkdir(mode=0o755)
    assert killed.owners(), "nobody is there that would end it"
    quick = folder(tmp_path / "quick", spec("echo quick"))
    done = subprocess.run(
        [harness.BINARY, "build", quick, "--no-cache"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=environment(tmp_path, killed.scratch),
        timeout=60,
    )
    assert done.returncode == 0 and "quick" in done.stdout, done.stdout + done.stderr
    assert not killed.owners()
    assert living.owners(), "the folder of a living build is locked"
    assert mine.exists(), "others could have written what stands in it"
    mine.rmdir()
    left = traces(living.scratch)
    living.kill()
    is_gone(living, left)


def guards_of(build):
    """The guards whose parent is the build's process."""
    parent = str(build.process.pid)
    for path in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            fields = (path / "stat").read_text().rsplit(")", 1)[1].split()
            if fields[1] == parent and b"__guard" in (path / "cmdline").read_bytes():
                yield int(path.name)


def test_nothing_outlives_a_build_that_nobody_listens_to_any_more(tmp_path):
    source = folder(tmp_path / "source", spec(f"while sleep 0.0{SLEEP}; do echo on; done"))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    process = subprocess.Popen(
        [harness.BINARY, "build", source, "--no-cache"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment(tmp_path, scratch),
    )
    assert b"on\n" in iter(process.stdout.readline, b"")
    left = traces(scratch)
    process.stdout.close()
    assert process.wait(timeout=30) == 2
    assert not harness.traces(left) and not any(scratch.iterdir())


def test_builds_that_begin_and_end_at_once_leave_each_other_s_folders_alone(tmp_path):
    source = folder(tmp_path / "source", spec("true"))
    scratch = tmp_path / "scratch"
    scratch.mkdir()

    def build(_):
        done = subprocess.run(
            [harness.BINARY, "build", source, "--no-cache"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=environment(tmp_path, scratch),
            timeout=60,
        )
        return done.returncode, done.stderr

    with concurrent.futures.ThreadPoolExecutor(5) as pool:
        assert set(pool.map(build, range(9))) == {(0, "")}
    assert not any(scratch.iterdir())
