//! What a layer leaves of the disk. A few kilobytes of an archive may unpack to more than there is.

use crate::{
    Fault,
    free::{FILE_BYTES, Free},
};
use std::{io, path::PathBuf};

/// How much is written before it is looked again.
const LOOK_BYTES: u64 = 16 << 20;

/// The disk that a layer is written to.
#[derive(Debug)]
pub(super) struct Room {
    folder: PathBuf,
    reserve_bytes: u64,
    /// What may be written before it is looked again.
    granted: u64,
}

impl Room {
    /// The disk of a folder, of which this much stays free.
    pub(super) fn new(folder: impl Into<PathBuf>, reserve_bytes: u64) -> Self {
        Self { folder: folder.into(), reserve_bytes, granted: 0 }
    }

    /// Takes room for a file or a folder, whatever is in it.
    pub(super) fn take_file(&mut self) -> Result<(), Fault> {
        self.take(FILE_BYTES)
    }

    /// Takes room for what is written next.
    pub(super) fn take(&mut self, bytes: u64) -> Result<(), Fault> {
        if self.granted < bytes {
            self.look()?;
            self.granted = LOOK_BYTES.max(bytes);
        }
        self.granted -= bytes;
        Ok(())
    }

    fn look(&self) -> Result<(), Fault> {
        let doing = || format!("write to {}", self.folder.display());
        let free = Free::of(&self.folder).map_err(|error| Fault::new(doing(), error))?;
        if !free.is_below(self.reserve_bytes) {
            return Ok(());
        }
        let (left, reserve) = (free.bytes >> 20, self.reserve_bytes >> 20);
        let reason =
            format!("{left} MiB of its disk are left, and {reserve} MiB are kept in reserve");
        Err(Fault::new(doing(), io::Error::new(io::ErrorKind::StorageFull, reason)))
    }
}
