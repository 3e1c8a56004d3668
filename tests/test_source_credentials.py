"""Credentials for Git hosts: kept, given to builds that fetch their sources, and to nobody else."""

import hashlib
import json
import os
import pathlib

import pytest

import harness
from calls import refused
from conftest import unique
from git_host import CONNECTION, CONNECTION_SECRET, PASSWORD, run
from harness import context, spec

SERVERS = {
    "GITHUB": "x-access-token",
    "GITHUB_ENTERPRISE": "x-access-token",
    "BITBUCKET": "x-token-auth",
    "GITLAB": "oauth2",
    "GITLAB_SELF_MANAGED": "oauth2",
}
PREFIX = f"arn:aws:codebuild:{harness.REGION}:{harness.ACCOUNT}:token/"


@pytest.fixture
def imported(git_yard):
    """Imports a credential, and removes it afterwards."""
    arns = []

    def make(server="GITHUB", auth="PERSONAL_ACCESS_TOKEN", token=PASSWORD, **more):
        answer = git_yard.codebuild.import_source_credentials(
            serverType=server, authType=auth, token=token, **more
        )
        arns.append(answer["arn"])
        return answer["arn"]

    yield make
    for arn in set(arns):
        git_yard.codebuild.delete_source_credentials(arn=arn)


def test_a_credential_is_imported_listed_and_deleted(git_yard):
    codebuild = git_yard.codebuild
    given = {"serverType": "GITHUB_ENTERPRISE", "authType": "PERSONAL_ACCESS_TOKEN"}
    arn = codebuild.import_source_credentials(token="t", **given)["arn"]
    assert arn == PREFIX + "github_enterprise"
    listed = codebuild.list_source_credentials()["sourceCredentialsInfos"]
    assert listed == [given | {"arn": arn}]
    assert codebuild.import_source_credentials(token="u", **given)["arn"] == arn
    refused(
        codebuild.import_source_credentials,
        "ResourceAlreadyExistsException",
        "Access token with server type GITHUB_ENTERPRISE already exists. "
        "Delete its source credential and try again.",
        token="v",
        shouldOverwrite=False,
        **given,
    )
    assert codebuild.delete_source_credentials(arn=arn)["arn"] == arn
    assert codebuild.list_source_credentials()["sourceCredentialsInfos"] == []
    refused(codebuild.delete_source_credentials, "ResourceNotFoundException", arn=arn)
    refused(codebuild.delete_source_credentials, "InvalidInputException", arn="arn:aws:s3:::b")


def test_the_cli_imports_a_credential(git_yard):
    given = ["--server-type", "BITBUCKET", "--auth-type", "BASIC_AUTH", "--username", "ann"]
    answer = git_yard.aws_json(
        "codebuild", "import-source-credentials", "--token", "t", "--should-overwrite", *given
    )
    assert answer["arn"] == PREFIX + "bitbucket"
    listed = git_yard.aws_json("codebuild", "list-source-credentials")
    assert [i["authType"] for i in listed["sourceCredentialsInfos"]] == ["BASIC_AUTH"]
    git_yard.aws("codebuild", "delete-source-credentials", "--arn", answer["arn"])


def test_a_credential_belongs_to_its_region(git_yard, imported):
    imported("GITHUB")
    elsewhere = git_yard.new_client("codebuild", region="us-west-2")
    assert elsewhere.list_source_credentials()["sourceCredentialsInfos"] == []


REFUSED = [
    {"serverType": "GITHUB", "authType": "OAUTH", "token": "t"},
    {"serverType": "GITHUB", "authType": "BASIC_AUTH", "token": "t", "username": "u"},
    {"serverType": "BITBUCKET", "authType": "BASIC_AUTH", "token": "t"},
    {"serverType": "GITHUB", "authType": "CODECONNECTIONS", "token": "arn:aws:x"},
    {"serverType": "GITHUB", "authType": "SECRETS_MANAGER", "token": "my-secret"},
    {"serverType": "GITHUB", "authType": "PERSONAL_ACCESS_TOKEN", "token": "a\nhost=evil"},
    {"serverType": "SOURCEHUT", "authType": "PERSONAL_ACCESS_TOKEN", "token": "t"},
]


@pytest.mark.parametrize("given", REFUSED, ids=lambda given: "-".join(given.values())[:40])
def test_a_credential_that_cannot_be_used_is_refused(git_yard, given):
    lenient = git_yard.client("codebuild", parameter_validation=False)
    message = refused(lenient.import_source_credentials, "InvalidInputException", **given)
    if given["authType"] == "CODECONNECTIONS":
        assert "sources.connections" in message
    assert git_yard.codebuild.list_source_credentials()["sourceCredentialsInfos"] == []


@pytest.mark.parametrize("kind", SERVERS)
def test_each_provider_is_asked_with_its_usual_user(git_yard, host, imported, kind):
    imported(kind)
    seen = len(host.requests())
    ended = run(git_yard, {"type": kind, "location": f"{host.url}/app"})
    assert ended["buildStatus"] == "SUCCEEDED", git_yard.log(ended)
    users = {line.split("]")[1].split()[0] for line in host.requests()[seen:]}
    assert users == {"-", SERVERS[kind]}


def test_a_user_and_an_app_password(git_yard, host, imported):
    imported("BITBUCKET", "BASIC_AUTH", username="ann")
    location = f"{host.url.replace('//', '//ann@')}/app"
    ended = run(git_yard, {"type": "BITBUCKET", "location": location})
    assert ended["buildStatus"] == "SUCCEEDED", git_yard.log(ended)
    assert any("] ann POST /app/git-upload-pack" in line for line in host.requests())


@pytest.mark.parametrize("token", [None, "wrong"])
def test_a_build_without_the_password_says_so(git_yard, host, imported, token):
    if token:
        imported("GITHUB", token=token)
    ended = run(git_yard, {"location": f"{host.url}/app"}, sourceVersion="main")
    assert context(ended, "DOWNLOAD_SOURCE") == (
        "CLIENT_ERROR",
        "authentication required for primary source and source version main",
    )
    assert ended["buildStatus"] == "FAILED"


def test_a_credential_of_another_provider_is_not_used(git_yard, host, imported):
    imported("GITLAB")
    ended = run(git_yard, {"type": "GITHUB", "location": f"{host.url}/app"})
    assert "authentication required" in context(ended, "DOWNLOAD_SOURCE")[1]


def helper(answer, *commands):
    return spec(*commands, env={"git-credential-helper": answer})


def secret(yard, **members):
    text = json.dumps({"ServerType": "GITHUB", "AuthType": "PERSONAL_ACCESS_TOKEN"} | members)
    client = yard.client("secretsmanager")
    return client.create_secret(Name=unique("git"), SecretString=text)["ARN"]


def test_a_secret_is_a_projects_own_credential(git_yard, host, imported):
    imported("GITHUB", token="the account's, which is wrong")
    auth = {"type": "SECRETS_MANAGER", "resource": secret(git_yard, Token=PASSWORD)}
    source = {"location": f"{host.url}/app", "auth": auth}
    ended = run(git_yard, source)
    assert ended["buildStatus"] == "SUCCEEDED", git_yard.log(ended)
    assert ended["source"]["auth"] == auth
    ended = run(git_yard, {"location": f"{host.url}/app"}, sourceAuthOverride=auth)
    assert ended["buildStatus"] == "SUCCEEDED", git_yard.log(ended)


def test_a_secret_is_the_accounts_credential(git_yard, host, imported):
    arn = secret(git_yard, Token=PASSWORD)
    imported("GITHUB", "SECRETS_MANAGER", arn)
    (listed,) = git_yard.codebuild.list_source_credentials()["sourceCredentialsInfos"]
    assert listed["resource"] == arn
    ended = run(git_yard, {"location": f"{host.url}/app"})
    assert ended["buildStatus"] == "SUCCEEDED", git_yard.log(ended)


def test_a_connection_is_the_accounts_credential(git_yard, host, imported):
    auth = {"type": "CODECONNECTIONS", "resource": CONNECTION.replace("known", "unknown")}
    source = {"type": "GITLAB", "location": f"{host.url}/app", "auth": auth}
    ended = run(git_yard, source)
    assert "authentication required" in context(ended, "DOWNLOAD_SOURCE")[1]
    imported("GITLAB")
    ended = run(git_yard, source)
    assert ended["buildStatus"] == "SUCCEEDED", git_yard.log(ended)
    assert ended["source"]["auth"] == auth


def test_a_connection_is_a_secret_that_the_configuration_names(git_yard, host, imported):
    imported("GITHUB", token="the account's, which is wrong")
    client = git_yard.client("secretsmanager")
    text = {"ServerType": "GITHUB", "AuthType": "PERSONAL_ACCESS_TOKEN", "Token": PASSWORD}
    client.create_secret(Name=CONNECTION_SECRET, SecretString=json.dumps(text))
    auth = {"type": "CODECONNECTIONS", "resource": CONNECTION}
    ended = run(git_yard, {"location": f"{host.url}/app", "auth": auth})
    assert ended["buildStatus"] == "SUCCEEDED", git_yard.log(ended)
    imported("GITHUB", "CODECONNECTIONS", CONNECTION)
    (listed,) = git_yard.codebuild.list_source_credentials()["sourceCredentialsInfos"]
    assert (listed["authType"], listed["resource"]) == ("CODECONNECTIONS", CONNECTION)
    ended = run(git_yard, {"location": f"{host.url}/app"})
    assert ended["buildStatus"] == "SUCCEEDED", git_yard.log(ended)
    client.delete_secret(SecretId=CONNECTION_SECRET, ForceDeleteWithoutRecovery=True)


@pytest.mark.parametrize("why", ["another type", "no token", "gone"])
def test_a_secret_without_a_credential_says_so(git_yard, host, why):
    members = {"ServerType": "GITLAB", "Token": "t"} if why == "another type" else {}
    arn = secret(git_yard, **members)
    if why == "gone":
        client = git_yard.client("secretsmanager")
        client.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)
    auth = {"type": "SECRETS_MANAGER", "resource": arn}
    ended = run(git_yard, {"location": f"{host.url}/app", "auth": auth})
    code, message = context(ended, "DOWNLOAD_SOURCE")
    assert code == "CLIENT_ERROR"
    expected = (
        "can't find the specified secret" if why == "gone" else "must be JSON with ServerType"
    )
    assert expected in message


def test_a_source_may_not_be_authorized_by_what_is_not_there(git_yard, host):
    create = git_yard.codebuild.create_project
    members = {"artifacts": {"type": "NO_ARTIFACTS"}, "environment": harness.environment()}
    members |= {"serviceRole": harness.ROLE, "name": unique("git")}
    source = {"type": "GITHUB", "location": f"{host.url}/app"}
    refused(
        create,
        "InvalidInputException",
        "resource is required",
        source=source | {"auth": {"type": "SECRETS_MANAGER"}},
        **members,
    )


# Who sees the secret

LOOK = """
import os, sys
needle = sys.argv[1][::-1].encode()
found = []
def look(place, content):
    if needle in content:
        found.append(place)
def read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""
began = int(os.environ["CODEBUILD_START_TIME"]) / 1000 - 60
me, counted = str(os.getpid()), 0
for pid in (name for name in os.listdir("/proc") if name.isdigit()):
    for name in ("environ", "cmdline"):
        look(f"/proc/{pid}/{name}", read(f"/proc/{pid}/{name}"))
    if pid == me:
        continue
    try:
        maps, memory = open(f"/proc/{pid}/maps").read(), open(f"/proc/{pid}/mem", "rb", 0)
    except OSError as error:
        print("memory of", pid, "is closed")
        continue
    for line in maps.splitlines():
        ends, mode = line.split()[:2]
        first, last = (int(end, 16) for end in ends.split("-"))
        if "r" in mode:
            try:
                memory.seek(first)
                look(f"/proc/{pid}/mem", memory.read(last - first))
                counted += 1
            except (OSError, ValueError):
                pass
files = 0
for folder, folders, names in os.walk("/"):
    if folder in ("/proc", "/sys"):
        folders.clear()
        continue
    for name in names:
        path = os.path.join(folder, name)
        try:
            at = os.lstat(path)
        except OSError:
            continue
        # What the image had before is not the build's.
        if at.st_ctime >= began and (at.st_mode & 0o170000) == 0o100000:
            files += 1
            look(path, read(path))
print("looked into", counted, "regions and", files, "files")
print("found in", found)
"""


def test_no_command_finds_the_secret_anywhere(git_yard, host, imported):
    imported("GITHUB")
    look = f"cat > /tmp/look.py <<'END'\n{LOOK}END\n/usr/bin/python3 /tmp/look.py {PASSWORD[::-1]}"
    text = spec(look, "cat .git/config", "env", "ls -A /codebuild/output/tmp")
    ended = run(git_yard, {"location": f"{host.url}/app", "buildspec": text})
    log = git_yard.log(ended)
    assert ended["buildStatus"] == "SUCCEEDED", log
    assert "memory of 1 is closed" in log
    assert "\nfound in []\n" in log
    counted = next(line for line in log.splitlines() if line.startswith("looked into")).split()
    assert int(counted[2]) > 10 and int(counted[5]) > 10, counted
    assert PASSWORD not in log
    assert git_yard.printed(ended).endswith("\nscript.sh")


# The place where the helper asks follows from a key that only the service has, and the test.
PLACE = """
import hashlib, hmac, os, urllib.error, urllib.request
def place_of(uuid):
    text = b"".join(
        len(part).to_bytes(8, "little") + part
        for part in (b"source-credentials-path", uuid.encode())
    )
    key = bytes.fromhex(os.environ["MASTER_KEY"])
    digest = hmac.new(key, text, hashlib.sha256).hexdigest()[:32]
    return "http://169.254.170.2/v2/source-credentials/" + digest
"""
ASK = (
    PLACE
    + """
question = os.environ["QUESTION"].encode()
own = os.environ["CODEBUILD_BUILD_ID"].split(":")[1]
for uuid in (own, "00000000-0000-0000-0000-000000000000"):
    try:
        given = urllib.request.urlopen(place_of(uuid), question).read()
        print("given", hashlib.sha256(given).hexdigest())
    except urllib.error.HTTPError as error:
        print("status", error.code, error.read().decode())
"""
)


@pytest.mark.parametrize("answer", ["yes", "no"])
def test_the_service_gives_commands_what_their_buildspec_asks_for(git_yard, host, imported, answer):
    imported("GITHUB")
    text = helper(answer, f"cat > /tmp/ask.py <<'END'\n{ASK}END", "/usr/bin/python3 /tmp/ask.py")
    question = f"source=*\nprotocol=http\nhost={host.address}\n"
    variables = {"MASTER_KEY": (git_yard.data_dir / "master.key").read_text().strip()}
    variables |= {"QUESTION": question}
    given = [{"name": name, "value": value} for name, value in variables.items()]
    ended = run(
        git_yard,
        {"location": f"{host.url}/app", "buildspec": text},
        environmentVariablesOverride=given,
    )
    printed = git_yard.printed(ended).rstrip()
    whole = hashlib.sha256(f"username=x-access-token\npassword={PASSWORD}\n".encode()).hexdigest()
    refusal = "status 403 the sources of the build are fetched\n"
    assert (f"given {whole}\n" if answer == "yes" else refusal) in printed
    assert printed.endswith("status 404"), "another build's place"


def test_the_service_gives_nothing_to_a_caches_key(git_yard, host, imported):
    """A cache's key is evaluated by a shell, before the first command."""
    imported("GITHUB")
    host.repository("curious", {"ask.py": ASK})
    key = "$(/usr/bin/python3 $CODEBUILD_SRC_DIR/ask.py > /tmp/asked; echo key)"
    text = spec("cat /tmp/asked", cache={"key": key, "paths": ["x"]})
    bucket = unique("caches")
    git_yard.aws("s3", "mb", f"s3://{bucket}")
    given = {"MASTER_KEY": (git_yard.data_dir / "master.key").read_text().strip()}
    given |= {"QUESTION": f"source=\nprotocol=http\nhost={host.address}\n"}
    ended = run(
        git_yard,
        {"location": f"{host.url}/curious", "buildspec": text},
        cacheOverride={"type": "S3", "location": bucket},
        environmentVariablesOverride=[{"name": n, "value": v} for n, v in given.items()],
    )
    assert ended["buildStatus"] == "SUCCEEDED", git_yard.log(ended)
    assert git_yard.printed(ended).startswith("status 403 "), git_yard.printed(ended)


def test_no_process_and_no_file_of_the_machine_shows_the_secret(git_yard, host, imported):
    host.repository("slow/app", {"buildspec.yml": spec("true"), "large": bytes(range(256)) * 400})
    imported("GITHUB")
    name = unique("git")
    git_yard.create_project(name, source={"type": "GITHUB", "location": f"{host.url}/slow/app"})
    started = git_yard.start_build(name)

    def fetching():
        shown = [process for process in pathlib.Path("/proc").iterdir() if process.name.isdigit()]
        lines = [text_of(process / "cmdline") for process in shown]
        return any(b"git-remote-http" in line for line in lines) and lines

    lines = harness.wait_for(fetching, "git to fetch", 30, every=0.005)
    needle = PASSWORD.encode()
    assert not any(needle in line for line in lines)
    for process in pathlib.Path("/proc").iterdir():
        if process.name.isdigit():
            assert needle not in text_of(process / "environ"), text_of(process / "cmdline")
    # What fetches may be another test's, on this same machine.
    journals = git_yard.data_dir / "journals"
    harness.wait_for(lambda: list(journals.iterdir()), "the build's journal", 30)
    for _ in range(2):
        for folder, _, names in os.walk(git_yard.data_dir):
            for name in names:
                assert needle not in text_of(pathlib.Path(folder) / name), f"{folder}/{name}"
        ended = git_yard.ended(started["id"])
    assert ended["buildStatus"] == "SUCCEEDED", git_yard.log(ended)
    assert needle not in git_yard.errors.read_bytes()


def text_of(path):
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_no_other_host_is_told_the_secret(git_yard, host, imported):
    imported("GITHUB")
    other = f"http://{host.address}:8081"
    made = host.repository("hungry", {"buildspec.yml": spec("true")})
    lib = host.repository("lib", {"x": ""})
    made.add_submodule("lib", f"{other}/lib", lib.git("rev-parse", "HEAD"))
    source = {"location": f"{host.url}/hungry", "gitSubmodulesConfig": {"fetchSubmodules": True}}
    ended = run(git_yard, source)
    message = context(ended, "DOWNLOAD_SOURCE")[1]
    assert message.startswith(f"authentication required: clone of '{other}/lib'"), message
    ended = run(git_yard, {"location": f"{host.url}/elsewhere/app"})
    assert "authentication required" in context(ended, "DOWNLOAD_SOURCE")[1]
    asked = [line for line in host.requests() if line.startswith("8081 ")]
    assert len(asked) >= 2
    assert all(line.startswith("8081 [-]") for line in asked), asked


# The helper that a buildspec may ask for


@pytest.mark.parametrize("answer", ["yes", "no"])
def test_the_credential_helper_of_a_buildspec(git_yard, host, imported, answer):
    imported("GITHUB")
    host_lib = host.repositories / f"more-{answer}"
    if not host_lib.exists():
        host.repository(f"more-{answer}", {"x": "more\n"})
    clone = f"git clone --quiet {host.url}/more-{answer} /tmp/more && cat /tmp/more/x"
    text = helper(answer, f"export GIT_TERMINAL_PROMPT=0; {clone}")
    ended = run(git_yard, {"location": f"{host.url}/app", "buildspec": text})
    assert ended["buildStatus"] == ("SUCCEEDED" if answer == "yes" else "FAILED")
    assert ("more" in git_yard.printed(ended).split("\n")) == (answer == "yes")
    other = f"git clone --quiet http://{host.address}:8081/app /tmp/other"
    text = helper(answer, f"export GIT_TERMINAL_PROMPT=0; {other}")
    ended = run(git_yard, {"location": f"{host.url}/app", "buildspec": text})
    assert ended["buildStatus"] == "FAILED"
    asked = [line for line in host.requests() if line.startswith("8081 ")]
    assert all(line.startswith("8081 [-]") for line in asked)
