"""S3, by boto3 and the AWS CLI."""

import base64
import hashlib
import io
import os
import threading
import time
import urllib.error
import urllib.request

import botocore.exceptions
import pytest

import harness
from calls import refused
from conftest import unique


def body(yard, bucket, key, **more):
    return yard.s3.get_object(Bucket=bucket, Key=key, **more)["Body"].read()


def code(caught):
    error = caught.value.response
    return error["ResponseMetadata"]["HTTPStatusCode"], error["Error"]["Code"]


def test_buckets_are_made_listed_found_and_deleted(yard):
    name = unique("made")
    yard.s3.create_bucket(
        Bucket=name, CreateBucketConfiguration={"LocationConstraint": harness.REGION}
    )
    assert name in [b["Name"] for b in yard.s3.list_buckets()["Buckets"]]
    yard.s3.head_bucket(Bucket=name)
    assert yard.s3.get_bucket_location(Bucket=name)["LocationConstraint"] == harness.REGION
    yard.s3.delete_bucket(Bucket=name)
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        yard.s3.head_bucket(Bucket=name)
    assert code(caught)[0] == 404


def test_a_bucket_that_holds_something_is_not_deleted(yard, bucket):
    yard.s3.put_object(Bucket=bucket, Key="a", Body=b"a")
    refused(yard.s3.delete_bucket, "BucketNotEmpty", status=409, Bucket=bucket)


def test_a_bucket_that_is_there_is_not_made_again(yard, bucket):
    refused(
        yard.s3.create_bucket,
        "BucketAlreadyOwnedByYou",
        status=409,
        Bucket=bucket,
        CreateBucketConfiguration={"LocationConstraint": harness.REGION},
    )


@pytest.mark.parametrize(
    "key",
    [
        "plain",
        "a/b/c",
        "with space",
        "plus+and%25percent",
        "ümläut/日本",
        "..",
        "../../escape",
        "a//b",
        "/leading",
        "trailing/",
        ".",
        "a/./b",
        "k" * 1024,
        "quote'\"&<>",
    ],
)
def test_an_object_of_any_key_comes_back(yard, bucket, key):
    content = key.encode()
    yard.s3.put_object(Bucket=bucket, Key=key, Body=content)
    assert body(yard, bucket, key) == content
    assert [o["Key"] for o in yard.s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]
    assert not (yard.data_dir.parent / "escape").exists()
    yard.s3.delete_object(Bucket=bucket, Key=key)
    assert "Contents" not in yard.s3.list_objects_v2(Bucket=bucket)


def test_headers_metadata_and_tags_are_kept(yard, bucket):
    given = {
        "ContentType": "text/x-thing",
        "CacheControl": "no-cache",
        "ContentEncoding": "identity",
        "ContentLanguage": "de",
        "ContentDisposition": "attachment",
        "Metadata": {"one": "1", "two": "b c"},
    }
    yard.s3.put_object(Bucket=bucket, Key="k", Body=b"x", Tagging="team=builds&empty=", **given)
    head = yard.s3.head_object(Bucket=bucket, Key="k")
    assert {name: head[name] for name in given} == given
    assert head["ETag"] == f'"{hashlib.md5(b"x").hexdigest()}"'
    tags = yard.s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"]
    assert {t["Key"]: t["Value"] for t in tags} == {"team": "builds", "empty": ""}
    yard.s3.put_object_tagging(
        Bucket=bucket, Key="k", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]}
    )
    assert yard.s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == [
        {"Key": "a", "Value": "b"}
    ]
    yard.s3.delete_object_tagging(Bucket=bucket, Key="k")
    assert yard.s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == []


def test_what_is_missing_is_said_to_be(yard, bucket):
    refused(yard.s3.get_object, "NoSuchKey", status=404, Bucket=bucket, Key="absent")
    refused(yard.s3.get_object, "NoSuchBucket", status=404, Bucket=unique("absent"), Key="a")
    refused(yard.s3.list_objects_v2, "NoSuchBucket", status=404, Bucket=unique("absent"))


def test_ranges(yard, bucket):
    yard.s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789")
    got = yard.s3.get_object(Bucket=bucket, Key="k", Range="bytes=2-4")
    assert (got["ContentRange"], got["Body"].read()) == ("bytes 2-4/10", b"234")
    assert got["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert body(yard, bucket, "k", Range="bytes=7-") == b"789"
    assert body(yard, bucket, "k", Range="bytes=-3") == b"789"
    assert body(yard, bucket, "k", Range="bytes=8-99") == b"89"
    refused(
        yard.s3.get_object, "InvalidRange", status=416, Bucket=bucket, Key="k", Range="bytes=10-"
    )


def test_puts_that_wait_to_be_told_to_go_on_follow_each_other(yard, bucket):
    """boto3 waits for `100 Continue` with every body, and takes an answer without one ill."""
    in_turn = yard.client("s3", max_pool_connections=1, read_timeout=5)
    absent = {"Bucket": unique("absent"), "Key": "k", "Body": b"x" * 100_000}
    for content in (b"", b"x", b"", b"", b"y"):
        in_turn.put_object(Bucket=bucket, Key="k", Body=content)
        assert body(yard, bucket, "k") == content
    for content in (b"x", b""):
        refused(in_turn.put_object, "NoSuchBucket", status=404, **absent)
        in_turn.put_object(Bucket=bucket, Key="k", Body=content)
        assert body(yard, bucket, "k") == content


def test_conditions_on_reads(yard, bucket):
    made = yard.s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    where = {"Bucket": bucket, "Key": "k"}
    modified = yard.s3.head_object(**where)["LastModified"]
    assert body(yard, bucket, "k", IfMatch=made["ETag"]) == b"x"
    for condition in ({"IfNoneMatch": made["ETag"]}, {"IfModifiedSince": modified}):
        with pytest.raises(botocore.exceptions.ClientError) as caught:
            yard.s3.get_object(**where, **condition)
        assert code(caught)[0] == 304
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        yard.s3.get_object(**where, IfMatch='"0"')
    assert code(caught) == (412, "PreconditionFailed")


def test_conditions_on_writes(yard, bucket):
    where = {"Bucket": bucket, "Key": "k"}
    made = yard.s3.put_object(**where, Body=b"1", IfNoneMatch="*")
    refused(
        yard.s3.put_object, "PreconditionFailed", status=412, **where, Body=b"2", IfNoneMatch="*"
    )
    refused(yard.s3.put_object, "PreconditionFailed", status=412, **where, Body=b"2", IfMatch='"0"')
    yard.s3.put_object(**where, Body=b"2", IfMatch=made["ETag"])
    assert body(yard, bucket, "k") == b"2"


def test_a_refused_put_does_not_disturb_the_next_request_of_its_connection(yard, bucket):
    """A client that is refused before it sent the body sends none; nobody may wait for it."""
    where = {"Bucket": bucket, "Key": "k"}
    made = yard.s3.put_object(**where, Body=b"1")
    for _ in range(40):
        put = yard.s3.put_object
        refused(put, "PreconditionFailed", status=412, **where, Body=b"2", IfNoneMatch="*")
        yard.s3.put_object(**where, Body=b"1", IfMatch=made["ETag"])


def test_of_many_who_write_if_none_is_there_one_wins(yard, bucket):
    won = []

    def write(n):
        client = yard.new_client("s3")
        try:
            client.put_object(Bucket=bucket, Key="k", Body=str(n).encode(), IfNoneMatch="*")
            won.append(str(n).encode())
        except botocore.exceptions.ClientError:
            pass

    writers = [threading.Thread(target=write, args=(n,)) for n in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert won == [body(yard, bucket, "k")]


def test_a_copy_and_its_metadata(yard, bucket):
    yard.s3.put_object(Bucket=bucket, Key="a b", Body=b"x", Metadata={"m": "1"})
    source = {"Bucket": bucket, "Key": "a b"}
    yard.s3.copy_object(Bucket=bucket, Key="kept", CopySource=source)
    assert yard.s3.head_object(Bucket=bucket, Key="kept")["Metadata"] == {"m": "1"}
    yard.s3.copy_object(
        Bucket=bucket,
        Key="new",
        CopySource=source,
        MetadataDirective="REPLACE",
        Metadata={"m": "2"},
    )
    assert yard.s3.head_object(Bucket=bucket, Key="new")["Metadata"] == {"m": "2"}
    assert body(yard, bucket, "new") == b"x"


def test_many_are_deleted_at_once(yard, bucket):
    for n in range(5):
        yard.s3.put_object(Bucket=bucket, Key=f"k{n}", Body=b"")
    answer = yard.s3.delete_objects(
        Bucket=bucket,
        Delete={"Objects": [{"Key": f"k{n}"} for n in range(4)] + [{"Key": "absent"}]},
    )
    assert len(answer["Deleted"]) == 5
    assert [o["Key"] for o in yard.s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["k4"]


@pytest.mark.parametrize("list_them", ["list_objects", "list_objects_v2"])
def test_lists_have_prefixes_delimiters_and_pages(yard, bucket, list_them):
    keys = ["a/1", "a/2", "a/b/3", "b/4", "c", "ä"]
    for key in keys:
        yard.s3.put_object(Bucket=bucket, Key=key, Body=b"")

    def listed(size, **more):
        pages = yard.s3.get_paginator(list_them).paginate(
            Bucket=bucket, PaginationConfig={"PageSize": size}, **more
        )
        found, prefixes = [], []
        for page in pages:
            found += [o["Key"] for o in page.get("Contents", [])]
            prefixes += [p["Prefix"] for p in page.get("CommonPrefixes", [])]
            assert len(page.get("Contents", [])) + len(page.get("CommonPrefixes", [])) <= size
        return found, prefixes

    for size in (1, 2, 1000):
        assert listed(size) == (keys, [])
        assert listed(size, Prefix="a/") == (["a/1", "a/2", "a/b/3"], [])
        assert listed(size, Delimiter="/") == (["c", "ä"], ["a/", "b/"])
        assert listed(size, Prefix="a/", Delimiter="/") == (["a/1", "a/2"], ["a/b/"])


def test_an_upload_in_parts(yard, bucket):
    content = os.urandom(11 * 1024 * 1024)
    yard.s3.upload_fileobj(io.BytesIO(content), bucket, "big")
    assert body(yard, bucket, "big") == content
    etag = yard.s3.head_object(Bucket=bucket, Key="big")["ETag"]
    assert etag.strip('"').endswith("-2")
    assert yard.s3.list_multipart_uploads(Bucket=bucket).get("Uploads", []) == []


def test_the_parts_of_an_upload(yard, bucket):
    where = {"Bucket": bucket, "Key": "k"}
    upload = yard.s3.create_multipart_upload(**where, Metadata={"m": "1"})["UploadId"]
    where["UploadId"] = upload
    five = 5 * 1024 * 1024
    parts = [
        yard.s3.upload_part(**where, PartNumber=n, Body=bytes([n]) * size)["ETag"]
        for n, size in ((1, five), (2, five), (3, 10))
    ]
    assert [p["PartNumber"] for p in yard.s3.list_parts(**where)["Parts"]] == [1, 2, 3]
    chosen = [{"PartNumber": n, "ETag": parts[n - 1]} for n in (1, 3)]
    wrong = [{"PartNumber": 1, "ETag": '"0"'}]
    refused(
        yard.s3.complete_multipart_upload, "InvalidPart", **where, MultipartUpload={"Parts": wrong}
    )
    refused(
        yard.s3.complete_multipart_upload,
        "InvalidPartOrder",
        **where,
        MultipartUpload={"Parts": chosen[::-1]},
    )
    yard.s3.complete_multipart_upload(**where, MultipartUpload={"Parts": chosen})
    assert body(yard, bucket, "k") == b"\1" * five + b"\3" * 10
    refused(yard.s3.list_parts, "NoSuchUpload", status=404, **where)


def test_an_upload_that_is_given_up_leaves_nothing(yard, bucket):
    where = {"Bucket": bucket, "Key": "k"}
    upload = yard.s3.create_multipart_upload(**where)["UploadId"]
    yard.s3.upload_part(**where, UploadId=upload, PartNumber=1, Body=b"x")
    yard.s3.abort_multipart_upload(**where, UploadId=upload)
    assert "Uploads" not in yard.s3.list_multipart_uploads(Bucket=bucket)
    refused(yard.s3.get_object, "NoSuchKey", status=404, **where)


def test_versions(yard, bucket):
    yard.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    where = {"Bucket": bucket, "Key": "k"}
    first, second = (yard.s3.put_object(**where, Body=b)["VersionId"] for b in (b"1", b"2"))
    assert body(yard, bucket, "k") == b"2"
    assert body(yard, bucket, "k", VersionId=first) == b"1"
    marker = yard.s3.delete_object(**where)
    assert marker["DeleteMarker"] is True
    refused(yard.s3.get_object, "NoSuchKey", status=404, **where)
    listed = yard.s3.list_object_versions(Bucket=bucket)
    assert [v["VersionId"] for v in listed["Versions"]] == [second, first]
    assert [m["IsLatest"] for m in listed["DeleteMarkers"]] == [True]
    yard.s3.delete_object(**where, VersionId=marker["VersionId"])
    assert body(yard, bucket, "k") == b"2"
    yard.s3.delete_object(**where, VersionId=second)
    assert body(yard, bucket, "k") == b"1"


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "SHA1", "SHA256", "CRC64NVME"])
def test_a_checksum_is_verified_and_given_back(yard, bucket, algorithm):
    if algorithm in ("CRC32C", "CRC64NVME"):
        pytest.importorskip("awscrt", reason="botocore needs awscrt for this algorithm")
    where = {"Bucket": bucket, "Key": "k"}
    made = yard.s3.put_object(**where, Body=b"content", ChecksumAlgorithm=algorithm)
    head = yard.s3.head_object(**where, ChecksumMode="ENABLED")
    assert head[f"Checksum{algorithm}"] == made[f"Checksum{algorithm}"]


def test_a_wrong_checksum_is_refused_and_nothing_is_written(yard, bucket):
    where = {"Bucket": bucket, "Key": "k"}
    wrong = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
    refused(yard.s3.put_object, "BadDigest", **where, Body=b"content", ChecksumSHA256=wrong)
    md5 = base64.b64encode(hashlib.md5(b"other").digest()).decode()
    refused(yard.s3.put_object, "BadDigest", **where, Body=b"content", ContentMD5=md5)
    refused(yard.s3.head_object, "404", status=404, **where)


def fetch(url, data=None, method="GET"):
    request = urllib.request.Request(url, data=data, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.read()


def test_a_presigned_url_works_until_it_expires(yard, bucket):
    where = {"Bucket": bucket, "Key": "a b/ü"}
    client = yard.client("s3", signature_version="s3v4")
    put = client.generate_presigned_url("put_object", Params=where, ExpiresIn=60)
    assert fetch(put, b"signed", "PUT")[0] == 200
    get = client.generate_presigned_url("get_object", Params=where, ExpiresIn=60)
    assert fetch(get) == (200, b"signed")
    assert fetch(get.replace("X-Amz-Expires=60", "X-Amz-Expires=61"))[0] == 403
    assert fetch(get[:-1] + ("0" if get[-1] != "0" else "1"))[0] == 403
    short = client.generate_presigned_url("get_object", Params=where, ExpiresIn=1)
    status, text = harness.wait_for(
        lambda: (a := fetch(short))[0] != 200 and a, "the expiry", 5, 0.1
    )
    assert status == 403
    assert b"AccessDenied" in text and b"expired" in text


def test_an_unsigned_request_is_refused(yard, bucket):
    yard.s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    status, text = fetch(f"{yard.url}/{bucket}/k")
    assert (status, b"AccessDenied" in text) == (403, True)


@pytest.mark.parametrize("version", [1, 2], ids=["cli-v1", "cli-v2"])
def test_the_cli_copies_syncs_and_removes(yard, bucket, tmp_path, version):
    tree = tmp_path / "tree"
    (tree / "in").mkdir(parents=True)
    (tree / "a.txt").write_text("a")
    (tree / "in/b b.txt").write_text("b")
    (tree / "big").write_bytes(os.urandom(9 * 1024 * 1024))
    yard.aws("s3", "sync", tree, f"s3://{bucket}/t", version=version)
    back = tmp_path / "back"
    yard.aws("s3", "sync", f"s3://{bucket}/t", back, version=version)
    for path in ("a.txt", "in/b b.txt", "big"):
        assert (back / path).read_bytes() == (tree / path).read_bytes()
    assert (
        "in/b b.txt"
        in yard.aws("s3", "ls", "--recursive", f"s3://{bucket}", version=version).stdout
    )
    yard.aws("s3", "mv", f"s3://{bucket}/t/a.txt", f"s3://{bucket}/moved", version=version)
    yard.aws("s3", "rb", "--force", f"s3://{bucket}", version=version)
    assert bucket not in yard.aws("s3", "ls", version=version).stdout


def test_a_killed_server_leaves_the_old_object_or_the_new_one(own_yard):
    yard = own_yard().start()
    yard.s3.create_bucket(
        Bucket="b-kill", CreateBucketConfiguration={"LocationConstraint": harness.REGION}
    )
    contents = {str(n).encode() * (3 << 20) for n in range(1, 4)}
    yard.s3.put_object(Bucket="b-kill", Key="k", Body=sorted(contents)[0])

    def write():
        """Puts one content after the other until the server is gone."""
        client = yard.new_client("s3")
        while True:
            for content in sorted(contents):
                try:
                    client.put_object(Bucket="b-kill", Key="k", Body=content)
                except botocore.exceptions.BotoCoreError:
                    return

    for _ in range(3):
        writer = threading.Thread(target=write)
        writer.start()
        time.sleep(0.15)  # in the middle of one write or another
        yard.kill()
        writer.join()
        yard.start()
        got = yard.s3.get_object(Bucket="b-kill", Key="k")
        content = got["Body"].read()
        assert content in contents
        assert got["ETag"] == f'"{hashlib.md5(content).hexdigest()}"'
        assert len(yard.s3.list_objects_v2(Bucket="b-kill")["Contents"]) == 1
