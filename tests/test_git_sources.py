"""Sources that are Git repositories: on a host with a password, on ssh, and in a folder."""

import hashlib
import json
import re
import subprocess
import sys
import uuid

import pytest

from calls import refused
from conftest import unique
from git_host import PASSWORD, SPEC, Repository, fill, run
from harness import ROLE, context, environment, spec, zipped
from test_sandbox import small_root


def test_a_repository_in_an_opened_folder(git_yard):
    made = fill(Repository(git_yard.folder / "app.git", {"buildspec.yml": SPEC}))
    url = f"file://{git_yard.folder}/app.git"
    ended = run(git_yard, {"location": url})
    assert ended["buildStatus"] == "SUCCEEDED", git_yard.log(ended)
    assert ended["resolvedSourceVersion"] == made.git("rev-parse", "main")
    lines = git_yard.printed(ended).split("\n\n")
    assert lines[:2] == ["three", "a change (HEAD -> main, origin/main, origin/HEAD)"]
    assert lines[2].endswith(f"/src{git_yard.folder}/app")
    name = unique("git")
    git_yard.create_project(name, source={"type": "GITHUB", "location": "file:///etc"})
    refused(
        git_yard.codebuild.start_build, "InvalidInputException", "sources.folders", projectName=name
    )


def test_a_repository_for_everybody(git_yard, host):
    ended = run(git_yard, {"location": f"{host.url}/open/app"})
    assert ended["buildStatus"] == "SUCCEEDED", git_yard.log(ended)
    lines = git_yard.printed(ended).split("\n\n")
    assert lines[0] == "three"
    assert lines[2].endswith(f"/src/{host.address}/open/app")


VERSIONS = [
    ("GITHUB", "", "three"),
    ("GITHUB", "main", "three"),
    ("GITHUB", "feature/x", "feature"),
    ("CODECOMMIT", "v1", "one"),
    ("BITBUCKET", "v2", "two"),
    ("GITHUB", "refs/heads/feature/x", "feature"),
    ("GITHUB", "refs/tags/v1", "one"),
    ("GITHUB", "refs/pull/7/head", "pull request"),
    ("GITHUB", "pr/7", "pull request"),
    ("GITHUB_ENTERPRISE", "pr/7", "pull request"),
    ("GITLAB", "pr/7", "pull request"),
    ("GITLAB_SELF_MANAGED", "pr/7", "pull request"),
    ("BITBUCKET", "pr/7", "pull request"),
]


@pytest.mark.parametrize(("kind", "version", "greeting"), VERSIONS)
@pytest.mark.parametrize("depth", [0, 1])
def test_a_version(git_yard, host, kind, version, greeting, depth):
    source = {"type": kind, "location": f"{host.url}/open/app", "gitCloneDepth": depth}
    ended = run(git_yard, source, sourceVersion=version)
    assert ended["buildStatus"] == "SUCCEEDED", git_yard.log(ended)
    assert git_yard.printed(ended).split("\n")[0] == greeting
    assert len(ended["resolvedSourceVersion"]) == 40
    assert ended["sourceVersion"] == version


def test_a_commit_wherever_it_is(git_yard, host):
    made = fill(host.repository("open/commits", {"buildspec.yml": SPEC}))
    first, lost = made.git("rev-parse", "v1"), made.git("rev-parse", "refs/pull/7/head")
    for ref in ("pull/7/head", "merge-requests/7/head", "pull-requests/7/from"):
        made.git("update-ref", "-d", f"refs/{ref}")
    made.git("update-ref", "refs/hidden/x", lost)
    source = {"location": f"{host.url}/open/commits"}
    for version, commit, greeting in [
        (first, first, "one"),
        (lost, lost, "pull request"),
        (first[:10], first, "one"),
        (f"refs/heads/main^{{{first}}}", first, "one"),
        (f"refs/heads/feature/x^{{{first}}}", first, "one"),
    ]:
        for depth in (0, 1):
            ended = run(git_yard, source | {"gitCloneDepth": depth}, sourceVersion=version)
            assert ended["buildStatus"] == "SUCCEEDED", git_yard.log(ended)
            assert git_yard.printed(ended).split("\n")[0] == greeting, version
            assert ended["resolvedSourceVersion"] == commit


@pytest.mark.parametrize(("depth", "count"), [(0, 4), (1, 1), (3, 3), (25, 4), (26, 4)])
def test_a_depth_up_to_25_is_shallow(git_yard, host, depth, count):
    text = spec("git rev-list --count HEAD", "git rev-parse --is-shallow-repository")
    source = {"location": f"{host.url}/open/app", "buildspec": text}
    ended = run(git_yard, source, gitCloneDepthOverride=depth)
    shallow = "true" if 0 < depth < 4 else "false"
    assert git_yard.printed(ended).split() == [str(count), shallow]


NOT_THERE = {
    "nope": "reference not found for primary source and source version nope",
    "pr/8": "reference not found for primary source and source version pr/8",
    "0" * 40: f"reference not found for primary source and source version {'0' * 40}",
    "--upload-pack=x": "reference not found for primary source and source version --upload-pack=x",
}


@pytest.mark.parametrize("version", NOT_THERE)
def test_a_version_that_is_not_there(git_yard, host, version):
    ended = run(git_yard, {"location": f"{host.url}/open/app"}, sourceVersion=version)
    assert context(ended, "DOWNLOAD_SOURCE") == ("CLIENT_ERROR", NOT_THERE[version])
    assert [p["phaseType"] for p in ended["phases"]][-3:] == [
        "DOWNLOAD_SOURCE",
        "FINALIZING",
        "COMPLETED",
    ]


def test_a_repository_that_is_not_there(git_yard, host):
    for path, message in [
        ("open/nope", "repository not found"),
        ("forbidden/app", "authorization failed"),
        (
            "broken/app",
            "Git clone failed: unable to access '{}/': The requested URL returned error: 503",
        ),
    ]:
        url = f"{host.url}/{path}"
        ended = run(git_yard, {"location": url})
        expected = f"{message.format(url)} for primary source and source version "
        assert context(ended, "DOWNLOAD_SOURCE") == ("CLIENT_ERROR", expected)


def test_an_empty_repository(git_yard):
    subprocess.run(["git", "init", "--quiet", "--bare", git_yard.folder / "empty.git"], check=True)
    ended = run(git_yard, {"location": f"file://{git_yard.folder}/empty.git"})
    assert "remote repository is empty" in context(ended, "DOWNLOAD_SOURCE")[1]


HANG = (
    "import socket\nserver = socket.create_server(('', 8082))\nheld = []\n"
    "while True: held.append(server.accept())"
)


def test_a_host_that_hangs_is_given_up(git_yard, host):
    host.run_inside([sys.executable, "-c", HANG])
    host.wait_for_port(8082)
    for scheme in ("http", "https"):
        url = f"{scheme}://{host.address}:8082/app"
        ended = run(git_yard, {"location": url})
        code, message = context(ended, "DOWNLOAD_SOURCE")
        assert code == "CLIENT_ERROR"
        told = f"Git clone failed: unable to access '{url}/': Operation too slow."
        silent = "Git clone failed: nothing was heard from the server for too long"
        assert message.startswith((told, silent)), message
    # Nothing stays behind: the fixture of the service looks for it.


def test_a_host_that_swallows_everything_is_given_up(git_yard, host):
    host.swallow(8083)
    url = f"http://{host.address}:8083/app"
    ended = run(git_yard, {"location": url})
    code, message = context(ended, "DOWNLOAD_SOURCE")
    assert code == "CLIENT_ERROR"
    # The service's limit for silence is three seconds here, and git's own is five times as long.
    assert message.startswith("Git clone failed: "), message
    phase = next(p for p in ended["phases"] if p["phaseType"] == "DOWNLOAD_SOURCE")
    assert phase["durationInSeconds"] < 60, phase


def test_where_a_build_finds_what_it_was_built_from(git_yard, host):
    host.repository("open/dotted.git", {}).git("tag", "v1")
    lib = host.repository("open/lib", {"x": "lib\n"})
    old = lib.git("rev-parse", "HEAD")
    lib.commit({"x": "new lib\n"})
    text = spec(
        "env | grep -E '^CODEBUILD_(SRC_DIR|SOURCE|RESOLVED)' | sort",
        "cat $CODEBUILD_SRC_DIR_one/x $CODEBUILD_SRC_DIR_two/x",
        "git -C $CODEBUILD_SRC_DIR_two rev-parse HEAD",
    )
    url = f"{host.url}/open/lib"
    ended = run(
        git_yard,
        {"type": "GITHUB_ENTERPRISE", "location": f"{host.url}/open/dotted.git", "buildspec": text},
        secondarySources=[
            {"type": "GITHUB", "location": url, "sourceIdentifier": "one"},
            {"type": "GITLAB", "location": url, "sourceIdentifier": "two", "gitCloneDepth": 1},
        ],
        sourceVersion="v1",
        secondarySourcesVersionOverride=[{"sourceIdentifier": "two", "sourceVersion": old}],
    )
    assert ended["buildStatus"] == "SUCCEEDED", git_yard.log(ended)
    lines = git_yard.printed(ended).split("\n")
    variables = dict(line.split("=", 1) for line in lines if line.startswith("CODEBUILD_"))
    src = re.compile(r"/codebuild/output/src\d+/src/" + re.escape(f"{host.address}/open/"))
    assert src.sub("", variables.pop("CODEBUILD_SRC_DIR")) == "dotted"
    folders = {variables.pop(f"CODEBUILD_SRC_DIR_{identifier}") for identifier in ("one", "two")}
    assert len(folders) == 2 and {src.sub("", folder) for folder in folders} == {"lib"}
    assert variables == {
        "CODEBUILD_RESOLVED_SOURCE_VERSION": ended["resolvedSourceVersion"],
        "CODEBUILD_SOURCE_REPO_URL": f"{host.url}/open/dotted.git",
        "CODEBUILD_SOURCE_REPO_URL_one": url,
        "CODEBUILD_SOURCE_REPO_URL_two": url,
        "CODEBUILD_SOURCE_VERSION": "v1",
        "CODEBUILD_SOURCE_VERSION_one": "",
        "CODEBUILD_SOURCE_VERSION_two": old,
    }
    assert [line for line in lines if "lib" in line and "=" not in line] == ["new lib", "lib"]
    assert lines[-1] == old
    log = git_yard.log(ended)
    assert f"CODEBUILD_SRC_DIR_two={sorted(folders)[-1]}" in log


def test_a_secondary_source_that_is_not_there(git_yard, host):
    ended = run(
        git_yard,
        {"location": f"{host.url}/open/app"},
        secondarySources=[
            {"type": "GITHUB", "location": f"{host.url}/open/nope", "sourceIdentifier": "lib"}
        ],
    )
    expected = "repository not found for secondary source lib and source version "
    assert context(ended, "DOWNLOAD_SOURCE") == ("CLIENT_ERROR", expected)


def test_a_retry_builds_the_same_commit(git_yard, host):
    made = host.repository("open/moving", {"buildspec.yml": spec("cat x"), "x": "first\n"})
    first = run(git_yard, {"location": f"{host.url}/open/moving"}, sourceVersion="main")
    made.commit({"x": "second\n"})
    again = git_yard.codebuild.retry_build(id=first["id"])["build"]
    git_yard.build_ids.add(again["id"])
    again = git_yard.ended(again["id"])
    assert git_yard.printed(again).strip() == "first"
    assert again["resolvedSourceVersion"] == first["resolvedSourceVersion"]
    assert again["sourceVersion"] == "main"
    fresh = git_yard.run(first["projectName"], sourceVersion="main")
    assert git_yard.printed(fresh).strip() == "second"


def test_overrides_of_the_source(git_yard, host, project):
    name = f"over-{uuid.uuid4()}"
    git_yard.create_project(name)
    ended = git_yard.run(
        name,
        sourceTypeOverride="GITHUB",
        sourceLocationOverride=f"{host.url}/open/app",
        buildspecOverride="",
        sourceVersion="feature/x",
        gitCloneDepthOverride=1,
        insecureSslOverride=False,
        gitSubmodulesConfigOverride={"fetchSubmodules": False},
    )
    assert ended["buildStatus"] == "SUCCEEDED", git_yard.log(ended)
    assert git_yard.printed(ended).startswith("feature\n")
    assert ended["source"]["type"] == "GITHUB"


def test_overrides_of_secondary_sources(git_yard, host):
    for name in ("first", "second"):
        host.repository(f"open/{name}", {"x": f"{name}\n"}).git("tag", "v1")
    text = spec("cat $CODEBUILD_SRC_DIR_of/x; env | grep -c ^CODEBUILD_SRC_DIR")
    name = unique("git")
    secondary = [
        {"type": "GITHUB", "location": f"{host.url}/open/first", "sourceIdentifier": identifier}
        for identifier in ("of", "other")
    ]
    git_yard.create_project(
        name,
        source={"type": "GITHUB", "location": f"{host.url}/open/app", "buildspec": text},
        secondarySources=secondary,
    )
    assert git_yard.printed(git_yard.run(name)).split() == ["first", "3"]
    other = {"type": "GITLAB", "location": f"{host.url}/open/second", "sourceIdentifier": "of"}
    versions = [{"sourceIdentifier": "of", "sourceVersion": "v1"}]
    ended = git_yard.run(
        name, secondarySourcesOverride=[other], secondarySourcesVersionOverride=versions
    )
    assert git_yard.printed(ended).split() == ["second", "2"], git_yard.log(ended)
    assert [each["location"] for each in ended["secondarySources"]] == [other["location"]]
    assert ended["secondarySourceVersions"] == versions


LOCAL = {"type": "LOCAL", "modes": ["LOCAL_SOURCE_CACHE"]}


def test_a_second_build_fetches_what_is_new(git_yard, host):
    large = hashlib.shake_256(b"large").digest(400_000)
    made = host.repository("open/cached", {"large": large, "x": "one\n"})
    text = spec("cat x; cut -c1-8 .git; git log --format=%s | wc -l; git fsck")
    name = unique("git")
    source = {"type": "GITHUB", "location": f"{host.url}/open/cached", "buildspec": text}
    git_yard.create_project(name, source=source, cache=LOCAL)

    def build(**overrides):
        before = host.bytes_sent("open/cached")
        ended = git_yard.run(name, **overrides)
        assert ended["buildStatus"] == "SUCCEEDED", git_yard.log(ended)
        return git_yard.printed(ended).split(), host.bytes_sent("open/cached") - before, ended

    printed, first, _ = build()
    assert (printed, first > len(large)) == (["one", "gitdir:", "1"], True)
    made.commit({"x": "two\n"})
    printed, second, ended = build()
    assert (printed, second < 20_000) == (["two", "gitdir:", "2"], True), second
    assert "Local source cache: 39" in git_yard.log(ended)
    # As another user, who may write where the metadata is.
    user = json.dumps(
        {
            "version": 0.2,
            "run-as": "codebuild-user",
            "phases": {"build": {"commands": ["git tag t"]}},
        }
    )
    _, third, _ = build(buildspecOverride=user)
    assert third < 20_000
    printed, fourth, _ = build(sourceVersion=made.git("rev-parse", "HEAD~1"))
    assert (printed[0], fourth < 20_000) == ("one", True)
    # A part of the history is asked for, and comes from the host.
    _, shallow, ended = build(gitCloneDepthOverride=1, buildspecOverride=spec("test -d .git"))
    assert shallow > len(large)
    assert "Local source cache: not used for a part of the history" in git_yard.log(ended)


def test_a_broken_source_cache_is_a_line(git_yard, host):
    host.repository("open/broken-cache", {"x": "one\n", "buildspec.yml": spec("cat x")})
    name = unique("git")
    source = {"type": "GITHUB", "location": f"{host.url}/open/broken-cache"}
    git_yard.create_project(name, source=source, cache=LOCAL)
    tear = 'for pack in $(git rev-parse --git-dir)/objects/pack/*.pack; do rm -f "$pack"; done'
    git_yard.run(name, buildspecOverride=spec(tear))
    ended = git_yard.run(name)
    assert git_yard.printed(ended) == "one", git_yard.log(ended)
    line = "Unable to use the local source cache: a pack is missing or has changed: all of"
    assert line in git_yard.log(ended)


def test_a_loop_of_submodules_ends(git_yard, host):
    loop = host.repository("open/loop", {"buildspec.yml": spec("true")})
    for _ in range(18):
        loop.add_submodule("loop", "../loop", loop.git("rev-parse", "HEAD"))
    source = {"location": f"{host.url}/open/loop", "gitSubmodulesConfig": {"fetchSubmodules": True}}
    code, message = context(run(git_yard, source), "DOWNLOAD_SOURCE")
    assert code == "CLIENT_ERROR"
    assert "submodules are nested more than 16 levels deep" in message, message


def test_submodules_and_large_files(git_yard, host):
    content = bytes(range(256)) * 4096
    attributes = "*.bin filter=lfs diff=lfs merge=lfs -text\n"
    files = {".gitattributes": attributes, "a.bin": host.large_file(content)}
    part = host.repository("open/part", files)
    inner = {"sub/.gitattributes": attributes, "sub/b.bin": host.large_file(content[::-1])}
    made = host.repository("open/whole", inner | {"buildspec.yml": spec("true")})
    made.add_submodule("part", "../part", part.git("rev-parse", "HEAD"))
    text = spec("sha256sum sub/b.bin part/a.bin | cut -c1-64", "git status --short | wc -l")
    source = {"location": f"{host.url}/open/whole", "buildspec": text}
    source |= {"gitSubmodulesConfig": {"fetchSubmodules": True}}
    ended = run(git_yard, source)
    assert ended["buildStatus"] == "SUCCEEDED", git_yard.log(ended)
    sums = [hashlib.sha256(each).hexdigest() for each in (content[::-1], content)]
    assert git_yard.printed(ended).split() == [*sums, "0"]


def test_large_files_need_the_same_password(git_yard, host):
    attributes = "*.bin filter=lfs diff=lfs merge=lfs -text\n"
    files = {".gitattributes": attributes, "a.bin": host.large_file(b"large")}
    host.repository("large", files | {"buildspec.yml": spec("cat a.bin")})
    given = {"serverType": "GITHUB", "authType": "PERSONAL_ACCESS_TOKEN", "token": PASSWORD}
    arn = git_yard.codebuild.import_source_credentials(**given)["arn"]
    try:
        ended = run(git_yard, {"location": f"{host.url}/large"})
        assert ended["buildStatus"] == "SUCCEEDED", git_yard.log(ended)
        assert git_yard.printed(ended).strip() == "large"
        (host.large / hashlib.sha256(b"large").hexdigest()).unlink()
        ended = run(git_yard, {"location": f"{host.url}/large"})
        code, message = context(ended, "DOWNLOAD_SOURCE")
        assert code == "CLIENT_ERROR" and message.startswith("Git clone failed: "), message
    finally:
        git_yard.codebuild.delete_source_credentials(arn=arn)
    users = [line.split("] ")[1].split()[0] for line in host.requests() if "/info/lfs/" in line]
    assert "x-access-token" in users


def test_a_host_with_a_certificate_of_its_own(git_yard, host):
    url = f"{host.secure_url}/open/app"
    source = {"type": "GITHUB_ENTERPRISE", "location": url}
    ended = run(git_yard, source)
    message = context(ended, "DOWNLOAD_SOURCE")[1]
    assert message.startswith(f"Git clone failed: unable to access '{url}/': "), message
    assert "certificate" in message
    ended = run(git_yard, source | {"insecureSsl": True})
    assert ended["buildStatus"] == "SUCCEEDED", git_yard.log(ended)
    bucket = unique("certificates")
    git_yard.aws("s3", "mb", f"s3://{bucket}")
    pem = host.certificate.read_bytes()
    objects = {"ca.pem": pem, "ca.zip": zipped({"ca.pem": pem}), "no.pem": b"no"}
    for key, body in objects.items():
        git_yard.s3.put_object(Bucket=bucket, Key=key, Body=body)
    for place in (f"{bucket}/ca.pem", f"arn:aws:s3:::{bucket}/ca.pem", f"{bucket}/ca.zip"):
        ended = run(git_yard, source, environment=environment(certificate=place))
        assert ended["buildStatus"] == "SUCCEEDED", git_yard.log(ended)
    for key, expected in [
        ("nope.pem", "Unable to download certificate from S3. NoSuchKey"),
        ("no.pem", "The certificate of the environment is not in the PEM format"),
    ]:
        ended = run(git_yard, source, environment=environment(certificate=f"{bucket}/{key}"))
        assert context(ended, "DOWNLOAD_SOURCE")[1].startswith(expected)


def test_git_works_for_root_and_for_another_user(git_yard, host):
    text = json.dumps(
        {
            "version": 0.2,
            "phases": {
                "pre_build": {"commands": ["git log --format=root:%s -1"]},
                "build": {
                    "run-as": "codebuild-user",
                    "commands": ["git log --format=user:%s -1; git checkout --quiet -b mine"],
                },
                "post_build": {"commands": ["git branch --show-current"]},
            },
        }
    )
    ended = run(git_yard, {"location": f"{host.url}/open/app", "buildspec": text})
    assert ended["buildStatus"] == "SUCCEEDED", git_yard.log(ended)
    assert git_yard.printed(ended).split() == ["root:a", "change", "user:a", "change", "mine"]


def test_an_image_without_git_is_told_what_it_lacks(git_yard, host, tmp_path):
    image = f"rootfs:{small_root(tmp_path / 'root')}"
    ended = run(git_yard, {"location": f"{host.url}/open/app"}, imageOverride=image)
    code, message = context(ended, "DOWNLOAD_SOURCE")
    assert code == "CLIENT_ERROR"
    assert message.startswith('exec: "git": executable file not found in $PATH'), message


NOT_LOCATIONS = [
    "github.com/a/b",
    "https://github.com",
    "https://user:secret@github.com/a/b",
    "https://github.com/a/../b",
    "https://-oProxyCommand=x/a",
    "ext::sh -c true",
    "--upload-pack=true",
    "ftp://host/a",
]


@pytest.mark.parametrize("location", NOT_LOCATIONS)
def test_a_location_that_is_none_is_refused(git_yard, location):
    message = refused(
        git_yard.codebuild.create_project,
        "InvalidInputException",
        "location must be the URL of a GITHUB repository",
        name=unique("git"),
        source={"type": "GITHUB", "location": location},
        artifacts={"type": "NO_ARTIFACTS"},
        environment=environment(),
        serviceRole=ROLE,
    )
    assert "secret" not in message
