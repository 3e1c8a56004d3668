//! Copies of a data folder in one file, made while the service serves, and folders made of them.
//!
//! A backup is a tar, compressed with zstd: a manifest, the files, and at the end the SHA-256 of each,
//! by which a copy that was cut off or damaged is known before anything is put in place.
//!
//! What is in it: the state, logs, objects, the keys that sign. What is not: the key that secrets are
//! sealed under, as a copy with it would tell everything; caches and unpacked images, which come
//! again; containers and journals, which are this machine's. Builds that were under way when it was
//! made are over in a folder that is made of it.

mod make;
mod put_back;

pub use make::{Made, make};
pub use put_back::{RestoreError, restore};

use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::Path,
};

/// The file that a backup holds locked as long as it is being made.
const LOCK: &str = "lock";

/// Removes what backups that were cut off have left in a data folder.
pub(crate) fn sweep(data_dir: &Path) {
    for entry in fs::read_dir(data_dir).into_iter().flatten().flatten() {
        let is_one = entry.file_name().to_string_lossy().starts_with(make::TEMPORARY);
        let lock = || File::open(entry.path().join(LOCK));
        if is_one && lock().map_or(true, |lock| lock.try_lock().is_ok()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// The entry that a backup begins with.
const MANIFEST: &str = "buildyard-backup.json";
/// The entry that it ends with.
const SUMS: &str = "buildyard-sums.json";
/// The form of backups that this program writes and reads.
const FORM: u32 = 1;

/// What a backup says of itself.
#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    /// The form of the backup.
    form: u32,
    /// The version of the program that made it.
    program: String,
    /// When, in milliseconds since 1970.
    made_at: u64,
}

/// The SHA-256 of each file, by its name.
type Sums = BTreeMap<String, String>;
