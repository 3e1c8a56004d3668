"""Versioning: enabled, suspended, delete markers, listings of versions."""

import boto3
from botocore.exceptions import ClientError

s3 = boto3.client("s3")
B = {"Bucket": "versions"}


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error.response
        return error.response["ResponseMetadata"]["HTTPHeaders"]
    raise AssertionError(f"{code} expected")


def put(key, body):
    return s3.put_object(**B, Key=key, Body=body).get("VersionId")


def get(key, **arguments):
    return s3.get_object(**B, Key=key, **arguments)["Body"].read()


def listed(**arguments):
    page = s3.list_object_versions(**B, **arguments)
    shown = page.get("Versions", []) + page.get("DeleteMarkers", [])
    return sorted((item["Key"], item["VersionId"], item["IsLatest"], "ETag" in item) for item in shown)


s3.create_bucket(**B)
assert "Status" not in s3.get_bucket_versioning(**B)
assert put("old", b"before") is None
assert listed() == [("old", "null", True, True)]

s3.put_bucket_versioning(**B, VersioningConfiguration={"Status": "Enabled"})
assert s3.get_bucket_versioning(**B)["Status"] == "Enabled"
assert s3.get_object(**B, Key="old")["VersionId"] == "null"
first, second = put("k", b"one"), put("k", b"two")
assert first != second and first and second
assert get("k") == b"two" and get("k", VersionId=first) == b"one"
newer = put("old", b"after")
assert get("old") == b"after" and get("old", VersionId="null") == b"before"

marker = s3.delete_object(**B, Key="k")
assert marker["DeleteMarker"] is True
headers = refused("NoSuchKey", s3.get_object, **B, Key="k")
assert headers["x-amz-delete-marker"] == "true"
assert headers["x-amz-version-id"] == marker["VersionId"]
headers = refused("MethodNotAllowed", s3.get_object, **B, Key="k", VersionId=marker["VersionId"])
assert headers["x-amz-delete-marker"] == "true" and headers["last-modified"]
assert [item["Key"] for item in s3.list_objects_v2(**B)["Contents"]] == ["old"]
assert listed(Prefix="k") == sorted([
    ("k", marker["VersionId"], True, False), ("k", second, False, True), ("k", first, False, True)
])
assert get("k", VersionId=second) == b"two"
assert s3.delete_object(**B, Key="k", VersionId=marker["VersionId"])["DeleteMarker"] is True
assert get("k") == b"two"
gone = s3.delete_object(**B, Key="k", VersionId=second)
assert gone["VersionId"] == second and "DeleteMarker" not in gone
assert get("k") == b"one"
refused("NoSuchVersion", s3.get_object, **B, Key="k", VersionId=second)
refused("NoSuchVersion", s3.get_object, **B, Key="other", VersionId=first)
refused("InvalidArgument", s3.get_object, **B, Key="k", VersionId="nonsense")
s3.delete_object(**B, Key="k", VersionId=second)

s3.put_bucket_versioning(**B, VersioningConfiguration={"Status": "Suspended"})
assert put("k", b"null one") == "null" and put("k", b"null two") == "null"
assert listed(Prefix="k") == sorted([("k", "null", True, True), ("k", first, False, True)])
assert get("k", VersionId="null") == b"null two"
marker = s3.delete_object(**B, Key="k")
assert marker["VersionId"] == "null" and marker["DeleteMarker"] is True
assert listed(Prefix="k") == sorted([("k", "null", True, False), ("k", first, False, True)])
assert s3.delete_object(**B, Key="k")["VersionId"] == "null"
assert len(listed(Prefix="k")) == 2
s3.delete_object(**B, Key="k", VersionId="null")
assert get("k") == b"one"

s3.put_bucket_versioning(**B, VersioningConfiguration={"Status": "Enabled"})
for key in ["p/a", "p/b", "q"]:
    for body in [b"1", b"2", b"3"]:
        put(key, body)
s3.delete_object(**B, Key="p/a")
whole = s3.list_object_versions(**B)
everything = [(i["Key"], i["VersionId"]) for i in whole["Versions"] + whole["DeleteMarkers"]]
for size in [1, 2, 3, 4]:
    seen = []
    for page in s3.get_paginator("list_object_versions").paginate(
        **B, PaginationConfig={"PageSize": size}
    ):
        items = page.get("Versions", []) + page.get("DeleteMarkers", [])
        assert len(items) <= size
        seen += [(item["Key"], item["VersionId"]) for item in items]
        latest = [item["Key"] for item in items if item["IsLatest"]]
        assert len(latest) == len(set(latest))
    assert sorted(seen) == sorted(everything), (size, seen)
latest = [item["Key"] for item in whole["Versions"] + whole["DeleteMarkers"] if item["IsLatest"]]
assert sorted(latest) == ["k", "old", "p/a", "p/b", "q"]
page = s3.list_object_versions(**B, Delimiter="/")
assert [item["Prefix"] for item in page["CommonPrefixes"]] == ["p/"]

several = s3.delete_objects(**B, Delete={"Objects": [
    {"Key": "q"}, {"Key": "old", "VersionId": newer}, {"Key": "bad", "VersionId": "x"}
]})
by_key = {item["Key"]: item for item in several["Deleted"]}
assert by_key["q"]["DeleteMarker"] and by_key["q"]["DeleteMarkerVersionId"]
assert by_key["old"]["VersionId"] == newer
assert several["Errors"][0]["Code"] == "InvalidArgument"
refused("BucketNotEmpty", s3.delete_bucket, **B)
page = s3.list_object_versions(**B)
targets = page.get("Versions", []) + page.get("DeleteMarkers", [])
s3.delete_objects(**B, Delete={"Quiet": True, "Objects": [
    {"Key": item["Key"], "VersionId": item["VersionId"]} for item in targets
]})
s3.delete_bucket(**B)
print("ok")
