"""Copies, tags, ACLs and the settings of buckets."""

import hashlib
import os

import boto3
from botocore.exceptions import ClientError

s3 = boto3.client("s3")


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error.response
        return
    raise AssertionError(f"{code} expected")


s3.create_bucket(Bucket="from-here")
s3.create_bucket(Bucket="to-there")
body = os.urandom(200_000)
source = {"Bucket": "from-here", "Key": "a key/with + and %"}
s3.put_object(**source, Body=body, ContentType="text/a", Metadata={"m": "1"}, Tagging="t=1")
target = {"Bucket": "to-there", "Key": "copy"}

copied = s3.copy_object(**target, CopySource=source)["CopyObjectResult"]
assert copied["ETag"].strip('"') == hashlib.md5(body).hexdigest() and copied["LastModified"]
got = s3.get_object(**target)
assert (got["ContentType"], got["Metadata"], got["TagCount"]) == ("text/a", {"m": "1"}, 1)
s3.copy_object(**target, CopySource=source, MetadataDirective="REPLACE", ContentType="text/b",
               TaggingDirective="REPLACE", Tagging="x=1&y=2", ChecksumAlgorithm="SHA256",
               StorageClass="ONEZONE_IA")
got = s3.get_object(**target, ChecksumMode="ENABLED")
assert (got["ContentType"], got["Metadata"], got["TagCount"]) == ("text/b", {}, 2)
assert got["ChecksumSHA256"] and got["StorageClass"] == "ONEZONE_IA"
s3.delete_object(**source)
assert s3.get_object(**target)["Body"].read() == body, "a copy outlives its source"
refused("NoSuchKey", s3.copy_object, **target, CopySource=source)
refused("NoSuchBucket", s3.copy_object, **target, CopySource={"Bucket": "no-bucket", "Key": "k"})
refused("InvalidRequest", s3.copy_object, **target, CopySource=target)
s3.copy_object(**target, CopySource=target, MetadataDirective="REPLACE", Metadata={"n": "2"})
got = s3.get_object(**target)
assert got["Metadata"] == {"n": "2"} and got["Body"].read() == body

s3.put_bucket_versioning(Bucket="to-there", VersioningConfiguration={"Status": "Enabled"})
old = s3.put_object(**target, Body=b"old")["VersionId"]
s3.put_object(**target, Body=b"new")
copied = s3.copy_object(Bucket="to-there", Key="restored", CopySource={**target, "VersionId": old})
assert copied["CopySourceVersionId"] == old and copied["VersionId"]
assert s3.get_object(Bucket="to-there", Key="restored")["Body"].read() == b"old"

tags = [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}]
s3.put_object_tagging(**target, Tagging={"TagSet": tags})
assert s3.get_object_tagging(**target)["TagSet"] == tags
assert s3.get_object_tagging(**target, VersionId=old)["TagSet"] == []
assert s3.head_object(**target)["ResponseMetadata"]["HTTPHeaders"]["x-amz-tagging-count"] == "2"
s3.delete_object_tagging(**target)
assert s3.get_object_tagging(**target)["TagSet"] == []
refused("NoSuchKey", s3.get_object_tagging, Bucket="to-there", Key="none")
refused("BadRequest", s3.put_object_tagging, **target,
        Tagging={"TagSet": [{"Key": str(n), "Value": ""} for n in range(11)]})
refused("InvalidTag", s3.put_object_tagging, **target,
        Tagging={"TagSet": [{"Key": "a", "Value": ""}, {"Key": "a", "Value": ""}]})
refused("NoSuchTagSet", s3.get_bucket_tagging, Bucket="to-there")
s3.put_bucket_tagging(Bucket="to-there", Tagging={"TagSet": tags})
assert s3.get_bucket_tagging(Bucket="to-there")["TagSet"] == tags
s3.delete_bucket_tagging(Bucket="to-there")
refused("NoSuchTagSet", s3.get_bucket_tagging, Bucket="to-there")

for acl in [s3.get_bucket_acl(Bucket="to-there"), s3.get_object_acl(**target)]:
    assert [grant["Permission"] for grant in acl["Grants"]] == ["FULL_CONTROL"]
    assert acl["Grants"][0]["Grantee"]["ID"] == acl["Owner"]["ID"]
s3.put_object_acl(**target, ACL="bucket-owner-full-control")
s3.put_bucket_acl(Bucket="to-there", ACL="private")
refused("AccessControlListNotSupported", s3.put_bucket_acl, Bucket="to-there", ACL="public-read")
refused("AccessControlListNotSupported", s3.put_object_acl, **target, ACL="public-read")

block = s3.get_public_access_block(Bucket="to-there")["PublicAccessBlockConfiguration"]
assert all(block.values()) and len(block) == 4
s3.put_public_access_block(Bucket="to-there", PublicAccessBlockConfiguration={"BlockPublicAcls": True})
block = s3.get_public_access_block(Bucket="to-there")["PublicAccessBlockConfiguration"]
assert block["BlockPublicAcls"] and not block["BlockPublicPolicy"]
s3.delete_public_access_block(Bucket="to-there")
refused("NoSuchPublicAccessBlockConfiguration", s3.get_public_access_block, Bucket="to-there")
rules = s3.get_bucket_ownership_controls(Bucket="to-there")["OwnershipControls"]["Rules"]
assert rules == [{"ObjectOwnership": "BucketOwnerEnforced"}]
refused("ServerSideEncryptionConfigurationNotFoundError", s3.get_bucket_encryption, Bucket="to-there")
rules = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": True}]}
s3.put_bucket_encryption(Bucket="to-there", ServerSideEncryptionConfiguration=rules)
assert s3.get_bucket_encryption(Bucket="to-there")["ServerSideEncryptionConfiguration"] == rules
for code, call in [
    ("NoSuchBucketPolicy", s3.get_bucket_policy),
    ("NoSuchCORSConfiguration", s3.get_bucket_cors),
    ("NoSuchWebsiteConfiguration", s3.get_bucket_website),
    ("NoSuchLifecycleConfiguration", s3.get_bucket_lifecycle_configuration),
    ("ReplicationConfigurationNotFoundError", s3.get_bucket_replication),
    ("ObjectLockConfigurationNotFoundError", s3.get_object_lock_configuration),
    ("NotImplemented", s3.get_bucket_notification_configuration),
]:
    refused(code, call, Bucket="to-there")
assert "LoggingEnabled" not in s3.get_bucket_logging(Bucket="to-there")
assert s3.get_bucket_request_payment(Bucket="to-there")["Payer"] == "BucketOwner"
refused("NotImplemented", s3.put_bucket_policy, Bucket="to-there", Policy="{}")
print("ok")
