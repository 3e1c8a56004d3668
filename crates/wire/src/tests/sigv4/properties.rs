//! Requests that AWS's own signer for Rust signed.

use super::{NOW, SECRET, request};
use crate::sigv4::{AuthError, Payload, Signature};
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign,
};
use aws_sigv4::sign::v4::SigningParams;
use http::request::Parts;
use proptest::prelude::{Strategy, any, prop, prop_assert_eq, proptest};
use std::time::{Duration, UNIX_EPOCH};

/// A request to sign.
#[derive(Clone, Debug)]
struct Case {
    method: &'static str,
    path: String,
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    token: Option<String>,
}

fn case() -> impl Strategy<Value = Case> {
    let method = prop::sample::select(vec!["GET", "POST", "PUT", "DELETE"]);
    let path = "(/([a-zA-Z0-9._~!$&'()*+,;=:@-]|%[2-7][0-9A-F]){0,6}){1,4}";
    let text = "([a-zA-Z0-9._~ /+:-]|é|&|=|%){0,6}";
    let value = "([!-~]{1,5}( {0,3}[!-~]{1,5}){0,3})";
    (
        method,
        path,
        prop::collection::vec((text, text), 0..4),
        prop::collection::vec(("x-[a-c]", value), 0..5),
        prop::collection::vec(any::<u8>(), 0..20),
        prop::option::of("[A-Za-z0-9/+=]{1,40}"),
    )
        .prop_map(|(method, path, query, headers, body, token)| Case {
            method,
            path,
            query,
            headers,
            body,
            token,
        })
}

impl Case {
    fn uri(&self) -> String {
        let encode = |text: &String| {
            percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC)
                .to_string()
        };
        let pairs = self.query.iter().map(|(n, v)| format!("{}={}", encode(n), encode(v)));
        let query: Vec<String> = pairs.collect();
        let mark = if query.is_empty() { "" } else { "?" };
        format!("http://127.0.0.1:4566{}{mark}{}", self.path, query.join("&"))
    }

    /// The request as their signer leaves it.
    fn signed(&self, location: SignatureLocation) -> Parts {
        let mut settings = SigningSettings::default();
        settings.signature_location = location;
        settings.expires_in =
            (location == SignatureLocation::QueryParams).then_some(Duration::from_secs(60));
        let identity = Credentials::new("AKIDEXAMPLE", SECRET, self.token.clone(), None, "test");
        let identity = identity.into();
        let params = SigningParams::builder()
            .identity(&identity)
            .region("eu-west-1")
            .name("codebuild")
            .time(UNIX_EPOCH + Duration::from_secs(NOW.unsigned_abs()))
            .settings(settings)
            .build()
            .unwrap()
            .into();
        let headers = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let uri = self.uri();
        let body = SignableBody::Bytes(&self.body);
        let signable = SignableRequest::new(self.method, &uri, headers, body).unwrap();
        let (instructions, _) = sign(signable, &params).unwrap().into_parts();
        let headers: Vec<(&str, &str)> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let parts = request(self.method, &uri, &headers);
        let mut unsigned = http::Request::from_parts(parts, ());
        instructions.apply_to_request_http1x(&mut unsigned);
        unsigned.into_parts().0
    }
}

fn verify(parts: &Parts, body: &[u8], now: i64) -> Result<(), AuthError> {
    let signature = Signature::parse(parts)?.expect("the request is signed");
    signature.verify(SECRET, parts, Payload::of(body), now)
}

proptest! {
    #[test]
    fn their_header_signatures_verify(case in case()) {
        let parts = case.signed(SignatureLocation::Headers);
        let signature = Signature::parse(&parts).unwrap().unwrap();
        prop_assert_eq!(&signature.session_token, &case.token);
        prop_assert_eq!(verify(&parts, &case.body, NOW), Ok(()));
        let longer = [case.body, vec![0]].concat();
        prop_assert_eq!(verify(&parts, &longer, NOW), Err(AuthError::Mismatch));
    }

    #[test]
    fn their_presigned_requests_verify_until_they_expire(case in case()) {
        let parts = case.signed(SignatureLocation::QueryParams);
        let signature = Signature::parse(&parts).unwrap().unwrap();
        prop_assert_eq!(&signature.session_token, &case.token);
        prop_assert_eq!(signature.expires_seconds, Some(60));
        prop_assert_eq!(verify(&parts, &case.body, NOW + 60), Ok(()));
        let late = verify(&parts, &case.body, NOW + 61);
        prop_assert_eq!(late, Err(AuthError::Invalid(
            "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z \
             (20150830T123701Z - 1 min.)".to_owned()
        )));
    }

    #[test]
    fn no_header_brings_parsing_down(value in "(AWS4-HMAC-SHA256 )?[ -~]{0,80}") {
        let parts = request("GET", "/", &[("authorization", &value)]);
        let _ = Signature::parse(&parts);
    }

    #[test]
    fn no_query_brings_parsing_down(
        pairs in prop::collection::vec(("X-Amz-(Date|Expires|Credential|Signature)", "[0-9A-Z%/]{0,20}"), 0..5)
    ) {
        let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let uri = format!("/?X-Amz-Algorithm=AWS4-HMAC-SHA256&{}", pairs.join("&"));
        let _ = Signature::parse(&request("GET", &uri, &[]));
    }
}
