"""Sources that are Git repositories: on a host with a password, on ssh, and in a folder."""

import pytest

from calls import refused
from conftest import unique
from git_host import SPEC, Repository, fill, run
from harness import ROLE, environment


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
