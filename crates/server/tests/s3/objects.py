"""Objects by boto3: bytes, headers, metadata, ranges, keys of every kind."""

import os

import boto3
from botocore.exceptions import ClientError

s3 = boto3.client("s3")


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error.response
        return error.response
    raise AssertionError(f"{code} expected")


refused("NoSuchBucket", s3.put_object, Bucket="missing", Key="k", Body=b"x")
s3.create_bucket(Bucket="objects")
s3.create_bucket(Bucket="objects")
response = s3.head_bucket(Bucket="objects")
assert response["ResponseMetadata"]["HTTPHeaders"]["x-amz-bucket-region"] == "us-east-1"
assert response["ResponseMetadata"]["RequestId"]

for size in [0, 1, 16 * 1024, 16 * 1024 + 1, 700_000, 3_000_000]:
    body = os.urandom(size)
    put = s3.put_object(Bucket="objects", Key=f"size/{size}", Body=body)
    got = s3.get_object(Bucket="objects", Key=f"size/{size}")
    assert got["Body"].read() == body and got["ContentLength"] == size
    assert got["ETag"] == put["ETag"]
    head = s3.head_object(Bucket="objects", Key=f"size/{size}")
    assert head["ContentLength"] == size and head["LastModified"] == got["LastModified"]

s3.put_object(Bucket="objects", Key="range", Body=b"0123456789")
for asked, expected, content_range in [
    ("bytes=0-0", b"0", "bytes 0-0/10"),
    ("bytes=3-5", b"345", "bytes 3-5/10"),
    ("bytes=7-", b"789", "bytes 7-9/10"),
    ("bytes=-4", b"6789", "bytes 6-9/10"),
    ("bytes=-40", b"0123456789", "bytes 0-9/10"),
    ("bytes=8-100", b"89", "bytes 8-9/10"),
]:
    got = s3.get_object(Bucket="objects", Key="range", Range=asked)
    assert got["Body"].read() == expected, asked
    assert got["ContentRange"] == content_range
    assert got["ResponseMetadata"]["HTTPStatusCode"] == 206
    head = s3.head_object(Bucket="objects", Key="range", Range=asked)
    assert head["ContentLength"] == len(expected)
for asked in ["bytes=10-", "bytes=-0", "bytes=50-60"]:
    error = refused("InvalidRange", s3.get_object, Bucket="objects", Key="range", Range=asked)
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 416
refused("InvalidRange", s3.get_object, Bucket="objects", Key="size/0", Range="bytes=0-")

keys = [
    "../../escape",
    "/leading",
    "trailing/",
    "a//b",
    ".",
    "with space + plus & amp % percent",
    "ünï/cödé/日本",
    "quote'\"<>",
    "x" * 1024,
]
for key in keys:
    s3.put_object(Bucket="objects", Key=key, Body=key.encode())
    assert s3.get_object(Bucket="objects", Key=key)["Body"].read() == key.encode()
listed = [item["Key"] for item in s3.list_objects_v2(Bucket="objects")["Contents"]]
assert listed == sorted(listed, key=str.encode)
assert set(keys) <= set(listed)
listed_v1 = [item["Key"] for item in s3.list_objects(Bucket="objects")["Contents"]]
assert listed_v1 == listed
refused("KeyTooLongError", s3.put_object, Bucket="objects", Key="x" * 1025, Body=b"")

s3.put_object(
    Bucket="objects",
    Key="described",
    Body=b"text",
    ContentType="text/plain; charset=utf-8",
    ContentEncoding="identity",
    ContentLanguage="de",
    ContentDisposition='attachment; filename="x"',
    CacheControl="no-cache",
    Metadata={"colour": "blue", "Mixed-Case": "kept"},
    StorageClass="STANDARD_IA",
    Tagging="a=1&b=two%20words",
    ServerSideEncryption="aws:kms",
    SSEKMSKeyId="alias/mine",
)
for call in [s3.get_object, s3.head_object]:
    got = call(Bucket="objects", Key="described")
    assert got["ContentType"] == "text/plain; charset=utf-8"
    assert got["ContentEncoding"] == "identity"
    assert got["ContentLanguage"] == "de"
    assert got["ContentDisposition"] == 'attachment; filename="x"'
    assert got["CacheControl"] == "no-cache"
    assert got["Metadata"] == {"colour": "blue", "mixed-case": "kept"}, got["Metadata"]
    assert got["StorageClass"] == "STANDARD_IA"
    assert got["ServerSideEncryption"] == "aws:kms" and got["SSEKMSKeyId"] == "alias/mine"
    assert got.get("TagCount", 2) == 2
    shown = call(Bucket="objects", Key="described", ResponseContentType="image/png")
    assert shown["ContentType"] == "image/png"
assert s3.get_object(Bucket="objects", Key="range")["ContentType"] == "binary/octet-stream"

refused("MetadataTooLarge", s3.put_object, Bucket="objects", Key="m", Metadata={"a": "x" * 2048})
refused("AccessControlListNotSupported", s3.put_object, Bucket="objects", Key="m", ACL="public-read")
refused("InvalidStorageClass", s3.put_object, Bucket="objects", Key="m", StorageClass="NOPE")
refused("NoSuchKey", s3.get_object, Bucket="objects", Key="m")
refused("404", s3.head_object, Bucket="objects", Key="m")
refused("AccessDenied", s3.get_object, Bucket="objects", Key="range", ExpectedBucketOwner="1" * 12)

s3.delete_object(Bucket="objects", Key="range")
s3.delete_object(Bucket="objects", Key="range")
refused("NoSuchKey", s3.get_object, Bucket="objects", Key="range")
refused("BucketNotEmpty", s3.delete_bucket, Bucket="objects")

keys = [item["Key"] for item in s3.list_objects_v2(Bucket="objects")["Contents"]]
answer = s3.delete_objects(
    Bucket="objects", Delete={"Objects": [{"Key": key} for key in keys + ["never there"]]}
)
assert len(answer["Deleted"]) == len(keys) + 1 and "Errors" not in answer
s3.delete_bucket(Bucket="objects")
assert s3.list_buckets()["Buckets"] == []
print("ok")
