//! Who may pull: a user's name and password, from whoever pulls or from Docker's configuration file.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    fmt, fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// How Docker's file calls its own registry.
const DOCKER_KEYS: [&str; 4] =
    ["https://index.docker.io/v1/", "index.docker.io", "docker.io", "registry-1.docker.io"];

/// What a registry is told of whoever pulls.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// A name and a password.
    Password {
        /// The name.
        username: String,
        /// The password, or a token that is used in its place.
        password: String,
    },
    /// A token that others are got with.
    IdentityToken(String),
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials")
    }
}

/// Docker's configuration file, as `docker login` and `podman login` write it. It is read anew for
/// each pull.
#[derive(Clone, Debug)]
pub(crate) struct DockerConfig(pub(crate) Option<PathBuf>);

#[derive(Default, Deserialize)]
#[serde(default)]
struct File {
    auths: BTreeMap<String, Entry>,
    #[serde(rename = "credHelpers")]
    helpers: BTreeMap<String, String>,
    #[serde(rename = "credsStore")]
    store: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: String,
    username: String,
    password: String,
    identitytoken: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Helped {
    username: String,
    secret: String,
}

impl DockerConfig {
    /// What the file knows of a registry. The error is a sentence about the file.
    pub(crate) fn credentials(&self, registry: &str) -> Result<Option<Credentials>, String> {
        let Some(path) = &self.0 else { return Ok(None) };
        let broken = |error: &dyn fmt::Display| format!("{}: {error}", path.display());
        let file: File = match fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(broken(&error)),
            Ok(text) => serde_json::from_slice(&text).map_err(|error| broken(&error))?,
        };
        let keys: Vec<&str> = match registry {
            "docker.io" => DOCKER_KEYS.to_vec(),
            other => vec![other],
        };
        for key in &keys {
            if let Some(helper) = file.helpers.get(*key) {
                return ask_helper(helper, key).map_err(|error| broken(&error));
            }
        }
        let fits = |name: &str| {
            let host = name.trim_start_matches("https://").trim_start_matches("http://");
            keys.contains(&name) || keys.contains(&host.split('/').next().unwrap_or_default())
        };
        let entry = file.auths.iter().find(|(name, _)| fits(name)).map(|(_, entry)| entry);
        match entry.map(Entry::credentials).transpose().map_err(|error| broken(&error))?.flatten() {
            Some(credentials) => Ok(Some(credentials)),
            None => match &file.store {
                Some(helper) => ask_helper(helper, keys[0]).map_err(|error| broken(&error)),
                None => Ok(None),
            },
        }
    }
}

impl Entry {
    fn credentials(&self) -> Result<Option<Credentials>, String> {
        if !self.identitytoken.is_empty() {
            return Ok(Some(Credentials::IdentityToken(self.identitytoken.clone())));
        }
        if !self.username.is_empty() {
            let (username, password) = (self.username.clone(), self.password.clone());
            return Ok(Some(Credentials::Password { username, password }));
        }
        if self.auth.is_empty() {
            return Ok(None);
        }
        let decoded =
            STANDARD.decode(self.auth.trim()).ok().and_then(|b| String::from_utf8(b).ok());
        let pair = decoded.as_deref().and_then(|decoded| decoded.split_once(':'));
        let (username, password) = pair.ok_or("an `auth` is not a name and a password")?;
        let password = password.trim_end_matches('\0').to_owned();
        Ok(Some(Credentials::Password { username: username.to_owned(), password }))
    }
}

/// Asks one of Docker's programs that keep passwords.
fn ask_helper(name: &str, registry: &str) -> Result<Option<Credentials>, String> {
    let program = format!("docker-credential-{name}");
    if Path::new(name).components().count() != 1 {
        return Err(format!("{name:?} is no credential helper's name"));
    }
    let failed = |error: io::Error| format!("{program}: {error}");
    let mut running = Command::new(&program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(failed)?;
    if let Some(mut asked) = running.stdin.take() {
        asked.write_all(registry.as_bytes()).map_err(failed)?;
    }
    let done = running.wait_with_output().map_err(failed)?;
    if !done.status.success() {
        // That is how they say that they know nothing of it.
        return Ok(None);
    }
    let Helped { username, secret } = serde_json::from_slice(&done.stdout)
        .map_err(|_| format!("{program} gave no answer that is understood"))?;
    Ok(Some(match username.as_str() {
        "<token>" => Credentials::IdentityToken(secret),
        _ => Credentials::Password { username, password: secret },
    }))
}

#[cfg(test)]
mod tests {
    use super::{Credentials, DockerConfig};

    fn known(text: &str, registry: &str) -> Result<Option<(String, String)>, String> {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), text).expect("a file");
        let found = DockerConfig(Some(file.path().to_owned())).credentials(registry)?;
        Ok(found.map(|credentials| match credentials {
            Credentials::Password { username, password } => (username, password),
            Credentials::IdentityToken(token) => ("token".to_owned(), token),
        }))
    }

    #[test]
    fn a_registry_is_found_by_its_host() {
        let file = r#"{"auths": {"localhost:5000": {"auth": "YW5uOnNlOmNyZXQ="},
            "https://index.docker.io/v1/": {"username": "dee", "password": "p"},
            "https://registry.example.org/v2/": {"identitytoken": "tok"}, "empty.org": {}}}"#;
        let pair = |a: &str, b: &str| Ok(Some((a.to_owned(), b.to_owned())));
        assert_eq!(known(file, "localhost:5000"), pair("ann", "se:cret"));
        assert_eq!(known(file, "docker.io"), pair("dee", "p"));
        assert_eq!(known(file, "registry.example.org"), pair("token", "tok"));
        assert_eq!(known(file, "empty.org"), Ok(None));
        assert_eq!(known(file, "localhost:5001"), Ok(None));
    }

    #[test]
    fn a_file_that_is_broken_is_told_and_one_that_is_missing_is_none() {
        assert!(known("{", "a.org").is_err());
        assert!(known(r#"{"auths": {"a.org": {"auth": "?"}}}"#, "a.org").is_err());
        let missing = DockerConfig(Some("/nonexistent/config.json".into()));
        assert_eq!(missing.credentials("a.org"), Ok(None));
    }
}
