//! Who is asking: the root user's keys, the credentials of builds, and what each may do.
//!
//! A build's credentials are made from the service's master key and checked with it, so they need
//! no storage and hold over a restart. They end with the build.

use crate::{
    clock, permission,
    s3::{Access, BadKey},
};
use agent_protocol::{Credentials, Timestamp};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use std::{
    collections::HashSet,
    fs::OpenOptions,
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    sync::{Arc, PoisonError, RwLock},
};
use thiserror::Error;

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The root user's keys.
#[derive(Clone)]
pub struct RootKeys {
    /// The access key's id.
    pub access_key_id: String,
    /// The secret.
    pub secret_access_key: String,
}

/// Makes and checks credentials.
#[derive(Clone)]
pub struct Identity {
    root: RootKeys,
    master: [u8; 32],
    /// The ARNs of the builds that are under way: the credentials of others are worth nothing.
    sessions: Arc<RwLock<HashSet<String>>>,
}

/// What a session's token says, and the service has signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The access key that the token belongs to.
    pub access_key_id: String,
    /// The build's ARN.
    pub build_arn: String,
    /// The session's own ARN, which GetCallerIdentity gives.
    pub session_arn: String,
    /// The region that the build belongs to.
    pub region: String,
    /// When the credentials end, in seconds since the epoch.
    pub expires_at: u64,
}

/// Why a session's token is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TokenError {
    /// It was not made here, or belongs to another key.
    #[error("the session token is not valid")]
    Invalid,
    /// Its time is over.
    #[error("the session token has expired")]
    Expired,
}

impl Identity {
    /// Reads the keys from the data folder, and makes them when it has none.
    ///
    /// Root keys given by the environment take the place of the kept ones and are not written.
    pub fn open(data_dir: &Path, given: Option<RootKeys>) -> io::Result<Self> {
        let master = kept(&data_dir.join("master.key"), || Ok(hex::encode(random::<32>()?)))?;
        let mut key = [0; 32];
        hex::decode_to_slice(master.trim(), &mut key)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        let root = match given {
            Some(root) => root,
            None => kept_root(data_dir)?,
        };
        Ok(Self { root, master: key, sessions: Arc::default() })
    }

    /// The root user's keys.
    pub fn root(&self) -> &RootKeys {
        &self.root
    }

    /// The secret that belongs to an access key; none for a key that is nobody's.
    ///
    /// For a session's key this says nothing of its being valid: see [`Identity::check`].
    pub fn secret_of(&self, access_key_id: &str) -> Option<String> {
        if access_key_id == self.root.access_key_id {
            return Some(self.root.secret_access_key.clone());
        }
        is_session_key(access_key_id).then(|| self.session_secret(access_key_id))
    }

    /// Makes the credentials of a build, the same for the same build and expiry.
    pub fn issue(&self, mut claims: Claims) -> Credentials {
        let seed = self.mac(&["id", &claims.build_arn, &claims.expires_at.to_string()]);
        let id: String =
            seed[..16].iter().map(|b| char::from(BASE32[usize::from(b % 32)])).collect();
        claims.access_key_id = format!("ASIA{id}");
        let body = serde_json::to_vec(&claims).expect("claims hold only text and numbers");
        let body = URL_SAFE_NO_PAD.encode(body);
        let signature = URL_SAFE_NO_PAD.encode(self.mac(&["token", &body]));
        Credentials {
            secret_access_key: self.session_secret(&claims.access_key_id),
            session_token: format!("{body}.{signature}"),
            access_key_id: claims.access_key_id,
        }
    }

    /// From now on the build's credentials are good.
    pub fn begin_session(&self, build_arn: String) {
        self.sessions.write().unwrap_or_else(PoisonError::into_inner).insert(build_arn);
    }

    /// From now on the build's credentials are worth nothing.
    pub fn end_session(&self, build_arn: &str) {
        self.sessions.write().unwrap_or_else(PoisonError::into_inner).remove(build_arn);
    }

    /// Says whose a session's token is, if it is valid, belongs to the access key and has not
    /// expired.
    pub fn check(
        &self,
        access_key_id: &str,
        token: &str,
        now: Timestamp,
    ) -> Result<Claims, TokenError> {
        let (body, signature) = token.split_once('.').ok_or(TokenError::Invalid)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| TokenError::Invalid)?;
        // In constant time: a token cannot be found out byte by byte.
        self.keyed(&["token", body]).verify_slice(&signature).map_err(|_| TokenError::Invalid)?;
        let body = URL_SAFE_NO_PAD.decode(body).map_err(|_| TokenError::Invalid)?;
        let claims: Claims = serde_json::from_slice(&body).map_err(|_| TokenError::Invalid)?;
        if claims.access_key_id != access_key_id {
            return Err(TokenError::Invalid);
        }
        let sessions = self.sessions.read().unwrap_or_else(PoisonError::into_inner);
        if now.millis() / 1_000 >= claims.expires_at || !sessions.contains(&claims.build_arn) {
            return Err(TokenError::Expired);
        }
        Ok(claims)
    }

    /// A text of `bytes` × 2 hexadecimal characters that depends on `of` and cannot be guessed.
    pub fn derived(&self, purpose: &str, of: &str, bytes: usize) -> String {
        hex::encode(&self.mac(&[purpose, of])[..bytes.min(32)])
    }

    fn session_secret(&self, access_key_id: &str) -> String {
        URL_SAFE_NO_PAD.encode(&self.mac(&["secret", access_key_id])[..30])
    }

    fn mac(&self, parts: &[&str]) -> [u8; 32] {
        self.keyed(parts).finalize().into_bytes().into()
    }

    fn keyed(&self, parts: &[&str]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.master).expect("any length is a key");
        for part in parts {
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part.as_bytes());
        }
        mac
    }
}

impl Access for Identity {
    fn secret(&self, access_key_id: &str) -> Result<String, BadKey> {
        self.secret_of(access_key_id).ok_or(BadKey::Unknown)
    }

    fn check_token(&self, access_key_id: &str, token: Option<&str>) -> Result<(), BadKey> {
        match (is_session_key(access_key_id), token) {
            (false, None) => Ok(()),
            (true, Some(token)) => match self.check(access_key_id, token, clock::now()) {
                Ok(_) => Ok(()),
                Err(TokenError::Invalid) => Err(BadKey::Token),
                Err(TokenError::Expired) => Err(BadKey::Expired),
            },
            (false, Some(_)) | (true, None) => Err(BadKey::Token),
        }
    }

    fn allows(&self, access_key_id: &str, action: &str, _: Option<&str>, _: Option<&str>) -> bool {
        !is_session_key(access_key_id) || permission::build_may(action)
    }
}

/// Whether an access key is of the kind that needs a session's token.
pub fn is_session_key(access_key_id: &str) -> bool {
    access_key_id.len() == 20 && access_key_id.starts_with("ASIA")
}

fn kept_root(data_dir: &Path) -> io::Result<RootKeys> {
    let text = kept(&data_dir.join("root.keys"), || {
        let id: String =
            random::<16>()?.iter().map(|b| char::from(BASE32[usize::from(b % 32)])).collect();
        let secret = URL_SAFE_NO_PAD.encode(random::<30>()?);
        Ok(format!("AKIA{id}\n{secret}\n"))
    })?;
    let mut lines = text.lines();
    match (lines.next(), lines.next()) {
        (Some(id), Some(secret)) if !id.is_empty() && !secret.is_empty() => {
            Ok(RootKeys { access_key_id: id.into(), secret_access_key: secret.into() })
        }
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "root.keys does not hold two lines")),
    }
}

/// Reads a file that only its owner may read, and makes it when it is not there.
fn kept(path: &Path, make: impl FnOnce() -> io::Result<String>) -> io::Result<String> {
    match std::fs::File::open(path) {
        Ok(mut file) => {
            let mut text = String::new();
            file.read_to_string(&mut text)?;
            Ok(text)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let text = make()?;
            // Whole or not at all: a crash here must not leave half a key.
            let new = path.with_extension("new");
            let mut file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&new)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            std::fs::rename(&new, path)?;
            Ok(text)
        }
        Err(error) => Err(error),
    }
}

fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::{Claims, Identity, TokenError};
    use agent_protocol::Timestamp;
    use std::os::unix::fs::PermissionsExt;

    fn claims(expires_at: u64) -> Claims {
        Claims {
            access_key_id: String::new(),
            build_arn: "arn:aws:codebuild:us-east-1:000000000000:build/demo:1".into(),
            session_arn: "arn:aws:sts::000000000000:assumed-role/r/s".into(),
            region: "us-east-1".into(),
            expires_at,
        }
    }

    #[test]
    fn keys_are_made_once_and_only_their_owner_reads_them() {
        let dir = tempfile::tempdir().unwrap();
        let first = Identity::open(dir.path(), None).unwrap();
        let second = Identity::open(dir.path(), None).unwrap();
        assert_eq!(first.root().secret_access_key, second.root().secret_access_key);
        for file in ["root.keys", "master.key"] {
            let mode = dir.path().join(file).metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{file}");
        }
    }

    #[test]
    fn a_session_is_its_builds_own_and_ends() {
        let dir = tempfile::tempdir().unwrap();
        let identity = Identity::open(dir.path(), None).unwrap();
        let made = identity.issue(claims(100));
        let now = Timestamp::from_millis(99_000);
        let check = || identity.check(&made.access_key_id, &made.session_token, now);
        assert_eq!(check(), Err(TokenError::Expired), "the build has not begun");
        identity.begin_session(claims(0).build_arn);
        assert!(check().is_ok());
        identity.end_session(&claims(0).build_arn);
        assert_eq!(check(), Err(TokenError::Expired), "the build has ended");
        identity.begin_session(claims(0).build_arn);
        let checked = identity.check(&made.access_key_id, &made.session_token, now).unwrap();
        assert_eq!(checked.build_arn, claims(0).build_arn);
        assert_eq!(identity.secret_of(&made.access_key_id), Some(made.secret_access_key));
        let late = Timestamp::from_millis(100_000);
        let expired = identity.check(&made.access_key_id, &made.session_token, late);
        assert_eq!(expired, Err(TokenError::Expired));
    }

    #[test]
    fn a_token_that_was_changed_or_is_anothers_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let identity = Identity::open(dir.path(), None).unwrap();
        let (one, two) = (identity.issue(claims(100)), identity.issue(claims(200)));
        let now = Timestamp::from_millis(0);
        let refused = |id: &str, token: &str| identity.check(id, token, now).is_err();
        assert!(refused(&one.access_key_id, &two.session_token));
        let mut changed = one.session_token.clone().into_bytes();
        changed[5] ^= 1;
        assert!(refused(&one.access_key_id, &String::from_utf8_lossy(&changed)));
        assert!(refused(&one.access_key_id, ""));
        assert_eq!(identity.secret_of("AKIAIOSFODNN7EXAMPLE"), None);
    }
}
