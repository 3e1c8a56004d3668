//! Requests that must not get through, and what their senders read.

use super::{NOW, SECRET, credentials, request, signed, verify};
use crate::sigv4::{AuthError, Credentials, Payload, Signature, sign};
use crate::{codebuild, sts};
use expect_test::{Expect, expect};
use http::HeaderValue;
use http::request::Parts;

const BODY: &[u8] = br#"{"projectName":"p"}"#;

fn check(result: &Result<(), AuthError>, expected: &Expect) {
    let error = result.as_ref().unwrap_err().to_error(&codebuild::SERVICE);
    expected.assert_eq(&format!("{} {error}", error.status));
}

/// Refuses a signature in the header that is spelled like this.
fn check_header(authorization: &str, expected: &Expect) {
    let parts = request(
        "POST",
        "/",
        &[("host", "h"), ("x-amz-date", "20150830T123600Z"), ("authorization", authorization)],
    );
    check(&Signature::parse(&parts).map(|_| ()), expected);
}

fn check_query(query: &str, expected: &Expect) {
    let parts = request("GET", &format!("/?{query}"), &[("host", "h")]);
    check(&Signature::parse(&parts).map(|_| ()), expected);
}

#[test]
fn what_we_sign_we_verify() {
    assert_eq!(verify(&signed(BODY), BODY, NOW), Ok(()));
    let signature = Signature::parse(&signed(BODY)).unwrap().unwrap();
    assert_eq!(signature.access_key_id, "AKIDEXAMPLE");
    assert_eq!(signature.date, "20150830");
    assert_eq!(signature.region, "eu-west-1");
    assert_eq!(signature.service, "codebuild");
    assert_eq!(signature.session_token, None);
    assert_eq!(signature.expires_seconds, None);
}

#[test]
fn an_unsigned_request_has_no_signature() {
    assert_eq!(Signature::parse(&request("POST", "/", &[("host", "h")])), Ok(None));
    let bearer = request("POST", "/", &[("authorization", "Bearer abc")]);
    assert_eq!(Signature::parse(&bearer), Ok(None));
}

#[test]
fn any_change_breaks_the_signature() {
    let changes: [fn(&mut Parts); 6] = [
        |parts| parts.method = http::Method::PUT,
        |parts| parts.uri = "/other".parse().unwrap(),
        |parts| parts.uri = "/?a=b".parse().unwrap(),
        |parts| {
            let target = HeaderValue::from_static("CodeBuild_20161006.DeleteProject");
            parts.headers.insert("x-amz-target", target);
        },
        |parts| {
            parts.headers.append("x-amz-target", HeaderValue::from_static("another"));
        },
        |parts| {
            parts.headers.insert("host", HeaderValue::from_static("127.0.0.1:4567"));
        },
    ];
    for (index, change) in changes.into_iter().enumerate() {
        let mut parts = signed(BODY);
        change(&mut parts);
        assert_eq!(verify(&parts, BODY, NOW), Err(AuthError::Mismatch), "change {index}");
    }
    assert_eq!(verify(&signed(BODY), b"{}", NOW), Err(AuthError::Mismatch));
}

#[test]
fn another_secret_does_not_match() {
    let parts = signed(BODY);
    let signature = Signature::parse(&parts).unwrap().unwrap();
    let result = signature.verify("another", &parts, Payload::of(BODY), NOW);
    check(
        &result,
        &expect![
            "400 InvalidSignatureException: The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
        ],
    );
}

#[test]
fn a_signature_that_is_not_hexadecimal_or_cut_short_does_not_match() {
    for damage in [
        |text: &str| text.replace("Signature=", "Signature=zz"),
        |text: &str| text[..text.len() - 2].to_owned(),
    ] {
        let mut parts = signed(BODY);
        let value = damage(parts.headers["authorization"].to_str().unwrap());
        parts.headers.insert("authorization", HeaderValue::from_str(&value).unwrap());
        assert_eq!(verify(&parts, BODY, NOW), Err(AuthError::Mismatch));
    }
}

#[test]
fn clocks_may_be_a_quarter_of_an_hour_apart() {
    let parts = signed(BODY);
    assert_eq!(verify(&parts, BODY, NOW + 900), Ok(()));
    assert_eq!(verify(&parts, BODY, NOW - 900), Ok(()));
    check(
        &verify(&parts, BODY, NOW + 901),
        &expect![
            "400 InvalidSignatureException: Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T125101Z - 15 min.)"
        ],
    );
    check(
        &verify(&parts, BODY, NOW - 901),
        &expect![
            "400 InvalidSignatureException: Signature not yet current: 20150830T123600Z is still later than 20150830T123559Z (20150830T122059Z + 15 min.)"
        ],
    );
    check(
        &verify(&parts, BODY, i64::MAX),
        &expect![
            "400 InvalidSignatureException: Signature expired: 20150830T123600Z is now earlier than 9223372036854774907 (9223372036854775807 - 15 min.)"
        ],
    );
}

#[test]
fn what_decides_the_meaning_has_to_be_signed() {
    let mut parts = signed(BODY);
    parts.headers.insert("x-amz-extra", HeaderValue::from_static("1"));
    check(
        &verify(&parts, BODY, NOW),
        &expect![
            "400 InvalidSignatureException: There were headers present in the request which were not signed: x-amz-extra"
        ],
    );

    let mut parts = signed(BODY);
    let value = parts.headers["authorization"].to_str().unwrap().replace(";host;", ";");
    parts.headers.insert("authorization", HeaderValue::from_str(&value).unwrap());
    check(
        &verify(&parts, BODY, NOW),
        &expect![
            "400 InvalidSignatureException: 'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."
        ],
    );
}

#[test]
fn a_declared_hash_has_to_be_the_bodys() {
    let declare = |value: &str| {
        let headers = [("host", "h"), ("x-amz-content-sha256", value)];
        let mut parts = request("PUT", "/key", &headers);
        sign(&mut parts, b"other", &credentials(), ("eu-west-1", "codebuild"), NOW).unwrap();
        parts
    };
    let hash = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
    assert_eq!(verify(&declare(hash), b"[]", NOW), Err(AuthError::Mismatch));
    assert_eq!(verify(&declare("UNSIGNED-PAYLOAD"), b"{}", NOW), Err(AuthError::Mismatch));
}

#[test]
fn an_unread_body_is_what_the_request_declares() {
    let mut parts = request("PUT", "/key", &[("host", "h")]);
    sign(&mut parts, b"body", &credentials(), ("eu-west-1", "s3"), NOW).unwrap();
    let signature = Signature::parse(&parts).unwrap().unwrap();
    assert_eq!(signature.verify(SECRET, &parts, Payload::Declared, NOW), Ok(()));
    let parts = signed(BODY);
    let signature = Signature::parse(&parts).unwrap().unwrap();
    check(
        &signature.verify(SECRET, &parts, Payload::Declared, NOW),
        &expect![
            "400 IncompleteSignatureException: Missing required header for this request: x-amz-content-sha256"
        ],
    );
}

#[test]
fn a_session_token_is_handed_on() {
    let token = Some("a/b+c==".to_owned());
    let credentials = Credentials { session_token: token.clone(), ..credentials() };
    let mut parts = request("GET", "http://h:1/", &[]);
    sign(&mut parts, b"", &credentials, ("eu-west-1", "sts"), NOW).unwrap();
    assert_eq!(Signature::parse(&parts).unwrap().unwrap().session_token, token);
    assert_eq!(verify(&parts, b"", NOW), Ok(()));
    assert!(!format!("{credentials:?}").contains(SECRET));
}

#[test]
fn signatures_with_missing_or_odd_parts_are_incomplete() {
    check_header(
        "AWS4-HMAC-SHA256",
        &expect![
            "400 IncompleteSignatureException: Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter."
        ],
    );
    check_header(
        "AWS4-HMAC-SHA256 Credential",
        &expect![
            "400 IncompleteSignatureException: 'Credential' not a valid key=value pair (missing equal-sign) in Authorization header: 'Credential'."
        ],
    );
    check_header(
        "AWS4-HMAC-SHA256 Credential=a",
        &expect![
            "400 IncompleteSignatureException: Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter."
        ],
    );
    check_header(
        "AWS4-ECDSA-P256-SHA256 Credential=a",
        &expect![
            "400 IncompleteSignatureException: Unsupported AWS 'algorithm': 'AWS4-ECDSA-P256-SHA256'."
        ],
    );
    check_header(
        "AWS key:signature",
        &expect!["400 IncompleteSignatureException: Unsupported AWS 'algorithm': 'AWS'."],
    );
    let with = |credential: &str| {
        format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=00")
    };
    check_header(
        &with("AKID/20150830/r/s"),
        &expect![
            "400 IncompleteSignatureException: Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got 'AKID/20150830/r/s'"
        ],
    );
    check_header(
        &with("AKID/20150830//s/aws4_request"),
        &expect![
            "400 IncompleteSignatureException: Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got 'AKID/20150830//s/aws4_request'"
        ],
    );
    check_header(
        &with("AKID/20150830/r/s/aws5_request"),
        &expect![
            "400 InvalidSignatureException: Credential should be scoped with a valid terminator: 'aws4_request', not 'aws5_request'."
        ],
    );
    check_header(
        &with("AKID/20150831/r/s/aws4_request"),
        &expect![
            "400 InvalidSignatureException: Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '20150831' != '20150830', from '20150830T123600Z'."
        ],
    );
    check_header(
        &with("AKID/2015/r/s/aws4_request"),
        &expect![
            "400 InvalidSignatureException: Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '2015' != '20150830', from '20150830T123600Z'."
        ],
    );
}

#[test]
fn presigned_queries_with_missing_or_odd_parts_are_incomplete() {
    check_query(
        "X-Amz-Algorithm=AWS4-HMAC-SHA256",
        &expect![
            "400 IncompleteSignatureException: AWS query-string parameters must include 'X-Amz-Credential'. AWS query-string parameters must include 'X-Amz-Signature'. AWS query-string parameters must include 'X-Amz-SignedHeaders'. AWS query-string parameters must include 'X-Amz-Date'."
        ],
    );
    check_query(
        "X-Amz-Algorithm=AWS5",
        &expect!["400 IncompleteSignatureException: Unsupported AWS 'algorithm': 'AWS5'."],
    );
    let with = |expires: &str| format!("X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires={expires}");
    check_query(
        &with("604801"),
        &expect![
            "400 IncompleteSignatureException: X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds"
        ],
    );
    check_query(
        &with("-1"),
        &expect!["400 IncompleteSignatureException: X-Amz-Expires must be non-negative"],
    );
    check_query(
        &with("soon"),
        &expect!["400 IncompleteSignatureException: X-Amz-Expires should be a number"],
    );
}

#[test]
fn each_dialect_has_its_own_codes() {
    let errors = [
        AuthError::Missing,
        AuthError::Incomplete("What is missing.".to_owned()),
        AuthError::UnknownAccessKey,
        AuthError::ExpiredToken,
        AuthError::Mismatch,
        AuthError::wrong_service(&codebuild::SERVICE),
    ];
    let mut table = String::new();
    for error in errors {
        for service in [&codebuild::SERVICE, &sts::SERVICE] {
            let error = error.to_error(service);
            table += &format!("{} {} {}\n", error.status, error.code, error.message);
        }
    }
    expect![[r#"
        400 MissingAuthenticationTokenException Missing Authentication Token
        403 MissingAuthenticationToken Missing Authentication Token
        400 IncompleteSignatureException What is missing.
        400 IncompleteSignature What is missing.
        400 UnrecognizedClientException The security token included in the request is invalid.
        403 InvalidClientTokenId The security token included in the request is invalid.
        400 ExpiredTokenException The security token included in the request is expired
        403 ExpiredToken The security token included in the request is expired
        400 InvalidSignatureException The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.
        403 SignatureDoesNotMatch The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.
        400 InvalidSignatureException Credential should be scoped to correct service: 'codebuild'.
        403 SignatureDoesNotMatch Credential should be scoped to correct service: 'codebuild'.
    "#]].assert_eq(&table);
}
