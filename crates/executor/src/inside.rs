//! A folder seen as the root of a file system: no path and no link leads out of it.

use crate::{Fault, fault::Doing};
use rustix::{
    fs::{Mode, OFlags, ResolveFlags, mkdirat, openat2},
    io::Errno,
};
use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Component, Path, PathBuf},
};

/// An open folder that stands for the root.
#[derive(Debug)]
pub(crate) struct Inside(pub(crate) OwnedFd);

impl AsFd for Inside {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Inside {
    /// Opens what is at a path, following links as if the folder were the root.
    pub(crate) fn open(&self, path: &Path, flags: OFlags) -> rustix::io::Result<OwnedFd> {
        let path = path.strip_prefix("/").unwrap_or(path);
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        openat2(&self.0, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve)
    }

    /// Opens a folder, and makes it and those above it when they are missing.
    pub(crate) fn folder(&self, path: &Path) -> Result<OwnedFd, Fault> {
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        match self.open(path, flags) {
            Err(Errno::NOENT) => {}
            opened => return opened.doing_to("open in the root file system", path),
        }
        let mut reached = PathBuf::from("/");
        for part in path.components() {
            let Component::Normal(name) = part else { continue };
            let above = self.open(&reached, flags);
            let above = above.doing_to("open in the root file system", &reached)?;
            match mkdirat(&above, name, Mode::from_raw_mode(0o755)) {
                Ok(()) | Err(Errno::EXIST) => reached.push(name),
                Err(error) => return Err(error).doing_to("make in the root file system", path),
            }
        }
        self.open(path, flags).doing_to("open in the root file system", path)
    }

    /// Opens exactly this path, with no link on the way; none when it does not exist.
    pub(crate) fn exact(&self, path: &str) -> rustix::io::Result<Option<OwnedFd>> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        match openat2(&self.0, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve) {
            Err(Errno::NOENT) => Ok(None),
            opened => opened.map(Some),
        }
    }
}
