//! Packs a cache and uploads it at the same time. What is in memory at once does not grow with the
//! cache.

use super::index::{Frame, Index, LargeFile, PieceOf};
use super::paths::{Found, Kind};
use crate::fault::plain;
use crate::object_store::{Client, Condition, Destination, StoreError};
use crate::parallel;
use crate::pieces::{self, Steady, Task};
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tar::{Builder, EntryType, Header};
use thiserror::Error;
use zstd::bulk::Compressor;
use zstd::zstd_safe::{CParameter, compress_bound};

/// Fast first, as the store is near; but the level below this one is no faster on texts, and what
/// it stores more has to be sent, summed up, written and fetched.
const LEVEL: i32 = 2;
/// What one thread compresses at a time; a file larger than this is shared by several.
const PIECE_BYTES: u64 = 2 * 1024 * 1024;
/// What a tar archive's fields for names hold.
const NAME_BYTES_MAX: usize = 100;
const BLOCK_BYTES: usize = 512;
/// Two empty blocks end a tar archive.
const END_BYTES: usize = 2 * BLOCK_BYTES;
/// Headers of one entry, at most: its own, and one for what does not fit there.
const HEADERS_BYTES_MAX: u64 = 16 * 1024;

/// Why nothing was saved.
#[derive(Debug, Error)]
pub(super) enum NotSaved {
    /// The store did not take it.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// A file cannot be read.
    #[error("{path}: {}", plain(source))]
    File {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
}

/// What was saved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Saved {
    /// How many files.
    pub(super) files: u64,
    /// How many bytes they have.
    pub(super) bytes: u64,
    /// How many bytes the cache has.
    pub(super) stored: u64,
}

/// Saves files as one object.
pub(super) fn save(
    client: &Client,
    bucket: &str,
    key: &str,
    condition: Condition,
    found: Vec<Found>,
) -> Result<Saved, NotSaved> {
    let files: Vec<Cached> = found.into_iter().map(Cached::new).collect();
    let plan = pieces::plan(files.iter().map(|file| file.content.length()), PIECE_BYTES);
    let large = LargeFiles::of(&plan);
    let packing = Packing::new(&files, &large);
    let mut index = Index { large: large.described(&files), ..Index::default() };
    let mut saved = Saved::default();
    let length_max = files.iter().map(|file| file.content.length() + HEADERS_BYTES_MAX).sum();
    let to = Destination { bucket, key, metadata: &[], condition };
    client.upload_stream(&to, length_max, |stream| {
        let work = |number: usize| packing.pack(&plan[number]);
        parallel::in_order(plan.len(), work, |packed| {
            index.files += packed.files;
            index.bytes += packed.bytes;
            saved.stored += packed.stored.len() as u64;
            index.frames.push(packed.frame());
            stream.write(&packed.stored)?;
            lock(&packing.sent).push(packed.stored);
            Ok::<(), NotSaved>(())
        })?;
        let end = packing.end()?;
        index.frames.push(end.frame());
        stream.write(&end.stored)?;
        let frame = index.to_frame();
        saved.stored += (end.stored.len() + frame.len()) as u64;
        Ok::<(), NotSaved>(stream.write(&frame)?)
    })?;
    Ok(Saved { files: index.files, bytes: index.bytes, ..saved })
}

/// A file and how it is read.
struct Cached {
    found: Found,
    content: Steady,
}

impl Cached {
    fn new(found: Found) -> Self {
        let length = match found.kind {
            Kind::File => found.about.len(),
            Kind::Folder | Kind::Link(_) | Kind::Same(_) => 0,
        };
        Self { content: Steady::new(found.path.clone(), length), found }
    }

    fn failed(&self, source: io::Error) -> NotSaved {
        NotSaved::File { path: self.found.path.display().to_string(), source }
    }
}

/// The files that have several pieces, by their numbers among all.
struct LargeFiles(Vec<usize>);

impl LargeFiles {
    fn of(plan: &[Task]) -> Self {
        let mut numbers: Vec<usize> = plan
            .iter()
            .filter_map(|task| match task {
                Task::Piece { file, .. } => Some(*file),
                Task::Whole(_) => None,
            })
            .collect();
        numbers.dedup();
        Self(numbers)
    }

    fn place(&self, number: usize) -> usize {
        self.0.binary_search(&number).expect("a file with pieces is a large one")
    }

    fn described(&self, files: &[Cached]) -> Vec<LargeFile> {
        let describe = |number: &usize| {
            let Found { name, about, .. } = &files[*number].found;
            LargeFile {
                name: name.as_bytes().to_vec(),
                length: files[*number].content.length(),
                mode: about.mode() & 0o7777,
                owner: (about.uid(), about.gid()),
                modified: (about.mtime(), nanoseconds(about.mtime_nsec())),
            }
        };
        self.0.iter().map(describe).collect()
    }
}

/// One frame.
#[derive(Default)]
struct Packed {
    stored: Vec<u8>,
    length: u64,
    piece: Option<PieceOf>,
    files: u64,
    bytes: u64,
}

impl Packed {
    fn frame(&self) -> Frame {
        Frame { stored: self.stored.len() as u64, length: self.length, piece: self.piece }
    }
}

struct Packing<'a> {
    files: &'a [Cached],
    large: &'a LargeFiles,
    /// Presses that are not at work.
    presses: Mutex<Vec<Press>>,
    /// The memory of frames that have been sent.
    sent: Mutex<Vec<Vec<u8>>>,
}

impl<'a> Packing<'a> {
    fn new(files: &'a [Cached], large: &'a LargeFiles) -> Self {
        Self { files, large, presses: Mutex::default(), sent: Mutex::default() }
    }

    fn pack(&self, task: &Task) -> Result<Packed, NotSaved> {
        match task {
            Task::Whole(numbers) => self.frame(|press| {
                let mut packed = Packed::default();
                for file in &self.files[numbers.clone()] {
                    match press.append(&file.found, &file.content) {
                        Ok(bytes) => {
                            packed.files += 1;
                            packed.bytes += bytes;
                        }
                        // A file that has gone meanwhile is not missed.
                        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                        Err(error) => return Err(file.failed(error)),
                    }
                }
                Ok(packed)
            }),
            Task::Piece { file: number, from, place } => {
                let file = &self.files[*number];
                let packed = self.frame(|press| {
                    self.piece(*number, *from, &mut press.archive)
                        .map_err(|error| file.failed(error))
                })?;
                if *place == pieces::Place::Last {
                    file.content.close();
                }
                Ok(packed)
            }
        }
    }

    fn piece(&self, number: usize, from: u64, archive: &mut Vec<u8>) -> io::Result<Packed> {
        let file = &self.files[number];
        let length = PIECE_BYTES.min(file.content.length() - from);
        let length = usize::try_from(length).expect("a piece is small");
        if from == 0 {
            append_headers(&file.found, file.content.length(), archive)?;
        }
        let skip = archive.len();
        file.content.read_piece(from, PIECE_BYTES, archive)?;
        // The archive says how long the file is; where it has become shorter it is filled up.
        archive.resize(skip + length, 0);
        let piece = PieceOf { file: self.large.place(number), from, skip, length };
        pad(archive, skip);
        let files = u64::from(from == 0);
        Ok(Packed { piece: Some(piece), files, bytes: length as u64, ..Packed::default() })
    }

    /// What ends the archive.
    fn end(&self) -> Result<Packed, NotSaved> {
        self.frame(|press| {
            press.archive.resize(END_BYTES, 0);
            Ok(Packed::default())
        })
    }

    /// Makes a frame of the stretch of the archive that `fill` writes into a press.
    fn frame(
        &self,
        fill: impl FnOnce(&mut Press) -> Result<Packed, NotSaved>,
    ) -> Result<Packed, NotSaved> {
        let no_press = |source| NotSaved::File { path: "a frame".to_owned(), source };
        let mut press = lock(&self.presses).pop().map_or_else(Press::new, Ok).map_err(no_press)?;
        let mut packed = fill(&mut press)?;
        packed.length = press.archive.len() as u64;
        packed.stored = lock(&self.sent).pop().unwrap_or_default();
        press.press(&mut packed.stored).map_err(no_press)?;
        lock(&self.presses).push(press);
        Ok(packed)
    }
}

/// What one thread makes frames with, one after the other.
struct Press {
    compressor: Compressor<'static>,
    /// The stretch of the archive that becomes the next frame.
    archive: Vec<u8>,
    content: Vec<u8>,
}

impl Press {
    fn new() -> io::Result<Self> {
        let mut compressor = Compressor::new(LEVEL)?;
        compressor.set_parameter(CParameter::ChecksumFlag(true))?;
        Ok(Self { compressor, archive: Vec::new(), content: Vec::new() })
    }

    /// Appends one entry, and gives the length of its content.
    fn append(&mut self, found: &Found, content: &Steady) -> io::Result<u64> {
        self.content.clear();
        match &found.kind {
            Kind::File => content.read_whole(&mut self.content)?,
            Kind::Folder | Kind::Link(_) | Kind::Same(_) => {}
        }
        append_headers(found, self.content.len() as u64, &mut self.archive)?;
        let data = self.archive.len();
        self.archive.extend_from_slice(&self.content);
        pad(&mut self.archive, data);
        Ok(self.content.len() as u64)
    }

    fn press(&mut self, into: &mut Vec<u8>) -> io::Result<()> {
        into.clear();
        into.reserve(compress_bound(self.archive.len()));
        self.compressor.compress_to_buffer(&self.archive, into)?;
        self.archive.clear();
        Ok(())
    }
}

/// Appends what stands before an entry's content.
fn append_headers(found: &Found, length: u64, archive: &mut Vec<u8>) -> io::Result<()> {
    let about = &found.about;
    let (kind, target) = match &found.kind {
        Kind::Folder => (EntryType::Directory, None),
        Kind::File => (EntryType::Regular, None),
        Kind::Link(target) => (EntryType::Symlink, Some(target.as_os_str())),
        Kind::Same(first) => (EntryType::Link, Some(first.as_os_str())),
    };
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(about.mode() & 0o7777);
    header.set_uid(about.uid().into());
    header.set_gid(about.gid().into());
    header.set_size(length);
    header.set_mtime(u64::try_from(about.mtime()).unwrap_or_default());
    // AWS: names may begin with `/`, which the library's own setters refuse.
    let fields = header.as_old_mut();
    let mut beyond: Vec<(&str, Vec<u8>)> = Vec::new();
    let mut set = |field: &mut [u8; NAME_BYTES_MAX], record, text: &OsStr| {
        let text = text.as_bytes();
        if text.len() > NAME_BYTES_MAX {
            beyond.push((record, text.to_vec()));
        }
        let length = text.len().min(NAME_BYTES_MAX);
        field[..length].copy_from_slice(&text[..length]);
    };
    set(&mut fields.name, "path", &found.name);
    if let Some(target) = target {
        set(&mut fields.linkname, "linkpath", target);
    }
    let fraction = nanoseconds(about.mtime_nsec());
    if kind != EntryType::Link && fraction > 0 && about.mtime() >= 0 {
        let moment = format!("{}.{fraction:09}", about.mtime());
        beyond.push(("mtime", moment.into_bytes()));
    }
    header.set_cksum();
    let mut builder = Builder::new(&mut *archive);
    if !beyond.is_empty() {
        let records = beyond.iter().map(|(name, value)| (*name, value.as_slice()));
        builder.append_pax_extensions(records)?;
    }
    // The content is none of the library's business: it comes in pieces.
    builder.get_mut().extend_from_slice(header.as_bytes());
    builder.into_inner()?;
    archive.truncate(archive.len() - END_BYTES);
    Ok(())
}

fn pad(archive: &mut Vec<u8>, data: usize) {
    let over = (archive.len() - data) % BLOCK_BYTES;
    if over > 0 {
        archive.resize(archive.len() + BLOCK_BYTES - over, 0);
    }
}

fn nanoseconds(number: i64) -> u32 {
    u32::try_from(number).unwrap_or_default()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
