//! Fetches a cache and unpacks it at the same time, several frames at once.
//!
//! A cache may have been made by somebody else: only what the buildspec's paths mean is unpacked,
//! links are made when everything else is there, and what is not whole is taken away again.

use super::index::{END_BYTES, End, Frame, Index, LargeFile};
use super::paths::Paths;
use crate::fault::plain;
use crate::new_files::NewFiles;
use crate::object_store::{Client, StoreError};
use crate::parallel;
use agent_protocol::S3Location;
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, PermissionsExt, fchown, lchown, symlink};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tar::{Archive, Entry, EntryType};
use thiserror::Error;
use zstd::bulk::Decompressor;

/// What one request fetches: enough frames that a request costs little beside them.
const RUN_BYTES: u64 = 4 * 1024 * 1024;
/// How often a run of frames is fetched again whose connection broke.
const ATTEMPTS_MAX: u32 = 3;
/// Files that are told one by one when the paths do not mean them.
const TOLD_MAX: usize = 10;

/// Why a cache was not restored.
#[derive(Debug, Error)]
pub(super) enum NotRestored {
    /// The store did not give it.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// It is no cache, or a damaged one.
    #[error("the cache is damaged: {0}")]
    Damaged(String),
    /// A file cannot be made.
    #[error("{path}: {}", plain(source))]
    File {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
}

/// What was restored.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Restored {
    /// How many files.
    pub(super) files: u64,
    /// How many bytes they have.
    pub(super) bytes: u64,
    /// How many bytes the cache has.
    pub(super) stored: u64,
    /// The names of entries that the paths do not mean, as far as they are told one by one.
    pub(super) not_allowed: Vec<String>,
    /// How many of these there are in all.
    pub(super) not_allowed_count: usize,
}

/// A cache that was found, before any of its files is fetched.
pub(super) struct Opened {
    from: S3Location,
    index: Index,
    tag: String,
    length: u64,
}

/// Finds a cache and reads where everything in it is.
pub(super) fn open(client: &Client, from: S3Location) -> Result<Opened, NotRestored> {
    let mut end = client.read_end(&from, END_BYTES)?;
    let mut read = Index::read(&end.bytes, end.length);
    if let End::Longer(wanted) = read {
        end = client.read_end(&from, wanted)?;
        read = Index::read(&end.bytes, end.length);
    }
    match read {
        End::Index(index) => Ok(Opened { from, index, tag: end.tag, length: end.length }),
        End::Longer(_) | End::Broken => Err(NotRestored::Damaged("it has no index".to_owned())),
    }
}

impl Opened {
    /// Fetches and unpacks it. When that fails, what it has unpacked is taken away again.
    pub(super) fn restore(&self, client: &Client, paths: &Paths) -> Result<Restored, NotRestored> {
        let unpacking = Unpacking { paths, index: &self.index, state: Mutex::default() };
        let unpacked = unpacking
            .begin()
            .and_then(|()| self.fetch(client, &unpacking))
            .and_then(|()| unpacking.finish());
        let state = unpacking.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        match unpacked {
            Ok(()) => Ok(Restored { stored: self.length, ..state.keep() }),
            Err(error) => {
                state.undo();
                Err(error)
            }
        }
    }

    fn fetch(&self, client: &Client, unpacking: &Unpacking<'_>) -> Result<(), NotRestored> {
        parallel::for_each(&runs(&self.index.frames), |run| {
            let mut done = 0;
            for _ in 1..ATTEMPTS_MAX {
                match self.fetch_run(client, run, &mut done, unpacking) {
                    // What is unpacked already stays.
                    Err(NotRestored::Store(StoreError::Unreachable(_))) => {}
                    settled => return settled,
                }
            }
            self.fetch_run(client, run, &mut done, unpacking)
        })
    }

    /// Fetches the frames of a run from the first that is not `done`.
    fn fetch_run(
        &self,
        client: &Client,
        run: &Run,
        done: &mut usize,
        unpacking: &Unpacking<'_>,
    ) -> Result<(), NotRestored> {
        let frames = &self.index.frames[run.frames.clone()];
        let passed: u64 = frames[..*done].iter().map(|frame| frame.stored).sum();
        let length: u64 = frames[*done..].iter().map(|frame| frame.stored).sum();
        if length == 0 {
            return Ok(());
        }
        let start = run.start + passed;
        let mut body = client.read_range(&self.from, start..start + length, &self.tag)?;
        let mut worker = Worker::new(unpacking)?;
        for frame in &frames[*done..] {
            worker.read(frame, &mut body)?;
            worker.unpack(frame)?;
            *done += 1;
        }
        Ok(())
    }
}

/// Frames that are fetched by one request.
struct Run {
    frames: Range<usize>,
    start: u64,
}

fn runs(frames: &[Frame]) -> Vec<Run> {
    let (mut runs, mut at) = (Vec::<Run>::new(), 0);
    for (number, frame) in frames.iter().enumerate() {
        match runs.last_mut() {
            Some(run) if at + frame.stored - run.start <= RUN_BYTES => run.frames.end += 1,
            Some(_) | None => runs.push(Run { frames: number..number + 1, start: at }),
        }
        at += frame.stored;
    }
    runs
}

/// An unpacking that several threads share.
struct Unpacking<'a> {
    paths: &'a Paths,
    index: &'a Index,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    restored: Restored,
    /// Files that were made, to be taken away if need be.
    made: Vec<PathBuf>,
    /// Files that were there, and where they wait until it is known what stays.
    aside: Vec<(PathBuf, PathBuf)>,
    /// Folders whose permissions and times are settled when everything in them is there.
    folders: Vec<(PathBuf, About)>,
    links: Vec<(PathBuf, PathBuf, About)>,
    same: Vec<(PathBuf, PathBuf)>,
}

/// What is restored of a file beside its content.
#[derive(Clone, Copy)]
struct About {
    mode: u32,
    owner: (u32, u32),
    modified: (i64, u32),
}

impl Unpacking<'_> {
    /// Makes the files that several frames share, as long as they will be.
    fn begin(&self) -> Result<(), NotRestored> {
        let mut files = NewFiles::default();
        for large in &self.index.large {
            let Some(path) = self.allowed(OsStr::from_bytes(&large.name)) else { continue };
            self.create(&mut files, &path, 0o600)
                .and_then(|file| file.set_len(large.length))
                .map_err(|source| failed(&path, source))?;
        }
        Ok(())
    }

    fn finish(&self) -> Result<(), NotRestored> {
        let mut state = self.lock();
        for LargeFile { name, mode, owner, modified, .. } in &self.index.large {
            let Some(path) = self.paths.locate(OsStr::from_bytes(name)) else { continue };
            let about = About { mode: *mode, owner: *owner, modified: *modified };
            File::options()
                .write(true)
                .open(&path)
                .and_then(|file| about.settle(&file, 0o600))
                .map_err(|source| failed(&path, source))?;
        }
        for (path, first) in std::mem::take(&mut state.same) {
            state
                .make_way(&path)
                .and_then(|()| fs::hard_link(first, &path))
                .map_err(|source| failed(&path, source))?;
            state.made.push(path);
        }
        for (path, target, about) in std::mem::take(&mut state.links) {
            state
                .make_way(&path)
                .and_then(|()| symlink(target, &path))
                .map_err(|source| failed(&path, source))?;
            about.settle_path(&path).map_err(|source| failed(&path, source))?;
            state.made.push(path);
        }
        let folders = &mut state.folders;
        // What is in a folder comes before the folder: making it has changed the folder's time.
        folders.sort_by(|(one, _), (other, _)| other.cmp(one));
        for (path, about) in folders {
            fs::set_permissions(&path, Permissions::from_mode(about.mode))
                .and_then(|()| about.settle_path(path))
                .map_err(|source| failed(path, source))?;
        }
        Ok(())
    }

    /// Makes a file, and notes it. One that is there is set aside.
    fn create(&self, files: &mut NewFiles, path: &Path, mode: u32) -> io::Result<File> {
        let file = match files.create(path, mode) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                self.lock().make_way(path)?;
                files.create(path, mode)
            }
            made => made,
        }?;
        self.lock().made.push(path.to_owned());
        Ok(file)
    }

    fn allowed(&self, name: &OsStr) -> Option<PathBuf> {
        let path = self.paths.locate(name);
        if path.is_none() {
            let restored = &mut self.lock().restored;
            restored.not_allowed_count += 1;
            if restored.not_allowed.len() < TOLD_MAX {
                restored.not_allowed.push(name.to_string_lossy().into_owned());
            }
        }
        path
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Sets aside the file that a new one takes the place of, and makes the folder it is in.
    fn make_way(&mut self, path: &Path) -> io::Result<()> {
        match fs::symlink_metadata(path) {
            Ok(about) if about.is_dir() => return Err(ErrorKind::IsADirectory.into()),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return path.parent().map_or(Ok(()), fs::create_dir_all);
            }
            Err(error) => return Err(error),
        }
        let mut name = OsString::from(".");
        name.push(path.file_name().ok_or(ErrorKind::InvalidFilename)?);
        name.push(".before-cache");
        let aside = path.with_file_name(name);
        fs::rename(path, &aside)?;
        self.aside.push((path.to_owned(), aside));
        Ok(())
    }

    fn keep(self) -> Restored {
        for (_, aside) in &self.aside {
            let _ = fs::remove_file(aside);
        }
        self.restored
    }

    fn undo(self) {
        for path in &self.made {
            let _ = fs::remove_file(path);
        }
        for (path, aside) in &self.aside {
            let _ = fs::rename(aside, path);
        }
        let mut folders: Vec<_> = self.folders.into_iter().map(|(path, _)| path).collect();
        folders.sort_unstable_by(|one, other| other.cmp(one));
        for folder in folders {
            // One that was there before may hold something else, and stays.
            let _ = fs::remove_dir(folder);
        }
    }
}

impl About {
    /// Settles a file that was made with the permissions `made_with`.
    fn settle(&self, file: &File, made_with: u32) -> io::Result<()> {
        if self.owner != (0, 0) {
            give(|user, group| fchown(file, user, group), self.owner)?;
        }
        if self.mode != made_with {
            file.set_permissions(Permissions::from_mode(self.mode))?;
        }
        rustix::fs::futimens(file, &self.times())?;
        Ok(())
    }

    fn settle_path(&self, path: &Path) -> io::Result<()> {
        if self.owner != (0, 0) {
            give(|user, group| lchown(path, user, group), self.owner)?;
        }
        utimensat(CWD, path, &self.times(), AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(())
    }

    fn times(&self) -> Timestamps {
        let (seconds, nanoseconds) = self.modified;
        let moment = Timespec { tv_sec: seconds, tv_nsec: nanoseconds.into() };
        Timestamps { last_access: moment, last_modification: moment }
    }
}

/// Gives a file to its owner; an environment without that user keeps it.
fn give(
    change: impl FnOnce(Option<u32>, Option<u32>) -> io::Result<()>,
    (user, group): (u32, u32),
) -> io::Result<()> {
    match change(Some(user), Some(group)) {
        Err(error)
            if matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::InvalidInput) =>
        {
            Ok(())
        }
        changed => changed,
    }
}

fn failed(path: &Path, source: io::Error) -> NotRestored {
    NotRestored::File { path: path.display().to_string(), source }
}

/// One thread's share.
struct Worker<'a> {
    unpacking: &'a Unpacking<'a>,
    files: NewFiles,
    decompressor: Decompressor<'static>,
    stored: Vec<u8>,
    archive: Vec<u8>,
}

impl<'a> Worker<'a> {
    fn new(unpacking: &'a Unpacking<'a>) -> Result<Self, NotRestored> {
        let decompressor = Decompressor::new().map_err(damaged)?;
        let files = NewFiles::default();
        Ok(Self { unpacking, files, decompressor, stored: Vec::new(), archive: Vec::new() })
    }

    fn read(&mut self, frame: &Frame, body: &mut impl Read) -> Result<(), NotRestored> {
        self.stored.resize(usize::try_from(frame.stored).map_err(damaged)?, 0);
        body.read_exact(&mut self.stored)
            .map_err(|error| NotRestored::Store(StoreError::Unreachable(error.to_string())))
    }

    fn unpack(&mut self, frame: &Frame) -> Result<(), NotRestored> {
        let length = usize::try_from(frame.length).map_err(damaged)?;
        self.archive.clear();
        self.archive.reserve(length);
        self.decompressor.decompress_to_buffer(&self.stored, &mut self.archive).map_err(damaged)?;
        if self.archive.len() != length {
            return Err(damaged("a frame has another length than the index says"));
        }
        let archive = std::mem::take(&mut self.archive);
        let unpacked = match frame.piece {
            None => self.entries(&archive),
            Some(piece) => {
                let large = &self.unpacking.index.large[piece.file];
                let name = OsStr::from_bytes(&large.name);
                let content = &archive[piece.skip..piece.skip + piece.length];
                match self.unpacking.paths.locate(name) {
                    Some(path) => self.piece(&path, content, piece.from),
                    None => Ok(()),
                }
            }
        };
        self.archive = archive;
        unpacked
    }

    fn piece(&self, path: &Path, content: &[u8], from: u64) -> Result<(), NotRestored> {
        File::options()
            .write(true)
            .open(path)
            .and_then(|file| file.write_all_at(content, from))
            .map_err(|source| failed(path, source))?;
        let restored = &mut self.unpacking.lock().restored;
        restored.files += u64::from(from == 0);
        restored.bytes += content.len() as u64;
        Ok(())
    }

    fn entries(&mut self, archive: &[u8]) -> Result<(), NotRestored> {
        for entry in Archive::new(archive).entries().map_err(damaged)? {
            let mut entry = entry.map_err(damaged)?;
            let name = entry.path_bytes().into_owned();
            let name = OsStr::from_bytes(without_slash(&name));
            let Some(path) = self.unpacking.allowed(name) else { continue };
            let from = usize::try_from(entry.raw_file_position()).map_err(damaged)?;
            let rest = archive.get(from..).unwrap_or_default();
            self.entry(&mut entry, path, rest)?;
        }
        Ok(())
    }

    /// Unpacks an entry, whose content stands at the beginning of `rest`.
    fn entry(
        &mut self,
        entry: &mut Entry<'_, &[u8]>,
        path: PathBuf,
        rest: &[u8],
    ) -> Result<(), NotRestored> {
        let about = about(entry)?;
        let target = || entry.link_name_bytes().map(|name| name.into_owned());
        match entry.header().entry_type() {
            EntryType::Directory => {
                let there = path.is_dir();
                fs::create_dir_all(&path).map_err(|source| failed(&path, source))?;
                let mut state = self.unpacking.lock();
                state.restored.files += u64::from(!there);
                state.folders.push((path, about));
            }
            EntryType::Symlink => {
                let target = target().ok_or_else(|| damaged("a link without a target"))?;
                let target = PathBuf::from(OsStr::from_bytes(&target));
                let mut state = self.unpacking.lock();
                state.restored.files += 1;
                state.links.push((path, target, about));
            }
            EntryType::Link => {
                let first = target().ok_or_else(|| damaged("a link without a target"))?;
                let Some(first) = self.unpacking.allowed(OsStr::from_bytes(&first)) else {
                    return Ok(());
                };
                let mut state = self.unpacking.lock();
                state.restored.files += 1;
                state.same.push((path, first));
            }
            EntryType::Regular => {
                let length = usize::try_from(entry.size()).map_err(damaged)?;
                let content = rest.get(..length).ok_or_else(|| damaged("an entry ends early"))?;
                self.file(&path, content, about)?;
            }
            other => return Err(damaged(format!("an entry of type {other:?}"))),
        }
        Ok(())
    }

    fn file(&mut self, path: &Path, content: &[u8], about: About) -> Result<(), NotRestored> {
        let mode = about.mode & 0o755;
        self.unpacking
            .create(&mut self.files, path, mode)
            .and_then(|mut file| {
                file.write_all(content)?;
                about.settle(&file, mode)
            })
            .map_err(|source| failed(path, source))?;
        let restored = &mut self.unpacking.lock().restored;
        restored.files += 1;
        restored.bytes += content.len() as u64;
        Ok(())
    }
}

fn about(entry: &mut Entry<'_, &[u8]>) -> Result<About, NotRestored> {
    let exact = match entry.pax_extensions().map_err(damaged)? {
        Some(records) => records.flatten().find_map(|record| {
            (record.key_bytes() == b"mtime").then(|| moment(record.value().ok()?)).flatten()
        }),
        None => None,
    };
    let header = entry.header();
    let number = |number: io::Result<u64>| {
        number.ok().and_then(|number| u32::try_from(number).ok()).ok_or_else(|| damaged("an owner"))
    };
    let seconds = i64::try_from(header.mtime().map_err(damaged)?).map_err(damaged)?;
    Ok(About {
        mode: header.mode().map_err(damaged)? & 0o7777,
        owner: (number(header.uid())?, number(header.gid())?),
        modified: exact.unwrap_or((seconds, 0)),
    })
}

/// Reads seconds and billionths of one.
fn moment(text: &str) -> Option<(i64, u32)> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    Some((seconds.parse().ok()?, digits.parse().ok()?))
}

fn without_slash(name: &[u8]) -> &[u8] {
    match name {
        [rest @ .., b'/'] if !rest.is_empty() => rest,
        name => name,
    }
}

fn damaged(reason: impl std::fmt::Display) -> NotRestored {
    NotRestored::Damaged(reason.to_string())
}
