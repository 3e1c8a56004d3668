//! No request has a signature that nobody made, and none makes its reading panic.
//!
//! `fuzz/run signature`. An input is a path and query, then
//! a header on each line.

#![no_main]

use http::Request;
use libfuzzer_sys::fuzz_target;
use wire::sigv4::{Payload, Signature};

fuzz_target!(|bytes: &[u8]| {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let mut request = Request::builder().uri(lines.next().unwrap_or_default());
    for line in lines {
        let Some(at) = line.iter().position(|byte| *byte == b':') else { return };
        request = request.header(&line[..at], line[at + 1..].trim_ascii());
    }
    let Ok(request) = request.body(()) else { return };
    let parts = request.into_parts().0;
    if let Ok(Some(signature)) = Signature::parse(&parts) {
        assert!(signature.verify("secret", &parts, Payload::of(b""), 1_767_225_600).is_err());
    }
});
