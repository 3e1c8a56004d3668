"""Builds through the API: the document from start to end, overrides, tokens, stop, retry."""

import itertools
import json
import re
import sqlite3
import time
import uuid

import boto3
import pytest

import harness
from calls import least, refused
from conftest import unique
from harness import context, phase, spec

HONOURED = {
    "CreateProject",
    "UpdateProject",
    "DeleteProject",
    "InvalidateProjectCache",
    "BatchGetProjects",
    "ListProjects",
    "StartBuild",
    "StopBuild",
    "RetryBuild",
    "BatchGetBuilds",
    "BatchDeleteBuilds",
    "ListBuilds",
    "ListBuildsForProject",
    "ListCuratedEnvironmentImages",
    "ImportSourceCredentials",
    "ListSourceCredentials",
    "DeleteSourceCredentials",
}
ALL_PHASES = [
    "SUBMITTED",
    "QUEUED",
    "PROVISIONING",
    "DOWNLOAD_SOURCE",
    "INSTALL",
    "PRE_BUILD",
    "BUILD",
    "POST_BUILD",
    "UPLOAD_ARTIFACTS",
    "FINALIZING",
    "COMPLETED",
]
PREFIX = f"arn:aws:codebuild:{harness.REGION}:{harness.ACCOUNT}:"
FOREVER = spec("echo started", "exec sleep 600")


def kinds(build):
    return [entry["phaseType"] for entry in build["phases"]]


# The document


def test_the_answer_of_start_build(yard):
    name = unique("fresh")
    yard.create_project(
        name,
        source={"type": "S3", "location": "sources/absent.zip"},
        artifacts={"type": "S3", "location": "jars"},
    )
    build = yard.start_build(name)
    yard.ended(build["id"])
    build.pop("ResponseMetadata", None)
    started, arn = build.pop("startTime"), build.pop("arn")
    phases = build.pop("phases")
    uid = build["id"].removeprefix(f"{name}:")
    assert uuid.UUID(uid).version == 4
    assert arn == f"{PREFIX}build/{name}:{uid}"
    assert build == {
        "id": f"{name}:{uid}",
        "buildNumber": 1,
        "projectName": name,
        "buildStatus": "IN_PROGRESS",
        "buildComplete": False,
        "currentPhase": "QUEUED",
        "serviceRole": harness.ROLE,
        "timeoutInMinutes": 60,
        "queuedTimeoutInMinutes": 480,
        "encryptionKey": f"arn:aws:kms:{harness.REGION}:{harness.ACCOUNT}:alias/aws/s3",
        "initiator": build["initiator"],
        "source": {"type": "S3", "location": "sources/absent.zip", "insecureSsl": False},
        "secondarySources": [],
        "secondarySourceVersions": [],
        "secondaryArtifacts": [],
        "artifacts": {
            "location": f"arn:aws:s3:::jars/{name}",
            "overrideArtifactName": False,
            "encryptionDisabled": False,
            "md5sum": "",
            "sha256sum": "",
        },
        "cache": {"type": "NO_CACHE"},
        "environment": {
            "type": "LINUX_CONTAINER",
            "image": "host",
            "computeType": "BUILD_GENERAL1_SMALL",
            "environmentVariables": [],
            "privilegedMode": False,
            "imagePullCredentialsType": "CODEBUILD",
        },
        "logs": {
            "deepLink": "https://console.aws.amazon.com/cloudwatch/home?"
            f"region={harness.REGION}#logEvent:group=null;stream=null",
            "cloudWatchLogsArn": f"arn:aws:logs:{harness.REGION}:{harness.ACCOUNT}"
            ":log-group:null:log-stream:null",
            "cloudWatchLogs": {"status": "ENABLED"},
            "s3Logs": {"status": "DISABLED", "encryptionDisabled": False},
        },
    }
    submitted, queued = phases
    assert submitted == {
        "phaseType": "SUBMITTED",
        "phaseStatus": "SUCCEEDED",
        "startTime": started,
        "endTime": submitted["endTime"],
        "durationInSeconds": 0,
    }
    assert queued == {"phaseType": "QUEUED", "startTime": submitted["endTime"]}


def test_the_phases_of_a_build_that_succeeds(build):
    ended = build("sleep 1.2")
    assert ended["buildStatus"] == "SUCCEEDED"
    assert ended["buildComplete"] is True
    assert ended["currentPhase"] == "COMPLETED"
    assert kinds(ended) == ALL_PHASES
    for entry, follower in itertools.pairwise(ended["phases"]):
        assert entry["phaseStatus"] == "SUCCEEDED"
        assert entry["endTime"] == follower["startTime"], entry["phaseType"]
        length = (entry["endTime"] - entry["startTime"]).total_seconds()
        assert entry["durationInSeconds"] == int(length), entry
        if entry["phaseType"] in ("SUBMITTED", "QUEUED"):
            assert "contexts" not in entry
        else:
            assert entry["contexts"] == [{"statusCode": "", "message": ""}]
    assert set(ended["phases"][-1]) == {"phaseType", "startTime"}
    assert ended["endTime"] == ended["phases"][-1]["startTime"]
    assert phase(ended, "BUILD")["durationInSeconds"] >= 1


def test_the_times_on_the_wire_are_seconds_with_milliseconds(yard, build):
    ended = build("true")
    raw = yard.aws(
        "codebuild", "batch-get-builds", "--ids", ended["id"], "--output", "json", "--debug"
    ).stderr
    body = re.search(r"Response body:\s*\n?b?['\"]?(\{.*\})", raw)[1]
    assert re.search(r'"startTime":\d{10}\.\d{1,3}[,}]', body)


def test_the_log_of_a_build_has_its_group_and_stream(yard, project, build):
    ended = build("true")
    uid = ended["id"].split(":")[1]
    logs = ended["logs"]
    assert (logs["groupName"], logs["streamName"]) == (f"/aws/codebuild/{project}", uid)
    assert logs["cloudWatchLogsArn"] == (
        f"arn:aws:logs:{harness.REGION}:{harness.ACCOUNT}"
        f":log-group:/aws/codebuild/{project}:log-stream:{uid}"
    )
    assert f"region={harness.REGION}" in logs["deepLink"]
    assert "null" not in logs["deepLink"]


def test_a_log_goes_where_the_project_says(yard):
    name, group = unique("own-log"), unique("group")
    logs = {"cloudWatchLogs": {"status": "ENABLED", "groupName": group, "streamName": "app"}}
    yard.create_project(name, logsConfig=logs)
    ended = yard.run(name)
    uid = ended["id"].split(":")[1]
    assert (ended["logs"]["groupName"], ended["logs"]["streamName"]) == (group, f"app/{uid}")
    assert "Entering phase BUILD" in yard.log(ended)


def test_a_log_that_is_disabled_makes_no_group(yard):
    name = unique("no-log")
    yard.create_project(name, logsConfig={"cloudWatchLogs": {"status": "DISABLED"}})
    ended = yard.run(name)
    assert ended["buildStatus"] == "SUCCEEDED"
    groups = yard.logs.describe_log_groups(logGroupNamePrefix=f"/aws/codebuild/{name}")["logGroups"]
    assert groups == []


def test_builds_are_numbered_and_the_numbers_are_not_reused(yard, project):
    first, second = yard.run(project), yard.run(project)
    yard.codebuild.batch_delete_builds(ids=[second["id"]])
    third = yard.run(project)
    assert [b["buildNumber"] for b in (first, second, third)] == [1, 2, 3]


def test_the_initiator_is_the_caller(yard, build):
    arn = yard.sts.get_caller_identity()["Arn"]
    assert build("true")["initiator"] in (arn.split(":")[-1], arn.split("/")[-1])


# Overrides

OVERRIDES = {
    "sourceVersion": ("abc", lambda b: b["sourceVersion"], "abc"),
    "artifactsOverride": (
        {"type": "S3", "location": "arn:aws:s3:::jars", "name": "n", "encryptionDisabled": True},
        lambda b: [b["artifacts"][m] for m in ("location", "encryptionDisabled")],
        ["arn:aws:s3:::jars/n", True],
    ),
    "secondaryArtifactsOverride": (
        [{"type": "S3", "location": "jars", "name": "n", "artifactIdentifier": "docs"}],
        lambda b: [a["artifactIdentifier"] for a in b["secondaryArtifacts"]],
        ["docs"],
    ),
    "secondarySourcesOverride": (
        [{"type": "S3", "location": "sources/a.zip", "sourceIdentifier": "tools"}],
        lambda b: b["secondarySources"],
        [
            {
                "type": "S3",
                "location": "sources/a.zip",
                "sourceIdentifier": "tools",
                "insecureSsl": False,
            }
        ],
    ),
    "buildspecOverride": (spec("echo x"), lambda b: b["source"]["buildspec"], spec("echo x")),
    "gitCloneDepthOverride": (7, lambda b: b["source"]["gitCloneDepth"], 7),
    "gitSubmodulesConfigOverride": (
        {"fetchSubmodules": True},
        lambda b: b["source"]["gitSubmodulesConfig"],
        {"fetchSubmodules": True},
    ),
    "insecureSslOverride": (True, lambda b: b["source"]["insecureSsl"], True),
    "environmentTypeOverride": (
        "LINUX_CONTAINER",
        lambda b: b["environment"]["type"],
        "LINUX_CONTAINER",
    ),
    "imageOverride": ("rootfs:/absent", lambda b: b["environment"]["image"], "rootfs:/absent"),
    "computeTypeOverride": (
        "BUILD_GENERAL1_MEDIUM",
        lambda b: b["environment"]["computeType"],
        "BUILD_GENERAL1_MEDIUM",
    ),
    "certificateOverride": ("b/ca.pem", lambda b: b["environment"]["certificate"], "b/ca.pem"),
    "cacheOverride": (
        {"type": "LOCAL", "modes": ["LOCAL_CUSTOM_CACHE"]},
        lambda b: b["cache"],
        {"type": "LOCAL", "modes": ["LOCAL_CUSTOM_CACHE"]},
    ),
    "serviceRoleOverride": (harness.ROLE + "-2", lambda b: b["serviceRole"], harness.ROLE + "-2"),
    "privilegedModeOverride": (False, lambda b: b["environment"]["privilegedMode"], False),
    "timeoutInMinutesOverride": (23, lambda b: b["timeoutInMinutes"], 23),
    "queuedTimeoutInMinutesOverride": (29, lambda b: b["queuedTimeoutInMinutes"], 29),
    "encryptionKeyOverride": (
        "arn:aws:kms:eu-central-1:000000000000:alias/k",
        lambda b: b["encryptionKey"],
        "arn:aws:kms:eu-central-1:000000000000:alias/k",
    ),
    "logsConfigOverride": (
        {"cloudWatchLogs": {"status": "DISABLED"}},
        lambda b: b["logs"]["cloudWatchLogs"]["status"],
        "DISABLED",
    ),
    "imagePullCredentialsTypeOverride": (
        "SERVICE_ROLE",
        lambda b: b["environment"]["imagePullCredentialsType"],
        "SERVICE_ROLE",
    ),
    "debugSessionEnabled": (True, lambda b: b["debugSession"]["sessionEnabled"], True),
    "autoRetryLimitOverride": (2, lambda b: b["autoRetryConfig"]["autoRetryLimit"], 2),
}
# These have tests of their own.
ELSEWHERE = {
    "projectName",
    "idempotencyToken",
    "environmentVariablesOverride",
    "sourceTypeOverride",
    "sourceLocationOverride",
    "secondarySourcesVersionOverride",
    "reportBuildStatusOverride",
    "buildStatusConfigOverride",
    "sourceAuthOverride",
    "hostKernelOverride",
    "fleetOverride",
    "registryCredentialOverride",
}


def test_every_override_of_the_model_is_tested():
    model = boto3.session.Session(region_name=harness.REGION).client("codebuild").meta.service_model
    assert set(model.shape_for("StartBuildInput").members) <= set(OVERRIDES) | ELSEWHERE


def test_a_registry_credential_comes_with_the_service_role(yard, project):
    credential = {"credential": "r", "credentialProvider": "SECRETS_MANAGER"}
    build = yard.start_build(
        project,
        registryCredentialOverride=credential,
        imagePullCredentialsTypeOverride="SERVICE_ROLE",
    )
    assert build["environment"]["registryCredential"] == credential
    yard.ended(build["id"])


@pytest.mark.parametrize("member", OVERRIDES)
def test_an_override_holds_for_its_build_alone(yard, project, member):
    value, seen, expected = OVERRIDES[member]
    before = yard.codebuild.batch_get_projects(names=[project])["projects"]
    build = yard.start_build(project, **{member: value})
    assert seen(build) == expected
    assert seen(yard.ended(build["id"])) == expected
    assert yard.codebuild.batch_get_projects(names=[project])["projects"] == before


def test_the_source_is_overridden_with_its_type(yard, project, bucket):
    source = harness.zipped(
        {"buildspec.yml": spec("cat here.txt"), "here.txt": "from the bucket\n"}
    )
    yard.s3.put_object(Bucket=bucket, Key="source.zip", Body=source)
    ended = yard.run(
        project,
        sourceTypeOverride="S3",
        sourceLocationOverride=f"{bucket}/source.zip",
        buildspecOverride="buildspec.yml",
    )
    assert ended["source"]["type"] == "S3"
    assert ended["source"]["location"] == f"{bucket}/source.zip"
    assert ended["buildStatus"] == "SUCCEEDED", yard.log(ended)
    assert "from the bucket" in yard.printed(ended)


def test_variables_are_merged_by_name(yard):
    name = unique("variables")
    yard.create_project(
        name,
        environment=harness.environment(
            environmentVariables=[
                {"name": "A", "value": "project"},
                {"name": "B", "value": "project"},
            ]
        ),
    )
    ended = yard.run(
        name,
        buildspecOverride=spec('echo "$A $B $C"'),
        environmentVariablesOverride=[
            {"name": "B", "value": "caller", "type": "PLAINTEXT"},
            {"name": "C", "value": "caller", "type": "PLAINTEXT"},
        ],
    )
    given = {v["name"]: v["value"] for v in ended["environment"]["environmentVariables"]}
    assert given == {"A": "project", "B": "caller", "C": "caller"}
    assert yard.printed(ended) == "project caller caller"


# Tokens and limits


def test_a_token_gives_the_same_build_again(yard, project):
    token = unique("token")
    first = yard.start_build(project, idempotencyToken=token)
    again = yard.start_build(project, idempotencyToken=token)
    assert again["id"] == first["id"]
    other = yard.start_build(project, idempotencyToken=unique("token"))
    assert other["id"] != first["id"]
    refused(
        yard.codebuild.start_build,
        "InvalidInputException",
        projectName=project,
        idempotencyToken=token,
        timeoutInMinutesOverride=9,
    )
    yard.ended(first["id"])
    yard.ended(other["id"])
    assert len(yard.codebuild.list_builds_for_project(projectName=project)["ids"]) == 2


def test_a_projects_own_limit_refuses_and_does_not_queue(yard):
    name = unique("limited")
    yard.create_project(name, concurrentBuildLimit=1)
    running = yard.start_build(name, buildspecOverride=FOREVER)
    yard.wait_for_log(running["id"], "started\n")
    refused(yard.codebuild.start_build, "AccountLimitExceededException", projectName=name)
    yard.codebuild.stop_build(id=running["id"])
    yard.ended(running["id"])
    assert yard.run(name)["buildStatus"] == "SUCCEEDED"


# Stop, time, retry


def test_stop_ends_every_process_within_five_seconds(yard, project):
    stubborn = spec(
        "trap '' TERM INT HUP; for n in 1 2 3; do (trap '' TERM INT; setsid sleep 601) & done;"
        " echo started; while :; do sleep 602; done"
    )
    build = yard.start_build(project, buildspecOverride=stubborn)
    yard.wait_for_log(build["id"], "started\n")
    began = time.monotonic()
    answer = yard.codebuild.stop_build(id=build["id"])["build"]
    assert answer["buildStatus"] in ("IN_PROGRESS", "STOPPED")
    ended = yard.ended(build["id"], seconds=5)
    uid = build["id"].split(":")[1]
    harness.wait_for(
        lambda: not [t for t in harness.traces(yard) if uid in t],
        "its processes to end",
        max(0.1, 5 - (time.monotonic() - began)),
    )
    assert ended["buildStatus"] == "STOPPED"
    assert kinds(ended) == ALL_PHASES[:7] + ["COMPLETED"]
    stopped = phase(ended, "BUILD")
    assert stopped["phaseStatus"] == "STOPPED"
    assert "contexts" not in stopped


def test_stopping_what_ended_gives_it_unchanged(yard, build):
    ended = build("true")
    assert yard.codebuild.stop_build(id=ended["id"])["build"] == ended
    assert yard.codebuild.stop_build(id=ended["arn"])["build"] == ended


def test_a_queued_build_can_be_stopped(own_yard, tmp_path):
    config = tmp_path / "buildyard.toml"
    config.write_text("[builds]\nat_once_max = 1\n")
    yard = own_yard(arguments=["--config", config]).start()
    yard.create_project("demo")
    running = yard.start_build("demo", buildspecOverride=FOREVER)
    yard.wait_for_log(running["id"], "started\n")
    waiting = yard.start_build("demo")
    assert yard.build(waiting["id"])["currentPhase"] == "QUEUED"
    yard.codebuild.stop_build(id=waiting["id"])
    ended = yard.ended(waiting["id"], 5)
    assert ended["buildStatus"] == "STOPPED"
    assert kinds(ended) == ["SUBMITTED", "QUEUED", "COMPLETED"]
    assert phase(ended, "QUEUED")["phaseStatus"] == "STOPPED"
    behind = yard.start_build("demo")
    yard.codebuild.stop_build(id=running["id"])
    assert yard.ended(behind["id"])["buildStatus"] == "SUCCEEDED"


def test_what_is_unknown_cannot_be_stopped_or_retried(yard, project):
    absent = f"{project}:{uuid.uuid4()}"
    refused(yard.codebuild.stop_build, "ResourceNotFoundException", id=absent)
    refused(yard.codebuild.retry_build, "ResourceNotFoundException", id=absent)


def test_retry_runs_the_same_again_under_a_new_number(yard, project):
    first = yard.run(
        project,
        buildspecOverride=spec('echo "$A"; exit 1'),
        timeoutInMinutesOverride=11,
        environmentVariablesOverride=[{"name": "A", "value": "kept"}],
    )
    assert first["buildStatus"] == "FAILED"
    token = unique("token")
    retried = yard.codebuild.retry_build(id=first["id"], idempotencyToken=token)["build"]
    yard.build_ids.add(retried["id"])
    assert (
        yard.codebuild.retry_build(id=first["id"], idempotencyToken=token)["build"]["id"]
        == retried["id"]
    )
    ended = yard.ended(retried["id"])
    assert ended["id"] != first["id"]
    assert ended["buildNumber"] == first["buildNumber"] + 1
    assert ended["timeoutInMinutes"] == 11
    assert ended["environment"] == first["environment"]
    assert ended["buildStatus"] == "FAILED"
    assert "kept\n" in yard.log(ended)


# Many at once


def test_batch_get_gives_what_it_finds(yard, project, build):
    one = build("true")
    absent = f"{project}:{uuid.uuid4()}"
    answer = yard.codebuild.batch_get_builds(ids=[one["id"], absent])
    assert answer["builds"] == [one]
    assert answer["buildsNotFound"] == [absent]
    assert yard.codebuild.batch_get_builds(ids=[one["arn"]])["builds"] == [one]


def test_batch_get_refuses(yard, project):
    lenient = yard.client("codebuild", parameter_validation=False)
    refused(
        lenient.batch_get_builds,
        "InvalidInputException",
        "The input build ID list cannot be empty.",
        ids=[],
    )
    refused(
        lenient.batch_get_builds,
        "InvalidInputException",
        "Invalid build ID provided",
        ids=["no-colon"],
    )
    many = [f"{project}:{uuid.uuid4()}" for _ in range(101)]
    refused(lenient.batch_get_builds, "InvalidInputException", ids=many)


def test_batch_delete_takes_ids_and_answers_with_arns(yard, project):
    done = yard.run(project)
    running = yard.start_build(project, buildspecOverride=FOREVER)
    answer = yard.codebuild.batch_delete_builds(ids=[done["id"], running["id"]])
    assert answer["buildsDeleted"] == [done["arn"]]
    assert answer["buildsNotDeleted"] == [
        {"id": answer["buildsNotDeleted"][0]["id"], "statusCode": "BUILD_IN_PROGRESS"}
    ]
    assert running["id"] in answer["buildsNotDeleted"][0]["id"]
    assert yard.codebuild.batch_get_builds(ids=[done["id"]])["buildsNotFound"] == [done["id"]]
    yard.codebuild.stop_build(id=running["id"])
    yard.ended(running["id"])


def test_lists_of_builds_are_newest_first_and_turn_on_request(yard, project):
    ids = [yard.start_build(project)["id"] for _ in range(3)]
    of_project = yard.codebuild.list_builds_for_project
    assert of_project(projectName=project)["ids"] == ids[::-1]
    assert of_project(projectName=project, sortOrder="ASCENDING")["ids"] == ids
    every = yard.codebuild.list_builds(sortOrder="DESCENDING")["ids"]
    assert [i for i in every if i in ids] == ids[::-1]
    for build_id in ids:
        yard.ended(build_id)


def test_a_list_of_an_unknown_project_is_refused(yard):
    name = unique("absent")
    refused(
        yard.codebuild.list_builds_for_project,
        "ResourceNotFoundException",
        f"The provided project {PREFIX}project/{name} does not exist",
        projectName=name,
    )


def test_a_page_of_builds_holds_a_hundred(yard, project):
    ids = [yard.start_build(project, imageOverride="rootfs:/absent")["id"] for _ in range(104)]
    first = yard.codebuild.list_builds_for_project(projectName=project)
    assert first["ids"] == ids[:-101:-1]
    second = yard.codebuild.list_builds_for_project(
        projectName=project, nextToken=first["nextToken"]
    )
    assert second["ids"] == ids[3::-1]
    assert "nextToken" not in second
    for build_id in ids:
        yard.ended(build_id)


# Refusals


def test_a_build_of_an_unknown_project_is_refused(yard):
    name = unique("absent")
    refused(
        yard.codebuild.start_build,
        "ResourceNotFoundException",
        f"Project cannot be found: {PREFIX}project/{name}",
        projectName=name,
    )


@pytest.mark.parametrize(
    "overrides",
    [
        {"timeoutInMinutesOverride": 4},
        {"timeoutInMinutesOverride": 2161},
        {"queuedTimeoutInMinutesOverride": 4},
        {"computeTypeOverride": "TINY"},
        {"environmentTypeOverride": "SUBMARINE"},
        {"sourceTypeOverride": "FLOPPY"},
        {"gitCloneDepthOverride": -1},
        {"artifactsOverride": {"type": "NO_ARTIFACTS", "location": "jars"}},
        {"artifactsOverride": {"type": "S3"}},
        {"idempotencyToken": "t" * 65},
        {"environmentVariablesOverride": [{"name": "", "value": "v"}]},
    ],
    ids=lambda overrides: json.dumps(overrides)[:60],
)
def test_an_override_out_of_its_bounds_is_refused(yard, project, overrides):
    lenient = yard.client("codebuild", parameter_validation=False)
    refused(lenient.start_build, "InvalidInputException", projectName=project, **overrides)
    assert (
        "ids" not in (a := lenient.list_builds_for_project(projectName=project)) or a["ids"] == []
    )


LACKING = {
    "another kind of machine": {"environmentTypeOverride": "ARM_CONTAINER"},
    "a fleet": {"fleetOverride": {"fleetArn": PREFIX + "fleet/f"}},
    "a log in a bucket": {
        "logsConfigOverride": {"s3Logs": {"status": "ENABLED", "location": "logs"}}
    },
}


@pytest.mark.parametrize("what", LACKING)
def test_a_build_with_what_is_not_there_is_refused_and_not_run_without_it(yard, project, what):
    message = refused(
        yard.codebuild.start_build, "InvalidInputException", projectName=project, **LACKING[what]
    )
    assert "not supported by this service yet" in message
    assert yard.codebuild.list_builds_for_project(projectName=project)["ids"] == []


@pytest.mark.parametrize("operation", sorted(set(harness.operations("codebuild")) - HONOURED))
def test_an_operation_that_is_not_there_is_refused_in_codebuilds_own_words(yard, operation):
    client = yard.client("codebuild", parameter_validation=False)
    shape = client.meta.service_model.operation_model(operation).input_shape
    method = next(m for m, o in client.meta.method_to_api_mapping.items() if o == operation)
    message = refused(
        getattr(client, method), "InvalidInputException", **(least(shape) if shape else {})
    )
    assert operation in message


def test_an_operation_that_codebuild_does_not_know_is_refused(yard):
    import botocore.auth
    import botocore.awsrequest
    import botocore.credentials
    import urllib3

    request = botocore.awsrequest.AWSRequest(
        "POST",
        yard.url + "/",
        data="{}",
        headers={
            "X-Amz-Target": "CodeBuild_20161006.Levitate",
            "Content-Type": "application/x-amz-json-1.1",
        },
    )
    keys = botocore.credentials.Credentials(yard.access_key, yard.secret_key)
    botocore.auth.SigV4Auth(keys, "codebuild", harness.REGION).add_auth(request)
    answer = urllib3.request("POST", request.url, body="{}", headers=dict(request.headers.items()))
    assert answer.status == 400
    assert answer.json()["__type"].endswith("UnknownOperationException")


def age(yard, build_id, minutes):
    """Lets a stopped service's build look as if it had been received this much earlier."""
    state = sqlite3.connect(yard.data_dir / "state.db")
    with state:
        (text,) = state.execute("SELECT state FROM build WHERE id = ?", (build_id,)).fetchone()
        document = json.loads(text)
        earlier = int(minutes * 60_000_000)
        document["submitted"]["received_at"] -= earlier
        for record in document["phases"]:
            record["started_at"] -= earlier
            if record["ended"]:
                record["ended"][0] -= earlier
        state.execute("UPDATE build SET state = ? WHERE id = ?", (json.dumps(document), build_id))
    state.close()


def test_a_builds_time_is_over_when_its_project_says_so(own_yard):
    """No test waits for the five minutes that are the least: the state is made older instead."""
    yard = own_yard().start()
    yard.create_project("demo", timeoutInMinutes=5)
    build = yard.start_build("demo", buildspecOverride=FOREVER)
    yard.wait_for_log(build["id"], "started\n")
    yard.stop()
    age(yard, build["id"], 4.9)
    yard.start()
    assert not yard.build(build["id"])["buildComplete"]
    ended = yard.ended(build["id"], 20)
    assert phase(ended, "BUILD")["phaseStatus"] == "TIMED_OUT"
    assert context(ended, "BUILD") == ("BUILD_TIMED_OUT", "Build has timed out. ")
    assert kinds(ended) == ALL_PHASES[:7] + ["COMPLETED"]
    assert ended["buildStatus"] == "TIMED_OUT"


def test_a_build_waits_no_longer_than_its_queued_timeout(own_yard, tmp_path):
    config = tmp_path / "buildyard.toml"
    config.write_text("[builds]\nat_once_max = 1\n")
    yard = own_yard(arguments=["--config", config]).start()
    yard.create_project("demo", queuedTimeoutInMinutes=5)
    running = yard.start_build("demo", buildspecOverride=FOREVER)
    yard.wait_for_log(running["id"], "started\n")
    waiting = yard.start_build("demo")
    yard.stop()
    age(yard, waiting["id"], 5)
    yard.start()
    ended = yard.ended(waiting["id"], 20)
    assert ended["buildStatus"] == "TIMED_OUT"
    assert kinds(ended) == ["SUBMITTED", "QUEUED", "COMPLETED"]
    assert phase(ended, "QUEUED")["phaseStatus"] == "TIMED_OUT"
    assert not yard.build(running["id"])["buildComplete"]
