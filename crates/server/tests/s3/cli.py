"""The AWS CLI: buckets, single files, folders, large files, presigned URLs."""

import filecmp
import json
import os
import subprocess
import urllib.request

work = os.environ["WORK"]


def aws(*arguments, expect=0):
    run = subprocess.run(["aws", *arguments], capture_output=True, text=True, cwd=work)
    assert run.returncode == expect, (arguments, run.returncode, run.stdout, run.stderr)
    return run.stdout if expect == 0 else run.stderr


def path(name):
    return os.path.join(work, name)


assert "make_bucket: first" in aws("s3", "mb", "s3://first")
aws("s3", "mb", "s3://second", "--region", "eu-central-1")
assert "first" in aws("s3", "ls")
location = json.loads(aws("s3api", "get-bucket-location", "--bucket", "second"))
assert location["LocationConstraint"] == "eu-central-1", location
location = json.loads(aws("s3api", "get-bucket-location", "--bucket", "first"))
assert location["LocationConstraint"] is None, location

with open(path("small.txt"), "w") as file:
    file.write("hello\n")
with open(path("large.bin"), "wb") as file:
    file.write(os.urandom(20 * 1024 * 1024 + 17))
open(path("empty"), "w").close()
for name in ["small.txt", "large.bin", "empty"]:
    aws("s3", "cp", name, f"s3://first/folder/{name}")
    aws("s3", "cp", f"s3://first/folder/{name}", f"{name}.back")
    assert filecmp.cmp(path(name), path(f"{name}.back"), shallow=False), name

listing = aws("s3", "ls", "s3://first/folder/")
assert "small.txt" in listing and "20971537 large.bin" in listing, listing
assert "PRE folder/" in aws("s3", "ls", "s3://first")

aws("s3", "cp", "s3://first/folder/large.bin", "s3://second/copy.bin")
aws("s3", "cp", "s3://second/copy.bin", "copy.bin")
assert filecmp.cmp(path("large.bin"), path("copy.bin"), shallow=False)

os.makedirs(path("tree/a/b"))
for name in ["one", "a/two", "a/b/three", "a/b/four + five %.txt", "a/ünïcödé"]:
    with open(path(f"tree/{name}"), "w") as file:
        file.write(name)
    # A listing's times are whole seconds: a file of this very second would look newer than its copy.
    os.utime(path(f"tree/{name}"), (1_700_000_000, 1_700_000_000))
aws("s3", "sync", "tree", "s3://first/tree")
assert aws("s3", "sync", "tree", "s3://first/tree") == "", "a second sync has nothing to do"
aws("s3", "sync", "s3://first/tree", "back")
compared = filecmp.dircmp(path("tree/a"), path("back/a"))
assert not compared.diff_files and not compared.left_only and not compared.right_only

run = subprocess.run(
    ["aws", "s3", "cp", "-", "s3://first/piped"], input=b"from a pipe", cwd=work, check=True
)
assert aws("s3", "cp", "s3://first/piped", "-") == "from a pipe"

url = aws("s3", "presign", "s3://first/folder/small.txt", "--expires-in", "60").strip()
assert urllib.request.urlopen(url).read() == b"hello\n"

aws("s3", "mv", "s3://first/piped", "s3://first/moved")
aws("s3", "rm", "s3://first/moved")
assert "404" in aws("s3api", "head-object", "--bucket", "first", "--key", "moved", expect=255)
assert "BucketNotEmpty" in aws("s3", "rb", "s3://first", expect=1)
aws("s3", "rm", "--recursive", "s3://first")
aws("s3", "rb", "s3://first")
aws("s3", "rb", "s3://second", "--force")
assert aws("s3", "ls") == ""
assert "NoSuchBucket" in aws("s3", "ls", "s3://first", expect=255)
print("ok")
