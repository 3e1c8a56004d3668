//! Where the caches of a folder's builds are between them.

use anyhow::Context;
use sha2::{Digest, Sha256};
use std::{
    fs::{self, File, TryLockError},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

/// A folder of caches that no other build has for as long as this is kept.
pub(super) struct Caches {
    /// The folder.
    pub(super) folder: PathBuf,
    _lock: File,
}

impl Caches {
    /// The caches of `source`, below `all`; none while another build has them.
    pub(super) fn take(all: &Path, source: &Path) -> anyhow::Result<Option<Self>> {
        let digest = hex::encode(Sha256::digest(source.as_os_str().as_bytes()));
        let folder = all.join(&digest[..16]);
        let failed = || format!("failed to use the folder for caches, {}", folder.display());
        fs::create_dir_all(&folder).with_context(failed)?;
        let lock = File::create(folder.join("lock")).with_context(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(Self { folder: folder.join("local"), _lock: lock })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error).with_context(failed),
        }
    }
}

/// Where caches are when nobody says: in the user's folder for such things, if there is one.
pub(super) fn default_folder() -> Option<PathBuf> {
    let named = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let caches = named("XDG_CACHE_HOME").or_else(|| Some(named("HOME")?.join(".cache")))?;
    Some(caches.join("buildyard"))
}
