//! The log store: opening it, groups and streams, and appending events.
//!
//! Locks are taken in this order, and any may be left out: the open streams, one stream, the
//! catalogue.

use super::{
    Found, Group, GroupId, GroupsPage, LogError, NewGroup, Stream, StreamId, StreamsPage,
    Subscription, TailBatch, TailFilter,
    catalog::{Catalog, Saved},
    open_streams::OpenStreams,
    stream::{self, OpenStream, State},
    tail::Tail,
};
use crate::{Durability, Fault, sqlite::Lock};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The most bytes of a message that a writer should make one event of; longer output is split.
pub const MESSAGE_BYTES_MAX: usize = 256 * 1024;

/// How many streams stay open.
const OPEN_STREAMS_MAX: usize = 256;

/// An event to be appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// When it happened.
    pub timestamp: i64,
    /// What it says.
    pub message: String,
}

/// Events that are appended together: all of them are there after a crash, or none.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// The events.
    pub events: &'a [NewEvent],
    /// How far the writer had read what it made them from; see [`LogStore::source_offset`].
    pub source: Option<u64>,
    /// The present.
    pub ingested_at: i64,
}

/// The log store. Cloning gives another handle to the same store.
#[derive(Clone, Debug)]
pub struct LogStore {
    parts: Arc<Parts>,
}

#[derive(Debug)]
struct Parts {
    folder: PathBuf,
    catalog: Mutex<Catalog>,
    open: Mutex<OpenStreams>,
    tail: Tail,
    _lock: Lock,
}

impl LogStore {
    /// Opens the store in `folder`, made if it is not there. What a process that was killed had
    /// written is all there.
    pub fn open(folder: &Path) -> Result<Self, Fault> {
        Self::open_with(folder, OPEN_STREAMS_MAX)
    }

    pub(super) fn open_with(folder: &Path, open_streams_max: usize) -> Result<Self, Fault> {
        fs::create_dir_all(folder).map_err(Fault::file("make", folder))?;
        let file = folder.join("logs.db");
        let lock = Lock::take(&file)?;
        let parts = Parts {
            folder: folder.to_owned(),
            catalog: Mutex::new(Catalog::open(&file)?),
            open: Mutex::new(OpenStreams::new(open_streams_max)),
            tail: Tail::new(),
            _lock: lock,
        };
        let store = Self { parts: Arc::new(parts) };
        store.recover()?;
        Ok(store)
    }

    /// Makes a group.
    pub fn create_group(&self, group: &NewGroup) -> Result<GroupId, LogError> {
        self.catalog().create_group(group, Durability::Machine)
    }

    /// Gives the group of this name. Its size may be a little behind.
    pub fn group(&self, region: &str, name: &str) -> Result<Option<Group>, LogError> {
        Ok(self.catalog().group(region, name)?)
    }

    /// Gives the number of the group of this name; quicker than the whole of it.
    pub fn group_id(&self, region: &str, name: &str) -> Result<GroupId, LogError> {
        self.catalog().group_id(region, name)?.ok_or(LogError::GroupMissing)
    }

    /// Gives where the events of a stream are, by its name and its group's; quicker than asking for
    /// one after the other.
    pub fn find(&self, region: &str, group: &str, stream: &str) -> Result<Found, LogError> {
        self.catalog().find(region, group, stream)?.ok_or(LogError::GroupMissing)
    }

    /// Gives a page of a region's groups.
    pub fn groups(&self, region: &str, page: &GroupsPage) -> Result<Vec<Group>, LogError> {
        self.save_all()?;
        Ok(self.catalog().groups(region, page)?)
    }

    /// Deletes a group with all its streams.
    pub fn delete_group(&self, id: GroupId) -> Result<(), LogError> {
        self.catalog().delete_group(id)?;
        let open = {
            let mut open = self.open_streams();
            let of_group = open.all().into_iter().filter(|stream| stream.group == id);
            of_group.inspect(|stream| drop(open.remove(stream.id))).collect::<Vec<_>>()
        };
        for stream in open {
            stream.lock().gone = true;
        }
        Ok(remove_folder(&self.group_folder(id))?)
    }

    /// Sets how many days the events of a group are kept; none for ever.
    pub fn set_retention(&self, id: GroupId, days: Option<u32>) -> Result<(), LogError> {
        self.catalog().set_retention(id, days)
    }

    /// Gives a group's tags.
    pub fn tags(&self, id: GroupId) -> Result<BTreeMap<String, String>, LogError> {
        Ok(self.catalog().tags(id)?)
    }

    /// Adds tags to a group, or replaces their values.
    pub fn put_tags(&self, id: GroupId, tags: &BTreeMap<String, String>) -> Result<(), LogError> {
        Ok(self.catalog().put_tags(id, tags)?)
    }

    /// Removes tags from a group; those that it does not have are none.
    pub fn remove_tags(&self, id: GroupId, keys: &[String]) -> Result<(), LogError> {
        Ok(self.catalog().remove_tags(id, keys)?)
    }

    /// Makes a stream.
    pub fn create_stream(
        &self,
        group: GroupId,
        name: &str,
        now: i64,
    ) -> Result<StreamId, LogError> {
        self.catalog().create_stream(group, name, now)
    }

    /// Gives the stream of this name, made along with its group if need be: what a build's output
    /// goes to. Neither waits for the disk: [`LogStore::sync`] takes them along.
    pub fn ensure_stream(
        &self,
        group: &NewGroup,
        name: &str,
        now: i64,
    ) -> Result<StreamId, LogError> {
        let id = match self.group_id(&group.region, &group.name) {
            Err(LogError::GroupMissing) => {
                let made = self.catalog().create_group(group, Durability::Process);
                match made {
                    Err(LogError::GroupExists) => self.group_id(&group.region, &group.name)?,
                    made => made?,
                }
            }
            found => found?,
        };
        match self.create_stream(id, name, now) {
            Err(LogError::StreamExists) => self.stream_id(id, name),
            made => made,
        }
    }

    /// Gives the stream of this name.
    pub fn stream(&self, group: GroupId, name: &str) -> Result<Option<Stream>, LogError> {
        self.save_all()?;
        Ok(self.catalog().stream(group, name)?)
    }

    /// Gives the number of the stream of this name; quicker than the whole of it.
    pub fn stream_id(&self, group: GroupId, name: &str) -> Result<StreamId, LogError> {
        self.catalog().stream_id(group, name)?.ok_or(LogError::StreamMissing)
    }

    /// Gives a page of a group's streams.
    pub fn streams(&self, group: GroupId, page: &StreamsPage) -> Result<Vec<Stream>, LogError> {
        self.save_all()?;
        Ok(self.catalog().streams(group, page)?)
    }

    /// Gives the bytes of all streams together. Goes through all of them.
    pub fn stored_bytes(&self) -> Result<u64, LogError> {
        self.save_all()?;
        Ok(self.catalog().stored_bytes()?)
    }

    /// Deletes a stream with its events.
    pub fn delete_stream(&self, id: StreamId) -> Result<(), LogError> {
        let Some(located) = self.catalog().locate(id)? else { return Err(LogError::StreamMissing) };
        self.catalog().delete_stream(id)?;
        let open = self.open_streams().remove(id);
        if let Some(stream) = open {
            stream.lock().gone = true;
        }
        Ok(stream::remove_files(&self.stream_path(located.group, id))?)
    }

    /// Appends events to a stream, visible to every read that begins afterwards. They outlive the
    /// process, and the machine once [`LogStore::sync`] was called.
    ///
    /// They may be earlier than others that are there; a message may have at most 16 MiB.
    pub fn append(&self, id: StreamId, batch: Batch<'_>) -> Result<(), LogError> {
        if batch.events.is_empty() {
            return Ok(());
        }
        let stream = self.open_stream(id)?;
        let mut state = stream.lock();
        if state.gone {
            return Err(LogError::StreamMissing);
        }
        if !state.marked {
            self.catalog().mark(id)?;
            state.marked = true;
        }
        stream.append(&mut state, &batch)?;
        // Under the lock, so that the tail has the order of the file.
        self.parts.tail.publish(|| TailBatch {
            group: stream.group,
            stream: id,
            stream_name: Arc::clone(&stream.name),
            ingested_at: batch.ingested_at,
            events: batch.events.into(),
        });
        Ok(())
    }

    /// Gives the source of the last batch that had one: what came before it has been appended, and
    /// nothing after it, whatever happened to the process in between.
    pub fn source_offset(&self, id: StreamId) -> Result<Option<u64>, LogError> {
        let stream = self.open_stream(id)?;
        let stats = stream.lock().stats();
        Ok(stats.source)
    }

    /// Makes a stream's events outlive the machine's loss of power. Blocks for the disk.
    pub fn sync(&self, id: StreamId) -> Result<(), LogError> {
        let stream = self.open_stream(id)?;
        let file = stream.lock().file();
        if let Some(file) = file {
            // Not under the lock: others may read and append meanwhile.
            stream.sync(&file)?;
        }
        let mut state = stream.lock();
        self.save(&stream, &mut state, Durability::Machine)
    }

    /// Subscribes to what is appended from now on.
    pub fn subscribe(&self, filter: TailFilter) -> Subscription {
        self.parts.tail.subscribe(filter)
    }

    /// Gives the stream with its file open.
    pub(super) fn open_stream(&self, id: StreamId) -> Result<Arc<OpenStream>, LogError> {
        let mut open = self.open_streams();
        if let Some(stream) = open.get(id) {
            return Ok(stream);
        }
        for surplus in open.take_surplus() {
            let mut state = surplus.lock();
            self.save(&surplus, &mut state, Durability::Process)?;
        }
        let located = self.catalog().locate(id)?.ok_or(LogError::StreamMissing)?;
        let path = self.stream_path(located.group, id);
        let stream =
            Arc::new(OpenStream::open(id, located.group, &located.name, path, located.source)?);
        open.insert(&stream);
        Ok(stream)
    }

    /// Brings the catalogue up to date with what was appended.
    pub(super) fn save_all(&self) -> Result<(), LogError> {
        let all = self.open_streams().all();
        let mut saved = Vec::new();
        for stream in &all {
            let mut state = stream.lock();
            if state.unsaved && !state.gone {
                state.unsaved = false;
                saved.push(Saved { id: stream.id, stats: state.stats(), marked: state.marked });
            }
        }
        if saved.is_empty() {
            return Ok(());
        }
        Ok(self.catalog().save(&saved, Durability::Process)?)
    }

    /// Writes what the catalogue lacks of one stream, which is then as good as closed.
    fn save(
        &self,
        stream: &OpenStream,
        state: &mut State,
        durability: Durability,
    ) -> Result<(), LogError> {
        if state.gone || !(state.unsaved || state.marked) {
            return Ok(());
        }
        let saved = Saved { id: stream.id, stats: state.stats(), marked: false };
        self.catalog().save(&[saved], durability)?;
        state.unsaved = false;
        state.marked = false;
        Ok(())
    }

    /// Learns of what the last process appended and did not save.
    fn recover(&self) -> Result<(), Fault> {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let marked = {
            let catalog = self.catalog();
            let before = catalog.replace_fact("boot", &boot)?;
            let marked = catalog.marked()?;
            if boot.is_empty() || before.is_some_and(|before| before != boot) {
                // The machine may have lost what was not synced, in the middle of a file too.
                for (stream, group) in &marked {
                    stream::distrust(&self.stream_path(*group, *stream))?;
                }
            }
            marked
        };
        for (stream, _) in marked {
            // A stream whose row has just been read is there.
            if let Err(LogError::Fault(fault)) = self.recover_stream(stream) {
                return Err(fault);
            }
        }
        Ok(())
    }

    fn recover_stream(&self, id: StreamId) -> Result<(), LogError> {
        let stream = self.open_stream(id)?;
        let mut state = stream.lock();
        state.marked = true;
        self.save(&stream, &mut state, Durability::Process)
    }

    pub(super) fn catalog(&self) -> MutexGuard<'_, Catalog> {
        self.parts.catalog.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn open_streams(&self) -> MutexGuard<'_, OpenStreams> {
        self.parts.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn folder(&self) -> &Path {
        &self.parts.folder
    }

    pub(super) fn group_folder(&self, id: GroupId) -> PathBuf {
        self.parts.folder.join(id.0.to_string())
    }

    pub(super) fn stream_path(&self, group: GroupId, id: StreamId) -> PathBuf {
        self.group_folder(group).join(format!("{}.log", id.0))
    }
}

impl Drop for Parts {
    /// Saves what is known, so that the next opening has nothing to recover.
    fn drop(&mut self) {
        let catalog = self.catalog.get_mut().unwrap_or_else(PoisonError::into_inner);
        let open = self.open.get_mut().unwrap_or_else(PoisonError::into_inner);
        let saved: Vec<Saved> = open
            .all()
            .iter()
            .filter_map(|stream| {
                let state = stream.lock();
                let behind = !state.gone && (state.unsaved || state.marked);
                behind.then(|| Saved { id: stream.id, stats: state.stats(), marked: false })
            })
            .collect();
        if let Err(fault) = catalog.save(&saved, Durability::Machine) {
            tracing::warn!(error = ?fault, "the log streams are left as after a crash");
        }
    }
}

/// Removes a group's folder; one that is not there is no fault.
pub(super) fn remove_folder(folder: &Path) -> Result<(), Fault> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Fault::file("remove", folder)(error))
        }
        _ => Ok(()),
    }
}
