"""Signatures: what is taken, and AWS's own error for what is not."""

import datetime
import json

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import pytest
import urllib3

import harness
from calls import refused

TARGETS = {
    "codebuild": "CodeBuild_20161006.ListProjects",
    "logs": "Logs_20140328.DescribeLogGroups",
}


def signed(
    yard,
    service="codebuild",
    *,
    access_key=None,
    secret=None,
    token=None,
    at=None,
    scope=None,
    body="{}",
):
    """A signed request; `at` is a clock's difference, `scope` another service in the signature."""
    request = botocore.awsrequest.AWSRequest(
        "POST",
        yard.url + "/",
        data=body,
        headers={"X-Amz-Target": TARGETS[service], "Content-Type": "application/x-amz-json-1.1"},
    )
    keys = botocore.credentials.Credentials(
        access_key or yard.access_key, secret or yard.secret_key, token
    )
    signer = botocore.auth.SigV4Auth(keys, scope or service, harness.REGION)
    with shifted_clock(at):
        signer.add_auth(request)
    return request


class shifted_clock:
    """Lets botocore believe that it is another time."""

    def __init__(self, difference):
        self.difference = difference or datetime.timedelta()

    def __enter__(self):
        self.kept = botocore.auth.get_current_datetime
        botocore.auth.get_current_datetime = lambda *a, **k: self.kept(*a, **k) + self.difference

    def __exit__(self, *_):
        botocore.auth.get_current_datetime = self.kept


def send(request, body=None, **headers):
    given = {n: v for n, v in request.headers.items()} | headers
    return urllib3.request(
        "POST", request.url, body=request.data if body is None else body, headers=given
    )


def error(answer):
    return answer.status, answer.json()["__type"].rsplit("#", 1)[-1]


@pytest.mark.parametrize("service", TARGETS)
def test_a_signature_is_taken(yard, service):
    assert send(signed(yard, service)).status == 200


@pytest.mark.parametrize("service", TARGETS)
def test_an_unknown_key_is_refused(yard, service):
    answer = send(signed(yard, service, access_key="AKIAUNKNOWNUNKNOWN00"))
    assert error(answer) == (400, "UnrecognizedClientException")
    assert answer.json()["message"] == "The security token included in the request is invalid."


@pytest.mark.parametrize("service", TARGETS)
def test_a_wrong_secret_is_refused(yard, service):
    answer = send(signed(yard, service, secret="wrong"))
    assert error(answer) == (400, "InvalidSignatureException")
    assert "The request signature we calculated does not match" in answer.json()["message"]


@pytest.mark.parametrize("minutes", [-16, 16, -600])
def test_a_stale_date_is_refused(yard, minutes):
    answer = send(signed(yard, at=datetime.timedelta(minutes=minutes)))
    assert error(answer) == (400, "InvalidSignatureException")
    assert "Signature" in answer.json()["message"]


@pytest.mark.parametrize("minutes", [-14, 14])
def test_a_clock_that_is_a_little_wrong_is_taken(yard, minutes):
    assert send(signed(yard, at=datetime.timedelta(minutes=minutes))).status == 200


def test_a_missing_signature_is_refused(yard):
    request = signed(yard)
    del request.headers["Authorization"]
    assert error(send(request)) == (400, "MissingAuthenticationTokenException")


@pytest.mark.parametrize(
    "header",
    [
        "nonsense",
        "AWS4-HMAC-SHA256 Credential=a",
        "AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request, SignedHeaders=host, Signature=0",
        "Bearer x",
    ],
)
def test_a_broken_signature_is_refused(yard, header):
    request = signed(yard)
    del request.headers["Authorization"]
    status, code = error(send(request, Authorization=header))
    assert status == 400
    assert code in (
        "IncompleteSignatureException",
        "MissingAuthenticationTokenException",
        "UnrecognizedClientException",
        "InvalidSignatureException",
    )


def test_a_changed_body_is_refused(yard):
    request = signed(yard)
    assert error(send(request, body='{"sortOrder":"ASCENDING"}')) == (
        400,
        "InvalidSignatureException",
    )


def test_a_changed_header_is_refused(yard):
    request = signed(yard)
    del request.headers["X-Amz-Target"]
    answer = send(request, **{"X-Amz-Target": "CodeBuild_20161006.ListBuilds"})
    assert error(answer) == (400, "InvalidSignatureException")


def test_a_signature_for_another_service_is_refused(yard):
    answer = send(signed(yard, "codebuild", scope="logs"))
    assert answer.status == 400


def test_a_token_with_the_roots_key_is_refused(yard):
    answer = send(signed(yard, token="no session of ours"))
    assert error(answer) == (400, "UnrecognizedClientException")


def test_s3_answers_in_its_own_dialect(yard, bucket):
    wrong = yard.new_client("s3", secret_key="wrong")
    refused(wrong.list_objects_v2, "SignatureDoesNotMatch", status=403, Bucket=bucket)
    unknown = yard.new_client("s3", access_key="AKIAUNKNOWNUNKNOWN00")
    refused(unknown.list_objects_v2, "InvalidAccessKeyId", status=403, Bucket=bucket)
    with shifted_clock(datetime.timedelta(hours=2)):
        refused(
            yard.new_client("s3").list_objects_v2, "RequestTimeTooSkewed", status=403, Bucket=bucket
        )


def test_sts_answers_in_its_own_dialect(yard):
    refused(
        yard.new_client("sts", secret_key="wrong").get_caller_identity,
        "SignatureDoesNotMatch",
        status=403,
    )
    refused(
        yard.new_client("sts", access_key="AKIAUNKNOWNUNKNOWN00").get_caller_identity,
        "InvalidClientTokenId",
        status=403,
    )


@pytest.mark.parametrize(
    "settings",
    [
        {"s3": {"payload_signing_enabled": False, "addressing_style": "path"}},
        {"s3": {"payload_signing_enabled": True, "addressing_style": "path"}},
        {"request_checksum_calculation": "when_required"},
        {"request_checksum_calculation": "when_supported"},
    ],
    ids=lambda s: json.dumps(s)[:60],
)
def test_each_way_to_sign_a_payload_is_taken(yard, bucket, settings):
    client = yard.new_client("s3", **settings)
    client.put_object(Bucket=bucket, Key="k", Body=b"x" * 200_000)
    assert client.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x" * 200_000


def test_a_presigned_call_of_sts_is_taken(yard):
    url = yard.sts.generate_presigned_url("get_caller_identity", ExpiresIn=60, HttpMethod="GET")
    answer = urllib3.request("GET", url)
    assert answer.status == 200
    assert harness.ACCOUNT.encode() in answer.data
    broken = url.replace("X-Amz-Expires=60", "X-Amz-Expires=61")
    assert urllib3.request("GET", broken).status == 403


def test_any_region_is_taken(yard):
    for region in ("us-east-1", "ap-southeast-4", "moon-base-1"):
        assert yard.new_client("codebuild", region=region).list_projects()["projects"] == []
