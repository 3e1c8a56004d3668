//! Unpacks a ZIP that may come from an enemy.
//!
//! Nothing is written outside the folder: names and targets of links are judged first, and links
//! are made when everything else is there, so that nothing is ever written through one. How much is
//! unpacked is bounded by the disk alone.

use super::tree::{inside, target_inside};
use crate::calendar;
use crate::fault::plain;
use crate::outcome::Stop;
use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use zip::ZipArchive;
use zip::read::ZipFile;
use zip::result::ZipError;

/// Longer targets of links are no targets.
const TARGET_BYTES_MAX: u64 = 4096;

/// Unpacks a ZIP into a folder that is there and holds no symbolic links.
pub(super) fn unzip(file: &File, folder: &Path) -> Result<(), Stop> {
    let mut archive = ZipArchive::new(BufReader::with_capacity(64 * 1024, file))
        .map_err(|error| stopped("", &error))?;
    let mut unpacked = Unpacked { folder, folders: HashSet::new(), links: Vec::new() };
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(|error| stopped("", &error))?;
        let name = entry.name().map_err(|error| stopped("", &error))?.into_owned();
        unpacked.entry(&name, &mut entry).map_err(|error| stopped(&name, &error))?;
    }
    unpacked.link()
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

struct Unpacked<'a> {
    folder: &'a Path,
    /// The folders that were made, so that each is made once.
    folders: HashSet<PathBuf>,
    /// Where links will be, and where they will lead.
    links: Vec<(PathBuf, PathBuf)>,
}

impl Unpacked<'_> {
    fn entry<R: Read + Seek>(
        &mut self,
        name: &str,
        entry: &mut ZipFile<'_, R>,
    ) -> Result<(), ZipError> {
        let path = inside(name).ok_or_else(leads_out)?;
        if name.ends_with('/') || entry.is_dir() {
            return Ok(self.make_folder(&path)?);
        }
        let parent = path.parent().ok_or_else(leads_out)?;
        self.make_folder(parent)?;
        if entry.is_symlink() {
            let mut target = String::new();
            entry.by_ref().take(TARGET_BYTES_MAX).read_to_string(&mut target)?;
            let target = target_inside(&path, &target).ok_or_else(leads_out)?;
            self.links.push((path, target));
            return Ok(());
        }
        let mode = entry.unix_mode().map_or(0o644, |mode| mode & 0o777 | 0o600);
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(mode)
            .open(self.folder.join(&path))?;
        io::copy(entry, &mut file)?;
        if mode & !0o755 != 0 {
            file.set_permissions(fs::Permissions::from_mode(mode))?;
        }
        if let Some(modified) = entry.last_modified().and_then(moment) {
            file.set_modified(modified)?;
        }
        Ok(())
    }

    fn make_folder(&mut self, path: &Path) -> io::Result<()> {
        if path.as_os_str().is_empty() || self.folders.contains(path) {
            return Ok(());
        }
        fs::create_dir_all(self.folder.join(path))?;
        self.folders.insert(path.to_owned());
        Ok(())
    }

    fn link(self) -> Result<(), Stop> {
        for (path, target) in self.links {
            symlink(target, self.folder.join(&path))
                .map_err(|error| stopped(&path.to_string_lossy(), &ZipError::Io(error)))?;
        }
        Ok(())
    }
}

fn moment(at: zip::DateTime) -> Option<SystemTime> {
    let days = calendar::days(at.year().into(), at.month().into(), at.day().into())?;
    let seconds = u64::from(at.hour()) * 3_600 + u64::from(at.minute()) * 60;
    UNIX_EPOCH.checked_add(Duration::from_secs(days * 86_400 + seconds + u64::from(at.second())))
}
