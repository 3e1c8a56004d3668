//! What a call on the log store can come to, other than its result.

use crate::Fault;
use thiserror::Error;

/// Why a call on the log store did nothing.
#[derive(Clone, Debug, Error)]
pub enum LogError {
    /// The region has a group of this name already.
    #[error("the log group exists")]
    GroupExists,
    /// There is no such group.
    #[error("the log group does not exist")]
    GroupMissing,
    /// The group has a stream of this name already.
    #[error("the log stream exists")]
    StreamExists,
    /// There is no such stream.
    #[error("the log stream does not exist")]
    StreamMissing,
    /// The token was not given for this stream, or is none.
    #[error("the token is invalid")]
    TokenInvalid,
    /// The store is broken.
    #[error(transparent)]
    Fault(#[from] Fault),
}
