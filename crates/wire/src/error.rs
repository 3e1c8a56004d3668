//! An error as a client reads it: a code, a sentence and a status.

use crate::service::{Protocol, Service};
use crate::validation::{self, Violation};
use std::borrow::Cow;

/// The answer to a request that is refused, or that we failed to serve.
///
/// Constructors here are those that every service shares. The codes that one service's model
/// declares have constructors in that service's `error` module.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ServiceError {
    /// AWS's name of the error.
    pub code: Cow<'static, str>,
    /// The sentence for the reader.
    pub message: String,
    /// The HTTP status.
    pub status: u16,
}

impl ServiceError {
    /// An error of that code, with status 400: the caller's mistake.
    pub fn refusal(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), status: 400 }
    }

    /// An operation that AWS has and we do not, yet.
    ///
    /// The code is the one that the service uses for bad input, because every client can read it;
    /// HTTP 400 keeps clients from trying again.
    pub fn not_supported(service: &Service, operation: &str) -> Self {
        Self::refusal(
            service.invalid_input,
            format!("{operation} is not supported by this service yet"),
        )
    }

    /// An operation that AWS does not have either.
    pub fn unknown_operation(service: &Service, operation: &str) -> Self {
        match service.protocol {
            Protocol::Json11 { .. } => Self::refusal(
                "UnknownOperationException",
                "The requested operation is not recognized by the service.",
            ),
            Protocol::Query { .. } => Self::refusal(
                "InvalidAction",
                format!("Could not find operation {operation} for version {}", service.api_version),
            ),
        }
    }

    /// The right one of [`Self::not_supported`] and [`Self::unknown_operation`].
    pub fn no_such_operation(service: &Service, operation: &str) -> Self {
        if service.knows(operation) {
            Self::not_supported(service, operation)
        } else {
            Self::unknown_operation(service, operation)
        }
    }

    /// A body that is not what the operation's input is spelled like.
    pub fn serialization(service: &Service, message: impl Into<String>) -> Self {
        match service.protocol {
            Protocol::Json11 { .. } => Self::refusal("SerializationException", message),
            Protocol::Query { .. } => Self::refusal("MalformedInput", message),
        }
    }

    /// Input that violates constraints of the model; there is at least one violation.
    pub fn invalid(service: &Service, violations: &[Violation]) -> Self {
        Self::refusal(service.invalid_input, validation::summary(violations))
    }

    /// Our own fault. The caller learns the request's id and nothing else.
    pub fn internal(request_id: &str) -> Self {
        Self {
            code: Cow::Borrowed("InternalFailure"),
            message: format!("An internal error occurred. Request ID: {request_id}"),
            status: 500,
        }
    }

    /// A caller who may not do that; `action` is spelled like `codebuild:StartBuild`.
    pub fn access_denied(service: &Service, arn: &str, action: &str, resource: &str) -> Self {
        let message =
            format!("User: {arn} is not authorized to perform: {action} on resource: {resource}");
        match service.protocol {
            Protocol::Json11 { .. } => Self::refusal("AccessDeniedException", message),
            Protocol::Query { .. } => {
                Self { status: 403, ..Self::refusal("AccessDenied", message) }
            }
        }
    }

    /// Whether the fault is the caller's.
    pub fn is_refusal(&self) -> bool {
        self.status < 500
    }
}
