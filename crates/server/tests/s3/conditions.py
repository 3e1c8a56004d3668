"""Conditional requests, on reads, writes, copies and deletions."""

import datetime

import boto3
from botocore.exceptions import ClientError

s3 = boto3.client("s3")
O = {"Bucket": "conditions", "Key": "k"}
HOUR = datetime.timedelta(hours=1)


def status(call, **arguments):
    try:
        return call(**arguments)["ResponseMetadata"]["HTTPStatusCode"]
    except ClientError as error:
        return error.response["ResponseMetadata"]["HTTPStatusCode"]


s3.create_bucket(Bucket="conditions")
etag = s3.put_object(**O, Body=b"one", IfNoneMatch="*")["ETag"]
modified = s3.head_object(**O)["LastModified"]
for call in [s3.get_object, s3.head_object]:
    for arguments, expected in [
        ({"IfMatch": etag}, 200),
        ({"IfMatch": '"other"'}, 412),
        ({"IfMatch": "*"}, 200),
        ({"IfNoneMatch": etag}, 304),
        ({"IfNoneMatch": "*"}, 304),
        ({"IfNoneMatch": '"other"'}, 200),
        ({"IfModifiedSince": modified}, 304),
        ({"IfModifiedSince": modified - HOUR}, 200),
        ({"IfUnmodifiedSince": modified}, 200),
        ({"IfUnmodifiedSince": modified - HOUR}, 412),
        ({"IfMatch": etag, "IfUnmodifiedSince": modified - HOUR}, 200),
        ({"IfNoneMatch": etag, "IfModifiedSince": modified - HOUR}, 304),
        ({"IfNoneMatch": '"other"', "IfModifiedSince": modified}, 200),
    ]:
        assert status(call, **O, **arguments) == expected, (arguments, expected)
try:
    s3.get_object(**O, IfNoneMatch=etag)
except ClientError as error:
    headers = error.response["ResponseMetadata"]["HTTPHeaders"]
    assert headers["etag"] == etag and headers["last-modified"]

assert status(s3.put_object, **O, Body=b"two", IfNoneMatch="*") == 412
assert status(s3.put_object, **O, Body=b"two", IfMatch='"other"') == 412
assert s3.get_object(**O)["Body"].read() == b"one"
assert status(s3.put_object, **O, Body=b"two", IfMatch=etag) == 200
assert status(s3.put_object, **O, Body=b"three", IfMatch=etag) == 412
missing = {"Bucket": "conditions", "Key": "missing"}
assert status(s3.put_object, **missing, Body=b"x", IfMatch=etag) == 404

source = {"CopySource": O, "Bucket": "conditions", "Key": "copy"}
etag = s3.head_object(**O)["ETag"]
for arguments, expected in [
    ({"CopySourceIfMatch": etag}, 200),
    ({"CopySourceIfMatch": '"other"'}, 412),
    ({"CopySourceIfNoneMatch": etag}, 412),
    ({"CopySourceIfNoneMatch": '"other"'}, 200),
    ({"CopySourceIfModifiedSince": modified + HOUR}, 412),
    ({"CopySourceIfUnmodifiedSince": modified - HOUR}, 412),
    ({"CopySourceIfMatch": etag, "CopySourceIfUnmodifiedSince": modified - HOUR}, 200),
]:
    assert status(s3.copy_object, **source, **arguments) == expected, (arguments, expected)

assert status(s3.delete_object, **O, IfMatch='"other"') == 412
assert status(s3.delete_object, **O, IfMatch=etag) == 204
assert status(s3.delete_object, **O, IfMatch=etag) == 404
print("ok")
