//! What a Git host asks for: who one is, and a secret. Pure.

use super::Location;
use serde::{Deserialize, Serialize};
use std::fmt;
use wire::codebuild::{AuthType, ServerType, SourceType};

/// A user's name and secret, as a Git host takes them.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// The user.
    pub username: String,
    /// The password, or a token in its place.
    pub password: String,
}

impl fmt::Debug for Credential {
    /// Shows whose it is and keeps the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential").field("username", &self.username).finish_non_exhaustive()
    }
}

impl Credential {
    /// A token for the hosts of a type, with the user that such hosts expect when nobody says.
    pub fn of_token(server: &ServerType, username: Option<String>, token: String) -> Self {
        let usual = match server {
            ServerType::Github | ServerType::GithubEnterprise => "x-access-token",
            ServerType::Gitlab | ServerType::GitlabSelfManaged => "oauth2",
            ServerType::Bitbucket => "x-token-auth",
            ServerType::Unknown(_) => "git",
        };
        let username = username.filter(|name| !name.is_empty());
        Self { username: username.unwrap_or_else(|| usual.to_owned()), password: token }
    }

    /// The answer to git's question; none when the secret cannot be told in git's words.
    pub fn answer(&self) -> Option<String> {
        let odd = |text: &str| text.contains(['\n', '\r', '\0']);
        if odd(&self.username) || odd(&self.password) {
            return None;
        }
        Some(format!("username={}\npassword={}\n", self.username, self.password))
    }
}

/// A secret's text that holds a credential, as Secrets Manager keeps it for CodeBuild.
#[derive(Deserialize)]
struct SecretText {
    #[serde(rename = "ServerType", alias = "serverType")]
    server: ServerType,
    #[serde(rename = "AuthType", alias = "authType")]
    auth: AuthType,
    #[serde(rename = "Token", alias = "token")]
    token: String,
    #[serde(rename = "Username", alias = "username", alias = "UserName", default)]
    username: Option<String>,
}

/// Reads a secret's text; none when it does not hold a credential for hosts of this type.
// AWS: the case of the keys is documented in two ways, so both are taken.
pub(super) fn from_secret(text: &str, server: &ServerType) -> Option<Credential> {
    let secret: SecretText = serde_json::from_str(text).ok()?;
    let is_known = match secret.auth {
        AuthType::PersonalAccessToken => true,
        AuthType::BasicAuth => secret.username.as_deref().is_some_and(|name| !name.is_empty()),
        AuthType::Oauth
        | AuthType::Codeconnections
        | AuthType::SecretsManager
        | AuthType::Unknown(_) => false,
    };
    (is_known && secret.server == *server && !secret.token.is_empty())
        .then(|| Credential::of_token(server, secret.username, secret.token))
}

/// The type of the hosts that sources of a type come from; none for those without credentials.
pub(super) fn server_type(source: &SourceType) -> Option<ServerType> {
    match source {
        SourceType::Github => Some(ServerType::Github),
        SourceType::GithubEnterprise => Some(ServerType::GithubEnterprise),
        SourceType::Gitlab => Some(ServerType::Gitlab),
        SourceType::GitlabSelfManaged => Some(ServerType::GitlabSelfManaged),
        SourceType::Bitbucket => Some(ServerType::Bitbucket),
        SourceType::Codecommit
        | SourceType::Codepipeline
        | SourceType::NoSource
        | SourceType::S3
        | SourceType::Unknown(_) => None,
    }
}

/// What git asks a credential for, and for which source, as the helper passes it on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Question {
    /// The secondary source's identifier, empty for the primary source, `*` when a command asks.
    pub source: String,
    /// The protocol, such as `https`.
    pub protocol: String,
    /// The host, with its port when the URL has one.
    pub host: String,
    /// The path without its first slash; empty when git does not say.
    pub path: String,
}

impl Question {
    /// Reads lines of `key=value`.
    pub fn parse(text: &str) -> Self {
        let mut question = Self::default();
        for line in text.lines() {
            let Some((key, value)) = line.split_once('=') else { continue };
            let member = match key {
                "source" => &mut question.source,
                "protocol" => &mut question.protocol,
                "host" => &mut question.host,
                "path" => &mut question.path,
                _ => continue,
            };
            value.clone_into(member);
        }
        question
    }

    /// Whether it is about the very host of a location: a secret never goes to another host, nor by
    /// another protocol to the same.
    pub fn is_about(&self, location: &Location) -> bool {
        self.protocol == location.scheme.as_str() && self.host.eq_ignore_ascii_case(&location.host)
    }

    /// Whether it is about the very repository of a location.
    pub fn is_about_repository(&self, location: &Location) -> bool {
        let plain = |path: &str| {
            let path = path.trim_matches('/');
            path.strip_suffix(".git").unwrap_or(path).to_owned()
        };
        self.is_about(location) && plain(&self.path) == plain(&location.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_provider_has_its_own_user_for_tokens() {
        for (server, user) in [
            (ServerType::Github, "x-access-token"),
            (ServerType::GithubEnterprise, "x-access-token"),
            (ServerType::Gitlab, "oauth2"),
            (ServerType::GitlabSelfManaged, "oauth2"),
            (ServerType::Bitbucket, "x-token-auth"),
        ] {
            let credential = Credential::of_token(&server, None, "t".into());
            assert_eq!(credential.username, user);
            let named = Credential::of_token(&server, Some("ann".into()), "t".into());
            assert_eq!(named.answer().as_deref(), Some("username=ann\npassword=t\n"));
        }
        let evil = Credential { username: "a".into(), password: "x\nhost=evil".into() };
        assert_eq!(evil.answer(), None);
        assert!(!format!("{evil:?}").contains("evil"));
    }

    #[test]
    fn a_secret_holds_a_credential_for_one_type_of_server() {
        let github = ServerType::Github;
        let text = r#"{"ServerType":"GITHUB","AuthType":"PERSONAL_ACCESS_TOKEN","Token":"t"}"#;
        let credential = from_secret(text, &github).unwrap();
        assert_eq!(
            (credential.username.as_str(), credential.password.as_str()),
            ("x-access-token", "t")
        );
        assert_eq!(from_secret(text, &ServerType::Gitlab), None);
        for text in [
            "t",
            "{}",
            r#"{"ServerType":"GITHUB","AuthType":"PERSONAL_ACCESS_TOKEN","Token":""}"#,
            r#"{"ServerType":"GITHUB","AuthType":"OAUTH","Token":"t"}"#,
            r#"{"ServerType":"GITHUB","AuthType":"BASIC_AUTH","Token":"t"}"#,
        ] {
            assert_eq!(from_secret(text, &github), None, "{text}");
        }
        let text =
            r#"{"serverType":"BITBUCKET","authType":"BASIC_AUTH","token":"t","username":"a"}"#;
        assert_eq!(from_secret(text, &ServerType::Bitbucket).unwrap().username, "a");
    }

    #[test]
    fn a_question_is_about_one_host_and_one_protocol() {
        let location = Location::parse("https://git.example:8443/a/b.git").unwrap();
        let question = |text: &str| Question::parse(text);
        for (text, host, repository) in [
            ("protocol=https\nhost=git.example:8443\n", true, false),
            ("protocol=https\nhost=Git.Example:8443\npath=a/b", true, true),
            ("protocol=https\nhost=git.example:8443\npath=a/c.git", true, false),
            ("protocol=http\nhost=git.example:8443\n", false, false),
            ("protocol=https\nhost=git.example\n", false, false),
            ("protocol=https\nhost=git.example:8443.evil\n", false, false),
            ("", false, false),
        ] {
            let question = question(text);
            assert_eq!(question.is_about(&location), host, "{text}");
            assert_eq!(question.is_about_repository(&location), repository, "{text}");
        }
    }
}
