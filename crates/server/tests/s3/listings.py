"""Listings: prefixes, delimiters, pages, markers, both versions of the operation."""

import boto3
from botocore.exceptions import ClientError

s3 = boto3.client("s3")
s3.create_bucket(Bucket="listings")
keys = ["a", "b/1", "b/2", "b/c/1", "b/c/2", "b0", "c/", "c/x y", "c/z+%", "d//e", "é/ü", "z"]
for key in keys:
    s3.put_object(Bucket="listings", Key=key, Body=b"1")
keys.sort(key=str.encode)


def expected(prefix, delimiter):
    entries, prefixes = [], []
    for key in keys:
        if not key.startswith(prefix):
            continue
        at = key.find(delimiter, len(prefix)) if delimiter else -1
        if at < 0:
            entries.append(key)
        elif key[: at + len(delimiter)] not in prefixes:
            prefixes.append(key[: at + len(delimiter)])
    return entries, prefixes


for prefix in ["", "b", "b/", "b/c", "c/", "d/", "é", "nothing", "z"]:
    for delimiter in ["", "/", "c", "1", "//"]:
        for size in [1, 2, 3, 1000]:
            for operation in ["list_objects_v2", "list_objects"]:
                entries, prefixes, pages = [], [], 0
                paginator = s3.get_paginator(operation)
                for page in paginator.paginate(
                    Bucket="listings", Prefix=prefix, Delimiter=delimiter,
                    PaginationConfig={"PageSize": size},
                ):
                    shown = page.get("Contents", []), page.get("CommonPrefixes", [])
                    assert len(shown[0]) + len(shown[1]) <= size
                    if operation == "list_objects_v2":
                        assert page["KeyCount"] == len(shown[0]) + len(shown[1])
                    entries += [item["Key"] for item in shown[0]]
                    prefixes += [item["Prefix"] for item in shown[1]]
                    pages += 1
                case = operation, prefix, delimiter, size
                assert (entries, prefixes) == expected(prefix, delimiter), (case, entries, prefixes)
                assert pages == max(1, -(-(len(entries) + len(prefixes)) // size)), (case, pages)

page = s3.list_objects_v2(Bucket="listings", StartAfter="b/2", MaxKeys=2)
assert [item["Key"] for item in page["Contents"]] == ["b/c/1", "b/c/2"] and page["IsTruncated"]
assert page["StartAfter"] == "b/2" and page["MaxKeys"] == 2
page = s3.list_objects(Bucket="listings", Marker="c", MaxKeys=1)
assert page["Contents"][0]["Key"] == "c/" and "Owner" in page["Contents"][0]
item = s3.list_objects_v2(Bucket="listings", Prefix="a", FetchOwner=True)["Contents"][0]
assert item["Size"] == 1 and item["ETag"] == '"c4ca4238a0b923820dcc509a6f75849b"'
assert item["StorageClass"] == "STANDARD" and item["Owner"]["ID"]
assert item["ChecksumAlgorithm"] == ["CRC32"] and item["ChecksumType"] == "FULL_OBJECT", item
page = s3.list_objects_v2(Bucket="listings", MaxKeys=0)
assert page["KeyCount"] == 0 and not page["IsTruncated"]
assert s3.list_objects_v2(Bucket="listings", MaxKeys=5000)["MaxKeys"] == 1000
for arguments in [{"MaxKeys": -1}, {"ContinuationToken": "*"}]:
    try:
        s3.list_objects_v2(Bucket="listings", **arguments)
        raise AssertionError(arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == "InvalidArgument"
try:
    s3.list_objects_v2(Bucket="not-there")
    raise AssertionError
except ClientError as error:
    assert error.response["Error"]["Code"] == "NoSuchBucket"

for number in range(3):
    s3.create_bucket(Bucket=f"page-{number}")
page = s3.list_buckets(Prefix="page-", MaxBuckets=2)
assert [item["Name"] for item in page["Buckets"]] == ["page-0", "page-1"]
page = s3.list_buckets(Prefix="page-", ContinuationToken=page["ContinuationToken"])
assert [item["Name"] for item in page["Buckets"]] == ["page-2"]
print("ok")
