//! What went wrong with the executor or the machine, and while doing what.

use serde::{Deserialize, Serialize};
use std::io;
use thiserror::Error;

/// Why a container did not start.
#[derive(Debug, Error)]
pub enum LaunchError {
    /// The image cannot be used, for a reason that the user can mend.
    #[error("{0}")]
    Image(String),
    /// The executor or the machine failed.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// The executor or the machine failed at something.
#[derive(Debug, Error)]
#[error("failed to {doing}")]
pub struct Fault {
    /// What was being done, as a phrase after "failed to".
    pub doing: String,
    /// What went wrong.
    #[source]
    pub source: io::Error,
}

impl Fault {
    /// A fault while `doing` something, a phrase that reads after "failed to".
    pub fn new(doing: impl Into<String>, source: impl Into<io::Error>) -> Self {
        Self { doing: doing.into(), source: source.into() }
    }

    /// A fault whose reason is a sentence, not an error of the system.
    pub(crate) fn because(doing: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::new(doing, io::Error::other(reason.into()))
    }
}

/// Says what was being done when a call of the system failed.
pub(crate) trait Doing<T> {
    /// Makes the error a fault; `doing` reads after "failed to".
    fn doing(self, doing: &str) -> Result<T, Fault>;
    /// The same, with what it was done to.
    fn doing_to(self, doing: &str, to: impl AsRef<std::path::Path>) -> Result<T, Fault>;
}

impl<T, E: Into<io::Error>> Doing<T> for Result<T, E> {
    fn doing(self, doing: &str) -> Result<T, Fault> {
        self.map_err(|error| Fault::new(doing, error))
    }

    fn doing_to(self, doing: &str, to: impl AsRef<std::path::Path>) -> Result<T, Fault> {
        self.map_err(|error| Fault::new(format!("{doing} {}", to.as_ref().display()), error))
    }
}

/// A fault as one process tells it to another.
#[derive(Serialize, Deserialize)]
pub(crate) struct ToldFault {
    doing: String,
    errno: Option<i32>,
    reason: String,
}

impl From<Fault> for ToldFault {
    fn from(fault: Fault) -> Self {
        let errno = fault.source.raw_os_error();
        Self { doing: fault.doing, errno, reason: fault.source.to_string() }
    }
}

impl From<ToldFault> for Fault {
    fn from(told: ToldFault) -> Self {
        match told.errno {
            Some(errno) => Self::new(told.doing, io::Error::from_raw_os_error(errno)),
            None => Self::because(told.doing, told.reason),
        }
    }
}
