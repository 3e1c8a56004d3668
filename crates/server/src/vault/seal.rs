//! Sealing: authenticated encryption of a value for one place. Knows nothing of files or records.
//!
//! The text of a sealed value is `1:<key id>:<base64 of nonce and ciphertext>`. The number is the
//! form's version: XChaCha20-Poly1305 with a random nonce of 24 bytes, and the place as associated
//! data, so that a value which is moved to another place does not open there.

use base64::{Engine, engine::general_purpose::STANDARD};
use chacha20poly1305::{
    Key, KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use sha2::{Digest, Sha256};
use std::fmt;
use thiserror::Error;

const VERSION: &str = "1";
const NONCE_BYTES: usize = 24;

/// How long a key is.
pub(super) const KEY_BYTES: usize = 32;

/// A key that values are sealed under.
pub(super) struct SealingKey {
    cipher: XChaCha20Poly1305,
    id: String,
}

/// Where a value belongs, from the outside in, such as account, region, name and version.
pub(super) type Place<'a> = &'a [&'a str];

/// Why a value does not open.
#[derive(Debug, Error, PartialEq, Eq)]
pub(super) enum OpenError {
    /// It was sealed under another key.
    #[error("the value is sealed under the key {0}")]
    OtherKey(String),
    /// It is not what was sealed for this place.
    #[error("the sealed value is not what was kept here")]
    Broken,
}

impl SealingKey {
    /// The key of these bytes.
    pub(super) fn new(bytes: &[u8; KEY_BYTES]) -> Self {
        let digest = Sha256::new().chain_update(b"buildyard key id").chain_update(bytes).finalize();
        Self { cipher: XChaCha20Poly1305::new(&Key::from(*bytes)), id: hex::encode(&digest[..4]) }
    }

    /// A name of the key that says nothing of it.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Seals a value for a place.
    pub(super) fn seal(&self, place: Place<'_>, value: &[u8]) -> Result<String, getrandom::Error> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce)?;
        let payload = Payload { msg: value, aad: &associated(place) };
        let sealed = self
            .cipher
            .encrypt(&XNonce::from(nonce), payload)
            .expect("a value is far shorter than what the cipher can take");
        let body = [nonce.as_slice(), &sealed].concat();
        Ok(format!("{VERSION}:{}:{}", self.id, STANDARD.encode(body)))
    }

    /// Opens what [`SealingKey::seal`] made for the same place.
    pub(super) fn open(&self, place: Place<'_>, sealed: &str) -> Result<Vec<u8>, OpenError> {
        let mut parts = sealed.splitn(3, ':');
        let (Some(VERSION), Some(id), Some(body)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(OpenError::Broken);
        };
        if id != self.id {
            return Err(OpenError::OtherKey(id.to_owned()));
        }
        let body = STANDARD.decode(body).map_err(|_| OpenError::Broken)?;
        let (nonce, message) = body.split_first_chunk::<NONCE_BYTES>().ok_or(OpenError::Broken)?;
        let payload = Payload { msg: message, aad: &associated(place) };
        self.cipher.decrypt(&XNonce::from(*nonce), payload).map_err(|_| OpenError::Broken)
    }
}

impl fmt::Debug for SealingKey {
    /// Shows which key it is and keeps the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealingKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The place as bytes; no two places have the same.
fn associated(place: Place<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in place {
        bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::{OpenError, SealingKey};

    const PLACE: &[&str] = &["secret", "us-east-1", "db"];

    #[test]
    fn a_value_opens_where_it_was_sealed_and_nowhere_else() {
        let key = SealingKey::new(&[7; 32]);
        let sealed = key.seal(PLACE, b"hunter2").unwrap();
        assert!(!sealed.contains("hunter2"));
        assert_eq!(key.open(PLACE, &sealed).unwrap(), b"hunter2");
        for place in [&["secret", "us-east-1", "dc"][..], &["secretus-east-1", "db"], &[]] {
            assert_eq!(key.open(place, &sealed), Err(OpenError::Broken), "{place:?}");
        }
        assert_ne!(sealed, key.seal(PLACE, b"hunter2").unwrap(), "each has a nonce of its own");
    }

    #[test]
    fn a_changed_byte_anywhere_is_noticed() {
        let key = SealingKey::new(&[7; 32]);
        let sealed = key.seal(PLACE, b"hunter2").unwrap();
        for at in 0..sealed.len() {
            let mut changed = sealed.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(key.open(PLACE, &changed).is_err(), "{changed}");
        }
        assert_eq!(key.open(PLACE, ""), Err(OpenError::Broken));
    }

    #[test]
    fn another_key_is_told_by_its_id() {
        let (one, two) = (SealingKey::new(&[7; 32]), SealingKey::new(&[8; 32]));
        let sealed = one.seal(PLACE, b"hunter2").unwrap();
        assert_eq!(two.open(PLACE, &sealed), Err(OpenError::OtherKey(one.id().to_owned())));
    }
}
