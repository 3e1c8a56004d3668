//! What a registry wants to be told before it answers: challenges, and the tokens that are got for
//! them.

use super::{Credentials, client::Trouble};
use base64::{Engine, engine::general_purpose::STANDARD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use std::{
    io::Read,
    time::{Duration, Instant},
};
use ureq::Agent;

/// How long a token is good when nothing is said of it. The protocol says: a minute.
const GOOD_FOR: Duration = Duration::from_secs(60);
/// How long before its end a token is used no more.
const MARGIN: Duration = Duration::from_secs(10);
/// Answers larger than this are refused.
const TOKEN_BYTES_MAX: u64 = 256 << 10;

/// A header's value, and until when it is good.
#[derive(Clone)]
pub(super) struct Authorization {
    /// The value of `Authorization`.
    pub value: String,
    until: Option<Instant>,
}

impl Authorization {
    pub(super) fn is_good(&self) -> bool {
        self.until.is_none_or(|until| Instant::now() < until)
    }
}

/// What a registry asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// A name and a password.
    Basic,
    /// A token from another place.
    Bearer {
        /// The place.
        realm: String,
        /// For whom it is.
        service: Option<String>,
    },
}

#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
}

/// Reads the challenges of a `WWW-Authenticate` header; tokens are wanted before passwords.
pub(super) fn challenge(header: &str) -> Option<Challenge> {
    let (scheme, rest) = header.trim().split_once(' ').unwrap_or((header.trim(), ""));
    if scheme.eq_ignore_ascii_case("basic") {
        return Some(Challenge::Basic);
    }
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let parameter = |name: &str| {
        parameters(rest).into_iter().find(|(known, _)| known == name).map(|(_, value)| value)
    };
    Some(Challenge::Bearer { realm: parameter("realm")?, service: parameter("service") })
}

/// The parameters of a challenge: names with texts, which may be quoted and hold commas.
fn parameters(mut text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    while let Some((name, rest)) = text.split_once('=') {
        let name = name.trim_matches([' ', ',']).to_ascii_lowercase();
        let (value, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => rest.split_once(',').unwrap_or((rest, "")),
        };
        found.push((name, value.trim().to_owned()));
        text = after;
    }
    found
}

/// A header with a name and a password.
pub(super) fn basic(username: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{username}:{password}")))
}

/// Whether TLS may be missing on the way to a token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    /// It may not.
    Tls,
    /// It may.
    Any,
}

/// Gets what a challenge asks for; none when it asks for credentials and there are none.
pub(super) fn authorize(
    http: &Agent,
    transport: Transport,
    challenge: &Challenge,
    repository: &str,
    credentials: Option<&Credentials>,
) -> Result<Option<Authorization>, Trouble> {
    match (challenge, credentials) {
        (Challenge::Basic, Some(Credentials::Password { username, password })) => {
            Ok(Some(Authorization { value: basic(username, password), until: None }))
        }
        (Challenge::Basic, _) => Ok(None),
        (Challenge::Bearer { realm, service }, credentials) => {
            if !(realm.starts_with("https://")
                || (transport == Transport::Any && realm.starts_with("http://")))
            {
                return Err(Trouble::Refused(format!("its tokens are at {realm:?}, without TLS")));
            }
            token(http, realm, service.as_deref(), repository, credentials).map(Some)
        }
    }
}

fn token(
    http: &Agent,
    realm: &str,
    service: Option<&str>,
    repository: &str,
    credentials: Option<&Credentials>,
) -> Result<Authorization, Trouble> {
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let mut form = format!("scope={}", encode(&format!("repository:{repository}:pull")));
    if let Some(service) = service {
        form.push_str(&format!("&service={}", encode(service)));
    }
    let asked = Instant::now();
    let answer = match credentials {
        Some(Credentials::IdentityToken(token)) => {
            let token = encode(token);
            let form = format!(
                "grant_type=refresh_token&client_id=buildyard&refresh_token={token}&{form}"
            );
            let kind = "application/x-www-form-urlencoded";
            http.post(realm).header("Content-Type", kind).send(form)
        }
        other => {
            let join = if realm.contains('?') { '&' } else { '?' };
            let mut request = http.get(format!("{realm}{join}{form}"));
            if let Some(Credentials::Password { username, password }) = other {
                request = request.header("Authorization", basic(username, password));
            }
            request.call()
        }
    };
    let answer = answer.map_err(|error| Trouble::away(realm, &error))?;
    match answer.status().as_u16() {
        200..300 => {}
        400..=403 => return Err(Trouble::Denied(format!("{realm} gives no token for it"))),
        status @ (404 | 405) => {
            return Err(Trouble::Refused(format!(
                "{realm} answers {status} when asked for a token"
            )));
        }
        status => return Err(Trouble::Away(format!("{realm} answers {status}"))),
    }
    let mut bytes = Vec::new();
    answer
        .into_body()
        .into_reader()
        .take(TOKEN_BYTES_MAX)
        .read_to_end(&mut bytes)
        .map_err(|error| Trouble::Away(format!("{realm}: {error}")))?;
    let nonsense = || Trouble::Refused(format!("{realm} gives no token that is understood"));
    let Token { token, access_token, expires_in } =
        serde_json::from_slice(&bytes).map_err(|_| nonsense())?;
    let token = token.or(access_token).filter(|token| !token.is_empty()).ok_or_else(nonsense)?;
    let good_for = expires_in.map_or(GOOD_FOR, Duration::from_secs).min(Duration::from_secs(3600));
    let until = Some(asked + good_for.saturating_sub(MARGIN).max(Duration::from_secs(1)));
    Ok(Authorization { value: format!("Bearer {token}"), until })
}

#[cfg(test)]
mod tests {
    use super::{Challenge, challenge};

    #[test]
    fn challenges_are_read() {
        let bearer = |realm: &str, service: Option<&str>| {
            Some(Challenge::Bearer { realm: realm.to_owned(), service: service.map(str::to_owned) })
        };
        for (header, expected) in [
            ("Basic realm=\"x\"", Some(Challenge::Basic)),
            ("basic", Some(Challenge::Basic)),
            (
                r#"Bearer realm="https://a.org/token",service="a.org",scope="repository:a,b:pull""#,
                bearer("https://a.org/token", Some("a.org")),
            ),
            (r#"bearer service=a.org, realm="https://a.org/t?x=1""#, {
                bearer("https://a.org/t?x=1", Some("a.org"))
            }),
            ("Bearer service=\"x\"", None),
            ("Negotiate", None),
            ("", None),
        ] {
            assert_eq!(challenge(header), expected, "{header}");
        }
    }
}
