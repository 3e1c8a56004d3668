//! What an operator says of an upstream.

use serde::Deserialize;
use std::path::PathBuf;

/// The service that answers what builds read, in the place of the built-in one.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct UpstreamSettings {
    /// The URL; AWS's own for the region when absent.
    pub endpoint: Option<Endpoint>,
    /// The region; each build's own when absent.
    pub region: Option<String>,
    /// A file of credentials as the AWS CLI keeps them; when absent, the variables
    /// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN` of the service.
    pub credentials_file: Option<PathBuf>,
    /// The section of the file; `default` when absent.
    pub profile: Option<String>,
    /// A file of certificates that the endpoint's is signed with; the usual ones when absent.
    pub ca_file: Option<PathBuf>,
}

/// A URL with nothing but a scheme, a host and a port.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String")]
pub struct Endpoint(String);

impl Endpoint {
    /// The URL, without a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Endpoint {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let bad = || format!("{text:?} is not the URL of a service, such as https://example.com");
        let uri: http::Uri = text.parse().map_err(|_| bad())?;
        let parts = (uri.scheme_str(), uri.authority(), uri.path(), uri.query());
        match parts {
            (Some("http" | "https"), Some(authority), "/" | "", None)
                if !authority.as_str().contains('@') =>
            {
                Ok(Self(text.trim_end_matches('/').to_owned()))
            }
            _ => Err(bad()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Endpoint;

    #[test]
    fn an_endpoint_is_a_scheme_and_a_host() {
        for text in ["https://secrets.example:8443", "http://127.0.0.1:4566/"] {
            let endpoint = Endpoint::try_from(text.to_owned()).unwrap();
            assert_eq!(endpoint.as_str(), text.trim_end_matches('/'));
        }
        for text in ["", "example.com", "ftp://a", "https://a/path", "https://a?b", "http://u:p@a"]
        {
            assert!(Endpoint::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
