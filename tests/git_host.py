"""A Git host as a company has one: nginx before `git http-backend`, with passwords and a
certificate, at an address of its own in a network of its own.
"""

import contextlib
import hashlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import uuid

from harness import spec, wait_for

# What most repositories build.
SPEC = spec("cat greeting.txt", "git log --format=%s%d | head -1", "pwd")
PASSWORD = "s3cret-0f-the-h0st"
# What the configuration names a secret for.
CONNECTION = "arn:aws:codeconnections:eu-west-1:000000000000:connection/known"
CONNECTION_SECRET = "the-connections-token"
USERS = ("ann", "x-access-token", "oauth2", "x-token-auth")
TOOLS = ("unshare", "nsenter", "ip", "nft", "nginx", "fcgiwrap", "openssl")
IDENTITY = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Ann"), ("EMAIL", "ann@example.org"))
}


def missing():
    """Why there can be no such host here; none when there can."""
    if os.geteuid() != 0:
        return "a network of its own needs root"
    lacking = [
        tool for tool in TOOLS if not shutil.which(tool, path="/usr/sbin:/sbin:/usr/bin:/bin")
    ]
    return f"not installed: {lacking}" if lacking else None


def git(folder, *arguments, **variables):
    """Runs git without any configuration but the repository's, and gives what it printed."""
    environment = {"PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1", "HOME": "/nonexistent"}
    done = subprocess.run(
        ["git", "-c", "protocol.file.allow=always", *map(str, arguments)],
        cwd=folder,
        env=environment | IDENTITY | variables,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"git {arguments}: {done.stderr}"
    return done.stdout.strip()


class Repository:
    """A repository with a work tree to commit from; its first branch is `main`."""

    def __init__(self, path, files):
        self.path = pathlib.Path(path)
        self.path.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")
        self.commit(files)

    def git(self, *arguments, **variables):
        return git(self.path, *arguments, **variables)

    def commit(self, files):
        """Commits files and gives the commit's id."""
        for name, content in files.items():
            path = self.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message=a change")
        return self.git("rev-parse", "HEAD")

    def add_submodule(self, path, url, commit):
        """Commits another repository's commit as a submodule that is to be found at `url`."""
        module = f'[submodule "{path}"]\n\tpath = {path}\n\turl = {url}\n'
        with open(self.path / ".gitmodules", "a") as modules:
            modules.write(module)
        self.git("add", ".gitmodules")
        self.git("update-index", "--add", "--cacheinfo", f"160000,{commit},{path}")
        self.git("commit", "--quiet", "--message=a submodule")


def fill(made):
    """Three commits on `main`, a branch, two tags and what providers keep of pull requests."""
    made.commit({"greeting.txt": "one\n"})
    made.git("tag", "v1")
    made.commit({"greeting.txt": "two\n"})
    made.git("tag", "--annotate", "--message=two", "v2")
    made.git("checkout", "--quiet", "-b", "feature/x")
    made.commit({"greeting.txt": "feature\n"})
    made.git("checkout", "--quiet", "--detach")
    commit = made.commit({"greeting.txt": "pull request\n"})
    for name in ("pull/7/head", "merge-requests/7/head", "pull-requests/7/from"):
        made.git("update-ref", f"refs/{name}", commit)
    made.git("checkout", "--quiet", "main")
    made.commit({"greeting.txt": "three\n"})
    return made


def run(yard, source, **overrides):
    """Runs a build of a new project with this source, and gives its document."""
    name = f"git-{uuid.uuid4()}"
    members = {k: overrides.pop(k) for k in ("secondarySources", "environment") if k in overrides}
    yard.create_project(name, source={"type": "GITHUB"} | source, **members)
    return yard.run(name, **overrides)


class GitHost:
    """The host; `/open/…` is for everybody, all else for those with the password."""

    def __init__(self, folder, number):
        self.folder = pathlib.Path(folder)
        self.repositories = self.folder / "repositories"
        # Of a range for tests, which builds of another service's rules may reach too.
        self.gateway, self.address = f"198.18.{number}.1", f"198.18.{number}.2"
        self.url = f"http://{self.address}"
        self.secure_url = f"https://{self.address}"
        self.processes = []
        self.cable = f"gh{os.getpid() % 100_000}n{number}"

    def start(self):
        self.repositories.mkdir(parents=True)
        self._make_network()
        self._make_certificate()
        users = "".join(f"{user}:{{PLAIN}}{PASSWORD}\n" for user in USERS)
        (self.folder / "users").write_text(users)
        (self.folder / "nginx.conf").write_text(self._nginx())
        variables = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory"}
        variables |= {"GIT_CONFIG_VALUE_0": "*", "PATH": os.environ["PATH"]}
        wrapper = shutil.which("fcgiwrap", path="/usr/sbin:/usr/bin")
        # fcgiwrap makes its socket with the mode that is left by the mask.
        self._run(
            [wrapper, "-c", "4", "-s", f"unix:{self.folder}/backend"], env=variables, umask=0o000
        )
        nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin")
        self._run([*self.inside, nginx, "-c", self.folder / "nginx.conf", "-p", self.folder])
        self.large = self.folder / "large"
        self.large.mkdir()
        server = pathlib.Path(__file__).with_name("lfs_server.py")
        self.run_inside([sys.executable, server, 8090, self.large])
        self.wait_for_port(80)
        return self

    def large_file(self, content):
        """Keeps a large file beside the repositories, and gives what stands for it in one."""
        name = hashlib.sha256(content).hexdigest()
        (self.large / name).write_bytes(content)
        return (
            f"version https://git-lfs.github.com/spec/v1\noid sha256:{name}\nsize {len(content)}\n"
        )

    def wait_for_port(self, port):
        def ask():
            with contextlib.suppress(OSError):
                socket.create_connection((self.address, port), 1).close()
                return True

        wait_for(ask, f"port {port} of the Git host", 15)

    def stop(self):
        for process in reversed(self.processes):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def repository(self, name, files):
        return Repository(self.repositories / name, files)

    def requests(self):
        """The lines of the host's access log: port, authorization, user, request, status, and the
        bytes of the answer.
        """
        log = self.folder / "access.log"
        return log.read_text().splitlines() if log.exists() else []

    def bytes_sent(self, path):
        """How many bytes the host has sent of a repository."""
        lines = [line for line in self.requests() if f" /{path}/" in line]
        return sum(int(line.split()[-1]) for line in lines)

    def swallow(self, port):
        """Lets the host take no notice of what comes for a port: nobody is told that it is shut."""
        chain = f"type filter hook input priority 0; tcp dport {port} drop;"
        rules = f"table ip hole {{ chain in {{ {chain} }}; }}"
        subprocess.run([*self.inside, "nft", "-f", "-"], input=rules, text=True, check=True)

    def run_inside(self, command, **settings):
        """Starts a program in the host's network."""
        return self._run([*self.inside, *command], **settings)

    def _run(self, command, **settings):
        settings.setdefault("stdout", subprocess.DEVNULL)
        settings |= {"start_new_session": True}
        with open(self.folder / "errors", "ab") as errors:
            process = subprocess.Popen(list(map(str, command)), stderr=errors, **settings)
        self.processes.append(process)
        return process

    def _make_network(self):
        holder = self._run(["unshare", "--net", "sleep", "infinity"])
        network = pathlib.Path("/proc/self/ns/net").readlink()

        def ready():
            with contextlib.suppress(OSError):
                return pathlib.Path(f"/proc/{holder.pid}/ns/net").readlink() != network

        wait_for(ready, "a network of its own", 10)
        self.inside = ["nsenter", "-t", str(holder.pid), "-n"]
        commands = f"""
            ip link add {self.cable} type veth peer name eth0 netns {holder.pid}
            ip address add {self.gateway}/30 dev {self.cable}
            ip link set {self.cable} up
            nsenter -t {holder.pid} -n ip link set lo up
            nsenter -t {holder.pid} -n ip address add {self.address}/30 dev eth0
            nsenter -t {holder.pid} -n ip link set eth0 up
        """
        subprocess.run(["sh", "-ec", commands], check=True)

    def _make_certificate(self):
        self.certificate = self.folder / "certificate.pem"
        command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
        command += f" -days 2 -subj /CN=host -addext subjectAltName=IP:{self.address}"
        command += f" -keyout {self.folder}/key.pem -out {self.certificate}"
        subprocess.run(command.split(), check=True, capture_output=True)

    def _nginx(self):
        backend = subprocess.run(["git", "--exec-path"], capture_output=True, text=True).stdout
        serve = f"""
            fastcgi_param SCRIPT_FILENAME {backend.strip()}/git-http-backend;
            fastcgi_param GIT_PROJECT_ROOT {self.repositories};
            fastcgi_param GIT_HTTP_EXPORT_ALL "";
            fastcgi_param PATH_INFO $uri;
            fastcgi_param QUERY_STRING $query_string;
            fastcgi_param REQUEST_METHOD $request_method;
            fastcgi_param CONTENT_TYPE $content_type;
            fastcgi_param CONTENT_LENGTH $content_length;
            fastcgi_param REMOTE_USER $remote_user;
            fastcgi_param GIT_PROTOCOL $http_git_protocol;
            fastcgi_pass unix:{self.folder}/backend;
        """
        large = "proxy_pass http://127.0.0.1:8090; proxy_set_header Host $host;"
        return textwrap.dedent(f"""
            daemon off;
            user root;
            worker_processes 1;
            pid {self.folder}/nginx.pid;
            error_log {self.folder}/error.log;
            events {{ }}
            http {{
                log_format line '$server_port [$http_authorization] $remote_user $request $status '
                    '$bytes_sent';
                access_log {self.folder}/access.log line;
                client_body_temp_path {self.folder}/body;
                fastcgi_temp_path {self.folder}/fastcgi;
                proxy_temp_path {self.folder}/proxy;
                uwsgi_temp_path {self.folder}/uwsgi;
                scgi_temp_path {self.folder}/scgi;
                server {{
                    listen {self.address}:80;
                    listen {self.address}:443 ssl;
                    ssl_certificate {self.certificate};
                    ssl_certificate_key {self.folder}/key.pem;
                    auth_basic git;
                    auth_basic_user_file {self.folder}/users;
                    location /open/ {{ auth_basic off; {serve} }}
                    location /forbidden/ {{ return 403; }}
                    location /broken/ {{ return 503; }}
                    location /elsewhere/ {{ return 302 http://{self.address}:8081$uri?$args; }}
                    location /slow/ {{ limit_rate 20k; {serve} }}
                    location ~ ^/open/.*/info/lfs/ {{ auth_basic off; {large} }}
                    location ~ /info/lfs/ {{ {large} }}
                    location /objects/ {{ auth_basic off; {large} }}
                    location / {{ {serve} }}
                }}
                server {{
                    listen {self.address}:8081;
                    auth_basic other;
                    auth_basic_user_file {self.folder}/users;
                    location / {{ {serve} }}
                }}
            }}
        """)
