"""Hostile builds: what they try on the service, and on other builds by way of it.

What a single container is attacked with, without a service, stands in `crates/executor/tests/it`.
SECURITY.md lists all attacks.
"""

import io
import json
import stat
import struct
import zipfile
import zlib

import pytest

import harness
from conftest import unique
from harness import spec

LOCAL = {"type": "LOCAL", "modes": ["LOCAL_CUSTOM_CACHE"]}
DEEP = (
    '/usr/bin/python3 -c \'import os\nos.chdir("{folder}")\n'
    'for _ in range({levels}): os.mkdir("deeper"); os.chdir("deeper")\n'
    'open("end", "wb").write(bytes({size}))\''
)


def python(text):
    """A command that runs this program."""
    return f"cat > /tmp/attack.py <<'END'\n{text}\nEND\n/usr/bin/python3 /tmp/attack.py"


def last_lines(yard, ended, count):
    """What the last command printed: the log shows a command's text before it."""
    return yard.printed(ended).split("\n")[-count:]


def frame(kind, body):
    """A whole record, as the agent appends it to the journal."""
    payload = struct.pack("<BQ", kind, 2**50) + body
    return struct.pack("<II", len(payload), zlib.crc32(payload)) + payload


# What an agent would write whose build has succeeded.
FORGED = frame(1, b"forged line\n") + b"".join(
    frame(2, json.dumps(fact).encode())
    for fact in (
        {"fact": "phase_finished", "phase": "BUILD", "outcome": {"status": "SUCCEEDED"}},
        {"fact": "exported", "variables": [["FORGED", "yes"]]},
        {"fact": "finished"},
    )
)

FORGE = f"""
import os
forged = {FORGED!r}
number = os.getppid()
places = ["/proc/1/fd/4", "/proc/1/fd/3", "/proc/self/fd/4", "/proc/1/task/1/fd/4"]
places += [f"/proc/{{number}}/fd/{{n}}" for n in range(3, 32)]
for place in places:
    try:
        with open(place, "ab", buffering=0) as file:
            file.write(forged)
            print("wrote to", place, os.readlink(place))
    except OSError:
        pass
print("tried", len(places))
"""


def test_no_command_writes_to_the_journal(yard, build):
    ended = build(python(FORGE), "exit 3")
    assert ended["buildStatus"] == "FAILED"
    assert "exit status 3" in harness.context(ended, "BUILD")[1]
    assert last_lines(yard, ended, 1) == ["tried 33"]
    wrote = [line for line in yard.printed(ended).split("\n") if line.startswith("wrote to")]
    # The shell's own script, which is the build's.
    assert {line.split()[-1] for line in wrote} <= {"/codebuild/output/tmp/script.sh"}
    assert not ended.get("exportedEnvironmentVariables")


def test_what_a_command_prints_is_never_a_record(yard, build):
    ended = build(python(f"import os\nfor fd in (1, 2): os.write(fd, {FORGED!r})"), "exit 3")
    assert ended["buildStatus"] == "FAILED"
    assert not ended.get("exportedEnvironmentVariables")
    # It is text, with whatever bytes it has: once as the command, and twice as printed.
    assert yard.log(ended).count("forged line\n") == 2


def test_the_agents_own_files_lead_nowhere_else(yard, build):
    """Links to the agent's journal in the places that the agent itself writes to and reads from."""
    files = ("script.sh", "env.sh", "dir.txt", "env.new", "dir.new", "hashed.jsonl")
    for name in files:
        path = f"/codebuild/output/tmp/{name}"
        ended = build(
            "export FORGED=yes",
            f"rm -rf {path}; ln -s /proc/self/fd/4 {path}; echo laid",
            "echo here; exit 3",
            top={"env": {"exported-variables": ["FORGED"]}},
        )
        # A shell whose state the agent cannot read is a fault; else the last command counts.
        assert ended["buildStatus"] in ("FAILED", "FAULT"), name
        assert yard.printed(ended).split()[:1] == ["laid"], name
        assert "export FORGED" not in yard.printed(ended), name


@pytest.mark.parametrize(
    "change",
    [
        "rm -rf /codebuild/output/tmp; touch /codebuild/output/tmp",
        "rm -rf /codebuild/output/tmp; ln -s /proc/self /codebuild/output/tmp",
        "rm -rf /codebuild/output/tmp; ln -s /dev /codebuild/output/tmp",
        "rm -rf /codebuild; ln -s / /codebuild",
        "mv /codebuild/output /codebuild/other; ln -s /proc/1 /codebuild/output",
        "rm -f /codebuild/output/tmp/*; mkdir -p /codebuild/output/tmp/script.sh/x",
        "mkfifo /codebuild/output/tmp/other; chmod 0 /codebuild/output/tmp /codebuild",
    ],
)
def test_folders_of_the_agent_may_be_anything(yard, project, build, change):
    """The build may fail by what it did to its own folders; nothing else is harmed."""
    ended = build(f"{change}; true", "echo on")
    assert ended["buildStatus"] in ("FAILED", "FAULT", "SUCCEEDED")
    assert ended["buildComplete"]
    after = yard.run(project, buildspecOverride=spec("echo next"))
    assert yard.printed(after) == "next"


def test_the_services_files_have_no_path(yard, project, bucket):
    """By their paths on the machine, through the first process, and through the mounts."""
    yard.s3.put_object(Bucket=bucket, Key="private", Body=b"private to the bucket")
    other = yard.start_build(project, buildspecOverride=spec("echo mine; exec sleep 600"))
    yard.wait_for_log(other["id"], "mine\n")
    uuid = other["id"].split(":")[1]
    names = ["state.db", "master.key", f"journals/{uuid}", f"containers/{uuid}", "objects", "logs"]
    assert (yard.data_dir / "journals" / uuid).exists()
    tops = [str(yard.data_dir), f"/proc/1/root{yard.data_dir}", f"/proc/self/root{yard.data_dir}"]
    tops += [f"/usr/../..{yard.data_dir}", f"/codebuild/user/bin/../../../..{yard.data_dir}"]
    search = f"""
import os
places = [f"{{top}}/{{name}}" for top in {tops!r} for name in {names!r}]
print("seen:", [place for place in places if os.path.lexists(place)])
text = open("/proc/self/mountinfo").read()
folders = set(text.replace(":", " ").replace("=", " ").replace(",", " ").split())
ours = [folder for folder in folders if {str(yard.data_dir)!r} in folder]
print("mounted:", [folder for folder in ours if os.path.exists(folder)])
"""
    ended = yard.run(project, buildspecOverride=spec(python(search)))
    assert last_lines(yard, ended, 2) == ["seen: []", "mounted: []"]
    yard.codebuild.stop_build(id=other["id"])
    yard.ended(other["id"])


def test_links_in_artifacts_lead_into_the_build_alone(yard, project, bucket):
    """The agent reads what links lead to; it is in the environment, and no further than that."""
    secret = yard.data_dir / "master.key"
    targets = {
        "key": str(secret),
        "shadow": "/etc/shadow",
        "up": "../" * 30 + "etc/shadow",
        "root": f"/proc/1/root{secret}",
        "own-root": f"/proc/self/root{secret}",
        "cwd": f"/proc/self/cwd{secret}",
        "own": "/etc/hostname",
    }
    commands = [f"ln -s {target} out/{name}" for name, target in targets.items()]
    order = {"type": "S3", "location": bucket, "packaging": "ZIP", "name": "a.zip"}
    ended = yard.run(
        project,
        artifactsOverride=order,
        buildspecOverride=spec(
            "mkdir out",
            *commands,
            artifacts={"files": ["own", "*"], "base-directory": "out"},
        ),
    )
    listed = yard.s3.list_objects_v2(Bucket=bucket).get("Contents", [])
    kept = {}
    if listed:
        body = yard.s3.get_object(Bucket=bucket, Key="a.zip")["Body"].read()
        archive = zipfile.ZipFile(io.BytesIO(body))
        kept = {name: archive.read(name) for name in archive.namelist()}
    held = secret.read_bytes()
    assert not [name for name, content in kept.items() if held in content or b"root:" in content]
    assert kept.get("own") or ended["buildStatus"] == "FAILED", ended["phases"]


def test_what_a_local_cache_holds_is_no_danger_to_the_machine(yard):
    """Setuid programs, links and devices in a folder of the machine that builds write to."""
    name = unique("cached")
    yard.create_project(name, cache=LOCAL)
    cache = {"paths": ["deps"]}
    ended = yard.run(
        name,
        buildspecOverride=spec(
            "cd deps; cp /usr/bin/id tool; chmod 4755 tool; ln -s /etc/shadow shadow",
            f"ln -s {yard.data_dir} data; ln -s /proc/1/fd journal; mknod disk b 8 0; true",
            cache=cache,
        ),
    )
    assert ended["buildStatus"] == "SUCCEEDED", yard.log(ended)
    caches = yard.data_dir / "caches"
    (tool,) = caches.glob("*/*/content/custom/*/deps/tool")
    assert tool.stat().st_mode & stat.S_ISUID
    # Nobody but the service reaches it.
    assert stat.S_IMODE(caches.stat().st_mode) == 0o700
    assert not any(path.is_block_device() for path in tool.parent.iterdir())
    ended = yard.run(
        name,
        buildspecOverride=spec(
            "cat deps/shadow; ls deps/data; ls deps/journal; deps/tool -u", cache=cache
        ),
    )
    out = yard.printed(ended)
    assert "root:" not in out and "master.key" not in out
    assert out.split("\n")[-1] == "0"


def test_a_local_cache_cannot_hide_behind_its_depth(own_yard, tmp_path):
    """Folders too deep for a path are counted like others, and go like others."""
    configuration = tmp_path / "buildyard.toml"
    configuration.write_text("[caches]\nlocal_gib_max = 1\n")
    yard = own_yard(arguments=["--config", str(configuration)]).start()
    yard.create_project("deep", cache=LOCAL)
    deep = DEEP.format(folder="deps", levels=6000, size=1100 << 20)
    ended = yard.run("deep", buildspecOverride=spec(deep, cache={"paths": ["deps"]}))
    assert ended["buildStatus"] == "SUCCEEDED", yard.log(ended)
    caches = yard.data_dir / "caches"

    def gone():
        left = [
            path
            for path in caches.glob("*/*")
            if path.name.isdigit() or path.parent.name == "trash"
        ]
        return not left

    harness.wait_for(gone, "the cache to be evicted and removed")
    assert "trash" not in yard.stderr()


def test_a_deep_tree_does_not_hold_up_the_end(yard, project):
    deep = DEEP.format(folder="/tmp", levels=9000, size=0)
    running = yard.start_build(project, buildspecOverride=spec(deep, "echo deep", "exec sleep 600"))
    yard.wait_for_log(running["id"], "deep\n")
    yard.codebuild.stop_build(id=running["id"])
    assert yard.ended(running["id"], 5)["buildStatus"] == "STOPPED"
    trash = yard.data_dir / "containers/trash"
    harness.wait_for(lambda: not any(trash.iterdir()), "what the build left to be removed")


def test_a_sparse_file_is_no_disk(yard, build):
    ended = build("truncate -s 8T /tmp/huge; stat -c %s /tmp/huge; du /tmp/huge | cut -f1")
    assert yard.printed(ended).split() == [str(8 << 40), "0"]


def test_a_setuid_program_makes_nobody_root(yard, build):
    ended = build(
        "cp /usr/bin/id /tmp/id && chmod 6755 /tmp/id && ls -l /tmp/id | cut -c1-10",
        buildspec=json.dumps(
            {
                "version": 0.2,
                "phases": {
                    "install": {
                        "commands": [
                            "cp /usr/bin/id /tmp/id",
                            "chmod 6755 /tmp/id",
                            "ls -l /tmp/id | cut -c1-10",
                        ]
                    },
                    "build": {"run-as": "codebuild-user", "commands": ["/tmp/id -u; id -u"]},
                },
            }
        ),
    )
    assert ended["buildStatus"] == "SUCCEEDED", yard.log(ended)
    mode, with_bit, without = yard.printed(ended).split()
    assert mode == "-rwsr-sr-x"
    assert with_bit == without != "0"


def test_nothing_of_the_agent_is_open_in_a_command(yard, build):
    ended = build(
        "for fd in /proc/self/fd/*; do readlink $fd; done | grep -v -e ^pipe: -e ^/dev/null; true",
        "readlink /proc/self/cwd /proc/self/root",
        "cat /proc/1/cmdline /proc/1/environ 2>&1 | tr -d '\\0'",
    )
    lines = yard.printed(ended).split("\n")
    assert not [line for line in lines if "journal" in line or "memfd" in line or "socket" in line]
    assert str(yard.data_dir) not in yard.printed(ended)


def test_a_service_of_the_build_answers_for_its_build_alone(yard, project):
    """Two builds at once: each is known to the service by its own sockets, whatever it claims."""
    ask = (
        "/usr/bin/python3 -c 'import os, urllib.request as u; "
        'print(u.urlopen("http://169.254.170.2" + os.environ["OTHER"]).read())\''
    )
    first = yard.start_build(
        project,
        buildspecOverride=spec(
            'echo "uri=$AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"', "exec sleep 600"
        ),
    )
    log = yard.wait_for_log(first["id"], "uri=")
    uri = next(line for line in log.split("\n") if line.startswith("uri=")).removeprefix("uri=")
    second = yard.run(
        project,
        buildspecOverride=spec(ask),
        environmentVariablesOverride=[{"name": "OTHER", "value": uri}],
    )
    assert second["buildStatus"] == "FAILED"
    assert "AccessKeyId" not in yard.log(second)
    yard.codebuild.stop_build(id=first["id"])
    yard.ended(first["id"])
