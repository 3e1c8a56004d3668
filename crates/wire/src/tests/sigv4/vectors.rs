//! Requests of our clients with the signatures that botocore gave them.

use super::{NOW, SECRET, credentials, request, verify};
use crate::sigv4::{Credentials, sign};

struct Vector<'a> {
    method: &'a str,
    uri: &'a str,
    /// Signed besides the host and the date.
    headers: &'a [(&'a str, &'a str)],
    body: &'a str,
    service: &'a str,
    session_token: Option<&'a str>,
    signature: &'a str,
}

const START_BUILD: [(&str, &str); 2] = [
    ("content-type", "application/x-amz-json-1.1"),
    ("x-amz-target", "CodeBuild_20161006.StartBuild"),
];

const VECTORS: [Vector<'_>; 3] = [
    Vector {
        method: "POST",
        uri: "http://127.0.0.1:4566/",
        headers: &START_BUILD,
        body: r#"{"projectName":"p"}"#,
        service: "codebuild",
        session_token: None,
        signature: "ad3ff45e4f982a9605913a759e9a564675cbfd9aea28882537f76f39ead63e0d",
    },
    Vector {
        method: "POST",
        uri: "http://127.0.0.1:4566/",
        headers: &START_BUILD,
        body: r#"{"projectName":"p"}"#,
        service: "codebuild",
        session_token: Some("token/+=="),
        signature: "bc72f615d5eeab44b5244da76379becdd784d37bf584d4277c4061637ace9ba0",
    },
    Vector {
        method: "GET",
        uri: "http://127.0.0.1:4566/a%20b/../c//d%2Fe/?b=%20x&b=%2B&B=~&a=",
        headers: &[],
        body: "",
        service: "logs",
        session_token: None,
        signature: "50b49cf4b1e2e78bb5b2c8f0f96c84795dbc39114007463bf6c2a0846f96096a",
    },
];

#[test]
fn we_sign_as_botocore_does() {
    for vector in VECTORS {
        let mut parts = request(vector.method, vector.uri, vector.headers);
        let session_token = vector.session_token.map(str::to_owned);
        let credentials = Credentials { session_token, ..credentials() };
        let body = vector.body.as_bytes();
        sign(&mut parts, body, &credentials, ("eu-west-1", vector.service), NOW).unwrap();
        let authorization = parts.headers["authorization"].to_str().unwrap();
        assert_eq!(authorization.rsplit('=').next(), Some(vector.signature));
        assert_eq!(verify(&parts, body, NOW), Ok(()));
    }
}

#[test]
fn a_presigned_identity_verifies() {
    let uri = "/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Feu-west-1%2Fsts%2Faws4_request&X-Amz-Date=20150830T123600Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=0a8cb79ef476ea48bb9a147622bd444d7d664dc1047e118aa40ec48f42dafbfb";
    let parts = request("GET", uri, &[("host", "127.0.0.1:4566")]);
    assert_eq!(verify(&parts, b"", NOW + 60), Ok(()));
    assert!(verify(&parts, b"", NOW + 61).is_err());
    let other = uri.replace("GetCallerIdentity", "AssumeRole");
    assert!(verify(&request("GET", &other, &[("host", "127.0.0.1:4566")]), b"", NOW).is_err());
    assert!(!uri.contains(SECRET));
}
