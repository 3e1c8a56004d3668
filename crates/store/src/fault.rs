//! What can go wrong in the store that is nobody's mistake but ours or the machine's.

use std::{io, path::PathBuf, sync::Arc};
use thiserror::Error;

/// A fault of the store. The texts read after "failed to"; the cause is the source.
///
/// It can be cloned because one failed commit may be the fault of all who shared it.
#[derive(Clone, Debug, Error)]
pub enum Fault {
    /// SQLite refused.
    #[error("{doing}")]
    Sql {
        /// What was being done.
        doing: &'static str,
        /// What SQLite says.
        source: Arc<rusqlite::Error>,
    },
    /// The file system refused.
    #[error("{doing} {}", path.display())]
    File {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// What the system says.
        source: Arc<io::Error>,
    },
    /// The file was written by a later version of this program.
    #[error("open a database of version {found} with a program that knows {known}")]
    Newer {
        /// The file's version.
        found: usize,
        /// The newest version that this program knows.
        known: usize,
    },
    /// Another process has the files open.
    #[error("open {}, which another process uses", path.display())]
    InUse {
        /// The file that says so.
        path: PathBuf,
    },
    /// What is stored cannot have been written by us.
    #[error("read {what}")]
    Corrupt {
        /// What does not parse, and where.
        what: String,
    },
    /// The thread that serves the store has ended.
    #[error("reach the store, which has stopped")]
    Stopped,
}

impl Fault {
    /// Turns an SQLite error into a fault that says what was being done.
    pub(crate) fn sql(doing: &'static str) -> impl FnOnce(rusqlite::Error) -> Self {
        move |error| Self::Sql { doing, source: Arc::new(error) }
    }

    /// Turns an I/O error into a fault that says what was being done to which file.
    pub(crate) fn file(
        doing: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |error| Self::File { doing, path, source: Arc::new(error) }
    }
}
