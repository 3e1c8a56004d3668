"""The fixtures: a service for the session, services of a test's own, projects, buckets."""

import itertools
import os
import pathlib
import shutil
import tempfile
import uuid

import pytest

import git_host
import harness

WORKER = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
COUNTER = itertools.count(1)


def unique(stem):
    """A name that no other test of this run has."""
    return f"{stem}-{WORKER}-{next(COUNTER)}"


def pytest_terminal_summary(terminalreporter):
    """Tells of each test that was tried again what it had failed by."""
    for report in terminalreporter.stats.get("rerun", []):
        terminalreporter.write_line(report.longreprtext)
        message = getattr(report.longrepr, "reprcrash", report.longrepr)
        message = getattr(message, "message", str(message)).replace("\n", " ")
        terminalreporter.write_line(f"RERUN {report.nodeid}: {message[:1_000]}")


@pytest.fixture(scope="session")
def workplace():
    """A folder for data folders, short enough for what lives in it, removed at the end."""
    # Podman names an image after its folder, and takes not every underscore in a name.
    folder = pathlib.Path(tempfile.gettempdir()) / f"buildyard-tests-{uuid.uuid4().hex[:8]}"
    folder.mkdir(mode=0o700)
    yield folder
    shutil.rmtree(folder)


def nothing_stays(service):
    """Ends the service; its builds must leave no process, mount, cgroup, folder or filter."""
    try:
        end_builds(service)
        harness.wait_for(lambda: not harness.traces(service), "traces of builds to vanish", 15)
    finally:
        service.stop()
    assert harness.traces(service) == []
    folders = harness.container_folders(service)
    assert folders == [], f"container folders stay behind: {folders}"
    assert harness.filter_tables(service) == []


def end_builds(service):
    """Stops the builds that a test has left running."""
    for build_id in sorted(service.build_ids):
        found = service.codebuild.batch_get_builds(ids=[build_id])["builds"]
        if found and not found[0]["buildComplete"]:
            service.codebuild.stop_build(id=build_id)
            service.ended(build_id)


@pytest.fixture(scope="session")
def shared_service(workplace):
    service = harness.Service(workplace / f"shared-{WORKER}").start()
    yield service
    nothing_stays(service)


@pytest.fixture
def yard(shared_service):
    """The service that most tests share. A test that ends it fails, and the next has it again."""
    yield shared_service
    code = shared_service.process.poll()
    if code is not None:
        shared_service.start()
        pytest.fail(f"the service ended with {code}:\n{shared_service.stderr()}")


@pytest.fixture
def own_yard(workplace):
    """Makes services of the test's own: `own_yard(arguments=[…])`, not yet started."""
    made = []

    def make(**settings):
        made.append(harness.Service(workplace / unique("own"), **settings))
        return made[-1]

    yield make
    for service in made:
        if service.process:
            nothing_stays(service)


@pytest.fixture
def project(yard):
    """A fresh project's name; the test gives its buildspec with each build."""
    name = unique("project")
    yard.create_project(name)
    return name


@pytest.fixture
def bucket(yard):
    """A fresh, empty bucket's name."""
    name = unique("bucket")
    yard.s3.create_bucket(
        Bucket=name, CreateBucketConfiguration={"LocationConstraint": harness.REGION}
    )
    return name


@pytest.fixture
def build(yard, project):
    """Runs a build of these commands and gives its document: `build("echo a", "echo b")`."""

    def run(*commands, phase="build", top=None, **overrides):
        text = overrides.pop("buildspec", None) or harness.spec(
            *commands, phase=phase, **(top or {})
        )
        return yard.run(project, buildspecOverride=text, **overrides)

    return run


@pytest.fixture(scope="session")
def host(workplace):
    """A Git host, with a repository `app` for those with the password and `open/app` for all."""
    if why := git_host.missing():
        pytest.skip(why)
    number = int(WORKER.removeprefix("gw")) + 1
    host = git_host.GitHost(workplace / unique("host"), number).start()
    for name in ("app", "open/app"):
        git_host.fill(host.repository(name, {"buildspec.yml": git_host.SPEC}))
    yield host
    host.stop()


@pytest.fixture(scope="session")
def git_yard(workplace, host):
    """A service whose builds reach the Git host, and whose folder of repositories is open."""
    folder = workplace / unique("git-yard")
    folder.mkdir()
    config = folder / "buildyard.toml"
    (folder / "repositories").mkdir()
    config.write_text(
        f'[builds]\nnetwork_allow = ["{host.address}"]\n'
        f'[sources]\nfolders = ["{folder}/repositories"]\nstalled_seconds_max = 3\n'
        f'connections = {{ "{git_host.CONNECTION}" = "{git_host.CONNECTION_SECRET}" }}\n'
    )
    service = harness.Service(folder / "data", arguments=["--config", config]).start()
    service.folder = folder / "repositories"
    yield service
    nothing_stays(service)
