"""Sources on a Git host of ssh, with the operator's key, which no build sees."""

import pathlib
import subprocess

import pytest

import harness
from calls import refused
from conftest import nothing_stays, unique
from git_host import run
from harness import context, spec
from test_source_credentials import LOOK, PLACE

TOOLS = ["/usr/sbin/sshd", "/usr/bin/ssh", "/usr/bin/ssh-keygen"]


def make_key(path):
    subprocess.run(["ssh-keygen", "-q", "-N", "", "-t", "ed25519", "-f", path], check=True)
    return path.with_suffix(".pub").read_text()


@pytest.fixture(scope="module")
def keys(workplace, host):
    """A server of ssh beside the Git host's other one; the folder of its keys and the user's."""
    if missing := [tool for tool in TOOLS if not pathlib.Path(tool).exists()]:
        pytest.skip(f"not installed: {missing}")
    folder = workplace / unique("ssh")
    folder.mkdir()
    hosts_key, users_key = make_key(folder / "host"), make_key(folder / "user")
    (folder / "authorized").write_text(users_key)
    (folder / "known_hosts").write_text(f"{host.address} {hosts_key}")
    (folder / "other_hosts").write_text(f"{host.address} {users_key}")
    (folder / "sshd.conf").write_text(
        f"ListenAddress {host.address}:22\nHostKey {folder}/host\nPidFile none\nUsePAM no\n"
        f"AuthorizedKeysFile {folder}/authorized\nStrictModes no\nPermitRootLogin yes\n"
        "PasswordAuthentication no\n"
    )
    pathlib.Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    host.run_inside(["/usr/sbin/sshd", "-D", "-e", "-f", folder / "sshd.conf"])
    host.wait_for_port(22)
    return folder


@pytest.fixture(scope="module")
def ssh_yard(workplace, host, keys):
    service = yard_with(workplace, host, keys, "known_hosts")
    yield service
    nothing_stays(service)


def yard_with(workplace, host, keys, known_hosts):
    config = workplace / unique("ssh.toml")
    config.write_text(
        f'[builds]\nnetwork_allow = ["{host.address}"]\n'
        f'[sources]\nssh_key_file = "{keys}/user"\n'
        f'ssh_known_hosts_file = "{keys}/{known_hosts}"\nstalled_seconds_max = 5\n'
    )
    return harness.Service(workplace / unique("ssh-yard"), arguments=["--config", config]).start()


def locations(host):
    path = host.repositories / "app"
    return [f"ssh://root@{host.address}{path}", f"root@{host.address}:{path}"]


@pytest.mark.parametrize("form", ["a URL", "a short form"])
@pytest.mark.parametrize("kind", ["GITHUB_ENTERPRISE", "GITLAB_SELF_MANAGED"])
def test_a_repository_on_a_host_of_ssh(ssh_yard, host, form, kind):
    location = locations(host)[form != "a URL"]
    ended = run(ssh_yard, {"type": kind, "location": location}, sourceVersion="v1")
    assert ended["buildStatus"] == "SUCCEEDED", ssh_yard.log(ended)
    lines = ssh_yard.printed(ended).split("\n\n")
    assert lines[0] == "one"
    assert lines[2].endswith(f"/src/{host.address}{host.repositories}/app")


def test_the_key_is_nowhere_in_the_build(ssh_yard, host, keys):
    # A line from the middle of the key's text.
    secret = (keys / "user").read_text().splitlines()[3]
    look = f"cat > /tmp/look.py <<'END'\n{LOOK}END\n/usr/bin/python3 /tmp/look.py {secret[::-1]}"
    ask = PLACE + (
        'url = place_of(os.environ["CODEBUILD_BUILD_ID"].split(":")[1]) + "/ssh"\n'
        "try: print(urllib.request.urlopen(url, bytes([11])).read())\n"
        'except urllib.error.HTTPError as error: print("status", error.code)\n'
    )
    text = spec(
        look,
        f"cat > /tmp/ask.py <<'END'\n{ask}END",
        "/usr/bin/python3 /tmp/ask.py",
        "ls -A /codebuild/output/tmp",
        env={"git-credential-helper": "yes"},
    )
    key = (ssh_yard.data_dir / "master.key").read_text().strip()
    ended = run(
        ssh_yard,
        {"type": "GITHUB_ENTERPRISE", "location": locations(host)[0], "buildspec": text},
        environmentVariablesOverride=[{"name": "MASTER_KEY", "value": key}],
    )
    log = ssh_yard.log(ended)
    assert ended["buildStatus"] == "SUCCEEDED", log
    assert "\nfound in []\n" in log
    assert "\nstatus 403\n" in log
    assert ssh_yard.printed(ended).endswith("\nscript.sh")


def test_a_host_that_shows_another_key_is_not_spoken_to(workplace, host, keys):
    yard = yard_with(workplace, host, keys, "other_hosts")
    ended = run(yard, {"type": "GITHUB_ENTERPRISE", "location": locations(host)[0]})
    expected = "Git clone failed: Host key verification failed"
    assert context(ended, "DOWNLOAD_SOURCE")[1].startswith(expected)
    nothing_stays(yard)


def test_what_a_host_of_ssh_does_not_have(ssh_yard, host):
    location = f"ssh://root@{host.address}{host.repositories}/nope"
    ended = run(ssh_yard, {"type": "GITHUB_ENTERPRISE", "location": location})
    assert context(ended, "DOWNLOAD_SOURCE")[1].startswith("repository not found")
    location = f"ssh://root@{host.address}:2222/x"
    ended = run(ssh_yard, {"type": "GITHUB_ENTERPRISE", "location": location})
    expected = f"Git clone failed: ssh: connect to host {host.address} port 2222: "
    assert context(ended, "DOWNLOAD_SOURCE")[1].startswith(expected)


def test_a_location_of_ssh_needs_a_key_and_a_type(ssh_yard, git_yard, host):
    for yard, kind in [(ssh_yard, "GITHUB"), (git_yard, "GITHUB_ENTERPRISE")]:
        name = unique("git")
        yard.create_project(name, source={"type": kind, "location": locations(host)[0]})
        refused(
            yard.codebuild.start_build,
            "InvalidInputException",
            "a location of ssh needs",
            projectName=name,
        )
