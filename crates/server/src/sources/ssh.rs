//! The operator's key for Git hosts of ssh. It stays in the service, which signs for builds that
//! fetch their sources, as an agent of ssh does.

use ssh_key::{Algorithm, PrivateKey};
use std::{
    fmt, fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};
use thiserror::Error;

/// Numbers of messages to and from an agent of ssh.
const FAILURE: u8 = 5;
const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES_ANSWER: u8 = 12;
const SIGN_REQUEST: u8 = 13;
const SIGN_RESPONSE: u8 = 14;

/// What builds need for hosts of ssh.
pub struct Ssh {
    key: PrivateKey,
    public: Vec<u8>,
    /// The keys that hosts show, as in a `known_hosts` file.
    pub known_hosts: String,
}

impl fmt::Debug for Ssh {
    /// Keeps the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ssh").field("known_hosts", &self.known_hosts).finish_non_exhaustive()
    }
}

/// Why there is nothing for hosts of ssh.
#[derive(Debug, Error)]
pub enum SshError {
    /// A file cannot be read.
    #[error("read {file}")]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others than the key's owner can read it.
    #[error("use {file}, which others can read: its mode must be 0600")]
    Open {
        /// The file.
        file: PathBuf,
    },
    /// It is not a key.
    #[error("read the key in {file}")]
    Key {
        /// The file.
        file: PathBuf,
        /// Why.
        source: ssh_key::Error,
    },
    /// It is a key of a kind that cannot be used, or locked.
    #[error("use the key in {file}: it must be an Ed25519 key without a passphrase")]
    Kind {
        /// The file.
        file: PathBuf,
    },
}

impl Ssh {
    /// Reads the key and the list of hosts.
    pub fn read(key_file: &Path, known_hosts_file: &Path) -> Result<Self, SshError> {
        let read = |file: &Path| {
            fs::read_to_string(file)
                .map_err(|source| SshError::Read { file: file.to_owned(), source })
        };
        let file = key_file.to_owned();
        let mode = fs::metadata(key_file).map(|found| found.mode());
        let mode = mode.map_err(|source| SshError::Read { file: file.clone(), source })?;
        if mode & 0o077 != 0 {
            return Err(SshError::Open { file });
        }
        let key = match PrivateKey::from_openssh(read(key_file)?) {
            Ok(key) => key,
            Err(source) => return Err(SshError::Key { file, source }),
        };
        if key.is_encrypted() || key.algorithm() != Algorithm::Ed25519 {
            return Err(SshError::Kind { file });
        }
        match key.public_key().to_bytes() {
            Ok(public) => Ok(Self { key, public, known_hosts: read(known_hosts_file)? }),
            Err(source) => Err(SshError::Key { file, source }),
        }
    }

    /// Answers one message to an agent of ssh; both are without their length.
    pub fn answer(&self, message: &[u8]) -> Vec<u8> {
        let answer = match message.split_first() {
            Some((&REQUEST_IDENTITIES, _)) => Some(self.identities()),
            Some((&SIGN_REQUEST, rest)) => self.sign(rest),
            Some(_) | None => None,
        };
        answer.unwrap_or_else(|| vec![FAILURE])
    }

    fn identities(&self) -> Vec<u8> {
        let mut answer = vec![IDENTITIES_ANSWER];
        answer.extend(1u32.to_be_bytes());
        put(&mut answer, &self.public);
        put(&mut answer, b"buildyard");
        answer
    }

    fn sign(&self, request: &[u8]) -> Option<Vec<u8>> {
        let (public, rest) = take(request)?;
        let (data, _flags) = take(rest)?;
        if public != self.public {
            return None;
        }
        let signature = signature::Signer::try_sign(&self.key, data).ok()?;
        let signature: ssh_key::Signature = signature;
        let mut signed = Vec::new();
        put(&mut signed, signature.algorithm().as_str().as_bytes());
        put(&mut signed, signature.as_bytes());
        let mut answer = vec![SIGN_RESPONSE];
        put(&mut answer, &signed);
        Some(answer)
    }
}

/// Appends bytes behind their length.
fn put(to: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).expect("keys and signatures are short");
    to.extend(length.to_be_bytes());
    to.extend(bytes);
}

/// Takes bytes behind their length, and gives what follows.
fn take(from: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = from.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_be_bytes(*length) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{os::unix::fs::PermissionsExt, process::Command};

    fn make(folder: &Path, kind: &str) -> PathBuf {
        let file = folder.join(kind);
        let made = Command::new("ssh-keygen")
            .args(["-q", "-N", "", "-t", kind, "-f"])
            .arg(&file)
            .status()
            .expect("ssh-keygen runs");
        assert!(made.success());
        file
    }

    #[test]
    fn the_key_signs_and_is_not_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = make(folder.path(), "ed25519");
        fs::write(folder.path().join("hosts"), "host ssh-ed25519 AAAA\n").unwrap();
        let ssh = Ssh::read(&file, &folder.path().join("hosts")).unwrap();
        let identities = ssh.answer(&[REQUEST_IDENTITIES]);
        let (public, rest) = take(&identities[5..]).unwrap();
        assert_eq!((identities[0], take(rest).unwrap().0), (IDENTITIES_ANSWER, &b"buildyard"[..]));
        let mut request = vec![SIGN_REQUEST];
        put(&mut request, public);
        put(&mut request, b"data");
        request.extend([0; 4]);
        let answer = ssh.answer(&request);
        assert_eq!(answer[0], SIGN_RESPONSE);
        let (signature, _) = take(&answer[1..]).unwrap();
        let signature = ssh_key::Signature::try_from(signature).unwrap();
        signature::Verifier::verify(ssh.key.public_key(), b"data", &signature).unwrap();
        let shown = format!("{ssh:?}");
        assert!(!shown.contains("PRIVATE") && !shown.contains("key:"), "{shown}");
        request[5] ^= 1;
        for message in [&request[..], &request[..9], &[REQUEST_IDENTITIES + 16], &[]] {
            assert_eq!(ssh.answer(message), [FAILURE]);
        }
    }

    #[test]
    fn a_key_that_cannot_be_used_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let hosts = folder.path().join("hosts");
        fs::write(&hosts, "").unwrap();
        let file = make(folder.path(), "ed25519");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(Ssh::read(&file, &hosts), Err(SshError::Open { .. })));
        let other = make(folder.path(), "ecdsa");
        let kind = Ssh::read(&other, &hosts);
        assert!(matches!(kind, Err(SshError::Kind { .. } | SshError::Key { .. })), "{kind:?}");
        fs::write(&other, "no key").unwrap();
        assert!(matches!(Ssh::read(&other, &hosts), Err(SshError::Key { .. })));
        let none = folder.path().join("none");
        assert!(matches!(Ssh::read(&none, &hosts), Err(SshError::Read { .. })));
    }
}
