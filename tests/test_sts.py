"""STS: who is asking."""

import pytest

import harness
from calls import least


def test_the_root_is_the_accounts(yard):
    answer = yard.sts.get_caller_identity()
    assert answer["Account"] == harness.ACCOUNT
    assert answer["Arn"] == f"arn:aws:iam::{harness.ACCOUNT}:root"
    assert answer["UserId"]


@pytest.mark.parametrize("version", [1, 2], ids=["cli-v1", "cli-v2"])
def test_the_cli_learns_who_it_is(yard, version):
    answer = yard.aws_json("sts", "get-caller-identity", version=version)
    assert answer["Account"] == harness.ACCOUNT


def test_the_account_is_a_setting(own_yard, tmp_path):
    config = tmp_path / "buildyard.toml"
    config.write_text('account_id = "123456789012"\n')
    yard = own_yard(arguments=["--config", config]).start()
    assert yard.sts.get_caller_identity()["Account"] == "123456789012"
    role = "arn:aws:iam::123456789012:role/builds"
    made = yard.create_project("demo", serviceRole=role)
    assert made["arn"] == f"arn:aws:codebuild:{harness.REGION}:123456789012:project/demo"


@pytest.mark.parametrize(
    "operation", sorted(set(harness.operations("sts")) - {"GetCallerIdentity"})
)
def test_an_operation_that_is_not_there_is_refused(yard, operation):
    client = yard.client("sts", parameter_validation=False)
    method = next(m for m, o in client.meta.method_to_api_mapping.items() if o == operation)
    shape = client.meta.service_model.operation_model(operation).input_shape
    with pytest.raises(Exception) as caught:
        getattr(client, method)(**least(shape))
    answer = caught.value.response
    assert 400 <= answer["ResponseMetadata"]["HTTPStatusCode"] < 500
    assert answer["ResponseMetadata"]["HTTPStatusCode"] != 404
    assert answer["Error"]["Code"] not in ("404", "")
