"""What a buildspec means: shell, phases, variables, log lines, artifacts."""

import hashlib
import io
import json
import re
import zipfile

import pytest

import harness
from conftest import unique
from harness import context, phase, spec

SCRIPT = "/codebuild/output/tmp/script.sh"


def phases(**commands):
    """A buildspec with these phases: each a list of commands, or the phase's own map."""
    given = {n: c if isinstance(c, dict) else {"commands": c} for n, c in commands.items()}
    return json.dumps({"version": 0.2, "phases": given})


@pytest.fixture
def printed(yard, build):
    """Runs commands that must succeed, and gives what they printed."""

    def run(*commands, **more):
        ended = build(*commands, **more)
        assert ended["buildStatus"] == "SUCCEEDED", yard.log(ended)
        return yard.printed(ended)

    return run


# The shell


def test_a_folder_and_a_variable_stay_from_command_to_command_and_phase_to_phase(printed):
    text = phases(
        install=["cd /tmp", "export SEEN=yes", "PLAIN=too"],
        build=['echo "$PWD $SEEN $PLAIN"', "cd /usr"],
        post_build=["pwd"],
    )
    assert printed(buildspec=text).split() == ["/tmp", "yes", "too", "/usr"]


def test_functions_and_options_do_not_stay(printed):
    out = printed("f() { echo f; }", "set -f", "f 2>/dev/null || echo no function", "echo /us*")
    assert out.split() == ["no", "function", "/usr"]


def test_a_variable_of_any_bytes_survives_the_next_command(printed):
    assignment = """export ODD='a'"'"'b"c$d`e\\f
g'"""
    out = printed(assignment, 'printf "<%s>\\n" "$ODD"')
    assert out.endswith("<a'b\"c$d`e\\f\ng>")


def test_the_first_command_runs_in_the_sources_folder(printed):
    assert printed('[ "$PWD" = "$CODEBUILD_SRC_DIR" ] && echo same') == "same"


def test_a_command_is_the_fourth_line_of_its_script(yard, build):
    ended = build("no-such-command-anywhere")
    assert f"{SCRIPT}: 4: no-such-command-anywhere: not found\n" in yard.log(ended)
    ended = build("no-such-command-anywhere", top={"env": {"shell": "bash"}})
    assert f"{SCRIPT}: line 4: no-such-command-anywhere: command not found\n" in yard.log(ended)


def test_the_shell_is_sh_unless_bash_is_asked_for(printed):
    assert printed('echo "${BASH_VERSION:-none}"') == "none"
    assert printed("[[ -n $BASH_VERSION ]] && echo bash", top={"env": {"shell": "bash"}}) == "bash"


def test_what_is_written_for_bash_is_run_by_bash_as_sh_on_the_host(yard, build):
    """As in CodeBuild's Amazon Linux images, whose `sh` is bash."""
    commands = [
        "if [[ $CODEBUILD_BUILD_SUCCEEDING == 1 ]]; then echo condition; fi",
        "printf 'greet() { echo sourced; }\\n' > f.sh",
        "source ./f.sh && greet",
        'SHA=5f2b9c1e7a; echo "${SHA:0:7}"',
        "set -o pipefail; false | true || echo pipe",
        'case "$SHELLOPTS" in *posix*) echo as sh;; esac',
        "nothing-of-this-name || true",
    ]
    ended = build(*commands)
    log = yard.log(ended)
    assert ended["buildStatus"] == "SUCCEEDED", log
    told = ["condition", "sourced", "5f2b9c1", "pipe", "as sh"]
    assert [line for line in yard.printed(ended).split("\n") if line in told] == told
    assert f"{SCRIPT}: line 4: nothing-of-this-name: command not found\n" in log
    assert "sh, as in CodeBuild's Amazon Linux images" in log


def test_a_script_of_many_lines_counts_as_its_last_line_does(build):
    assert build("false\ntrue\n")["buildStatus"] == "SUCCEEDED"
    assert build("true\nfalse\n")["buildStatus"] == "FAILED"
    assert build("set -e\nfalse\ntrue\n")["buildStatus"] == "FAILED"


def test_the_first_failure_skips_the_rest_of_its_phase(yard, build):
    ended = build("echo one", "exit 3", "echo never")
    assert ended["buildStatus"] == "FAILED"
    assert yard.printed(ended) == "one"
    assert context(ended, "BUILD") == (
        "COMMAND_EXECUTION_ERROR",
        "Error while executing command: exit 3. Reason: exit status 3",
    )


def test_exit_zero_ends_its_own_command_only(printed):
    assert printed("exit 0; echo never", "echo next") == "next"


def test_standard_input_is_empty(printed):
    assert printed("cat; echo done") == "done"


def test_both_outputs_are_in_the_log(printed):
    assert sorted(printed("echo out; echo err >&2").split()) == ["err", "out"]


def test_a_background_process_does_not_hold_its_command(yard, build):
    ended = build("nohup sleep 300 >/dev/null 2>&1 &", "echo on")
    assert ended["buildStatus"] == "SUCCEEDED"
    assert phase(ended, "BUILD")["durationInSeconds"] < 20
    uid = ended["id"].split(":")[1]
    assert not [t for t in harness.traces(yard) if uid in t]


def test_commands_run_as_root_at_home_in_root(printed):
    assert printed('echo "$(id -u) $HOME"') == "0 /root"


# The phases

BAD = ["exit 1"]
MARK = {name: [f"echo ran-{name}"] for name in ("install", "pre_build", "build", "post_build")}


def outcome(yard, run, /, **given):
    ended = run(buildspec=phases(**(MARK | given)))
    ran = re.findall(r"^ran-(\w+)$", yard.printed(ended), re.M)
    shown = {p["phaseType"]: p.get("phaseStatus") for p in ended["phases"]}
    return ended, ran, shown


def test_a_failed_install_ends_the_build(yard, build):
    ended, ran, shown = outcome(yard, build, install=BAD)
    assert (ended["buildStatus"], ran) == ("FAILED", [])
    assert list(shown)[4:] == ["INSTALL", "FINALIZING", "COMPLETED"]
    assert shown["INSTALL"] == "FAILED"


def test_a_failed_pre_build_ends_the_build(yard, build):
    ended, ran, shown = outcome(yard, build, pre_build=BAD)
    assert (ended["buildStatus"], ran) == ("FAILED", ["install"])
    assert list(shown)[5:] == ["PRE_BUILD", "FINALIZING", "COMPLETED"]


def test_a_failed_build_phase_still_runs_post_build_and_uploads(yard, build):
    ended, ran, shown = outcome(
        yard,
        build,
        build=BAD,
        post_build=["echo ran-post_build", 'echo "succeeding=$CODEBUILD_BUILD_SUCCEEDING"'],
    )
    assert (ended["buildStatus"], ran) == ("FAILED", ["install", "pre_build", "post_build"])
    assert (shown["BUILD"], shown["POST_BUILD"]) == ("FAILED", "SUCCEEDED")
    assert "UPLOAD_ARTIFACTS" in shown
    assert "succeeding=0" in yard.printed(ended)


def test_a_failed_post_build_still_uploads(yard, build):
    ended, ran, shown = outcome(yard, build, post_build=BAD)
    assert ended["buildStatus"] == "FAILED"
    assert shown["POST_BUILD"] == "FAILED"
    assert "UPLOAD_ARTIFACTS" in shown


def test_finally_runs_after_a_failure_and_its_own_failure_counts(yard, build):
    ended, ran, _ = outcome(yard, build, build={"commands": BAD, "finally": ["echo ran-finally"]})
    assert "finally" in ran
    ended, ran, shown = outcome(
        yard, build, build={"commands": ["true"], "finally": ["exit 4", "echo ran-never"]}
    )
    assert (ended["buildStatus"], shown["BUILD"]) == ("FAILED", "FAILED")
    assert context(ended, "BUILD")[1].endswith("exit 4. Reason: exit status 4")


def test_abort_skips_post_build(yard, build):
    ended, ran, shown = outcome(yard, build, build={"commands": BAD, "on-failure": "ABORT"})
    assert (ended["buildStatus"], ran) == ("FAILED", ["install", "pre_build"])
    assert "POST_BUILD" not in shown


def test_continue_goes_on_and_the_build_is_still_failed(yard, build):
    ended, ran, shown = outcome(yard, build, install={"commands": BAD, "on-failure": "CONTINUE"})
    assert ran == ["pre_build", "build", "post_build"]
    assert (ended["buildStatus"], shown["INSTALL"]) == ("FAILED", "FAILED")


def test_phases_that_the_buildspec_lacks_are_recorded(yard, build):
    ended = build("true")
    for name in ("INSTALL", "PRE_BUILD", "BUILD", "POST_BUILD"):
        assert phase(ended, name)["phaseStatus"] == "SUCCEEDED"


def test_phases_without_commands_do_nothing(yard, build):
    ended = build(
        buildspec="version: 0.2\nphases:\n  install:\n    commands:\n  pre_build:\n"
        "  build:\n    commands: [echo built]\n  post_build:\n    commands: []\n"
    )
    log = yard.log(ended)
    assert ended["buildStatus"] == "SUCCEEDED", log
    for name in ("INSTALL", "PRE_BUILD", "POST_BUILD"):
        assert phase(ended, name)["phaseStatus"] == "SUCCEEDED"
        assert f" {name}: 0 commands\n" in log
    assert yard.printed(ended) == "built"


def test_a_report_in_a_format_that_nobody_reads_is_no_failure(yard, build):
    reports = {"plan": {"files": ["plan.json"], "file-format": "JSON"}}
    assert build("true", top={"reports": reports})["buildStatus"] == "SUCCEEDED"


# Variables


def variables(text):
    return dict(line.split("=", 1) for line in text.split("\n") if "=" in line)


def test_the_documented_variables(yard, project, build):
    ended = build("env")
    seen = variables(yard.printed(ended))
    assert seen["CODEBUILD_BUILD_ID"] == ended["id"]
    assert seen["CODEBUILD_BUILD_ARN"] == ended["arn"]
    assert seen["CODEBUILD_BUILD_NUMBER"] == str(ended["buildNumber"])
    assert seen["CODEBUILD_BUILD_IMAGE"] == "host"
    assert seen["CODEBUILD_BUILD_SUCCEEDING"] == "1"
    assert seen["CODEBUILD_INITIATOR"] == ended["initiator"]
    assert seen["CODEBUILD_KMS_KEY_ID"] == ended["encryptionKey"]
    assert seen["CODEBUILD_LOG_PATH"] == ended["logs"]["streamName"]
    assert seen["CODEBUILD_CI"] == "true"
    assert seen["CODEBUILD_START_TIME"] == str(round(ended["startTime"].timestamp() * 1000))
    assert seen["CODEBUILD_PROJECT_ARN"].endswith(f":project/{project}")
    assert ended["id"].replace(":", "%3A") in seen["CODEBUILD_BUILD_URL"]
    assert seen["AWS_REGION"] == seen["AWS_DEFAULT_REGION"] == harness.REGION
    assert re.fullmatch(r"/codebuild/output/src\d{9,10}/src", seen["CODEBUILD_SRC_DIR"])
    assert seen["HOME"] == "/root"
    for secret in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        assert secret not in seen


def test_the_source_folders_digits_differ_from_build_to_build(yard, build):
    first = yard.printed(build('echo "$CODEBUILD_SRC_DIR"'))
    assert first != yard.printed(build('echo "$CODEBUILD_SRC_DIR"'))


def test_the_exit_of_the_last_command_is_known(printed):
    assert printed("true", 'echo "last=$CODEBUILD_LAST_EXIT"') == "last=0"


def test_the_caller_wins_over_the_project_and_the_project_over_the_buildspec(yard):
    name = unique("precedence")
    given = lambda source, *names: [{"name": n, "value": source} for n in names]
    yard.create_project(
        name, environment=harness.environment(environmentVariables=given("project", "A", "B"))
    )
    text = spec('echo "$A $B $C"', env={"variables": {n: "buildspec" for n in "ABC"}})
    ended = yard.run(
        name, buildspecOverride=text, environmentVariablesOverride=given("caller", "A")
    )
    assert yard.printed(ended) == "caller project buildspec"


def test_values_are_never_expanded_and_scalars_keep_their_text(printed):
    text = """version: 0.2
env:
  variables:
    LITERAL: $PATH:/x
    OCTAL: 010
    FLOAT: 3.10
    TRUTH: yes
phases:
  build:
    commands:
      - echo "$LITERAL $OCTAL $FLOAT $TRUTH"
"""
    assert printed(buildspec=text) == "$PATH:/x 010 3.10 yes"


def test_secondary_sources_have_folders_in_their_own_case(yard, project, bucket):
    yard.s3.put_object(Bucket=bucket, Key="s.zip", Body=harness.zipped({"a.txt": "secondary\n"}))
    ended = yard.run(
        project,
        buildspecOverride=spec('cat "$CODEBUILD_SRC_DIR_myTools/a.txt"'),
        secondarySourcesOverride=[
            {"type": "S3", "location": f"{bucket}/s.zip", "sourceIdentifier": "myTools"}
        ],
    )
    assert yard.printed(ended) == "secondary", yard.log(ended)


def test_exported_variables_are_given_back(build):
    text = json.dumps(
        {
            "version": 0.2,
            "env": {"exported-variables": ["VERSION", "UNSET"]},
            "phases": {
                "install": {"commands": ["export VERSION=1"]},
                "post_build": {"commands": ["export VERSION=2"]},
            },
        }
    )
    got = {v["name"]: v["value"] for v in build(buildspec=text)["exportedEnvironmentVariables"]}
    assert got == {"VERSION": "2", "UNSET": ""}


# Sources


def test_a_folder_of_a_bucket_is_a_source(yard, project, bucket):
    for key, body in {
        "app/buildspec.yml": spec("cat deep/er/f.txt"),
        "app/deep/er/f.txt": "deep\n",
    }.items():
        yard.s3.put_object(Bucket=bucket, Key=key, Body=body.encode())
    ended = yard.run(
        project,
        sourceTypeOverride="S3",
        sourceLocationOverride=f"{bucket}/app/",
        buildspecOverride="buildspec.yml",
    )
    assert yard.printed(ended) == "deep", yard.log(ended)


def test_a_buildspec_may_have_another_name_or_be_an_object(yard, project, bucket):
    source = harness.zipped({"ci/release.yml": spec("echo from a path")})
    yard.s3.put_object(Bucket=bucket, Key="source.zip", Body=source)
    yard.s3.put_object(Bucket=bucket, Key="spec.yml", Body=spec("echo from a bucket").encode())
    where = {"sourceTypeOverride": "S3", "sourceLocationOverride": f"{bucket}/source.zip"}
    ended = yard.run(project, buildspecOverride="ci/release.yml", **where)
    assert yard.printed(ended) == "from a path", yard.log(ended)
    ended = yard.run(project, buildspecOverride=f"arn:aws:s3:::{bucket}/spec.yml", **where)
    assert yard.printed(ended) == "from a bucket", yard.log(ended)


def test_the_modes_of_a_zip_are_kept(yard, project, bucket):
    program = zipfile.ZipInfo("run.sh")
    program.external_attr = 0o100755 << 16
    source = harness.zipped({program: "#!/bin/sh\necho ran\n", "buildspec.yml": spec("./run.sh")})
    yard.s3.put_object(Bucket=bucket, Key="source.zip", Body=source)
    ended = yard.run(
        project,
        sourceTypeOverride="S3",
        sourceLocationOverride=f"{bucket}/source.zip",
        buildspecOverride="",
    )
    assert yard.printed(ended) == "ran", yard.log(ended)


def test_a_version_of_an_object_is_a_source(yard, project, bucket):
    yard.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    versions = [
        yard.s3.put_object(Bucket=bucket, Key="s.zip", Body=harness.zipped({"v": text}))[
            "VersionId"
        ]
        for text in ("old\n", "new\n")
    ]
    common = {
        "sourceTypeOverride": "S3",
        "sourceLocationOverride": f"{bucket}/s.zip",
        "buildspecOverride": spec("cat v", 'echo "$CODEBUILD_SOURCE_VERSION"'),
    }
    ended = yard.run(project, sourceVersion=versions[0], **common)
    assert yard.printed(ended).split() == ["old", versions[0]], yard.log(ended)
    assert yard.printed(yard.run(project, **common)).startswith("new")


# The log's lines

STAMP = r"\[Container\] \d{4}/\d\d/\d\d \d\d:\d\d:\d\d\.\d{6} "


def test_the_lines_of_a_build(yard, project, build):
    text = phases(pre_build=["echo one", "echo two"], build=["echo three"])
    ended = build(buildspec=text)
    log = yard.log(ended)
    source_dir = re.search(r"CODEBUILD_SRC_DIR=(\S+)", log)[1]
    expected = [
        "Phase is DOWNLOAD_SOURCE",
        f"CODEBUILD_SRC_DIR={source_dir}",
        "YAML location is /codebuild/readonly/buildspec.yml",
        "Processing environment variables",
        "No runtime version selected in buildspec.",
        f"Moving to directory {source_dir}",
        "Phases found in YAML: 2",
        " PRE_BUILD: 2 commands",
        " BUILD: 1 commands",
        "Phase complete: DOWNLOAD_SOURCE State: SUCCEEDED",
        "Phase context status code:  Message: ",
        "Entering phase INSTALL",
        "Phase complete: INSTALL State: SUCCEEDED",
        "Phase context status code:  Message: ",
        "Entering phase PRE_BUILD",
        "Running command echo one",
        "Running command echo two",
        "Phase complete: PRE_BUILD State: SUCCEEDED",
        "Phase context status code:  Message: ",
        "Entering phase BUILD",
        "Running command echo three",
        "Phase complete: BUILD State: SUCCEEDED",
        "Phase context status code:  Message: ",
        "Entering phase POST_BUILD",
        "Phase complete: POST_BUILD State: SUCCEEDED",
        "Phase context status code:  Message: ",
        "Phase complete: UPLOAD_ARTIFACTS State: SUCCEEDED",
        "Phase context status code:  Message: ",
    ]
    rest = iter(line for line in log.split("\n") if line.startswith("[Container] "))
    for want in expected:
        for line in rest:
            assert re.match(STAMP, line), line
            if re.sub(STAMP, "", line, count=1) == want:
                break
        else:
            raise AssertionError(f"{want!r} is not in its place:\n{log}")
    assert not re.search(r"FINALIZING|COMPLETED", log)


def test_the_lines_of_a_failure(yard, build):
    log = yard.log(build("(exit 2)"))
    tail = log[log.index("Command did not exit") :]
    assert re.match(
        r"Command did not exit successfully \(exit 2\) exit status 2\n"
        + STAMP
        + r"Phase complete: BUILD State: FAILED\n"
        + STAMP
        + r"Phase context status code: COMMAND_EXECUTION_ERROR Message: "
        r"Error while executing command: \(exit 2\)\. Reason: exit status 2\n"
        + STAMP
        + r"Entering phase POST_BUILD\n",
        tail,
    ), tail


def test_each_line_is_one_event_that_ends_with_a_newline_and_a_blank_one_follows_a_command(
    yard, build
):
    events = [e["message"] for e in yard.log_events(build("printf 'a\\nb\\n'", "true"))]
    assert all(e.endswith("\n") and e.count("\n") == 1 for e in events)
    at = events.index("a\n")
    assert events[at : at + 3] == ["a\n", "b\n", "\n"]


# Artifacts


@pytest.fixture
def artifact(yard, project, bucket):
    """Builds `out/a.txt` and `out/in/b.txt`; gives the build's document and the bucket's keys."""

    def run(section=None, commands=(), **artifacts):
        section = {"files": ["**/*"], "base-directory": "out"} | (section or {})
        text = spec(
            "mkdir -p out/in",
            "echo a > out/a.txt",
            "echo b > out/in/b.txt",
            *commands,
            artifacts={k: v for k, v in section.items() if v is not None},
        )
        given = {"type": "S3", "location": bucket} | artifacts
        ended = yard.run(project, buildspecOverride=text, artifactsOverride=given)
        keys = [o["Key"] for o in yard.s3.list_objects_v2(Bucket=bucket).get("Contents", [])]
        return ended, keys

    return run


LAYOUTS = [
    ({}, ["{project}/a.txt", "{project}/in/b.txt"]),
    ({"name": "My.zip", "packaging": "ZIP"}, ["My.zip"]),
    ({"path": "Of", "name": "My.zip", "packaging": "ZIP"}, ["Of/My.zip"]),
    (
        {"path": "Of", "namespaceType": "BUILD_ID", "name": "My.zip", "packaging": "ZIP"},
        ["Of/{uuid}/My.zip"],
    ),
    ({"name": "/"}, ["a.txt", "in/b.txt"]),
    (
        {"path": "Of", "namespaceType": "BUILD_ID", "name": "/"},
        ["Of/{uuid}/a.txt", "Of/{uuid}/in/b.txt"],
    ),
    ({"namespaceType": "BUILD_ID", "packaging": "ZIP"}, ["{uuid}/{project}"]),
]


@pytest.mark.parametrize("layout,keys", LAYOUTS, ids=lambda v: json.dumps(v)[:50])
def test_the_keys_of_an_artifact(yard, project, artifact, layout, keys):
    ended, found = artifact(**layout)
    assert ended["buildStatus"] == "SUCCEEDED", yard.log(ended)
    uid = ended["id"].split(":")[1]
    assert found == [key.format(project=project, uuid=uid) for key in keys]


def test_the_buildspecs_name_counts_only_with_the_override(yard, project, artifact):
    section = {"name": "builds/$CODEBUILD_BUILD_NUMBER/out"}
    ended, found = artifact(section)
    assert found == [f"{project}/a.txt", f"{project}/in/b.txt"]
    ended, found = artifact(section, overrideArtifactName=True)
    number = ended["buildNumber"]
    assert f"builds/{number}/out/a.txt" in found
    assert ended["artifacts"]["overrideArtifactName"] is True
    assert ended["artifacts"]["location"].endswith(f"/builds/{number}/out")


def test_a_zip_has_its_sums_and_its_builds_arn(yard, artifact, bucket):
    ended, found = artifact(name="o.zip", packaging="ZIP")
    answer = yard.s3.get_object(Bucket=bucket, Key="o.zip")
    body = answer["Body"].read()
    assert zipfile.ZipFile(io.BytesIO(body)).namelist() == ["a.txt", "in/b.txt"]
    md5, sha256 = hashlib.md5(body).hexdigest(), hashlib.sha256(body).hexdigest()
    assert (ended["artifacts"]["md5sum"], ended["artifacts"]["sha256sum"]) == (md5, sha256)
    assert ended["artifacts"]["location"] == f"arn:aws:s3:::{bucket}/o.zip"
    assert answer["Metadata"] == {
        "codebuild-buildarn": ended["arn"],
        "codebuild-content-md5": md5,
        "codebuild-content-sha256": sha256,
    }


def test_loose_files_carry_their_builds_arn_and_no_sums(yard, project, artifact, bucket):
    ended, _ = artifact()
    head = yard.s3.head_object(Bucket=bucket, Key=f"{project}/a.txt")
    assert head["Metadata"] == {"codebuild-buildarn": ended["arn"]}
    assert ended["artifacts"].get("md5sum", "") == ""


def test_paths_can_be_discarded_and_excluded(project, artifact):
    _, found = artifact({"discard-paths": "yes"})
    assert found == [f"{project}/a.txt", f"{project}/b.txt"]
    _, found = artifact({"exclude-paths": ["in/**/*"]}, name="second")
    assert [k for k in found if k.startswith("second/")] == ["second/a.txt"]


def test_a_pattern_without_a_match_is_a_line_and_no_match_at_all_a_failure(yard, artifact):
    ended, found = artifact({"files": ["a.txt", "none.txt"]})
    assert ended["buildStatus"] == "SUCCEEDED"
    assert "Skipping invalid file path none.txt\n" in yard.log(ended)
    ended, _ = artifact({"files": ["none.txt"]})
    assert ended["buildStatus"] == "FAILED"
    assert context(ended, "UPLOAD_ARTIFACTS") == (
        "CLIENT_ERROR",
        "no matching artifact paths found",
    )


def test_a_missing_base_directory_is_a_failure(yard, artifact):
    ended, _ = artifact({"base-directory": "absent"})
    assert context(ended, "UPLOAD_ARTIFACTS") == (
        "CLIENT_ERROR",
        "no matching base directory path found for absent",
    )


def test_the_artifacts_lines(yard, artifact):
    ended, _ = artifact()
    lines = [re.sub(STAMP, "", line) for line in yard.log(ended).split("\n")]
    at = lines.index("Expanding base directory path: out")
    assert lines[at : at + 7] == [
        "Expanding base directory path: out",
        "Assembling file list",
        "Expanding out",
        "Expanding file paths for base directory out",
        "Assembling file list",
        "Expanding **/*",
        "Found 2 file(s)",
    ]


def test_secondary_artifacts_go_where_their_projects_say(yard, project, bucket):
    text = spec(
        "echo 1 > one; echo 2 > two",
        artifacts={"files": ["one"], "secondary-artifacts": {"second": {"files": ["two"]}}},
    )
    ended = yard.run(
        project,
        buildspecOverride=text,
        artifactsOverride={"type": "S3", "location": bucket, "name": "first"},
        secondaryArtifactsOverride=[
            {"type": "S3", "location": bucket, "name": "other", "artifactIdentifier": "second"}
        ],
    )
    keys = [o["Key"] for o in yard.s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert keys == ["first/one", "other/two"], yard.log(ended)


def test_a_missing_bucket_fails_the_upload(yard, project):
    text = spec("echo 1 > one", artifacts={"files": ["one"]})
    ended = yard.run(
        project,
        buildspecOverride=text,
        artifactsOverride={"type": "S3", "location": unique("absent")},
    )
    assert ended["buildStatus"] == "FAILED"
    assert context(ended, "UPLOAD_ARTIFACTS")[0] == "CLIENT_ERROR"


def test_version_0_1_has_a_fresh_shell_for_each_command(yard, build):
    text = """\
version: 0.1
environment_variables:
  plaintext:
    GREETING: $HOME stays
phases:
  build:
    commands:
      - echo "<$GREETING>"; cd /; export LOST=lost
      - test "$PWD" = "$CODEBUILD_SRC_DIR" && echo "here <$LOST>"
"""
    ended = build(buildspec=text)
    assert ended["buildStatus"] == "SUCCEEDED"
    log = yard.log(ended)
    assert "<$HOME stays>\n" in log
    assert "here <>\n" in log
