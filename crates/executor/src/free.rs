//! What is free of a disk.

use rustix::fs::statvfs;
use std::{io, path::Path};

/// The part of a file system's files that is the reserve of them.
const FILES_PART: u64 = 100;
/// What a file costs, when only their number is known.
pub(crate) const FILE_BYTES: u64 = 4096;

/// What is free of a file system.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Free {
    pub(crate) bytes: u64,
    pub(crate) files: u64,
    pub(crate) files_in_all: u64,
}

impl Free {
    /// What is free where a folder is.
    pub(crate) fn of(folder: &Path) -> io::Result<Self> {
        let found = statvfs(folder)?;
        Ok(Self {
            bytes: found.f_bavail * found.f_frsize,
            files: found.f_favail,
            files_in_all: found.f_files,
        })
    }

    /// How much less it is than before, in bytes.
    pub(crate) fn fallen_since(&self, before: &Self) -> u64 {
        let files = before.files.saturating_sub(self.files).saturating_mul(FILE_BYTES);
        before.bytes.saturating_sub(self.bytes).saturating_add(files)
    }

    /// Whether less than this is left, or hardly a file.
    pub(crate) fn is_below(&self, reserve_bytes: u64) -> bool {
        // Some file systems make files as they are needed, and count none.
        let few_files = self.files_in_all > 0 && self.files < self.files_in_all / FILES_PART;
        self.bytes < reserve_bytes || few_files
    }
}
