//! The credentials for an upstream: from a file as the AWS CLI keeps it, or from the service's
//! variables. They are read anew for each request, so that they may be changed while it runs.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};
use thiserror::Error;
use wire::sigv4::Credentials;

const ACCESS_KEY_ID: &str = "AWS_ACCESS_KEY_ID";
const SECRET_ACCESS_KEY: &str = "AWS_SECRET_ACCESS_KEY";
const SESSION_TOKEN: &str = "AWS_SESSION_TOKEN";

/// Where credentials are.
#[derive(Clone, Debug)]
pub(super) enum Credentialed {
    /// In a section of a file.
    File {
        /// The file.
        path: PathBuf,
        /// The section's name.
        profile: String,
    },
    /// In the service's own variables.
    Variables,
}

/// Why there are no credentials.
#[derive(Debug, Error)]
pub(super) enum NoCredentials {
    /// The file cannot be read.
    #[error("read the credentials in {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file has no such section, or not both keys in it.
    #[error("find both keys of the profile {profile} in {}", path.display())]
    Profile {
        /// The file.
        path: PathBuf,
        /// The section's name.
        profile: String,
    },
    /// The variables are not set.
    #[error("find {ACCESS_KEY_ID} and {SECRET_ACCESS_KEY} among the service's variables")]
    Variables,
}

impl Credentialed {
    /// Reads the credentials.
    pub(super) fn read(&self) -> Result<Credentials, NoCredentials> {
        match self {
            Self::File { path, profile } => {
                let unreadable = |source| NoCredentials::File { path: path.clone(), source };
                let text = fs::read_to_string(path).map_err(unreadable)?;
                in_file(&text, profile).ok_or_else(|| NoCredentials::Profile {
                    path: Path::to_path_buf(path),
                    profile: profile.clone(),
                })
            }
            Self::Variables => {
                let set = |name| env::var(name).ok().filter(|value| !value.is_empty());
                let of = |name: &str| match name {
                    "aws_access_key_id" => set(ACCESS_KEY_ID),
                    "aws_secret_access_key" => set(SECRET_ACCESS_KEY),
                    _ => set(SESSION_TOKEN),
                };
                made_of(of).ok_or(NoCredentials::Variables)
            }
        }
    }
}

/// The credentials of a section, in the format of `~/.aws/credentials`.
fn in_file(text: &str, profile: &str) -> Option<Credentials> {
    let mut lines = text.lines().map(str::trim);
    lines.find(|line| {
        let section = line.strip_prefix('[').and_then(|line| line.strip_suffix(']'));
        section.is_some_and(|section| section.trim() == profile)
    })?;
    let section: Vec<(&str, &str)> = lines
        .take_while(|line| !line.starts_with('['))
        .filter(|line| !line.starts_with(['#', ';']))
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.trim(), value.trim()))
        .collect();
    made_of(|name| {
        let found = section.iter().rev().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| (*value).to_owned()).filter(|value| !value.is_empty())
    })
}

fn made_of(of: impl Fn(&str) -> Option<String>) -> Option<Credentials> {
    Some(Credentials {
        access_key_id: of("aws_access_key_id")?,
        secret_access_key: of("aws_secret_access_key")?,
        session_token: of("aws_session_token"),
    })
}

#[cfg(test)]
mod tests {
    use super::in_file;

    #[test]
    fn a_section_has_its_own_keys() {
        let text = "[default]\naws_access_key_id = AK\n# a remark\naws_secret_access_key=se=cret\n\n\
                    [ ci ]\nAWS_ACCESS_KEY_ID=CI\naws_secret_access_key = s\naws_session_token=t\n\
                    [half]\naws_access_key_id = H\n";
        let default = in_file(text, "default").unwrap();
        assert_eq!(
            (default.access_key_id.as_str(), default.secret_access_key.as_str()),
            ("AK", "se=cret")
        );
        assert_eq!(default.session_token, None);
        let ci = in_file(text, "ci").unwrap();
        assert_eq!((ci.access_key_id.as_str(), ci.session_token.as_deref()), ("CI", Some("t")));
        assert!(in_file(text, "half").is_none() && in_file(text, "none").is_none());
    }
}
