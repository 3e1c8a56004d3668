//! Putting, finding and deleting objects; each change is one transaction.

use super::blob::{self, Extent};
use super::bucket::{self, Bucket, Versioning};
use super::condition::Condition;
use super::digest::Checksum;
use super::error::{ObjectError, Result};
use super::receive::Received;
use super::version::{self, Attributes, StoredPart, Version, VersionId, now_ms, signed, to_json};
use super::writer::Batch;
use rusqlite::{Connection, params};

/// Which object is meant.
#[derive(Debug, Clone)]
pub struct Target {
    /// The bucket's name.
    pub bucket: String,
    /// The key: any text.
    pub key: String,
    /// The version; the newest one when `None`.
    pub version: Option<VersionId>,
}

impl Target {
    /// The newest version of a key.
    pub fn newest(bucket: impl Into<String>, key: impl Into<String>) -> Self {
        Self { bucket: bucket.into(), key: key.into(), version: None }
    }
}

/// Where a new object's bytes come from.
pub enum Body {
    /// They were received.
    Received(Received),
    /// They are another object's, which is shared and not copied.
    Shared {
        /// The slices to share.
        extents: Vec<Extent>,
        /// Their size in bytes.
        size: u64,
        /// The ETag of the new object, without quotes.
        etag: String,
    },
}

/// An object to be put.
pub struct NewObject {
    /// The bucket's name.
    pub bucket: String,
    /// The key: any text.
    pub key: String,
    /// Its bytes.
    pub body: Body,
    /// Its additional checksum.
    pub checksum: Option<Checksum>,
    /// Its storage class, when one is named.
    pub storage_class: Option<String>,
    /// Its tags.
    pub tags: Vec<(String, String)>,
    /// What else is kept beside it.
    pub attributes: Attributes,
    /// What must be true of the object that it replaces.
    pub condition: Condition,
}

/// What a deletion did.
#[derive(Debug, Clone)]
pub struct Deleted {
    /// Whether a delete marker was made or was what got deleted.
    pub is_marker: bool,
    /// The version that was made or deleted; `None` when the bucket keeps no versions.
    pub id: Option<VersionId>,
}

/// A row of `version` to be inserted as the newest of its key.
pub(super) struct NewVersion<'a> {
    pub(super) bucket: &'a Bucket,
    pub(super) key: &'a str,
    pub(super) is_marker: bool,
    pub(super) size: u64,
    pub(super) etag: &'a str,
    pub(super) storage_class: Option<&'a str>,
    pub(super) checksum: Option<&'a Checksum>,
    pub(super) tags: &'a [(String, String)],
    pub(super) attributes: &'a Attributes,
    pub(super) extents: &'a [Extent],
    pub(super) parts: Option<&'a [StoredPart]>,
}

/// Finds an object's version with its bucket. The newest one may be a delete marker.
pub(super) fn find(connection: &Connection, target: &Target) -> Result<(Bucket, Version)> {
    let bucket = bucket::find(connection, &target.bucket)?;
    let version = match target.version {
        None => {
            version::newest(connection, bucket.row, &target.key)?.ok_or(ObjectError::NoSuchKey)?
        }
        Some(id) => version::numbered(connection, bucket.row, &target.key, id)?
            .ok_or(ObjectError::NoSuchVersion)?,
    };
    Ok((bucket, version))
}

/// Puts an object; returns the bucket and the version it made.
pub(super) fn put(batch: &Batch<'_>, new: NewObject) -> Result<(Bucket, Version)> {
    let bucket = bucket::find(batch.connection, &new.bucket)?;
    check(batch, &bucket, &new.key, &new.condition)?;
    let (extents, size, etag) = match new.body {
        Body::Received(received) => {
            let (size, etag) = (received.size, received.md5.clone());
            (blob::insert(batch, received.take())?, size, etag)
        }
        Body::Shared { extents, size, etag } => {
            blob::retain(batch, &extents)?;
            (extents, size, etag)
        }
    };
    let version = insert(
        batch,
        &NewVersion {
            bucket: &bucket,
            key: &new.key,
            is_marker: false,
            size,
            etag: &etag,
            storage_class: new.storage_class.as_deref(),
            checksum: new.checksum.as_ref(),
            tags: &new.tags,
            attributes: &new.attributes,
            extents: &extents,
            parts: None,
        },
    )?;
    Ok((bucket, version))
}

/// Checks a condition on the newest version of a key.
pub(super) fn check(
    batch: &Batch<'_>,
    bucket: &Bucket,
    key: &str,
    condition: &Condition,
) -> Result<()> {
    if condition.is_none() {
        return Ok(());
    }
    condition.check(version::newest(batch.connection, bucket.row, key)?.as_ref())
}

/// Deletes an object as the bucket's versioning says.
pub(super) fn delete(
    batch: &Batch<'_>,
    bucket: &Bucket,
    target: &Target,
    condition: &Condition,
) -> Result<Deleted> {
    let key = &target.key;
    if let Some(id) = target.version {
        let found = version::numbered(batch.connection, bucket.row, key, id)?;
        if !condition.is_none() {
            condition.check(found.as_ref())?;
        }
        let is_marker = found.as_ref().is_some_and(|version| version.is_marker);
        if let Some(version) = found {
            remove(batch, version.row)?;
            reveal(batch, bucket.row, key)?;
        }
        return Ok(Deleted { is_marker, id: Some(id) });
    }
    check(batch, bucket, key, condition)?;
    if bucket.versioning == Versioning::Never {
        if let Some(row) = version::null_row(batch.connection, bucket.row, key)? {
            remove(batch, row)?;
        }
        return Ok(Deleted { is_marker: false, id: None });
    }
    let marker = insert(
        batch,
        &NewVersion {
            bucket,
            key,
            is_marker: true,
            size: 0,
            etag: "",
            storage_class: None,
            checksum: None,
            tags: &[],
            attributes: &Attributes::default(),
            extents: &[],
            parts: None,
        },
    )?;
    Ok(Deleted { is_marker: true, id: Some(marker.id) })
}

/// Replaces the tags of a version; a delete marker has none.
pub(super) fn set_tags(
    batch: &Batch<'_>,
    target: &Target,
    tags: &[(String, String)],
) -> Result<(Bucket, Version)> {
    let (bucket, version) = find(batch.connection, target)?;
    if !version.is_marker {
        batch
            .connection
            .prepare_cached("UPDATE version SET tags = ?2 WHERE id = ?1")?
            .execute(params![version.row, to_json(&tags)])?;
    }
    Ok((bucket, version))
}

/// Inserts the newest version of a key, in place of the `null` version where versioning is not on.
/// The extents' uses must have been counted.
pub(super) fn insert(batch: &Batch<'_>, new: &NewVersion<'_>) -> Result<Version> {
    let connection = batch.connection;
    let is_null = new.bucket.versioning != Versioning::Enabled;
    let key = new.key.as_bytes();
    if is_null && let Some(row) = version::null_row(connection, new.bucket.row, new.key)? {
        remove(batch, row)?;
    }
    connection
        .prepare_cached(
            "UPDATE version SET visible = 0 WHERE bucket = ?1 AND key = ?2 AND visible = 1",
        )?
        .execute(params![new.bucket.row, key])?;
    let modified_ms = now_ms();
    connection
        .prepare_cached(
            "INSERT INTO version (bucket, key, is_null, visible, marker, modified_ms, size, etag,
                 storage_class, checksum, tags, attributes, extents, parts)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        )?
        .execute(params![
            new.bucket.row,
            key,
            is_null,
            !new.is_marker,
            new.is_marker,
            modified_ms,
            signed(new.size)?,
            new.etag,
            new.storage_class,
            new.checksum.map(to_json),
            to_json(&new.tags),
            to_json(new.attributes),
            blob::encode(new.extents),
            new.parts.map(|parts| to_json(&parts)),
        ])?;
    let row = connection.last_insert_rowid();
    Ok(Version {
        row,
        extents: new.extents.to_vec(),
        id: if is_null { VersionId::Null } else { VersionId::Numbered(row, modified_ms) },
        is_marker: new.is_marker,
        modified_ms,
        size: new.size,
        etag: new.etag.to_owned(),
        storage_class: new.storage_class.map(str::to_owned),
        checksum: new.checksum.cloned(),
        tags: new.tags.to_vec(),
        attributes: new.attributes.clone(),
        parts: new.parts.map(<[StoredPart]>::to_vec),
    })
}

fn remove(batch: &Batch<'_>, row: i64) -> Result<()> {
    let extents: String = batch
        .connection
        .prepare_cached("DELETE FROM version WHERE id = ?1 RETURNING extents")?
        .query_row([row], |row| row.get(0))?;
    blob::release(batch, &blob::decode(&extents)?)
}

/// Makes the newest version of a key visible again, after a newer one has gone.
fn reveal(batch: &Batch<'_>, bucket: i64, key: &str) -> Result<()> {
    batch
        .connection
        .prepare_cached(
            "UPDATE version SET visible = 1 WHERE marker = 0 AND visible = 0 AND id = (
                 SELECT id FROM version WHERE bucket = ?1 AND key = ?2 ORDER BY id DESC LIMIT 1)",
        )?
        .execute(params![bucket, key.as_bytes()])?;
    Ok(())
}
