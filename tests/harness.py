"""Starts `buildyard serve`, hands out clients for it, and looks for what it leaves behind.

Everything here speaks to the service as a user would: over its port, with the stock clients.
"""

import contextlib
import functools
import io
import json
import os
import pathlib
import queue
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import zipfile

import boto3
import botocore.config

ROOT = pathlib.Path(__file__).resolve().parent.parent
BINARY = pathlib.Path(os.environ.get("BUILDYARD_BIN", ROOT / "target/debug/buildyard"))
AWS_V1 = pathlib.Path(sys.executable).with_name("aws")
AWS_V2 = pathlib.Path("/usr/bin/aws")
REGION = "eu-central-1"
ACCOUNT = "000000000000"
ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE"
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/builds"
BUILD_SECONDS_MAX = 60
START_SECONDS_MAX = 20


def wait_for(ask, what, seconds=BUILD_SECONDS_MAX, every=0.02):
    """Asks until the answer is true, and gives it; fails when the time is over."""
    deadline = time.monotonic() + seconds
    while True:
        answer = ask()
        if answer:
            return answer
        assert time.monotonic() < deadline, (
            f"waited {seconds} s for {what}; last answer: {answer!r}"
        )
        time.sleep(every)


def zipped(files):
    """A ZIP of `{name: text or bytes}`; a name may be what no unzipper should take."""
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = name if isinstance(name, zipfile.ZipInfo) else zipfile.ZipInfo(name)
            if not isinstance(name, zipfile.ZipInfo):
                entry.external_attr = 0o100644 << 16
            archive.writestr(entry, content)
    return memory.getvalue()


def folder_zipped(folder):
    """A ZIP of a folder's files, without what a build made in it."""
    folder = pathlib.Path(folder)
    files = [p for p in sorted(folder.rglob("*")) if p.is_file()]
    names = {p: p.relative_to(folder) for p in files}
    return zipped({str(n): p.read_bytes() for p, n in names.items() if n.parts[0] != "target"})


def spec(*commands, phase="build", **top):
    """A buildspec (as JSON, which is YAML) with these commands in one phase."""
    document = {"version": 0.2, "phases": {phase: {"commands": list(commands)}}}
    document.update(top)
    return json.dumps(document)


class Service:
    """One `buildyard serve` over one data folder; may be stopped, killed and started again."""

    def __init__(
        self,
        data_dir,
        *,
        arguments=(),
        variables=None,
        own_credentials=True,
        user=None,
        binary=BINARY,
    ):
        self.data_dir = pathlib.Path(data_dir)
        self.binary = binary
        self.identity = {} if user is None else {"user": user, "group": user, "extra_groups": []}
        self.arguments = list(arguments)
        self.variables = dict(variables or {})
        self.access_key, self.secret_key = ACCESS_KEY, SECRET_KEY
        if own_credentials:
            self.variables.setdefault("BUILDYARD_ROOT_ACCESS_KEY_ID", ACCESS_KEY)
            self.variables.setdefault("BUILDYARD_ROOT_SECRET_ACCESS_KEY", SECRET_KEY)
        self.errors = self.data_dir.with_name(self.data_dir.name + ".stderr")
        self.process = None
        self.port = 0
        self.build_ids = set()
        self._clients = {}

    # The process

    def start(self):
        """Starts it and waits until it takes requests."""
        assert self.binary.exists(), (
            f"no {self.binary}: run ./check, or `cargo build --bin buildyard`"
        )
        command = [self.binary, "serve", "--listen", f"127.0.0.1:{self.port}"]
        command += ["--data-dir", self.data_dir, *self.arguments]
        with open(self.errors, "ab") as errors:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=self.clean_environment() | self.variables,
                text=True,
                **self.identity,
            )
        lines = queue.Queue()
        reader = threading.Thread(target=self._read, args=(self.process.stdout, lines), daemon=True)
        reader.start()
        self.url = self._await_listening(lines)
        self.port = int(self.url.rsplit(":", 1)[1])
        return self

    @staticmethod
    def _read(stream, lines):
        for line in stream:
            lines.put(line)
        lines.put(None)

    def _await_listening(self, lines):
        deadline = time.monotonic() + START_SECONDS_MAX
        while True:
            try:
                line = lines.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no `listening on` line; stderr:\n{self.stderr()}") from None
            assert line is not None, f"serve ended; stderr:\n{self.stderr()}"
            if match := re.search(r"listening on (http://\S+)", line):
                return match[1]

    def stderr(self):
        """What the service wrote to its standard error so far (the end of it)."""
        return self.errors.read_text(errors="replace")[-8000:]

    def stop(self):
        """Asks it to end, as a service manager does, and waits for it."""
        return self._end(signal.SIGTERM)

    def kill(self):
        """Ends it without a chance to do anything more."""
        return self._end(signal.SIGKILL)

    def _end(self, number):
        if self.process is None:
            return None
        self.process.send_signal(number)
        try:
            code = self.process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("serve did not end within 15 s of SIGTERM") from None
        self.process.stdout.close()
        self.process = None
        return code

    # Clients

    @staticmethod
    def clean_environment():
        """The caller's environment without anything that AWS clients or the service would read."""
        return {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AWS_", "BUILDYARD_", "BOTO"))
        }

    def environment(self, **more):
        """The environment in which an AWS client needs nothing else."""
        return (
            self.clean_environment()
            | {
                "HOME": str(self.data_dir.parent),
                "AWS_ENDPOINT_URL": self.url,
                "AWS_ACCESS_KEY_ID": self.access_key,
                "AWS_SECRET_ACCESS_KEY": self.secret_key,
                "AWS_DEFAULT_REGION": REGION,
                "AWS_EC2_METADATA_DISABLED": "true",
                "AWS_PAGER": "",
            }
            | more
        )

    def client(self, name, **settings):
        """A boto3 client; one per set of settings."""
        key = (name, self.url, self.access_key, repr(sorted(settings.items())))
        if key not in self._clients:
            self._clients[key] = self.new_client(name, **settings)
        return self._clients[key]

    def new_client(
        self, name, *, region=REGION, access_key=None, secret_key=None, token=None, **settings
    ):
        config = {"retries": {"total_max_attempts": 1}, "s3": {"addressing_style": "path"}}
        config |= {"read_timeout": 60, "parameter_validation": True} | settings
        session = boto3.session.Session(
            aws_access_key_id=access_key or self.access_key,
            aws_secret_access_key=secret_key or self.secret_key,
            aws_session_token=token,
            region_name=region,
        )
        settings = botocore.config.Config(**config)
        return session.client(name, endpoint_url=self.url, config=settings)

    codebuild = property(lambda self: self.client("codebuild"))
    s3 = property(lambda self: self.client("s3"))
    logs = property(lambda self: self.client("logs"))
    sts = property(lambda self: self.client("sts"))
    secrets = property(lambda self: self.client("secretsmanager"))
    parameters = property(lambda self: self.client("ssm"))

    def aws(self, *arguments, version=1, check=True, seconds=60, **more):
        """Runs the AWS CLI, version 1 from PyPI or 2.9 from Debian."""
        command = self.aws_command(*arguments, version=version)
        done = subprocess.run(
            command,
            env=self.environment(**more),
            text=True,
            timeout=seconds,
            stdin=subprocess.DEVNULL,
            capture_output=True,
        )
        shown = " ".join(map(str, arguments))
        assert not check or done.returncode == 0, f"aws {shown}: {done.stderr}{self.stderr()}"
        return done

    def aws_command(self, *arguments, version=1):
        program = [AWS_V1] if version == 1 else [AWS_V2, "--endpoint-url", self.url]
        return [str(word) for word in [*program, *arguments]]

    def aws_json(self, *arguments, version=1, **more):
        """What the AWS CLI answered, read."""
        return json.loads(self.aws(*arguments, "--output", "json", version=version, **more).stdout)

    def get(self, path):
        """An unsigned GET: status and body."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=10) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as refusal:
            return refusal.code, refusal.read()

    # Projects and builds

    def create_project(self, name, **members):
        """A project with no source, no artifacts and the `host` image, unless told otherwise."""
        request = {
            "name": name,
            "source": {"type": "NO_SOURCE", "buildspec": spec("true")},
            "artifacts": {"type": "NO_ARTIFACTS"},
            "environment": environment(),
            "serviceRole": ROLE,
        }
        return self.codebuild.create_project(**(request | members))["project"]

    def start_build(self, project, **overrides):
        """Starts a build and gives the document that StartBuild answered."""
        build = self.codebuild.start_build(projectName=project, **overrides)["build"]
        self.build_ids.add(build["id"])
        return build

    def build(self, build_id):
        """The build's document as it is now."""
        return self.codebuild.batch_get_builds(ids=[build_id])["builds"][0]

    def ended(self, build_id, seconds=BUILD_SECONDS_MAX):
        """The build's document once it is complete."""

        def ask():
            build = self.build(build_id)
            return build if build["buildComplete"] else None

        return wait_for(ask, f"{build_id} to end", seconds)

    def run(self, project, **overrides):
        """Starts a build and waits for its end."""
        return self.ended(self.start_build(project, **overrides)["id"])

    def log(self, build):
        """The build's log as one text."""
        return "".join(event["message"] for event in self.log_events(build))

    def log_events(self, build):
        """All events of the build's log stream, oldest first."""
        where = {"logGroupName": build["logs"]["groupName"]}
        where["logStreamName"] = build["logs"]["streamName"]
        events, token = [], None
        while True:
            more = {"nextToken": token} if token else {}
            page = self.logs.get_log_events(**where, startFromHead=True, **more)
            events += page["events"]
            if page["nextForwardToken"] == token:
                return events
            token = page["nextForwardToken"]

    def printed(self, build):
        """What the build's commands printed: the log without the agent's own lines."""
        lines = self.log(build).split("\n")
        kept = [line for line in lines if not line.startswith("[Container] ")]
        return "\n".join(kept).strip("\n")

    def wait_for_log(self, build_id, text, seconds=BUILD_SECONDS_MAX):
        """Waits until the build's log holds the text, and gives the log."""

        def ask():
            build = self.build(build_id)
            if "groupName" not in build["logs"]:
                return None
            log = self.log(build)
            return log if text in log else None

        return wait_for(ask, f"{text!r} in the log of {build_id}", seconds)


def environment(**members):
    """The environment that tests build in."""
    chosen = {
        "type": "LINUX_CONTAINER",
        "image": "host",
        "computeType": "BUILD_GENERAL1_SMALL",
    }
    return chosen | members


def phase(build, kind):
    """The build's phase of that type; none when it has none."""
    return next((p for p in build["phases"] if p["phaseType"] == kind), None)


def context(build, kind):
    """Status code and message of the phase's only context."""
    (only,) = phase(build, kind)["contexts"]
    return only["statusCode"], only["message"]


def traces(service):
    """Everything on this machine that still belongs to the service's builds."""
    needles = [f"{service.data_dir}/"] + [build.split(":")[1] for build in service.build_ids]
    own = service.process.pid if service.process else None
    found = [line for pid in _pids() if pid != own for line in _process_traces(pid, needles)]
    # A walk, not a glob: other programs' groups come and go meanwhile.
    for folder, names, _ in os.walk("/sys/fs/cgroup"):
        found += [f"cgroup {folder}/{name}" for name in names if any(n in name for n in needles)]
    mounts = pathlib.Path("/proc/self/mountinfo").read_text()
    found += [f"mount {line}" for line in mounts.splitlines() if any(n in line for n in needles)]
    return found


def filter_tables(service):
    """The tables of the packet filter that are this service's alone."""
    if os.geteuid() != 0 or shutil.which("nft") is None:
        return []
    folders = [path.stat() for path in service.data_dir.glob("*") if path.is_dir()]
    names = {f"buildyard_{folder.st_dev:x}_{folder.st_ino:x}" for folder in folders}
    listed = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True)
    return sorted(names & set(listed.stdout.split()))


def owners(word):
    """The users of the machine whose processes have this as a word of their command lines."""
    found = set()
    for pid in _pids():
        with contextlib.suppress(OSError):
            folder = pathlib.Path(f"/proc/{pid}")
            if word.encode() in folder.joinpath("cmdline").read_bytes().split(b"\0"):
                found.add(folder.stat().st_uid)
    return found


def _pids():
    me = os.getpid()
    return [
        int(p.name)
        for p in pathlib.Path("/proc").iterdir()
        if p.name.isdigit() and int(p.name) != me
    ]


def _process_traces(pid, needles):
    folder = pathlib.Path(f"/proc/{pid}")
    texts = {}
    for name in ("cgroup", "mountinfo", "cmdline"):
        with contextlib.suppress(OSError):
            texts[name] = (folder / name).read_text(errors="replace")
    with contextlib.suppress(OSError):
        texts["cwd"] = os.readlink(folder / "cwd")
    with contextlib.suppress(OSError):
        for descriptor in (folder / "fd").iterdir():
            with contextlib.suppress(OSError):
                texts[f"fd {descriptor.name}"] = os.readlink(descriptor)
    for name, text in texts.items():
        if hit := next((needle for needle in needles if needle in text), None):
            yield f"process {pid} by its {name}: {hit}"


@functools.cache
def operations(service):
    """The names of a service's operations, from botocore's model."""
    model = boto3.session.Session(region_name=REGION).client(service).meta.service_model
    return tuple(model.operation_names)


def container_folders(service):
    """What the data folder still holds that is named after a build, apart from its log."""
    uuids = {build.split(":")[1] for build in service.build_ids}
    paths = [path.relative_to(service.data_dir) for path in service.data_dir.rglob("*")]
    return [
        str(path)
        for path in paths
        if any(uuid in path.name for uuid in uuids) and path.parts[0] not in ("logs", "objects")
    ]


def kept_in_clear(service, text):
    """The files of the data folder, and what the service says of itself, that hold the text."""
    needle, found = text.encode(), []
    # A walk, not a glob: what builds leave is being removed meanwhile.
    for folder, _, names in os.walk(service.data_dir):
        for path in (pathlib.Path(folder) / name for name in names):
            with contextlib.suppress(FileNotFoundError):
                if path.is_file() and needle in path.read_bytes():
                    found.append(str(path))
    return found + [str(service.errors)] * (needle in service.errors.read_bytes())
