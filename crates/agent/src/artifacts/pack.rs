//! One ZIP of an artifact's files, written to a file and never held in memory.
//!
//! Small files are compressed many at a time, a large one in pieces, on as many threads as there are
//! processors; what they make is written in the files' order and summed up on its way.

use crate::artifacts::deflate::{Compressors, stored_blocks};
use crate::artifacts::select::{Kind, Selected};
use crate::artifacts::zip_format::{self, About, Method, Sums};
use crate::digest::{Checksums, Summing, summed};
use crate::fault::plain;
use crate::parallel;
use crate::pieces::{self, Place, Steady, Task};
use crc32fast::Hasher;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::SystemTime;

/// What one thread compresses at a time.
const PIECE_BYTES: u64 = 1024 * 1024;
/// Content of this length or more is tried out before all of it is compressed.
const TRIED_BYTES_MIN: usize = 32 * 1024;
/// What is tried out of it, from its middle.
const TRIAL_BYTES: usize = 4 * 1024;
const MODE_LINK: u32 = 0o120_777;
const MODE_FILE: u32 = 0o100_000;

/// Writes the ZIP, and gives its checksums.
pub(super) fn pack(files: &[Selected], into: &File) -> io::Result<Checksums> {
    let found = files.iter().map(Found::look).collect::<io::Result<Vec<_>>>()?;
    let plan = pieces::plan(found.iter().map(|file| file.content.length()), PIECE_BYTES);
    let compressors = Compressors::default();
    let ((), checksums) = summed(|summing| {
        let mut archive = Archive::new(into, summing);
        let work = |number: usize| compress(&plan[number], &found, &compressors);
        parallel::in_order(plan.len(), work, |packed| archive.add(&found, packed))?;
        archive.finish()
    })?;
    Ok(checksums)
}

/// A selected file as it was found when packing began.
struct Found<'a> {
    selected: &'a Selected,
    mode: u32,
    modified: Option<SystemTime>,
    content: Steady,
}

impl<'a> Found<'a> {
    fn look(selected: &'a Selected) -> io::Result<Self> {
        let about = match selected.kind {
            Kind::Link => fs::symlink_metadata(&selected.path),
            Kind::Content => fs::metadata(&selected.path),
        };
        let about = about.map_err(|error| at(selected, &error))?;
        let (mode, length) = match selected.kind {
            Kind::Link => (MODE_LINK, 0),
            Kind::Content => (MODE_FILE | about.permissions().mode() & 0o777, about.len()),
        };
        let content = Steady::new(selected.path.clone(), length);
        Ok(Self { selected, mode, modified: about.modified().ok(), content })
    }

    fn about(&self) -> About<'_> {
        About {
            name: self.selected.name.as_bytes(),
            mode: self.mode,
            modified: self.modified,
            length_max: self.content.length(),
        }
    }

    fn read_whole(&self, into: &mut Vec<u8>) -> io::Result<()> {
        match self.selected.kind {
            Kind::Link => {
                into.extend_from_slice(fs::read_link(&self.selected.path)?.as_os_str().as_bytes());
                Ok(())
            }
            Kind::Content => self.content.read_whole(into),
        }
    }
}

/// What a thread made.
enum Packed {
    /// Entries from the first byte of their headers, each with its place among the bytes.
    Entries { bytes: Vec<u8>, entries: Vec<(usize, u64, Sums)> },
    /// A piece of an entry, without anything before or behind it.
    Piece { file: usize, bytes: Vec<u8>, crc: Hasher, length: u64, place: Place },
}

fn compress(task: &Task, found: &[Found<'_>], compressors: &Compressors) -> io::Result<Packed> {
    let mut content = Vec::new();
    match task {
        Task::Whole(numbers) => {
            let (mut bytes, mut entries) = (Vec::new(), Vec::with_capacity(numbers.len()));
            for number in numbers.clone() {
                let file = &found[number];
                let start = bytes.len() as u64;
                content.clear();
                let packed = file
                    .read_whole(&mut content)
                    .and_then(|()| pack_whole(&file.about(), &content, compressors, &mut bytes));
                let sums = packed.map_err(|error| at(file.selected, &error))?;
                entries.push((number, start, sums));
            }
            Ok(Packed::Entries { bytes, entries })
        }
        Task::Piece { file: number, from, place } => {
            let file = &found[*number];
            let mut bytes = Vec::new();
            file.content
                .read_piece(*from, PIECE_BYTES, &mut content)
                .and_then(|()| pack_piece(&content, *place, compressors, &mut bytes))
                .map_err(|error| at(file.selected, &error))?;
            let mut crc = Hasher::new();
            crc.update(&content);
            let length = content.len() as u64;
            Ok(Packed::Piece { file: *number, bytes, crc, length, place: *place })
        }
    }
}

/// Appends one entry whose content is there; compressed, if that makes it smaller.
fn pack_whole(
    about: &About<'_>,
    content: &[u8],
    compressors: &Compressors,
    into: &mut Vec<u8>,
) -> io::Result<Sums> {
    let length = content.len() as u64;
    let mut compressed = Vec::new();
    if !content.is_empty() && is_worth_compressing(content, compressors)? {
        compressors.deflate(content, Place::Last, &mut compressed)?;
    }
    let smaller = !compressed.is_empty() && (compressed.len() as u64) < length;
    let (method, kept) =
        if smaller { (Method::Deflated, &compressed[..]) } else { (Method::Stored, content) };
    let sums = Sums { method, crc: crc32fast::hash(content), length, kept: kept.len() as u64 };
    about.local_header(Some(sums), into);
    into.extend_from_slice(kept);
    Ok(sums)
}

/// Appends a piece of a deflate stream; as it is, if it cannot be made smaller.
fn pack_piece(
    content: &[u8],
    place: Place,
    compressors: &Compressors,
    into: &mut Vec<u8>,
) -> io::Result<()> {
    if is_worth_compressing(content, compressors)? {
        return compressors.deflate(content, place, into);
    }
    stored_blocks(content, place, into);
    Ok(())
}

/// Whether a sample becomes smaller. What is compressed already, as most large files are, is told
/// by a small part of it.
fn is_worth_compressing(content: &[u8], compressors: &Compressors) -> io::Result<bool> {
    if content.len() < TRIED_BYTES_MIN {
        return Ok(true);
    }
    let middle = content.len() / 2;
    let mut trial = Vec::new();
    compressors.deflate(&content[middle..middle + TRIAL_BYTES], Place::Last, &mut trial)?;
    Ok(trial.len() < TRIAL_BYTES / 100 * 98)
}

/// The ZIP as it is written.
struct Archive<'a> {
    into: &'a File,
    summing: &'a Summing,
    at: u64,
    directory: Vec<u8>,
    entries: u64,
    /// The entry whose pieces come: where it began, and what came of it so far.
    open: Option<(u64, Hasher, Sums)>,
}

impl<'a> Archive<'a> {
    fn new(into: &'a File, summing: &'a Summing) -> Self {
        Self { into, summing, at: 0, directory: Vec::new(), entries: 0, open: None }
    }

    fn add(&mut self, found: &[Found<'_>], packed: Packed) -> io::Result<()> {
        match packed {
            Packed::Entries { bytes, entries } => {
                for (number, start, sums) in entries {
                    self.list(&found[number].about(), sums, false, self.at + start);
                }
                self.write(bytes)
            }
            Packed::Piece { file, bytes, crc, length, place } => {
                let file = &found[file];
                let about = file.about();
                let mut before = Vec::new();
                let nothing = Sums { method: Method::Deflated, crc: 0, length: 0, kept: 0 };
                let (start, mut whole, mut sums) = self.open.take().unwrap_or_else(|| {
                    about.local_header(None, &mut before);
                    (self.at, Hasher::new(), nothing)
                });
                whole.combine(&crc);
                sums.length += length;
                sums.kept += bytes.len() as u64;
                if !before.is_empty() {
                    self.write(before)?;
                }
                self.write(bytes)?;
                match place {
                    Place::Before => self.open = Some((start, whole, sums)),
                    Place::Last => {
                        file.content.close();
                        sums.crc = whole.finalize();
                        let mut behind = Vec::new();
                        about.descriptor(sums, &mut behind);
                        self.write(behind)?;
                        self.list(&about, sums, true, start);
                    }
                }
                Ok(())
            }
        }
    }

    fn list(&mut self, about: &About<'_>, sums: Sums, has_descriptor: bool, at: u64) {
        self.directory.extend(about.directory_header(sums, has_descriptor, at));
        self.entries += 1;
    }

    fn finish(mut self) -> io::Result<()> {
        let (at, directory) = (self.at, std::mem::take(&mut self.directory));
        let length = directory.len() as u64;
        self.write(directory)?;
        self.write(zip_format::end(self.entries, length, at))
    }

    fn write(&mut self, bytes: Vec<u8>) -> io::Result<()> {
        let bytes = Arc::new(bytes);
        self.summing.take(&bytes);
        self.at += bytes.len() as u64;
        self.into.write_all(&bytes)
    }
}

fn at(selected: &Selected, error: &io::Error) -> io::Error {
    io::Error::other(format!("{}: {}", selected.path.display(), plain(error)))
}

#[cfg(test)]
mod tests;
