"""The variables that a build's commands find, all of them, and who may set which."""

import json
import re

import pytest

import harness
from conftest import unique
from harness import ACCOUNT, REGION, spec

UUID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"

# What a shell adds by itself.
OF_THE_SHELL = {"_", "SHLVL"}

# Seen in AWS, and left out: what they point to is not here, or only in builds of other kinds.
ABSENT = (
    "AWS_ACCESS_KEY_ID",
    "AWS_ACCOUNT_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "CODEBUILD_AGENT_ENDPOINT",
    "CODEBUILD_BATCH_BUILD_IDENTIFIER",
    "CODEBUILD_BMR_URL",
    "CODEBUILD_GPU_BUILD",
    "CODEBUILD_PUBLIC_BUILD_URL",
    "CODEBUILD_RESOLVED_SOURCE_VERSION",
    "CODEBUILD_VPC_AZ",
    "CODEBUILD_WEBHOOK_EVENT",
    "CODEBUILD_WEBHOOK_TRIGGER",
    "ECS_CONTAINER_METADATA_URI",
)


def expected(ended, project):
    """Every variable of a build without a source: its value, or a pattern for it."""
    build_id, arn = ended["id"], ended["arn"]
    return {
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": re.compile(f"/v2/credentials/{UUID}"),
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": "http://127.0.0.1:4566",
        "AWS_EXECUTION_ENV": "AWS_ECS_EC2",
        "AWS_REGION": REGION,
        "CODEBUILD_AUTH_TOKEN": re.compile(UUID),
        "CODEBUILD_BUILD_ARN": arn,
        "CODEBUILD_BUILD_ID": build_id,
        "CODEBUILD_BUILD_IMAGE": "host",
        "CODEBUILD_BUILD_NUMBER": str(ended["buildNumber"]),
        "CODEBUILD_BUILD_SUCCEEDING": "1",
        "CODEBUILD_BUILD_URL": (
            f"https://{REGION}.console.aws.amazon.com/codebuild/home?region={REGION}"
            f"#/builds/{build_id.replace(':', '%3A')}/view/new"
        ),
        "CODEBUILD_CI": "true",
        "CODEBUILD_CONTAINER_NAME": "default",
        "CODEBUILD_EXECUTION_ROLE_BUILD": "",
        "CODEBUILD_FE_REPORT_ENDPOINT": "http://127.0.0.1:4566/",
        "CODEBUILD_GOPATH": re.compile(r"/codebuild/output/src\d{9,10}"),
        "CODEBUILD_INITIATOR": ended["initiator"],
        "CODEBUILD_KMS_KEY_ID": f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/aws/s3",
        "CODEBUILD_LAST_EXIT": "0",
        "CODEBUILD_LOG_PATH": build_id.split(":")[1],
        "CODEBUILD_PROJECT_ARN": f"arn:aws:codebuild:{REGION}:{ACCOUNT}:project/{project}",
        "CODEBUILD_PROJECT_UUID": re.compile(UUID),
        "CODEBUILD_SOURCE_REPO_URL": "",
        "CODEBUILD_SOURCE_VERSION": "",
        "CODEBUILD_SRC_DIR": re.compile(r"/codebuild/output/src\d{9,10}/src"),
        "CODEBUILD_START_TIME": str(round(ended["startTime"].timestamp() * 1000)),
        "GOPATH": re.compile(r"/go:/codebuild/output/src\d{9,10}"),
        "HOME": "/root",
        "LC_CTYPE": "C.UTF-8",
        "OLDPWD": "/codebuild/readonly",
        "PATH": (
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/codebuild/user/bin"
        ),
        "PWD": re.compile(r"/codebuild/output/src\d{9,10}/src"),
    }


def seen(yard, ended):
    """The variables that `env -0 | tr` printed."""
    lines = yard.printed(ended).split("\n")
    return dict(line.split("=", 1) for line in lines if re.match(r"\w+=", line))


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_every_variable_has_its_value_and_there_is_no_other(yard, project, build, shell):
    ended = build("env", top={"env": {"shell": shell}})
    found = {k: v for k, v in seen(yard, ended).items() if k not in OF_THE_SHELL}
    wanted = expected(ended, project)
    assert sorted(found) == sorted(wanted)
    for name, value in wanted.items():
        fits = value.fullmatch(found[name]) if hasattr(value, "fullmatch") else value == found[name]
        assert fits, (name, found[name], value)
    assert not set(found) & set(ABSENT)


def test_what_belongs_to_the_project_is_the_same_in_each_build(yard, build):
    command = 'echo "$CODEBUILD_PROJECT_UUID $CODEBUILD_AUTH_TOKEN"'
    first, second = (yard.printed(build(command)).split() for _ in range(2))
    assert first[0] == second[0] and first[1] != second[1]


def test_names_that_are_reserved_keep_the_services_values(yard):
    name = unique("reserved")
    given = [
        {"name": "CODEBUILD_BUILD_ID", "value": "mine"},
        {"name": "CODEBUILD_SRC_DIR", "value": "/mine"},
        {"name": "CODEBUILD_CONFIG_AUTO_DISCOVER", "value": "false"},
        {"name": "CODEBUILD_MINE", "value": "mine"},
        {"name": "AWS_REGION", "value": "us-west-2"},
        {"name": "HOME", "value": "/tmp"},
    ]
    yard.create_project(name, environment=harness.environment(environmentVariables=given))
    text = spec("env", env={"variables": {"CODEBUILD_CI": "false", "PATH": "/bin:/usr/bin"}})
    ended = yard.run(name, buildspecOverride=text)
    found = seen(yard, ended)
    assert found["CODEBUILD_BUILD_ID"] == ended["id"]
    assert found["CODEBUILD_SRC_DIR"].startswith("/codebuild/output/src")
    assert found["CODEBUILD_CI"] == "true"
    assert found["CODEBUILD_CONFIG_AUTO_DISCOVER"] == "false"
    assert found["CODEBUILD_MINE"] == "mine"
    assert (found["AWS_REGION"], found["AWS_DEFAULT_REGION"]) == ("us-west-2", REGION)
    assert (found["HOME"], found["PATH"]) == ("/tmp", "/bin:/usr/bin")


def test_the_build_that_failed_knows_it(yard, build):
    shown = 'echo "$CODEBUILD_LAST_EXIT $CODEBUILD_BUILD_SUCCEEDING"'
    text = {
        "version": 0.2,
        "phases": {
            "build": {"commands": ["sh -c 'kill -9 $$'"], "finally": [shown]},
            "post_build": {"commands": [shown]},
        },
    }
    assert yard.printed(build(buildspec=json.dumps(text))).split("\n")[-3:] == ["137 0", "", "0 0"]


def test_a_value_of_any_characters_arrives_as_it_is(yard, build):
    value = "a'b\"c$HOME`id`\\n\n\ttwo  spaces é \u2028 * ? [x] ~ # ; & | < > ( ) { } ! %s"
    given = [{"name": "ODD", "value": value}, {"name": "EMPTY", "value": ""}]
    for shell in ("sh", "bash"):
        ended = build(
            "true",
            'printf "%s" "$ODD" | od -An -vtx1 | tr -d " \\n"; echo; echo "<${EMPTY-unset}>"',
            top={"env": {"shell": shell}},
            environmentVariablesOverride=given,
        )
        shown = yard.printed(ended).split("\n")
        assert bytes.fromhex(shown[-2]).decode() == value
        assert shown[-1] == "<>"


def test_exported_variables_end_in_the_builds_document(build):
    text = {
        "version": 0.2,
        "env": {
            "variables": {"FIXED": "one"},
            "exported-variables": ["FIXED", "PLAIN", "LINES", "GONE", "NEVER", "AWS_REGION"],
        },
        "phases": {
            "install": {"commands": ["export GONE=1", "unset GONE"]},
            "build": {"commands": ["PLAIN='a  b'", "export LINES='one\ntwo'", "f() { X=1; }"]},
        },
    }
    shown = build(buildspec=json.dumps(text))["exportedEnvironmentVariables"]
    assert {v["name"]: v["value"] for v in shown} == {
        "FIXED": "one",
        "PLAIN": "a  b",
        "LINES": "one\ntwo",
        "GONE": "",
        "NEVER": "",
    }
