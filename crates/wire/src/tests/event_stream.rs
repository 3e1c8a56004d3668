//! Frames, read back by AWS's decoder for Rust and by botocore's.

use crate::event_stream::{StreamEvent, frame, initial_response};
use crate::logs::{
    LiveTailSessionLogEvent, LiveTailSessionMetadata, LiveTailSessionStart, LiveTailSessionUpdate,
    SessionTimeoutException, StartLiveTailRequest, StartLiveTailResponseStream,
};
use crate::{json, logs};
use aws_smithy_eventstream::frame::read_message_from;
use expect_test::{Expect, expect};
use std::io::Write as _;
use std::process::{Command, Stdio};

fn events() -> [StartLiveTailResponseStream; 3] {
    let event = LiveTailSessionLogEvent {
        log_stream_name: Some("s".to_owned()),
        message: Some("café\n".to_owned()),
        timestamp: Some(1_556_905_683_568),
        ..Default::default()
    };
    [
        StartLiveTailResponseStream::SessionStart(LiveTailSessionStart {
            session_id: Some("1".to_owned()),
            log_group_identifiers: Some(vec!["g".to_owned()]),
            ..Default::default()
        }),
        StartLiveTailResponseStream::SessionUpdate(LiveTailSessionUpdate {
            session_metadata: Some(LiveTailSessionMetadata { sampled: Some(false) }),
            session_results: Some(vec![event]),
        }),
        StartLiveTailResponseStream::SessionTimeoutException(SessionTimeoutException {
            message: Some("Three hours have passed.".to_owned()),
        }),
    ]
}

fn stream() -> Vec<u8> {
    let mut stream = initial_response().to_vec();
    events().iter().for_each(|event| stream.extend_from_slice(&frame(event)));
    stream
}

fn expected() -> Expect {
    expect![[r#"
        :message-type=event :event-type=initial-response :content-type=application/json {}
        :message-type=event :event-type=sessionStart :content-type=application/json {"sessionId":"1","logGroupIdentifiers":["g"]}
        :message-type=event :event-type=sessionUpdate :content-type=application/json {"sessionMetadata":{"sampled":false},"sessionResults":[{"logStreamName":"s","message":"café\n","timestamp":1556905683568}]}
        :message-type=exception :exception-type=SessionTimeoutException :content-type=application/json {"message":"Three hours have passed."}
    "#]]
}

#[test]
fn frames_are_read_by_awss_decoder() {
    let stream = stream();
    let mut rest = &stream[..];
    let mut text = String::new();
    while !rest.is_empty() {
        let message = read_message_from(&mut rest).unwrap();
        for header in message.headers() {
            let value = header.value().as_string().unwrap();
            text += &format!("{}={} ", header.name().as_str(), value.as_str());
        }
        text += &format!("{}\n", std::str::from_utf8(message.payload()).unwrap());
    }
    expected().assert_eq(&text);
}

#[test]
fn frames_are_read_by_botocore() {
    const SCRIPT: &str = "
import sys
from botocore.eventstream import EventStreamBuffer
buffer = EventStreamBuffer()
buffer.add_data(sys.stdin.buffer.read())
for message in buffer:
    headers = ''.join(f'{name}={value} ' for name, value in message.headers.items())
    sys.stdout.buffer.write(headers.encode() + message.payload + b'\\n')
";
    let child = Command::new("python3")
        .args(["-c", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => return println!("skipped: there is no python3 ({error})"),
    };
    // A Python without botocore ends without reading.
    let _ = child.stdin.take().unwrap().write_all(&stream());
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    if errors.contains("No module named") {
        return println!("skipped: Python has no botocore");
    }
    assert!(output.status.success(), "{errors}");
    expected().assert_eq(&String::from_utf8(output.stdout).unwrap());
}

#[test]
fn only_exceptions_end_a_stream() {
    assert_eq!(events().map(|event| event.is_exception()), [false, false, true]);
}

#[test]
fn a_tail_without_groups_is_refused() {
    let request = json::request::<StartLiveTailRequest>(&logs::SERVICE, b"{}");
    expect!["InvalidParameterException: 1 validation error detected: Value null at 'logGroupIdentifiers' failed to satisfy constraint: Member must not be null"].assert_eq(&request.unwrap_err().to_string());
}
