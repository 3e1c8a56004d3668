//! Live tails.

use super::{Client, now};
use futures::{Stream, StreamExt};
use serde_json::{Value, json};
use std::{io, pin::pin, time::Duration};
use wire::logs::StartLiveTailRequest;

const ARN: &str = "arn:aws:logs:eu-west-1:123456789012:log-group:g";

fn request(value: Value) -> StartLiveTailRequest {
    serde_json::from_value(value).unwrap()
}

/// The payloads of the frames in some bytes, with the names of their events.
fn payloads(mut bytes: &[u8]) -> Vec<(String, Value)> {
    let mut payloads = Vec::new();
    while let Some((prelude, _)) = bytes.split_first_chunk::<12>() {
        let number =
            |at: usize| u32::from_be_bytes(prelude[at..at + 4].try_into().unwrap()) as usize;
        let (total, headers) = (number(0), number(4));
        let names = String::from_utf8_lossy(&bytes[12..12 + headers]).into_owned();
        let known =
            ["initial-response", "sessionStart", "sessionUpdate", "SessionTimeoutException"];
        let name = known.into_iter().find(|name| names.contains(name)).unwrap();
        let payload = serde_json::from_slice(&bytes[12 + headers..total - 4]).unwrap();
        payloads.push((name.to_owned(), payload));
        bytes = &bytes[total..];
    }
    payloads
}

async fn next(
    frames: &mut (impl Stream<Item = io::Result<bytes::Bytes>> + Unpin),
) -> Vec<(String, Value)> {
    payloads(&frames.next().await.unwrap().unwrap())
}

#[tokio::test]
async fn appended_events_come_at_once() {
    let client = Client::with_stream().await;
    client.put("s", &["before"]).await;
    let input = request(json!({"logGroupIdentifiers": [ARN], "logEventFilterPattern": "-no"}));
    let frames = client.service.start_live_tail(&client.caller, input).await.unwrap();
    let mut frames = pin!(frames);
    let start = next(&mut frames).await;
    assert_eq!(start[0], ("initial-response".to_owned(), json!({})));
    assert_eq!(start[1].0, "sessionStart");
    assert_eq!(start[1].1["logGroupIdentifiers"], json!([ARN]));
    assert_eq!(start[1].1["requestId"], client.caller.request_id);

    let before = now();
    client.put("s", &["one", "no", "two"]).await;
    let (name, update) = next(&mut frames).await.remove(0);
    assert_eq!(
        (name.as_str(), &update["sessionMetadata"]),
        ("sessionUpdate", &json!({"sampled": false}))
    );
    let results = update["sessionResults"].as_array().unwrap();
    let told: Vec<_> = results.iter().map(|event| event["message"].as_str().unwrap()).collect();
    assert_eq!(told, ["one", "two"]);
    assert_eq!(results[0]["logStreamName"], "s");
    assert_eq!(results[0]["logGroupIdentifier"], ARN);
    assert!(results[0]["ingestionTime"].as_i64().unwrap() >= before);
}

#[tokio::test(start_paused = true)]
async fn silence_is_told_each_second_until_the_session_ends() {
    let client = Client::with_stream().await;
    let input = request(json!({"logGroupIdentifiers": [ARN]}));
    let frames = client.service.start_live_tail(&client.caller, input).await.unwrap();
    let mut frames = pin!(frames);
    let opened = tokio::time::Instant::now();
    next(&mut frames).await;
    let (name, update) = next(&mut frames).await.remove(0);
    assert_eq!((name.as_str(), &update["sessionResults"]), ("sessionUpdate", &json!([])));
    assert_eq!(opened.elapsed().as_secs(), 1);
    let mut updates = 1;
    let last = loop {
        let (name, payload) = next(&mut frames).await.remove(0);
        if name != "sessionUpdate" {
            break (name, payload);
        }
        updates += 1;
    };
    assert_eq!(last.0, "SessionTimeoutException");
    assert!(opened.elapsed() >= Duration::from_secs(3 * 60 * 60 - 1));
    assert!(updates > 3 * 60 * 60 - 60, "{updates} updates");
    assert!(frames.next().await.is_none());
}

#[tokio::test]
async fn an_update_has_a_limit_and_what_is_lost_is_told() {
    let client = Client::with_stream().await;
    let input = request(json!({"logGroupIdentifiers": [ARN], "logStreamNames": ["s"]}));
    let frames = client.service.start_live_tail(&client.caller, input).await.unwrap();
    let mut frames = pin!(frames);
    next(&mut frames).await;
    let many: Vec<_> = (0..6_000).map(|n| n.to_string()).collect();
    client.put("s", &many.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let (_, update) = next(&mut frames).await.remove(0);
    assert_eq!(update["sessionMetadata"]["sampled"], true);
    let results = update["sessionResults"].as_array().unwrap();
    assert_eq!((results.len(), results[0]["message"].as_str()), (500, Some("1000")));
    let (_, update) = next(&mut frames).await.remove(0);
    assert_eq!(update["sessionMetadata"]["sampled"], false);
    assert_eq!(update["sessionResults"][0]["message"], "1500");
}

#[tokio::test]
async fn what_cannot_be_tailed_is_refused() {
    let client = Client::with_stream().await;
    let refusal = async |input: Value| match client
        .service
        .start_live_tail(&client.caller, request(input))
        .await
    {
        Ok(_) => panic!("a session was opened"),
        Err(error) => error.to_string(),
    };
    let name = refusal(json!({"logGroupIdentifiers": ["g"]})).await;
    assert!(name.contains("Invalid log group ARN"), "{name}");
    let missing = refusal(json!({"logGroupIdentifiers": [format!("{ARN}x")]})).await;
    assert!(missing.contains("log group does not exist"), "{missing}");
    let streams = json!({"logGroupIdentifiers": [ARN, ARN], "logStreamNames": ["s"]});
    assert!(refusal(streams).await.contains("exactly one"));
    let both = json!({
        "logGroupIdentifiers": [ARN], "logStreamNames": ["s"], "logStreamNamePrefixes": ["s"]
    });
    assert!(refusal(both).await.contains("mutually exclusive"));
    let mut open = Vec::new();
    for _ in 0..15 {
        let input = request(json!({"logGroupIdentifiers": [ARN]}));
        open.push(client.service.start_live_tail(&client.caller, input).await.unwrap());
    }
    let many = refusal(json!({"logGroupIdentifiers": [ARN]})).await;
    assert!(many.starts_with("LimitExceededException"), "{many}");
    open.pop();
    let input = request(json!({"logGroupIdentifiers": [ARN]}));
    drop(client.service.start_live_tail(&client.caller, input).await.unwrap());
}
