"""A registry as a company has one: Debian's docker-registry on loopback, and images for it.

Images are made here as OCI layouts, layer by layer, and are brought into the registry by skopeo.
"""

import gzip
import hashlib
import io
import json
import os
import pathlib
import platform
import queue
import re
import shutil
import signal
import subprocess
import tarfile
import threading
import time
import urllib.request

TOOLS = ("docker-registry", "skopeo", "busybox")
START_SECONDS_MAX = 20
HERE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
LAYER = "application/vnd.oci.image.layer.v1.tar"


def missing():
    """Why there can be no registry here; none when there can."""
    lacking = [tool for tool in TOOLS if not shutil.which(tool)]
    if lacking:
        return f"not installed: {lacking}"
    with open(shutil.which("busybox"), "rb") as file:
        return "busybox is not static" if b"/lib64/ld-linux" in file.read(4096) else None


def entry(name, content=None, *, kind=None, link="", mode=None, **more):
    """An entry of a layer: a file, or a folder when there is no content, or whatever is asked."""
    info = tarfile.TarInfo(name)
    data = content.encode() if isinstance(content, str) else content or b""
    info.type = kind or (tarfile.DIRTYPE if content is None else tarfile.REGTYPE)
    info.size = len(data) if info.type == tarfile.REGTYPE else 0
    info.mode = mode or (0o644 if info.type == tarfile.REGTYPE else 0o755)
    info.linkname = link
    info.mtime = 1_000_000_000
    for member, value in more.items():
        setattr(info, member, value)
    return info, data


def tar(*entries):
    """A layer's archive."""
    memory = io.BytesIO()
    with tarfile.open(fileobj=memory, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for info, data in entries:
            archive.addfile(info, io.BytesIO(data))
    return memory.getvalue()


def shell():
    """What an image needs to build in: a shell and its tools, all of them one program."""
    busybox = pathlib.Path(shutil.which("busybox")).read_bytes()
    tools = subprocess.run(["busybox", "--list"], capture_output=True, text=True).stdout.split()
    links = [
        entry(f"bin/{t}", kind=tarfile.SYMTYPE, link="busybox") for t in tools if t != "busybox"
    ]
    return [
        entry("bin"),
        entry("bin/busybox", busybox, mode=0o755),
        *links,
        entry("etc"),
        entry("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"),
        entry("tmp", mode=0o1777),
        entry("root", mode=0o700),
        entry("usr"),
    ]


def zstd(data):
    return subprocess.run(["zstd", "-q", "-c"], input=data, capture_output=True, check=True).stdout


class Layout:
    """An OCI layout that is being made."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        (self.folder / "blobs/sha256").mkdir(parents=True)
        (self.folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        self.manifests = []

    def blob(self, media_type, data):
        if not isinstance(data, bytes):
            data = json.dumps(data).encode()
        digest = hashlib.sha256(data).hexdigest()
        (self.folder / "blobs/sha256" / digest).write_bytes(data)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}

    def layer(self, archive, packed="gzip"):
        if packed == "gzip":
            return self.blob(f"{LAYER}+gzip", gzip.compress(archive, 1, mtime=0))
        if packed == "zstd":
            return self.blob(f"{LAYER}+zstd", zstd(archive))
        return self.blob(LAYER, archive)

    def image(self, layers, architecture=HERE, **config):
        """A manifest over layers that are blobs or lists of entries."""
        layers = [one if isinstance(one, dict) else self.layer(tar(*one)) for one in layers]
        diffs = [self._diff(one) for one in layers]
        document = {
            "architecture": architecture,
            "os": "linux",
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": diffs},
        }
        config_blob = self.blob("application/vnd.oci.image.config.v1+json", document)
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": config_blob,
            "layers": layers,
        }
        made = self.blob(manifest["mediaType"], manifest)
        return made | {"platform": {"os": "linux", "architecture": architecture}}

    def _diff(self, layer):
        data = (self.folder / "blobs/sha256" / layer["digest"].removeprefix("sha256:")).read_bytes()
        if layer["mediaType"].endswith("+gzip"):
            data = gzip.decompress(data)
        elif layer["mediaType"].endswith("+zstd"):
            data = subprocess.run(
                ["zstd", "-q", "-d", "-c"], input=data, capture_output=True, check=True
            ).stdout
        return f"sha256:{hashlib.sha256(data).hexdigest()}"

    def index(self, *manifests):
        kind = "application/vnd.oci.image.index.v1+json"
        document = {"schemaVersion": 2, "mediaType": kind, "manifests": list(manifests)}
        return self.blob(kind, document)

    def tag(self, manifest, tag):
        named = {k: v for k, v in manifest.items() if k != "platform"}
        self.manifests.append(named | {"annotations": {"org.opencontainers.image.ref.name": tag}})
        index = {"schemaVersion": 2, "manifests": self.manifests}
        (self.folder / "index.json").write_text(json.dumps(index))
        return self


def skopeo(*arguments, check=True):
    command = ["skopeo", "--insecure-policy", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert not check or done.returncode == 0, f"{command}: {done.stderr}"
    return done


class Registry:
    """One docker-registry over a folder."""

    def __init__(self, folder, *, auth=None, tls=None, variables=None):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.auth, self.tls = auth, tls
        self.variables = variables or {}
        self.port = 0
        self.process = None

    def start(self):
        http = {"addr": f"127.0.0.1:{self.port}", "secret": "for-tests"}
        if self.tls:
            http["tls"] = {"certificate": str(self.tls[0]), "key": str(self.tls[1])}
        config = {
            "version": 0.1,
            "log": {"level": "info", "accesslog": {"disabled": False}},
            "storage": {
                "filesystem": {"rootdirectory": str(self.folder / "data")},
                "delete": {"enabled": True},
            },
            "http": http,
        }
        if self.auth:
            config["auth"] = self.auth
        path = self.folder / "config.yml"
        path.write_text(json.dumps(config))
        self.log = (self.folder / "log").open("ab")
        self.process = subprocess.Popen(
            ["docker-registry", "serve", path],
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"OTEL_TRACES_EXPORTER": "none"} | self.variables,
        )
        found = queue.Queue()
        threading.Thread(target=self._read, args=(found,), daemon=True).start()
        try:
            self.port = found.get(timeout=START_SECONDS_MAX)
        except queue.Empty:
            raise AssertionError("the registry does not listen") from None
        assert self.port, "the registry ended"
        return self

    def _read(self, found):
        # It says where it listens in a line of its log.
        for line in self.process.stderr:
            self.log.write(line.encode())
            self.log.flush()
            if match := re.search(r"listening on 127\.0\.0\.1:(\d+)", line):
                found.put(int(match[1]))
        found.put(None)

    @property
    def host(self):
        return f"127.0.0.1:{self.port}"

    def stop(self):
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None

    def push(self, layout, tag, name, *arguments):
        """Brings an image of a layout in, and gives its name."""
        whole = f"{self.host}/{name}"
        source = f"oci:{layout.folder}:{tag}"
        skopeo(
            "copy",
            "--preserve-digests",
            "--dest-tls-verify=false",
            *arguments,
            source,
            f"docker://{whole}",
        )
        return whole

    def put_index(self, layout, index, name, tag):
        """Brings in a list of images, all of which the repository has; skopeo takes one of them."""
        path = layout.folder / "blobs/sha256" / index["digest"].removeprefix("sha256:")
        url = f"http://{self.host}/v2/{name}/manifests/{tag}"
        headers = {"Content-Type": index["mediaType"]}
        put = urllib.request.Request(url, path.read_bytes(), headers, method="PUT")
        with urllib.request.urlopen(put, timeout=10) as answer:
            assert answer.status == 201

    def requests(self):
        """The requests so far, each as a method and a path."""
        time.sleep(0)
        text = (self.folder / "log").read_text(errors="replace")
        return re.findall(r'"(GET|HEAD|POST) (/v2/\S*) HTTP', text)
