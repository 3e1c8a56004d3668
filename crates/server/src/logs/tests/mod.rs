//! CloudWatch Logs as a client sees it: JSON in, JSON out.

mod events;
mod groups;
mod live_tail;

use super::{LogsService, desk::now};
use serde_json::{Value, json};
use store::logs::LogStore;
use tempfile::TempDir;
use wire::{Caller, Principal};

const ACCOUNT: &str = "123456789012";

struct Client {
    service: LogsService,
    caller: Caller,
    _folder: TempDir,
}

impl Client {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = LogStore::open(folder.path()).unwrap();
        Self {
            service: LogsService::new(store, ACCOUNT),
            caller: caller("eu-west-1"),
            _folder: folder,
        }
    }

    /// A client with the group `g` and the stream `s` in it.
    async fn with_stream() -> Self {
        let client = Self::new();
        client.ok("CreateLogGroup", json!({"logGroupName": "g"})).await;
        client.ok("CreateLogStream", json!({"logGroupName": "g", "logStreamName": "s"})).await;
        client
    }

    async fn call(&self, operation: &str, input: Value) -> Result<Value, String> {
        let body = serde_json::to_vec(&input).unwrap();
        let answer = wire::logs::call(&self.service, &self.caller, operation, &body).await;
        let body = answer.map_err(|error| format!("{}: {}", error.code, error.message))?;
        Ok(if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap() })
    }

    async fn ok(&self, operation: &str, input: Value) -> Value {
        self.call(operation, input).await.unwrap()
    }

    async fn refused(&self, operation: &str, input: Value) -> String {
        self.call(operation, input).await.unwrap_err()
    }

    /// Puts events of now, which all have the same time. Events of a time to come would stand behind
    /// those of the next call.
    async fn put(&self, stream: &str, messages: &[&str]) {
        let now = now();
        let events: Vec<_> =
            messages.iter().map(|message| json!({"timestamp": now, "message": message})).collect();
        let input = json!({"logGroupName": "g", "logStreamName": stream, "logEvents": events});
        self.ok("PutLogEvents", input).await;
    }
}

fn caller(region: &str) -> Caller {
    Caller {
        account_id: ACCOUNT.to_owned(),
        region: region.to_owned(),
        arn: format!("arn:aws:iam::{ACCOUNT}:root"),
        user_id: ACCOUNT.to_owned(),
        principal: Principal::Root,
        request_id: "5b1b8c5c-0000-4000-8000-000000000000".to_owned(),
    }
}

fn messages(answer: &Value) -> String {
    let events = answer["events"].as_array().unwrap();
    events.iter().map(|event| event["message"].as_str().unwrap()).collect::<Vec<_>>().join(" ")
}
