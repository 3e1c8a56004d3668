//! Secrets Manager and Parameter Store as the agent needs them, in memory; requests must be signed.

use crate::store::{Call, read_call};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// The services, for as long as the process lives.
pub(crate) struct Keeper {
    pub(crate) endpoint: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// By the secret's id, or by id and stage with a colon between them.
    secrets: BTreeMap<String, Value>,
    parameters: BTreeMap<String, String>,
    requests: Vec<String>,
    failures: u32,
}

impl Keeper {
    /// Starts on a port of its own.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State::default()));
        let served = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, state) = (stream.unwrap(), Arc::clone(&served));
                thread::spawn(move || serve(&stream, &state));
            }
        });
        Self { endpoint, state }
    }

    /// Keeps a secret that is a text.
    pub(crate) fn secret(self, id: &str, text: &str) -> Self {
        let value = json!({ "SecretString": text });
        self.state.lock().unwrap().secrets.insert(id.to_owned(), value);
        self
    }

    /// Keeps a secret that is bytes.
    pub(crate) fn binary(self, id: &str) -> Self {
        let value = json!({ "SecretBinary": "AAEC" });
        self.state.lock().unwrap().secrets.insert(id.to_owned(), value);
        self
    }

    /// Keeps a parameter.
    pub(crate) fn parameter(self, name: &str, value: &str) -> Self {
        self.state.lock().unwrap().parameters.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Fails the next requests with 500.
    pub(crate) fn failing(self, failures: u32) -> Self {
        self.state.lock().unwrap().failures = failures;
        self
    }

    /// The requests: operation and body.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.state.lock().unwrap().requests.clone()
    }
}

fn serve(stream: &TcpStream, state: &Mutex<State>) {
    let mut reader = BufReader::new(stream);
    while let Some(call) = read_call(&mut reader) {
        let (status, body) = answer(&call, &mut state.lock().unwrap());
        let body = body.to_string();
        let head = format!(
            "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nx-amzn-requestid: R1\r\n\r\n{body}",
            body.len()
        );
        let mut writer = stream;
        writer.write_all(head.as_bytes()).unwrap();
    }
}

fn answer(call: &Call, state: &mut State) -> (u16, Value) {
    let authorization = &call.headers["authorization"];
    assert!(authorization.contains("Credential=ASIABUILD/"), "{authorization}");
    assert_eq!(call.headers["x-amz-security-token"], "token");
    let operation = call.headers["x-amz-target"].clone();
    let request: Value = serde_json::from_slice(&call.body).unwrap();
    state.requests.push(format!("{operation} {request}"));
    if state.failures > 0 {
        state.failures -= 1;
        return (500, json!({ "__type": "InternalFailure", "message": "not now" }));
    }
    match operation.as_str() {
        "AmazonSSM.GetParameters" => parameters(&request, state),
        "secretsmanager.GetSecretValue" => secret(&request, state),
        other => panic!("{other}"),
    }
}

fn parameters(request: &Value, state: &State) -> (u16, Value) {
    assert_eq!(request["WithDecryption"], true);
    let names = request["Names"].as_array().unwrap().iter().map(|name| name.as_str().unwrap());
    let (mut found, mut invalid) = (Vec::new(), Vec::new());
    for name in names {
        if name == "denied" {
            return denied("ssm:GetParameters");
        }
        let plain = name.rsplit('/').next().unwrap();
        let (plain, version) = plain.split_once(':').unwrap_or((plain, ""));
        match state.parameters.get(plain) {
            Some(value) if version.is_empty() => {
                found.push(json!({ "Name": name, "Value": value }));
            }
            Some(value) => found.push(json!({
                "Name": plain, "Value": format!("{value} {version}"),
                "Selector": format!(":{version}"),
            })),
            None => invalid.push(name),
        }
    }
    (200, json!({ "Parameters": found, "InvalidParameters": invalid }))
}

fn secret(request: &Value, state: &State) -> (u16, Value) {
    let id = request["SecretId"].as_str().unwrap();
    if id == "denied" {
        return denied("secretsmanager:GetSecretValue");
    }
    let which = request["VersionStage"].as_str().or(request["VersionId"].as_str());
    let key = which.map_or_else(|| id.to_owned(), |which| format!("{id}:{which}"));
    match state.secrets.get(&key) {
        Some(value) => (200, value.clone()),
        None => {
            let message = "Secrets Manager can't find the specified secret.";
            (400, json!({ "__type": "ResourceNotFoundException", "message": message }))
        }
    }
}

fn denied(action: &str) -> (u16, Value) {
    let message = format!("User: me is not authorized to perform: {action} on resource: it");
    (400, json!({ "__type": "com.amazon#AccessDeniedException", "Message": message }))
}
