//! What the driver has of the machine: a clock, the state, journals, logs, the folders of caches.
//!
//! Nothing below the driver is reached in another way, so that it can be run on a machine that is
//! simulated, in a time that is, and be ended at any moment of it.

use super::JournalWatch;
use crate::{
    build_request::LogTarget,
    clock,
    local_caches::{Lease, LocalCaches},
};
use agent_protocol::Timestamp;
use async_trait::async_trait;
use build_core::{BuildId, LogDigest};
use futures::future::{BoxFuture, join_all};
use std::{
    any::Any,
    collections::{BTreeMap, HashSet},
    fs::{self, File},
    io::{self, ErrorKind, Read},
    path::{Path, PathBuf},
    sync::Arc,
};
use store::{
    Change, Collection, CommitError, Durability, Fault, Record, Store,
    logs::{Batch, GroupClass, LogError, LogStore, NewGroup, StreamId},
};
use tokio::{sync::Notify, task::spawn_blocking};
use uuid::Uuid;

/// What the driver has of the machine.
#[async_trait]
pub trait Machine: Send + Sync {
    /// The time by the machine's clock.
    fn now(&self) -> Timestamp;

    /// An id that nothing has had before.
    fn fresh_id(&self) -> Uuid;

    /// Tells the containers that there may be from those of another time: after the machine has
    /// started anew, or for a copy of the data folder, it is another text.
    fn containers(&self) -> String;

    /// The builds that have not ended.
    async fn live_builds(&self) -> Result<Vec<store::Build>, Fault>;

    /// A record of the state.
    async fn record(
        &self,
        collection: Collection,
        region: &str,
        key: &str,
    ) -> Result<Option<Record>, Fault>;

    /// The largest number that a build of the project has or had.
    async fn last_build_number(&self, region: &str, project: &str) -> Result<u64, Fault>;

    /// Makes all of `changes` happen or none; they are handed over by the call itself.
    fn commit(
        &self,
        changes: Vec<Change>,
        durability: Durability,
    ) -> BoxFuture<'static, Result<(), CommitError>>;

    /// The same for several transactions, each of which happens or not by itself, in this order.
    fn commit_together(
        &self,
        transactions: Vec<(Vec<Change>, Durability)>,
    ) -> BoxFuture<'static, Vec<Result<(), CommitError>>> {
        let one_by_one = transactions.into_iter().map(|(changes, durability)| {
            // Handed over here and not when it is waited for.
            self.commit(changes, durability)
        });
        Box::pin(join_all(one_by_one.collect::<Vec<_>>()))
    }

    /// The file that a build's agent appends to.
    fn journal_path(&self, build: &BuildId) -> PathBuf;

    /// Opens a build's journal at its beginning.
    fn open_journal(&self, build: &BuildId) -> io::Result<Box<dyn Read + Send>>;

    /// Tells from now on when a build's journal, which is there, has grown.
    fn watch_journal(&self, build: &BuildId) -> io::Result<Watched>;

    /// Removes a build's journal; one that is not there is no error.
    fn remove_journal(&self, build: &BuildId) -> io::Result<()>;

    /// Makes a log stream, or finds it.
    async fn log_stream(&self, target: &LogTarget) -> Result<StreamId, LogError>;

    /// Appends to a log stream.
    fn append(&self, stream: StreamId, batch: Batch<'_>) -> Result<(), LogError>;

    /// How much of the journal a log stream has.
    fn logged(&self, stream: StreamId) -> Result<Option<u64>, LogError>;

    /// What a log stream is known by, as far as it was appended to.
    async fn digest(&self, stream: StreamId) -> Result<LogDigest, LogError>;

    /// Has a log stream outlive the machine's loss of power.
    async fn sync(&self, stream: StreamId) -> Result<(), LogError>;

    /// Gives a build the folder of a local cache of its project.
    async fn lease_cache(
        &self,
        project: &str,
        build: &BuildId,
        invalidated_at: Option<Timestamp>,
    ) -> io::Result<Lease>;

    /// Takes the folder back. The next build may have it before it is known how large it has become.
    async fn release_cache(&self, project: &str, build: &BuildId) -> io::Result<()>;

    /// Removes what belongs to builds that are not under way; these are named by their UUIDs.
    fn sweep(&self, live: &HashSet<String>);
}

/// A journal that is watched until this is dropped.
pub struct Watched {
    /// Woken, at least once, after each time the journal has grown.
    pub grown: Arc<Notify>,
    /// What ends the watch when it is dropped.
    pub guard: Box<dyn Any + Send + Sync>,
}

/// The machine that the service runs on, with everything in the data folder.
pub struct ThisMachine {
    /// The state.
    pub store: Store,
    /// The logs.
    pub logs: LogStore,
    /// Tells when journals grow.
    pub watch: JournalWatch,
    /// The folder of the journals, one file per build.
    pub journals: PathBuf,
    /// The folders of local caches.
    pub caches: Arc<LocalCaches>,
    /// What tells this machine's containers from others.
    pub containers: String,
}

#[async_trait]
impl Machine for ThisMachine {
    fn now(&self) -> Timestamp {
        clock::now()
    }

    fn fresh_id(&self) -> Uuid {
        Uuid::new_v4()
    }

    fn containers(&self) -> String {
        self.containers.clone()
    }

    async fn live_builds(&self) -> Result<Vec<store::Build>, Fault> {
        self.store.live_builds().await
    }

    async fn record(
        &self,
        collection: Collection,
        region: &str,
        key: &str,
    ) -> Result<Option<Record>, Fault> {
        self.store.record(collection, region, key).await
    }

    async fn last_build_number(&self, region: &str, project: &str) -> Result<u64, Fault> {
        self.store.last_build_number(region, project).await
    }

    fn commit(
        &self,
        changes: Vec<Change>,
        durability: Durability,
    ) -> BoxFuture<'static, Result<(), CommitError>> {
        Box::pin(self.store.commit_durably(changes, durability))
    }

    fn commit_together(
        &self,
        transactions: Vec<(Vec<Change>, Durability)>,
    ) -> BoxFuture<'static, Vec<Result<(), CommitError>>> {
        Box::pin(self.store.commit_together(transactions))
    }

    fn journal_path(&self, build: &BuildId) -> PathBuf {
        self.journals.join(build.uuid())
    }

    fn open_journal(&self, build: &BuildId) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(File::open(self.journal_path(build))?))
    }

    fn watch_journal(&self, build: &BuildId) -> io::Result<Watched> {
        self.watch.add(&self.journal_path(build))
    }

    fn remove_journal(&self, build: &BuildId) -> io::Result<()> {
        remove_if_there(&self.journal_path(build))
    }

    async fn log_stream(&self, target: &LogTarget) -> Result<StreamId, LogError> {
        let (logs, target) = (self.logs.clone(), target.clone());
        let made = spawn_blocking(move || {
            let now = millis(clock::now());
            let group = NewGroup {
                region: target.region,
                name: target.group,
                class: GroupClass::Standard,
                tags: BTreeMap::new(),
                created_at: now,
            };
            logs.ensure_stream(&group, &target.stream, now)
        });
        made.await.unwrap_or(Err(LogError::Fault(Fault::Stopped)))
    }

    fn append(&self, stream: StreamId, batch: Batch<'_>) -> Result<(), LogError> {
        self.logs.append(stream, batch)
    }

    fn logged(&self, stream: StreamId) -> Result<Option<u64>, LogError> {
        self.logs.source_offset(stream)
    }

    async fn digest(&self, stream: StreamId) -> Result<LogDigest, LogError> {
        let logs = self.logs.clone();
        let digest = spawn_blocking(move || logs.digest(stream)).await;
        let digest = digest.unwrap_or(Err(LogError::Fault(Fault::Stopped)))?;
        Ok(LogDigest { sha256: digest.sha256, events: digest.events, bytes: digest.bytes })
    }

    async fn sync(&self, stream: StreamId) -> Result<(), LogError> {
        let logs = self.logs.clone();
        let synced = spawn_blocking(move || logs.sync(stream)).await;
        synced.unwrap_or(Err(LogError::Fault(Fault::Stopped)))
    }

    async fn lease_cache(
        &self,
        project: &str,
        build: &BuildId,
        invalidated_at: Option<Timestamp>,
    ) -> io::Result<Lease> {
        let (project, build) = (project.to_owned(), build.uuid().to_owned());
        let caches = Arc::clone(&self.caches);
        spawn_blocking(move || caches.lease(&project, &build, invalidated_at)).await?
    }

    async fn release_cache(&self, project: &str, build: &BuildId) -> io::Result<()> {
        let (project, uuid) = (project.to_owned(), build.uuid().to_owned());
        let caches = Arc::clone(&self.caches);
        let released = spawn_blocking(move || caches.release(&project, &uuid)).await??;
        if let Some(folder) = released {
            let (caches, build) = (Arc::clone(&self.caches), build.clone());
            spawn_blocking(move || {
                if let Err(error) = caches.settle(&folder) {
                    tracing::warn!(%build, %error, "a local cache's size is not known");
                }
            });
        }
        Ok(())
    }

    fn sweep(&self, live: &HashSet<String>) {
        let (caches, builds) = (Arc::clone(&self.caches), live.clone());
        spawn_blocking(move || caches.sweep(&builds));
        for entry in fs::read_dir(&self.journals).into_iter().flatten().flatten() {
            if !live.contains(entry.file_name().to_string_lossy().as_ref()) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

/// A moment as the stores keep it.
pub(super) fn millis(at: Timestamp) -> i64 {
    i64::try_from(at.millis()).unwrap_or(i64::MAX)
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
