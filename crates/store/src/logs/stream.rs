//! One stream's file while it is open: appending to it, and reading blocks of it.

use super::{
    Batch, Direction, GroupId, LogError, StreamId,
    digest::Progress,
    frame::{self, Frame, Frames, MAGIC, SOURCE_CONTINUES, SOURCE_NONE},
    index::{Block, ENTRY_BYTES, FIRST, Index},
};
use crate::Fault;
use std::{
    fs::{self, File},
    io::ErrorKind,
    ops::ControlFlow,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// How much is read at a time when a file is gone through.
const CHUNK_BYTES: usize = 256 * 1024;

/// What the catalogue knows of a stream's events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stats {
    pub(super) first_event_at: Option<i64>,
    pub(super) last_event_at: Option<i64>,
    pub(super) last_ingested_at: Option<i64>,
    pub(super) stored_bytes: u64,
    pub(super) source: Option<u64>,
}

/// A stream whose file is open.
#[derive(Debug)]
pub(super) struct OpenStream {
    pub(super) id: StreamId,
    pub(super) group: GroupId,
    pub(super) name: Arc<str>,
    path: PathBuf,
    state: Mutex<State>,
    /// Held by whoever goes on with the digest.
    pub(super) digesting: Mutex<()>,
}

/// What changes with every append.
#[derive(Debug)]
pub(super) struct State {
    file: Option<Arc<File>>,
    index: Index,
    /// The source that was known before the file began.
    source_before: Option<u64>,
    /// The digest of the beginning of the file.
    pub(super) digested: Progress,
    /// Whether the catalogue knows that the file may be ahead of it.
    pub(super) marked: bool,
    /// Whether the catalogue lacks the latest [`Stats`].
    pub(super) unsaved: bool,
    /// Whether the stream was deleted; nothing may be written any more.
    pub(super) gone: bool,
}

/// A stream's file as it was at one moment; it can be read while others append.
#[derive(Clone, Debug)]
pub(super) struct Snapshot {
    file: Option<Arc<File>>,
    path: PathBuf,
}

impl OpenStream {
    /// Opens the file at `path`, which need not be there, and takes back a torn end.
    pub(super) fn open(
        id: StreamId,
        group: GroupId,
        name: &str,
        path: PathBuf,
        source_before: Option<u64>,
    ) -> Result<Self, Fault> {
        let mut state = State {
            file: None,
            index: Index::default(),
            source_before,
            digested: Progress::default(),
            marked: false,
            unsaved: false,
            gone: false,
        };
        match File::options().read(true).write(true).open(&path) {
            Ok(file) => {
                state.index = recover(&file, &path)?;
                state.file = Some(Arc::new(file));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(Fault::file("open", path)(error)),
        }
        Ok(Self {
            id,
            group,
            name: name.into(),
            path,
            state: Mutex::new(state),
            digesting: Mutex::default(),
        })
    }

    /// Gives what changes, for this thread alone.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a batch, which is not empty, with one call; gives the place of its first frame.
    pub(super) fn append(&self, state: &mut State, batch: &Batch<'_>) -> Result<u64, Fault> {
        let file = match &state.file {
            Some(file) => Arc::clone(file),
            None => {
                let file = Arc::new(create(&self.path)?);
                state.file = Some(Arc::clone(&file));
                file
            }
        };
        let start = state.index.end();
        let bytes = frame::encode(batch);
        if let Err(error) = file.write_all_at(&bytes, start) {
            // What was written of it must not stand before the next batch.
            let _ = file.set_len(start);
            return Err(Fault::file("append to", &self.path)(error));
        }
        for frame in frame::frames(batch, start) {
            if let Some(block) = state.index.add(&frame) {
                note_finished(&self.path, state.index.finished() - 1, &block);
            }
        }
        state.unsaved = true;
        Ok(start)
    }

    /// Gives the blocks that `wanted` picks, and the means to read them.
    pub(super) fn snapshot(&self, wanted: impl Fn(&Block) -> bool) -> (Snapshot, Vec<Block>) {
        let state = self.lock();
        let blocks = state.index.blocks().filter(|block| wanted(block)).copied().collect();
        let file = state.file.clone();
        (Snapshot { file, path: self.path.clone() }, blocks)
    }

    /// Makes what was appended outlive the machine.
    pub(super) fn sync(&self, file: &File) -> Result<(), Fault> {
        file.sync_all().map_err(Fault::file("sync", &self.path))?;
        let folder = folder_of(&self.path);
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(Fault::file("sync", folder))
    }

    /// Forgets all events and removes the files.
    pub(super) fn remove(&self, state: &mut State) -> Result<(), Fault> {
        state.source_before = state.stats().source;
        state.file = None;
        state.index = Index::default();
        state.digested = Progress::default();
        state.unsaved = true;
        remove_files(&self.path)
    }
}

impl State {
    /// Gives what the catalogue is to know.
    pub(super) fn stats(&self) -> Stats {
        let source = self.index.source();
        Stats {
            first_event_at: self.index.blocks().map(|block| block.earliest).min(),
            last_event_at: self.index.blocks().map(|block| block.latest).max(),
            last_ingested_at: self.index.blocks().next_back().map(|block| block.ingested_at),
            stored_bytes: self.index.end() - FIRST,
            source: if source == SOURCE_NONE { self.source_before } else { Some(source) },
        }
    }

    /// Gives the file, if anything was ever written.
    pub(super) fn file(&self) -> Option<Arc<File>> {
        self.file.clone()
    }
}

impl Snapshot {
    /// Whether the stream still has the file that this is of.
    pub(super) fn is_of(&self, state: &State) -> bool {
        match (&self.file, &state.file) {
            (Some(file), Some(current)) => Arc::ptr_eq(file, current),
            _ => false,
        }
    }

    /// Goes through the frames of `block` from the one at `offset` on, in either direction, until
    /// told to stop. An offset that came with a token and is not that of a frame makes the token
    /// invalid.
    pub(super) fn scan(
        &self,
        (block, offset): (&Block, u64),
        direction: Direction,
        mut visit: impl FnMut(&Frame<'_>) -> ControlFlow<()>,
    ) -> Result<(), LogError> {
        let Some(file) = &self.file else { return Ok(()) };
        let length = usize::try_from(block.end - offset).expect("a block fits the memory");
        let mut bytes = vec![0; length];
        file.read_exact_at(&mut bytes, offset).map_err(Fault::file("read", &self.path))?;
        let frames: Vec<Frame<'_>> = Frames::new(&bytes, offset).collect();
        let end = frames.last().map_or(offset, |frame| frame.end);
        if end == offset && offset != block.offset && offset != block.end {
            return Err(LogError::TokenInvalid);
        }
        if end != block.end {
            let what = format!("the frame at {end} of {}", self.path.display());
            return Err(Fault::Corrupt { what }.into());
        }
        // Whoever stops early has what it wanted.
        let _ = match direction {
            Direction::Forward => frames.iter().try_for_each(&mut visit),
            Direction::Backward => frames.iter().rev().try_for_each(&mut visit),
        };
        Ok(())
    }
}

/// Removes a stream's files; those that are not there are no fault.
pub(super) fn remove_files(path: &Path) -> Result<(), Fault> {
    for path in [path, &index_path(path)] {
        match fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(Fault::file("remove", path)(error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Removes what is known of the finished blocks, so that the next opening reads all of them.
pub(super) fn distrust(path: &Path) -> Result<(), Fault> {
    let path = index_path(path);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(Fault::file("remove", path)(error))
        }
        _ => Ok(()),
    }
}

fn index_path(path: &Path) -> PathBuf {
    path.with_extension("idx")
}

fn folder_of(path: &Path) -> &Path {
    path.parent().expect("a stream's file stands in its group's folder")
}

fn create(path: &Path) -> Result<File, Fault> {
    fs::create_dir_all(folder_of(path)).map_err(Fault::file("make", folder_of(path)))?;
    // An index file that outlived its stream's would be believed.
    distrust(path)?;
    let file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)
        .map_err(Fault::file("make", path))?;
    file.write_all_at(MAGIC, 0).map_err(Fault::file("begin", path))?;
    Ok(file)
}

/// Writes a finished block to the index file. It only saves time: should it fail, the next opening
/// reads the block itself.
fn note_finished(path: &Path, at: usize, block: &Block) {
    let path = index_path(path);
    let written = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .and_then(|file| file.write_all_at(&block.encode(), (at * ENTRY_BYTES) as u64));
    if let Err(error) = written {
        tracing::warn!(path = %path.display(), %error, "an index entry was not written");
    }
}

/// Learns what a file holds, and cuts off what the last process did not finish.
fn recover(file: &File, path: &Path) -> Result<Index, Fault> {
    let length = file.metadata().map_err(Fault::file("look at", path))?.len();
    let mut magic = [0; MAGIC.len()];
    if length < FIRST {
        // The process ended between making the file and beginning it.
        file.write_all_at(MAGIC, 0).map_err(Fault::file("begin", path))?;
        file.set_len(FIRST).map_err(Fault::file("begin", path))?;
        return Ok(Index::default());
    }
    file.read_exact_at(&mut magic, 0).map_err(Fault::file("read", path))?;
    if magic != *MAGIC {
        return Err(Fault::Corrupt { what: format!("the beginning of {}", path.display()) });
    }
    let entries = fs::read(index_path(path)).unwrap_or_default();
    let mut index = Index::decode(&entries, length);
    scan_rest(file, path, &mut index, length)?;
    if index.end() < length {
        tracing::warn!(
            path = %path.display(), from = index.end(), until = length,
            "cutting off an append that was not finished"
        );
        file.set_len(index.end()).map_err(Fault::file("cut", path))?;
    }
    Ok(index)
}

/// Adds to `index` every whole batch behind its end.
fn scan_rest(file: &File, path: &Path, index: &mut Index, length: u64) -> Result<(), Fault> {
    // What is here of a batch is added only with the batch's last frame.
    let mut batch = Vec::new();
    let mut carried: Vec<u8> = Vec::new();
    let mut offset = index.end();
    loop {
        let have = carried.len();
        let want = Frames::new(&carried, offset).missing().unwrap_or(0).max(CHUNK_BYTES);
        let left = length - offset - have as u64;
        let want = usize::try_from(left).map_or(want, |left| want.min(left));
        if want == 0 {
            return Ok(());
        }
        carried.resize(have + want, 0);
        file.read_exact_at(&mut carried[have..], offset + have as u64)
            .map_err(Fault::file("read", path))?;
        let mut frames = Frames::new(&carried, offset);
        let mut end = offset;
        for frame in frames.by_ref() {
            end = frame.end;
            let continues = frame.source == SOURCE_CONTINUES;
            batch.push(Frame { message: &[], ..frame });
            if !continues {
                for frame in batch.drain(..) {
                    if let Some(block) = index.add(&frame) {
                        note_finished(path, index.finished() - 1, &block);
                    }
                }
            }
        }
        if frames.missing().is_none() {
            // What stands here is no frame.
            return Ok(());
        }
        let used = usize::try_from(end - offset).expect("it is within the buffer");
        carried.drain(..used);
        offset = end;
    }
}
