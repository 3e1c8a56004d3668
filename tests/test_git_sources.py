"""Sources that are Git repositories: on a host with a password, on ssh, and in a folder."""

import itertools

import pytest

import git_host
import harness
from calls import refused
from conftest import WORKER, nothing_stays, unique
from git_host import GitHost, Repository
from harness import spec

SPEC = spec("cat greeting.txt", "git log --format=%s%d | head -1", "pwd")
NUMBERS = itertools.count(int(WORKER.removeprefix("gw")) * 20 + 1)


@pytest.fixture(scope="module")
def host(workplace):
    """The Git host, with a repository `app` for those with the password and `open/app` for all."""
    if why := git_host.missing():
        pytest.skip(why)
    host = GitHost(workplace / unique("host"), next(NUMBERS)).start()
    for name in ("app", "open/app"):
        fill(host.repository(name, {"buildspec.yml": SPEC, "greeting.txt": "one\n"}))
    yield host
    host.stop()


def fill(made):
    """Three commits on `main`, a branch, two tags and what providers keep of pull requests."""
    made.git("tag", "v1")
    made.commit({"greeting.txt": "two\n"})
    made.git("tag", "--annotate", "--message=two", "v2")
    made.git("checkout", "--quiet", "-b", "feature/x")
    made.commit({"greeting.txt": "feature\n"})
    made.git("checkout", "--quiet", "--detach")
    commit = made.commit({"greeting.txt": "pull request\n"})
    for name in ("pull/7/head", "merge-requests/7/head", "pull-requests/7/from"):
        made.git("update-ref", f"refs/{name}", commit)
    made.git("checkout", "--quiet", "main")
    made.commit({"greeting.txt": "three\n"})
    return made


@pytest.fixture(scope="module")
def git_yard(workplace, host):
    """A service whose builds reach the Git host, and whose folder of repositories is open."""
    folder = workplace / unique("git-yard")
    folder.mkdir()
    config = folder / "buildyard.toml"
    (folder / "repositories").mkdir()
    config.write_text(
        f'[builds]\nnetwork_allow = ["{host.address}"]\n'
        f'[sources]\nfolders = ["{folder}/repositories"]\nstalled_seconds_max = 3\n'
    )
    service = harness.Service(folder / "data", arguments=["--config", config]).start()
    service.folder = folder / "repositories"
    yield service
    nothing_stays(service)


def run(yard, source, **overrides):
    """Runs a build of a new project with this source, and gives its document."""
    name = unique("git")
    members = {k: overrides.pop(k) for k in ("secondarySources", "environment") if k in overrides}
    yard.create_project(name, source={"type": "GITHUB"} | source, **members)
    return yard.run(name, **overrides)


def test_a_repository_in_an_opened_folder(git_yard):
    made = fill(
        Repository(git_yard.folder / "app.git", {"buildspec.yml": SPEC, "greeting.txt": ""})
    )
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
