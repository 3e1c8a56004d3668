//! A transaction as a value: what is to change, and what must hold for it.

use crate::Fault;
use thiserror::Error;

/// A kind of record, such as projects. Its name is part of the file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Collection(&'static str);

impl Collection {
    /// The collection of this name. Every name is said once, in a constant of its owner.
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// Gives the name.
    pub fn name(self) -> &'static str {
        self.0
    }
}

/// What a change outlives once it has been acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// The process: it is in the kernel's hands.
    Process,
    /// The machine's loss of power: it is on the disk.
    Machine,
}

/// What must be true of a record for a change to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Nothing: it is made or replaced.
    Anything,
    /// There is none with this key.
    Absent,
    /// It is there and has this version, as [`crate::Record::version`] gave it.
    Version(u64),
}

/// One change of a transaction. Times are milliseconds since 1970.
#[derive(Clone, Debug)]
pub enum Change {
    /// Makes or replaces a record, and gives it a version that no record has had before.
    PutRecord {
        /// The record's kind.
        collection: Collection,
        /// Its region.
        region: String,
        /// Its key within kind and region.
        key: String,
        /// What is kept.
        document: String,
        /// What must hold, or else the transaction is a conflict.
        expect: Expect,
    },
    /// Removes a record; one that is not there is no conflict.
    DeleteRecord {
        /// The record's kind.
        collection: Collection,
        /// Its region.
        region: String,
        /// Its key.
        key: String,
    },
    /// Adds a build with its first events, and nothing read of its journal; a conflict if the region
    /// has one of this id.
    InsertBuild {
        /// The region.
        region: String,
        /// `project:uuid`.
        id: String,
        /// The project's name.
        project: String,
        /// The build's number within its project.
        number: u64,
        /// When it was submitted.
        submitted_at: i64,
        /// What was asked for; never changes.
        request: String,
        /// When each of its first events happened, and what; there may be none.
        events: Vec<(i64, String)>,
        /// The snapshot of its state that follows from them.
        state: String,
        /// Whether there is anything left to do for it.
        live: bool,
    },
    /// Adds events to a build and replaces its snapshot.
    AppendEvents {
        /// The region.
        region: String,
        /// The build's id.
        id: String,
        /// The number of the first of `events`: how many the build has had. Anything else is a
        /// conflict, and so is a build that is not there.
        first_sequence: u64,
        /// When each happened, and what; there may be none, when only the rest is news.
        events: Vec<(i64, String)>,
        /// The snapshot that follows from all of them.
        state: String,
        /// How far the build's journal has been read for it.
        journal_offset: u64,
        /// Whether there is anything left to do for this build.
        live: bool,
    },
    /// Keeps commands of a build, in place of what was kept at their places; a build that is not
    /// there keeps none, and that is no conflict.
    PutCommands {
        /// The region.
        region: String,
        /// The build's id.
        id: String,
        /// The commands.
        commands: Vec<crate::Command>,
    },
    /// Counts a build that ends: to be in the transaction that ends it, so that it is counted once.
    CountEnded(crate::EndedBuild),
    /// Forgets the counts of builds that ended before a moment, to the hour and to the day.
    ForgetEnded {
        /// The moment.
        before: i64,
    },
    /// Removes a build, its events and its commands; one that is not there is no conflict. Its number
    /// is remembered, see [`crate::Store::last_build_number`].
    DeleteBuild {
        /// The region.
        region: String,
        /// The build's id.
        id: String,
    },
}

/// Why a transaction did not happen. Nothing of it did.
#[derive(Clone, Debug, Error)]
pub enum CommitError {
    /// An expectation did not hold.
    #[error("change number {which} does not fit what is stored")]
    Conflict {
        /// The place of the change in the list that was given, from 0.
        which: usize,
    },
    /// The store is broken.
    #[error(transparent)]
    Fault(#[from] Fault),
}
