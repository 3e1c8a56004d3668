"""Projects: kept whole, given back whole, refused as CodeBuild refuses."""

import copy
import time

import boto3
import pytest

import harness
from calls import refused
from conftest import unique

ARN = f"arn:aws:codebuild:{harness.REGION}:{harness.ACCOUNT}:project/"

SOURCE = {
    "type": "GITHUB",
    "location": "https://github.com/example/app.git",
    "gitCloneDepth": 3,
    "gitSubmodulesConfig": {"fetchSubmodules": True},
    "buildspec": "ci/build.yml",
    "auth": {
        "type": "SECRETS_MANAGER",
        "resource": "arn:aws:secretsmanager:eu-central-1:000000000000:secret:s",
    },
    "reportBuildStatus": True,
    "buildStatusConfig": {"context": "ci/$AWS_REGION", "targetUrl": "https://ci.example"},
    "insecureSsl": False,
}
ARTIFACTS = {
    "type": "S3",
    "location": "jars",
    "path": "out/of",
    "namespaceType": "BUILD_ID",
    "name": "app.zip",
    "packaging": "ZIP",
    "overrideArtifactName": True,
    "encryptionDisabled": True,
    "bucketOwnerAccess": "READ_ONLY",
}
EVERYTHING = {
    "description": "All that a project can say",
    "source": SOURCE,
    "secondarySources": [
        {
            "type": "S3",
            "location": "sources/tools.zip",
            "sourceIdentifier": "tools",
            "insecureSsl": False,
        }
    ],
    "sourceVersion": "refs/heads/main",
    "secondarySourceVersions": [{"sourceIdentifier": "tools", "sourceVersion": "v7"}],
    "artifacts": ARTIFACTS,
    "secondaryArtifacts": [ARTIFACTS | {"artifactIdentifier": "docs", "name": "docs"}],
    "cache": {"type": "S3", "location": "caches/app", "cacheNamespace": "shared"},
    "environment": {
        "type": "LINUX_CONTAINER",
        "image": "registry.example/app:1",
        "computeType": "BUILD_GENERAL1_LARGE",
        "computeConfiguration": {
            "vCpu": 4,
            "memory": 8,
            "disk": 64,
            "machineType": "GENERAL",
            "instanceType": "m7",
        },
        "fleet": {"fleetArn": "arn:aws:codebuild:eu-central-1:000000000000:fleet/f"},
        "environmentVariables": [
            {"name": "PLAIN", "value": "$HOME is not expanded", "type": "PLAINTEXT"},
            {"name": "EMPTY", "value": "", "type": "PLAINTEXT"},
            {"name": "PARAMETER", "value": "/app/p", "type": "PARAMETER_STORE"},
            {"name": "SECRET", "value": "app:key::", "type": "SECRETS_MANAGER"},
        ],
        "privilegedMode": True,
        "certificate": "certificates/ca.pem",
        "registryCredential": {"credential": "registry", "credentialProvider": "SECRETS_MANAGER"},
        "imagePullCredentialsType": "SERVICE_ROLE",
        "dockerServer": {
            "computeType": "BUILD_GENERAL1_SMALL",
            "securityGroupIds": ["sg-1"],
            "status": {"status": "ACTIVE", "message": "up"},
        },
        "hostKernel": None,
    },
    "serviceRole": harness.ROLE,
    "timeoutInMinutes": 17,
    "queuedTimeoutInMinutes": 19,
    "encryptionKey": "arn:aws:kms:eu-central-1:000000000000:alias/mine",
    "tags": [{"key": "team", "value": "builds"}, {"key": "empty", "value": ""}],
    "vpcConfig": {
        "vpcId": "vpc-1",
        "subnets": ["subnet-1", "subnet-2"],
        "securityGroupIds": ["sg-1"],
    },
    "badgeEnabled": True,
    "logsConfig": {
        "cloudWatchLogs": {"status": "ENABLED", "groupName": "all/builds", "streamName": "app"},
        "s3Logs": {
            "status": "ENABLED",
            "location": "logs/app",
            "encryptionDisabled": True,
            "bucketOwnerAccess": "FULL",
        },
    },
    "fileSystemLocations": [
        {
            "type": "EFS",
            "location": "fs-1.efs.example:/dir",
            "mountPoint": "/mnt/efs",
            "identifier": "shared",
            "mountOptions": "nfsvers=4.1",
        }
    ],
    "buildBatchConfig": {
        "serviceRole": harness.ROLE,
        "combineArtifacts": True,
        "restrictions": {
            "maximumBuildsAllowed": 9,
            "computeTypesAllowed": ["BUILD_GENERAL1_SMALL"],
            "fleetsAllowed": ["arn:aws:codebuild:eu-central-1:000000000000:fleet/f"],
        },
        "timeoutInMins": 99,
        "batchReportMode": "REPORT_INDIVIDUAL_BUILDS",
    },
    "concurrentBuildLimit": 3,
    "autoRetryLimit": 2,
}


def model():
    return boto3.session.Session(region_name=harness.REGION).client("codebuild").meta.service_model


def fitted(value, shape):
    """The value without the members that the client's own model does not know."""
    if shape.type_name == "structure":
        return {k: fitted(v, shape.members[k]) for k, v in value.items() if k in shape.members}
    if shape.type_name == "list":
        return [fitted(item, shape.member) for item in value]
    return value


def everything(name):
    return fitted(
        {"name": name} | copy.deepcopy(EVERYTHING), model().shape_for("CreateProjectInput")
    )


def unsaid(value, shape, path=""):
    """The paths of the shape's members that the value never gives."""
    if shape.type_name == "structure":
        for member, inner in shape.members.items():
            if member in value:
                yield from unsaid(value[member], inner, f"{path}.{member}")
            else:
                yield f"{path}.{member}"
    elif shape.type_name == "list" and value and shape.member.type_name == "structure":
        merged = {}
        for item in value:
            merged |= item
        yield from unsaid(merged, shape.member, f"{path}[]")


def expect_kept(given, kept, path):
    if isinstance(given, dict):
        for member, value in given.items():
            assert member in kept, f"{path}.{member} is lost"
            expect_kept(value, kept[member], f"{path}.{member}")
    elif isinstance(given, list) and given and isinstance(given[0], dict):
        assert len(given) == len(kept), path
        for index, (one, other) in enumerate(zip(given, kept, strict=True)):
            expect_kept(one, other, f"{path}[{index}]")
    else:
        assert given == kept, path


def test_the_full_request_says_all_that_the_model_has():
    shape = model().shape_for("CreateProjectInput")
    left = set(unsaid(everything("p"), shape))
    # A cache of type S3 has no modes, and primary sources and artifacts no identifier; the tests
    # below give these elsewhere.
    assert left <= {
        ".cache.modes",
        ".source.sourceIdentifier",
        ".artifacts.artifactIdentifier",
        ".secondarySources[].gitCloneDepth",
        ".secondarySources[].gitSubmodulesConfig",
        ".secondarySources[].buildspec",
        ".secondarySources[].auth",
        ".secondarySources[].reportBuildStatus",
        ".secondarySources[].buildStatusConfig",
        ".environment.hostKernel",
    }


def test_every_member_is_kept_and_given_back(yard):
    name = unique("everything")
    request = everything(name)
    made = yard.codebuild.create_project(**request)["project"]
    (got,) = yard.codebuild.batch_get_projects(names=[name])["projects"]
    assert made == got
    expected = {k: v for k, v in request.items() if k != "badgeEnabled"}
    expect_kept(expected, got, "project")
    assert got["badge"]["badgeEnabled"] is True
    assert got["arn"] == ARN + name
    assert got["created"] == got["lastModified"]


def test_a_local_cache_keeps_its_modes(yard):
    modes = ["LOCAL_SOURCE_CACHE", "LOCAL_CUSTOM_CACHE"]
    made = yard.create_project(unique("local-cache"), cache={"type": "LOCAL", "modes": modes})
    assert made["cache"] == {"type": "LOCAL", "modes": modes}


def test_the_defaults_of_a_bare_project(yard):
    name = unique("bare")
    made = yard.create_project(
        name,
        artifacts={"type": "S3", "location": "jars"},
        source={"type": "S3", "location": "sources/a.zip"},
    )
    assert made["artifacts"] == {
        "type": "S3",
        "location": "jars",
        "name": name,
        "namespaceType": "NONE",
        "packaging": "NONE",
        "encryptionDisabled": False,
    }
    assert made["source"] == {"type": "S3", "location": "sources/a.zip", "insecureSsl": False}
    assert made["badge"] == {"badgeEnabled": False}
    assert (made["timeoutInMinutes"], made["queuedTimeoutInMinutes"]) == (60, 480)
    assert made["cache"] == {"type": "NO_CACHE"}
    key = f"arn:aws:kms:{harness.REGION}:{harness.ACCOUNT}:alias/aws/s3"
    assert made["encryptionKey"] == key
    assert made["environment"]["privilegedMode"] is False
    assert made["environment"]["imagePullCredentialsType"] == "CODEBUILD"
    assert made["environment"]["environmentVariables"] == []


def test_a_project_is_found_by_name_and_by_arn(yard, project):
    absent = unique("absent")
    answer = yard.codebuild.batch_get_projects(names=[ARN + project, project, absent])
    assert {found["name"] for found in answer["projects"]} == {project}
    assert answer["projectsNotFound"] == [absent]


def test_an_update_changes_what_it_names_and_nothing_else(yard):
    name = unique("updated")
    before = yard.codebuild.create_project(**everything(name))["project"]
    after = yard.codebuild.update_project(name=name, description="new", timeoutInMinutes=33)[
        "project"
    ]
    assert (after["description"], after["timeoutInMinutes"]) == ("new", 33)
    assert after["lastModified"] > before["lastModified"]
    for member in set(before) - {"description", "timeoutInMinutes", "lastModified"}:
        assert before[member] == after[member], member


def test_an_empty_list_clears_and_minus_one_removes_the_limit(yard):
    name = unique("cleared")
    yard.codebuild.create_project(**everything(name))
    after = yard.codebuild.update_project(
        name=name,
        tags=[],
        secondarySources=[],
        secondarySourceVersions=[],
        secondaryArtifacts=[],
        concurrentBuildLimit=-1,
    )["project"]
    for member in ("tags", "secondarySources", "secondarySourceVersions", "secondaryArtifacts"):
        assert after.get(member, []) == [], member
    assert "concurrentBuildLimit" not in after


def test_what_is_missing_cannot_be_updated(yard):
    name = unique("absent")
    refused(yard.codebuild.update_project, "ResourceNotFoundException", ARN + name, name=name)


def test_a_name_is_taken_once(yard, project):
    request = {
        "source": {"type": "NO_SOURCE", "buildspec": harness.spec("true")},
        "artifacts": {"type": "NO_ARTIFACTS"},
        "environment": harness.environment(),
        "serviceRole": harness.ROLE,
    }
    refused(
        yard.codebuild.create_project,
        "ResourceAlreadyExistsException",
        f"Project already exists: {ARN}{project}",
        name=project,
        **request,
    )


def test_a_deleted_project_is_gone_and_its_builds_stay(yard, project):
    build = yard.run(project)
    yard.codebuild.delete_project(name=project)
    yard.codebuild.delete_project(name=project)
    assert yard.codebuild.batch_get_projects(names=[project])["projectsNotFound"] == [project]
    assert yard.build(build["id"])["buildStatus"] == "SUCCEEDED"
    refused(
        yard.codebuild.start_build,
        "ResourceNotFoundException",
        f"Project cannot be found: {ARN}{project}",
        projectName=project,
    )


def test_projects_are_listed_by_name_by_default_and_by_time_on_request(yard):
    names = [unique("listed-b"), unique("listed-a"), unique("listed-c")]
    for name in names:
        yard.create_project(name)
        time.sleep(0.002)  # so that no two are created in the same millisecond

    def listed(**order):
        pages = yard.codebuild.get_paginator("list_projects").paginate(**order)
        return [n for page in pages for n in page["projects"] if n in names]

    assert listed() == sorted(names)
    assert listed(sortBy="NAME", sortOrder="DESCENDING") == sorted(names, reverse=True)
    assert listed(sortBy="CREATED_TIME", sortOrder="ASCENDING") == names
    yard.codebuild.update_project(name=names[0], description="touched")
    assert listed(sortBy="LAST_MODIFIED_TIME", sortOrder="DESCENDING")[0] == names[0]


def test_a_page_of_projects_holds_a_hundred(own_yard):
    yard = own_yard().start()
    names = sorted(f"many-{n:03}" for n in range(103))
    for name in names:
        yard.create_project(name)
    first = yard.codebuild.list_projects()
    assert first["projects"] == names[:100]
    second = yard.codebuild.list_projects(nextToken=first["nextToken"])
    assert second["projects"] == names[100:]
    assert "nextToken" not in second
    refused(yard.codebuild.list_projects, "InvalidInputException", nextToken="no token of ours")


def test_a_project_belongs_to_its_region(yard, project):
    elsewhere = yard.client("codebuild", region="us-west-2")
    assert elsewhere.batch_get_projects(names=[project])["projectsNotFound"] == [project]


NO_SOURCE = {"type": "NO_SOURCE", "buildspec": harness.spec("true")}
S3_ARTIFACTS = {"type": "S3", "location": "jars"}
SECONDARY = {"type": "S3", "location": "b/k.zip"}
REFUSALS = {
    "a name with a space": (
        {"name": "not a name"},
        "Only alphanumeric characters, dash, and underscore are supported",
    ),
    "a name that begins with a dash": ({"name": "-name"}, None),
    "a name of one letter": ({"name": "n"}, None),
    "a name of 151 letters": ({"name": "n" * 151}, None),
    "a description of 256 letters": ({"description": "d" * 256}, None),
    "an unknown source type": (
        {"source": {"type": "FLOPPY"}},
        "Invalid type provided: Project source type",
    ),
    "a source without its location": (
        {"source": {"type": "S3"}},
        "Project source location is required",
    ),
    "no source and no inline buildspec": ({"source": {"type": "NO_SOURCE"}}, None),
    "no source and a buildspec that is a path": (
        {"source": {"type": "NO_SOURCE", "buildspec": "ci/build.yml"}},
        None,
    ),
    "an unknown artifact type": (
        {"artifacts": {"type": "PIGEON"}},
        "Invalid type provided: Artifact type",
    ),
    "no artifacts with a name": (
        {"artifacts": {"type": "NO_ARTIFACTS", "name": "n"}},
        "Invalid artifacts: artifact type NO_ARTIFACTS should have null output name",
    ),
    "no artifacts with a location": (
        {"artifacts": {"type": "NO_ARTIFACTS", "location": "jars"}},
        "Invalid artifacts: artifact type NO_ARTIFACTS should have null location",
    ),
    "S3 artifacts without a location": ({"artifacts": {"type": "S3"}}, None),
    "artifacts unencrypted where there are none": (
        {"artifacts": {"type": "NO_ARTIFACTS", "encryptionDisabled": True}},
        None,
    ),
    "a pipeline on the source's side only": (
        {"source": {"type": "CODEPIPELINE"}, "artifacts": S3_ARTIFACTS},
        "Invalid input: when using CodePipeline both sourceType, and artifactType must be set to: "
        "CODEPIPELINE",
    ),
    "a pipeline on the artifacts' side only": (
        {"artifacts": {"type": "CODEPIPELINE"}},
        "Invalid input: when using CodePipeline both sourceType, and artifactType must be set to: "
        "CODEPIPELINE",
    ),
    "an unknown environment type": (
        {"environment": harness.environment(type="SUBMARINE")},
        "Invalid type provided: SUBMARINE",
    ),
    "an unknown compute type": (
        {"environment": harness.environment(computeType="TINY")},
        "Invalid compute type provided: TINY",
    ),
    "a timeout of four minutes": ({"timeoutInMinutes": 4}, None),
    "a timeout of 2161 minutes": ({"timeoutInMinutes": 2161}, None),
    "a queued timeout of 481 minutes": ({"queuedTimeoutInMinutes": 481}, None),
    "51 tags": ({"tags": [{"key": f"k{n}", "value": ""} for n in range(51)]}, None),
    "a tag with a forbidden character": ({"tags": [{"key": "a*b", "value": ""}]}, None),
    "13 secondary sources": (
        {"secondarySources": [SECONDARY | {"sourceIdentifier": f"s{n}"} for n in range(13)]},
        None,
    ),
    "a secondary source's identifier with a dash": (
        {"secondarySources": [SECONDARY | {"sourceIdentifier": "a-b"}]},
        "identifier must contain only alphanumeric characters and underscores and be less than "
        "128 characters in length",
    ),
    "a secondary source without an identifier": ({"secondarySources": [SECONDARY]}, None),
    "a secondary artifact without an identifier": ({"secondaryArtifacts": [S3_ARTIFACTS]}, None),
    "a status report for an S3 source": (
        {"source": {"type": "S3", "location": "b/k.zip", "reportBuildStatus": True}},
        None,
    ),
    "a role of another account": (
        {"serviceRole": "arn:aws:iam::111111111111:role/builds"},
        "Invalid service role: Service role account ID does not match caller's account",
    ),
    "a variable without a name": (
        {"environment": harness.environment(environmentVariables=[{"name": "", "value": "v"}])},
        None,
    ),
}


@pytest.mark.parametrize("what", REFUSALS)
def test_a_project_is_refused_for(yard, what):
    members, message = REFUSALS[what]
    request = {
        "name": unique("refused"),
        "source": NO_SOURCE,
        "artifacts": {"type": "NO_ARTIFACTS"},
        "environment": harness.environment(),
        "serviceRole": harness.ROLE,
    } | members
    lenient = yard.client("codebuild", parameter_validation=False)
    refused(lenient.create_project, "InvalidInputException", message, **request)
    assert request["name"] not in lenient.list_projects()["projects"]


@pytest.mark.parametrize("member", ["name", "source", "artifacts", "environment", "serviceRole"])
def test_a_required_member_must_be_there(yard, member):
    request = {
        "name": unique("incomplete"),
        "source": NO_SOURCE,
        "artifacts": {"type": "NO_ARTIFACTS"},
        "environment": harness.environment(),
        "serviceRole": harness.ROLE,
    }
    del request[member]
    lenient = yard.client("codebuild", parameter_validation=False)
    refused(lenient.create_project, "InvalidInputException", **request)
