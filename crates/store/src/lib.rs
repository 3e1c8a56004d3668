//! What is kept: records and events in SQLite, logs and objects in files.
//!
//! The only package with SQL and file formats. Documents are opaque text here: what a project or an
//! event means is known to those who write it.
//!
//! [`logs::LogStore`] keeps log groups, streams and events.
//! [`Store`] keeps the service's state in one SQLite file. A transaction is a value, a list of
//! [`Change`]s, and everybody who commits at the same moment shares one `fsync`.

pub mod objects;

mod apply;
mod build;
mod change;
mod command;
mod copy;
mod ended;
mod fault;
pub mod logs;
mod reader;
mod recent;
mod record;
mod sqlite;
mod state;
mod writer;

pub use build::{Build, BuildCursor, BuildListed, Ended, Event, NotACursor};
pub use change::{Change, Collection, CommitError, Durability, Expect};
pub use command::Command;
pub use copy::{check_database, copy_database, distrust_log_sizes, object_files};
pub use ended::{EndedBuild, EndedCounts, Metered, Outcome};
pub use fault::Fault;
pub use record::{Order, Page, Record};
pub use state::Store;

#[cfg(test)]
mod tests;
