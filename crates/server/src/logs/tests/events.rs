//! Putting, getting and filtering events.

use super::{Client, messages, now};
use serde_json::{Value, json};

const HOUR: i64 = 60 * 60 * 1000;
const DAY: i64 = 24 * HOUR;

fn batch(events: &[(i64, &str)]) -> Value {
    let events: Vec<_> = events
        .iter()
        .map(|(timestamp, message)| json!({"timestamp": timestamp, "message": message}))
        .collect();
    json!({"logGroupName": "g", "logStreamName": "s", "logEvents": events})
}

#[tokio::test]
async fn a_tailing_client_sees_every_event_once() {
    let client = Client::with_stream().await;
    client.put("s", &["a", "b"]).await;
    let mut input =
        json!({"logGroupName": "g", "logStreamName": "s", "startFromHead": true, "limit": 1});
    let mut seen = Vec::new();
    for round in 0..6 {
        let answer = client.ok("GetLogEvents", input.clone()).await;
        seen.push(messages(&answer));
        if round == 3 {
            assert_eq!(answer["nextForwardToken"], input["nextToken"], "the same at the end");
            client.put("s", &["c"]).await;
        }
        input["nextToken"] = answer["nextForwardToken"].clone();
    }
    assert_eq!(seen, ["a", "b", "", "", "c", ""]);
    let answer =
        client.ok("GetLogEvents", json!({"logGroupName": "g", "logStreamName": "s"})).await;
    let event = &answer["events"][0];
    assert!(event["ingestionTime"].as_i64().unwrap() <= now());
    let token = answer["nextBackwardToken"].as_str().unwrap();
    assert!(token.starts_with("b/") && token.ends_with("/s") && token.len() == 60, "{token}");
}

#[tokio::test]
async fn without_a_head_the_latest_page_is_given() {
    let client = Client::with_stream().await;
    client.put("s", &["a", "b", "c"]).await;
    let mut input = json!({"logGroupName": "g", "logStreamName": "s", "limit": 2});
    let latest = client.ok("GetLogEvents", input.clone()).await;
    assert_eq!(messages(&latest), "b c");
    input["nextToken"] = latest["nextBackwardToken"].clone();
    assert_eq!(messages(&client.ok("GetLogEvents", input.clone()).await), "a");
    input["nextToken"] = json!("f/1/s");
    let refusal = client.refused("GetLogEvents", input).await;
    assert_eq!(refusal, "InvalidParameterException: The specified nextToken is invalid.");
}

#[tokio::test]
async fn the_end_is_exclusive_for_getting_and_inclusive_for_filtering() {
    let client = Client::with_stream().await;
    let t = now() - HOUR;
    client.ok("PutLogEvents", batch(&[(t, "a"), (t + 1, "b"), (t + 2, "c")])).await;
    let times = json!({
        "logGroupName": "g", "logStreamName": "s", "startTime": t, "endTime": t + 1
    });
    assert_eq!(messages(&client.ok("GetLogEvents", times).await), "a");
    let times = json!({"logGroupName": "g", "startTime": t, "endTime": t + 1});
    assert_eq!(messages(&client.ok("FilterLogEvents", times).await), "a b");
}

#[tokio::test]
async fn events_that_come_too_early_or_too_late_are_named_and_left_out() {
    let client = Client::with_stream().await;
    let now = now();
    let answer = client.ok("PutLogEvents", batch(&[(now, "a")])).await;
    assert_eq!(answer.get("rejectedLogEventsInfo"), None);
    assert_eq!(answer["nextSequenceToken"].as_str().unwrap().len(), 56);
    let old =
        batch(&[(now - 15 * DAY, "old"), (now - 15 * DAY, "old"), (now - 14 * DAY + HOUR, "b")]);
    // Within a day of one another, or else nothing is taken.
    let old = client.refused("PutLogEvents", old).await;
    assert!(old.contains("cannot span more than 24 hours"), "{old}");
    let late = now - 14 * DAY;
    let old = batch(&[(late - HOUR, "old"), (late - HOUR, "old"), (late + HOUR, "b")]);
    let answer = client.ok("PutLogEvents", old).await;
    assert_eq!(answer["rejectedLogEventsInfo"], json!({"tooOldLogEventEndIndex": 2}));
    let new = batch(&[(now, "c"), (now + 3 * HOUR, "new")]);
    let answer = client.ok("PutLogEvents", new).await;
    assert_eq!(answer["rejectedLogEventsInfo"], json!({"tooNewLogEventStartIndex": 1}));
    let all = client.ok("FilterLogEvents", json!({"logGroupName": "g"})).await;
    assert_eq!(messages(&all), "b a c");

    client.ok("PutRetentionPolicy", json!({"logGroupName": "g", "retentionInDays": 7})).await;
    let expired = batch(&[(now - 7 * DAY - HOUR, "expired"), (now - 7 * DAY + HOUR, "d")]);
    let answer = client.ok("PutLogEvents", expired).await;
    assert_eq!(answer["rejectedLogEventsInfo"], json!({"expiredLogEventEndIndex": 1}));
    // What has expired is not given, whether it has been removed or not.
    let all = client.ok("FilterLogEvents", json!({"logGroupName": "g"})).await;
    assert_eq!(messages(&all), "d a c");
    let input = json!({"logGroupName": "g", "logStreamName": "s", "startFromHead": true});
    assert_eq!(messages(&client.ok("GetLogEvents", input).await), "d a c");
}

#[tokio::test]
async fn batches_have_limits() {
    let client = Client::with_stream().await;
    let now = now();
    let wrong = batch(&[(now, "a"), (now - 1, "b")]);
    let refusal = client.refused("PutLogEvents", wrong).await;
    assert!(refusal.contains("must be in chronological order"), "{refusal}");
    let half = "x".repeat(1_048_576 / 2 - 26);
    client.ok("PutLogEvents", batch(&[(now, &half), (now, &half)])).await;
    let refusal =
        client.refused("PutLogEvents", batch(&[(now, &half), (now, &half), (now, "x")])).await;
    assert!(
        refusal.contains("Upload too large: 1048603 bytes exceeds limit of 1048576"),
        "{refusal}"
    );
    let whole = "x".repeat(1_048_576);
    let refusal = client.refused("PutLogEvents", batch(&[(now, &whole)])).await;
    assert!(refusal.contains("Log event too large"), "{refusal}");
}

#[tokio::test]
async fn filtering_finds_what_matches_in_the_streams_asked_for() {
    let client = Client::with_stream().await;
    client.ok("CreateLogStream", json!({"logGroupName": "g", "logStreamName": "t"})).await;
    client.put("s", &["[ERROR] one", "two", "{\"level\":\"ERROR\",\"n\":3}"]).await;
    client.put("t", &["ERROR elsewhere"]).await;
    let filter = async |more: Value| {
        let mut input = json!({"logGroupName": "g"});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        client.call("FilterLogEvents", input).await
    };
    let answer = filter(json!({"filterPattern": "two"})).await.unwrap();
    let event = &answer["events"][0];
    assert_eq!(
        (event["logStreamName"].as_str(), event["message"].as_str()),
        (Some("s"), Some("two"))
    );
    assert_eq!(event["eventId"].as_str().unwrap().len(), 56);
    assert_eq!(answer["searchedLogStreams"], json!([]));
    assert_eq!(answer.get("nextToken"), None);
    let json_pattern = json!({"filterPattern": "{ $.level = ERROR && $.n > 2 }"});
    assert_eq!(filter(json_pattern).await.unwrap()["events"].as_array().unwrap().len(), 1);
    let named = json!({"filterPattern": "ERROR", "logStreamNames": ["t"]});
    assert_eq!(messages(&filter(named).await.unwrap()), "ERROR elsewhere");
    let prefixed = json!({"filterPattern": "-ERROR", "logStreamNamePrefix": "s"});
    assert_eq!(messages(&filter(prefixed).await.unwrap()), "two");

    let both = json!({"logStreamNames": ["t"], "logStreamNamePrefix": "s"});
    assert!(filter(both).await.unwrap_err().contains("mutually exclusive"));
    let missing = json!({"logStreamNames": ["none"]});
    assert!(filter(missing).await.unwrap_err().contains("log stream does not exist"));
    let term = filter(json!({"filterPattern": "a-b"})).await.unwrap_err();
    assert_eq!(term, "InvalidParameterException: Invalid character(s) in term 'a-b'");
    let fields = filter(json!({"filterPattern": "[a, b]"})).await.unwrap_err();
    assert!(fields.starts_with("InvalidParameterException: Invalid filter pattern"), "{fields}");
}
