//! Groups, streams and tags.

use super::{Client, caller, now};
use serde_json::{Value, json};

fn names(answer: &Value, list: &str, name: &str) -> Vec<String> {
    let list = answer[list].as_array().unwrap();
    list.iter().map(|entry| entry[name].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_group_is_described_as_it_was_made() {
    let client = Client::new();
    let before = now();
    client.ok("CreateLogGroup", json!({"logGroupName": "/aws/codebuild/demo"})).await;
    let answer = client.ok("DescribeLogGroups", json!({})).await;
    let mut group = answer["logGroups"][0].clone();
    let created = group["creationTime"].take().as_i64().unwrap();
    assert!((before..=now()).contains(&created));
    let expected = json!({
        "logGroupName": "/aws/codebuild/demo",
        "creationTime": null,
        "metricFilterCount": 0,
        "arn": "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/codebuild/demo:*",
        "storedBytes": 0,
        "logGroupClass": "STANDARD",
        "logGroupArn": "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/codebuild/demo",
    });
    assert_eq!(group, expected);
    assert_eq!(answer.get("nextToken"), None);
}

#[tokio::test]
async fn what_is_taken_missing_or_wrong_is_refused_in_its_words() {
    let client = Client::with_stream().await;
    let group = json!({"logGroupName": "g"});
    let none = json!({"logGroupName": "none"});
    let stream = json!({"logGroupName": "g", "logStreamName": "s"});
    let no_stream = json!({"logGroupName": "g", "logStreamName": "none"});
    let no_group = json!({"logGroupName": "none", "logStreamName": "s"});
    let gone = "ResourceNotFoundException: The specified log group does not exist.";
    let stream_gone = "ResourceNotFoundException: The specified log stream does not exist.";
    for (operation, input, refusal) in [
        (
            "CreateLogGroup",
            &group,
            "ResourceAlreadyExistsException: The specified log group already exists",
        ),
        (
            "CreateLogStream",
            &stream,
            "ResourceAlreadyExistsException: The specified log stream already exists",
        ),
        ("CreateLogStream", &no_group, gone),
        ("DeleteLogGroup", &none, gone),
        ("DeleteLogStream", &no_group, gone),
        ("DeleteLogStream", &no_stream, stream_gone),
        ("DescribeLogStreams", &none, gone),
        ("GetLogEvents", &no_group, gone),
        ("GetLogEvents", &no_stream, stream_gone),
        ("FilterLogEvents", &none, gone),
        ("DeleteRetentionPolicy", &none, gone),
        ("ListTagsLogGroup", &none, gone),
    ] {
        assert_eq!(client.refused(operation, input.clone()).await, refusal, "{operation}");
    }
    let reserved = client.refused("CreateLogGroup", json!({"logGroupName": "aws/x"})).await;
    assert_eq!(
        reserved,
        "InvalidParameterException: Log groups starting with AWS/ are reserved for AWS."
    );
    let unkept = json!({"logGroupName": "k", "kmsKeyId": "key"});
    assert!(client.refused("CreateLogGroup", unkept).await.contains("not supported"));
    let unkept = json!({"logGroupName": "k", "deletionProtectionEnabled": true});
    assert!(client.refused("CreateLogGroup", unkept).await.contains("not supported"));
}

#[tokio::test]
async fn groups_are_described_in_pages() {
    let client = Client::new();
    for name in ["c", "a/1", "b", "a/2", "a/3"] {
        client.ok("CreateLogGroup", json!({"logGroupName": name})).await;
    }
    let mut all = Vec::new();
    let mut input = json!({"limit": 2});
    loop {
        let answer = client.ok("DescribeLogGroups", input.clone()).await;
        let page = names(&answer, "logGroups", "logGroupName");
        assert!(page.len() <= 2);
        all.extend(page);
        let Some(token) = answer.get("nextToken") else { break };
        input["nextToken"] = token.clone();
    }
    assert_eq!(all, ["a/1", "a/2", "a/3", "b", "c"]);
    let prefix = client.ok("DescribeLogGroups", json!({"logGroupNamePrefix": "a/"})).await;
    assert_eq!(names(&prefix, "logGroups", "logGroupName"), ["a/1", "a/2", "a/3"]);
    let pattern = client.ok("DescribeLogGroups", json!({"logGroupNamePattern": "/2"})).await;
    assert_eq!(names(&pattern, "logGroups", "logGroupName"), ["a/2"]);
    let arn = "arn:aws:logs:eu-west-1:123456789012:log-group:c";
    let these =
        client.ok("DescribeLogGroups", json!({"logGroupIdentifiers": [arn, "b", "x"]})).await;
    assert_eq!(names(&these, "logGroups", "logGroupName"), ["c", "b"]);
    let both = json!({"logGroupNamePrefix": "a", "logGroupNamePattern": "b"});
    assert!(client.refused("DescribeLogGroups", both).await.contains("mutually exclusive"));
    let token = client.refused("DescribeLogGroups", json!({"nextToken": "?"})).await;
    assert_eq!(token, "InvalidParameterException: The specified nextToken is invalid.");
}

#[tokio::test]
async fn a_group_belongs_to_its_region() {
    let mut client = Client::with_stream().await;
    client.caller = caller("us-east-1");
    assert_eq!(client.ok("DescribeLogGroups", json!({})).await, json!({"logGroups": []}));
    client.ok("CreateLogGroup", json!({"logGroupName": "g"})).await;
    client.ok("DeleteLogGroup", json!({"logGroupName": "g"})).await;
    let elsewhere = json!({
        "logGroupIdentifier": "arn:aws:logs:eu-west-1:123456789012:log-group:g",
        "logStreamName": "s",
    });
    assert!(client.refused("GetLogEvents", elsewhere).await.contains("does not exist"));
    client.caller = caller("eu-west-1");
    let answer = client.ok("DescribeLogStreams", json!({"logGroupName": "g"})).await;
    assert_eq!(names(&answer, "logStreams", "logStreamName"), ["s"]);
}

#[tokio::test]
async fn streams_are_described_in_either_order() {
    let client = Client::with_stream().await;
    for name in ["t", "r"] {
        client.ok("CreateLogStream", json!({"logGroupName": "g", "logStreamName": name})).await;
    }
    let before = now();
    let events = json!([
        {"timestamp": before, "message": "x"}, {"timestamp": before + 1, "message": "y"}
    ]);
    let input = json!({"logGroupName": "g", "logStreamName": "t", "logEvents": events});
    client.ok("PutLogEvents", input).await;
    let mut all = Vec::new();
    let mut input =
        json!({"logGroupName": "g", "orderBy": "LastEventTime", "descending": true, "limit": 1});
    loop {
        let answer = client.ok("DescribeLogStreams", input.clone()).await;
        all.extend(names(&answer, "logStreams", "logStreamName"));
        let Some(token) = answer.get("nextToken") else { break };
        input["nextToken"] = token.clone();
    }
    assert_eq!(all, ["t", "s", "r"]);
    let answer = client.ok("DescribeLogStreams", json!({"logGroupName": "g", "limit": 2})).await;
    assert_eq!(names(&answer, "logStreams", "logStreamName"), ["r", "s"]);
    let input = json!({"logGroupName": "g", "nextToken": answer["nextToken"]});
    let answer = client.ok("DescribeLogStreams", input).await;
    let stream = &answer["logStreams"][0];
    assert_eq!(stream["arn"], "arn:aws:logs:eu-west-1:123456789012:log-group:g:log-stream:t");
    assert_eq!(stream["storedBytes"], 0);
    let first = stream["firstEventTimestamp"].as_i64().unwrap();
    assert!(first >= before);
    assert_eq!(stream["lastEventTimestamp"].as_i64().unwrap(), first + 1);
    assert!(stream["lastIngestionTime"].as_i64().unwrap() >= before);
    let both = json!({
        "logGroupName": "g", "logStreamNamePrefix": "s", "orderBy": "LastEventTime"
    });
    assert!(client.refused("DescribeLogStreams", both).await.contains("LastEventTime"));
    let neither = client.refused("DescribeLogStreams", json!({})).await;
    assert!(neither.starts_with("InvalidParameterException"), "{neither}");
}

#[tokio::test]
async fn retention_is_one_of_certain_numbers_of_days() {
    let client = Client::with_stream().await;
    let put = |days: i32| json!({"logGroupName": "g", "retentionInDays": days});
    client.ok("PutRetentionPolicy", put(14)).await;
    let answer = client.ok("DescribeLogGroups", json!({})).await;
    assert_eq!(answer["logGroups"][0]["retentionInDays"], 14);
    for days in [0, -1, 2, 15, 3654] {
        let refusal = client.refused("PutRetentionPolicy", put(days)).await;
        assert!(refusal.contains("Member must satisfy enum value set: [1, 3, 5"), "{refusal}");
    }
    client.ok("DeleteRetentionPolicy", json!({"logGroupName": "g"})).await;
    let answer = client.ok("DescribeLogGroups", json!({})).await;
    assert_eq!(answer["logGroups"][0].get("retentionInDays"), None);
}

#[tokio::test]
async fn tags_are_those_of_the_group_whichever_way_it_is_named() {
    let client = Client::new();
    let tags = json!({"a": "1"});
    client.ok("CreateLogGroup", json!({"logGroupName": "g", "tags": tags})).await;
    let arn = "arn:aws:logs:eu-west-1:123456789012:log-group:g";
    client.ok("TagResource", json!({"resourceArn": arn, "tags": {"b": "2"}})).await;
    client.ok("TagLogGroup", json!({"logGroupName": "g", "tags": {"c": "3", "a": "0"}})).await;
    client.ok("UntagResource", json!({"resourceArn": arn, "tagKeys": ["b"]})).await;
    let expected = json!({"tags": {"a": "0", "c": "3"}});
    let listed = client.ok("ListTagsForResource", json!({"resourceArn": arn})).await;
    assert_eq!(listed, expected);
    client.ok("UntagLogGroup", json!({"logGroupName": "g", "tags": ["c"]})).await;
    let listed = client.ok("ListTagsLogGroup", json!({"logGroupName": "g"})).await;
    assert_eq!(listed, json!({"tags": {"a": "0"}}));

    let reserved = json!({"resourceArn": arn, "tags": {"aws:x": "1"}});
    let refusal = client.refused("TagResource", reserved).await;
    assert!(refusal.starts_with("InvalidParameterException"), "{refusal}");
    let many: serde_json::Map<_, _> = (0..50).map(|n| (format!("k{n}"), json!("v"))).collect();
    let refusal = client.refused("TagResource", json!({"resourceArn": arn, "tags": many})).await;
    assert!(refusal.starts_with("TooManyTagsException"), "{refusal}");
    let wrong = json!({"resourceArn": "arn:aws:s3:::bucket"});
    let refusal = client.refused("ListTagsForResource", wrong).await;
    assert!(refusal.contains("Invalid log group ARN"), "{refusal}");
}
