//! Making a backup of a folder that a service may be using.

use super::{FORM, LOCK, MANIFEST, Manifest, SUMS, Sums};
use crate::clock;
use anyhow::Context;
use sha2::{Digest, Sha256};
use std::{
    fs::{self, File},
    io::{self, ErrorKind, Read, Write},
    path::{Path, PathBuf},
};
use tempfile::TempDir;
use walkdir::WalkDir;

/// How often the files of objects are collected anew when some went away meanwhile.
const COLLECT_TRIES_MAX: usize = 10;
/// The name of the folder that is used meanwhile begins with this.
pub(crate) const TEMPORARY: &str = "backup-";

/// What was put into a backup.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Made {
    /// How many files.
    pub files: usize,
    /// How many bytes they have.
    pub bytes: u64,
}

/// An archive that is being written.
struct Archive<W: Write> {
    tar: tar::Builder<W>,
    sums: Sums,
    made: Made,
}

/// Writes a backup of the folder to `out`.
pub fn make(data_dir: &Path, out: impl Write) -> anyhow::Result<Made> {
    let place = tempfile::Builder::new().prefix(TEMPORARY).tempdir_in(data_dir);
    let place = place.context("failed to make a folder in the data folder")?;
    let lock = File::create(place.path().join(LOCK))?;
    lock.lock().context("failed to lock the folder of the backup")?;
    let compressed = zstd::Encoder::new(out, 3)?;
    let tar = tar::Builder::new(compressed);
    let mut archive = Archive { tar, sums: Sums::new(), made: Made::default() };
    let manifest = Manifest {
        form: FORM,
        program: env!("CARGO_PKG_VERSION").into(),
        made_at: clock::now().millis(),
    };
    archive.entry(MANIFEST, &serde_json::to_vec(&manifest)?)?;
    for name in ["version", "root.keys", "master.key"] {
        archive.file_if_there(&data_dir.join(name), name)?;
    }
    // The state goes first: a log may have more lines than the state knows of, and an object may be
    // there that no build names yet, but not the other way round.
    let state = place.path().join("state.db");
    store::copy_database(&data_dir.join("state.db"), &state)?;
    archive.file(&state, "state.db")?;
    logs(&mut archive, data_dir, &place)?;
    objects(&mut archive, data_dir, &place)?;
    let made = archive.made;
    archive.finish()?.finish()?.flush()?;
    Ok(made)
}

fn logs<W: Write>(
    archive: &mut Archive<W>,
    data_dir: &Path,
    place: &TempDir,
) -> anyhow::Result<()> {
    let (folder, copy) = (data_dir.join("logs"), place.path().join("logs.db"));
    store::copy_database(&folder.join("logs.db"), &copy)?;
    store::distrust_log_sizes(&copy)?;
    archive.file(&copy, "logs/logs.db")?;
    for entry in WalkDir::new(&folder).min_depth(2) {
        let Ok(entry) = entry else { continue };
        if entry.path().extension().is_some_and(|end| end == "log") {
            let name = entry.path().strip_prefix(data_dir)?.to_string_lossy().into_owned();
            // A stream that is deleted meanwhile is in the copy as one without events.
            archive.file_if_there(entry.path(), &name)?;
        }
    }
    Ok(())
}

fn objects<W: Write>(
    archive: &mut Archive<W>,
    data_dir: &Path,
    place: &TempDir,
) -> anyhow::Result<()> {
    let (folder, links) = (data_dir.join("objects"), place.path().join("objects"));
    fs::create_dir(&links)?;
    let copy = place.path().join("objects.db");
    // A file stays as long as a row names it. Those that are linked before the database is copied
    // cannot go, those that came in between are linked after; one that came and went is in another
    // copy or in none.
    for _ in 0..COLLECT_TRIES_MAX {
        link_all(&folder, &links)?;
        if copy.exists() {
            fs::remove_file(&copy)?;
        }
        store::copy_database(&folder.join("objects.db"), &copy)?;
        let named = store::object_files(&copy)?;
        link_all(&folder, &links)?;
        if named.iter().all(|name| links.join(name).exists()) {
            archive.file(&copy, "objects/objects.db")?;
            let mut named: Vec<String> = named.into_iter().collect();
            named.sort();
            for name in named {
                let into = format!("objects/data/{}/{name}", name.get(..2).unwrap_or("00"));
                archive.file(&links.join(&name), &into)?;
            }
            return Ok(());
        }
    }
    anyhow::bail!("objects come and go too fast to be copied; try again when there are fewer")
}

/// Gives each object's file another name, under which it stays.
fn link_all(folder: &Path, links: &Path) -> anyhow::Result<()> {
    for entry in WalkDir::new(folder).min_depth(2) {
        // A file may move or go at any moment.
        let Ok(entry) = entry else { continue };
        if !entry.file_type().is_file() {
            continue;
        }
        match fs::hard_link(entry.path(), links.join(entry.file_name())) {
            Err(error)
                if !matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::NotFound) =>
            {
                return Err(error).context("failed to link an object's file");
            }
            _ => {}
        }
    }
    Ok(())
}

impl<W: Write> Archive<W> {
    fn entry(&mut self, name: &str, content: &[u8]) -> anyhow::Result<()> {
        self.append(name, content.len() as u64, content)
    }

    fn file_if_there(&mut self, path: &Path, name: &str) -> anyhow::Result<()> {
        match File::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            opened => self.opened(opened, path, name),
        }
    }

    fn file(&mut self, path: &Path, name: &str) -> anyhow::Result<()> {
        self.opened(File::open(path), path, name)
    }

    /// A file that may grow meanwhile: it is in the backup as long as it was when it was opened.
    fn opened(&mut self, file: io::Result<File>, path: &Path, name: &str) -> anyhow::Result<()> {
        let doing = || format!("failed to read {}", path.display());
        let file = file.with_context(doing)?;
        let length = file.metadata().with_context(doing)?.len();
        self.append(name, length, file).with_context(doing)
    }

    fn append(&mut self, name: &str, length: u64, content: impl Read) -> anyhow::Result<()> {
        let mut header = tar::Header::new_gnu();
        header.set_size(length);
        header.set_mode(0o600);
        let mut summed = Summed { content: content.take(length), sum: Sha256::new(), left: length };
        self.tar.append_data(&mut header, PathBuf::from(name), &mut summed)?;
        self.sums.insert(name.to_owned(), hex::encode(summed.sum.finalize()));
        self.made.files += 1;
        self.made.bytes += length;
        Ok(())
    }

    fn finish(mut self) -> anyhow::Result<W> {
        let sums = serde_json::to_vec(&self.sums)?;
        self.entry(SUMS, &sums)?;
        Ok(self.tar.into_inner()?)
    }
}

/// Sums up what is read, and gives exactly as much as was said: what a failed append took back of a
/// file meanwhile is zeros, which no reader of logs takes for a frame.
struct Summed<R> {
    content: R,
    sum: Sha256,
    left: u64,
}

impl<R: Read> Read for Summed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Ok(0);
        }
        let room = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let count = match self.content.read(&mut buffer[..room])? {
            0 => {
                buffer[..room].fill(0);
                room
            }
            count => count,
        };
        self.sum.update(&buffer[..count]);
        self.left -= count as u64;
        Ok(count)
    }
}
