//! Signature version 4 of a JSON request: a POST to the root path with a body. Pure.

use crate::calendar;
use agent_protocol::{Credentials, Timestamp};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// What is signed.
pub(super) struct ToSign<'a> {
    /// The authority of the URL.
    pub(super) host: &'a str,
    /// The service's name in the signature's scope.
    pub(super) service: &'a str,
    /// The region.
    pub(super) region: &'a str,
    /// The headers that are signed beside those of the signature itself: names in small letters.
    pub(super) headers: &'a [(&'a str, &'a str)],
    /// The body.
    pub(super) body: &'a [u8],
}

/// The headers that a request needs to be taken for signed.
pub(super) fn sign(
    request: &ToSign<'_>,
    credentials: &Credentials,
    at: Timestamp,
) -> [(&'static str, String); 3] {
    let moment = moment(at);
    let date = &moment[..8];
    let mut headers: Vec<(&str, &str)> = request.headers.to_vec();
    headers.extend([
        ("host", request.host),
        ("x-amz-date", moment.as_str()),
        ("x-amz-security-token", credentials.session_token.as_str()),
    ]);
    headers.sort_unstable();
    let lines: String =
        headers.iter().map(|(name, value)| format!("{name}:{}\n", value.trim())).collect();
    let names = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
    let canonical = format!("POST\n/\n\n{lines}\n{names}\n{}", digest(request.body));
    let scope = format!("{date}/{}/{}/aws4_request", request.region, request.service);
    let text = format!("{ALGORITHM}\n{moment}\n{scope}\n{}", digest(canonical.as_bytes()));
    let secret = format!("AWS4{}", credentials.secret_access_key);
    let key = [date, request.region, request.service, "aws4_request"]
        .iter()
        .fold(secret.into_bytes(), |key, part| mac(&key, part));
    let authorization = format!(
        "{ALGORITHM} Credential={}/{scope}, SignedHeaders={names}, Signature={}",
        credentials.access_key_id,
        hex::encode(mac(&key, &text)),
    );
    [
        ("authorization", authorization),
        ("x-amz-date", moment),
        ("x-amz-security-token", credentials.session_token.clone()),
    ]
}

/// A moment such as `20150830T123600Z`.
fn moment(at: Timestamp) -> String {
    let seconds = at.micros() / 1_000_000;
    let (year, month, day) = calendar::date(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length is a key");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::{ToSign, sign};
    use agent_protocol::{Credentials, Timestamp};

    /// Computed by botocore 1.43.11 for the same request at the same moment.
    #[test]
    fn a_signature_is_the_one_that_botocore_makes() {
        let credentials = Credentials {
            access_key_id: "ASIAIOSFODNN7EXAMPLE".to_owned(),
            secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned(),
            session_token: "the-token".to_owned(),
        };
        let request = ToSign {
            host: "127.0.0.1:4566",
            service: "secretsmanager",
            region: "eu-central-1",
            headers: &[
                ("content-type", "application/x-amz-json-1.1"),
                ("x-amz-target", "secretsmanager.GetSecretValue"),
            ],
            body: br#"{"SecretId":"db"}"#,
        };
        let [(_, authorization), (_, date), _] =
            sign(&request, &credentials, Timestamp::from_millis(1_440_938_160_000));
        assert_eq!(date, "20150830T123600Z");
        assert_eq!(
            authorization,
            "AWS4-HMAC-SHA256 Credential=ASIAIOSFODNN7EXAMPLE/20150830/eu-central-1/secretsmanager/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target, \
             Signature=b78f8a274753b73a6e09136cc3485908311be11dfccf28aac8883770e61793fd"
        );
    }
}
