"""The credentials that a build finds: its own, limited, expiring."""

import base64
import datetime
import json
import re

import pytest

import harness
from calls import refused
from conftest import unique
from harness import spec

# In base64: a log does not show access keys.
PRINT_CREDENTIALS = (
    "/usr/bin/python3 -c 'import base64, os, urllib.request as u;"
    ' path = os.environ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"];'
    ' answer = u.urlopen("http://169.254.170.2" + path).read();'
    ' print("given:", base64.b64encode(answer).decode())\''
)


def given(log):
    """The credentials that a build's log shows."""
    (shown,) = re.findall(r"^given: (\S+)$", log, re.MULTILINE)
    return json.loads(base64.b64decode(shown))


@pytest.fixture
def credentials(yard, project):
    """The credentials of a build that is still running; it is stopped afterwards."""
    build = yard.start_build(
        project, buildspecOverride=spec(PRINT_CREDENTIALS, "echo given", "exec sleep 600")
    )
    log = yard.wait_for_log(build["id"], "given\n")
    yield given(log), build
    yard.codebuild.stop_build(id=build["id"])
    yard.ended(build["id"])


def client_of(yard, keys, service, **more):
    return yard.new_client(
        service,
        access_key=keys["AccessKeyId"],
        secret_key=keys["SecretAccessKey"],
        token=keys["Token"],
        **more,
    )


def test_they_are_the_roles_and_expire(yard, credentials):
    keys, build = credentials
    assert set(keys) == {"RoleArn", "AccessKeyId", "SecretAccessKey", "Token", "Expiration"}
    assert keys["RoleArn"] == harness.ROLE
    expiry = datetime.datetime.fromisoformat(keys["Expiration"].replace("Z", "+00:00"))
    ahead = expiry - datetime.datetime.now(datetime.UTC)
    assert datetime.timedelta(minutes=1) < ahead < datetime.timedelta(hours=13)
    uid = build["id"].split(":")[1]
    answer = client_of(yard, keys, "sts").get_caller_identity()
    assert answer["Arn"] == (
        f"arn:aws:sts::{harness.ACCOUNT}:assumed-role/builds/AWSCodeBuild-{uid}"
    )


def test_they_need_their_token(yard, credentials):
    keys, _ = credentials
    for token in (None, "x" + keys["Token"], keys["Token"][:-2]):
        client = yard.new_client(
            "sts", access_key=keys["AccessKeyId"], secret_key=keys["SecretAccessKey"], token=token
        )
        with pytest.raises(Exception) as caught:
            client.get_caller_identity()
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_they_are_limited(yard, credentials):
    keys, _ = credentials
    codebuild = client_of(yard, keys, "codebuild")
    refused(
        codebuild.create_project,
        "AccessDeniedException",
        name=unique("p"),
        source={"type": "NO_SOURCE", "buildspec": spec("true")},
        artifacts={"type": "NO_ARTIFACTS"},
        environment=harness.environment(),
        serviceRole=harness.ROLE,
    )
    refused(codebuild.delete_project, "AccessDeniedException", name="any")


def test_they_read_secrets_and_change_none(yard, credentials):
    keys, _ = credentials
    name = unique("secret")
    yard.secrets.create_secret(Name=name, SecretString="value")
    secrets = client_of(yard, keys, "secretsmanager")
    assert secrets.get_secret_value(SecretId=name)["SecretString"] == "value"
    for call, more in (
        (secrets.put_secret_value, {"SecretId": name, "SecretString": "other"}),
        (secrets.delete_secret, {"SecretId": name}),
        (secrets.list_secrets, {}),
    ):
        refused(call, "AccessDeniedException", "is not authorized to perform", **more)
    parameter = {"Name": "/" + unique("p"), "Value": "value", "Type": "String"}
    yard.parameters.put_parameter(**parameter)
    parameters = client_of(yard, keys, "ssm")
    read = parameters.get_parameter(Name=parameter["Name"])
    assert read["Parameter"]["Value"] == "value"
    for call, more in (
        (parameters.put_parameter, parameter | {"Overwrite": True}),
        (parameters.delete_parameter, {"Name": parameter["Name"]}),
        (parameters.describe_parameters, {}),
    ):
        refused(call, "AccessDeniedException", "is not authorized to perform", **more)


def test_they_end_with_their_build(yard, project):
    build = yard.start_build(
        project, buildspecOverride=spec(PRINT_CREDENTIALS, "echo given", "exec sleep 600")
    )
    log = yard.wait_for_log(build["id"], "given\n")
    keys = given(log)
    sts = client_of(yard, keys, "sts")
    sts.get_caller_identity()
    yard.codebuild.stop_build(id=build["id"])
    yard.ended(build["id"])

    def gone():
        try:
            sts.get_caller_identity()
        except Exception as refusal:
            return refusal.response["Error"]["Code"]

    code = harness.wait_for(gone, "the credentials to be refused", 5)
    assert code in ("ExpiredToken", "InvalidClientTokenId", "ExpiredTokenException")


def test_the_cli_works_in_a_build_with_no_set_up(own_yard, tmp_path):
    """With the CLI that the tests use: new enough to know AWS_ENDPOINT_URL."""
    (packages,) = harness.AWS_V1.parent.parent.glob("lib/python3*/site-packages")
    config = tmp_path / "buildyard.toml"
    config.write_text(
        f'[host_image]\nfolders = ["{packages}"]\nvariables = {{ PYTHONPATH = "{packages}" }}\n'
    )
    yard = own_yard(arguments=["--config", config]).start()
    yard.create_project("demo")
    yard.aws("s3", "mb", "s3://own")
    ended = yard.run(
        "demo",
        buildspecOverride=spec(
            "alias aws='/usr/bin/python3 -m awscli'\n"
            "set -e\n"
            "aws sts get-caller-identity --output text\n"
            "echo in > in.txt\n"
            "aws s3 cp in.txt s3://own/in.txt --no-progress\n"
            "aws s3 cp s3://own/in.txt out.txt --no-progress\n"
            "cat out.txt\n"
        ),
    )
    assert ended["buildStatus"] == "SUCCEEDED", yard.log(ended)
    uid = ended["id"].split(":")[1]
    assert f"assumed-role/builds/AWSCodeBuild-{uid}" in yard.log(ended)
    assert yard.s3.get_object(Bucket="own", Key="in.txt")["Body"].read() == b"in\n"


def test_no_build_reaches_anothers_credentials(yard, credentials, build):
    keys, other = credentials
    attempt = (
        "/usr/bin/python3 -c 'import urllib.request as u; "
        f'print(u.urlopen("http://169.254.170.2/v2/credentials/{other["id"].split(":")[1]}").read())\''
    )
    ended = build(attempt)
    assert ended["buildStatus"] == "FAILED"
    assert keys["AccessKeyId"] not in yard.log(ended)


def test_a_builds_secret_is_not_in_its_process_list(yard, build):
    ended = build("tr '\\0' '\\n' < /proc/1/cmdline; tr '\\0' '\\n' < /proc/1/environ; env")
    assert "SECRET" not in yard.printed(ended).upper().replace("SECRETS_MANAGER", "")
