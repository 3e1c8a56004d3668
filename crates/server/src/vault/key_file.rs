//! The file that holds the key: 64 hexadecimal digits on a line, readable by its owner alone.

use super::seal::{KEY_BYTES, SealingKey};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
};
use thiserror::Error;

/// Why a key file cannot be used.
#[derive(Debug, Error)]
pub(super) enum KeyFileError {
    /// The system refuses.
    #[error("the file cannot be used")]
    File(#[from] io::Error),
    /// Others than its owner may read or change it.
    #[error("others than its owner have access to it: its mode is {0:o} and should be 600")]
    Open(u32),
    /// It does not hold a key.
    #[error("it does not hold 64 hexadecimal digits")]
    Content,
}

/// Reads the key; none when there is no file.
pub(super) fn read(path: &Path) -> Result<Option<SealingKey>, KeyFileError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mode = fs::metadata(path)?.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyFileError::Open(mode));
    }
    let mut key = [0; KEY_BYTES];
    hex::decode_to_slice(text.trim(), &mut key).map_err(|_| KeyFileError::Content)?;
    Ok(Some(SealingKey::new(&key)))
}

/// Makes a key where none is, and gives the one that is there when somebody else was faster.
pub(super) fn make(path: &Path) -> Result<SealingKey, KeyFileError> {
    let mut key = [0; KEY_BYTES];
    getrandom::fill(&mut key).map_err(|error| io::Error::other(error.to_string()))?;
    // Whole or not at all, and never in the place of another: half a key or a lost one would
    // lose every value.
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}", std::process::id()));
    let new = Path::new(&name);
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(new)?;
    file.write_all(format!("{}\n", hex::encode(key)).as_bytes())?;
    file.sync_all()?;
    let linked = fs::hard_link(new, path);
    fs::remove_file(new)?;
    match linked {
        Ok(()) => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
            Ok(SealingKey::new(&key))
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            read(path)?.ok_or_else(|| error.into())
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::{KeyFileError, make, read};
    use std::{fs, os::unix::fs::PermissionsExt};

    #[test]
    fn a_key_is_made_once_and_is_its_owners() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data.key");
        assert!(read(&path).unwrap().is_none());
        let made = make(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(read(&path).unwrap().unwrap().id(), made.id());
        assert_eq!(make(&path).unwrap().id(), made.id(), "the one that is there");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_others_can_read_or_that_is_no_key_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data.key");
        make(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(read(&path), Err(KeyFileError::Open(0o640))));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "00").unwrap();
        assert!(matches!(read(&path), Err(KeyFileError::Content)));
    }
}
