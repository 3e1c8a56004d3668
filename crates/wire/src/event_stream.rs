//! AWS's event streams: an answer that goes on, as frames of headers and a payload.
//!
//! A stream begins with [`initial_response`]; every event after it is a [`frame`]. An exception
//! is the last frame of its stream.

use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use bytes::Bytes;

/// The content type of the whole answer.
pub const CONTENT_TYPE: &str = "application/vnd.amazon.eventstream";

/// The content type of each payload.
const PAYLOAD_TYPE: &str = "application/json";

/// The largest payload that clients accept; who makes larger events has to split them.
pub const PAYLOAD_BYTES_MAX: usize = 24 * 1024 * 1024;

/// One event of a stream, as the model declares it.
pub trait StreamEvent {
    /// The event's name, which the frame carries.
    fn kind(&self) -> &'static str;

    /// Whether it is an error that ends the stream.
    fn is_exception(&self) -> bool;

    /// The event's members as JSON.
    fn payload(&self) -> Vec<u8>;
}

/// The frame that every stream begins with: the members of the answer that are not the stream.
pub fn initial_response() -> Bytes {
    encode([(":message-type", "event"), (":event-type", "initial-response")], b"{}".to_vec())
}

/// The frame of one event.
pub fn frame(event: &impl StreamEvent) -> Bytes {
    let kind = if event.is_exception() {
        [(":message-type", "exception"), (":exception-type", event.kind())]
    } else {
        [(":message-type", "event"), (":event-type", event.kind())]
    };
    encode(kind, event.payload())
}

fn encode(kind: [(&'static str, &'static str); 2], payload: Vec<u8>) -> Bytes {
    let mut message = Message::new(payload);
    for (name, value) in kind.into_iter().chain([(":content-type", PAYLOAD_TYPE)]) {
        message = message.add_header(Header::new(name, HeaderValue::String(value.into())));
    }
    let mut bytes = Vec::new();
    write_message_to(&message, &mut bytes).expect("headers are short and payloads below 4 GiB");
    bytes.into()
}
