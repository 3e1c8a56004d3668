//! Rows of `bucket`: names, regions, versioning, tags and settings.

use super::blob;
use super::error::{ObjectError, Result};
use super::version::{from_json, now_ms, to_json};
use super::writer::Batch;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use std::collections::BTreeMap;

/// Whether a bucket keeps old versions of its objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Versioning {
    /// It never did.
    Never,
    /// Each change makes a version of its own.
    Enabled,
    /// It did; changes replace the `null` version and leave the others.
    Suspended,
}

impl Versioning {
    fn column(self) -> Option<&'static str> {
        match self {
            Versioning::Never => None,
            Versioning::Enabled => Some("Enabled"),
            Versioning::Suspended => Some("Suspended"),
        }
    }
}

/// A bucket.
#[derive(Debug, Clone)]
pub struct Bucket {
    pub(super) row: i64,
    /// Its name, the only one of that name in the store.
    pub name: String,
    /// The region that it was made in.
    pub region: String,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: i64,
    /// Whether it keeps old versions.
    pub versioning: Versioning,
    /// Its tags, in the caller's order.
    pub tags: Vec<(String, String)>,
    /// Other settings that are kept for the caller, by a name of the caller's choice.
    pub settings: BTreeMap<String, String>,
}

/// A bucket to be made.
#[derive(Debug, Clone)]
pub struct NewBucket {
    /// Its name.
    pub name: String,
    /// Its region.
    pub region: String,
    /// Its settings from the first moment.
    pub settings: BTreeMap<String, String>,
}

const COLUMNS: &str = "id, name, region, created_ms, versioning, tags, settings";

impl Bucket {
    fn read(row: &Row<'_>) -> Result<Self> {
        let versioning: Option<String> = row.get(4)?;
        let (tags, settings): (String, String) = (row.get(5)?, row.get(6)?);
        Ok(Self {
            row: row.get(0)?,
            name: row.get(1)?,
            region: row.get(2)?,
            created_ms: row.get(3)?,
            versioning: match versioning.as_deref() {
                None => Versioning::Never,
                Some("Enabled") => Versioning::Enabled,
                Some("Suspended") => Versioning::Suspended,
                Some(_) => return Err(super::Fault::Stored("versioning").into()),
            },
            tags: from_json(&tags, "tags")?,
            settings: from_json(&settings, "settings")?,
        })
    }
}

/// Finds a bucket.
pub(super) fn find(connection: &Connection, name: &str) -> Result<Bucket> {
    let mut statement =
        connection.prepare_cached(&format!("SELECT {COLUMNS} FROM bucket WHERE name = ?1"))?;
    let mut rows = statement.query([name])?;
    rows.next()?.map(Bucket::read).transpose()?.ok_or(ObjectError::NoSuchBucket)
}

/// Lists all buckets by name.
pub(super) fn all(connection: &Connection) -> Result<Vec<Bucket>> {
    let mut statement =
        connection.prepare_cached(&format!("SELECT {COLUMNS} FROM bucket ORDER BY name"))?;
    let mut rows = statement.query([])?;
    let mut buckets = Vec::new();
    while let Some(row) = rows.next()? {
        buckets.push(Bucket::read(row)?);
    }
    Ok(buckets)
}

/// Makes a bucket, unless its name is taken.
pub(super) fn create(batch: &Batch<'_>, new: &NewBucket) -> Result<Bucket> {
    match find(batch.connection, &new.name) {
        Err(ObjectError::NoSuchBucket) => {}
        Ok(bucket) => return Err(ObjectError::BucketExists(Box::new(bucket))),
        Err(error) => return Err(error),
    }
    batch
        .connection
        .prepare_cached(
            "INSERT INTO bucket (name, region, created_ms, versioning, tags, settings)
             VALUES (?1, ?2, ?3, NULL, '[]', ?4)",
        )?
        .execute(params![new.name, new.region, now_ms(), to_json(&new.settings)])?;
    find(batch.connection, &new.name)
}

/// Deletes a bucket without versions, and the uploads that never were completed.
pub(super) fn delete(batch: &Batch<'_>, name: &str) -> Result<()> {
    let connection = batch.connection;
    let bucket = find(connection, name)?;
    let is_used: bool = connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM version WHERE bucket = ?1)")?
        .query_row([bucket.row], |row| row.get(0))?;
    if is_used {
        return Err(ObjectError::BucketNotEmpty);
    }
    let mut statement = connection.prepare_cached(
        "DELETE FROM part WHERE upload IN (SELECT id FROM upload WHERE bucket = ?1)
         RETURNING extents",
    )?;
    let extents = statement.query_map([bucket.row], |row| row.get::<_, String>(0))?;
    for extents in extents.collect::<rusqlite::Result<Vec<_>>>()? {
        blob::release(batch, &blob::decode(&extents)?)?;
    }
    connection.prepare_cached("DELETE FROM upload WHERE bucket = ?1")?.execute([bucket.row])?;
    connection.prepare_cached("DELETE FROM bucket WHERE id = ?1")?.execute([bucket.row])?;
    Ok(())
}

/// Turns versioning on, or from on to suspended.
pub(super) fn set_versioning(batch: &Batch<'_>, name: &str, versioning: Versioning) -> Result<()> {
    let bucket = find(batch.connection, name)?;
    batch
        .connection
        .prepare_cached("UPDATE bucket SET versioning = ?2 WHERE id = ?1")?
        .execute(params![bucket.row, versioning.column()])?;
    Ok(())
}

/// Replaces the tags.
pub(super) fn set_tags(batch: &Batch<'_>, name: &str, tags: &[(String, String)]) -> Result<()> {
    let bucket = find(batch.connection, name)?;
    batch
        .connection
        .prepare_cached("UPDATE bucket SET tags = ?2 WHERE id = ?1")?
        .execute(params![bucket.row, to_json(&tags)])?;
    Ok(())
}

/// Sets one setting, or takes it away.
pub(super) fn set_setting(
    batch: &Batch<'_>,
    name: &str,
    setting: &str,
    value: Option<String>,
) -> Result<()> {
    let mut bucket = find(batch.connection, name)?;
    match value {
        Some(value) => bucket.settings.insert(setting.to_owned(), value),
        None => bucket.settings.remove(setting),
    };
    batch
        .connection
        .prepare_cached("UPDATE bucket SET settings = ?2 WHERE id = ?1")?
        .execute(params![bucket.row, to_json(&bucket.settings)])?;
    Ok(())
}

/// Says whether any bucket has the name, without reading it.
pub(super) fn exists(connection: &Connection, name: &str) -> Result<bool> {
    let found = connection
        .prepare_cached("SELECT 1 FROM bucket WHERE name = ?1")?
        .query_row([name], |_| Ok(()))
        .optional()?;
    Ok(found.is_some())
}
