"""The same service and the same sandbox for a user without any privilege."""

import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest

import harness
from harness import spec

NOBODY = 65534


@pytest.fixture
def place():
    """A folder that `nobody` owns, with a copy of the program; the repository may be unreadable."""
    if os.geteuid() != 0:
        pytest.skip("the whole suite runs without root already")
    if not user_namespaces():
        pytest.skip("this machine lets no unprivileged user make a user namespace")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="buildyard-rootless-"))
    shutil.copy2(harness.BINARY, folder / "buildyard")
    os.chown(folder, NOBODY, NOBODY)
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def user_namespaces():
    return as_nobody("unshare", "--user", "--map-root-user", "true")


def as_nobody(*command):
    """Whether a command succeeds that `nobody` runs."""
    done = subprocess.run(command, user=NOBODY, group=NOBODY, extra_groups=[], capture_output=True)
    return done.returncode == 0


def test_a_build_without_root(place):
    service = harness.Service(place / "data", user=NOBODY, binary=place / "buildyard").start()
    try:
        service.create_project("demo")
        ended = service.run(
            "demo",
            buildspecOverride=spec(
                'echo "$(id -u) $HOME"',
                "echo x > /usr/written && cat /usr/written",
                "ls /etc/shadow 2>/dev/null; echo looked",
            ),
        )
        assert ended["buildStatus"] == "SUCCEEDED", service.log(ended)
        words = service.printed(ended).split()
        assert words == ["0", "/root", "x", "looked"]
        long = str(600_000 + os.getpid())
        running = service.start_build("demo", buildspecOverride=spec("echo on", f"sleep {long}"))
        service.wait_for_log(running["id"], "on\n")
        # On the machine it is the service's user.
        owners = harness.wait_for(lambda: harness.owners(long), "the build's process")
        assert owners == {NOBODY}
        service.codebuild.stop_build(id=running["id"])
        assert service.ended(running["id"], 5)["buildStatus"] == "STOPPED"
    finally:
        service.stop()
    assert harness.traces(service) == []
    assert harness.container_folders(service) == []


def test_a_build_says_why_it_reaches_nothing(place):
    # Rules hold only where the service is root, and there may be nothing to make a way out with.
    configuration = place / "buildyard.toml"
    configuration.write_text('[egress]\ndefault_behavior = "DENY_ALL"\n')
    service = harness.Service(
        place / "data",
        user=NOBODY,
        binary=place / "buildyard",
        arguments=["--config", str(configuration)],
    ).start()
    try:
        service.create_project("demo")
        ended = service.run("demo", buildspecOverride=spec("cat /etc/resolv.conf"))
        assert ended["buildStatus"] == "SUCCEEDED", service.log(ended)
        assert service.printed(ended).split() == []
        assert service.log(ended).count("The build reaches nothing outside: ") == 1
    finally:
        service.stop()


def test_doctor_says_what_a_way_out_needs(place):
    """Without root that is `pasta`, and the device that it makes its interface by."""

    def network(path):
        done = subprocess.run(
            [
                place / "buildyard",
                "doctor",
                "--data-dir",
                place / "data",
                "--listen",
                "127.0.0.1:0",
            ],
            env=harness.Service.clean_environment() | {"PATH": path},
            user=NOBODY,
            group=NOBODY,
            extra_groups=[],
            capture_output=True,
            text=True,
            timeout=60,
        )
        lines = done.stdout.splitlines()
        [number] = [i for i, line in enumerate(lines) if line.split()[1:2] == ["network"]]
        return lines[number].split(maxsplit=2)[::2], lines[number + 1].strip()

    empty = place / "programs"
    empty.mkdir()
    assert network(empty) == (
        ["warning", "without pasta builds have no way out"],
        "-> install the package passt, or set builds.network = false",
    )
    (empty / "pasta").symlink_to(shutil.which("pasta") or pytest.skip("pasta is not installed"))
    said, advice = network(empty)
    if as_nobody("sh", "-c", ": <> /dev/net/tun"):
        assert said == ["ok", "pasta is there"]
    else:
        assert said[0] == "warning" and said[1].startswith("builds have no way out: /dev/net/tun: ")
        assert advice.endswith("let users open the device: chmod 666 /dev/net/tun")
