//! Requests that botocore signs, where Python has it.

use super::{NOW, SECRET, request};
use crate::sigv4::{AuthError, Payload, Signature};
use serde::Deserialize;
use std::process::Command;

/// Signs each kind of request that its clients send, and prints one line of JSON for each.
const SCRIPT: &str = r#"
import datetime, json, sys
import botocore.auth as auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

at = datetime.datetime.fromtimestamp(int(sys.argv[1]), datetime.timezone.utc)
class Frozen(datetime.datetime):
    @classmethod
    def utcnow(cls): return at.replace(tzinfo=None)
if hasattr(auth, 'get_current_datetime'):
    auth.get_current_datetime = lambda remove_tzinfo=True: at.replace(tzinfo=None)
else:
    auth.datetime.datetime = Frozen

def emit(signer, method, url, headers, body):
    request = AWSRequest(method=method, url=url, headers=headers, data=body)
    signer.add_auth(request)
    prepared = request.prepare()
    headers = [(k, v.decode() if isinstance(v, bytes) else v) for k, v in prepared.headers.items()]
    print(json.dumps({'method': method, 'url': prepared.url, 'headers': headers, 'body': body}))

for token in (None, 'IQoJb3JpZ2lu/+=='):
    keys = Credentials('AKIDEXAMPLE', sys.argv[2], token)
    for url in ('http://127.0.0.1:4566/', 'http://localhost/', 'https://codebuild.eu-west-1.amazonaws.com/',
                'http://127.0.0.1:4566/a%20b/../c//d%2Fe/'):
        for body in ('', '{"projectName":"caf\u00e9"}'):
            emit(auth.SigV4Auth(keys, 'codebuild', 'eu-west-1'), 'POST', url, {
                'Content-Type': 'application/x-amz-json-1.1',
                'X-Amz-Target': 'CodeBuild_20161006.StartBuild',
                'X-Spaces': '  a   b  ',
            }, body)
    query = 'http://127.0.0.1:4566/?Action=GetCallerIdentity&Version=2011-06-15&b=%20x&b=%2B&B=~'
    emit(auth.SigV4Auth(keys, 'sts', 'eu-west-1'), 'GET', query, {}, '')
    emit(auth.SigV4QueryAuth(keys, 'sts', 'eu-west-1', expires=60), 'GET', query, {}, '')
    emit(auth.S3SigV4QueryAuth(keys, 's3', 'eu-west-1', expires=60), 'GET',
         'http://127.0.0.1:4566/bucket/a%20b%2B/../%C3%A9', {}, '')
    emit(auth.S3SigV4Auth(keys, 's3', 'eu-west-1'), 'PUT',
         'http://127.0.0.1:4566/bucket/a%20b%2B//%C3%A9', {}, 'body')
"#;

#[derive(Deserialize)]
struct Line {
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    body: String,
}

#[test]
fn requests_that_botocore_signed_verify() {
    let run = Command::new("python3").args(["-c", SCRIPT, &NOW.to_string(), SECRET]).output();
    let output = match run {
        Ok(output) if output.status.success() => output,
        Ok(output) if String::from_utf8_lossy(&output.stderr).contains("No module named") => {
            println!("skipped: Python has no botocore");
            return;
        }
        Ok(output) => panic!("{}", String::from_utf8_lossy(&output.stderr)),
        Err(error) => {
            println!("skipped: there is no python3 ({error})");
            return;
        }
    };
    let mut verified = 0;
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let Line { method, url, headers, body } = serde_json::from_str(line).unwrap();
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let parts = request(&method, &url, &headers);
        let signature = Signature::parse(&parts).unwrap().unwrap();
        let verify = |payload| signature.verify(SECRET, &parts, payload, NOW);
        assert_eq!(verify(Payload::of(body.as_bytes())), Ok(()), "{line}");
        let tampered = verify(Payload::of(b"tampered"));
        let is_open = signature.service == "s3" && signature.expires_seconds.is_some();
        let expected = if is_open { Ok(()) } else { Err(AuthError::Mismatch) };
        assert_eq!(tampered, expected, "{line}");
        verified += 1;
    }
    assert_eq!(verified, 24);
}
