"""`buildyard build` in parts: from a phase, until a phase, with a shell where it failed, and with
folders of this machine as secondary sources."""

import os
import pathlib
import pty
import select
import subprocess
import time

import pytest

import harness
from test_local_build import folder, shown

PHASES = """
version: 0.2
phases:
  install: {commands: ["echo in-$((1 + 1))-install"]}
  pre_build: {commands: ["echo in-$((1 + 1))-pre_build"]}
  build: {commands: ["echo in-$((1 + 1))-build; echo x > made"]}
  post_build: {commands: ["echo in-$((1 + 1))-post_build"]}
artifacts: {files: [made]}
"""
COMMANDS = ["install", "pre_build", "build", "post_build"]

FAILING = """
version: 0.2
env: {variables: {COLOUR: green}}
phases:
  build:
    commands:
      - cd below && export SHAPE=round
      - echo about to fail; false
      - echo never
  post_build: {commands: ["cat /tmp/note 2>/dev/null; echo went on"]}
"""


@pytest.fixture
def build(tmp_path):
    """Runs `buildyard build …` in an empty folder, with something typed into it."""

    def call(*words, typed="", **variables):
        return subprocess.run(
            [harness.BINARY, "build", *map(str, words)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            input=typed,
            timeout=90,
            env=harness.Service.clean_environment() | {"HOME": str(tmp_path)} | variables,
        )

    return call


def ran(done):
    return [name for name in COMMANDS if f"in-2-{name}\n" in done.stdout]


@pytest.mark.parametrize(
    "flags, expected",
    [
        ([], COMMANDS),
        (["--until", "download_source"], []),
        (["--until", "pre_build"], COMMANDS[:2]),
        (["--until", "BUILD"], COMMANDS[:3]),
        (["--from", "build"], COMMANDS[2:]),
        (["--from", "build", "--until", "build"], ["build"]),
    ],
)
def test_a_build_runs_from_a_phase_until_a_phase(build, tmp_path, flags, expected):
    source = folder(tmp_path / "source", PHASES)
    done = build(source, "--artifacts", "out", *flags)
    assert done.returncode == 0, shown(done)
    assert ran(done) == expected, shown(done)
    uploads = "--until" not in flags
    assert (tmp_path / "out/made").exists() == uploads
    assert ("UPLOAD_ARTIFACTS" in done.stdout) == uploads


def test_a_phase_that_is_none_and_a_build_of_nothing_are_refused(build, tmp_path):
    source = folder(tmp_path / "source", PHASES)
    done = build(source, "--until", "deploy")
    assert done.returncode == 2
    assert "PRE_BUILD" in done.stderr, "the phases there are"
    done = build(source, "--from", "post_build", "--until", "install")
    assert done.returncode == 2
    assert "nothing would run" in done.stderr


def test_a_shell_opens_where_a_command_failed(build, tmp_path):
    source = folder(tmp_path / "source", FAILING)
    (source / "below").mkdir()
    typed = (
        'echo "here: $(basename $PWD) $COLOUR $SHAPE $CODEBUILD_LAST_EXIT '
        '$CODEBUILD_BUILD_SUCCEEDING"\necho kept > /tmp/note\nexit\n'
    )
    done = build(source, "--shell-on-failure", typed=typed)
    assert done.returncode == 1, shown(done)
    assert "here: below green round 1 0" in done.stdout, shown(done)
    assert "kept\nwent on\n" in done.stdout, "what was done by hand is there, and the build goes on"
    assert done.stdout.index("The shell has ended.") < done.stdout.index("went on")
    assert "\nnever\n" not in done.stdout


def test_no_shell_opens_where_nothing_failed_or_nobody_asked(build, tmp_path):
    done = build(folder(tmp_path / "fine", PHASES), "--shell-on-failure", "--artifacts", "out")
    assert (done.returncode, "A shell in" in done.stdout) == (0, False), shown(done)
    source = folder(tmp_path / "failing", FAILING)
    (source / "below").mkdir()
    done = build(source)
    assert (done.returncode, "A shell in" in done.stdout) == (1, False), shown(done)


def test_a_command_cannot_open_a_shell_by_itself(build, tmp_path):
    text = """
version: 0.2
phases:
  build:
    commands:
      - |
        python3 - <<'END'
        import socket
        s = socket.create_connection(("127.0.0.1", 4566))
        s.sendall(b"POST /-/console HTTP/1.1\\r\\nHost: x\\r\\nConnection: Upgrade\\r\\n"
                  b"Upgrade: buildyard-console\\r\\nContent-Length: 0\\r\\n\\r\\n")
        print(s.recv(12).decode())
        END
"""
    done = build(folder(tmp_path / "source", text))
    assert "HTTP/1.1 404" in done.stdout, shown(done)


class Terminal:
    """A real terminal with `buildyard build` on it."""

    def __init__(self, words, cwd):
        self.process, self.line = pty.fork()
        if self.process == 0:
            os.chdir(cwd)
            os.environ["HOME"] = str(cwd)
            os.execv(harness.BINARY, [str(harness.BINARY), "build", *map(str, words)])
        self.seen = ""

    def await_text(self, text, seconds=60):
        deadline = time.monotonic() + seconds
        while text not in self.seen:
            left = deadline - time.monotonic()
            assert left > 0, f"{text!r} does not come: {self.seen}"
            if select.select([self.line], [], [], left)[0]:
                try:
                    self.seen += os.read(self.line, 65536).decode(errors="replace")
                except OSError:
                    assert text in self.seen, self.seen

    def type(self, keys):
        os.write(self.line, keys.encode())

    def end(self):
        status = os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])
        os.close(self.line)
        return status


def test_the_shell_is_a_terminal_with_jobs_and_a_size(tmp_path):
    source = folder(tmp_path / "source", "env: {shell: bash}\n" + FAILING.replace("env:", "x:", 1))
    (source / "below").mkdir()
    terminal = Terminal([source, "--shell-on-failure"], tmp_path)
    terminal.await_text("The build goes on when you leave it")
    terminal.type("stty size; tty; test -t 0 && echo is-$((1 + 1))-terminal\n")
    terminal.await_text("is-2-terminal")
    assert "/dev/pts/" in terminal.seen
    terminal.type("sleep 600\n")
    time.sleep(0.5)  # Typed ahead, the key would reach the shell and not the command.
    terminal.type("\x03")
    terminal.type("echo status-$?\n")
    terminal.await_text("status-130")
    terminal.type("exit\n")
    terminal.await_text("went on")
    terminal.await_text("The build failed")
    assert terminal.end() == 1


def test_secondary_sources_and_artifacts_have_folders_of_their_own(build, tmp_path):
    text = """
version: 0.2
phases:
  build:
    commands:
      - cat $CODEBUILD_SRC_DIR_tools/tool > primary.txt
      - echo changed > $CODEBUILD_SRC_DIR_tools/tool
      - echo second > second.txt
artifacts:
  files: [primary.txt]
  secondary-artifacts:
    docs: {files: [second.txt], discard-paths: yes}
"""
    source = folder(tmp_path / "source", text)
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools/tool").write_text("hammer\n")
    done = build(source, "--secondary-source", "tools=tools", "--artifacts", "out")
    assert done.returncode == 0, shown(done)
    assert (tmp_path / "out/primary.txt").read_text() == "hammer\n"
    assert (tmp_path / "out/docs/second.txt").read_text() == "second\n"
    assert (tmp_path / "tools/tool").read_text() == "hammer\n", "the folder itself is not changed"
    for path in ("out/primary.txt", "out/docs/second.txt"):
        assert path in done.stdout, "where each artifact went"
    for wrong in ("tools", "=tools", "a-b=tools"):
        assert build(source, "--secondary-source", wrong).returncode == 2
    done = build(source, "--secondary-source", "tools=nowhere")
    assert (done.returncode, "nowhere" in done.stderr) == (2, True)


def test_variables_come_from_files(build, tmp_path):
    text = """
version: 0.2
env: {variables: {A: buildspec, Z: buildspec}}
phases: {build: {commands: ['echo "A=$A B=$B C=$C HERE=$HERE Z=$Z"']}}
"""
    source = folder(tmp_path / "source", text)
    (tmp_path / ".env").write_text('# mine\nA=file\nB="quoted"\nC=file\nHERE\n')
    done = build(source, "--env-file", ".env", "--env", "C=flag", HERE="outside")
    assert 'A=file B="quoted" C=flag HERE=outside Z=buildspec' in done.stdout, shown(done)
    done = build(source, "--env-file", "missing")
    assert (done.returncode, "missing" in done.stderr) == (2, True)
    pathlib.Path(tmp_path / "bad").write_text("A=1\n=2\n")
    done = build(source, "--env-file", "bad")
    assert (done.returncode, "line 2" in done.stderr) == (2, True)
