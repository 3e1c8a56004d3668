"""Multipart uploads: parts in any order, checksums, copies, conditions, listings, abort."""

import base64
import hashlib
import io
import os
import zlib

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

s3 = boto3.client("s3")
plain = boto3.client("s3", config=Config(request_checksum_calculation="when_required"))
B = {"Bucket": "multipart"}
MIB = 1 << 20


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error.response
        return error.response
    raise AssertionError(f"{code} expected")


def etag(parts):
    whole = hashlib.md5(b"".join(hashlib.md5(part).digest() for part in parts)).hexdigest()
    return f'"{whole}-{len(parts)}"'


def crc32(data):
    return base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


s3.create_bucket(**B)
parts = [os.urandom(5 * MIB), os.urandom(6 * MIB + 3), b"the end"]
begun = s3.create_multipart_upload(
    **B, Key="k", ContentType="text/x", Metadata={"m": "1"}, Tagging="t=1"
)
U = {**B, "Key": "k", "UploadId": begun["UploadId"]}
done = {}
for number in [3, 1, 2]:
    put = s3.upload_part(**U, PartNumber=number, Body=b"replaced" if number == 3 else parts[number - 1])
    done[number] = put["ETag"]
done[3] = s3.upload_part(**U, PartNumber=3, Body=parts[2])["ETag"]
listed = s3.list_parts(**U)
assert [part["PartNumber"] for part in listed["Parts"]] == [1, 2, 3]
assert [part["Size"] for part in listed["Parts"]] == [len(part) for part in parts]
page = s3.list_parts(**U, MaxParts=2)
assert page["IsTruncated"] and page["NextPartNumberMarker"] == 2
assert [p["PartNumber"] for p in s3.list_parts(**U, PartNumberMarker=2)["Parts"]] == [3]
assert [u["Key"] for u in s3.list_multipart_uploads(**B)["Uploads"]] == ["k"]
refused("NoSuchKey", s3.get_object, **B, Key="k")


def named(*numbers):
    return {"Parts": [{"PartNumber": number, "ETag": done[number]} for number in numbers]}


refused("InvalidPartOrder", s3.complete_multipart_upload, **U, MultipartUpload=named(2, 1))
refused("EntityTooSmall", s3.complete_multipart_upload, **U, MultipartUpload={"Parts": [
    {"PartNumber": 3, "ETag": done[3]}, {"PartNumber": 4, "ETag": done[3]}
]} if s3.upload_part(**U, PartNumber=4, Body=parts[2]) else None)
refused("InvalidPart", s3.complete_multipart_upload, **U, MultipartUpload={"Parts": [
    {"PartNumber": 1, "ETag": done[2]}
]})
refused("MalformedXML", s3.complete_multipart_upload, **U, MultipartUpload={"Parts": []})
completed = s3.complete_multipart_upload(**U, MultipartUpload=named(1, 2, 3))
assert completed["ETag"] == etag(parts), completed["ETag"]
refused("NoSuchUpload", s3.complete_multipart_upload, **U, MultipartUpload=named(1, 2, 3))
refused("NoSuchUpload", s3.upload_part, **U, PartNumber=1, Body=b"late")
whole = b"".join(parts)
got = s3.get_object(**B, Key="k")
assert got["Body"].read() == whole and got["ContentType"] == "text/x" and got["Metadata"] == {"m": "1"}
assert got["TagCount"] == 1
across = f"bytes={5 * MIB - 10}-{11 * MIB + 5}"
assert s3.get_object(**B, Key="k", Range=across)["Body"].read() == whole[5 * MIB - 10 : 11 * MIB + 6]
second = s3.get_object(**B, Key="k", PartNumber=2)
assert second["Body"].read() == parts[1] and second["PartsCount"] == 3
assert s3.head_object(**B, Key="k", PartNumber=3)["ContentLength"] == 7
refused("InvalidPartNumber", s3.get_object, **B, Key="k", PartNumber=4)
assert "Uploads" not in s3.list_multipart_uploads(**B)

# The transfer manager, with its default checksums.
s3.upload_fileobj(io.BytesIO(whole), "multipart", "managed", Config=TransferConfig(
    multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB
))
back = io.BytesIO()
s3.download_fileobj("multipart", "managed", back)
assert back.getvalue() == whole

# Checksums over parts and over the whole.
for algorithm, kind in [
    ("CRC32", "COMPOSITE"), ("CRC32", "FULL_OBJECT"), ("CRC32C", "COMPOSITE"),
    ("CRC32C", "FULL_OBJECT"), ("CRC64NVME", "FULL_OBJECT"), ("SHA1", "COMPOSITE"),
    ("SHA256", "COMPOSITE"),
]:
    name = f"Checksum{algorithm}"
    begun = s3.create_multipart_upload(
        **B, Key="sum", ChecksumAlgorithm=algorithm, ChecksumType=kind
    )
    assert begun["ChecksumType"] == kind
    U = {**B, "Key": "sum", "UploadId": begun["UploadId"]}
    s3.put_object(**B, Key="single", Body=whole)
    single = s3.copy_object(
        **B, Key="single", CopySource="multipart/single", ChecksumAlgorithm=algorithm
    )["CopyObjectResult"]
    # boto3 alone cannot compute the others; then the service does.
    computes = {"ChecksumAlgorithm": algorithm} if algorithm in ("CRC32", "SHA1", "SHA256") else {}
    named_parts, uploader = [], s3 if computes else plain
    for number, part in enumerate(parts, 1):
        put = uploader.upload_part(**U, PartNumber=number, Body=part, **computes)
        named_parts.append({"PartNumber": number, "ETag": put["ETag"], name: put[name]})
    completed = s3.complete_multipart_upload(**U, MultipartUpload={"Parts": named_parts})
    assert completed["ChecksumType"] == kind
    if kind == "FULL_OBJECT":
        assert completed[name] == single[name], (algorithm, completed, single)
    else:
        assert completed[name].endswith("-3")
        joined = b"".join(base64.b64decode(part[name]) for part in named_parts)
        if algorithm in ("SHA1", "SHA256", "CRC32"):
            digest = {"SHA1": hashlib.sha1, "SHA256": hashlib.sha256}.get(algorithm)
            value = base64.b64encode(digest(joined).digest()).decode() if digest else crc32(joined)
            assert completed[name] == f"{value}-3"
    head = s3.head_object(**B, Key="sum", ChecksumMode="ENABLED")
    assert head[name] == completed[name] and head["ChecksumType"] == kind
    shown = s3.get_object_attributes(
        **B, Key="sum", ObjectAttributes=["Checksum", "ObjectParts", "ObjectSize", "ETag", "StorageClass"]
    )
    assert shown["Checksum"][name] == completed[name].split("-")[0]
    assert shown["ObjectParts"]["TotalPartsCount"] == 3 and shown["ObjectSize"] == len(whole)
    assert [part["Size"] for part in shown["ObjectParts"]["Parts"]] == [len(p) for p in parts]
    assert [part[name] for part in shown["ObjectParts"]["Parts"]] == [p[name] for p in named_parts]
refused("InvalidRequest", s3.create_multipart_upload, **B, Key="x", ChecksumAlgorithm="SHA1", ChecksumType="FULL_OBJECT")
begun = s3.create_multipart_upload(**B, Key="sum", ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT")
U = {**B, "Key": "sum", "UploadId": begun["UploadId"]}
put = s3.upload_part(**U, PartNumber=1, Body=b"abc", ChecksumAlgorithm="CRC32")
one = {"Parts": [{"PartNumber": 1, "ETag": put["ETag"], "ChecksumCRC32": put["ChecksumCRC32"]}]}
refused("BadDigest", s3.complete_multipart_upload, **U, MultipartUpload=one, ChecksumCRC32=crc32(b"abd"), ChecksumType="FULL_OBJECT")
refused("InvalidRequest", s3.complete_multipart_upload, **U, MultipartUpload=one, MpuObjectSize=4)
refused("BadDigest", s3.upload_part, **U, PartNumber=2, Body=b"abc", ChecksumCRC32=crc32(b"abd"))
refused("InvalidRequest", s3.upload_part, **U, PartNumber=2, Body=b"abc", ChecksumAlgorithm="SHA256")
s3.complete_multipart_upload(**U, MultipartUpload=one, ChecksumCRC32=crc32(b"abc"), ChecksumType="FULL_OBJECT", MpuObjectSize=3)

# Part copies, of a whole object and of a range.
begun = s3.create_multipart_upload(**B, Key="copied")
U = {**B, "Key": "copied", "UploadId": begun["UploadId"]}
source = {"Bucket": "multipart", "Key": "k"}
one = s3.upload_part_copy(**U, PartNumber=1, CopySource=source, CopySourceRange=across)
two = s3.upload_part_copy(**U, PartNumber=2, CopySource=source)
assert one["CopyPartResult"]["ETag"].strip('"') == hashlib.md5(whole[5 * MIB - 10 : 11 * MIB + 6]).hexdigest()
refused("InvalidArgument", s3.upload_part_copy, **U, PartNumber=3, CopySource=source, CopySourceRange="bytes=0-99999999")
refused("NoSuchKey", s3.upload_part_copy, **U, PartNumber=3, CopySource={"Bucket": "multipart", "Key": "no"})
s3.complete_multipart_upload(**U, MultipartUpload={"Parts": [
    {"PartNumber": n, "ETag": part["CopyPartResult"]["ETag"]} for n, part in [(1, one), (2, two)]
]})
s3.delete_object(**B, Key="k")
assert s3.get_object(**B, Key="copied")["Body"].read() == whole[5 * MIB - 10 : 11 * MIB + 6] + whole
copy = s3.copy_object(**B, Key="copied again", CopySource={"Bucket": "multipart", "Key": "copied"})
assert copy["CopyObjectResult"]["ETag"].strip('"') == hashlib.md5(
    whole[5 * MIB - 10 : 11 * MIB + 6] + whole
).hexdigest(), "a copy is an object of one piece"

# Abort, and pages of uploads.
ids = [s3.create_multipart_upload(**B, Key=key)["UploadId"] for key in ["u/1", "u/1", "u/2", "v"]]
seen = []
for page in s3.get_paginator("list_multipart_uploads").paginate(**B, PaginationConfig={"PageSize": 1}):
    seen += [item["UploadId"] for item in page.get("Uploads", [])]
assert sorted(seen) == sorted(ids)
page = s3.list_multipart_uploads(**B, Delimiter="/")
assert [item["Prefix"] for item in page["CommonPrefixes"]] == ["u/"]
s3.upload_part(**B, Key="v", UploadId=ids[3], PartNumber=1, Body=os.urandom(100_000))
s3.abort_multipart_upload(**B, Key="v", UploadId=ids[3])
refused("NoSuchUpload", s3.abort_multipart_upload, **B, Key="v", UploadId=ids[3])
refused("NoSuchUpload", s3.list_parts, **B, Key="other", UploadId=ids[0])
refused("InvalidArgument", s3.upload_part, **B, Key="u/1", UploadId=ids[0], PartNumber=10001, Body=b"")
begun = s3.create_multipart_upload(**B, Key="copied")
U = {**B, "Key": "copied", "UploadId": begun["UploadId"]}
put = s3.upload_part(**U, PartNumber=1, Body=b"x")
one = {"Parts": [{"PartNumber": 1, "ETag": put["ETag"]}]}
refused("PreconditionFailed", s3.complete_multipart_upload, **U, MultipartUpload=one, IfNoneMatch="*")
print("ok")
