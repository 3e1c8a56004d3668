"""What a build remembers of its commands, and what they used."""

import json
import re
import subprocess
import urllib.request

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import pytest

import harness
from conftest import unique
from harness import REGION, spec


def known(yard, build_id, *more):
    """What `buildyard commands` prints of a build, as JSON."""
    command = [harness.BINARY, "commands", "--json", "--data-dir", yard.data_dir, build_id, *more]
    variables = yard.environment(**yard.variables)
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def ask(yard, path, *, region=REGION, service="codebuild", key=None):
    """A signed GET of a path: status and answer."""
    request = botocore.awsrequest.AWSRequest("GET", yard.url + path)
    keys = key or (yard.access_key, yard.secret_key, None)
    signer = botocore.auth.SigV4Auth(botocore.credentials.Credentials(*keys), service, region)
    signer.add_auth(request)
    plain = urllib.request.Request(yard.url + path, headers=dict(request.headers.items()))
    try:
        with urllib.request.urlopen(plain, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refusal:
        return refusal.code, json.load(refusal)


@pytest.fixture
def commands(yard, build):
    """Runs a build and gives its document and what is known of its commands."""

    def run(*given, **more):
        ended = build(*given, **more)
        return ended, known(yard, ended["id"])["commands"]

    return run


def test_each_command_has_its_place_its_times_and_its_exit(commands):
    text = json.dumps(
        {
            "version": 0.2,
            "phases": {
                "install": {"commands": ["true"]},
                "build": {
                    "commands": ["sleep 0.3", "exit 3", "echo never"],
                    "finally": ["kill -9 $$"],
                },
                "post_build": {"commands": ["no-such-command || true\n"]},
            },
        }
    )
    ended, kept = commands(buildspec=text)
    shown = [(c["phaseType"], c["list"], c["index"], c["command"], c["exitStatus"]) for c in kept]
    assert shown == [
        ("INSTALL", "commands", 0, "true", 0),
        ("BUILD", "commands", 0, "sleep 0.3", 0),
        ("BUILD", "commands", 1, "exit 3", 3),
        ("BUILD", "finally", 0, "kill -9 $$", 137),
        ("POST_BUILD", "commands", 0, "no-such-command || true", 0),
    ]
    assert [c.get("signal") for c in kept] == [None, None, None, 9, None]
    times = [t for c in kept for t in (c["startTime"], c["endTime"])]
    assert times == sorted(times)
    assert kept[1]["endTime"] - kept[1]["startTime"] >= 0.3
    phase = harness.phase(ended, "BUILD")
    # The phases' times end with the millisecond.
    assert phase["startTime"].timestamp() <= kept[1]["startTime"]
    assert kept[3]["endTime"] <= phase["endTime"].timestamp() + 0.001


def test_a_log_can_be_opened_where_a_command_begins(yard, commands):
    given = [f"echo {n}; printf 'no line end {n}'" for n in range(40)]
    _, kept = commands(*given)
    for n, command in enumerate(kept):
        where = command["log"]
        page = yard.logs.get_log_events(**_arguments(where), limit=2, startFromHead=True)
        first, second = [event["message"] for event in page["events"]]
        assert first.endswith(f"Running command {given[n]}\n"), (n, first)
        assert second == f"{n}\n"


def _arguments(where):
    return {key: where[key] for key in ("logGroupName", "logStreamName", "nextToken")}


def test_a_commands_use_of_the_machine_is_kept(commands):
    spin = "import time; end = time.process_time() + 0.4\nwhile time.process_time() < end: pass"
    _, (hold, work, write, nothing) = commands(
        'python3 -c "x = bytearray(200 << 20)"',
        f'python3 -c "{spin}"',
        "head -c 30000000 /dev/zero >file",
        "true",
    )
    assert 200 << 20 < hold["used"]["memoryPeakBytes"] < 400 << 20
    assert 0.4 <= work["used"]["cpuUserSeconds"] + work["used"]["cpuSystemSeconds"] < 2
    assert work["used"]["memoryPeakBytes"] < 100 << 20
    assert 30_000_000 <= write["used"]["diskWrittenBytes"] < 40_000_000
    assert nothing["used"]["cpuUserSeconds"] + nothing["used"]["cpuSystemSeconds"] < 0.2
    assert nothing["used"]["diskWrittenBytes"] < 1_000_000


def test_what_runs_in_the_background_counts_for_the_command_beside_it(commands):
    spin = "import time\nwhile time.process_time() < 0.5: pass\nopen('spun', 'w')"
    _, (_, beside) = commands(f'python3 -c "{spin}" &', "until [ -e spun ]; do sleep 0.01; done")
    assert beside["used"]["cpuUserSeconds"] + beside["used"]["cpuSystemSeconds"] > 0.3


def test_a_build_is_the_sum_and_says_which_compute_type_would_have_done(yard, build):
    ended = build(
        'python3 -c "import time; x = bytearray(300 << 20); time.sleep(0.2)"',
        computeTypeOverride="BUILD_GENERAL1_LARGE",
    )
    used = known(yard, ended["id"])["used"]
    assert 300 << 20 < used["memoryPeakBytes"] < 500 << 20
    assert used["cpuUserSeconds"] > 0 and 0 < used["processorsPeak"] < 3
    last = yard.log(ended).splitlines()[-1]
    assert re.search(
        r"This build used at most [34]\d\d MiB of memory and \d\.\d processors: "
        r"BUILD_GENERAL1_SMALL would have done\.$",
        last,
    ), last


def test_the_advice_can_be_switched_off(own_yard, workplace):
    file = workplace / f"{unique('advice')}.toml"
    file.write_text("[builds]\ncompute_advice = false\n")
    yard = own_yard(arguments=["--config", file]).start()
    yard.create_project("quiet")
    assert "would have done" not in yard.log(yard.run("quiet"))


def test_a_long_command_is_cut_and_says_so(commands):
    _, (long, short) = commands(f"true {'é' * 3000}", "true")
    assert long["isCut"] and long["command"] == "true " + "é" * 509
    assert not short["isCut"]


def test_a_command_is_known_while_it_runs(yard, project):
    started = yard.start_build(project, buildspecOverride=spec("echo one", "sleep 300"))
    build_id = started["id"]
    wanted = ["echo one", "sleep 300"]
    answer = harness.wait_for(
        lambda: (
            (a := known(yard, build_id)) and [c["command"] for c in a["commands"]] == wanted and a
        ),
        "the commands",
    )
    assert "endTime" in answer["commands"][0] and "endTime" not in answer["commands"][1]
    assert answer["used"] is None and not answer["buildComplete"]
    yard.codebuild.stop_build(id=build_id)
    yard.ended(build_id)
    answer = known(yard, build_id)
    assert answer["buildComplete"] and "endTime" not in answer["commands"][1]


def test_thousands_of_commands_are_all_there(yard, commands):
    _, kept = commands(*[f"echo {n}" for n in range(1000)])
    assert [c["command"] for c in kept] == [f"echo {n}" for n in range(1000)]
    assert all(c["exitStatus"] == 0 for c in kept)
    page = yard.logs.get_log_events(**_arguments(kept[700]["log"]), limit=1, startFromHead=True)
    assert page["events"][0]["message"].endswith("Running command echo 700\n")


def test_a_killed_service_loses_and_doubles_no_command(own_yard):
    yard = own_yard().start()
    yard.create_project("survivor")
    given = [f"sleep 0.05; echo {n}" for n in range(60)]
    started = yard.start_build("survivor", buildspecOverride=spec(*given))
    yard.wait_for_log(started["id"], "\n20\n")
    yard.kill()
    yard.start()
    yard.wait_for_log(started["id"], "\n40\n")
    yard.kill()
    yard.start()
    yard.ended(started["id"])
    kept = known(yard, started["id"])["commands"]
    assert [c["command"] for c in kept] == given
    for n in (0, 19, 20, 21, 40, 59):
        page = yard.logs.get_log_events(**_arguments(kept[n]["log"]), limit=1, startFromHead=True)
        assert page["events"][0]["message"].endswith(f"Running command {given[n]}\n")


def test_a_deleted_log_leaves_the_commands(yard, commands):
    ended, _ = commands("echo one")
    yard.logs.delete_log_group(logGroupName=ended["logs"]["groupName"])
    (kept,) = known(yard, ended["id"])["commands"]
    assert (kept["command"], kept["log"]) == ("echo one", None)


def test_they_are_for_those_who_may_read_the_build(yard, commands):
    ended, _ = commands("true")
    path = f"/-/builds/{ended['id']}/commands"
    assert yard.get(path)[0] == 400
    status, answer = ask(yard, path)
    assert (status, answer["buildId"]) == (200, ended["id"])
    status, answer = ask(yard, path, key=(yard.access_key, "wrong" * 8, None))
    assert (status, answer["__type"]) == (400, "InvalidSignatureException")
    for other in (path.replace(ended["id"], "nobody:knows"), "/-/builds//commands"):
        assert ask(yard, other)[0] in (404, 403)
    assert ask(yard, path, region="us-west-2")[0] == 404
    status, _ = ask(yard, path, service="s3")
    assert status in (400, 403)


def test_the_table_that_people_read(yard, commands):
    ended, _ = commands("echo one", "exit 4")
    command = [harness.BINARY, "commands", "--data-dir", yard.data_dir, ended["id"]]
    variables = yard.environment(**yard.variables)
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=30)
    head, first, second = done.stdout.splitlines()
    assert head.startswith("PHASE  LIST      EXIT  TIME") and head.endswith("NETWORK  COMMAND")
    assert first.startswith("BUILD  commands  0 ") and first.endswith("  echo one")
    assert second.startswith("BUILD  commands  4 ")
    command[-1] = "nobody:knows"
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (
        2,
        "buildyard: Build does not exist: nobody:knows\n",
    )
