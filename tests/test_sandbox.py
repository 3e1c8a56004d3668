"""What a build sees, and what it must not see."""

import pathlib
import re
import socket
import subprocess
import uuid

import pytest

import harness
from harness import context, spec


@pytest.fixture
def printed(yard, build):
    def run(*commands, **more):
        ended = build(*commands, **more)
        assert ended["buildStatus"] == "SUCCEEDED", yard.log(ended)
        return yard.printed(ended)

    return run


def test_the_machines_toolchain_is_there(printed):
    out = printed("/usr/bin/python3 --version; java -version 2>&1 | head -n 1; ls /usr/bin | wc -l")
    assert out.startswith("Python 3")
    assert "openjdk" in out


@pytest.mark.parametrize(
    "path",
    [
        "/root",
        "/home",
        "/etc/shadow",
        "/etc/gshadow",
        "/etc/ssh",
        "/run",
        "/var/run",
        "/var/lib",
        "/boot",
        "/srv",
        "/mnt",
        "/media",
    ],
)
def test_a_part_of_the_machine_is_not_there(printed, path):
    """At most empty folders are there; a build finds no file, socket or pipe of the machine."""
    out = printed(
        f"find {path} -mindepth 1 ! -type d 2>/dev/null | head -n 5; cat {path} 2>&1; true"
    )
    assert "/" not in out.replace(f"cat: {path}: ", "")


def test_no_home_folder_of_the_machine_is_there(printed):
    ours = {path.name for path in pathlib.Path("/home").iterdir()}
    assert not ours & set(printed("ls /home").split())
    assert printed("ls -A /root") == ""


def test_the_data_folder_is_not_there(yard, printed):
    out = printed(f"ls -d {yard.data_dir} {yard.data_dir.parent} 2>/dev/null; ls -A /tmp; true")
    assert out == ""


def test_no_process_of_the_machine_is_seen(printed):
    pids = printed("ls /proc | grep -E '^[0-9]+$'").split()
    assert len(pids) < 20
    assert "1" in pids


def test_no_mount_tells_of_the_machine(yard, printed):
    mounts = printed("cat /proc/self/mountinfo")
    assert "/work" not in re.sub(r"lowerdir=\S+|upperdir=\S+|workdir=\S+", "", mounts)


def test_a_build_has_no_capability_that_reaches_out(printed):
    out = printed("grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status")
    status = dict(line.split(":", 1) for line in out.split("\n"))
    bounding = int(status["CapBnd"], 16)
    for name, number in {
        "NET_ADMIN": 12,
        "SYS_MODULE": 16,
        "SYS_RAWIO": 17,
        "SYS_PTRACE": 19,
        "SYS_ADMIN": 21,
        "SYS_BOOT": 22,
        "SYS_TIME": 25,
        "MKNOD": 27,
    }.items():
        assert not bounding >> number & 1, name
    assert status["NoNewPrivs"].strip() == "1"
    assert status["Seccomp"].strip() == "2"


@pytest.mark.parametrize(
    "attempt",
    [
        "mount -t tmpfs none /mnt",
        "unshare -m true",
        "mknod /tmp/disk b 254 0 && cat /tmp/disk >/dev/null",
        "echo 1 > /proc/sys/kernel/sysrq",
        "echo b > /proc/sysrq-trigger",
        "date -s 2000-01-01",
        "hostname evil",
        "chroot / true && cat /proc/1/root/etc/shadow",
        "mount -o remount,rw /sys/fs/cgroup",
        "echo $$ > /sys/fs/cgroup/cgroup.procs",
        "nsenter -t 1 -m ls /root/.cargo",
        "dmesg | grep .",
        "ls /dev/mem /dev/kmsg /dev/vda /dev/fuse /dev/kvm 2>/dev/null | grep .",
    ],
)
def test_an_attempt_fails(build, attempt):
    ended = build(attempt)
    assert ended["buildStatus"] == "FAILED"


def test_nothing_that_a_build_writes_survives_it(yard, printed):
    mark = f"mark-{uuid.uuid4()}"
    places = ["/usr", "/usr/bin", "/opt", "/etc", "/tmp", "/var/tmp", "/root", "/"]
    writing = " && ".join(f"mkdir -p {p} && echo x > {p}/{mark}" for p in places)
    assert printed(f"{writing} && cat /usr/{mark}") == "x"
    assert printed(" ; ".join(f"ls {p}/{mark} 2>/dev/null" for p in places) + "; true") == ""
    assert not [p for p in places if (pathlib.Path(p) / mark).exists()]


def test_the_machines_own_files_can_be_changed_in_the_build_alone(printed):
    before = pathlib.Path("/etc/passwd").read_bytes()
    out = printed(
        "echo 'x:x:0:0::/:/bin/sh' >> /etc/passwd && tail -n 1 /etc/passwd",
        "rm /usr/bin/env && ls /usr/bin/env 2>/dev/null || echo gone",
    )
    assert out.split("\n")[-1] == "gone"
    assert pathlib.Path("/etc/passwd").read_bytes() == before
    assert pathlib.Path("/usr/bin/env").exists()


def test_a_build_sees_no_other_build(yard, project):
    secret = f"secret-{uuid.uuid4()}"
    first = yard.start_build(
        project,
        buildspecOverride=spec(f"echo {secret} > /tmp/{secret}; echo written; exec sleep 600"),
    )
    yard.wait_for_log(first["id"], "written\n")
    search = spec(
        "ls /proc; cat /proc/*/cmdline /proc/*/environ 2>/dev/null | tr '\\0' ' ';"
        " find /tmp /codebuild -type f; ls -A /codebuild/output"
    )
    second = yard.run(project, buildspecOverride=search)
    out = yard.printed(second)
    assert secret not in out
    assert first["id"].split(":")[1] not in out
    yard.codebuild.stop_build(id=first["id"])
    yard.ended(first["id"])


def test_a_variable_of_the_service_is_not_a_builds(own_yard):
    yard = own_yard(variables={"SERVICE_SECRET": "do-not-show"}).start()
    yard.create_project("demo")
    ended = yard.run("demo", buildspecOverride=spec("env; cat /proc/*/environ | tr '\\0' '\\n'"))
    assert "do-not-show" not in yard.log(ended)
    assert harness.SECRET_KEY not in yard.log(ended)


def test_a_port_of_the_machine_is_not_a_builds(yard, build):
    """The loopback interface of a build is its own."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        call = f'import socket; socket.create_connection(("127.0.0.1", {port}), 2)'
        ended = build(f"/usr/bin/python3 -c '{call}'")
    assert ended["buildStatus"] == "FAILED"


REACH = """
import socket, struct, sys
port, hosts = int(sys.argv[1]), sys.argv[2:]
for line in open("/proc/net/route").readlines()[1:]:
    _, target, gateway = line.split()[:3]
    if target == "00000000":
        hosts.append(socket.inet_ntoa(struct.pack("<I", int(gateway, 16))))
for host in hosts:
    try:
        socket.create_connection((host, port), 1).close()
        print("reached", host)
    except OSError:
        pass
print("tried", len(hosts))
"""


def test_no_address_of_the_machine_is_a_builds(printed):
    """A build may reach the network outside, and what listens on this machine it may not."""
    own = subprocess.run(["hostname", "-I"], capture_output=True, text=True).stdout.split()
    hosts = [address for address in own if ":" not in address]
    with socket.create_server(("0.0.0.0", 0)) as server:
        port = server.getsockname()[1]
        out = printed(
            f"cat > /tmp/reach.py <<'END'\n{REACH}END\n"
            f"/usr/bin/python3 /tmp/reach.py {port} {' '.join(hosts)}\n"
        )
    assert "\ntried " in "\n" + out
    assert "\nreached " not in "\n" + out


def test_two_builds_listen_on_the_same_port(yard, project):
    listen = spec(
        '/usr/bin/python3 -c \'import socket,time; s=socket.create_server(("127.0.0.1",8080));'
        ' print("bound", flush=True); time.sleep(600)\''
    )
    builds = [yard.start_build(project, buildspecOverride=listen) for _ in range(2)]
    for one in builds:
        yard.wait_for_log(one["id"], "bound\n")
    for one in builds:
        yard.codebuild.stop_build(id=one["id"])
        yard.ended(one["id"])


def test_a_compute_type_is_a_limit_on_memory(yard, project):
    probe = spec(
        "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null;"
        " nproc; true"
    )
    assert yard.run(project, buildspecOverride=probe)["buildStatus"] == "SUCCEEDED"
    grab = "keep = [b'x' * (64 << 20) for _ in range(72)]"
    ended = yard.run(project, buildspecOverride=spec(f'/usr/bin/python3 -c "{grab}"'))
    assert ended["buildStatus"] == "FAILED", "4.5 GiB fit into a compute type of 4"


def test_a_compute_type_is_a_limit_on_the_disk(own_yard, tmp_path):
    """As the configuration has lowered it: a build that takes more is ended, and told why."""
    configuration = tmp_path / "buildyard.toml"
    configuration.write_text("[builds]\ndisk_gib_max = 1\n")
    yard = own_yard(arguments=["--config", str(configuration)]).start()
    yard.create_project("disk")
    fill = "head -c 1400M /dev/zero > /tmp/much; echo written; exec sleep 600"
    ended = yard.run("disk", buildspecOverride=spec(fill))
    assert ended["buildStatus"] == "FAILED"
    code, message = context(ended, "BUILD")
    assert code == "CLIENT_ERROR"
    said = re.fullmatch(
        "Build container found dead before completing the build. Build container died because it "
        r"was out of disk: it took (1\.\d) GiB, and may take 1 GiB. ErrorCode: 500",
        message,
    )
    assert said, message
    last = yard.log(ended).rstrip("\n").split("\n")[-1]
    assert re.fullmatch(r"\[Container\] \d{4}/\d\d/\d\d \d\d:\d\d:\d\d\.\d{6} .*", last), last
    assert last.endswith(message)
    within = yard.run("disk", buildspecOverride=spec("head -c 500M /dev/zero > /tmp/x; sleep 0.5"))
    assert within["buildStatus"] == "SUCCEEDED", yard.log(within)


def test_a_root_file_system_is_an_image(yard, project, tmp_path):
    root = small_root(tmp_path / "root")
    ended = yard.run(
        project,
        imageOverride=f"rootfs:{root}",
        buildspecOverride=spec(
            "cat /etc/which", "echo changed > /etc/which", "ls /usr/bin || true"
        ),
    )
    assert ended["buildStatus"] == "SUCCEEDED", yard.log(ended)
    assert yard.printed(ended).startswith("small root")
    assert (root / "etc/which").read_text() == "small root\n"


def test_an_oci_layout_is_an_image(yard, project, tmp_path):
    layout = oci_layout(small_root(tmp_path / "root"), tmp_path / "layout")
    ended = yard.run(
        project, imageOverride=f"oci:{layout}", buildspecOverride=spec("cat /etc/which")
    )
    assert ended["buildStatus"] == "SUCCEEDED", context(ended, "PROVISIONING")
    assert yard.printed(ended) == "small root"


def small_root(folder):
    """A root file system with a shell, `cat`, `ls` and the libraries that these need."""
    for program in ("/bin/sh", "/bin/cat", "/bin/ls"):
        place(folder, program)
        listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
        for library in re.findall(r"(/\S+) \(0x", listed):
            place(folder, library)
    for name in ("etc", "tmp", "proc", "dev", "sys", "root"):
        (folder / name).mkdir(exist_ok=True)
    (folder / "etc/which").write_text("small root\n")
    folder.chmod(0o755)
    for parent in [folder, *folder.parents][:3]:
        parent.chmod(parent.stat().st_mode | 0o055)
    return folder


def place(folder, file):
    target = folder / file.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(pathlib.Path(file).read_bytes())
    target.chmod(0o755)


def oci_layout(root, folder):
    """The root as an OCI image layout of one gzipped layer."""
    import gzip
    import hashlib
    import io
    import json
    import tarfile

    blobs = folder / "blobs/sha256"
    blobs.mkdir(parents=True)

    def blob(content, media_type):
        digest = hashlib.sha256(content).hexdigest()
        (blobs / digest).write_bytes(content)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}

    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.add(root, arcname=".")
    layer = blob(gzip.compress(packed.getvalue()), "application/vnd.oci.image.layer.v1.tar+gzip")
    config = blob(
        json.dumps(
            {
                "architecture": "amd64",
                "os": "linux",
                "config": {"Env": ["FROM_IMAGE=yes"]},
                "rootfs": {
                    "type": "layers",
                    "diff_ids": ["sha256:" + hashlib.sha256(packed.getvalue()).hexdigest()],
                },
            }
        ).encode(),
        "application/vnd.oci.image.config.v1+json",
    )
    manifest = blob(
        json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": config,
                "layers": [layer],
            }
        ).encode(),
        "application/vnd.oci.image.manifest.v1+json",
    )
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [manifest]}))
    (folder / "oci-layout").write_text(json.dumps({"imageLayoutVersion": "1.0.0"}))
    return folder
