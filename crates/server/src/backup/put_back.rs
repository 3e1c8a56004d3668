//! Making a data folder of a backup.

use super::{FORM, MANIFEST, Manifest, SUMS, Sums};
use sha2::{Digest, Sha256};
use std::{
    fs::{self, File, Permissions},
    io::{self, Read, Write},
    os::unix::fs::PermissionsExt,
    path::{Component, Path, PathBuf},
};
use thiserror::Error;

/// Why no folder was made of a backup.
#[derive(Debug, Error)]
pub enum RestoreError {
    /// There is something already.
    #[error("{} is there already; a backup is put into a folder that is not", .0.display())]
    Occupied(PathBuf),
    /// The file is none.
    #[error("the file is no backup of buildyard")]
    NoBackup,
    /// A newer program made it.
    #[error("the backup has the form {0}, and this program knows {FORM}")]
    Newer(u32),
    /// It is not whole.
    #[error("the backup is damaged: {0}")]
    Damaged(String),
    /// It cannot be read, or the folder cannot be written.
    #[error("failed to restore")]
    File(#[from] io::Error),
}

/// Makes the folder `into` of a backup; it is there as a whole, or not at all.
pub fn restore(backup: impl Read, into: &Path) -> Result<(), RestoreError> {
    let occupied = fs::read_dir(into).is_ok_and(|mut entries| entries.next().is_some());
    if occupied {
        return Err(RestoreError::Occupied(into.to_owned()));
    }
    let parent = into.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(parent)?;
    let new = tempfile::Builder::new().prefix(".restore-").tempdir_in(parent)?;
    fs::set_permissions(new.path(), Permissions::from_mode(0o700))?;
    let mut archive = tar::Archive::new(zstd::Decoder::new(backup)?);
    let (mut found, mut said) = (Sums::new(), None);
    for entry in archive.entries().map_err(|_| RestoreError::NoBackup)? {
        let mut entry = entry.map_err(|error| damaged(found.is_empty(), &error))?;
        let name = entry.path()?.to_string_lossy().into_owned();
        if found.is_empty() {
            check_manifest(&name, &mut entry, &mut found)?;
        } else if name == SUMS {
            let sums = serde_json::from_reader(&mut entry);
            let sums: Sums = sums.map_err(|error| RestoreError::Damaged(error.to_string()))?;
            said = Some(sums);
        } else {
            let sum = write(&mut entry, &place(new.path(), &name)?)?;
            found.insert(name, sum);
        }
    }
    let said = said.ok_or_else(|| RestoreError::Damaged("its end is missing".into()))?;
    if let Some((name, _)) = said.iter().find(|(name, sum)| found.get(*name) != Some(*sum)) {
        return Err(RestoreError::Damaged(format!("{name} is not what it was")));
    }
    put_in_place(new, into, parent)
}

fn damaged(nothing_yet: bool, error: &io::Error) -> RestoreError {
    match nothing_yet {
        true => RestoreError::NoBackup,
        false => RestoreError::Damaged(error.to_string()),
    }
}

fn check_manifest(name: &str, entry: &mut impl Read, found: &mut Sums) -> Result<(), RestoreError> {
    let mut text = Vec::new();
    entry.take(1 << 16).read_to_end(&mut text)?;
    let manifest: Option<Manifest> = serde_json::from_slice(&text).ok();
    match manifest.filter(|_| name == MANIFEST) {
        None => Err(RestoreError::NoBackup),
        Some(manifest) if manifest.form > FORM => Err(RestoreError::Newer(manifest.form)),
        Some(_) => {
            found.insert(name.to_owned(), hex::encode(Sha256::digest(&text)));
            Ok(())
        }
    }
}

/// Where an entry goes: below the folder, whatever its name says.
fn place(folder: &Path, name: &str) -> Result<PathBuf, RestoreError> {
    let path = Path::new(name);
    let inside = path.components().all(|part| matches!(part, Component::Normal(_)));
    if !inside {
        return Err(RestoreError::Damaged(format!("{name:?} is no name of a file in it")));
    }
    Ok(folder.join(path))
}

fn write(entry: &mut impl Read, path: &Path) -> Result<String, RestoreError> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut file = File::create_new(path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    let (mut sum, mut buffer) = (Sha256::new(), vec![0; 256 * 1024]);
    loop {
        let count =
            entry.read(&mut buffer).map_err(|error| RestoreError::Damaged(error.to_string()))?;
        if count == 0 {
            break;
        }
        sum.update(&buffer[..count]);
        file.write_all(&buffer[..count])?;
    }
    file.sync_all()?;
    Ok(hex::encode(sum.finalize()))
}

fn put_in_place(new: tempfile::TempDir, into: &Path, parent: &Path) -> Result<(), RestoreError> {
    for entry in walkdir::WalkDir::new(new.path()).into_iter().flatten() {
        if entry.file_type().is_dir() {
            File::open(entry.path())?.sync_all()?;
        }
    }
    if into.exists() {
        fs::remove_dir(into)?;
    }
    fs::rename(new.keep(), into)?;
    File::open(parent)?.sync_all()?;
    Ok(())
}
