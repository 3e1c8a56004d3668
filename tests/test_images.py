"""Images from registries, archives and other programs' stores, and how they are kept."""

import base64
import http.server
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import pytest

import harness
import registry as registries
from conftest import nothing_stays, unique
from harness import context, environment, spec, wait_for
from registry import HERE, Layout, Registry, entry, shell, skopeo, tar

PASSWORD = "s3cret-0f-the-reg1stry"
pytestmark = pytest.mark.skipif(registries.missing() is not None, reason=str(registries.missing()))


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
    layout.many = layout.index(foreign, tool)
    layout.tag(layout.many, "tool")
    layout.tag(tool, "here")
    layout.tag(foreign, "foreign")
    layout.tag(layout.image([[entry("only", "data\n")]]), "bare")
    layout.base = base
    return layout


@pytest.fixture(scope="module")
def registry(place, layout):
    registry = Registry(place / "registry").start()
    fill(registry, layout, "tool:1")
    for tag in ("foreign", "bare"):
        registry.push(layout, tag, f"{tag}:1")
    yield registry
    registry.stop()


def fill(registry, layout, name, *arguments):
    """Brings `tool` in, for this machine and another."""
    repository, tag = name.split(":")
    for variant in ("here", "foreign"):
        registry.push(layout, variant, f"{repository}:{variant}", *arguments)
    if not arguments:
        registry.put_index(layout, layout.many, repository, tag)


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
    assert message.startswith(
        "Unable to pull customer's container image. CannotPullContainerError: "
    )
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
        "ls -d /gone /folder/* || true",
        'echo "$FROM_IMAGE $(id -u) $PWD"',
    )
    assert ended["buildStatus"] == "SUCCEEDED", image_yard.log(ended)
    printed = image_yard.printed(ended).split("\n")
    assert printed[:2] == ["hello", "new"]
    assert "/folder/new" in printed
    assert "/folder/old" not in printed and "/gone" not in printed
    # The image's variables count; its user, folder and entrypoint do not.
    folder = next(line for line in printed if line.startswith("yes "))
    assert folder.startswith("yes 0 /codebuild/output/src"), folder


def test_an_image_in_place_costs_a_question_and_no_bytes(image_yard, registry):
    name = f"{registry.host}/tool:1"
    run(image_yard, name)
    before = len(registry.requests())
    ended = run(image_yard, name)
    assert ended["buildStatus"] == "SUCCEEDED"
    assert registry.requests()[before:] == [("HEAD", "/v2/tool/manifests/1")]


def test_a_digest_is_never_asked_for_again(image_yard, registry, layout):
    name = f"{registry.host}/tool@{layout.many['digest']}"
    assert run(image_yard, name, "cat /hello")["buildStatus"] == "SUCCEEDED"
    before = len(registry.requests())
    assert run(image_yard, name, "cat /hello")["buildStatus"] == "SUCCEEDED"
    assert registry.requests()[before:] == []


def test_a_tag_that_points_elsewhere_by_now_is_followed(image_yard, registry, place):
    layout = Layout(place / unique("moving"))
    base = layout.layer(tar(*shell()))
    for text in ("first", "second"):
        layout.tag(layout.image([base, [entry("which", f"{text}\n")]]), text)
        registry.push(layout, text, "moving:1")
        ended = run(image_yard, f"{registry.host}/moving:1", "cat /which")
        assert image_yard.printed(ended).startswith(text), image_yard.log(ended)


def test_zstd_links_attributes_and_owners(image_yard, registry, place):
    layout = Layout(place / unique("odd"))
    attributes = {"SCHILY.xattr.user.note": "kept"}
    odd = tar(
        entry("owned", "x", uid=1234, gid=5678, mode=0o4751),
        entry("noted", "x", pax_headers=attributes),
        entry("link", kind=registries.tarfile.SYMTYPE, link="owned"),
        entry("pipe", kind=registries.tarfile.FIFOTYPE),
    )
    layers = [layout.layer(tar(*shell()), packed="zstd"), layout.layer(odd, packed="zstd")]
    registry.push(layout.tag(layout.image(layers), "odd"), "odd", "odd:1")
    ended = run(image_yard, f"{registry.host}/odd:1", "stat -c '%u:%g %a %F' /owned /pipe /noted")
    lines = image_yard.printed(ended).split("\n")
    assert lines[0] == "1234:5678 4751 regular file", lines
    assert lines[1].endswith("fifo") and lines[2].startswith("0:0"), lines
    notes = [
        os.getxattr(path, "user.note")
        for path in (image_yard.data_dir / "images/layers").glob("*/noted")
    ]
    assert notes == [b"kept"]


def test_runtime_versions_are_the_pulled_images_own(image_yard, registry, place):
    layout = Layout(place / unique("runtimes"))
    text = (
        "version: 0.1\nruntimes:\n  python:\n    versions:\n      3.11:\n        commands:\n"
        '          - export CHOSEN="python of the image"\n'
    )
    extra = [entry("codebuild/image/config/runtimes.yml", text)]
    registry.push(layout.tag(layout.image([shell(), extra]), "r"), "r", "runtimes:1")
    name = unique("image")
    image_yard.create_project(name, environment=environment(image=f"{registry.host}/runtimes:1"))
    phases = {
        "install": {"runtime-versions": {"python": "3.11"}},
        "build": {"commands": ["echo $CHOSEN"]},
    }
    ended = image_yard.run(name, buildspecOverride=json.dumps({"version": 0.2, "phases": phases}))
    assert "python of the image" in image_yard.printed(ended), image_yard.log(ended)


def test_two_builds_that_want_one_image_pull_it_once(own_yard, workplace, registry, place):
    layout = Layout(place / unique("once"))
    layers = [layout.layer(tar(*shell())), layout.layer(tar(entry("big", os.urandom(20_000_000))))]
    registry.push(layout.tag(layout.image(layers), "once"), "once", "once:1")
    folder = workplace / unique("once")
    service = own_yard(arguments=configured(folder, registry.host)).start()
    service.create_project("once", environment=environment(image=f"{registry.host}/once:1"))
    before = len(registry.requests())
    started = [service.start_build("once")["id"] for _ in range(4)]
    for build in started:
        assert service.ended(build)["buildStatus"] == "SUCCEEDED"
    blobs = [path for _, path in registry.requests()[before:] if "/blobs/" in path]
    for layer in layers:
        wanted = [path for path in blobs if layer["digest"] in path]
        assert len(wanted) == 1, blobs


# What cannot be had


def test_an_image_that_does_not_exist(image_yard, registry):
    for name in ("tool:9", "nothing:1", f"tool@sha256:{'0' * 64}"):
        refused(image_yard, run(image_yard, f"{registry.host}/{name}"), name, "not found")


@pytest.mark.parametrize("name", ["x.org/UPPER", "a b", "x:", "tool@sha256:12", "a/../b"])
def test_a_name_that_is_none(image_yard, name):
    refused(image_yard, run(image_yard, name), "invalid reference format")


def test_an_image_for_another_machine(image_yard, registry):
    refused(image_yard, run(image_yard, f"{registry.host}/foreign:1"), "made for linux/s390x", HERE)


def test_a_registry_that_is_down(image_yard, own_yard):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    refused(image_yard, run(image_yard, f"127.0.0.1:{port}/x:1"), "onnection refused")


def test_a_registry_without_tls_needs_to_be_named(own_yard, registry):
    service = own_yard().start()
    refused(service, run(service, f"{registry.host}/tool:1"), "https://")


class Liar(http.server.ThreadingHTTPServer):
    """A registry that gives what it is told to give: `answers[path]` is bytes or a function."""

    daemon_threads = True

    def __init__(self, layout, name="liar"):
        super().__init__(("127.0.0.1", 0), LiarHandler)
        self.layout, self.name, self.asked = layout, name, []
        self.answers = {}
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def host(self):
        return f"127.0.0.1:{self.server_address[1]}"

    def blob(self, digest):
        path = self.layout.folder / "blobs/sha256" / digest.removeprefix("sha256:")
        return path.read_bytes() if path.exists() else None

    def handle_error(self, request, client_address):
        # Whoever hung up was meant to.
        pass


class LiarHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.asked.append((self.path, self.headers.get("Range")))
        what = self.path.rsplit("/", 1)[1]
        override = self.server.answers.get(what)
        if callable(override):
            return override(self)
        index = json.loads((self.server.layout.folder / "index.json").read_text())
        tagged = {
            m["annotations"]["org.opencontainers.image.ref.name"]: m for m in index["manifests"]
        }
        found = tagged.get(what, {"digest": what, "mediaType": "application/octet-stream"})
        data = override if override is not None else self.server.blob(found["digest"])
        return self.answer(data, found["mediaType"])

    do_HEAD = do_GET

    def answer(self, data, kind="application/octet-stream"):
        status, start = (404, 0) if data is None else (200, 0)
        data, whole = data or b"", len(data or b"")
        if (wanted := self.headers.get("Range")) and status == 200:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            status, data = 206, data[start:]
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{whole - 1}/{whole}")
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)

    def log_message(self, *_):
        pass


@pytest.fixture
def liar(place, layout):
    """Makes registries that lie about a layout's images, and services that believe them."""
    made = []

    def make(layout=layout):
        made.append(Liar(layout))
        return made[-1]

    yield make
    for server in made:
        server.shutdown()
        server.server_close()


@pytest.fixture
def believer(own_yard, workplace):
    """Makes a service that asks these registries."""

    def make(*hosts, text="[images]\nstalled_seconds_max = 2\n", **settings):
        arguments = configured(workplace / unique("believer"), *hosts, text=text)
        service = own_yard(arguments=arguments, **settings).start()
        service.config = arguments
        return service

    return make


def test_a_registry_that_lies_about_a_digest(liar, believer, layout):
    server = liar()
    service = believer(server.host)
    name = f"{server.host}/liar:tool"
    # A layer that is another.
    server.answers[layout.base["digest"]] = server.blob(layout.base["digest"])[:-1] + b"!"
    refused(service, run(service, name), layout.base["digest"], "is not what its digest says")
    # A manifest that is another than was asked for.
    digest = "sha256:" + "1" * 64
    server.answers[digest] = server.blob(
        json.loads((layout.folder / "index.json").read_text())["manifests"][0]["digest"]
    )
    refused(service, run(service, f"{server.host}/liar@{digest}"), "is not what its digest says")
    assert image(service, "list").count("\n") == 1
    # The truth helps.
    server.answers.clear()
    assert run(service, name)["buildStatus"] == "SUCCEEDED"


def test_a_registry_that_says_nothing_is_given_up(liar, believer):
    server = liar()
    held = threading.Event()
    server.answers["tool"] = lambda handler: held.wait(30)
    service = believer(server.host)
    began = time.monotonic()
    refused(service, run(service, f"{server.host}/liar:tool"), "does not answer in time")
    assert time.monotonic() - began < 25
    held.set()


def test_a_registry_that_stops_in_the_middle_goes_on_where_it_stopped(liar, believer, layout):
    server = liar()
    size = layout.base["size"]
    cuts = []

    def cut(handler):
        """Gives a third of what is missing, and hangs up."""
        data = server.blob(layout.base["digest"])
        wanted = handler.headers.get("Range")
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        cuts.append(start)
        if len(cuts) > 3:
            return handler.answer(data)
        handler.send_response(206 if wanted else 200)
        handler.send_header("Content-Length", str(size - start))
        if wanted:
            handler.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        handler.end_headers()
        handler.wfile.write(data[start : start + (size - start) // 3])
        handler.wfile.flush()
        handler.close_connection = True

    server.answers[layout.base["digest"]] = cut
    service = believer(server.host)
    ended = run(service, f"{server.host}/liar:tool", "cat /hello")
    assert ended["buildStatus"] == "SUCCEEDED", service.log(ended)
    assert len(cuts) == 4 and cuts == sorted(set(cuts)), cuts


def test_a_pull_cut_off_goes_on_where_it_stopped(liar, believer, layout):
    """The program is killed in the middle; the next pull fetches the rest alone."""
    server = liar()
    service = believer(server.host)
    half, held = layout.base["size"] // 2, threading.Event()

    def hold(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(layout.base["size"]))
        handler.end_headers()
        handler.wfile.write(server.blob(layout.base["digest"])[:half])
        handler.wfile.flush()
        held.wait(30)

    server.answers[layout.base["digest"]] = hold
    command = [harness.BINARY, "image", "pull", f"{server.host}/liar:tool"]
    command += ["--data-dir", service.data_dir, *service.config]
    pulling = subprocess.Popen(
        [*map(str, command)], stdout=subprocess.DEVNULL, env=service.clean_environment()
    )
    part = service.data_dir / "images/parts" / layout.base["digest"].removeprefix("sha256:")
    wait_for(lambda: part.exists() and part.stat().st_size >= half, "half of the layer", 20)
    pulling.send_signal(signal.SIGKILL)
    pulling.wait()
    held.set()
    server.answers.clear()
    server.asked.clear()
    assert "pulled" in image(service, "pull", f"{server.host}/liar:tool")
    ranges = [r for path, r in server.asked if path.endswith(layout.base["digest"])]
    assert ranges == [f"bytes={half}-"], ranges
    assert not list((service.data_dir / "images/parts").iterdir())
    assert run(service, f"{server.host}/liar:tool", "cat /hello")["buildStatus"] == "SUCCEEDED"


def test_what_a_pull_left_that_is_wrong_is_fetched_anew(liar, believer, layout):
    server = liar()
    service = believer(server.host)
    part = service.data_dir / "images/parts" / layout.base["digest"].removeprefix("sha256:")
    part.write_bytes(b"\x1f\x8b" + b"nonsense" * 1000)
    assert run(service, f"{server.host}/liar:tool", "cat /hello")["buildStatus"] == "SUCCEEDED"


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (entry("../out", "x"), "leads out of the layer"),
        (entry("a/../../out", "x"), "leads out of the layer"),
        (entry("shadow", kind=registries.tarfile.LNKTYPE, link="../../etc/shadow"), "leads out"),
        (entry("shadow", kind=registries.tarfile.LNKTYPE, link="/etc/shadow"), "not there"),
        (entry("sda", kind=registries.tarfile.BLKTYPE, devmajor=8), "may not bring a device"),
        (entry("kmem", kind=registries.tarfile.CHRTYPE, devmajor=1), "may not bring a device"),
    ],
    ids=["up", "up-inside", "hard-link-up", "hard-link-absolute", "block", "character"],
)
def test_a_layer_that_must_not_be(image_yard, registry, place, bad, why):
    layout = Layout(place / unique("bad"))
    layout.tag(layout.image([shell(), [bad]]), "bad")
    name = registry.push(layout, "bad", f"{unique('bad')}:1")
    refused(image_yard, run(image_yard, name), why)


def test_a_link_out_leads_nowhere(image_yard, registry, place):
    """What is written through a link of the layer stays in the layer."""
    outside = place / unique("outside")
    outside.mkdir()
    layout = Layout(place / unique("links"))
    link = entry("way", kind=registries.tarfile.SYMTYPE, link=str(outside))
    layout.tag(layout.image([shell(), [link, entry("way/planted", "x")]]), "links")
    run(image_yard, registry.push(layout, "links", "links:1"))
    assert not list(outside.iterdir())


def test_an_image_without_a_shell(image_yard, registry):
    ended = run(image_yard, f"{registry.host}/bare:1")
    assert ended["buildStatus"] == "FAILED", image_yard.log(ended)
    failed = [p for p in ended["phases"] if p.get("phaseStatus") == "FAILED"]
    said = failed[0]["contexts"][0]
    assert "/bin/sh" in said["message"], failed


def test_a_disk_that_is_full(own_yard, workplace, registry, place):
    if os.geteuid() != 0:
        pytest.skip("a small disk needs root")
    layout = Layout(place / unique("large"))
    layout.tag(layout.image([shell(), [entry("large", bytes(30_000_000))]]), "large")
    registry.push(layout, "large", "large:1")
    folder = workplace / unique("full")
    (folder / "disk").mkdir(parents=True)
    mounted = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder / "disk")]
    subprocess.run(mounted, check=True)
    try:
        text = f'[images]\nfolder = "{folder}/disk/images"\n'
        with_no_reserve = text + "[builds]\ndisk_reserve_gib = 0\n"
        arguments = configured(folder, registry.host, text=with_no_reserve)
        service = own_yard(arguments=arguments).start()
        message = refused(service, run(service, f"{registry.host}/large:1"))
        assert "No space left on device" in message
        left = [p for p in (folder / "disk/images/parts").iterdir()]
        assert not left, left
        free = shutil.disk_usage(folder / "disk").free
        assert free > 10_000_000, free
        assert run(service, f"{registry.host}/tool:1")["buildStatus"] == "SUCCEEDED"
        service.stop()
        # As it is when nothing is said of a reserve.
        service.config = configured(folder, registry.host, text=text)
        said = image(service, "pull", f"{registry.host}/large:1", status=1)
        assert re.search(r"1\d MiB of its disk are left, and 1024 MiB are kept in reserve", said)
    finally:
        subprocess.run(["umount", "-l", folder / "disk"], check=True)


def test_a_registry_that_is_away_is_not_missed(believer, place, layout):
    """An image in place is used, and the log says that it may not be the newest."""
    registry = Registry(place / unique("away")).start()
    fill(registry, layout, "tool:1")
    service = believer(registry.host)
    name = f"{registry.host}/tool:1"
    assert run(service, name)["buildStatus"] == "SUCCEEDED"
    registry.stop()
    for _ in range(2):
        ended = run(service, name, "cat /hello")
        assert ended["buildStatus"] == "SUCCEEDED", service.log(ended)
        assert f"Image {name} is as it was pulled last" in service.log(ended)


def test_a_build_that_is_stopped_while_its_image_is_pulled(liar, believer, layout):
    server = liar()
    held = threading.Event()
    server.answers[layout.base["digest"]] = lambda handler: held.wait(30)
    service = believer(server.host, text="")
    service.create_project("stopped", environment=environment(image=f"{server.host}/liar:tool"))
    build = service.start_build("stopped")["id"]
    wait_for(lambda: any(layout.base["digest"] in p for p, _ in server.asked), "the pull", 20)
    began = time.monotonic()
    service.codebuild.stop_build(id=build)
    assert service.ended(build)["buildStatus"] == "STOPPED"
    assert time.monotonic() - began < 5
    held.set()


# Who may pull


def htpasswd(folder):
    program = "print crypt($ARGV[0], '$2y$05$' . 'abcdefghijklmnopqrstuu')"
    hashed = subprocess.run(["perl", "-e", program, PASSWORD], capture_output=True, text=True)
    (folder / "htpasswd").write_text(f"ann:{hashed.stdout}\n")
    return {"htpasswd": {"realm": "tests", "path": str(folder / "htpasswd")}}


@pytest.fixture(scope="module")
def private(place, layout):
    """A registry that wants a name and a password."""
    folder = place / unique("private")
    folder.mkdir()
    registry = Registry(folder, auth=htpasswd(folder)).start()
    registry.push(layout, "here", "tool:1", f"--dest-creds=ann:{PASSWORD}")
    yield registry
    registry.stop()


def docker_config(folder, host, **more):
    folder.mkdir(exist_ok=True)
    auth = base64.b64encode(f"ann:{PASSWORD}".encode()).decode()
    path = folder / "config.json"
    path.write_text(json.dumps({"auths": {host: {"auth": auth}}} | more))
    return path


def test_a_private_registry_refuses_whoever_says_nothing(believer, private):
    service = believer(private.host)
    refused(service, run(service, f"{private.host}/tool:1"), "pull access denied", "no basic auth")


def test_a_registry_credential_is_a_secret(believer, private):
    service = believer(private.host)
    name = f"{private.host}/tool:1"
    text = json.dumps({"username": "ann", "password": PASSWORD})
    secret = service.secrets.create_secret(Name="registry", SecretString=text)["ARN"]
    service.secrets.create_secret(
        Name="wrong", SecretString=json.dumps({"username": "ann", "password": "no"})
    )
    service.secrets.create_secret(Name="nonsense", SecretString="ann")

    def by(credential):
        return {
            "imagePullCredentialsType": "SERVICE_ROLE",
            "registryCredential": {
                "credential": credential,
                "credentialProvider": "SECRETS_MANAGER",
            },
        }

    refused(service, run(service, name, **by("wrong")), "pull access denied")
    refused(service, run(service, name, **by("nonsense")), "username and password")
    refused(service, run(service, name, **by("absent")), "can't find")
    for credential in (secret, "registry"):
        ended = run(service, name, "cat /hello", **by(credential))
        assert ended["buildStatus"] == "SUCCEEDED", service.log(ended)
    # What one project may have, another may not.
    refused(service, run(service, name), "pull access denied")
    digest = json.loads(image(service, "inspect", name))["pointedTo"]
    fixed = f"{private.host}/tool@{digest}"
    assert run(service, fixed, **by(secret))["buildStatus"] == "SUCCEEDED"
    refused(service, run(service, fixed), "pull access denied")
    assert harness.kept_in_clear(service, PASSWORD) == []


def test_dockers_file_of_credentials(believer, private, workplace):
    config = docker_config(workplace / unique("docker"), private.host)
    service = believer(private.host, text=f'[images]\ndocker_config = "{config}"\n')
    ended = run(service, f"{private.host}/tool:1", "cat /hello")
    assert ended["buildStatus"] == "SUCCEEDED", service.log(ended)


def test_dockers_programs_that_keep_passwords(believer, private, workplace):
    folder = workplace / unique("helper")
    config = docker_config(folder, "elsewhere.example", credHelpers={private.host: "tests"})
    program = folder / "docker-credential-tests"
    answer = json.dumps({"Username": "ann", "Secret": PASSWORD})
    program.write_text(f"#!/bin/sh\n[ $(cat) = {private.host} ] && echo '{answer}'\n")
    program.chmod(0o755)
    service = believer(
        private.host,
        text=f'[images]\ndocker_config = "{config}"\n',
        variables={"PATH": f"{folder}:{os.environ['PATH']}"},
    )
    ended = run(service, f"{private.host}/tool:1", "cat /hello")
    assert ended["buildStatus"] == "SUCCEEDED", service.log(ended)


class TokenDesk(http.server.ThreadingHTTPServer):
    """Gives tokens for a registry that trusts its key, to whoever has the password."""

    def __init__(self, folder):
        super().__init__(("127.0.0.1", 0), TokenHandler)
        self.folder, self.asked, self.open = folder, [], False
        key = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=desk"]
        key += ["-keyout", folder / "key.pem", "-out", folder / "cert.pem"]
        subprocess.run(key, check=True, capture_output=True)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def auth(self):
        realm = f"http://127.0.0.1:{self.server_address[1]}/token"
        bundle = str(self.folder / "cert.pem")
        token = {"realm": realm, "service": "tests", "issuer": "desk", "rootcertbundle": bundle}
        return {"token": token}

    def token(self, repository, actions):
        pem = (self.folder / "cert.pem").read_text().split("-----")[2].replace("\n", "")
        now = int(time.time())
        head = {"alg": "RS256", "typ": "JWT", "x5c": [pem]}
        claims = {
            "iss": "desk",
            "sub": "ann",
            "aud": "tests",
            "exp": now + 300,
            "nbf": now - 10,
            "iat": now,
            "jti": str(now),
            "access": [{"type": "repository", "name": repository, "actions": actions}],
        }

        def coded(data):
            return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

        text = ".".join(coded(json.dumps(part).encode()) for part in (head, claims))
        sign = ["openssl", "dgst", "-sha256", "-sign", self.folder / "key.pem"]
        signature = subprocess.run(sign, input=text.encode(), capture_output=True, check=True)
        return f"{text}.{coded(signature.stdout)}"


class TokenHandler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append((self.path, self.headers.get("Authorization")))
        wanted = "Basic " + base64.b64encode(f"ann:{PASSWORD}".encode()).decode()
        if not self.server.open and self.headers.get("Authorization") != wanted:
            self.send_response(401)
            self.end_headers()
            return
        query = urllib_parse(self.path)
        _, repository, actions = query["scope"][0].split(":")
        body = json.dumps({"token": self.server.token(repository, actions.split(","))}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def urllib_parse(path):
    from urllib.parse import parse_qs, urlsplit

    return parse_qs(urlsplit(path).query)


def test_tokens_are_got_where_the_registry_says(believer, place, layout, workplace):
    folder = place / unique("tokens")
    folder.mkdir()
    desk = TokenDesk(folder)
    registry = Registry(folder, auth=desk.auth).start()
    try:
        registry.push(layout, "here", "a/tool:1", f"--dest-creds=ann:{PASSWORD}")
        name = f"{registry.host}/a/tool:1"
        service = believer(registry.host)
        refused(service, run(service, name), "pull access denied")
        config = docker_config(workplace / unique("docker"), registry.host)
        service = believer(registry.host, text=f'[images]\ndocker_config = "{config}"\n')
        desk.asked.clear()
        ended = run(service, name, "cat /hello")
        assert ended["buildStatus"] == "SUCCEEDED", service.log(ended)
        assert len(desk.asked) == 1, desk.asked
        # Tokens without a password are for images that everybody may have.
        desk.open = True
        service = believer(registry.host)
        assert run(service, name)["buildStatus"] == "SUCCEEDED"
        assert desk.asked[-1][1] is None
    finally:
        registry.stop()
        desk.shutdown()
        desk.server_close()


def test_a_registry_with_a_certificate_of_its_own(believer, place, layout, workplace):
    folder = place / unique("tls")
    folder.mkdir()
    (folder / "leaf").write_text("subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    for command in (
        ["req", "-x509", *key, "-subj", "/CN=us", "-keyout", "ca.key", "-out", "ca.pem"],
        ["req", *key, "-subj", "/CN=127.0.0.1", "-keyout", "key.pem", "-out", "leaf.csr"],
        ["x509", "-req", "-in", "leaf.csr", "-CA", "ca.pem", "-CAkey", "ca.key"]
        + ["-CAcreateserial", "-extfile", "leaf", "-out", "cert.pem"],
    ):
        subprocess.run(["openssl", *command], cwd=folder, check=True, capture_output=True)
    registry = Registry(folder, tls=(folder / "cert.pem", folder / "key.pem")).start()
    try:
        registry.push(layout, "here", "tool:1")
        name = f"{registry.host}/tool:1"
        refused(service := believer(), run(service, name), "certificate")
        text = f'[images.registries."{registry.host}"]\nca_file = "{folder}/ca.pem"\n'
        service = believer(text=text)
        ended = run(service, name, "cat /hello")
        assert ended["buildStatus"] == "SUCCEEDED", service.log(ended)
    finally:
        registry.stop()


def test_a_mirror_is_asked_first_and_the_registry_when_it_has_nothing(
    believer, registry, place, layout
):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        closed = taken.getsockname()[1]
    mirrors = json.dumps([f"http://127.0.0.1:{closed}", f"http://{registry.host}"])
    text = f'[images.registries."docker.io"]\nmirrors = {mirrors}\n'
    fill(registry, layout, "library/tool:2")
    service = believer(text=text)
    ended = run(service, "tool:2", "cat /hello", "echo $CODEBUILD_BUILD_IMAGE")
    assert ended["buildStatus"] == "SUCCEEDED", service.log(ended)
    assert "tool:2" in service.printed(ended)
    text = f'[images.registries."{registry.host}"]\nplain_http = true\n'
    empty = Registry(place / unique("empty")).start()
    try:
        service = believer(text=f'{text}mirrors = ["http://{empty.host}"]\n')
        assert run(service, f"{registry.host}/tool:1")["buildStatus"] == "SUCCEEDED"
        assert ("GET", "/v2/tool/manifests/1") in empty.requests()
    finally:
        empty.stop()


def test_codebuilds_own_names(believer, registry, layout):
    """They are AWS's, wherever that is asked for, or what the operator says."""
    fill(registry, layout, "codebuild/standard:7.0")
    mirrored = f'[images.registries."public.ecr.aws"]\nmirrors = ["http://{registry.host}"]\n'
    service = believer(text=mirrored)
    ended = run(service, "aws/codebuild/standard:7.0", "cat /hello", "echo $CODEBUILD_BUILD_IMAGE")
    assert ended["buildStatus"] == "SUCCEEDED", service.log(ended)
    assert "aws/codebuild/standard:7.0" in service.printed(ended)
    (listed,) = json.loads(image(service, "list", "--json"))
    assert listed["name"] == "public.ecr.aws/codebuild/standard:7.0"
    assert "in place" in image(service, "pull", "aws/codebuild/standard:7.0")
    table = f'[images.names]\n"aws/codebuild/*" = "{registry.host}/tool:1"\n'
    table += '"aws/codebuild/standard:6.0" = "host"\n'
    service = believer(registry.host, text=table)
    for name, command in (
        ("amazonlinux-x86_64-standard:5.0", "cat /hello"),
        ("standard:6.0", "true"),
    ):
        ended = run(service, f"aws/codebuild/{name}", command)
        assert ended["buildStatus"] == "SUCCEEDED", service.log(ended)


# Imported


@pytest.mark.parametrize("kind", ["docker-archive", "oci-archive", "gzip", "zstd", "stdin", "oci"])
def test_archives_and_folders_are_imported(own_yard, layout, place, kind):
    service = own_yard().start()
    source = f"oci:{layout.folder}:tool"
    path = place / unique("archive")
    form = kind if kind.startswith(("docker", "oci-")) else "docker-archive"
    name = "air/gapped:1"
    if kind == "oci":
        skopeo("copy", source, f"oci:{path}:{name}")
    else:
        skopeo("copy", source, f"{form}:{path}:{name}")
    if kind == "gzip":
        subprocess.run(["gzip", path], check=True)
        path = path.with_name(path.name + ".gz")
    elif kind == "zstd":
        subprocess.run(["zstd", "-q", path], check=True)
        path = path.with_name(path.name + ".zst")
    if kind == "stdin":
        command = [harness.BINARY, "image", "import", "-", "--data-dir", service.data_dir]
        with path.open("rb") as file:
            done = subprocess.run(command, stdin=file, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    else:
        said = image(service, "import", path)
        assert said == "docker.io/air/gapped:1: imported\n"
    ended = run(service, name, "cat /hello /second", "ls / /folder")
    assert ended["buildStatus"] == "SUCCEEDED", service.log(ended)
    printed = service.printed(ended)
    assert printed.startswith("hello\nnew\n") and "gone" not in printed, printed
    assert "import" in image(service, "list")


def test_an_archive_of_several_images(own_yard, layout, place):
    service = own_yard().start()
    path = place / unique("several")
    names = ["one:1", "two:2"]
    arguments = [f"--additional-tag={names[1]}", f"oci:{layout.folder}:tool"]
    skopeo("copy", *arguments, f"docker-archive:{path}:{names[0]}")
    assert image(service, "import", path).count("imported") == 2
    for name in names:
        assert run(service, name)["buildStatus"] == "SUCCEEDED"


def test_an_archive_that_is_none(own_yard, layout, place):
    service = own_yard().start()
    path = place / unique("nonsense")
    path.write_bytes(b"nonsense" * 1000)
    assert "it is no archive" in image(service, "import", path, status=1)
    path.write_bytes(tar(entry("other", "x")))
    assert "there is no manifest.json in it" in image(service, "import", path, status=1)
    assert "No such file" in image(service, "import", place / "absent", status=1)
    nameless = place / unique("nameless")
    skopeo("copy", f"oci:{layout.folder}:tool", f"oci:{nameless}:1")
    assert "give a name" in image(service, "import", nameless, status=1)
    assert "imported" in image(service, "import", nameless, "--name", "named:1")
    tampered = place / unique("tampered")
    skopeo("copy", f"oci:{layout.folder}:tool", f"oci:{tampered}:bad:1")
    blob = tampered / "blobs/sha256" / layout.base["digest"].removeprefix("sha256:")
    blob.write_bytes(blob.read_bytes()[:-1] + b"!")
    service = own_yard().start()
    assert "is not what its digest says" in image(service, "import", tampered, status=1)
    assert not list((service.data_dir / "images/layers").iterdir())


def test_a_file_with_holes(own_yard, place):
    """Such as GNU tar packs with `--sparse`."""
    file = place / "big"
    with file.open("wb") as big:
        big.truncate(1 << 30)
        big.seek(0, os.SEEK_END)
        big.write(b"end\n")
    packed = subprocess.run(
        ["tar", "--sparse", "--owner=0", "--group=0", "-C", place, "-c", "big"],
        capture_output=True,
        check=True,
    )
    assert len(packed.stdout) < 1 << 20
    layout = Layout(place / unique("holes"))
    layout.tag(layout.image([shell(), layout.layer(packed.stdout)]), "holes")
    service = own_yard().start()
    assert "imported" in image(service, "import", layout.folder, "--name", "holes:1")
    ended = run(service, "holes:1", "stat -c %s /big; tail -c 4 /big")
    assert service.printed(ended) == "1073741828\nend"
    (unpacked,) = (service.data_dir / "images/layers").glob("**/big")
    assert unpacked.stat().st_blocks * 512 < 1 << 20


def test_podmans_own_images_are_imported(own_yard, layout, place, request):
    if not shutil.which("podman"):
        pytest.skip("podman is not installed")
    # Podman takes no long paths.
    store = pathlib.Path(tempfile.mkdtemp(prefix="pod-"))
    request.addfinalizer(lambda: shutil.rmtree(store, ignore_errors=True))
    places = [f"--root={store}/root", f"--runroot={store}/run", "--storage-driver=vfs"]
    program = place / unique("bin") / "podman"
    program.parent.mkdir()
    real = shutil.which("podman")
    program.write_text(f'#!/bin/sh\nexec {real} {" ".join(places)} "$@"\n')
    program.chmod(0o755)
    pull = [program, "pull", "--quiet", f"oci:{layout.folder}:tool"]
    done = subprocess.run(pull, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    tag = [program, "tag", done.stdout.strip().split("\n")[-1], "localhost/tool:1"]
    subprocess.run(tag, check=True, capture_output=True)
    service = own_yard().start()
    path = f"{program.parent}:{os.environ['PATH']}"
    said = image(service, "import", "podman:localhost/tool:1", PATH=path)
    assert said == "localhost/tool:1: imported\n"
    ended = run(service, "localhost/tool:1", "cat /hello")
    assert ended["buildStatus"] == "SUCCEEDED", service.log(ended)
    said = image(service, "import", "podman:localhost/absent:1", status=1, PATH=path)
    assert "localhost/absent:1" in said, said


# Kept


def test_images_are_listed_inspected_and_removed(believer, registry, layout):
    service = believer(registry.host)
    name = f"{registry.host}/tool:1"
    assert image(service, "pull", name).startswith(f"{name}: pulled, ")
    assert image(service, "pull", name) == f"{name}: in place\n"
    (listed,) = json.loads(image(service, "list", "--json"))
    assert listed["name"] == name and listed["origin"] == "registry"
    assert listed["layers"][0] == layout.base["digest"]
    assert name in image(service, "list")
    inspected = json.loads(image(service, "inspect", name))
    assert inspected["configuration"]["config"]["Entrypoint"] == ["/bin/false"]
    assert image(service, "rm", name).endswith("in 3 layers\n")
    assert json.loads(image(service, "list", "--json")) == []
    assert not list((service.data_dir / "images/layers").iterdir())
    for verb in ("rm", "inspect"):
        assert f"there is no image {name} here" in image(service, verb, name, status=1)
    assert "not found" in image(service, "pull", f"{registry.host}/absent:1", status=1)


def test_prune_leaves_what_is_needed(believer, registry, layout):
    service = believer(registry.host)
    name = f"{registry.host}/tool:1"
    service.create_project("busy", environment=environment(image=name))
    build = service.start_build("busy", buildspecOverride=spec("sleep 1000"))["id"]
    service.wait_for_log(build, "Running command")
    layers = service.data_dir / "images/layers"
    # A build that runs holds its layers, also when its image is gone.
    assert image(service, "rm", name).endswith("freed 0 B in 0 layers\n")
    assert len(list(layers.iterdir())) == 3
    service.codebuild.stop_build(id=build)
    service.ended(build)
    assert image(service, "prune").endswith("in 3 layers\n")
    assert not list(layers.iterdir())
    # Layers that another image has are kept.
    image(service, "pull", name)
    image(service, "import", layout.folder, "--name", "x:1", status=1)
    assert image(service, "prune") == "freed 0 B in 0 layers\n"
    assert image(service, "prune", "--unused-days", "1") == "freed 0 B in 0 layers\n"
    assert f"removed {name}" in image(service, "prune", "--unused-days", "0")
    assert run(service, name)["buildStatus"] == "SUCCEEDED"


def test_a_local_build_pulls_with_a_bar(registry, workplace, place):
    """`buildyard build` shows how far it is, where somebody looks."""
    folder = workplace / unique("local")
    (folder / "source").mkdir(parents=True)
    (folder / "source/buildspec.yml").write_text(spec("cat /hello"))
    arguments = configured(folder, registry.host)
    command = [harness.BINARY, "build", folder / "source", "--image", f"{registry.host}/tool:1"]
    command += ["--no-cache", "--artifacts", folder / "artifacts", *arguments]
    home = {"HOME": str(folder), "XDG_DATA_HOME": str(folder / "share")}
    done = subprocess.run(
        [*map(str, command)],
        capture_output=True,
        text=True,
        env=harness.Service.clean_environment() | home,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "hello" in done.stdout
