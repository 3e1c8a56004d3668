"""Secrets Manager, by boto3 and the AWS CLI."""

import json
import os
import stat
import uuid

import pytest

import harness
from calls import least, refused
from conftest import unique
from harness import ACCOUNT, REGION

ARN = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:"
NOT_FOUND = "Secrets Manager can't find the specified secret"
HONOURED = {
    "CreateSecret",
    "GetSecretValue",
    "BatchGetSecretValue",
    "PutSecretValue",
    "UpdateSecret",
    "DeleteSecret",
    "RestoreSecret",
    "ListSecrets",
    "DescribeSecret",
    "ListSecretVersionIds",
    "UpdateSecretVersionStage",
    "TagResource",
    "UntagResource",
    "GetRandomPassword",
}


@pytest.fixture
def secrets(yard):
    return yard.secrets


@pytest.fixture
def secret(secrets):
    """A fresh secret's name; its value is `one`."""
    name = unique("secret")
    secrets.create_secret(Name=name, SecretString="one")
    return name


def value(secrets, secret_id, **which):
    return secrets.get_secret_value(SecretId=secret_id, **which)["SecretString"]


def stages(secrets, secret_id):
    """The labels of each version, and the versions in the order in which they were made."""
    listed = secrets.list_secret_version_ids(SecretId=secret_id, IncludeDeprecated=True)
    return [sorted(version.get("VersionStages", [])) for version in listed["Versions"]]


def test_a_secret_is_made_read_and_described(secrets):
    name = unique("prod/db")
    made = secrets.create_secret(
        Name=name,
        Description="the database's",
        SecretString="hunter2",
        Tags=[{"Key": "team", "Value": "build"}],
    )
    assert made["ARN"].startswith(f"{ARN}{name}-") and len(made["ARN"]) == len(f"{ARN}{name}-") + 6
    read = secrets.get_secret_value(SecretId=name)
    assert (read["ARN"], read["Name"], read["SecretString"]) == (made["ARN"], name, "hunter2")
    assert (read["VersionId"], read["VersionStages"]) == (made["VersionId"], ["AWSCURRENT"])
    assert "SecretBinary" not in read and read["CreatedDate"]
    described = secrets.describe_secret(SecretId=name)
    assert described["Description"] == "the database's"
    assert described["Tags"] == [{"Key": "team", "Value": "build"}]
    assert described["VersionIdsToStages"] == {made["VersionId"]: ["AWSCURRENT"]}
    assert described["LastAccessedDate"] <= described["CreatedDate"]
    assert "hunter2" not in str(described)


def test_a_secret_is_found_by_its_name_its_arn_and_an_arn_without_an_end(secrets):
    name = unique("found")
    arn = secrets.create_secret(Name=name, SecretString="it")["ARN"]
    for secret_id in (name, arn, arn[:-7]):
        assert value(secrets, secret_id) == "it"
    for secret_id in (f"{arn[:-6]}AbCdEf", name + "x", arn.replace(REGION, "us-east-1")):
        refused(
            secrets.get_secret_value, "ResourceNotFoundException", NOT_FOUND, SecretId=secret_id
        )


def test_a_binary_secret_is_bytes(secrets):
    name = unique("binary")
    secrets.create_secret(Name=name, SecretBinary=b"\x00\xff\x80")
    read = secrets.get_secret_value(SecretId=name)
    assert read["SecretBinary"] == b"\x00\xff\x80" and "SecretString" not in read


def test_the_current_version_becomes_the_previous_one(secrets, secret):
    first = secrets.get_secret_value(SecretId=secret)["VersionId"]
    second = secrets.put_secret_value(SecretId=secret, SecretString="two")
    assert second["VersionStages"] == ["AWSCURRENT"]
    assert value(secrets, secret) == "two"
    assert value(secrets, secret, VersionStage="AWSPREVIOUS") == "one"
    assert value(secrets, secret, VersionId=first) == "one"
    updated = secrets.update_secret(SecretId=secret, SecretString="three", Description="d")
    assert value(secrets, secret, VersionId=updated["VersionId"]) == "three"
    assert value(secrets, secret, VersionStage="AWSPREVIOUS") == "two"
    assert stages(secrets, secret) == [[], ["AWSPREVIOUS"], ["AWSCURRENT"]]
    assert value(secrets, secret, VersionId=first) == "one"
    assert "VersionId" not in secrets.update_secret(SecretId=secret, Description="e")


def test_a_label_is_moved_between_versions(secrets, secret):
    old = secrets.get_secret_value(SecretId=secret)["VersionId"]
    new = secrets.put_secret_value(
        SecretId=secret, SecretString="two", VersionStages=["AWSPENDING", "blue"]
    )["VersionId"]
    assert value(secrets, secret) == "one" and value(secrets, secret, VersionStage="blue") == "two"
    move = secrets.update_secret_version_stage
    current = {"SecretId": secret, "VersionStage": "AWSCURRENT", "MoveToVersionId": new}
    refused(
        move,
        "InvalidParameterException",
        f"The parameter RemoveFromVersionId can't be empty. Staging label AWSCURRENT is currently "
        f"attached to version {old}, so you must explicitly reference that version in "
        "RemoveFromVersionId.",
        **current,
    )
    move(**current, RemoveFromVersionId=old)
    assert value(secrets, secret) == "two"
    assert value(secrets, secret, VersionStage="AWSPREVIOUS") == "one"
    move(SecretId=secret, VersionStage="blue", RemoveFromVersionId=new)
    assert stages(secrets, secret) == [["AWSPREVIOUS"], ["AWSCURRENT", "AWSPENDING"]]
    refused(
        move,
        "InvalidParameterException",
        "It can't be completely removed",
        SecretId=secret,
        VersionStage="AWSCURRENT",
        RemoveFromVersionId=new,
    )


def test_what_is_not_there_is_said(secrets, secret):
    read = secrets.get_secret_value
    refused(read, "ResourceNotFoundException", NOT_FOUND + ".", SecretId=unique("nothing"))
    refused(
        read,
        "ResourceNotFoundException",
        f"{NOT_FOUND} value for staging label: AWSPREVIOUS",
        SecretId=secret,
        VersionStage="AWSPREVIOUS",
    )
    absent = str(uuid.uuid4())
    refused(
        read,
        "ResourceNotFoundException",
        f"{NOT_FOUND} value for VersionId: {absent}",
        SecretId=secret,
        VersionId=absent,
    )
    refused(
        read,
        "InvalidRequestException",
        "You provided a VersionStage that is not associated to the provided VersionId.",
        SecretId=secret,
        VersionId=secrets.get_secret_value(SecretId=secret)["VersionId"],
        VersionStage="other",
    )
    empty = unique("empty")
    assert "VersionId" not in secrets.create_secret(Name=empty)
    refused(
        read,
        "ResourceNotFoundException",
        f"{NOT_FOUND} value for staging label: AWSCURRENT",
        SecretId=empty,
    )


def test_a_token_makes_a_repeat_harmless(secrets):
    name, token = unique("token"), str(uuid.uuid4())
    request = {"Name": name, "SecretString": "one", "ClientRequestToken": token}
    made = secrets.create_secret(**request)
    assert made["VersionId"] == token
    assert secrets.create_secret(**request)["ARN"] == made["ARN"]
    refused(
        secrets.create_secret,
        "ResourceExistsException",
        f"The operation failed because the secret {name} already exists.",
        **request | {"SecretString": "two"},
    )
    again = {"SecretId": name, "SecretString": "one", "ClientRequestToken": token}
    secrets.put_secret_value(**again)
    assert stages(secrets, name) == [["AWSCURRENT"]]
    for call in (secrets.put_secret_value, secrets.update_secret):
        refused(
            call,
            "ResourceExistsException",
            f"You can't use ClientRequestToken {token} because that value is already in use for a "
            f"version of secret {made['ARN']}",
            **again | {"SecretString": "two"},
        )


def test_a_deleted_secret_can_be_restored_until_its_time_is_over(secrets, secret):
    gone = secrets.delete_secret(SecretId=secret, RecoveryWindowInDays=7)
    described = secrets.describe_secret(SecretId=secret)
    assert described["DeletedDate"] == gone["DeletionDate"]
    assert 6 < (gone["DeletionDate"] - described["LastChangedDate"]).total_seconds() / 86400 < 8
    marked = "it was marked for deletion"
    for call, more in (
        (secrets.get_secret_value, {}),
        (secrets.put_secret_value, {"SecretString": "x"}),
        (secrets.update_secret, {"SecretString": "x"}),
        (secrets.tag_resource, {"Tags": []}),
    ):
        refused(call, "InvalidRequestException", marked, SecretId=secret, **more)
    refused(
        secrets.create_secret,
        "InvalidRequestException",
        "You can't create this secret because a secret with this name is already scheduled for "
        "deletion.",
        Name=secret,
        SecretString="x",
    )
    listed = {"Filters": [{"Key": "name", "Values": [secret]}]}
    assert secrets.list_secrets(**listed)["SecretList"] == []
    assert len(secrets.list_secrets(**listed, IncludePlannedDeletion=True)["SecretList"]) == 1
    secrets.restore_secret(SecretId=secret)
    assert value(secrets, secret) == "one"


def test_a_secret_deleted_at_once_makes_room_for_another(secrets, secret):
    old = secrets.describe_secret(SecretId=secret)["ARN"]
    secrets.delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)
    refused(secrets.describe_secret, "ResourceNotFoundException", NOT_FOUND, SecretId=secret)
    secrets.delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)
    refused(secrets.delete_secret, "ResourceNotFoundException", NOT_FOUND, SecretId=secret)
    new = secrets.create_secret(Name=secret, SecretString="new")["ARN"]
    assert new != old
    refused(secrets.get_secret_value, "ResourceNotFoundException", NOT_FOUND, SecretId=old)


@pytest.mark.parametrize(
    ("operation", "code", "message", "request_"),
    [
        ("create_secret", "ValidationException", "Invalid name.", {"Name": "a b"}),
        (
            "create_secret",
            "InvalidParameterException",
            "KmsKeyId",
            {"Name": "a", "KmsKeyId": "alias/mine"},
        ),
        (
            "create_secret",
            "InvalidParameterException",
            "AddReplicaRegions",
            {"Name": "a", "AddReplicaRegions": [{"Region": "eu-west-1"}]},
        ),
        (
            "create_secret",
            "InvalidParameterException",
            "both",
            {"Name": "a", "SecretString": "a", "SecretBinary": b"a"},
        ),
        (
            "create_secret",
            "ValidationException",
            "length less than or equal to 65536",
            {"Name": "a", "SecretString": "a" * 65537},
        ),
        (
            "create_secret",
            "ValidationException",
            "65536",
            {"Name": "a", "SecretBinary": b"a" * 65537},
        ),
        (
            "put_secret_value",
            "InvalidRequestException",
            "You must provide either SecretString or SecretBinary.",
            {"SecretId": "a"},
        ),
        (
            "delete_secret",
            "InvalidParameterException",
            "The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).",
            {"SecretId": "a", "RecoveryWindowInDays": 6},
        ),
        (
            "delete_secret",
            "InvalidParameterException",
            "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.",
            {"SecretId": "a", "RecoveryWindowInDays": 7, "ForceDeleteWithoutRecovery": True},
        ),
        ("list_secrets", "InvalidNextTokenException", "NextToken", {"NextToken": "nonsense"}),
        ("batch_get_secret_value", "InvalidParameterException", "SecretIdList", {}),
    ],
)
def test_mistakes_are_refused(secrets, operation, code, message, request_):
    shown = refused(getattr(secrets, operation), code, message, **request_)
    assert "aaaa" not in shown, "a refusal repeats a value"


def test_lists_have_filters_orders_and_pages(secrets):
    stem = unique("list")
    for index in range(5):
        secrets.create_secret(
            Name=f"{stem}/{index}",
            Description=f"Number {index}",
            SecretString="x",
            Tags=[{"Key": f"{stem}-tag", "Value": "even" if index % 2 == 0 else "odd"}],
        )

    def listed(*filters, **more):
        named = [{"Key": key, "Values": list(values)} for key, *values in filters]
        pages = secrets.get_paginator("list_secrets").paginate(
            Filters=[{"Key": "name", "Values": [f"{stem}/"]}, *named], **more
        )
        entries = pages.build_full_result()["SecretList"]
        return "".join(entry["Name"].removeprefix(f"{stem}/") for entry in entries)

    assert listed() == "01234"
    assert listed(PaginationConfig={"PageSize": 2}) == "01234"
    assert listed(SortOrder="desc") == "43210"
    assert listed(("tag-value", "ev")) == "024"
    assert listed(("tag-value", "!even")) == "13"
    assert listed(("description", "number 3", "number 1")) == "13"
    assert listed(("tag-key", f"{stem}-tag"), ("all", "odd")) == "13"
    first = secrets.list_secrets(MaxResults=1)
    assert len(first["SecretList"]) == 1 and first["NextToken"]
    batch = secrets.batch_get_secret_value(Filters=[{"Key": "name", "Values": [f"{stem}/"]}])
    assert len(batch["SecretValues"]) == 5


def test_a_batch_gives_what_it_can_and_says_what_it_cannot(secrets, secret):
    answer = secrets.batch_get_secret_value(SecretIdList=[secret, "nothing"])
    assert [one["SecretString"] for one in answer["SecretValues"]] == ["one"]
    assert [one["ErrorCode"] for one in answer["Errors"]] == ["ResourceNotFoundException"]


def test_tags_come_and_go(secrets, secret):
    secrets.tag_resource(SecretId=secret, Tags=[{"Key": k, "Value": k} for k in "ab"])
    secrets.untag_resource(SecretId=secret, TagKeys=["a", "c"])
    assert secrets.describe_secret(SecretId=secret)["Tags"] == [{"Key": "b", "Value": "b"}]


def test_a_random_password_has_what_was_asked_for(secrets):
    drawn = secrets.get_random_password()["RandomPassword"]
    assert len(drawn) == 32
    assert any(c.islower() for c in drawn) and any(c.isdigit() for c in drawn)
    digits = secrets.get_random_password(
        PasswordLength=100, ExcludeLowercase=True, ExcludeUppercase=True, ExcludePunctuation=True
    )["RandomPassword"]
    assert len(digits) == 100 and digits.isdigit()
    refused(
        secrets.get_random_password,
        "InvalidParameterException",
        PasswordLength=3,
    )


def test_a_secret_belongs_to_its_region(yard, secret):
    elsewhere = yard.client("secretsmanager", region="us-east-1")
    refused(elsewhere.get_secret_value, "ResourceNotFoundException", NOT_FOUND, SecretId=secret)


@pytest.mark.parametrize("operation", sorted(set(harness.operations("secretsmanager")) - HONOURED))
def test_an_operation_that_is_not_there_is_refused(yard, operation):
    shape = yard.secrets.meta.service_model.operation_model(operation).input_shape
    method = {name: key for key, name in yard.secrets.meta.method_to_api_mapping.items()}[operation]
    client = yard.client("secretsmanager", parameter_validation=False)
    refused(
        getattr(client, method),
        "ValidationException",
        f"{operation} is not supported by this service yet",
        **least(shape),
    )


@pytest.mark.parametrize("version", [1, 2])
def test_the_cli_keeps_and_reads_a_secret(yard, version):
    name = unique("cli")
    call = ["secretsmanager", "create-secret", "--name", name, "--secret-string", "from the CLI"]
    yard.aws(*call, version=version)
    query = ["--query", "SecretString", "--output", "text"]
    read = ["secretsmanager", "get-secret-value", "--secret-id", name, *query]
    assert yard.aws(*read, version=version).stdout == "from the CLI\n"


def test_values_are_sealed_under_a_key_beside_the_data_folder_and_outlive_the_service(own_yard):
    yard = own_yard().start()
    key = yard.data_dir.with_name(yard.data_dir.name + ".key")
    yard.secrets.create_secret(Name="empty")
    assert not key.exists(), "a key is made when a value is to be kept"
    values = ["correct-horse-battery-staple", json.dumps({"password": "tr0ub4dor&3"})]
    for index, text in enumerate(values):
        yard.secrets.create_secret(Name=f"secret{index}", SecretString=text)
        yard.secrets.put_secret_value(SecretId=f"secret{index}", SecretString=text + " two")
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    yard.kill()
    yard.start()
    for index, text in enumerate(values):
        assert value(yard.secrets, f"secret{index}") == text + " two"
        assert harness.kept_in_clear(yard, text) == []
    assert harness.kept_in_clear(yard, "tr0ub4dor") == []
    yard.secrets.delete_secret(SecretId="secret0", ForceDeleteWithoutRecovery=True)
    assert value(yard.secrets, "secret1", VersionStage="AWSPREVIOUS") == values[1]


def test_a_lost_key_is_said_and_no_other_is_made(own_yard):
    yard = own_yard().start()
    yard.secrets.create_secret(Name="kept", SecretString="value")
    key = yard.data_dir.with_name(yard.data_dir.name + ".key")
    yard.stop()
    aside = key.rename(key.with_suffix(".aside"))
    yard.start()
    refused(yard.secrets.get_secret_value, "DecryptionFailure", SecretId="kept")
    refused(yard.secrets.put_secret_value, "EncryptionFailure", SecretId="kept", SecretString="x")
    assert not key.exists()
    assert f"find the key file {key}" in yard.stderr()
    assert yard.secrets.describe_secret(SecretId="kept")["Name"] == "kept"
    aside.rename(key)
    assert value(yard.secrets, "kept") == "value"


def test_the_key_stands_where_the_configuration_says(own_yard, tmp_path):
    config = tmp_path / "buildyard.toml"
    key = tmp_path / "keys" / "secrets.key"
    key.parent.mkdir()
    key.write_text(os.urandom(32).hex())
    key.chmod(0o644)
    config.write_text(f'[secrets]\nkey_file = "{key}"\n')
    yard = own_yard(arguments=["--config", config]).start()
    refused(yard.secrets.create_secret, "EncryptionFailure", Name="a", SecretString="value")
    assert "should be 600" in yard.stderr()
    key.chmod(0o600)
    yard.secrets.create_secret(Name="a", SecretString="value")
    assert value(yard.secrets, "a") == "value"
    assert not yard.data_dir.with_name(yard.data_dir.name + ".key").exists()
