"""Images taken from dockerd, shown on a terminal as they come, and kept whatever happens then."""

import os
import pty
import re
import shutil
import subprocess
import tempfile
import threading

import pytest

import engines
import harness
import registry as registries
from harness import wait_for
from registry import skopeo
from test_images import (  # noqa: F401 (fixtures)
    believer,
    image,
    layout,
    liar,
    place,
    registry,
    run,
)

pytestmark = pytest.mark.skipif(registries.missing() is not None, reason=str(registries.missing()))


def test_dockers_own_images_are_imported(own_yard, layout, place):  # noqa: F811
    if why := engines.missing("dockerd"):
        pytest.skip(why)
    if not shutil.which("docker"):
        pytest.skip("the program docker is not installed")
    archive = place / "for-docker.tar"
    skopeo("copy", f"oci:{layout.folder}:here", f"docker-archive:{archive}:company/tool:1")
    service = own_yard().start()
    with (
        tempfile.TemporaryDirectory(prefix="docker-") as folder,
        engines.running("dockerd", engines.pathlib.Path(folder)) as socket,
    ):
        host = {"DOCKER_HOST": f"unix://{socket}"}
        loaded = subprocess.run(
            ["docker", "load", "--input", str(archive)],
            capture_output=True,
            text=True,
            env=os.environ | host,
        )
        assert loaded.returncode == 0, loaded.stderr
        said = image(service, "import", "docker:company/tool:1", **host)
        assert said == "docker.io/company/tool:1: imported\n"
        said = image(service, "import", "docker:company/absent:1", status=1, **host)
        assert said.startswith("buildyard: docker:company/absent:1: "), said
    # The engine is gone; the image is this service's own, and no registry is asked for it.
    ended = run(service, "company/tool:1", "cat /hello /second")
    assert ended["buildStatus"] == "SUCCEEDED", service.log(ended)
    assert service.printed(ended).startswith("hello\nnew")


def test_a_terminal_is_shown_how_much_of_a_pull_is_there(liar, believer, layout):  # noqa: F811
    server = liar()
    service = believer(server.host, text="")
    size, more = layout.base["size"], threading.Event()

    def hold(handler):
        """Gives half, and the rest once that is on the terminal."""
        data = server.blob(layout.base["digest"])
        handler.send_response(200)
        handler.send_header("Content-Length", str(size))
        handler.end_headers()
        handler.wfile.write(data[: size // 2])
        handler.wfile.flush()
        more.wait(30)
        handler.wfile.write(data[size // 2 :])

    server.answers[layout.base["digest"]] = hold
    name = f"{server.host}/liar:tool"
    control, terminal = pty.openpty()
    command = [harness.BINARY, "image", "pull", name, "--data-dir", service.data_dir]
    pulling = subprocess.Popen(
        [*map(str, command), *service.config],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=terminal,
        text=True,
        env=service.clean_environment() | {"TERM": "xterm", "COLUMNS": "120"},
    )
    os.close(terminal)
    shown = ""

    def drawn():
        nonlocal shown
        shown += os.read(control, 65536).decode(errors="replace")
        return re.search(rf"{re.escape(name)} \[=+> *\] \d.* ?k?B/", shown)

    wait_for(drawn, "a bar that is half full", 20)
    more.set()
    assert pulling.communicate(timeout=30)[0].startswith(f"{name}: pulled, ")
    assert pulling.returncode == 0
    os.close(control)


def completed_calls(trace):
    """The lines of a trace, where each call that another process interrupted is one line again."""
    begun = {}
    for line in trace.splitlines():
        process, _, call = line.partition(" ")
        if call.endswith("<unfinished ...>"):
            begun[process] = line.removesuffix("<unfinished ...>")
        elif resumed := re.search(r"<\.\.\. \w+ resumed>(.*)", call):
            yield begun.pop(process) + resumed[1]
        else:
            yield line


def test_what_has_a_name_has_reached_the_disk(believer, registry, place):  # noqa: F811
    """Layers are named after all that is in them was written, and images after their layers."""
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    service = believer(registry.host)
    trace = place / "trace"
    calls = "trace=syncfs,fsync,rename,renameat,renameat2"
    pull = [harness.BINARY, "image", "pull", f"{registry.host}/tool:1"]
    pull += ["--data-dir", service.data_dir, *service.config]
    traced = subprocess.run(
        [*map(str, ["strace", "-f", "-y", "-e", calls, "-o", trace, *pull])],
        capture_output=True,
        text=True,
        env=service.clean_environment(),
    )
    if "ptrace" in traced.stderr and traced.returncode:
        pytest.skip(f"nothing may be traced here: {traced.stderr}")
    assert traced.returncode == 0, traced.stderr
    course = []
    for line in completed_calls(trace.read_text()):
        if "= 0" not in line:
            continue
        call = re.search(r"(syncfs|fsync|rename\w*)\(", line)[1]
        renamed = re.findall(r'images/(\w+)/[^/"]*"', line)
        if call.startswith("rename"):
            course.append(f"{renamed[-1]} named")
        else:
            inside = re.search(r"images/(\w+)", line)[1]
            course.append(f"{call} {inside}")
    assert course == [
        "syncfs layers",
        *["layers named"] * 3,
        "fsync layers",
        "fsync manifests",
        "manifests named",
        "fsync manifests",
        "fsync names",
        "names named",
        "fsync names",
    ]
