//! How our own faults are told to the log.

use std::error::Error;
use wire::ServiceError;

/// Our own fault while serving a request: the log gets all of it, the caller an id to ask with.
pub(crate) fn told(request_id: &str, error: &dyn Error) -> ServiceError {
    tracing::error!(request = request_id, error = %chain(error), "a request failed");
    ServiceError::internal(request_id)
}

/// An error and all that caused it, on one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
