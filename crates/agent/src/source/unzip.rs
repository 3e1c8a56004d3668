//! Unpacks a ZIP that may come from an enemy.
//!
//! Nothing is written outside the folder: names and targets of links are judged first, and links
//! are made when everything else is there, so that nothing is ever written through one. How much is
//! unpacked is bounded by the disk alone. Several threads share the work, each on files of its own.

#[cfg(test)]
mod tests;

use super::tree::{inside, target_inside};
use crate::calendar;
use crate::fault::plain;
use crate::new_files::NewFiles;
use crate::outcome::Stop;
use crate::parallel;
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use zip::ZipArchive;
use zip::extra_fields::ExtraField;
use zip::read::{ZipArchiveMetadata, ZipFile, ZipReadOptions};
use zip::result::ZipError;

/// Longer targets of links are no targets.
const TARGET_BYTES_MAX: u64 = 4096;
/// What a thread unpacks at a time: enough that the files of one folder mostly fall to one thread.
const ENTRIES_AT_A_TIME: usize = 64;
const BUFFER_BYTES: usize = 128 * 1024;

/// Unpacks a ZIP into a folder that is there and holds no symbolic links.
pub(super) fn unzip(file: &File, folder: &Path) -> Result<(), Stop> {
    let archive = ZipArchive::new(Window::new(file)).map_err(|error| stopped("", &error))?;
    let about = archive.metadata();
    let plan = Plan::new(&about)?;
    for path in &plan.folders {
        fs::create_dir_all(folder.join(path))
            .map_err(|error| stopped(&path.to_string_lossy(), &error.into()))?;
    }
    let links = Mutex::new(Vec::new());
    let batches: Vec<_> = batches(plan.files.len()).collect();
    parallel::for_each(&batches, |batch| {
        let mut unpack = Unpack::new(file, &about, folder);
        for (index, path) in &plan.files[batch.clone()] {
            let link = unpack
                .entry(*index, path)
                .map_err(|error| stopped(&path.to_string_lossy(), &error))?;
            links.lock().unwrap_or_else(PoisonError::into_inner).extend(link);
        }
        Ok::<(), Stop>(())
    })?;
    for (path, target) in links.into_inner().unwrap_or_else(PoisonError::into_inner) {
        symlink(target, folder.join(&path))
            .map_err(|error| stopped(&path.to_string_lossy(), &error.into()))?;
    }
    Ok(())
}

/// AWS: the words are Go's where Go has words for it.
fn stopped(name: &str, error: &ZipError) -> Stop {
    let at = if name.is_empty() { String::new() } else { format!("{name}: ") };
    Stop::client(match error {
        ZipError::Io(error) => format!("failed to unzip the source: {at}{}", plain(error)),
        ZipError::InvalidArchive(_) if name.is_empty() => "zip: not a valid zip file".to_owned(),
        error => format!("failed to unzip the source: {at}{error}"),
    })
}

fn leads_out() -> ZipError {
    ZipError::Io(io::Error::other("the path leads out of the source's folder"))
}

fn batches(count: usize) -> impl Iterator<Item = Range<usize>> {
    (0..count)
        .step_by(ENTRIES_AT_A_TIME)
        .map(move |start| start..count.min(start + ENTRIES_AT_A_TIME))
}

/// What is to be made, from the names alone.
struct Plan {
    /// Every folder, each after those it is in.
    folders: Vec<PathBuf>,
    /// Everything else, each path once, in the archive's order.
    files: Vec<(usize, PathBuf)>,
}

impl Plan {
    fn new(about: &ZipArchiveMetadata) -> Result<Self, Stop> {
        let mut folders = std::collections::BTreeSet::new();
        // Of two entries with one path the later counts.
        let mut files = HashMap::with_capacity(about.len());
        for index in 0..about.len() {
            let entry = about.entry(index).map_err(|error| stopped("", &error))?;
            let name = entry.name().map_err(|error| stopped("", &error))?;
            let path = inside(&name).ok_or_else(|| stopped(&name, &leads_out()))?;
            if name.ends_with('/') || entry.is_dir() {
                folders.insert(path);
                continue;
            }
            if let Some(parent) = path.parent().filter(|parent| !folders.contains(*parent)) {
                folders.insert(parent.to_owned());
            }
            files.insert(path, index);
        }
        let mut files: Vec<_> = files.into_iter().map(|(path, index)| (index, path)).collect();
        files.sort_unstable();
        Ok(Self { folders: folders.into_iter().collect(), files })
    }
}

/// One thread's share of the unpacking.
struct Unpack<'a> {
    about: &'a ZipArchiveMetadata,
    window: Window<'a>,
    folder: &'a Path,
    files: NewFiles,
    buffer: Vec<u8>,
}

impl<'a> Unpack<'a> {
    fn new(file: &'a File, about: &'a ZipArchiveMetadata, folder: &'a Path) -> Self {
        let (files, buffer) = (NewFiles::default(), vec![0; BUFFER_BYTES]);
        Self { about, window: Window::new(file), folder, files, buffer }
    }

    /// Unpacks a file. A link is given back, where it will be and where it will lead.
    fn entry(&mut self, index: usize, path: &Path) -> Result<Option<(PathBuf, PathBuf)>, ZipError> {
        let entry = self.about.entry(index)?;
        let mut content = entry.with_reader(&mut self.window, ZipReadOptions::new())?;
        if content.is_symlink() {
            let mut target = String::new();
            content.by_ref().take(TARGET_BYTES_MAX).read_to_string(&mut target)?;
            let target = target_inside(path, &target).ok_or_else(leads_out)?;
            return Ok(Some((path.to_owned(), target)));
        }
        let mode = content.unix_mode().map_or(0o644, |mode| mode & 0o777 | 0o600);
        let mut file = self.files.create(&self.folder.join(path), mode)?;
        loop {
            let filled = fill(&mut content, &mut self.buffer)?;
            file.write_all(&self.buffer[..filled])?;
            if filled < self.buffer.len() {
                break;
            }
        }
        if mode & !0o755 != 0 {
            file.set_permissions(fs::Permissions::from_mode(mode))?;
        }
        if let Some(modified) = modified(&content) {
            file.set_modified(modified)?;
        }
        Ok(None)
    }
}

/// Reads until the buffer is full or there is no more.
fn fill(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match from.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// When an entry was changed last: to the second and in UTC where the archive says so; the
/// format's own field says neither.
fn modified(entry: &ZipFile<'_, Window<'_>>) -> Option<SystemTime> {
    let exact = entry.extra_data_fields().find_map(|field| match field {
        ExtraField::ExtendedTimestamp(times) => times.mod_time(),
        _ => None,
    });
    match exact {
        Some(seconds) => UNIX_EPOCH.checked_add(Duration::from_secs(seconds.into())),
        None => entry.last_modified().and_then(moment),
    }
}

fn moment(at: zip::DateTime) -> Option<SystemTime> {
    let days = calendar::days(at.year().into(), at.month().into(), at.day().into())?;
    let seconds = u64::from(at.hour()) * 3_600 + u64::from(at.minute()) * 60;
    UNIX_EPOCH.checked_add(Duration::from_secs(days * 86_400 + seconds + u64::from(at.second())))
}

/// A file that each thread reads where it wants; a jump within what was read costs nothing.
struct Window<'a> {
    file: &'a File,
    at: u64,
    buffer: Vec<u8>,
    /// Where the buffer's bytes stand in the file.
    start: u64,
}

impl<'a> Window<'a> {
    fn new(file: &'a File) -> Self {
        Self { file, at: 0, buffer: Vec::new(), start: 0 }
    }
}

impl Read for Window<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let held = self.start..self.start + self.buffer.len() as u64;
        if !held.contains(&self.at) {
            if into.len() >= BUFFER_BYTES {
                let read = self.file.read_at(into, self.at)?;
                self.at += read as u64;
                return Ok(read);
            }
            self.buffer.resize(BUFFER_BYTES, 0);
            self.start = self.at;
            let read = self.file.read_at(&mut self.buffer, self.at);
            self.buffer.truncate(*read.as_ref().unwrap_or(&0));
            read?;
        }
        let from = usize::try_from(self.at - self.start).expect("it is within the buffer");
        let there = &self.buffer[from.min(self.buffer.len())..];
        let length = there.len().min(into.len());
        into[..length].copy_from_slice(&there[..length]);
        self.at += length as u64;
        Ok(length)
    }
}

impl Seek for Window<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let to = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.file.metadata()?.len().checked_add_signed(by),
        };
        self.at = to.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
