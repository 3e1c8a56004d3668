"""CloudWatch Logs, by boto3 and `aws logs tail`."""

import subprocess
import time

import pytest

import harness
from calls import refused
from conftest import unique
from harness import spec


@pytest.fixture
def group(yard):
    name = unique("/group/of")
    yard.logs.create_log_group(logGroupName=name)
    return name


@pytest.fixture
def stream(yard, group):
    """A log group and a stream in it, as arguments."""
    yard.logs.create_log_stream(logGroupName=group, logStreamName="s")
    return {"logGroupName": group, "logStreamName": "s"}


NOW = lambda: int(time.time() * 1000)


def put(yard, where, *messages, at=None):
    at = at or NOW()
    events = [{"timestamp": at + n, "message": m} for n, m in enumerate(messages)]
    return yard.logs.put_log_events(**where, logEvents=events)


def messages(answer):
    return [event["message"] for event in answer["events"]]


def arn(name):
    return f"arn:aws:logs:{harness.REGION}:{harness.ACCOUNT}:log-group:{name}"


def test_groups_are_made_described_and_deleted(yard):
    stem = unique("/described")
    names = [f"{stem}/{n}" for n in "cab"]
    for name in names:
        yard.logs.create_log_group(logGroupName=name, tags={"team": "builds"})
    found = yard.logs.describe_log_groups(logGroupNamePrefix=stem)["logGroups"]
    assert [g["logGroupName"] for g in found] == sorted(names)
    one = found[0]
    assert (one["arn"], one["logGroupArn"]) == (
        arn(one["logGroupName"]) + ":*",
        arn(one["logGroupName"]),
    )
    assert one["logGroupClass"] == "STANDARD"
    assert one["metricFilterCount"] == 0
    assert abs(one["creationTime"] - NOW()) < 60_000
    assert "retentionInDays" not in one
    pattern = yard.logs.describe_log_groups(logGroupNamePattern=stem[3:] + "/a")["logGroups"]
    assert [g["logGroupName"] for g in pattern] == [f"{stem}/a"]
    page = yard.logs.describe_log_groups(logGroupNamePrefix=stem, limit=2)
    rest = yard.logs.describe_log_groups(
        logGroupNamePrefix=stem, limit=2, nextToken=page["nextToken"]
    )
    assert [g["logGroupName"] for g in rest["logGroups"]] == sorted(names)[2:]
    yard.logs.delete_log_group(logGroupName=names[0])
    refused(yard.logs.delete_log_group, "ResourceNotFoundException", logGroupName=names[0])


def test_streams_are_made_described_and_deleted(yard, group):
    for name in ("b/2", "a/1", "b/1"):
        yard.logs.create_log_stream(logGroupName=group, logStreamName=name)
    describe = lambda **more: [
        s["logStreamName"]
        for s in yard.logs.describe_log_streams(logGroupName=group, **more)["logStreams"]
    ]
    assert describe() == ["a/1", "b/1", "b/2"]
    assert describe(descending=True) == ["b/2", "b/1", "a/1"]
    assert describe(logStreamNamePrefix="b/") == ["b/1", "b/2"]
    put(yard, {"logGroupName": group, "logStreamName": "b/1"}, "m")
    assert describe(orderBy="LastEventTime", descending=True)[0] == "b/1"
    newest = yard.logs.describe_log_streams(logGroupName=group, logStreamNamePrefix="b/1")[
        "logStreams"
    ][0]
    assert newest["lastEventTimestamp"] == newest["firstEventTimestamp"]
    yard.logs.delete_log_stream(logGroupName=group, logStreamName="b/1")
    assert describe() == ["a/1", "b/2"]
    refused(
        yard.logs.delete_log_stream,
        "ResourceNotFoundException",
        logGroupName=group,
        logStreamName="b/1",
    )


def test_what_is_there_is_not_made_again_and_what_is_not_is_not_found(yard, stream):
    absent = unique("/absent")
    refused(
        yard.logs.create_log_group,
        "ResourceAlreadyExistsException",
        "The specified log group already exists",
        logGroupName=stream["logGroupName"],
    )
    refused(yard.logs.create_log_stream, "ResourceAlreadyExistsException", **stream)
    refused(
        yard.logs.create_log_stream,
        "ResourceNotFoundException",
        "The specified log group does not exist.",
        logGroupName=absent,
        logStreamName="s",
    )
    refused(
        yard.logs.get_log_events,
        "ResourceNotFoundException",
        logGroupName=absent,
        logStreamName="s",
    )
    refused(
        yard.logs.get_log_events,
        "ResourceNotFoundException",
        "The specified log stream does not exist.",
        **(stream | {"logStreamName": "absent"}),
    )
    refused(
        yard.logs.put_log_events,
        "ResourceNotFoundException",
        logGroupName=absent,
        logStreamName="s",
        logEvents=[{"timestamp": NOW(), "message": "m"}],
    )
    refused(yard.logs.filter_log_events, "ResourceNotFoundException", logGroupName=absent)


@pytest.mark.parametrize("name", ["aws/mine", "with space", "star*", "g" * 513])
def test_a_group_name_out_of_its_pattern(yard, name):
    lenient = yard.client("logs", parameter_validation=False)
    refused(lenient.create_log_group, "InvalidParameterException", logGroupName=name)


def test_events_come_back_in_order_of_their_time(yard, stream):
    now = NOW()
    put(yard, stream, "third", at=now)
    put(yard, stream, "first", "second", at=now - 5000)
    put(yard, stream, "same time, later", at=now)
    answer = yard.logs.get_log_events(**stream, startFromHead=True)
    assert messages(answer) == ["first", "second", "third", "same time, later"]
    assert answer["events"][0]["timestamp"] == now - 5000
    assert abs(answer["events"][0]["ingestionTime"] - NOW()) < 60_000


def test_times_bound_what_is_read(yard, stream):
    now = NOW()
    put(yard, stream, "0", "1", "2", at=now)
    get = lambda **more: messages(yard.logs.get_log_events(**stream, startFromHead=True, **more))
    assert get(startTime=now + 1) == ["1", "2"]
    assert get(endTime=now + 2) == ["0", "1"]
    found = yard.logs.filter_log_events(logGroupName=stream["logGroupName"], endTime=now + 1)
    assert messages(found) == ["0", "1"]


def test_pages_go_forward_and_back_and_end_with_the_same_token(yard, stream):
    put(yard, stream, *map(str, range(10)))
    get = lambda **more: yard.logs.get_log_events(**stream, limit=4, **more)
    page = get(startFromHead=True)
    assert messages(page) == list("0123")
    page = get(startFromHead=True, nextToken=page["nextForwardToken"])
    assert messages(page) == list("4567")
    back = get(nextToken=page["nextBackwardToken"])
    assert messages(back) == list("0123")
    page = get(startFromHead=True, nextToken=page["nextForwardToken"])
    assert messages(page) == list("89")
    end = get(startFromHead=True, nextToken=page["nextForwardToken"])
    assert (messages(end), end["nextForwardToken"]) == ([], page["nextForwardToken"])
    put(yard, stream, "more", at=NOW() + 1000)
    assert messages(get(startFromHead=True, nextToken=end["nextForwardToken"])) == ["more"]
    assert messages(get()) == ["7", "8", "9", "more"]


def test_an_empty_stream_has_both_tokens(yard, stream):
    page = yard.logs.get_log_events(**stream, startFromHead=True)
    assert page["events"] == []
    assert page["nextForwardToken"].startswith("f/")
    assert page["nextBackwardToken"].startswith("b/")


def test_a_page_is_at_most_a_megabyte(yard, stream):
    for n in range(3):
        put(yard, stream, *["x" * 100_000] * 8, at=NOW() + n)
    page = yard.logs.get_log_events(**stream, startFromHead=True)
    assert sum(len(m) + 26 for m in messages(page)) <= 1024 * 1024
    seen, token = len(messages(page)), page["nextForwardToken"]
    while True:
        page = yard.logs.get_log_events(**stream, startFromHead=True, nextToken=token)
        if page["nextForwardToken"] == token:
            break
        seen, token = seen + len(messages(page)), page["nextForwardToken"]
    assert seen == 24


def test_what_cannot_be_put_is_refused(yard, stream):
    now = NOW()
    lenient = yard.client("logs", parameter_validation=False)
    events = lambda *times: [{"timestamp": t, "message": "m"} for t in times]
    refuse = lambda given: refused(
        lenient.put_log_events, "InvalidParameterException", **stream, logEvents=given
    )
    refuse(events(now, now - 1))
    refuse(events(now - 25 * 3600_000, now))
    refuse([])
    refuse([{"timestamp": now, "message": ""}])
    refuse(events(*[now] * 10_001))
    refuse([{"timestamp": now, "message": "x" * 300_000}] * 4)


def test_events_too_old_and_too_new_are_dropped_and_the_rest_is_taken(yard, stream):
    now, day = NOW(), 24 * 3600_000
    old = yard.logs.put_log_events(
        **stream, logEvents=[{"timestamp": now - 15 * day, "message": "old"}]
    )
    assert old["rejectedLogEventsInfo"] == {"tooOldLogEventEndIndex": 1}
    new = yard.logs.put_log_events(
        **stream,
        logEvents=[
            {"timestamp": now, "message": "kept"},
            {"timestamp": now + 3 * 3600_000, "message": "new"},
        ],
    )
    assert new["rejectedLogEventsInfo"] == {"tooNewLogEventStartIndex": 1}
    assert messages(yard.logs.get_log_events(**stream, startFromHead=True)) == ["kept"]


def test_a_filter_reads_many_streams(yard, group):
    now = NOW()
    for n, name in enumerate(("a1", "a2", "b1")):
        where = {"logGroupName": group, "logStreamName": name}
        yard.logs.create_log_stream(**where)
        put(yard, where, f"ERROR in {name}", f"fine in {name}", at=now + n)

    def found(**more):
        pages = yard.logs.get_paginator("filter_log_events").paginate(logGroupName=group, **more)
        return [e["message"] for page in pages for e in page["events"]]

    assert len(found()) == 6
    assert found(filterPattern="ERROR") == ["ERROR in a1", "ERROR in a2", "ERROR in b1"]
    assert found(logStreamNamePrefix="a", filterPattern="ERROR") == ["ERROR in a1", "ERROR in a2"]
    assert found(logStreamNames=["b1"]) == ["ERROR in b1", "fine in b1"]
    assert found(filterPattern='"in a1" -ERROR') == ["fine in a1"]
    assert found(filterPattern="?a1 ?b1", PaginationConfig={"PageSize": 1}) == [
        "ERROR in a1",
        "fine in a1",
        "ERROR in b1",
        "fine in b1",
    ]
    event = yard.logs.filter_log_events(logGroupName=group, limit=1)["events"][0]
    assert event["logStreamName"] == "a1"
    assert event["eventId"]
    refused(
        yard.logs.filter_log_events,
        "InvalidParameterException",
        logGroupName=group,
        logStreamNames=["a1"],
        logStreamNamePrefix="a",
    )


def test_a_retention_is_kept_and_checked(yard, group):
    describe = lambda: yard.logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]
    yard.logs.put_retention_policy(logGroupName=group, retentionInDays=30)
    assert describe()["retentionInDays"] == 30
    refused(
        yard.logs.put_retention_policy,
        "InvalidParameterException",
        logGroupName=group,
        retentionInDays=31,
    )
    yard.logs.delete_retention_policy(logGroupName=group)
    assert "retentionInDays" not in describe()


def test_tags_by_arn_and_by_name(yard, group):
    yard.logs.tag_resource(resourceArn=arn(group), tags={"a": "1", "b": "2"})
    yard.logs.untag_resource(resourceArn=arn(group), tagKeys=["a"])
    assert yard.logs.list_tags_for_resource(resourceArn=arn(group))["tags"] == {"b": "2"}
    yard.logs.tag_log_group(logGroupName=group, tags={"c": "3"})
    assert yard.logs.list_tags_log_group(logGroupName=group)["tags"] == {"b": "2", "c": "3"}


def test_an_operation_that_is_not_there_is_refused(yard, group):
    with pytest.raises(Exception) as caught:
        yard.logs.start_query(
            logGroupName=group, startTime=0, endTime=1, queryString="fields @message"
        )
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert "StartQuery" in caught.value.response["Error"]["Message"]


def test_a_log_that_a_build_names_can_be_read(yard, project):
    for _ in range(10):
        build = yard.start_build(project)
        named = harness.wait_for(
            lambda build=build: (
                (b := yard.build(build["id"]))["logs"].get("groupName") and b["logs"]
            ),
            "the log's name",
            10,
            every=0.001,
        )
        yard.logs.get_log_events(logGroupName=named["groupName"], logStreamName=named["streamName"])
        yard.ended(build["id"])


def test_a_builds_output_is_readable_at_once(yard, project):
    """Within 100 ms of being printed: the build prints its clock, which is the machine's."""
    loop = spec("for n in 1 2 3 4 5 6 7 8 9 10; do date +%s%N; sleep 0.2; done")
    build = yard.start_build(project, buildspecOverride=loop)
    delays, seen = [], set()
    while len(seen) < 10:
        document = yard.build(build["id"])
        assert not (document["buildComplete"] and document["buildStatus"] != "SUCCEEDED"), document
        if "groupName" not in document["logs"]:
            continue
        for event in yard.log_events(document):
            text = event["message"].strip()
            if text.isdigit() and text not in seen:
                seen.add(text)
                delays.append(time.time() - int(text) / 1e9)
    delays.sort()
    # The median holds the promise; a loaded machine may delay single reads of this test's own.
    assert delays[len(delays) // 2] < 0.1, delays
    yard.ended(build["id"])


def live_tail(yard, group, **more):
    """Starts a live tail; gives its event stream. Host prefixes would need a name server."""
    client = yard.new_client("logs", inject_host_prefix=False)
    return client.start_live_tail(logGroupIdentifiers=[arn(group)], **more)["responseStream"]


def test_a_live_tail_shows_what_arrives(yard, stream):
    put(yard, stream, "before")
    tail = live_tail(yard, stream["logGroupName"], logEventFilterPattern="shown")
    events = iter(tail)
    start = next(events)["sessionStart"]
    assert start["logGroupIdentifiers"] == [arn(stream["logGroupName"])]
    assert start["logEventFilterPattern"] == "shown"
    put(yard, stream, "shown 1", "hidden", "shown 2")
    got, deadline = [], time.monotonic() + 10
    while len(got) < 2 and time.monotonic() < deadline:
        update = next(events)["sessionUpdate"]
        assert update["sessionMetadata"] == {"sampled": False}
        got += update["sessionResults"]
    assert [e["message"] for e in got] == ["shown 1", "shown 2"]
    assert got[0]["logStreamName"] == "s"
    assert got[0]["logGroupIdentifier"].endswith(stream["logGroupName"])
    tail.close()


def test_a_live_tail_of_an_unknown_group_is_refused(yard):
    with pytest.raises(Exception) as caught:
        live_tail(yard, unique("/absent"))
    assert caught.value.response["Error"]["Code"] == "ResourceNotFoundException"


def test_the_cli_tails_a_running_build(yard, project, tmp_path):
    build = yard.start_build(
        project, buildspecOverride=spec("for n in $(seq 1 200); do echo line $n; sleep 0.1; done")
    )
    yard.wait_for_log(build["id"], "line 1\n")
    output = tmp_path / "tail"
    with open(output, "wb") as file:
        command = yard.aws_command(
            "logs", "tail", f"/aws/codebuild/{project}", "--follow", version=2
        )
        tail = subprocess.Popen(
            command,
            env=yard.environment(PYTHONUNBUFFERED="1"),
            stdout=file,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )
    try:
        harness.wait_for(lambda: " line 1\n" in output.read_text(), "the first line", 20)
        first = output.read_text().count(" line ")
        harness.wait_for(lambda: output.read_text().count(" line ") > first, "a later line", 20)
    finally:
        tail.terminate()
        tail.wait(timeout=10)
    yard.codebuild.stop_build(id=build["id"])
    yard.ended(build["id"])
