//! Signs requests, for clients of our own.

use super::canonical::{self, Scope};
use super::{ALGORITHM, TERMINATOR, key, moment};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, InvalidHeaderValue};
use http::request::Parts;
use std::fmt;

/// A key to sign with.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The public half.
    pub access_key_id: String,
    /// The secret half.
    pub secret_access_key: String,
    /// The token of a temporary key.
    pub session_token: Option<String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}

/// Signs a request for a service in a Region: sets `host`, `x-amz-date` and the other headers
/// that are signed, and `authorization`.
///
/// `now` is in seconds since the epoch. Fails when a credential cannot stand in a header.
pub fn sign(
    parts: &mut Parts,
    body: &[u8],
    credentials: &Credentials,
    (region, service): (&str, &str),
    now: i64,
) -> Result<(), InvalidHeaderValue> {
    let timestamp = moment::to_basic(now);
    let payload = hex::encode(key::sha256(body));
    parts.headers.remove(AUTHORIZATION);
    if !parts.headers.contains_key(HOST)
        && let Some(authority) = parts.uri.authority()
    {
        parts.headers.insert(HOST, HeaderValue::from_str(authority.as_str())?);
    }
    parts.headers.insert("x-amz-date", HeaderValue::from_str(&timestamp)?);
    if let Some(token) = &credentials.session_token {
        parts.headers.insert("x-amz-security-token", HeaderValue::from_str(token)?);
    }
    if service == "s3" {
        parts.headers.insert("x-amz-content-sha256", HeaderValue::from_str(&payload)?);
    }
    let signed = signed_headers(parts);
    let date = timestamp.get(..8).unwrap_or_default();
    let scope = Scope { date, region, service };
    let text = canonical::string_to_sign(parts, &signed, &payload, &timestamp, scope);
    let signature = key::signature(&credentials.secret_access_key, (date, region, service), &text);
    let authorization = format!(
        "{ALGORITHM} Credential={}/{date}/{region}/{service}/{TERMINATOR}, SignedHeaders={}, \
         Signature={}",
        credentials.access_key_id,
        signed.join(";"),
        hex::encode(signature),
    );
    parts.headers.insert(AUTHORIZATION, HeaderValue::from_str(&authorization)?);
    Ok(())
}

/// What proxies leave alone and the service acts on.
fn signed_headers(parts: &Parts) -> Vec<String> {
    let mut names: Vec<String> = parts
        .headers
        .keys()
        .map(http::HeaderName::as_str)
        .filter(|name| {
            name.starts_with("x-amz-") || *name == HOST.as_str() || *name == CONTENT_TYPE.as_str()
        })
        .map(str::to_owned)
        .collect();
    names.sort();
    names
}
