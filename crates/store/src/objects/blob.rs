//! Blobs: immutable bytes, counted by the rows that name a slice of them.

use super::error::{Fault, ObjectError, Result};
use super::receive::Held;
use super::writer::Batch;
use rusqlite::params;

/// A slice of a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(from = "(i64, u64, u64)", into = "(i64, u64, u64)")]
pub struct Extent {
    /// The blob.
    pub(super) blob: i64,
    /// Where the slice begins in it.
    pub(super) offset: u64,
    /// How long the slice is, in bytes.
    pub(super) length: u64,
}

impl From<(i64, u64, u64)> for Extent {
    fn from((blob, offset, length): (i64, u64, u64)) -> Self {
        Self { blob, offset, length }
    }
}

impl From<Extent> for (i64, u64, u64) {
    fn from(extent: Extent) -> Self {
        (extent.blob, extent.offset, extent.length)
    }
}

/// Makes a blob of received bytes, used once.
pub(super) fn insert(batch: &Batch<'_>, held: Held) -> Result<Vec<Extent>> {
    let connection = batch.connection;
    let length = match held {
        Held::Bytes(bytes) if bytes.is_empty() => return Ok(Vec::new()),
        Held::Bytes(bytes) => {
            connection
                .prepare_cached("INSERT INTO blob (uses, bytes) VALUES (1, ?1)")?
                .execute([&bytes])?;
            bytes.len() as u64
        }
        Held::File { name, size } => {
            connection
                .prepare_cached("INSERT INTO blob (uses, file) VALUES (1, ?1)")?
                .execute([&name])?;
            batch.adopt(name);
            size
        }
    };
    Ok(vec![Extent { blob: connection.last_insert_rowid(), offset: 0, length }])
}

/// Adds a use to every blob of the extents; a blob that is gone since is a missing version.
pub(super) fn retain(batch: &Batch<'_>, extents: &[Extent]) -> Result<()> {
    let mut statement =
        batch.connection.prepare_cached("UPDATE blob SET uses = uses + 1 WHERE id = ?1")?;
    for extent in extents {
        if statement.execute([extent.blob])? == 0 {
            return Err(ObjectError::NoSuchVersion);
        }
    }
    Ok(())
}

/// Takes a use away from every blob of the extents, and the blob with its last one.
pub(super) fn release(batch: &Batch<'_>, extents: &[Extent]) -> Result<()> {
    let mut statement = batch
        .connection
        .prepare_cached("UPDATE blob SET uses = uses - 1 WHERE id = ?1 RETURNING uses, file")?;
    for extent in extents {
        let (uses, file): (i64, Option<String>) =
            statement.query_row([extent.blob], |row| Ok((row.get(0)?, row.get(1)?)))?;
        if uses > 0 {
            continue;
        }
        batch
            .connection
            .prepare_cached("DELETE FROM blob WHERE id = ?1")?
            .execute(params![extent.blob])?;
        if let Some(file) = file {
            batch.doom(file)?;
        }
    }
    Ok(())
}

/// Writes extents as they are stored.
pub(super) fn encode(extents: &[Extent]) -> String {
    serde_json::to_string(extents).expect("numbers have a JSON form")
}

/// Reads extents as they are stored.
pub(super) fn decode(text: &str) -> std::result::Result<Vec<Extent>, Fault> {
    serde_json::from_str(text).map_err(|_| Fault::Stored("extents"))
}

/// Returns the part of the extents that covers `start..end` of their bytes.
pub(super) fn slice(extents: &[Extent], start: u64, end: u64) -> Vec<Extent> {
    let mut at = 0;
    let mut slices = Vec::new();
    for extent in extents {
        let (from, to) = (at.max(start), (at + extent.length).min(end));
        if from < to {
            let offset = extent.offset + (from - at);
            slices.push(Extent { blob: extent.blob, offset, length: to - from });
        }
        at += extent.length;
    }
    slices
}
