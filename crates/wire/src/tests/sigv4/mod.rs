//! Signatures: ours against AWS's signers, and everything that is refused.

mod botocore;
mod properties;
mod published;
mod refusals;
mod vectors;

use crate::sigv4::{AuthError, Credentials, Payload, Signature, sign};
use http::Request;
use http::request::Parts;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

/// 2015-08-30T12:36:00Z.
const NOW: i64 = 1_440_938_160;

fn credentials() -> Credentials {
    Credentials {
        access_key_id: "AKIDEXAMPLE".to_owned(),
        secret_access_key: SECRET.to_owned(),
        session_token: None,
    }
}

/// A request without a body of its own.
fn request(method: &str, uri: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

/// A StartBuild that we signed ourselves at [`NOW`].
fn signed(body: &[u8]) -> Parts {
    let mut parts = request(
        "POST",
        "/",
        &[
            ("host", "127.0.0.1:4566"),
            ("content-type", "application/x-amz-json-1.1"),
            ("x-amz-target", "CodeBuild_20161006.StartBuild"),
        ],
    );
    sign(&mut parts, body, &credentials(), ("eu-west-1", "codebuild"), NOW).unwrap();
    parts
}

fn verify(parts: &Parts, body: &[u8], now: i64) -> Result<(), AuthError> {
    let signature = Signature::parse(parts)?.expect("the request is signed");
    signature.verify(SECRET, parts, Payload::of(body), now)
}
