//! What holds of every request, and requests to try it with: for the tests, and for the targets in
//! `fuzz`, which bring a `super` of their own.

use super::{Form, Payload, Signature, codebuild, json, logs, query, secretsmanager, ssm, sts};
use http::{Request, request::Parts};

/// Requests, each line of which but the first is a header.
pub(crate) const SIGNED: &[&str] = &[
    "POST / HTTP/1.1\nhost: 127.0.0.1:4566\nx-amz-date: 20260101T000000Z\nx-amz-security-token: t\n\
     authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/us-east-1/codebuild/aws4_request, \
     SignedHeaders=host;x-amz-date, Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
    "GET /bucket/a%20b?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKID%2F20260101%2Fus-east-1%2Fs3%2F\
     aws4_request&X-Amz-Date=20260101T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=00 \
     HTTP/1.1\nhost: x\ndate: Thu, 01 Jan 2026 00:00:00 GMT",
];

/// Bodies of each kind.
pub(crate) const BODIES: &[&str] = &[
    r#"{"name":"demo","source":{"type":"S3","location":"a/b"},"artifacts":{"type":"NO_ARTIFACTS"},"environment":{"type":"LINUX_CONTAINER","image":"host","computeType":"BUILD_GENERAL1_SMALL","environmentVariables":[{"name":"A","value":"é\ud83d\ude00"}]},"serviceRole":"arn:aws:iam::000000000000:role/b","timeoutInMinutes":60,"tags":[{"key":"a","value":"b"}]}"#,
    r#"{"logGroupName":"g","logStreamName":"s","logEvents":[{"timestamp":1700000000000.5,"message":"x"}],"startFromHead":true,"limit":1e2}"#,
    r#"{"SecretId":"a","SecretBinary":"AAEC","ClientRequestToken":"00000000-0000-4000-8000-000000000001"}"#,
    "Action=AssumeRole&RoleArn=a&RoleSessionName=b&Tags.member.1.Key=k&Tags.member.1.Value=%c3%a9&Version=2011-06-15",
];

/// The request of a text: its first line, then a header on each.
fn request(bytes: &[u8]) -> Option<Parts> {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let mut words = lines.next()?.split(|byte| *byte == b' ');
    let mut request = Request::builder().method(words.next()?).uri(words.next()?);
    for line in lines {
        let at = line.iter().position(|byte| *byte == b':')?;
        request = request.header(&line[..at], line[at + 1..].trim_ascii());
    }
    request.body(()).ok().map(|request| request.into_parts().0)
}

/// No request is taken whose signature nobody has made.
pub(crate) fn nobody_has_signed(bytes: &[u8]) {
    let Some(parts) = request(bytes) else { return };
    if let Ok(Some(signature)) = Signature::parse(&parts) {
        let verified = signature.verify("wJalrXUtnFEMI", &parts, Payload::of(b""), 1_767_225_600);
        assert!(verified.is_err(), "nobody signed this");
    }
}

/// A body is read as JSON and as a form, of shapes of every service, and without a panic.
pub(crate) fn read_as_anything(bytes: &[u8]) {
    let _ = json::request::<codebuild::CreateProjectInput>(&codebuild::SERVICE, bytes);
    let _ = json::request::<logs::PutLogEventsRequest>(&logs::SERVICE, bytes);
    let _ = json::request::<secretsmanager::PutSecretValueRequest>(&secretsmanager::SERVICE, bytes);
    let _ = json::request::<ssm::PutParameterRequest>(&ssm::SERVICE, bytes);
    let form = Form::parse(bytes);
    let _ = (form.action(), form.get("Tags.member.1.Key"));
    // The only service of forms asks for nothing: others' shapes have lists and numbers.
    let read = query::request::<ssm::PutParameterRequest>(&sts::SERVICE, bytes);
    if let Err(error) = read {
        query::error(&sts::SERVICE, &error, "00000000-0000-4000-8000-000000000001");
    }
}
