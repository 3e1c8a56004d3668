"""The same build by each executor, chosen as a client can: by a variable of its environment."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest

import engines
import harness
import registry as registries
from conftest import unique
from harness import environment, spec
from registry import entry, shell, tar

RUNTIMES = ("runc", "crun", "runsc")
VARIABLE = "BUILDYARD_EXECUTOR"
# The first of the users that builds have apart from the machine's.
APART_FIRST = 0x70000000
# How long builds sleep that somebody looks for: nobody else sleeps as long.
SLEEP = str(600_000 + os.getpid())


def installed(name):
    return shutil.which(name) is not None


@pytest.fixture(scope="module")
def workshop(workplace):
    """A service whose builds may choose any executor that is installed."""
    folder = workplace / unique("executors")
    folder.mkdir()
    allowed = [name for name in RUNTIMES if installed(name)]
    config = folder / "buildyard.toml"
    config.write_text(f"[executors]\nallowed = {json.dumps(allowed)}\n")
    service = harness.Service(folder / "data", arguments=["--config", config]).start()
    service.s3.create_bucket(
        Bucket="jars", CreateBucketConfiguration={"LocationConstraint": harness.REGION}
    )
    service.s3.put_object(
        Bucket="jars", Key="source.zip", Body=harness.zipped({"word.txt": "from the source"})
    )
    service.secrets.create_secret(Name="ci/word", SecretString="hush-this-word")
    yield service
    for build_id in service.build_ids:
        assert service.build(build_id)["buildComplete"]
    harness.wait_for(lambda: not harness.traces(service), "traces of builds to vanish", 15)
    service.stop()
    assert harness.container_folders(service) == []


def choose(name, **more):
    return [{"name": VARIABLE, "value": name, **more}]


@pytest.fixture(params=["sandbox", *RUNTIMES])
def executor(request):
    name = request.param
    if name != "sandbox" and not installed(name):
        pytest.skip(f"{name} is not installed")
    return name


WHOLE = spec(
    "cat word.txt",
    'test "$WORD" = hush-this-word && echo "the secret is $WORD"',
    "python3 -c \"import urllib.request as u, os; print(sorted(__import__('json').load(u.urlopen("
    "'http://169.254.170.2' + os.environ['AWS_CONTAINER_CREDENTIALS_RELATIVE_URI']))))\"",
    "mkdir out && echo made > out/made.txt",
    artifacts={"files": ["**/*"], "base-directory": "out"},
    env={"secrets-manager": {"WORD": "ci/word"}},
)


def test_a_whole_build(workshop, executor):
    project = unique("whole")
    workshop.create_project(
        project,
        source={"type": "S3", "location": "jars/source.zip", "buildspec": WHOLE},
        artifacts={"type": "S3", "location": "jars", "packaging": "ZIP", "name": f"{project}.zip"},
        environment=environment(environmentVariables=choose(executor)),
    )
    started = workshop.aws_json("codebuild", "start-build", "--project-name", project)["build"]
    workshop.build_ids.add(started["id"])
    build = workshop.ended(started["id"])
    log = workshop.log(build)
    assert build["buildStatus"] == "SUCCEEDED", log + workshop.stderr()
    printed = workshop.printed(build)
    assert "from the source" in printed
    assert "the secret is ***" in printed and "hush-this-word" not in log
    assert "['AccessKeyId', 'Expiration', 'RoleArn', 'SecretAccessKey', 'Token']" in printed
    packed = workshop.s3.get_object(Bucket="jars", Key=f"{project}.zip")["Body"].read()
    assert b"made.txt" in packed


def test_a_build_outlives_the_service(workshop, executor):
    """And whose it is on the machine: a user's whom nobody else has, but for one of gVisor's, of
    whose processes the machine sees none."""
    project = unique("outlives")
    workshop.create_project(project)
    running = workshop.start_build(
        project,
        buildspecOverride=spec("echo on", f"sleep {SLEEP}", "echo off"),
        environmentVariablesOverride=choose(executor),
    )
    workshop.wait_for_log(running["id"], f"Running command sleep {SLEEP}")
    if executor == "runsc":
        assert harness.owners("runsc-sandbox") == {0} and harness.owners(SLEEP) == set()
    elif os.geteuid() == 0:
        [owner] = harness.wait_for(lambda: harness.owners(SLEEP), "the build's process")
        assert owner >= APART_FIRST
    workshop.kill()
    workshop.start()
    workshop.wait_for_log(running["id"], "on\n")
    assert not workshop.build(running["id"])["buildComplete"]
    workshop.codebuild.stop_build(id=running["id"])
    ended = workshop.ended(running["id"])
    assert ended["buildStatus"] == "STOPPED"
    assert workshop.log(ended).count("Running command echo on") == 1


def test_an_executor_that_is_not_allowed_is_refused(yard, project):
    with pytest.raises(yard.codebuild.exceptions.InvalidInputException) as refused:
        yard.start_build(project, environmentVariablesOverride=choose("runc"))
    assert refused.value.response["Error"]["Message"] == (
        f'Invalid environment variable {VARIABLE}: no executor "runc" may be chosen here, '
        "only sandbox"
    )
    with pytest.raises(yard.codebuild.exceptions.InvalidInputException) as refused:
        chosen = choose("sandbox", type="PARAMETER_STORE")
        yard.start_build(project, environmentVariablesOverride=chosen)
    assert "its type must be PLAINTEXT" in str(refused.value)


def refused_start(folder, text):
    """What the service says when this configuration keeps it from starting."""
    config = folder / "buildyard.toml"
    config.write_text(text)
    command = [harness.BINARY, "serve", "--listen", "127.0.0.1:0", "--config", config]
    done = subprocess.run(
        [*command, "--data-dir", folder / "data"],
        capture_output=True,
        text=True,
        timeout=30,
        env=harness.Service.clean_environment(),
    )
    assert done.returncode != 0
    return done.stderr


def test_an_executor_that_is_not_there_is_told_at_the_start(tmp_path):
    missing = tmp_path / "runc"
    said = refused_start(
        tmp_path, f'[executors]\ndefault = "runc"\n[executors.runc]\nprogram = "{missing}"\n'
    )
    assert "the executor runc cannot be used: install runc" in said
    assert "executors.runc.program" in said
    assert f"{missing} --version" in said


@pytest.mark.skipif(os.geteuid() != 0, reason="container engines are for root")
@pytest.mark.skipif(engines.missing("dockerd") is not None, reason=str(engines.missing("dockerd")))
def test_an_engine_with_other_users_is_told_at_the_start(tmp_path):
    with tempfile.TemporaryDirectory(prefix="buildyard-engine-") as folder:
        # Its users, who are nobody here, want to come in.
        os.chmod(folder, 0o711)
        with engines.running("dockerd", pathlib.Path(folder), remapped=True) as socket:
            chosen = f'[executors]\ndefault = "docker"\n[executors.docker]\nsocket = "{socket}"\n'
            said = refused_start(tmp_path, chosen)
    assert "the executor docker cannot be used: " in said
    assert "its containers' users are not this machine's (userns-remap)" in said
    assert "take an executor that keeps users apart itself, such as sandbox or runc" in said


def test_a_local_build_names_its_executor(tmp_path, executor):
    (tmp_path / "buildspec.yml").write_text(spec("cat /proc/version", "echo x > made.txt"))

    def build(*words):
        return subprocess.run(
            [harness.BINARY, "build", *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=60,
            env=harness.Service.clean_environment() | {"HOME": str(tmp_path)},
        )

    done = build("--executor", executor)
    assert done.returncode == 0, done.stdout + done.stderr
    # gVisor's kernel is its own, with a version of its own.
    with open("/proc/version") as version:
        assert (version.read().strip() in done.stdout) == (executor != "runsc")
    assert not (tmp_path / "made.txt").exists()
    refused = build("--env", f"{VARIABLE}=rkt")
    assert refused.returncode == 2
    assert 'there is no executor "rkt"' in refused.stderr


USERS = json.dumps(
    {
        "version": 0.2,
        "phases": {
            "pre_build": {"commands": ["mkdir -p /kept/own && chown 1000:1001 /kept/own"]},
            "build": {
                "run-as": "builder",
                "commands": [
                    "id -u && id -g && echo $HOME && cd && stat -c %u:%g given",
                    "touch mine /kept/own/$MADE && stat -c %u:%g mine",
                    "! touch /root/x 2> /dev/null && ! cat /etc/shadow 2> /dev/null",
                ],
            },
            "post_build": {
                "commands": [
                    "id -u && echo $HOME && stat -c %u:%g /home/builder/mine /kept/own/*",
                    "chown 0:7 /home/builder/given && stat -c %u:%g /home/builder/given",
                ],
            },
        },
        "cache": {"paths": ["/kept/**/*"]},
    }
)


def users_image(folder):
    """An image with a user who has a file, and a place that is everybody's."""
    layout = registries.Layout(folder)
    passwd = "root:x:0:0:root:/root:/bin/sh\nbuilder:x:1000:1001::/home/builder:/bin/sh\n"
    own = {"uid": 1000, "gid": 1001}
    home = [entry("home"), entry("home/builder", **own), entry("home/builder/given", "", **own)]
    etc = [entry("etc/passwd", passwd), entry("etc/shadow", "", mode=0o600)]
    layer = [*shell(), *etc, entry("kept", mode=0o1777), *home]
    layout.tag(layout.image([layer], User="builder"), "users")
    return f"oci:{layout.folder}"


def users_are_the_images_own(service, image, executor, before=()):
    """Of a build and of what it leaves in a cache, which it finds after builds by others."""
    project = "users"
    name = unique(executor)
    variables = [*choose(executor), {"name": "MADE", "value": name}]
    ended = service.run(project, environmentVariablesOverride=variables, imageOverride=image)
    assert ended["buildStatus"] == "SUCCEEDED", service.log(ended) + service.stderr()
    owned = ["1000:1001"] * (2 + len(before))
    expected = ["1000", "1001", "/home/builder", "1000:1001", "1000:1001"]
    expected += ["0", "/root", *owned, "0:7"]
    assert service.printed(ended).split() == expected
    return [*before, name]


def users_project(service, image):
    service.create_project(
        "users",
        source={"type": "NO_SOURCE", "buildspec": USERS},
        environment=environment(image=image),
        cache={"type": "LOCAL", "modes": ["LOCAL_CUSTOM_CACHE"]},
    )


def test_users_are_the_images_own_by_every_executor(workshop, tmp_path):
    image = users_image(tmp_path / "image")
    users_project(workshop, image)
    made = []
    for name in ("sandbox", *filter(installed, RUNTIMES), "sandbox"):
        made = users_are_the_images_own(workshop, image, name, made)


@pytest.fixture(params=["dockerd", "podman"], scope="module")
def engine(request, workplace):
    """A container engine on a socket of its own."""
    if os.geteuid() != 0:
        pytest.skip("container engines are for root")
    if why := engines.missing(request.param):
        pytest.skip(why)
    folder = workplace / unique("engine")
    folder.mkdir()
    with engines.running(request.param, folder) as socket:
        yield socket


IN_BUSYBOX = spec(
    "cat word.txt",
    'test "$WORD" = hush-this-word && echo "the secret is $WORD"',
    'wget -qO- "http://169.254.170.2$AWS_CONTAINER_CREDENTIALS_RELATIVE_URI" | cut -c 1-19',
    "mkdir out && echo made > out/made.txt",
    artifacts={"files": ["**/*"], "base-directory": "out"},
    env={"secrets-manager": {"WORD": "ci/word"}},
)


def with_engine(engine, folder, more=""):
    """The arguments of a service whose builds are an engine's."""
    config = folder / "buildyard.toml"
    chosen = (
        f'[executors]\ndefault = "docker"\nallowed = ["sandbox"]\n'
        f'[executors.docker]\nsocket = "{engine}"\n'
    )
    config.write_text(chosen + more)
    return ["--config", config]


def test_a_container_engine_makes_environments(engine, own_yard, tmp_path):
    yard = own_yard(arguments=with_engine(engine, tmp_path))
    yard.start()
    yard.s3.create_bucket(
        Bucket="jars", CreateBucketConfiguration={"LocationConstraint": harness.REGION}
    )
    source = harness.zipped({"word.txt": "from the source"})
    yard.s3.put_object(Bucket="jars", Key="source.zip", Body=source)
    yard.secrets.create_secret(Name="ci/word", SecretString="hush-this-word")
    image = f"oci:{engines.busybox_image(tmp_path / 'image')}"
    yard.create_project(
        "demo",
        source={"type": "S3", "location": "jars/source.zip", "buildspec": IN_BUSYBOX},
        artifacts={"type": "S3", "location": "jars", "packaging": "ZIP", "name": "made.zip"},
        environment=environment(image=image),
    )
    build = yard.run("demo")
    log = yard.log(build)
    assert build["buildStatus"] == "SUCCEEDED", log + yard.stderr()
    printed = yard.printed(build)
    assert "from the source" in printed and '{"AccessKeyId":"ASI' in printed
    assert "the secret is ***" in printed and "hush-this-word" not in log
    packed = yard.s3.get_object(Bucket="jars", Key="made.zip")["Body"].read()
    assert b"made.txt" in packed

    running = yard.start_build("demo", buildspecOverride=spec("echo on", f"sleep {SLEEP}"))
    yard.wait_for_log(running["id"], "on\n")
    assert harness.wait_for(lambda: harness.owners(SLEEP), "the build's process") == {0}
    yard.kill()
    yard.start()
    assert not yard.build(running["id"])["buildComplete"]
    yard.codebuild.stop_build(id=running["id"])
    ended = yard.ended(running["id"])
    assert ended["buildStatus"] == "STOPPED"
    assert yard.log(ended).count("Running command echo on") == 1

    refused = yard.run(
        "demo", imageOverride="host", sourceTypeOverride="NO_SOURCE", buildspecOverride=spec("true")
    )
    code, message = harness.context(refused, "PROVISIONING")
    assert code == "BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE"
    assert "the image host is for the sandbox and runtimes" in message

    image = users_image(tmp_path / "users")
    users_project(yard, image)
    made = []
    for name in ("docker", "sandbox", "docker"):
        made = users_are_the_images_own(yard, image, name, made)
    assert engines.containers(engine) == []


@pytest.mark.skipif(registries.missing() is not None, reason=str(registries.missing()))
def test_a_container_engine_is_given_the_images_of_this_machine(engine, own_yard, tmp_path):
    """Pulled by a name of the operator's table by two builds at once, and imported; each once."""
    registry = registries.Registry(tmp_path / "registry").start()
    layout = registries.Layout(tmp_path / "layout")
    base = layout.layer(tar(*shell(), entry("gone", "gone\n")))
    above = layout.layer(tar(entry(".wh.gone", ""), entry("hello", "pulled\n")), packed="zstd")
    layout.tag(layout.image([base, above], Volumes={"/vol": {}}, User="1000"), "tool")
    layout.tag(layout.image([base, [entry("hello", "imported\n")]]), "kin")
    registry.push(layout, "tool", "tool:1")
    names = (
        f'[images.registries."{registry.host}"]\nplain_http = true\n'
        f'[images.names]\n"aws/codebuild/*" = "{registry.host}/tool:1"\n'
    )
    yard = own_yard(arguments=with_engine(engine, tmp_path, names))

    def image(*words):
        done = subprocess.run(
            [harness.BINARY, "image", *words, "--data-dir", yard.data_dir, *yard.arguments],
            capture_output=True,
            text=True,
            env=yard.clean_environment(),
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    archive = tmp_path / "kin.tar"
    named = f"docker-archive:{archive}:kin.example.org/kin:1"
    registries.skopeo("copy", f"oci:{layout.folder}:kin", named)
    image("import", archive)
    yard.start()
    yard.create_project("demo", environment=environment(image="aws/codebuild/standard:7.0"))
    document = spec("cat /hello; test ! -e /gone; id -u; test ! -e /vol")
    pulled = [yard.start_build("demo", buildspecOverride=document)["id"] for _ in range(2)]
    for build_id in pulled:
        ended = yard.ended(build_id)
        assert ended["buildStatus"] == "SUCCEEDED", yard.log(ended) + yard.stderr()
        assert yard.printed(ended).split() == ["pulled", "0"]
    fetched = [path for method, path in registry.requests() if method == "GET"]
    for layer in (base, above):
        assert sum(path.endswith(layer["digest"]) for path in fetched) == 1, fetched
    imported = yard.run("demo", imageOverride="kin.example.org/kin:1", buildspecOverride=document)
    assert yard.printed(imported).splitlines()[0] == "imported", yard.log(imported)
    assert len(engines.images(engine)) == 2

    registry.stop()
    missing = yard.run("demo", imageOverride=f"{registry.host}/none:1", buildspecOverride=document)
    code, message = harness.context(missing, "PROVISIONING")
    assert code == "BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE"
    assert "CannotPullContainerError" in message
    said = image("rm", "kin.example.org/kin:1")
    assert "in 1 images of the container engine" in said
    [left] = engines.images(engine)
    assert left["Labels"]["buildyard.name"] == f"{registry.host}/tool:1"
    # Its registry is away; what is in place will do, and the engine has it.
    ended = yard.run("demo", buildspecOverride=document)
    assert ended["buildStatus"] == "SUCCEEDED", yard.log(ended)
    image("rm", f"{registry.host}/tool:1")
    assert engines.images(engine) == []


def test_a_container_engine_that_is_not_there_is_told_at_the_start(tmp_path):
    socket = tmp_path / "docker.sock"
    said = refused_start(
        tmp_path, f'[executors]\nallowed = ["docker"]\n[executors.docker]\nsocket = "{socket}"\n'
    )
    assert "the executor docker cannot be used: start the engine" in said
    assert "executors.docker.socket" in said
