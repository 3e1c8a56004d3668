//! Multipart uploads: parts are received like objects; completing one only moves rows.

use super::blob::{self, Extent};
use super::bucket::{self, Bucket};
use super::condition::Condition;
use super::digest::{Algorithm, Checksum, ChecksumKind, composite, joined};
use super::error::{ObjectError, Result};
use super::listing::{After, Listing, ListingQuery, Page, text};
use super::object::{self, Body, NewVersion};
use super::version::{
    Attributes, StoredPart, Version, from_json, now_ms, signed, to_json, unsigned,
};
use super::writer::Batch;
use md5::{Digest as _, Md5};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

/// An upload to be begun.
#[derive(Debug, Clone)]
pub struct NewUpload {
    /// The bucket's name.
    pub bucket: String,
    /// The key of the object to be.
    pub key: String,
    /// Its storage class, when one is named.
    pub storage_class: Option<String>,
    /// The checksum that the object and its parts will have.
    pub algorithm: Algorithm,
    /// What the object's checksum is taken over.
    pub kind: ChecksumKind,
    /// Whether the caller asked for that checksum.
    pub is_declared: bool,
    /// Its tags.
    pub tags: Vec<(String, String)>,
    /// What else is kept beside it.
    pub attributes: Attributes,
}

/// An upload under way.
#[derive(Debug, Clone)]
pub struct Upload {
    /// Its id.
    pub id: String,
    /// The key of the object to be.
    pub key: String,
    /// When it was begun, in milliseconds since 1970.
    pub initiated_ms: i64,
    /// Its storage class, when one was named.
    pub storage_class: Option<String>,
    /// The checksum that the object and its parts have.
    pub algorithm: Algorithm,
    /// What the object's checksum is taken over.
    pub kind: ChecksumKind,
    /// Whether the caller asked for that checksum.
    pub is_declared: bool,
    /// Its tags.
    pub tags: Vec<(String, String)>,
    /// What else is kept beside it.
    pub attributes: Attributes,
}

/// An upload in a listing.
pub type ListedUpload = Upload;

/// One uploaded part.
#[derive(Debug, Clone)]
pub struct Part {
    extents: Vec<Extent>,
    /// Its number, from 1.
    pub number: u32,
    /// When it was uploaded, in milliseconds since 1970.
    pub modified_ms: i64,
    /// Its size in bytes.
    pub size: u64,
    /// Its ETag, without quotes.
    pub etag: String,
    /// Its checksum in base64.
    pub checksum: Option<String>,
}

/// A page of an upload's parts.
#[derive(Debug, Clone)]
pub struct UploadPage {
    /// The upload.
    pub upload: Upload,
    /// The parts, by number.
    pub parts: Vec<Part>,
    /// Whether there are more.
    pub is_truncated: bool,
}

/// A part as the caller names it when completing.
#[derive(Debug, Clone)]
pub struct NamedPart {
    /// Its number.
    pub number: u32,
    /// The ETag that it must have, without quotes.
    pub etag: String,
    /// The checksum that it must have, in base64.
    pub checksum: Option<String>,
}

/// How an upload is to be completed.
#[derive(Debug, Clone)]
pub struct Completion {
    /// The bucket's name.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// The upload's id.
    pub upload: String,
    /// The parts that make the object, in ascending order.
    pub parts: Vec<NamedPart>,
    /// The smallest size in bytes of a part that is not the last.
    pub part_size_min: u64,
    /// The checksum that the object must have, in base64.
    pub checksum: Option<String>,
    /// The size in bytes that the object must have.
    pub size: Option<u64>,
    /// What must be true of the object that it replaces.
    pub condition: Condition,
}

/// What completing an upload made.
pub type Completed = (Bucket, Version);

#[derive(serde::Serialize, serde::Deserialize)]
struct Plan {
    algorithm: Algorithm,
    kind: ChecksumKind,
    is_declared: bool,
}

const COLUMNS: &str = "key, id, initiated_ms, storage_class, checksum, tags, attributes";

impl Upload {
    fn read(row: &Row<'_>) -> Result<Self> {
        let (plan, tags, attributes): (String, String, String) =
            (row.get(4)?, row.get(5)?, row.get(6)?);
        let Plan { algorithm, kind, is_declared } = from_json(&plan, "checksum")?;
        Ok(Self {
            key: text(row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?)?,
            id: row.get(1)?,
            initiated_ms: row.get(2)?,
            storage_class: row.get(3)?,
            algorithm,
            kind,
            is_declared,
            tags: from_json(&tags, "tags")?,
            attributes: from_json(&attributes, "attributes")?,
        })
    }
}

impl Part {
    fn read(row: &Row<'_>) -> Result<Self> {
        let extents: String = row.get(5)?;
        Ok(Self {
            number: row.get(0)?,
            modified_ms: row.get(1)?,
            size: unsigned(row.get(2)?)?,
            etag: row.get(3)?,
            checksum: row.get(4)?,
            extents: blob::decode(&extents)?,
        })
    }
}

/// Begins an upload and returns its id.
pub(super) fn create(batch: &Batch<'_>, new: &NewUpload) -> Result<String> {
    let bucket = bucket::find(batch.connection, &new.bucket)?;
    let id = uuid::Uuid::new_v4().simple().to_string();
    let NewUpload { algorithm, kind, is_declared, .. } = *new;
    batch
        .connection
        .prepare_cached(
            "INSERT INTO upload (id, bucket, key, initiated_ms, storage_class, checksum, tags,
                 attributes) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            id,
            bucket.row,
            new.key.as_bytes(),
            now_ms(),
            new.storage_class,
            to_json(&Plan { algorithm, kind, is_declared }),
            to_json(&new.tags),
            to_json(&new.attributes),
        ])?;
    Ok(id)
}

/// Finds an upload of a key.
pub(super) fn find(
    connection: &Connection,
    bucket: &str,
    key: &str,
    upload: &str,
) -> Result<(Bucket, Upload)> {
    let bucket = bucket::find(connection, bucket)?;
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM upload WHERE id = ?1 AND bucket = ?2 AND key = ?3"
    ))?;
    let mut rows = statement.query(params![upload, bucket.row, key.as_bytes()])?;
    let upload = rows.next()?.map(Upload::read).transpose()?.ok_or(ObjectError::NoSuchUpload)?;
    Ok((bucket, upload))
}

/// Lists the uploads of a bucket that are under way.
pub(super) fn list(
    connection: &Connection,
    bucket: i64,
    query: &ListingQuery,
    after: Option<&(After, Option<String>)>,
) -> Result<Listing<ListedUpload>> {
    let mut page = Page::new(query);
    let after_key = match after {
        Some((After::Key(key), Some(id))) => {
            let mut statement = connection.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM upload WHERE bucket = ?1 AND key = ?2 AND id > ?3
                 ORDER BY id"
            ))?;
            page.take(&mut statement, params![bucket, key.as_bytes(), id], Upload::read)?;
            Some(After::Key(key.clone()))
        }
        Some((after, _)) => Some(after.clone()),
        None => None,
    };
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM upload INDEXED BY upload_order
         WHERE bucket = ?1 AND key >= ?2 AND key < ?3 ORDER BY key, id"
    ))?;
    page.walk(&mut statement, bucket, page.first(after_key.as_ref()), Upload::read)?;
    Ok(page.finish())
}

/// Lists an upload's parts with numbers after the given one.
pub(super) fn parts(
    connection: &Connection,
    upload: &str,
    after: u32,
    limit: usize,
) -> Result<(Vec<Part>, bool)> {
    let mut statement = connection.prepare_cached(
        "SELECT number, modified_ms, size, etag, checksum, extents FROM part
         WHERE upload = ?1 AND number > ?2 ORDER BY number",
    )?;
    let mut rows = statement.query(params![upload, after])?;
    let mut parts = Vec::new();
    while let Some(row) = rows.next()? {
        if parts.len() == limit {
            return Ok((parts, true));
        }
        parts.push(Part::read(row)?);
    }
    Ok((parts, false))
}

/// Keeps a part, in place of one with the same number.
pub(super) fn put_part(
    batch: &Batch<'_>,
    upload: &str,
    number: u32,
    body: Body,
    checksum: Option<&str>,
) -> Result<Part> {
    let connection = batch.connection;
    let is_there = connection
        .prepare_cached("SELECT 1 FROM upload WHERE id = ?1")?
        .query_row([upload], |_| Ok(()))
        .optional()?;
    is_there.ok_or(ObjectError::NoSuchUpload)?;
    let (extents, size, etag) = match body {
        Body::Received(received) => {
            let (size, etag) = (received.size, received.md5.clone());
            (blob::insert(batch, received.take())?, size, etag)
        }
        Body::Shared { extents, size, etag } => {
            blob::retain(batch, &extents)?;
            (extents, size, etag)
        }
    };
    let replaced: Option<String> = connection
        .prepare_cached("DELETE FROM part WHERE upload = ?1 AND number = ?2 RETURNING extents")?
        .query_row(params![upload, number], |row| row.get(0))
        .optional()?;
    if let Some(replaced) = replaced {
        blob::release(batch, &blob::decode(&replaced)?)?;
    }
    let modified_ms = now_ms();
    connection
        .prepare_cached(
            "INSERT INTO part (upload, number, modified_ms, size, etag, checksum, extents)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            upload,
            number,
            modified_ms,
            signed(size)?,
            etag,
            checksum,
            blob::encode(&extents)
        ])?;
    let checksum = checksum.map(str::to_owned);
    Ok(Part { extents, number, modified_ms, size, etag, checksum })
}

/// Makes the object out of the named parts and forgets the upload.
pub(super) fn complete(batch: &Batch<'_>, completion: &Completion) -> Result<Completed> {
    let connection = batch.connection;
    let (bucket, upload) =
        find(connection, &completion.bucket, &completion.key, &completion.upload)?;
    object::check(batch, &bucket, &completion.key, &completion.condition)?;
    let (stored, _) = parts(connection, &upload.id, 0, usize::MAX)?;
    let chosen = choose(&stored, completion)?;
    let size = chosen.iter().map(|part| part.size).sum();
    if completion.size.is_some_and(|expected| expected != size) {
        return Err(ObjectError::SizeMismatch);
    }
    let checksum = checksum(&upload, &chosen);
    if let (Some(expected), Some(checksum)) = (&completion.checksum, &checksum)
        && !same_checksum(expected, checksum)
    {
        return Err(ObjectError::ChecksumMismatch);
    }
    for part in &stored {
        if !chosen.iter().any(|chosen| chosen.number == part.number) {
            blob::release(batch, &part.extents)?;
        }
    }
    forget(batch, &upload.id)?;
    let extents: Vec<_> = chosen.iter().flat_map(|part| part.extents.iter().copied()).collect();
    let parts: Vec<_> = chosen
        .iter()
        .map(|part| StoredPart {
            number: part.number,
            size: part.size,
            checksum: part.checksum.clone(),
        })
        .collect();
    let version = object::insert(
        batch,
        &NewVersion {
            bucket: &bucket,
            key: &completion.key,
            is_marker: false,
            size,
            etag: &etag(&chosen),
            storage_class: upload.storage_class.as_deref(),
            checksum: checksum.as_ref(),
            tags: &upload.tags,
            attributes: &upload.attributes,
            extents: &extents,
            parts: Some(&parts),
        },
    )?;
    Ok((bucket, version))
}

/// Forgets an upload and its parts.
pub(super) fn abort(batch: &Batch<'_>, bucket: &str, key: &str, upload: &str) -> Result<()> {
    let (_, upload) = find(batch.connection, bucket, key, upload)?;
    let (parts, _) = parts(batch.connection, &upload.id, 0, usize::MAX)?;
    for part in &parts {
        blob::release(batch, &part.extents)?;
    }
    forget(batch, &upload.id)
}

fn forget(batch: &Batch<'_>, upload: &str) -> Result<()> {
    batch.connection.prepare_cached("DELETE FROM part WHERE upload = ?1")?.execute([upload])?;
    batch.connection.prepare_cached("DELETE FROM upload WHERE id = ?1")?.execute([upload])?;
    Ok(())
}

fn choose<'a>(stored: &'a [Part], completion: &Completion) -> Result<Vec<&'a Part>> {
    let mut chosen: Vec<&Part> = Vec::with_capacity(completion.parts.len());
    for named in &completion.parts {
        let missing = ObjectError::InvalidPart(named.number);
        if chosen.last().is_some_and(|last| last.number >= named.number) {
            return Err(ObjectError::InvalidPartOrder);
        }
        let at = stored.binary_search_by_key(&named.number, |part| part.number);
        let Some(part) = at.ok().and_then(|at| stored.get(at)) else { return Err(missing) };
        let is_same = part.etag == named.etag
            && named.checksum.as_ref().is_none_or(|it| part.checksum.as_ref() == Some(it));
        if !is_same {
            return Err(missing);
        }
        chosen.push(part);
    }
    let last = chosen.len().saturating_sub(1);
    match chosen.iter().take(last).find(|part| part.size < completion.part_size_min) {
        None => Ok(chosen),
        Some(part) => Err(ObjectError::PartTooSmall {
            number: part.number,
            size: part.size,
            etag: part.etag.clone(),
        }),
    }
}

/// The MD5 over the parts' MD5s, and their number.
fn etag(parts: &[&Part]) -> String {
    let mut digest = Md5::new();
    for part in parts {
        // A part's ETag is the MD5 that this store took of it.
        digest.update(hex::decode(&part.etag).unwrap_or_default());
    }
    format!("{}-{}", hex::encode(digest.finalize()), parts.len())
}

fn checksum(upload: &Upload, parts: &[&Part]) -> Option<Checksum> {
    match upload.kind {
        ChecksumKind::Composite => {
            let values: Option<Vec<_>> = parts.iter().map(|part| part.checksum.clone()).collect();
            composite(upload.algorithm, &values?)
        }
        ChecksumKind::FullObject => {
            let values: Option<Vec<_>> =
                parts.iter().map(|part| Some((part.checksum.clone()?, part.size))).collect();
            joined(upload.algorithm, &values?)
        }
    }
}

/// A composite checksum may be given with or without the number of parts.
fn same_checksum(expected: &str, checksum: &Checksum) -> bool {
    let bare = checksum.value.split_once('-').map_or(checksum.value.as_str(), |(bare, _)| bare);
    expected == checksum.value || expected == bare
}
