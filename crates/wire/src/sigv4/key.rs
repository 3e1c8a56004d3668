//! Keys and digests.
//!
//! A signing key costs four HMACs over a few bytes, about two microseconds; that is less than a
//! shared cache would, and leaves no derived secrets in memory.

use super::TERMINATOR;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// HMAC-SHA256.
fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(message);
    mac.finalize().into_bytes().into()
}

/// The signature of `string_to_sign` with the key of that secret, day, Region and service.
pub(super) fn signature(
    secret: &str,
    (date, region, service): (&str, &str, &str),
    string_to_sign: &str,
) -> [u8; 32] {
    let mut key = hmac(format!("AWS4{secret}").as_bytes(), date.as_bytes());
    for part in [region, service, TERMINATOR] {
        key = hmac(&key, part.as_bytes());
    }
    hmac(&key, string_to_sign.as_bytes())
}

/// SHA-256.
pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}
