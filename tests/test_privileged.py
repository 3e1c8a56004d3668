"""Privileged mode: who may have it, and images that are built from Dockerfiles in it."""

import shutil

import pytest

from calls import refused
from harness import spec

PRIVILEGED = {"privilegedModeOverride": True}

REGISTRY = """\
cat > /tmp/registry.yml <<'END'
version: 0.1
storage: {filesystem: {rootdirectory: /tmp/registry}}
http: {addr: "127.0.0.1:5000"}
END
cat > /tmp/probe.py <<'END'
import socket
socket.create_connection(("127.0.0.1", 5000))
END
docker-registry serve /tmp/registry.yml > /tmp/registry.log 2>&1 &
n=0
until /usr/bin/python3 /tmp/probe.py 2>/dev/null; do
    n=$((n + 1)); [ $n -lt 200 ] || { tail -n 30 /tmp/registry.log; exit 1; }; sleep 0.1
done
"""

CONTEXT = """\
mkdir -p context && cp /bin/busybox context/
cat > context/Dockerfile <<'END'
FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "sh", "-c", "/bin/busybox mkdir -p /sbin /tmp && /bin/busybox --install /bin"]
RUN echo "built by $(id -u)" > /result && chown 1000:1000 /result && ls -ln /result
USER 1000
RUN echo "more by $(id -u)" >> /result
CMD ["/bin/cat", "/result"]
END
cat > context/Dockerfile.second <<'END'
FROM 127.0.0.1:5000/app:one
RUN cat /result
END
"""

# Version 1 of control groups: runc wants to see one for devices, and dockerd is told to make none.
DAEMON = """\
flags=
if [ ! -e /sys/fs/cgroup/cgroup.controllers ]; then
    mount -o remount,bind,rw /sys/fs/cgroup
    mkdir /sys/fs/cgroup/devices
    mount -t cgroup -o devices cgroup /sys/fs/cgroup/devices
    flags=--rootless
fi
dockerd --host unix:///var/run/docker.sock --bridge=none --iptables=false $flags \\
    > /var/log/docker.log 2>&1 &
n=0
until docker info > /tmp/info 2>&1; do
    n=$((n + 1)); [ $n -lt 200 ] || { tail -n 40 /var/log/docker.log; exit 1; }; sleep 0.1
done
grep -E 'Storage Driver|Cgroup' /tmp/info
"""


def needs(*programs):
    missing = [program for program in programs if shutil.which(program) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed here: {missing}")


@pytest.fixture
def privileged(own_yard, tmp_path):
    """Runs a build in privileged mode, with the service's permission."""
    configuration = tmp_path / "buildyard.toml"
    configuration.write_text("[builds]\nprivileged = true\n")
    yard = own_yard(arguments=["--config", str(configuration)]).start()
    yard.create_project("docker")

    def run(*commands, **more):
        ended = yard.run("docker", buildspecOverride=spec(*commands), **PRIVILEGED, **more)
        return ended, yard.log(ended)

    return run


def test_it_must_be_allowed(yard, project):
    message = refused(
        yard.codebuild.start_build, "InvalidInputException", projectName=project, **PRIVILEGED
    )
    assert "builds.privileged = true" in message
    assert yard.codebuild.list_builds_for_project(projectName=project)["ids"] == []


def test_its_root_is_nobody_outside(privileged):
    ended, log = privileged(
        "mount -t tmpfs none /mnt && echo mounted",
        "cut -c1-10 /proc/self/uid_map; grep CapEff /proc/self/status",
        "! cat /proc/1/environ; ! sh -c 'echo x > /proc/sys/kernel/core_pattern'",
        "! mknod /tmp/disk b 254 0",
    )
    assert ended["buildStatus"] == "SUCCEEDED", log
    assert ended["environment"]["privilegedMode"] is True
    assert "\nmounted\n" in log
    # All but the right to look into any process.
    (capabilities,) = [line for line in log.split("\n") if line.startswith("CapEff")]
    assert int(capabilities.split()[1], 16) >> 19 & 1 == 0
    assert int(capabilities.split()[1], 16) >> 21 & 1 == 1


@needs("buildah", "skopeo", "docker-registry", "busybox")
def test_buildah_builds_a_dockerfile_and_pushes_its_image(privileged):
    build = "buildah bud --isolation chroot"
    push = "buildah push --tls-verify=false"
    second = "-f context/Dockerfile.second -t 127.0.0.1:5000/app:two context"
    ended, log = privileged(
        REGISTRY,
        CONTEXT,
        f"{build} -t 127.0.0.1:5000/app:one context",
        f"{push} 127.0.0.1:5000/app:one",
        "buildah rmi --all --force",
        f"{build} --tls-verify=false {second}",
        f"{push} 127.0.0.1:5000/app:two",
        "skopeo list-tags --tls-verify=false docker://127.0.0.1:5000/app",
    )
    assert ended["buildStatus"] == "SUCCEEDED", log
    assert "built by 0\nmore by 1000\n" in log
    assert '"one",' in log and '"two"' in log


@needs("dockerd", "docker", "docker-registry", "busybox")
def test_docker_builds_a_dockerfile_and_pushes_its_image(privileged):
    """With a daemon that the build starts itself, as CodeBuild's images do when they begin."""
    build = "docker build --network host"
    ended, log = privileged(
        REGISTRY,
        CONTEXT,
        DAEMON,
        f"{build} -t 127.0.0.1:5000/app:one context || (tail -n 40 /var/log/docker.log; false)",
        "docker push 127.0.0.1:5000/app:one",
        "docker image rm 127.0.0.1:5000/app:one",
        f"{build} -f context/Dockerfile.second -t 127.0.0.1:5000/app:two context",
        "docker run --rm --network host 127.0.0.1:5000/app:two",
    )
    assert ended["buildStatus"] == "SUCCEEDED", log
    assert "built by 0\nmore by 1000\n" in log


@needs("dockerd", "docker", "busybox")
def test_layers_of_docker_are_kept_for_later_builds(privileged):
    cache = {"type": "LOCAL", "modes": ["LOCAL_DOCKER_LAYER_CACHE"]}
    image = "docker build --network host -t app context"
    for known in (False, True):
        ended, log = privileged(CONTEXT, DAEMON, image, cacheOverride=cache)
        assert ended["buildStatus"] == "SUCCEEDED", log
        assert "Docker's images and layers are kept for later builds: /var/lib/docker\n" in log
        assert ("Using cache" in log) is known, log
