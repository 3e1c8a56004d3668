//! What goes wrong on the agent's or the machine's side, never on the user's.

use std::io;
use thiserror::Error;

/// The agent or the machine failed at something.
#[derive(Debug, Error)]
#[error("failed to {doing}: {}", plain(source))]
pub(crate) struct Fault {
    doing: String,
    source: io::Error,
}

impl Fault {
    /// A fault while `doing` something, a phrase that reads after "failed to".
    pub(crate) fn new(doing: impl Into<String>, source: impl Into<io::Error>) -> Self {
        Self { doing: doing.into(), source: source.into() }
    }
}

/// An operating system's error as Go and the manual pages word it: in lower case, without a number.
pub(crate) fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    if error.raw_os_error().is_none() {
        return text;
    }
    let words = text.split(" (os error").next().unwrap_or(&text);
    let mut letters = words.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

/// Names what was being done when an operation failed.
pub(crate) trait Doing<T> {
    /// Turns the error into a fault while doing `what`, a phrase that reads after "failed to".
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, Fault>;
}

impl<T, E: Into<io::Error>> Doing<T> for Result<T, E> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, Fault> {
        self.map_err(|error| Fault::new(what(), error))
    }
}
