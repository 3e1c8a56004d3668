//! The data folder's version, and whether the containers that its state knows of are on this machine.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Write},
    path::Path,
};
use thiserror::Error;
use uuid::Uuid;

/// The format that this program writes. A folder of an older one is brought up to it, one of a newer
/// one is refused and left alone.
pub const VERSION: u32 = 1;

/// Why a data folder cannot be used by this program.
#[derive(Debug, Error)]
pub enum VersionError {
    /// The file that says the version cannot be read or written.
    #[error("failed to use the file `version` of the data folder")]
    File(#[from] io::Error),
    /// It says no number.
    #[error("the file `version` of the data folder says {0:?}, which is no number")]
    NotANumber(String),
    /// A newer program wrote the folder.
    #[error("the data folder has the format {0}, and this program knows those up to {VERSION}")]
    Newer(u32),
}

/// The version of a data folder; none for one that is new, or as old as the first.
pub fn version(folder: &Path) -> Result<Option<u32>, VersionError> {
    let text = match fs::read_to_string(folder.join("version")) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    match text.trim().parse() {
        Ok(version) if version > VERSION => Err(VersionError::Newer(version)),
        Ok(version) => Ok(Some(version)),
        Err(_) => Err(VersionError::NotANumber(text)),
    }
}

/// Brings a data folder up to this program's version, before anything else in it is touched.
///
/// Each database and each kind of file has a version of its own, and is brought up to date by whoever
/// opens it. This one is for what concerns the folder as a whole.
pub fn upgrade(folder: &Path) -> Result<(), VersionError> {
    if version(folder)? != Some(VERSION) {
        write_durably(folder, "version", format!("{VERSION}\n").as_bytes())?;
    }
    Ok(())
}

/// What tells a machine's present set of containers from any other: they end with the machine, and
/// are in no copy of its folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Containers {
    /// The machine's start.
    pub boot: String,
    /// The folder that has what is known of them.
    pub folder: String,
}

impl Containers {
    /// As a text that differs for every other set.
    pub fn tells(&self) -> String {
        format!("{} {}", self.boot, self.folder)
    }
}

/// The containers that may be on this machine for a data folder.
pub fn containers(data_folder: &Path) -> io::Result<Containers> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let folder = data_folder.join("containers");
    fs::create_dir_all(&folder)?;
    let name = "containers.id";
    let folder = match fs::read_to_string(data_folder.join(name)) {
        Ok(text) if !text.trim().is_empty() => text.trim().to_owned(),
        Ok(_) => fresh(data_folder, name)?,
        Err(error) if error.kind() == ErrorKind::NotFound => fresh(data_folder, name)?,
        Err(error) => return Err(error),
    };
    Ok(Containers { boot: boot.trim().to_owned(), folder })
}

fn fresh(folder: &Path, name: &str) -> io::Result<String> {
    let id = Uuid::new_v4().to_string();
    write_durably(folder, name, id.as_bytes())?;
    Ok(id)
}

/// Writes a small file: after a crash it is there as a whole or as it was.
pub fn write_durably(folder: &Path, name: &str, content: &[u8]) -> io::Result<()> {
    let new = folder.join(format!("{name}.new"));
    let mut file = File::create(&new)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&new, folder.join(name))?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::{VERSION, VersionError, containers, upgrade, version};
    use std::fs;

    #[test]
    fn a_folder_of_a_newer_format_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        upgrade(folder.path()).unwrap();
        assert_eq!(version(folder.path()).unwrap(), Some(VERSION));
        fs::write(folder.path().join("version"), "7\n").unwrap();
        assert!(matches!(upgrade(folder.path()), Err(VersionError::Newer(7))));
        assert_eq!(fs::read_to_string(folder.path().join("version")).unwrap(), "7\n");
        fs::write(folder.path().join("version"), "\0\0").unwrap();
        assert!(matches!(upgrade(folder.path()), Err(VersionError::NotANumber(_))));
    }

    #[test]
    fn containers_are_the_same_until_their_folder_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let first = containers(folder.path()).unwrap();
        assert_eq!(containers(folder.path()).unwrap(), first);
        fs::remove_file(folder.path().join("containers.id")).unwrap();
        assert_ne!(containers(folder.path()).unwrap(), first);
    }
}
