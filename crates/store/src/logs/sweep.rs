//! Removing what has expired, and what a crash left behind.

use super::{GroupId, LogError, LogStore, StreamId, log_store::remove_folder, stream};
use crate::Fault;
use std::{collections::HashSet, ffi::OsStr, fs, io::ErrorKind, path::Path};

impl LogStore {
    /// Removes the events of every stream whose last event has expired, and files that belong to
    /// nothing. The streams themselves stay. Blocks; to be called now and then.
    pub fn sweep(&self, now: i64) -> Result<(), LogError> {
        self.save_all()?;
        let groups = self.catalog().groups_with_retention()?;
        for group in groups {
            let horizon = group.horizon(now);
            let expired = self.catalog().streams_expired(group.id, horizon)?;
            for id in expired {
                match self.expire(id, horizon) {
                    // Deleted since.
                    Err(LogError::StreamMissing) => {}
                    result => result?,
                }
            }
        }
        self.remove_orphans()
    }

    fn expire(&self, id: StreamId, horizon: i64) -> Result<(), LogError> {
        let stream = self.open_stream(id)?;
        let mut state = stream.lock();
        let expired = state.stats().last_event_at.is_none_or(|last| last < horizon);
        if state.gone || !expired {
            return Ok(());
        }
        if !state.marked {
            self.catalog().mark(id)?;
            state.marked = true;
        }
        stream.remove(&mut state)?;
        drop(state);
        self.save_all()
    }

    /// Removes folders of groups and files of streams that are not in the catalogue: their rows
    /// went first.
    fn remove_orphans(&self) -> Result<(), LogError> {
        // Folders are listed before rows: a group made in between has its row.
        let folders = numbered(self.folder())?;
        let groups: HashSet<i64> = self.catalog().group_ids()?.into_iter().collect();
        for group in folders {
            let folder = self.group_folder(GroupId(group));
            if !groups.contains(&group) {
                remove_folder(&folder)?;
                continue;
            }
            let files = numbered(&folder)?;
            let streams: HashSet<StreamId> =
                self.catalog().stream_ids(GroupId(group))?.into_iter().collect();
            for id in files.into_iter().map(StreamId).filter(|id| !streams.contains(id)) {
                stream::remove_files(&self.stream_path(GroupId(group), id))?;
            }
        }
        Ok(())
    }
}

/// The numbers after which a folder's entries are named.
fn numbered(folder: &Path) -> Result<HashSet<i64>, Fault> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(HashSet::new()),
        entries => entries.map_err(Fault::file("list", folder))?,
    };
    let mut numbers = HashSet::new();
    for entry in entries {
        let path = entry.map_err(Fault::file("list", folder))?.path();
        let number = path.file_stem().and_then(OsStr::to_str).map(str::parse::<i64>);
        numbers.extend(number.and_then(Result::ok));
    }
    Ok(numbers)
}
