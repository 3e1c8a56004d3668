"""Debian's dockerd and Podman's service, each on a socket and in a folder of its own."""

import contextlib
import gzip
import hashlib
import http.client
import io
import json
import pathlib
import platform
import shutil
import signal
import socket
import subprocess
import tarfile

import harness

PROGRAMS = {"dockerd": ("dockerd", "containerd", "runc"), "podman": ("podman", "conmon", "runc")}
BUSYBOX = pathlib.Path("/bin/busybox")
APPLETS = ("sh", "cat", "cut", "echo", "mkdir", "sleep", "wget")


def missing(name):
    """Why the engine cannot run here; nothing when it can."""
    for program in PROGRAMS[name]:
        if not (shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/bin")):
            return f"{program} is not installed"
    return None


@contextlib.contextmanager
def running(name, folder, remapped=False):
    """Runs the engine, and gives its socket. A dockerd that is remapped has users of its own, which
    nobody else is told: it can be asked, and makes no container."""
    place = folder / "engine.sock"
    processes = []

    def start(program, *arguments):
        command = [program, *map(str, arguments)]
        with open(folder / f"{program}.log", "wb") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        processes.append(process)

    try:
        if name == "dockerd":
            containerd = folder / "containerd.sock"
            (folder / "containerd.toml").write_text(
                f'version = 2\nroot = "{folder}/root"\nstate = "{folder}/state"\n'
                'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
                f'[grpc]\naddress = "{containerd}"\n'
            )
            start("containerd", "--config", folder / "containerd.toml")
            harness.wait_for(lambda: listens(containerd), "containerd")
            networks = ["--bridge=none", "--iptables=false", "--ip6tables=false"]
            start(
                *(with_users_of_its_own(folder) if remapped else ["dockerd"]),
                *networks,
                f"--containerd={containerd}",
                f"--host=unix://{place}",
                f"--data-root={folder}/data",
                f"--exec-root={folder}/exec",
                f"--pidfile={folder}/pid",
            )
        else:
            folders = [f"--root={folder}/data", f"--runroot={folder}/run", f"--tmpdir={folder}/tmp"]
            ways = ["--runtime=runc", "--cgroup-manager=cgroupfs", "--events-backend=file"]
            start("podman", *folders, *ways, "system", "service", "--time=0", f"unix://{place}")
        harness.wait_for(lambda: listens(place), name)
        yield place
    finally:
        for process in reversed(processes):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        # What Podman mounts for itself and leaves mounted.
        subprocess.run(["umount", folder / "data/overlay"], capture_output=True)


def with_users_of_its_own(folder):
    (folder / "users").write_text("daemon:500000:65536\n")
    mounts = "".join(f"mount --bind {folder}/users /etc/{of} && " for of in ("subuid", "subgid"))
    apart = ["unshare", "--mount", "--propagation=slave", "sh", "-c"]
    return [*apart, f'{mounts} exec dockerd "$@"', "dockerd", "--userns-remap=daemon"]


def listens(place):
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(place))
        except OSError:
            return False
    return True


def containers(place):
    """All containers that the engine has."""
    return asked(place, "containers/json?all=true")


def images(place):
    """The images that the engine was given and that are pulled or imported."""
    found = asked(place, "images/json")
    return [image for image in found if "oci:" not in image["Labels"].get("buildyard.name", "oci:")]


def asked(place, what):
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(place))
        connection = http.client.HTTPConnection("engine")
        connection.sock = client
        connection.request("GET", f"/v1.41/{what}")
        return json.loads(connection.getresponse().read())


def busybox_image(folder):
    """An image in OCI layout that holds busybox and nothing else."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name in ("bin", "tmp"):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        program = tarfile.TarInfo("bin/busybox")
        program.size, program.mode = BUSYBOX.stat().st_size, 0o755
        tar.addfile(program, io.BytesIO(BUSYBOX.read_bytes()))
        for name in APPLETS:
            entry = tarfile.TarInfo(f"bin/{name}")
            entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(entry)
    layer = archive.getvalue()
    blobs = folder / "blobs/sha256"
    blobs.mkdir(parents=True)

    def blob(kind, content):
        digest = hashlib.sha256(content).hexdigest()
        (blobs / digest).write_bytes(content)
        kind = f"application/vnd.oci.image.{kind}"
        return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(content)}

    def document(kind, content):
        return blob(f"{kind}.v1+json", json.dumps(content).encode())

    architecture = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine())
    difference = f"sha256:{hashlib.sha256(layer).hexdigest()}"
    config = {
        "architecture": architecture,
        "os": "linux",
        "config": {"Env": ["PATH=/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [difference]},
    }
    manifest = {
        "schemaVersion": 2,
        "config": document("config", config),
        "layers": [blob("layer.v1.tar+gzip", gzip.compress(layer))],
    }
    index = {"schemaVersion": 2, "manifests": [document("manifest", manifest)]}
    (folder / "index.json").write_text(json.dumps(index))
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    return folder
