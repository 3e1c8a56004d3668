//! Digests: the only names that content has by itself.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::{fmt, str::FromStr};

/// How much of a digest is in a layer's folder's name: enough to be unique, and short, since the
/// kernel takes the names of all layers of an image in one page.
const SHORT_DIGITS: usize = 24;

/// A SHA-256: `sha256:` and 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(String);

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self::finished(Sha256::new().chain_update(bytes))
    }

    /// The digest of all that a hash was told.
    pub(super) fn finished(hash: Sha256) -> Self {
        Self(hex::encode(hash.finalize()))
    }

    /// The digits alone.
    pub fn digits(&self) -> &str {
        &self.0
    }

    /// The first digits: a folder's name.
    pub(super) fn short(&self) -> &str {
        &self.0[..SHORT_DIGITS]
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.0)
    }
}

impl FromStr for Digest {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let hexadecimal = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        text.strip_prefix("sha256:")
            .filter(|digits| digits.len() == 64 && digits.bytes().all(hexadecimal))
            .map(|digits| Self(digits.to_owned()))
            .ok_or_else(|| format!("the digest {text:?} is not understood"))
    }
}

impl TryFrom<String> for Digest {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}
