//! Compares a signature with the one that the secret gives.

use super::canonical::{self, Scope};
use super::error::AuthError;
use super::parse::Signature;
use super::{key, moment};
use http::header::HOST;
use http::request::Parts;
use subtle::ConstantTimeEq as _;

/// How far the clocks may be apart, in seconds.
const SKEW_SECONDS_MAX: i64 = 15 * 60;

const CONTENT_SHA256: &str = "x-amz-content-sha256";
const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

/// What need not be signed: the token is compared with the key's own, the other has no effect.
const MAY_BE_OPEN: [&str; 2] = ["x-amz-security-token", "x-amz-user-agent"];

/// What is known of a request's body when its signature is verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    /// The SHA-256 of the body as it arrived.
    Hash([u8; 32]),
    /// The body has not been read. The signature then covers what the request declares, and it is
    /// the caller who has to check the body against the `x-amz-content-sha256` header.
    Declared,
}

impl Payload {
    /// The payload of a body that is at hand.
    pub fn of(body: &[u8]) -> Self {
        Self::Hash(key::sha256(body))
    }
}

impl Signature {
    /// Verifies that the holder of `secret` signed this very request, and that it did so lately.
    ///
    /// `now` is in seconds since the epoch. Whether the signature's Region and service are the
    /// right ones, and whether its session token is the key's, is for the caller to check.
    pub fn verify(
        &self,
        secret: &str,
        parts: &Parts,
        payload: Payload,
        now: i64,
    ) -> Result<(), AuthError> {
        self.is_current(now)?;
        self.covers(parts)?;
        let payload = self.payload(parts, payload)?;
        let scope = Scope { date: &self.date, region: &self.region, service: &self.service };
        let headers = &self.signed_headers;
        let text = canonical::string_to_sign(parts, headers, &payload, &self.timestamp, scope);
        let right = key::signature(secret, (scope.date, scope.region, scope.service), &text);
        let given = hex::decode(&self.signature).map_err(|_| AuthError::Mismatch)?;
        if bool::from(right.ct_eq(given.as_slice())) { Ok(()) } else { Err(AuthError::Mismatch) }
    }

    fn is_current(&self, now: i64) -> Result<(), AuthError> {
        let signed = &self.timestamp;
        let life = self.expires_seconds.unwrap_or(SKEW_SECONDS_MAX);
        let basic = moment::to_basic;
        if now.saturating_sub(self.signed_at) > life {
            let earliest = basic(now.saturating_sub(life));
            return Err(AuthError::Invalid(format!(
                "Signature expired: {signed} is now earlier than {earliest} ({} - {}.)",
                basic(now),
                minutes(life),
            )));
        }
        if self.signed_at.saturating_sub(now) > SKEW_SECONDS_MAX {
            let latest = basic(now.saturating_add(SKEW_SECONDS_MAX));
            return Err(AuthError::Invalid(format!(
                "Signature not yet current: {signed} is still later than {latest} ({} + {}.)",
                basic(now),
                minutes(SKEW_SECONDS_MAX),
            )));
        }
        Ok(())
    }

    /// Everything that decides what a request means has to be signed.
    fn covers(&self, parts: &Parts) -> Result<(), AuthError> {
        let signed = |name: &str| self.signed_headers.iter().any(|header| header == name);
        if !signed(HOST.as_str()) {
            return Err(AuthError::Invalid(
                "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."
                    .to_owned(),
            ));
        }
        let open = parts.headers.keys().map(http::HeaderName::as_str).find(|name| {
            name.starts_with("x-amz-") && !MAY_BE_OPEN.contains(name) && !signed(name)
        });
        match open {
            None => Ok(()),
            Some(name) => Err(AuthError::Invalid(format!(
                "There were headers present in the request which were not signed: {name}"
            ))),
        }
    }

    /// What stands for the body in the canonical request.
    fn payload(&self, parts: &Parts, payload: Payload) -> Result<String, AuthError> {
        let declared = parts.headers.get(CONTENT_SHA256);
        let declared = declared.map(|value| value.to_str().unwrap_or_default());
        let is_s3 = self.service == "s3";
        match (payload, declared) {
            (Payload::Hash(hash), Some(declared)) => {
                let hash = hex::encode(hash);
                let unsigned = is_s3 && declared == UNSIGNED_PAYLOAD;
                if unsigned || declared.eq_ignore_ascii_case(&hash) {
                    Ok(declared.to_owned())
                } else {
                    Err(AuthError::Mismatch)
                }
            }
            (Payload::Hash(_) | Payload::Declared, None) if is_s3 && self.presigned => {
                Ok(UNSIGNED_PAYLOAD.to_owned())
            }
            (Payload::Hash(hash), None) => Ok(hex::encode(hash)),
            (Payload::Declared, Some(declared)) => Ok(declared.to_owned()),
            (Payload::Declared, None) => Err(AuthError::Incomplete(format!(
                "Missing required header for this request: {CONTENT_SHA256}"
            ))),
        }
    }
}

fn minutes(seconds: i64) -> String {
    if seconds % 60 == 0 { format!("{} min", seconds / 60) } else { format!("{seconds} sec") }
}
