//! Why a request is not authenticated, and how each dialect says so.

use crate::error::ServiceError;
use crate::service::{Protocol, Service};

/// A request that is not authenticated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// It carries no signature at all.
    #[error("Missing Authentication Token")]
    Missing,
    /// Its signature lacks parts, or they are not spelled as they have to be.
    #[error("{0}")]
    Incomplete(String),
    /// Nobody has that access key or session token.
    #[error("The security token included in the request is invalid.")]
    UnknownAccessKey,
    /// The session token has been valid.
    #[error("The security token included in the request is expired")]
    ExpiredToken,
    /// The signature is of another request, or made with another secret.
    #[error(
        "The request signature we calculated does not match the signature you provided. Check \
         your AWS Secret Access Key and signing method. Consult the service documentation for \
         details."
    )]
    Mismatch,
    /// The signature is whole, and not valid here or now.
    #[error("{0}")]
    Invalid(String),
}

impl AuthError {
    /// A signature that was made for another service than the one that is asked.
    pub fn wrong_service(asked: &Service) -> Self {
        Self::Invalid(format!("Credential should be scoped to correct service: '{}'.", asked.name))
    }

    /// The error in the words and with the status of a service's dialect.
    pub fn to_error(&self, service: &Service) -> ServiceError {
        let (json, query, query_status) = match self {
            Self::Missing => {
                ("MissingAuthenticationTokenException", "MissingAuthenticationToken", 403)
            }
            Self::Incomplete(_) => ("IncompleteSignatureException", "IncompleteSignature", 400),
            Self::UnknownAccessKey => ("UnrecognizedClientException", "InvalidClientTokenId", 403),
            Self::ExpiredToken => ("ExpiredTokenException", "ExpiredToken", 403),
            Self::Mismatch | Self::Invalid(_) => {
                ("InvalidSignatureException", "SignatureDoesNotMatch", 403)
            }
        };
        match service.protocol {
            Protocol::Json11 { .. } => ServiceError::refusal(json, self.to_string()),
            Protocol::Query { .. } => ServiceError {
                status: query_status,
                ..ServiceError::refusal(query, self.to_string())
            },
        }
    }
}
