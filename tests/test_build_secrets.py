"""Builds with values of Secrets Manager and Parameter Store, and what their logs do not show."""

import hashlib
import json

import pytest

import harness
from conftest import unique
from harness import spec

ONE_WRITE_EACH = (
    "/usr/bin/python3 -c 'import os, sys\n"
    'for byte in os.environb[b"S"]: os.write(1, bytes([byte]))\n'
    'os.write(1, b"\\n")\''
)


@pytest.fixture
def secret(yard):
    """Makes a secret and gives its name: `secret("text")`."""

    def make(text):
        name = unique("build/secret")
        yard.secrets.create_secret(Name=name, SecretString=text)
        return name

    return make


@pytest.fixture
def parameter(yard):
    """Makes a parameter and gives its name: `parameter("text")`."""

    def make(text, kind="SecureString"):
        name = "/" + unique("build/parameter")
        yard.parameters.put_parameter(Name=name, Value=text, Type=kind)
        return name

    return make


def variable(name, value, kind):
    return {"name": name, "value": value, "type": kind}


def failed(build):
    """Status code and message with which the build failed in DOWNLOAD_SOURCE."""
    assert build["buildStatus"] == "FAILED"
    kinds = [phase["phaseType"] for phase in build["phases"]]
    assert kinds[-3:] == ["DOWNLOAD_SOURCE", "FINALIZING", "COMPLETED"]
    return harness.context(build, "DOWNLOAD_SOURCE")


def test_a_buildspec_names_a_secret_a_member_a_stage_and_a_version(yard, build, secret):
    name = secret(json.dumps({"user": "builder", "password": "first-password", "port": 5432}))
    first = yard.secrets.get_secret_value(SecretId=name)
    yard.secrets.put_secret_value(SecretId=name, SecretString='{"password": "second-password"}')
    arn = first["ARN"]
    references = {
        "CURRENT": f"{name}:password",
        "PREVIOUS": f"{name}:password:AWSPREVIOUS",
        "BY_ID": f"{arn}:user::{first['VersionId']}",
        "PORT": f"{arn}:port:AWSPREVIOUS:",
        "WHOLE": arn,
    }
    expected = {
        "CURRENT": "second-password",
        "PREVIOUS": "first-password",
        "BY_ID": "builder",
        "PORT": "5432",
        "WHOLE": '{"password": "second-password"}',
    }
    # A comparison by digests: the values themselves must not be in the buildspec's commands.
    check = (
        "/usr/bin/python3 -c 'import hashlib, json, os;"
        " print(json.dumps({n: hashlib.sha256(os.environb[n.encode()]).hexdigest()"
        f" for n in {json.dumps(list(expected))}}}))'"
    )
    ended = build(check, top={"env": {"secrets-manager": references}})
    assert ended["buildStatus"] == "SUCCEEDED", yard.log(ended)
    digests = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in expected.items()}
    assert json.loads(yard.printed(ended)) == digests


def test_a_reference_may_have_variables(yard, secret):
    stage = unique("stage")
    yard.parameters.put_parameter(Name=f"/{stage}/key", Value="the-parameter", Type="String")
    name = secret(json.dumps({stage: "the-secret"}))
    project = unique("project")
    yard.create_project(
        project,
        environment=harness.environment(
            environmentVariables=[variable("STAGE", stage, "PLAINTEXT")]
        ),
    )
    text = spec(
        "echo $KEY | rev; echo $MEMBER | rev; echo $LITERAL",
        env={
            "variables": {"SECRET": name, "STAGE": "overridden", "LITERAL": "$STAGE"},
            "parameter-store": {"KEY": "/${STAGE}/key"},
            "secrets-manager": {"MEMBER": "$SECRET:$STAGE"},
        },
    )
    ended = yard.run(project, buildspecOverride=text)
    printed = yard.printed(ended).split("\n")
    assert printed == ["the-parameter"[::-1], "the-secret"[::-1], "$STAGE"]
    text = spec("true", env={"parameter-store": {"KEY": "/$STAGE/${NOBODY}/key"}})
    message = failed(yard.run(project, buildspecOverride=text))[1]
    assert message == f"parameter does not exist: /{stage}/${{NOBODY}}/key"


def test_the_caller_wins_over_the_project_and_the_project_over_the_buildspec(yard, secret):
    name, other = secret("from-the-buildspec"), secret("from-the-project")
    third = secret("from-the-caller")
    project = unique("project")
    refer = "SECRETS_MANAGER"
    yard.create_project(
        project,
        environment=harness.environment(
            environmentVariables=[
                variable("B", other, refer),
                variable("C", other, refer),
                variable("D", "plain", "PLAINTEXT"),
            ]
        ),
    )
    text = spec(
        "echo $A | rev; echo $B | rev; echo $C | rev; echo $D",
        env={
            "variables": {"A": "plain"},
            "secrets-manager": dict.fromkeys("ABC", name) | {"D": "nothing"},
        },
    )
    override = [variable("C", third, refer)]
    ended = yard.run(project, buildspecOverride=text, environmentVariablesOverride=override)
    backwards = ["from-the-buildspec"[::-1], "from-the-project"[::-1], "from-the-caller"[::-1]]
    assert yard.printed(ended).split("\n") == [*backwards, "plain"]


def test_the_api_shows_the_reference_and_not_the_value(yard, secret):
    name = secret("not-in-an-answer")
    project = unique("project")
    variables = [variable("S", f"{name}:::", "SECRETS_MANAGER")]
    yard.create_project(project, environment=harness.environment(environmentVariables=variables))
    text = spec("true", env={"exported-variables": ["S"]})
    ended = yard.run(project, buildspecOverride=text)
    assert ended["buildStatus"] == "SUCCEEDED"
    assert ended["environment"]["environmentVariables"] == variables
    assert "not-in-an-answer" not in str(ended)


def test_exported_variables_leave_out_the_projects_secrets_and_mask_the_others(yard, secret):
    name = secret("exported-secret")
    project = unique("project")
    variables = [variable("PROJECT", name, "SECRETS_MANAGER")]
    yard.create_project(project, environment=harness.environment(environmentVariables=variables))
    text = spec(
        "export DERIVED=-$OWN-",
        env={
            "secrets-manager": {"OWN": name},
            "exported-variables": ["PROJECT", "OWN", "DERIVED"],
        },
    )
    ended = yard.run(project, buildspecOverride=text)
    exported = {one["name"]: one["value"] for one in ended["exportedEnvironmentVariables"]}
    assert exported == {"OWN": "***", "DERIVED": "-***-"}


def test_values_show_as_stars_however_they_are_printed(yard, build, secret):
    value = "correct-horse-battery-staple"
    env = {"secrets-manager": {"S": secret(value)}}
    ended = build(
        'echo "it is $S, $S"',
        "printf correct-; printf horse-battery; printf '%s\\n' -staple",
        ONE_WRITE_EACH,
        "printf correct-horse; sleep 0.1; echo -battery-staple",
        f"cat /no-such-{value}",
        top={"env": env},
    )
    log = yard.log(ended)
    assert value not in log
    assert "it is ***, ***\n" in log
    assert log.count("\n***\n") == 3, log
    shown = "Error while executing command: cat /no-such-***. Reason: exit status 1"
    assert harness.context(ended, "BUILD") == ("COMMAND_EXECUTION_ERROR", shown)
    assert "Running command cat /no-such-***\n" in log


def test_each_line_of_a_value_and_the_texts_of_json_show_as_stars(yard, build, secret):
    key = "-----BEGIN PRIVATE KEY-----\nMIIBVgIBADANBgkqhkiG\n-----END PRIVATE KEY-----\n"
    document = json.dumps({"user": "root", "password": "json-password"})
    ended = build(
        'echo "$KEY"; echo "$KEY" | grep MII',
        'echo "$DOCUMENT" | sed "s/.*: .\\(json[^\\"]*\\).*/is \\1/"',
        top={"env": {"secrets-manager": {"KEY": secret(key), "DOCUMENT": secret(document)}}},
    )
    assert yard.printed(ended).split() == ["***", "***", "***", "***", "is", "***"]


def test_access_keys_show_as_stars(yard, build):
    ended = build(
        "echo key=AKIA''IOSFODNN7EXAMPLE; printf ASIA; printf IOSFODNN7EXAMPL; printf 'E\\n'",
        "echo AKIA''IOSFODNN7EXAMPLES",
    )
    assert yard.printed(ended).split() == ["key=***", "***", "AKIAIOSFODNN7EXAMPLES"]


def test_short_values_and_plain_variables_are_not_hidden(yard, build, secret):
    ended = build(
        "echo $SHORT $PLAIN",
        top={"env": {"secrets-manager": {"SHORT": secret("yes")}, "variables": {"PLAIN": "shown"}}},
    )
    assert yard.printed(ended) == "yes shown"


def test_a_buildspec_names_parameters_and_their_versions(yard, build, parameter):
    name = parameter("first-value")
    yard.parameters.put_parameter(Name=name, Value="second-value", Overwrite=True)
    env = {"NEW": name, "OLD": f"{name}:1", "PLAIN": parameter("plain-value", "String")}
    ended = build(
        "echo $NEW | rev; echo $OLD | rev; echo $PLAIN | rev",
        "echo $NEW $OLD $PLAIN",
        top={"env": {"parameter-store": env}},
    )
    backwards = [text[::-1] for text in ("second-value", "first-value", "plain-value")]
    assert yard.printed(ended).split() == [*backwards, "***", "***", "***"]
    log = yard.log(ended)
    order = ["Processing environment variables", "Decrypting parameter store environment variables"]
    assert all(line in log for line in order) and log.index(order[0]) < log.index(order[1])


def test_a_projects_parameter_is_masked_and_not_exported(yard, parameter):
    project = unique("project")
    variables = [variable("P", parameter("project-parameter"), "PARAMETER_STORE")]
    yard.create_project(project, environment=harness.environment(environmentVariables=variables))
    text = spec("echo $P", env={"exported-variables": ["P"]})
    ended = yard.run(project, buildspecOverride=text)
    assert yard.printed(ended) == "***"
    assert not ended.get("exportedEnvironmentVariables")


def test_a_parameter_that_is_not_there_fails_download_source(yard, build):
    ended = build("echo never", top={"env": {"parameter-store": {"P": "/no/such/parameter"}}})
    shown = "parameter does not exist: /no/such/parameter"
    assert failed(ended) == ("Decrypted Variables Error", shown)
    line = f"Phase context status code: Decrypted Variables Error Message: {shown}\n"
    assert line in yard.log(ended)


NOT_FOUND = "ResourceNotFoundException: Secrets Manager can't find the specified secret."


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("build/no-such-secret", NOT_FOUND),
        ("arn:aws:secretsmanager:eu-west-1:111111111111:secret:a-AbCdEf", NOT_FOUND),
        ("{plain}:key", "secret {plain} is not a JSON object: it has no key key"),
        ("{json}:no-such-key", "key no-such-key does not exist in secret {json}"),
        ("{json}::no-such-stage", "can't find the specified secret value for staging label"),
        ("{json}:::" + "0" * 32, "can't find the specified secret value for VersionId: 0000"),
        ("{bytes}", "secret {bytes} is binary, which no variable can be"),
        ("a:b:c:d:e", "S: a:b:c:d:e is no reference: there are more than four parts"),
    ],
)
def test_a_secret_that_cannot_be_had_fails_download_source(
    yard, project, secret, reference, message
):
    names = {"plain": secret("no JSON"), "json": secret("{}"), "bytes": unique("build/bytes")}
    yard.secrets.create_secret(Name=names["bytes"], SecretBinary=b"\x00")
    override = [variable("S", reference.format(**names), "SECRETS_MANAGER")]
    ended = yard.run(
        project, buildspecOverride=spec("echo never"), environmentVariablesOverride=override
    )
    code, shown = failed(ended)
    assert code == "Secrets Manager Error"
    assert message.format(**names) in shown
    assert f"Phase context status code: Secrets Manager Error Message: {shown}\n" in yard.log(ended)


def test_what_builds_may_not_read_is_denied_to_them(own_yard, tmp_path):
    config = tmp_path / "buildyard.toml"
    config.write_text(
        '[secrets]\nreadable = ["ci/*"]\n[parameters]\nreadable = ["/ci/*", "shared-?"]\n'
    )
    yard = own_yard(arguments=["--config", config]).start()
    yard.create_project("demo")
    for name in ("ci/open", "prod/closed"):
        yard.secrets.create_secret(Name=name, SecretString="some-value")
    for name in ("/ci/open", "/prod/closed", "shared-1"):
        yard.parameters.put_parameter(Name=name, Value="some-value", Type="SecureString")

    def run(section, name):
        return yard.run("demo", buildspecOverride=spec("true", env={section: {"S": name}}))

    opened = [("secrets-manager", "ci/open"), ("parameter-store", "/ci/open")]
    for section, name in [*opened, ("parameter-store", "shared-1")]:
        assert run(section, name)["buildStatus"] == "SUCCEEDED"
    parameter_arn = f"arn:aws:ssm:{harness.REGION}:{harness.ACCOUNT}:parameter/prod/closed"
    for section, name, expected, action, resource in (
        (
            "secrets-manager",
            "prod/closed",
            "Secrets Manager Error",
            "secretsmanager:GetSecretValue",
            "prod/closed",
        ),
        (
            "parameter-store",
            "/prod/closed",
            "Decrypted Variables Error",
            "ssm:GetParameters",
            parameter_arn,
        ),
    ):
        ended = run(section, name)
        code, shown = failed(ended)
        uuid = ended["id"].split(":")[1]
        assert code == expected
        assert shown.startswith(
            f"AccessDeniedException: User: arn:aws:sts::{harness.ACCOUNT}:assumed-role/builds/"
            f"AWSCodeBuild-{uuid} is not authorized to perform: {action} on "
            f"resource: {resource}\n\tstatus code: 400, request id: "
        )
    assert harness.kept_in_clear(yard, "some-value") == []


def test_what_a_running_build_knows_is_on_no_disk(yard, project, secret):
    text = spec(
        'DERIVED="from $S"; LONG="$S$(head -c 200000 /dev/zero | tr "\\0" x)"',
        "[ ${#LONG} -gt 200000 ] && until [ -e /tmp/never ]; do sleep 0.05; done",
        env={"secrets-manager": {"S": secret("a-value-for-memory-alone")}},
    )
    started = yard.start_build(project, buildspecOverride=text)
    yard.wait_for_log(started["id"], "Running command [ ")
    assert harness.kept_in_clear(yard, "a-value-for-memory-alone") == []
    yard.codebuild.stop_build(id=started["id"])
    assert yard.ended(started["id"])["buildStatus"] == "STOPPED"
