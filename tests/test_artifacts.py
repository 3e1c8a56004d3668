"""Artifacts: what is in them, how it is kept, and what becomes of an upload that cannot be."""

import hashlib
import io
import os
import stat
import subprocess
import zipfile

import pytest

import harness
from conftest import unique
from harness import context, spec


@pytest.fixture
def pack(yard, project, bucket):
    """Builds an artifact of these commands' files; gives the build and the bucket's keys."""

    def run(*commands, section=None, **order):
        section = {"files": ["**/*"], "base-directory": "out"} | (section or {})
        text = spec("mkdir -p out && cd out", *commands, artifacts=section)
        given = {"type": "S3", "location": bucket} | order
        ended = yard.run(project, buildspecOverride=text, artifactsOverride=given)
        found = yard.s3.list_objects_v2(Bucket=bucket).get("Contents", [])
        return ended, [entry["Key"] for entry in found]

    return run


def the_zip(yard, bucket, key="a.zip"):
    body = yard.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    return zipfile.ZipFile(io.BytesIO(body))


ZIP = {"packaging": "ZIP", "name": "a.zip"}


def test_a_zip_keeps_what_files_are(yard, pack, bucket):
    ended, _ = pack(
        "echo run > tool; chmod 755 tool; echo own > .hidden; chmod 600 .hidden",
        "mkdir -p empty .git/refs; echo ref > .git/refs/head; touch -d '2024-02-29 12:34:57Z' tool",
        r"""printf latin > "$(printf 'caf\351')"; echo ok > 'grüße 1.txt'""",
        **ZIP,
    )
    assert ended["buildStatus"] == "SUCCEEDED", yard.log(ended)
    archive = the_zip(yard, bucket)
    modes = {e.filename: stat.filemode(e.external_attr >> 16) for e in archive.infolist()}
    # Folders have no entries of their own, so that an empty one is not kept.
    assert modes == {
        ".git/refs/head": "-rw-r--r--",
        ".hidden": "-rw-------",
        b"caf\xe9".decode("cp437"): "-rw-r--r--",
        "grüße 1.txt": "-rw-r--r--",
        "tool": "-rwxr-xr-x",
    }
    assert archive.testzip() is None
    assert archive.getinfo("tool").date_time == (2024, 2, 29, 12, 34, 56)
    assert archive.read("tool") == b"run\n"


def test_links_are_followed_unless_they_are_kept_and_lead_inside(yard, pack, bucket):
    links = (
        "mkdir d; echo in > d/file; ln -s d/file inside; ln -s d folder; ln -s ../../etc up",
        "echo out > ../outside; ln -s ../outside outside",
        "ln -s /etc/hostname absolute; ln -s no gone",
    )
    _, _ = pack(*links, **ZIP)
    followed = the_zip(yard, bucket)
    assert sorted(followed.namelist()) == ["absolute", "d/file", "inside", "outside"]
    assert all(e.external_attr >> 28 == 0o10 for e in followed.infolist())
    pack("rm -rf ../out/*; cd ../out", *links, section={"enable-symlinks": "yes"}, **ZIP)
    kept = the_zip(yard, bucket)
    shown = {e.filename: e.external_attr >> 28 for e in kept.infolist()}
    link, file = 0o12, 0o10
    assert shown == {
        "absolute": file,
        "d/file": file,
        "folder": link,
        "gone": link,
        "inside": link,
        "outside": file,
    }
    assert kept.read("inside") == b"d/file"


def test_links_of_loose_files_are_followed(yard, project, pack):
    keep = {"enable-symlinks": "yes"}
    _, found = pack("mkdir d; echo 1 > d/x; ln -s d/x link; ln -s d folder", section=keep)
    assert found == [f"{project}/d/x", f"{project}/link"]


def test_of_two_files_with_one_name_the_later_stays(yard, pack, bucket):
    pack("mkdir a b; echo 1 > a/x; echo 2 > b/x", section={"discard-paths": "yes"}, **ZIP)
    archive = the_zip(yard, bucket)
    assert archive.namelist() == ["x"]
    assert archive.read("x") == b"2\n"


def test_thousands_of_files_and_large_ones_are_one_zip(yard, pack, bucket):
    ended, _ = pack(
        "for d in $(seq 40); do mkdir d$d; (cd d$d; seq 200 | split -l 1 -a 3 -); done",
        "seq 4000000 > numbers; head -c 20000000 /dev/urandom > noise; truncate -s 5M zeros",
        "sha256sum numbers noise zeros > sums",
        **ZIP,
    )
    assert ended["buildStatus"] == "SUCCEEDED", yard.log(ended)
    body = yard.s3.get_object(Bucket=bucket, Key="a.zip")["Body"].read()
    assert hashlib.md5(body).hexdigest() == ended["artifacts"]["md5sum"]
    assert hashlib.sha256(body).hexdigest() == ended["artifacts"]["sha256sum"]
    archive = zipfile.ZipFile(io.BytesIO(body))
    assert len(archive.namelist()) == 8_004
    assert archive.testzip() is None
    for line in archive.read("sums").decode().splitlines():
        wanted, name = line.split()
        assert hashlib.sha256(archive.read(name)).hexdigest() == wanted


def test_a_zip_is_a_source_again(yard, pack, bucket, project):
    pack(
        "echo 'echo from the zip' > run; chmod 755 run; ln -s run link",
        **ZIP,
        section={"enable-symlinks": "yes"},
    )
    again = yard.run(
        project,
        sourceTypeOverride="S3",
        sourceLocationOverride=f"{bucket}/a.zip",
        buildspecOverride=spec("./run; ./link; stat -c %A run; readlink link"),
    )
    printed = yard.printed(again)
    assert printed == "from the zip\nfrom the zip\n-rwxr-xr-x\nrun"


def test_a_name_is_what_the_shell_makes_of_it(yard, pack):
    section = {"name": "v-$VERSION-$(date +%Y)/of $(echo 'a  b')"}
    ended, found = pack("export VERSION=7; echo > x", section=section, overrideArtifactName=True)
    year = ended["startTime"].year
    assert found == [f"v-7-{year}/of a  b/x"]
    assert ended["artifacts"]["location"].endswith(f"/v-7-{year}/of a  b")


def test_a_prefix_goes_before_the_builds_id(yard, pack, project):
    section = {"s3-prefix": "pre/fix"}
    ended, found = pack("echo > x", section=section, namespaceType="BUILD_ID", path="of")
    assert found == [f"pre/fix/of/{ended['id'].split(':')[1]}/{project}/x"]


def test_a_base_directory_may_be_a_pattern_or_a_variable(yard, pack, project):
    tree = (
        "mkdir -p my-build-1 my-build-2/my-subdirectory",
        "echo 1 > my-build-1/my-file-1.txt; echo 2 > my-build-2/my-file-2.txt",
        "echo 3 > my-build-2/my-subdirectory/my-file-3.txt",
    )
    _, found = pack(*tree, section={"base-directory": "out/my-build*"}, name="n")
    assert found == ["n/my-file-1.txt", "n/my-file-2.txt", "n/my-subdirectory/my-file-3.txt"]
    base = {"base-directory": "$CODEBUILD_SRC_DIR/out/my-build-2", "files": ["*/my-file-3.txt"]}
    _, found = pack(*tree, section=base, name="m")
    assert [key for key in found if key.startswith("m/")] == ["m/my-subdirectory/my-file-3.txt"]


def test_secondary_artifacts_have_rules_of_their_own(yard, project, bucket):
    secondary = {
        "one": {"files": ["*.txt"], "name": "n-$CODEBUILD_BUILD_NUMBER.zip"},
        "two": {"files": ["**/*"], "base-directory": "b"},
    }
    text = spec(
        "mkdir b; echo 1 > a.txt; echo 2 > b/c",
        artifacts={"files": ["none-needed"], "secondary-artifacts": secondary},
    )
    order = {"type": "S3", "location": bucket}
    ended = yard.run(
        project,
        buildspecOverride=text,
        secondaryArtifactsOverride=[
            order | {"artifactIdentifier": "one", "packaging": "ZIP", "overrideArtifactName": True},
            order | {"artifactIdentifier": "two", "namespaceType": "BUILD_ID", "path": "p"},
        ],
    )
    assert ended["buildStatus"] == "SUCCEEDED", yard.log(ended)
    keys = [o["Key"] for o in yard.s3.list_objects_v2(Bucket=bucket)["Contents"]]
    uid, number = ended["id"].split(":")[1], ended["buildNumber"]
    assert keys == [f"n-{number}.zip", f"p/{uid}/{project}/c"]
    one, two = ended["secondaryArtifacts"]
    assert (one["artifactIdentifier"], two["artifactIdentifier"]) == ("one", "two")
    assert one["md5sum"] and not two["md5sum"]
    assert one["location"] == f"arn:aws:s3:::{bucket}/n-{number}.zip"


def test_flags_of_encryption_and_ownership_are_kept(yard, pack):
    ended, _ = pack("echo > x", encryptionDisabled=True, bucketOwnerAccess="FULL")
    kept = ended["artifacts"]
    assert (kept["encryptionDisabled"], kept["bucketOwnerAccess"]) == (True, "FULL")


# What goes wrong


def test_a_loose_file_whose_name_is_no_key_fails_with_its_name(yard, pack):
    ended, _ = pack(r"""touch "$(printf 'caf\351')" """)
    code, message = context(ended, "UPLOAD_ARTIFACTS")
    assert code == "CLIENT_ERROR"
    assert message.startswith("Failed to upload artifacts: ")
    assert message.endswith("an object's key is UTF-8, which the file's name is not")


def test_a_secondary_artifact_that_the_buildspec_lacks(yard, project, bucket):
    ended = yard.run(
        project,
        buildspecOverride=spec("echo > x", artifacts={"files": ["x"]}),
        secondaryArtifactsOverride=[
            {"type": "S3", "location": bucket, "artifactIdentifier": "absent"}
        ],
    )
    assert context(ended, "UPLOAD_ARTIFACTS") == (
        "CLIENT_ERROR",
        "no definition for secondary artifact absent found in the buildspec",
    )


def test_a_bucket_that_goes_half_way_fails_the_upload_and_leaves_nothing(yard, project):
    name = unique("going")
    where = {"LocationConstraint": harness.REGION}
    yard.s3.create_bucket(Bucket=name, CreateBucketConfiguration=where)
    text = spec("head -c 400000000 /dev/urandom > noise", artifacts={"files": ["noise"]})
    order = {"type": "S3", "location": name, "packaging": "ZIP"}
    build = yard.start_build(project, buildspecOverride=text, artifactsOverride=order)["id"]

    def under_way():
        return yard.s3.list_multipart_uploads(Bucket=name).get("Uploads")

    (upload,) = harness.wait_for(under_way, "the upload to begin", every=0.002)
    yard.s3.abort_multipart_upload(Bucket=name, Key=upload["Key"], UploadId=upload["UploadId"])
    yard.s3.delete_bucket(Bucket=name)
    ended = yard.ended(build)
    assert ended["buildStatus"] == "FAILED"
    code, message = context(ended, "UPLOAD_ARTIFACTS")
    assert code == "CLIENT_ERROR"
    assert message.startswith("Failed to upload artifacts: NoSuch"), message
    assert "location" not in ended["artifacts"] or name in ended["artifacts"]["location"]


def test_a_full_disk_while_zipping_fails_the_upload_and_leaves_nothing(own_yard, tmp_path):
    # The service with its data folder on a disk of its own, which only it sees.
    wrapper = tmp_path / "on-a-small-disk"
    wrapper.write_text(
        "#!/bin/sh\n"
        'for word in "$@"; do [ "$before" = --data-dir ] && folder=$word; before=$word; done\n'
        'mkdir -p "$folder"\n'
        f'exec unshare -m sh -c \'mount -t tmpfs -o size=160m none "$0" && exec "$@"\' "$folder" '
        f'{harness.BINARY} "$@"\n'
    )
    wrapper.chmod(0o755)
    yard = own_yard(binary=wrapper).start()
    yard.s3.create_bucket(
        Bucket="small", CreateBucketConfiguration={"LocationConstraint": harness.REGION}
    )
    yard.create_project("full")
    text = spec(
        "head -c 90000000 /dev/urandom > noise",
        "echo before; df -k . | tail -1",
        artifacts={"files": ["noise"]},
    )
    order = {"type": "S3", "location": "small", "packaging": "ZIP"}
    ended = yard.run("full", buildspecOverride=text, artifactsOverride=order)
    assert ended["buildStatus"] == "FAILED", yard.log(ended)
    assert context(ended, "UPLOAD_ARTIFACTS") == (
        "CLIENT_ERROR",
        "Failed to upload artifacts: no space left on device",
    )
    assert "Contents" not in yard.s3.list_objects_v2(Bucket="small")
    # There is room again: the next build succeeds.
    text = spec("echo > x", artifacts={"files": ["x"]})
    after = yard.run("full", buildspecOverride=text, artifactsOverride=order)
    assert after["buildStatus"] == "SUCCEEDED", yard.log(after)


# A source that is a ZIP


def test_a_zip_of_thousands_of_files_is_unpacked_as_it_was(yard, build, bucket, tmp_path):
    tree = tmp_path / "tree"
    for number in range(3_000):
        folder = tree / f"d{number % 50}" / f"e{number % 7}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"f{number}").write_text(f"{number}\n" * (number % 100))
    (tree / "run").write_text("#!/bin/sh\necho runs\n")
    (tree / "run").chmod(0o755)
    os.symlink("run", tree / "link")
    os.utime(tree / "run", (1_709_210_097, 1_709_210_097))
    subprocess.run(["zip", "-qry", "../tree.zip", "."], cwd=tree, check=True)
    yard.s3.upload_file(str(tmp_path / "tree.zip"), bucket, "tree.zip")
    digest = "find . -type f | LC_ALL=C sort | xargs sha256sum | sha256sum"
    shell = ["sh", "-c", digest]
    here = subprocess.run(shell, cwd=tree, text=True, capture_output=True, check=True)
    ended = build(
        digest,
        "./link; stat -c '%A %Y' run",
        sourceTypeOverride="S3",
        sourceLocationOverride=f"{bucket}/tree.zip",
    )
    assert yard.printed(ended).split("\n") == [
        here.stdout.strip(),
        "",
        "runs",
        "-rwxr-xr-x 1709210097",
    ]
