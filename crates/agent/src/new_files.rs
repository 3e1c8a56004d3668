//! Files that are made one after the other, most of them in the folder of the one before.

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// Writes a file of its own in place of whatever is at `path`: a link there is not followed, and who
/// still reads the file that was there sees no change.
pub(crate) fn write_anew(path: &Path, bytes: &[u8]) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => File::create_new(path)?.write_all(bytes),
    }
}

/// Reads the file at `path`, which is not followed when it is a link, and not waited for when it is
/// something else.
pub(crate) fn read_itself(path: &Path) -> io::Result<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let mut bytes = Vec::new();
    File::from(openat(CWD, path, flags, Mode::empty())?).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Makes files. A path of many folders is not walked for each of them.
#[derive(Default)]
pub(crate) struct NewFiles {
    open: Option<(PathBuf, OwnedFd)>,
}

impl NewFiles {
    /// Makes an empty file with these permissions less the umask, and its folder when that is
    /// missing. It is an error that something is there already, were it a link.
    pub(crate) fn create(&mut self, path: &Path, mode: u32) -> io::Result<File> {
        let name = path.file_name().ok_or(ErrorKind::InvalidFilename)?;
        let folder = self.folder(path.parent().unwrap_or_else(|| Path::new("/")))?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        Ok(File::from(openat(folder, name, flags, Mode::from_raw_mode(mode))?))
    }

    fn folder(&mut self, path: &Path) -> io::Result<&OwnedFd> {
        if self.open.as_ref().is_none_or(|(open, _)| open != path) {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let opened = match openat(CWD, path, flags, Mode::empty()) {
                Err(Errno::NOENT) => {
                    fs::create_dir_all(path)?;
                    openat(CWD, path, flags, Mode::empty())
                }
                opened => opened,
            };
            self.open = Some((path.to_owned(), opened?));
        }
        Ok(&self.open.as_ref().expect("it was opened above").1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use tempfile::TempDir;

    #[test]
    fn files_are_made_with_their_folders_and_never_through_links() {
        let folder = TempDir::new().unwrap();
        let at = |name: &str| folder.path().join(name);
        let mut files = NewFiles::default();
        let mut make = |name: &str| {
            let made = files.create(&at(name), 0o644);
            made.and_then(|mut file| file.write_all(b"new")).map_err(|error| error.kind())
        };
        assert_eq!(make("a/b/c"), Ok(()));
        assert_eq!(make("a/b/d"), Ok(()));
        fs::write(at("target"), "old").unwrap();
        symlink("target", at("link")).unwrap();
        write_anew(&at("link"), b"newer").unwrap();
        assert_eq!(fs::read_to_string(at("link")).unwrap(), "newer");
        symlink("target", at("other")).unwrap();
        assert!(read_itself(&at("other")).is_err());
        assert_eq!(read_itself(&at("target")).unwrap(), b"old");
        for there in ["a/b/c", "other", "a/b"] {
            assert_eq!(make(there), Err(ErrorKind::AlreadyExists), "{there}");
        }
        assert_eq!(fs::read_to_string(at("target")).unwrap(), "old");
        assert_eq!(fs::read_to_string(at("a/b/d")).unwrap(), "new");
    }
}
