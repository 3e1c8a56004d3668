//! The service's state in one SQLite file: opening it, and committing to it.

use crate::{
    Change, CommitError, Durability, Fault,
    reader::Readers,
    recent::Recent,
    sqlite::{Lock, Migration, open_writer},
    writer::Writer,
};
use std::{path::Path, sync::Arc};

/// Every step of the schema, in order. A step that has been released is never edited.
pub(crate) const MIGRATIONS: &[Migration] = &[
    include_str!("migrations/state/0001_records_and_builds.sql"),
    include_str!("migrations/state/0002_commands.sql"),
    include_str!("migrations/state/0003_ended_builds.sql"),
    include_str!("migrations/state/0004_ended_counts.sql"),
    include_str!("migrations/state/0005_deleted_numbers.sql"),
];

/// A read is short, and two of them keep two cores busy.
const READERS: usize = 2;

/// The service's state. Cloning gives another handle to the same store.
///
/// It closes when the last handle is dropped, after everything that was asked of it.
#[derive(Clone, Debug)]
pub struct Store {
    parts: Arc<Parts>,
}

/// The readers go first: the last connection to close is then the writer's, which tidies up.
#[derive(Debug)]
struct Parts {
    readers: Readers,
    writer: Writer,
    recent: Arc<Recent>,
}

impl Store {
    /// Opens the file, made if it is not there, and brings its schema up to date.
    ///
    /// Fails if a newer program wrote it, or if another process (or handle) has it open.
    pub fn open(path: &Path) -> Result<Self, Fault> {
        let lock = Lock::take(path)?;
        let writer = open_writer(path, MIGRATIONS)?;
        let readers = Readers::start(path, READERS)?;
        let recent = Arc::<Recent>::default();
        let writer = Writer::start(writer, lock, Arc::clone(&recent))?;
        Ok(Self { parts: Arc::new(Parts { readers, writer, recent }) })
    }

    /// Makes all of `changes` happen, in order, or none of them.
    ///
    /// They are handed over by the call itself: dropping the future does not take them back. When
    /// it gives `Ok`, they are on the disk, and every read that begins afterwards sees them.
    #[must_use = "only the future says whether the changes fitted"]
    pub fn commit(
        &self,
        changes: Vec<Change>,
    ) -> impl Future<Output = Result<(), CommitError>> + Send + use<> {
        self.commit_durably(changes, Durability::Machine)
    }

    /// The same for changes that could be derived again, from a journal say, if the machine lost
    /// them: those need not wait for the disk. What is on the disk never has gaps.
    #[must_use = "only the future says whether the changes fitted"]
    pub fn commit_durably(
        &self,
        changes: Vec<Change>,
        durability: Durability,
    ) -> impl Future<Output = Result<(), CommitError>> + Send + use<> {
        let commit = self.commit_together(vec![(changes, durability)]);
        async move { commit.await.pop().unwrap_or(Ok(())) }
    }

    /// The same for several transactions, each of which happens or not by itself. They are made to
    /// last at once, so that whoever waits for all of them waits as long as for one.
    #[must_use = "only the future says whether the changes fitted"]
    pub fn commit_together(
        &self,
        transactions: Vec<(Vec<Change>, Durability)>,
    ) -> impl Future<Output = Vec<Result<(), CommitError>>> + Send + use<> {
        self.parts.writer.commit(transactions)
    }

    /// Gives how many commits there were since the store was opened. Callers that commit at the
    /// same moment share one.
    pub fn commits(&self) -> u64 {
        self.parts.writer.commits()
    }

    pub(crate) fn recent(&self) -> &Recent {
        &self.parts.recent
    }

    pub(crate) fn readers(&self) -> &Readers {
        &self.parts.readers
    }
}
