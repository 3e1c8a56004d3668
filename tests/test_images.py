"""Images from registries, archives and other programs' stores, and how they are kept."""

import base64
import concurrent.futures
import crypt
import hashlib
import http.server
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest

import harness
import registry as registries
from conftest import nothing_stays, unique
from harness import context, environment, spec, wait_for
from registry import HERE, Layout, Registry, entry, shell, skopeo, tar

PASSWORD = "s3cret-0f-the-reg1stry"
pytestmark = pytest.mark.skipif(
    registries.missing() is not None, reason=str(registries.missing())
)


@pytest.fixture(scope="module")
def place(workplace):
    folder = workplace / unique("images")
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def layout(place):
    """The images that most tests use: `tool`, for this machine, and its kin."""
    layout = Layout(place / "layout")
    base = layout.layer(tar(*shell()))
    upper = [
        entry("hello", "hello\n"),
        entry("gone", "gone\n"),
        entry("folder/old", "old\n"),
    ]
    hides = layout.layer(
        tar(
            entry(".wh.gone", ""),
            entry("folder/.wh..wh..opq", ""),
            entry("folder/new", "new\n"),
            entry("second", kind=registries.tarfile.LNKTYPE, link="folder/new"),
        ),
        packed="none",
    )
    config = {
        "Env": ["PATH=/bin", "FROM_IMAGE=yes"],
        "WorkingDir": "/folder",
        "User": "1000",
        "Entrypoint": ["/bin/false"],
    }
    tool = layout.image([base, upper, hides], **config)
    foreign = layout.image([base], architecture="s390x")
    layout.tag(layout.index(foreign, tool), "tool")
    layout.tag(foreign, "foreign")
    layout.tag(layout.image([[entry("only", "data\n")]]), "bare")
    layout.base = base
    return layout


@pytest.fixture(scope="module")
def registry(place, layout):
    registry = Registry(place / "registry").start()
    for tag in ("tool", "foreign", "bare"):
        registry.push(layout, tag, f"{tag}:1")
    yield registry
    registry.stop()


def configured(folder, *hosts, text=""):
    """A configuration in which these registries need no TLS."""
    folder.mkdir(exist_ok=True)
    plain = "".join(f'[images.registries."{host}"]\nplain_http = true\n' for host in hosts)
    (folder / "buildyard.toml").write_text(text + plain)
    return ["--config", str(folder / "buildyard.toml")]


@pytest.fixture(scope="module")
def image_yard(workplace, registry):
    folder = workplace / unique("image-yard")
    arguments = configured(folder, registry.host, text="[images]\nstalled_seconds_max = 2\n")
    service = harness.Service(folder / "data", arguments=arguments).start()
    service.config = arguments
    yield service
    nothing_stays(service)


def run(service, image, *commands, **members):
    """A build in an image."""
    name = unique("image")
    service.create_project(name, environment=environment(image=image, **members))
    return service.run(name, buildspecOverride=spec(*commands or ["true"]))


def refused(service, ended, *words):
    """The build's image could not be had, for a reason with these words; nothing is left of it."""
    assert ended["buildStatus"] == "FAILED", service.log(ended)
    code, message = context(ended, "PROVISIONING")
    assert code == "BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE"
    assert message.startswith("Unable to pull customer's container image. CannotPullContainerError: ")
    for word in words:
        assert word in message, message
    assert not list((service.data_dir / "images/parts").glob("*.half"))
    return message


def image(service, *arguments, status=0, **more):
    """Runs `buildyard image` on a service's folder."""
    command = [harness.BINARY, "image", *arguments, "--data-dir", service.data_dir]
    done = subprocess.run(
        [*map(str, command), *getattr(service, "config", [])],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=120,
        env=service.clean_environment() | more,
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout if status == 0 else done.stderr


# Pulled from a registry


def test_an_image_is_pulled_and_built_in(image_yard, registry):
    ended = run(
        image_yard,
        f"{registry.host}/tool:1",
        "cat /hello /second",
        "ls /gone /folder",
        "echo $FROM_IMAGE; id -u; pwd",
        phase="build",
    ) if False else run(
        image_yard, f"{registry.host}/tool:1", "cat /hello /second", "ls / /folder", "id -u; pwd"
    )
    assert ended["buildStatus"] == "SUCCEEDED", image_yard.log(ended)
    printed = image_yard.printed(ended)
    assert printed.startswith("hello\nnew\n"), printed
    assert "gone" not in printed and "old" not in printed, printed
