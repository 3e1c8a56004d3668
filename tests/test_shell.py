"""The shell contract as a user of the service sees it: log events, statuses, other users."""

import json
import re

import pytest

from harness import context

SHELLS = pytest.mark.parametrize("shell", ["sh", "bash"])


def reason(ended, phase="BUILD"):
    code, message = context(ended, phase)
    assert code == "COMMAND_EXECUTION_ERROR"
    return message.rsplit(" Reason: ", 1)[1]


@SHELLS
@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("exit 3", "exit status 3"),
        ("no-such-command", "exit status 127"),
        ("/etc/passwd", "exit status 126"),
        ("sh -c 'kill -9 $$'", "exit status 137"),
        ("kill -9 $$; sleep 9", "signal: killed"),
        ("kill -TERM $$; sleep 9", "signal: terminated"),
        ("echo 'never closed", "exit status 2"),
        ("trap 'exit 5' EXIT; true", "exit status 5"),
    ],
)
def test_a_status_is_told_as_it_is(build, shell, command, told):
    assert reason(build(command, top={"env": {"shell": shell}})) == told


@SHELLS
def test_quotes_and_here_documents(yard, build, shell):
    ended = build(
        r"""echo "it's" 'a "b"' \\ `echo "c 'd'"` "$(echo "e \"f\"")" """,
        "A=1; cat <<EOF\n  $A \"q\" 'q'\nEOF\ncat <<'EOF'\n$A `b`\nEOF",
        top={"env": {"shell": shell}},
    )
    printed = yard.printed(ended).split("\n")
    assert printed[0] == """it's a "b" \\ c 'd' e "f\""""
    assert printed[-2:] == ["  1 \"q\" 'q'", "$A `b`"]


def test_colours_and_a_progress_bar_are_one_event_a_line(yard, build):
    ended = build(r"printf '\033[31mred\033[0m\n'; printf ' 10%%\r 50%%\r100%%\n'; printf 'a\0b\n'")
    messages = [event["message"] for event in yard.log_events(ended)]
    for line in ("\x1b[31mred\x1b[0m\n", " 10%\r 50%\r100%\n", "a\0b\n"):
        assert line in messages


def test_output_that_is_no_utf_8_is_shown_and_harms_nothing(yard, build):
    ended = build(r"printf 'caf\351 \377\376 end\n'", "echo after")
    messages = [event["message"] for event in yard.log_events(ended)]
    assert "caf\ufffd \ufffd\ufffd end\n" in messages and "after\n" in messages


def test_a_million_lines_are_all_there_and_in_order(yard, build):
    ended = build("seq 1000000", "echo after")
    assert ended["buildStatus"] == "SUCCEEDED"
    events = yard.log_events(ended)
    numbers = [e["message"] for e in events if e["message"][:-1].isdigit()]
    assert numbers == [f"{n}\n" for n in range(1, 1_000_001)]
    assert events[-1]["timestamp"] >= events[0]["timestamp"]


@SHELLS
def test_a_command_longer_than_an_argument_may_be(yard, build, shell):
    padding = f": {'x' * 990}\n" * 200
    text = f"A=1\n{padding}echo long=$A"
    ended = build(text, top={"env": {"shell": shell}})
    assert ended["buildStatus"] == "SUCCEEDED"
    assert "\nlong=1\n" in yard.log(ended)


def test_a_background_process_that_holds_the_output_delays_nothing(yard, build):
    ended = build("(sleep 300; echo too late) &", "echo on")
    assert ended["buildStatus"] == "SUCCEEDED"
    took = ended["endTime"] - ended["startTime"]
    assert took.total_seconds() < 30
    assert yard.printed(ended) == "on"


def test_a_command_may_close_or_redirect_its_outputs(yard, build):
    ended = build(
        "exec >file 2>&1; echo hidden", "exec >&- 2>&-; cd /usr", "pwd; wc -l <$OLDPWD/file"
    )
    assert yard.printed(ended).split() == ["/usr", "1"], yard.log(ended)


@SHELLS
def test_a_removed_folder_and_a_changed_ifs_do_not_end_the_build(yard, build, shell):
    ended = build(
        "mkdir gone && cd gone && rmdir ../gone",
        "cd /usr; IFS=,",
        "A=1,2; echo $A; pwd",
        top={"env": {"shell": shell}},
    )
    assert ended["buildStatus"] == "SUCCEEDED", yard.log(ended)
    assert yard.printed(ended).endswith("1 2\n/usr")


def test_another_user_runs_the_commands(yard, build):
    text = {
        "version": 0.2,
        "run-as": "codebuild-user",
        "phases": {
            "install": {"run-as": "root", "commands": ["id -un; export A=kept; cd /usr"]},
            "build": {
                "commands": ["id -un; echo $HOME $A $PWD; cd $CODEBUILD_SRC_DIR; echo >mine"]
            },
            "post_build": {"run-as": "root", "commands": ["id -un; echo $HOME; stat -c %U mine"]},
        },
    }
    ended = build(buildspec=json.dumps(text))
    assert ended["buildStatus"] == "SUCCEEDED", yard.log(ended)
    assert yard.printed(ended).split() == [
        "root",
        *("codebuild-user", "/home/codebuild-user", "kept", "/usr"),
        *("root", "/root", "codebuild-user"),
    ]


def test_a_user_whom_the_image_does_not_know_fails_the_phase(build):
    ended = build("id", top={"run-as": "stranger"})
    assert context(ended, "BUILD") == (
        "COMMAND_EXECUTION_ERROR",
        "user stranger of run-as does not exist in the image",
    )


def test_version_0_1_gives_each_command_a_fresh_shell(yard, project):
    text = json.dumps(
        {
            "version": 0.1,
            "environment_variables": {"plaintext": {"GIVEN": "yes"}},
            "phases": {"build": {"commands": ["cd /usr; export A=1", "pwd; echo <$A> $GIVEN"]}},
        }
    ).replace("<$A>", "[$A]")
    printed = yard.printed(yard.run(project, buildspecOverride=text)).split("\n")
    assert printed[0].startswith("/codebuild/output/src") and printed[1] == "[] yes"


def test_memory_that_is_used_up_is_told(yard, build):
    more = "kept.append(bytearray(256 << 20)); print('more at', time.time(), flush=True)"
    grab = f'exec python3 -c "import time; kept = []\nwhile True: {more}"'
    ended = build(grab, computeTypeOverride="BUILD_GENERAL1_SMALL")
    last = re.findall(r"^more at ([\d.]+)$", yard.printed(ended), re.M)[-1]
    assert ended["endTime"].timestamp() - float(last) < 5
    sentence = "The build ran out of memory: BUILD_GENERAL1_SMALL has 4 GiB"
    assert reason(ended) == f"exit status 137. {sentence}"
    log = yard.log(ended)
    assert f"{sentence}. 1 process of the command ended for it\n" in log
    assert "and that was not enough: BUILD_GENERAL1_MEDIUM has 8 GiB.\n" in log
