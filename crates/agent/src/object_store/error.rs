//! Why the store did not do what was asked, in the words that CodeBuild shows.

use crate::fault::plain;
use crate::outcome::Stop;
use crate::patience::Hopeful;
use std::io;
use thiserror::Error;
use ureq::http::HeaderMap;

/// Why the store did not do what was asked.
#[derive(Debug, Error)]
pub(crate) enum StoreError {
    /// It said no.
    #[error(
        "{code}: {message} status code: {status}, request id: {request_id}, host id: {host_id}"
    )]
    Refused {
        /// The store's error code, such as `NoSuchKey`.
        code: String,
        /// The store's own sentence.
        message: String,
        /// The HTTP status.
        status: u16,
        /// The request's id.
        request_id: String,
        /// The host's id.
        host_id: String,
    },
    /// It did not answer, or answered with something that cannot be understood.
    #[error("the object store does not answer: {0}")]
    Unreachable(String),
    /// A file of the environment could not be read or written.
    #[error("{}", plain(.0))]
    Local(#[from] io::Error),
}

impl Hopeful for StoreError {
    fn is_worth_another_attempt(&self) -> bool {
        match self {
            Self::Refused { status, .. } => *status >= 500,
            Self::Unreachable(_) => true,
            Self::Local(_) => false,
        }
    }
}

impl StoreError {
    /// The store's code and HTTP status, if it said no.
    pub(crate) fn refused(&self) -> Option<(&str, u16)> {
        match self {
            Self::Refused { code, status, .. } => Some((code, *status)),
            Self::Unreachable(_) | Self::Local(_) => None,
        }
    }

    /// Why the phase cannot go on, in a sentence that begins with `prefix`.
    pub(crate) fn stop(&self, prefix: &str) -> Stop {
        let message = format!("{prefix}{self}");
        match self {
            Self::Refused { status, .. } if *status < 500 => Stop::client(message),
            Self::Local(_) => Stop::client(message),
            Self::Refused { .. } | Self::Unreachable(_) => Stop::Unavailable(message),
        }
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        error.stop("")
    }
}

impl From<ureq::Error> for StoreError {
    fn from(error: ureq::Error) -> Self {
        Self::Unreachable(error.to_string())
    }
}

/// Reads what a store says when it says no.
pub(super) fn refusal(status: u16, text: &str, headers: &HeaderMap) -> StoreError {
    let header = |name: &str| {
        headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    };
    StoreError::Refused {
        code: tag(text, "Code").unwrap_or_else(|| "UnknownError".to_owned()),
        message: tag(text, "Message").unwrap_or_default(),
        status,
        request_id: tag(text, "RequestId").unwrap_or_else(|| header("x-amz-request-id")),
        host_id: tag(text, "HostId").unwrap_or_else(|| header("x-amz-id-2")),
    }
}

/// The text of the first element of that name in a store's error document.
pub(super) fn tag(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    let plain = text
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&apos;", "'")
        .replace("&amp;", "&");
    Some(plain)
}

/// What came cannot be an answer.
pub(super) fn not_understood(error: impl std::fmt::Display) -> StoreError {
    StoreError::Unreachable(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_reads_as_codebuild_shows_it() {
        let xml = "<?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code><Message>The specified \
                   key does not exist.</Message><Key>a&amp;b</Key><RequestId>R1</RequestId></Error>";
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-id-2", "H1".parse().unwrap());
        assert_eq!(
            refusal(404, xml, &headers).to_string(),
            "NoSuchKey: The specified key does not exist. status code: 404, request id: R1, \
             host id: H1"
        );
        assert_eq!(tag(xml, "Key").as_deref(), Some("a&b"));
    }
}
