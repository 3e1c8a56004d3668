"""Makes a data folder as the program of today writes it, for the tests of all later ones.

    BUILDYARD_BIN=target/release/buildyard target/venv/bin/python tests/make_format.py NAME

writes `tests/formats/NAME.tar.xz`. It is run once for each format, and what it made is never
changed.
"""

import pathlib
import sys
import tarfile
import tempfile

import harness
from harness import spec

FOLDERS = (
    "state.db",
    "state.db-wal",
    "root.keys",
    "master.key",
    "logs",
    "objects",
    "journals",
    "version",
)


def fill(yard):
    """What the test of the formats expects to find."""
    yard.create_project("demo", tags=[{"key": "k", "value": "v"}])
    yard.s3.create_bucket(
        Bucket="kept", CreateBucketConfiguration={"LocationConstraint": harness.REGION}
    )
    yard.s3.put_object(Bucket="kept", Key="small", Body=b"x", Metadata={"m": "1"})
    yard.s3.put_object(Bucket="kept", Key="large", Body=bytes(range(256)) * 1024)
    yard.secrets.create_secret(Name="s", SecretString="sealed")
    yard.parameters.put_parameter(Name="p", Value="plain", Type="String")
    assert yard.run("demo", buildspecOverride=spec("echo remembered"))["buildNumber"] == 1
    assert yard.run("demo", buildspecOverride=spec("exit 3"))["buildStatus"] == "FAILED"


def main(name):
    target = harness.ROOT / "tests" / "formats" / f"{name}.tar.xz"
    with tempfile.TemporaryDirectory() as folder:
        yard = harness.Service(pathlib.Path(folder) / "data").start()
        fill(yard)
        yard.stop()
        with tarfile.open(target, "w:xz") as archive:
            archive.add(f"{yard.data_dir}.key", "data.key")
            for entry in FOLDERS:
                path = yard.data_dir / entry
                if path.exists():
                    archive.add(path, f"data/{entry}", filter=nobody)


def nobody(entry):
    """Locks are of a process, and the owner is whoever unpacks it."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return None if entry.name.endswith((".lock", "-shm")) else entry


if __name__ == "__main__":
    main(*sys.argv[1:])
