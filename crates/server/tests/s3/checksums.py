"""Checksums in headers and in trailers: verified, kept, given back."""

import base64
import hashlib
import http.client
import io
import os
import urllib.parse
import zlib

import boto3
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

s3 = boto3.client("s3")
B = {"Bucket": "checksums"}


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error.response
        return
    raise AssertionError(f"{code} expected")


def b64(data):
    return base64.b64encode(data).decode()


def crc(data, width, polynomial):
    """A reflected CRC, bit by bit in a table."""
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (polynomial if value & 1 else 0)
        table.append(value)
    ones = value = (1 << width) - 1
    for byte in data:
        value = table[(value ^ byte) & 0xFF] ^ value >> 8
    return b64((value ^ ones).to_bytes(width // 8, "big"))


s3.create_bucket(**B)
body = os.urandom(300_000)
values = {
    "CRC32C": crc(body, 32, 0x82F63B78),
    "CRC64NVME": crc(body, 64, 0x9A6C9329AC4BC9B5),
    "CRC32": b64(zlib.crc32(body).to_bytes(4, "big")),
    "SHA1": b64(hashlib.sha1(body).digest()),
    "SHA256": b64(hashlib.sha256(body).digest()),
}
for algorithm in ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"]:
    name = f"Checksum{algorithm}"
    # boto3 sends a stream with a trailing checksum, bytes with one in a header.
    # It cannot compute all of them.
    asked = {"ChecksumAlgorithm": algorithm}
    if algorithm in ("CRC32C", "CRC64NVME"):
        asked = {name: values[algorithm]}
    for data in [body, io.BytesIO(body)]:
        put = s3.put_object(**B, Key=algorithm, Body=data, **asked)
        assert put["ChecksumType"] == "FULL_OBJECT"
        assert put[name] == values[algorithm], algorithm
        got = s3.get_object(**B, Key=algorithm, ChecksumMode="ENABLED")
        assert got[name] == put[name] and got["Body"].read() == body
        head = s3.head_object(**B, Key=algorithm, ChecksumMode="ENABLED")
        assert head[name] == put[name]
        ranged = s3.get_object(**B, Key=algorithm, ChecksumMode="ENABLED", Range="bytes=0-9")
        assert name not in ranged
    wrong = b64(bytes(len(base64.b64decode(values[algorithm]))))
    refused("BadDigest", s3.put_object, **B, Key="bad", Body=body, **{name: wrong})
    refused("InvalidRequest", s3.put_object, **B, Key="bad", Body=body, **{name: "AAA="})
plain = boto3.client("s3", config=Config(
    request_checksum_calculation="when_required", response_checksum_validation="when_required"
))
plain.put_object(**B, Key="default", Body=body)
head = s3.head_object(**B, Key="default", ChecksumMode="ENABLED")
assert head["ChecksumCRC64NVME"] == s3.head_object(**B, Key="CRC64NVME", ChecksumMode="ENABLED")["ChecksumCRC64NVME"]
assert "ChecksumCRC64NVME" not in plain.head_object(**B, Key="default")
plain.put_object(**B, Key="md5", Body=body, ContentMD5=b64(hashlib.md5(body).digest()))
refused("BadDigest", plain.put_object, **B, Key="bad", Body=body, ContentMD5=b64(bytes(16)))
refused("InvalidDigest", plain.put_object, **B, Key="bad", Body=body, ContentMD5="AAAA")
refused("404", s3.head_object, **B, Key="bad")

# Uploads that no client library would send.
endpoint = urllib.parse.urlsplit(os.environ["AWS_ENDPOINT_URL"])
credentials = Credentials(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"])


def raw(payload, content_sha256, key="raw", send=None, **headers):
    url = f"{os.environ['AWS_ENDPOINT_URL']}/checksums/{key}"
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    request = AWSRequest("PUT", url, headers=headers, data=payload)
    request.context["payload_signing_enabled"] = False
    request.headers["X-Amz-Content-SHA256"] = content_sha256
    auth = S3SigV4Auth(credentials, "s3", "us-east-1")
    auth.payload = lambda request: content_sha256
    auth.add_auth(request)
    connection = http.client.HTTPConnection(endpoint.hostname, endpoint.port, timeout=20)
    request.headers["Content-Length"] = str(len(payload))
    connection.putrequest("PUT", f"/checksums/{key}", skip_accept_encoding=True)
    for name, value in request.headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    connection.send(payload if send is None else send)
    if send is not None:
        connection.sock.shutdown(1)
    response = connection.getresponse()
    return response.status, response.read().decode()


def chunked(data, trailer):
    return b"%x\r\n%s\r\n0\r\n%s\r\n" % (len(data), data, trailer)


crc = b"x-amz-checksum-crc32:" + b64(zlib.crc32(b"abc").to_bytes(4, "big")).encode() + b"\r\n"
streamed = {
    "x_amz_trailer": "x-amz-checksum-crc32", "x_amz_decoded_content_length": "3",
    "content_encoding": "aws-chunked",
}
unsigned = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
assert raw(chunked(b"abc", crc), unsigned, **streamed)[0] == 200
head = s3.head_object(**B, Key="raw", ChecksumMode="ENABLED")
assert head["ContentLength"] == 3 and head["ChecksumCRC32"] and "ContentEncoding" not in head
for payload, code in [
    (chunked(b"abd", crc), "BadDigest"),
    (chunked(b"abc", b""), "MalformedTrailerError"),
    (chunked(b"abcd", crc), "IncompleteBody"),
    (b"3\r\nabc\r\n", "MalformedTrailerError"),
    (b"5\r\nabc", "IncompleteBody"),
]:
    status, text = raw(payload, unsigned, key="torn", **streamed)
    assert status == 400 and f"<Code>{code}</Code>" in text, (payload, status, text)
status, text = raw(b"abc", hashlib.sha256(b"abd").hexdigest(), key="torn")
assert status == 400 and "XAmzContentSHA256Mismatch" in text, (status, text)
assert raw(b"abc", "UNSIGNED-PAYLOAD", key="unsigned")[0] == 200
refused("404", s3.head_object, **B, Key="torn")
print("ok")
