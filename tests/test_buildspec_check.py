"""`buildyard buildspec check`: the problems of a buildspec, before a build finds them."""

import json
import os
import pty
import re
import subprocess
import threading

import pytest

import harness
from harness import context, phase

GOOD = "version: 0.2\nphases:\n  build:\n    commands:\n      - make\n"
TWO_ERRORS = """\
version: 0.3
phases:
  build:
    commands:
      - echo "Done: yes"
      - make; make test
    on-falure: ABORT
"""


@pytest.fixture
def check(tmp_path):
    """Runs `buildyard buildspec check …` in an empty folder, with files and standard input."""

    def run(*words, files=None, stdin="", **environment):
        for name, text in (files or {}).items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return subprocess.run(
            [harness.BINARY, "buildspec", "check", *words],
            cwd=tmp_path,
            capture_output=True,
            input=stdin.encode(),
            timeout=60,
            env=harness.Service.clean_environment() | environment,
        )

    return run


def told(done):
    return done.stdout.decode()


def test_a_good_buildspec_is_usable(check):
    done = check(files={"buildspec.yml": GOOD})
    assert (done.returncode, told(done)) == (0, "no problems in 1 file\n")


def test_every_problem_is_told_with_its_place_its_line_and_what_would_be_right(check):
    done = check("ci/build.yml", files={"ci/build.yml": TWO_ERRORS})
    assert done.returncode == 1
    assert told(done) == (
        "error[bad-value]: there is no buildspec version `0.3`\n"
        " --> ci/build.yml:1:10\n"
        "  |\n"
        "1 | version: 0.3\n"
        "  |          ^^^\n"
        "  |\n"
        "  = help: the versions are 0.1 and 0.2; take 0.2\n"
        "\n"
        "error[command-not-text]: `phases.build.commands[0]` is a mapping, not a command\n"
        " --> ci/build.yml:5:19\n"
        "  |\n"
        '5 |       - echo "Done: yes"\n'
        "  |                   ^\n"
        "  |\n"
        "  = help: a colon and a blank make a mapping; write: - 'echo \"Done: yes\"'\n"
        "\n"
        "warning[hidden-status]: a failure of `make` will not be noticed\n"
        " --> ci/build.yml:6:9\n"
        "  |\n"
        "6 |       - make; make test\n"
        "  |         ^^^^\n"
        "  |\n"
        "  = help: only the last part of a command counts: begin it with `set -e`, use `&&`, or"
        " make it several commands\n"
        "\n"
        "warning[unknown-key]: `on-falure` means nothing in phases.build and is ignored\n"
        " --> ci/build.yml:7:5\n"
        "  |\n"
        "7 |     on-falure: ABORT\n"
        "  |     ^^^^^^^^^\n"
        "  |\n"
        "  = help: did you mean `on-failure`?\n"
        "\n"
        "2 errors, 2 warnings in 1 file\n"
    )


def test_many_files_a_folder_and_standard_input(check):
    files = {"a.yml": GOOD, "app/buildspec.yml": TWO_ERRORS, "b.yml": GOOD}
    done = check("a.yml", "app", "b.yml", "-", "--format", "short", files=files, stdin="x: [")
    assert done.returncode == 1
    lines = told(done).splitlines()
    places = [line.split(": ")[0] for line in lines]
    assert places == [
        "app/buildspec.yml:1:10",
        "app/buildspec.yml:5:19",
        "app/buildspec.yml:6:9",
        "app/buildspec.yml:7:5",
        "<stdin>:1:4",
    ]
    assert lines[3].endswith(
        "warning: `on-falure` means nothing in phases.build and is ignored [unknown-key]"
    )
    summary = told(check("a.yml", "app", "b.yml")).splitlines()[-1]
    assert summary == "2 errors, 2 warnings in 3 files"


def test_a_file_that_cannot_be_read_is_trouble_of_its_own(check):
    done = check("missing.yml", "a.yml", files={"a.yml": GOOD})
    assert done.returncode == 2
    assert "missing.yml: No such file or directory" in done.stderr.decode()
    assert told(done) == "no problems in 1 file\n"


def test_warnings_are_denied_on_request(check):
    text = GOOD.replace("make", "make; make test")
    assert check(files={"buildspec.yml": text}).returncode == 0
    assert check("--deny-warnings").returncode == 1


def test_programs_read_json(check):
    done = check("--format", "json", "a.yml", "b.yml", files={"a.yml": TWO_ERRORS, "b.yml": GOOD})
    document = json.loads(told(done))
    first, second = document["files"]
    assert (first["file"], first["usable"]) == ("a.yml", False)
    assert second == {"file": "b.yml", "usable": True, "problems": [], "more": False}
    assert first["problems"][1] == {
        "severity": "error",
        "rule": "command-not-text",
        "line": 5,
        "column": 19,
        "endColumn": 20,
        "message": "`phases.build.commands[0]` is a mapping, not a command",
        "help": "a colon and a blank make a mapping; write: - 'echo \"Done: yes\"'",
        "codebuild": "Expected Commands[0] to be of string type: found subkeys instead at line 5, "
        "value of the key tag on line 4 might be empty",
    }
    assert first["problems"][2]["codebuild"] is None


def test_github_shows_annotations(check):
    done = check("--format", "github", "a,b.yml", files={"a,b.yml": "version: 0.3\nphases:\n"})
    assert told(done).splitlines()[0] == (
        "::error file=a%2Cb.yml,line=1,col=10,endColumn=13,title=bad-value::there is no buildspec "
        "version `0.3`%0Athe versions are 0.1 and 0.2; take 0.2"
    )


def on_a_terminal(words, folder, environment):
    """What a command shows on a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(words, cwd=folder, stdout=theirs, env=environment)
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:
            piece = b""
        if not piece:
            break
        shown += piece
    os.close(ours)
    process.wait(timeout=60)
    return shown


def test_colours_are_for_terminals_that_want_them(check, tmp_path):
    piped = check(files={"buildspec.yml": TWO_ERRORS})
    assert b"\x1b" not in piped.stdout
    assert b"\x1b[" in check("--color", "always").stdout
    words = [harness.BINARY, "buildspec", "check"]
    environment = harness.Service.clean_environment() | {"TERM": "xterm"}
    environment.pop("NO_COLOR", None)
    assert b"\x1b[" in on_a_terminal(words, tmp_path, environment)
    assert b"\x1b" not in on_a_terminal(words, tmp_path, environment | {"NO_COLOR": "1"})
    assert b"\x1b" not in on_a_terminal(words, tmp_path, environment | {"TERM": "dumb"})


def test_the_caret_stands_under_wide_characters_and_behind_tabs(check):
    text = "version: 0.2\nphases:\n  build:\n    commands:\n      - '漢字\t\"é\"'; [[\n"
    lines = told(check("-", stdin=text)).splitlines()
    source = next(line for line in lines if "漢字" in line)
    caret = lines[lines.index(source) + 1]
    width = len(source.split(";")[0]) + len("漢字")
    assert caret.index("^") == width, f"{source}\n{caret}"


def test_a_problems_name_is_explained(check):
    done = check("--explain", "hidden-status")
    assert done.returncode == 0
    assert told(done).startswith("hidden-status\n\nA command is a small script")
    assert "\n    commands:\n      - make; make test" in told(done)
    listed = told(check("--explain"))
    assert "warning  hidden-status\n" in listed and "error    yaml\n" in listed
    wrong = check("--explain", "hiden-status")
    assert wrong.returncode == 2
    assert 'did you mean "hidden-status"?' in wrong.stderr.decode()


def test_every_warning_can_be_switched_off(check):
    text = GOOD.replace("make", "make; make test # buildyard: allow(hidden-status)")
    done = check("--deny-warnings", files={"buildspec.yml": text})
    assert (done.returncode, told(done)) == (0, "no problems in 1 file\n")
    text = GOOD.replace("make", "make # buildyard: allow(hiden-status)")
    assert "did you mean `hidden-status`?" in told(check("-", stdin=text))


def test_a_secret_is_not_shown(check):
    secret = "ghp_0123456789abcdefghijABCDEFGHIJ012345"
    text = f"version: 0.2\nenv:\n  variables:\n    TOKEN: {secret}\nphases:\n"
    done = check("-", stdin=text)
    assert "the value of `TOKEN` looks like a secret" in told(done)
    assert secret not in told(done)


@pytest.mark.parametrize("form", ["utf-8-sig", "utf-16"], ids=["a mark", "wide characters"])
def test_what_windows_writes_is_read(check, form):
    text = GOOD.replace("\n", "\r\n").replace("make", "'é 漢'")
    done = check(files={"buildspec.yml": text.encode(form)})
    assert (done.returncode, told(done)) == (0, "no problems in 1 file\n")


@pytest.mark.parametrize(
    "text,usable",
    [
        ("batch: {build-list: [{identifier: a, buildspec: a.yml}]}\n", True),
        ("phases: {build: {commands: [a]}}\n", False),
        ("version: 0.2\nphases: {install: {}}\n", True),
        ("version: 0.2\nphases: {install: {}, build: {commands: }}\n", True),
        ("version: 0.2\nphases: {build: {}}\nphases: {build: {commands: [a]}}\n", True),
        ("version: 0.2\nphases:\n", True),
        ('version: "0.2"\nphases: {build: {commands: a}}\nenv:\nartifacts: {files: "*"}\n', True),
        ("version: 0.20\nphases: {post_build: {commands: [1, yes, 0x1F, ~]}}\ncache:\n", True),
    ],
)
def test_what_aws_leaves_open(check, text, usable):
    done = check("-", stdin=text)
    assert done.returncode == (0 if usable else 1), told(done)


def test_ten_megabytes_are_refused_at_once(check):
    done = check("-", stdin="a: [" * (10 * 1024 * 1024 // 4))
    assert done.returncode == 1
    assert "more than 1048576 bytes" in told(done)


MEGABYTE = 1024 * 1024
HOSTILE = {
    "aliases of aliases": "a0: &a0 [x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30)),
    "a hundred thousand brackets": "a: " + "[" * 100_000,
    "a hundred thousand entries": "- " * 100_000,
    "many anchors": "".join(f"- &a{n} x\n- *a{n}\n" for n in range(40_000)),
    "many merges": "a: &a {b: c}\nd:\n" + "- {<<: [*a, *a, *a, *a]}\n" * 40_000,
    "one line": "version: 0.2\nenv: {variables: {A: '" + "$A " * 340_000 + "'}}\n",
    "many mistakes": "version: 0.2\nphases:\n" + "  fase: {}\n" * 90_000,
    "many tabs": "a: b\n" + "\t\n" * 500_000,
    "one script": "version: 0.2\nphases: {build: {commands: [" + "make; " * 170_000 + "]}}\n",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_no_text_takes_long_or_much(tmp_path, text):
    assert len(text) <= MEGABYTE
    (tmp_path / "buildspec.yml").write_text(text)
    process = subprocess.Popen(
        [harness.BINARY, "buildspec", "check", "--format", "short"],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        env=harness.Service.clean_environment(),
    )
    # As much time as a debug build on a busy machine may take; squares would take hours.
    watchdog = threading.Timer(60, process.kill)
    watchdog.start()
    _, status, used = os.wait4(process.pid, 0)
    watchdog.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode in (0, 1)
    assert used.ru_maxrss < 256 * 1024, f"{used.ru_maxrss} KiB"


def test_completion_knows_it(tmp_path):
    done = subprocess.run(
        [harness.BINARY, "completion", "bash"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0
    assert re.search(r"buildyard__\w*buildspec\w*check", done.stdout)
    assert "--deny-warnings" in done.stdout


# The same problems inside a build


@pytest.mark.parametrize(
    "text,message",
    [
        (
            "version: 0.2\nphases:\n\tbuild:\n",
            "found character that cannot start any token at line 2",
        ),
        (
            'version: 0.2\nphases: {build: {commands: [\n  "a",\n  "b "c" d"\n]}}\n',
            "did not find expected ',' or ']' at line 3",
        ),
        ("version: 0.2 phases: x\n", "mapping values are not allowed in this context at line 0"),
        (
            "version: 0.2\nphases:\n  build: {commands: [a]}\n  artifacts: {files: [a]}\n",
            "Invalid buildspec phase name: artifacts. "
            "Expecting: build,install,post_build,pre_build",
        ),
        ("", "wrong number of container tags, expected 1"),
    ],
    ids=["a tab", "a quote in a list", "a colon on the first line", "no phase", "nothing"],
)
def test_a_build_ends_with_codebuilds_own_words(yard, project, bucket, text, message):
    body = harness.zipped({"buildspec.yml": text})
    yard.s3.put_object(Bucket=bucket, Key="source.zip", Body=body)
    ended = yard.run(
        project,
        sourceTypeOverride="S3",
        sourceLocationOverride=f"{bucket}/source.zip",
        buildspecOverride="",
    )
    assert ended["buildStatus"] == "FAILED"
    assert phase(ended, "INSTALL") is None
    assert context(ended, "DOWNLOAD_SOURCE") == ("YAML_FILE_ERROR", message)


def test_a_builds_log_lists_the_keys_that_mean_nothing(yard, build):
    text = (
        "version: 0.2\nenv: {shell: bash}\nphases:\n  build:\n    commands: [make || true; true]\n"
        "    env: {}\nartifacts:\n  type: zip\n  files: ['**/*']\n"
    )
    log = yard.log(build(buildspec=text))
    found = log.split("Found possible syntax errors in buildspec: \n")[1]
    assert found.startswith(
        "In the section BUILD\n"
        "    The following keys cannot be identified:\n"
        "        env\n"
        "In the section artifacts\n"
        "    The following keys cannot be identified:\n"
        "        type\n"
    )
    assert re.search(
        r"^\[Container\] .* Selecting shell bash as specified in buildspec\.$", found, re.M
    )
    assert "warning" not in log
