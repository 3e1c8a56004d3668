//! Requests that are damaged at random: for a second with every run, and for as long as wanted with
//! `WIRE_FUZZ_SECONDS=3600 cargo nextest run -p wire mutations`.
//!
//! Each run has inputs of its own; one that makes something panic, or slow, is printed whole.

use crate::query::Form;
use crate::sigv4::{Payload, Signature};
use crate::{codebuild, json, logs, secretsmanager, ssm};
use http::Request;
use std::panic::catch_unwind;
use std::time::{Duration, Instant, SystemTime};

/// How long each run is when nobody says so.
const SECONDS_DEFAULT: u64 = 1;
/// How long one input may take.
const INPUT_MAX: Duration = Duration::from_secs(2);

const SIGNED: &[&str] = &[
    "POST / HTTP/1.1\nhost: 127.0.0.1:4566\nx-amz-date: 20260101T000000Z\nx-amz-security-token: t\n\
     authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/us-east-1/codebuild/aws4_request, \
     SignedHeaders=host;x-amz-date, Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
    "GET /bucket/a%20b?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKID%2F20260101%2Fus-east-1%2Fs3%2F\
     aws4_request&X-Amz-Date=20260101T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=00 \
     HTTP/1.1\nhost: x\ndate: Thu, 01 Jan 2026 00:00:00 GMT",
];
const BODIES: &[&str] = &[
    r#"{"name":"demo","source":{"type":"S3","location":"a/b"},"artifacts":{"type":"NO_ARTIFACTS"},"environment":{"type":"LINUX_CONTAINER","image":"host","computeType":"BUILD_GENERAL1_SMALL","environmentVariables":[{"name":"A","value":"é\ud83d\ude00"}]},"serviceRole":"arn:aws:iam::000000000000:role/b","timeoutInMinutes":60,"tags":[{"key":"a","value":"b"}]}"#,
    r#"{"logGroupName":"g","logStreamName":"s","logEvents":[{"timestamp":1700000000000.5,"message":"x"}],"startFromHead":true,"limit":1e2}"#,
    r#"{"SecretId":"a","SecretBinary":"AAEC","ClientRequestToken":"00000000-0000-4000-8000-000000000001"}"#,
    "Action=AssumeRole&RoleArn=a&RoleSessionName=b&Tags.member.1.Key=k&Tags.member.1.Value=%c3%a9&Version=2011-06-15",
];
const PIECES: &[&str] = &[
    "",
    "\0",
    "\u{7f}",
    "é",
    "%",
    "%0",
    "%zz",
    "=",
    "&",
    "=,",
    ";;",
    "/",
    "null",
    "[",
    "]",
    "{",
    "}",
    "\"",
    "\\u",
    "\\ud800",
    "1e999",
    "-0",
    "99999999999999999999",
    "20261301T000000Z",
    "member.0",
    "member.4294967296",
    ".1.",
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
];

/// Numbers that look random: Marsaglia's xorshift.
struct Dice(u64);

impl Dice {
    fn new() -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        Self(u64::from(now.subsec_nanos()) << 20 | 1)
    }

    fn below(&mut self, count: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % count.max(1) as u64).unwrap()
    }

    /// The bytes with a few of them changed, taken out, put in, or doubled.
    fn damaged(&mut self, text: &str) -> Vec<u8> {
        let mut bytes = text.as_bytes().to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len() + 1);
            let end = (at + self.below(12)).min(bytes.len());
            match self.below(4) {
                0 => drop(bytes.splice(at..at, PIECES[self.below(PIECES.len())].bytes())),
                1 => drop(bytes.drain(at..end)),
                2 => {
                    let twice = bytes[at..end].to_vec();
                    bytes.splice(at..at, twice);
                }
                _ if at < bytes.len() => bytes[at] = u8::try_from(self.below(256)).unwrap(),
                _ => {}
            }
        }
        bytes
    }
}

fn for_a_while(seeds: &[&str], take: impl Fn(&[u8]) + std::panic::RefUnwindSafe) {
    let seconds = std::env::var("WIRE_FUZZ_SECONDS").ok();
    let seconds = seconds.map_or(SECONDS_DEFAULT, |seconds| seconds.parse().unwrap());
    let (mut dice, until) = (Dice::new(), Instant::now() + Duration::from_secs(seconds));
    while Instant::now() < until {
        let seed = seeds[dice.below(seeds.len())];
        let bytes = dice.damaged(seed);
        let start = Instant::now();
        let kept = catch_unwind(|| take(&bytes)).is_ok() && start.elapsed() < INPUT_MAX;
        assert!(kept, "it panics, or is slow, for {:?}", String::from_utf8_lossy(&bytes));
    }
}

/// The request of a text: its first line, then a header on each.
fn request(bytes: &[u8]) -> Option<http::request::Parts> {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let mut words = lines.next()?.split(|byte| *byte == b' ');
    let mut request = Request::builder().method(words.next()?).uri(words.next()?);
    for line in lines {
        let at = line.iter().position(|byte| *byte == b':')?;
        request = request.header(&line[..at], line[at + 1..].trim_ascii());
    }
    request.body(()).ok().map(|request| request.into_parts().0)
}

#[test]
fn no_damaged_signature_makes_it_panic_or_is_taken() {
    for_a_while(SIGNED, |bytes| {
        let Some(parts) = request(bytes) else { return };
        if let Ok(Some(signature)) = Signature::parse(&parts) {
            let verified =
                signature.verify("wJalrXUtnFEMI", &parts, Payload::of(b""), 1_767_225_600);
            assert!(verified.is_err(), "nobody signed this");
        }
    });
}

#[test]
fn no_damaged_body_makes_it_panic_or_slow() {
    for_a_while(BODIES, |bytes| {
        let _ = json::request::<codebuild::CreateProjectInput>(&codebuild::SERVICE, bytes);
        let _ = json::request::<logs::PutLogEventsRequest>(&logs::SERVICE, bytes);
        let _ =
            json::request::<secretsmanager::PutSecretValueRequest>(&secretsmanager::SERVICE, bytes);
        let _ = json::request::<ssm::PutParameterRequest>(&ssm::SERVICE, bytes);
        let form = Form::parse(bytes);
        let _ = (form.action(), form.get("Tags.member.1.Key"));
    });
}
