"""Signatures, tokens, regions, presigned URLs, and what a limited key may do."""

import os
import urllib.error
import urllib.request

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

s3 = boto3.client("s3")
secret = os.environ["AWS_SECRET_ACCESS_KEY"]


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error.response
        assert error.response["Error"]["Message"] or code.isdigit()
        return error.response
    raise AssertionError(f"{code} expected")


def client(key, secret=secret, token=None, **config):
    return boto3.client("s3", aws_access_key_id=key, aws_secret_access_key=secret,
                        aws_session_token=token, config=Config(**config))


for bucket in ["limited", "forbidden"]:
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="mine/k", Body=b"text")
    s3.put_object(Bucket=bucket, Key="theirs/k", Body=b"text")

root = os.environ["AWS_ACCESS_KEY_ID"]
refused("SignatureDoesNotMatch", client(root, "wrong").list_buckets)
refused("InvalidAccessKeyId", client("AKIANOBODY").list_buckets)
refused("InvalidToken", client(root, token="unasked").list_buckets)
refused("AccessDenied", boto3.client("s3", config=Config(signature_version=UNSIGNED)).list_buckets)
refused("InvalidRequest", client(root, signature_version="s3").list_buckets)
response = refused("NoSuchKey", s3.get_object, Bucket="limited", Key="none")
assert response["Error"]["Message"] == "The specified key does not exist."
assert response["ResponseMetadata"]["RequestId"] and response["ResponseMetadata"]["HostId"]

key, token = os.environ["LIMITED_ACCESS_KEY_ID"], os.environ["LIMITED_SESSION_TOKEN"]
refused("InvalidToken", client(key).get_object, Bucket="limited", Key="mine/k")
refused("InvalidToken", client(key, token="wrong").get_object, Bucket="limited", Key="mine/k")
refused("ExpiredToken", client(os.environ["EXPIRED_ACCESS_KEY_ID"]).list_buckets)
limited = client(key, token=token)
assert limited.get_object(Bucket="limited", Key="mine/k")["Body"].read() == b"text"
limited.put_object(Bucket="limited", Key="mine/new", Body=b"x")
limited.copy_object(Bucket="limited", Key="mine/copy", CopySource="limited/mine/k")
refused("AccessDenied", limited.copy_object, Bucket="limited", Key="mine/copy", CopySource="forbidden/mine/k")
refused("AccessDenied", limited.get_object, Bucket="limited", Key="theirs/k")
refused("AccessDenied", limited.get_object, Bucket="forbidden", Key="mine/k")
refused("AccessDenied", limited.put_object, Bucket="limited", Key="theirs/new", Body=b"x")
refused("AccessDenied", limited.list_objects_v2, Bucket="limited")
refused("AccessDenied", limited.list_buckets)
refused("AccessDenied", limited.delete_objects, Bucket="limited", Delete={"Objects": [
    {"Key": "mine/new"}, {"Key": "theirs/k"}
]})
assert s3.head_object(Bucket="limited", Key="theirs/k")
upload = limited.create_multipart_upload(Bucket="limited", Key="mine/m")["UploadId"]
refused("AccessDenied", limited.upload_part_copy, Bucket="limited", Key="mine/m", UploadId=upload,
        PartNumber=1, CopySource="forbidden/mine/k")
limited.delete_objects(Bucket="limited", Delete={"Objects": [{"Key": "mine/new"}]})


def fetch(url, data=None, method="GET"):
    try:
        request = urllib.request.Request(url, data=data, method=method)
        return urllib.request.urlopen(request).read()
    except urllib.error.HTTPError as error:
        return error.code


for signer in [client(root, signature_version="s3v4"), client(root, signature_version="s3"),
               client(key, token=token, signature_version="s3v4"),
               client(key, token=token, signature_version="s3")]:
    get = signer.generate_presigned_url("get_object", {"Bucket": "limited", "Key": "mine/k"}, 60)
    assert fetch(get) == b"text", get
    assert fetch(get.replace("mine", "theirs")) == 403
    assert fetch(get, method="DELETE") == 403
    put = signer.generate_presigned_url("put_object", {"Bucket": "limited", "Key": "mine/put"}, 60)
    if "X-Amz-Signature" in put:
        assert fetch(put, b"by url", "PUT") == b""
        assert s3.get_object(Bucket="limited", Key="mine/put")["Body"].read() == b"by url"

for region in ["eu-central-1", "ap-southeast-2"]:
    there = boto3.client("s3", region_name=region)
    refused("IllegalLocationConstraintException", there.create_bucket, Bucket=f"in-{region}")
    there.create_bucket(Bucket=f"in-{region}", CreateBucketConfiguration={"LocationConstraint": region})
    refused("BucketAlreadyOwnedByYou", there.create_bucket, Bucket=f"in-{region}",
            CreateBucketConfiguration={"LocationConstraint": region})
    assert s3.get_bucket_location(Bucket=f"in-{region}")["LocationConstraint"] == region
    there.put_object(Bucket="limited", Key="mine/from-there", Body=b"x")
    headers = s3.head_bucket(Bucket=f"in-{region}")["ResponseMetadata"]["HTTPHeaders"]
    assert headers["x-amz-bucket-region"] == region
refused("IllegalLocationConstraintException",
        boto3.client("s3", region_name="eu-west-1").create_bucket, Bucket="elsewhere",
        CreateBucketConfiguration={"LocationConstraint": "eu-north-1"})

boundary = "b0undary"


def posted(signer, key):
    limits = [["content-length-range", 1, 100]]
    post = signer.generate_presigned_post("limited", key, Conditions=limits)
    form = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in post["fields"].items()
    ) + (f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="f.txt"\r\n\r\n'
         f'posted\r\n--{boundary}--\r\n')
    request = urllib.request.Request(post["url"], form.encode(), method="POST", headers={
        "Content-Type": f"multipart/form-data; boundary={boundary}"
    })
    try:
        return urllib.request.urlopen(request).status
    except urllib.error.HTTPError as error:
        return error.code


assert posted(s3, "mine/form") == 204
assert s3.get_object(Bucket="limited", Key="mine/form")["Body"].read() == b"posted"
assert posted(s3, "mine/${filename}") == 501
assert posted(limited, "theirs/form") in (400, 403)

virtual = os.environ["AWS_ENDPOINT_URL"].replace("127.0.0.1", "localhost")
for name in ["limited.localhost", "limited.s3.localhost"]:
    import http.client

    port = int(virtual.rsplit(":", 1)[1])
    signer = client(root, signature_version="s3v4", s3={"addressing_style": "virtual"})
    signer = boto3.client("s3", endpoint_url=f"http://{name.split('.', 1)[1]}:{port}",
                          config=Config(signature_version="s3v4", s3={"addressing_style": "virtual"}))
    url = signer.generate_presigned_url("get_object", {"Bucket": "limited", "Key": "mine/k"}, 60)
    assert url.startswith(f"http://{name}:{port}/mine/k?"), url
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", url.split(str(port), 1)[1], headers={"Host": f"{name}:{port}"})
    response = connection.getresponse()
    assert response.status == 200 and response.read() == b"text", name
print("ok")
