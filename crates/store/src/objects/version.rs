//! Rows of `version`: one version of an object, or a delete marker.

use super::blob::{self, Extent};
use super::digest::Checksum;
use super::error::{Fault, ObjectError, Result};
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

/// The id of a version as callers see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionId {
    /// `null`: the one version that a bucket without versioning keeps.
    Null,
    /// A version of its own: its row and the millisecond it was made.
    Numbered(i64, i64),
}

impl fmt::Display for VersionId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            VersionId::Null => formatter.write_str("null"),
            VersionId::Numbered(row, made_ms) => write!(formatter, "{made_ms:016x}{row:016x}"),
        }
    }
}

impl FromStr for VersionId {
    type Err = ObjectError;

    fn from_str(text: &str) -> Result<Self> {
        if text == "null" {
            return Ok(VersionId::Null);
        }
        let number = |digits: Option<&str>| {
            digits
                .and_then(|digits| i64::from_str_radix(digits, 16).ok())
                .ok_or(ObjectError::InvalidVersionId)
        };
        if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(ObjectError::InvalidVersionId);
        }
        Ok(VersionId::Numbered(number(text.get(16..))?, number(text.get(..16))?))
    }
}

/// What a caller wants kept beside an object's bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct Attributes {
    /// Headers that are given back as they came, by lower-case name.
    pub headers: BTreeMap<String, String>,
    /// The user's own metadata, by name without the prefix.
    pub metadata: BTreeMap<String, String>,
}

/// One part of an object that was uploaded in parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct StoredPart {
    /// Its number, from 1.
    pub number: u32,
    /// Its size in bytes.
    pub size: u64,
    /// Its checksum in base64, when one was asked for.
    pub checksum: Option<String>,
}

/// A version of an object, or a delete marker.
#[derive(Debug, Clone)]
pub struct Version {
    pub(super) row: i64,
    pub(super) extents: Vec<Extent>,
    /// Its id.
    pub id: VersionId,
    /// Whether it only says that the object was deleted.
    pub is_marker: bool,
    /// When it was made, in milliseconds since 1970.
    pub modified_ms: i64,
    /// Its size in bytes.
    pub size: u64,
    /// Its ETag, without quotes.
    pub etag: String,
    /// Its storage class, when the caller named one.
    pub storage_class: Option<String>,
    /// Its additional checksum.
    pub checksum: Option<Checksum>,
    /// Its tags, in the caller's order.
    pub tags: Vec<(String, String)>,
    /// What else is kept beside it.
    pub attributes: Attributes,
    /// Its parts, when it was uploaded in parts.
    pub parts: Option<Vec<StoredPart>>,
}

/// The columns of a whole version, in the order in which [`Version::read`] takes them.
const COLUMNS: &str = "id, is_null, marker, modified_ms, size, etag, storage_class, checksum, \
                       tags, attributes, extents, parts";

impl Version {
    fn read(row: &Row<'_>) -> Result<Self> {
        let (number, modified_ms): (i64, i64) = (row.get(0)?, row.get(3)?);
        let id =
            if row.get(1)? { VersionId::Null } else { VersionId::Numbered(number, modified_ms) };
        let checksum: Option<String> = row.get(7)?;
        let parts: Option<String> = row.get(11)?;
        Ok(Self {
            row: number,
            id,
            is_marker: row.get(2)?,
            modified_ms,
            size: unsigned(row.get(4)?)?,
            etag: row.get(5)?,
            storage_class: row.get(6)?,
            checksum: checksum.as_deref().map(|text| from_json(text, "checksum")).transpose()?,
            tags: from_json(row.get_ref(8)?.as_str().map_err(rusqlite::Error::from)?, "tags")?,
            attributes: from_json(
                row.get_ref(9)?.as_str().map_err(rusqlite::Error::from)?,
                "attributes",
            )?,
            extents: blob::decode(row.get_ref(10)?.as_str().map_err(rusqlite::Error::from)?)?,
            parts: parts.as_deref().map(|text| from_json(text, "parts")).transpose()?,
        })
    }
}

/// Finds the newest version of a key, which may be a delete marker.
pub(super) fn newest(connection: &Connection, bucket: i64, key: &str) -> Result<Option<Version>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM version WHERE bucket = ?1 AND key = ?2 ORDER BY id DESC LIMIT 1"
    ))?;
    let mut rows = statement.query(params![bucket, key.as_bytes()])?;
    rows.next()?.map(Version::read).transpose()
}

/// Finds one version of a key by its id.
pub(super) fn numbered(
    connection: &Connection,
    bucket: i64,
    key: &str,
    id: VersionId,
) -> Result<Option<Version>> {
    let row = match id {
        VersionId::Numbered(row, _) => Some(row),
        VersionId::Null => null_row(connection, bucket, key)?,
    };
    let Some(row) = row else { return Ok(None) };
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM version WHERE id = ?1 AND bucket = ?2 AND key = ?3"
    ))?;
    let mut rows = statement.query(params![row, bucket, key.as_bytes()])?;
    let version = rows.next()?.map(Version::read).transpose()?;
    Ok(version.filter(|version| version.id == id))
}

/// Finds the row of a key's `null` version.
pub(super) fn null_row(connection: &Connection, bucket: i64, key: &str) -> Result<Option<i64>> {
    let row = connection
        .prepare_cached(
            "SELECT id FROM version INDEXED BY version_order
             WHERE bucket = ?1 AND key = ?2 AND is_null = 1",
        )?
        .query_row(params![bucket, key.as_bytes()], |row| row.get(0))
        .optional()?;
    Ok(row)
}

/// The present, in milliseconds since 1970.
pub(super) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Writes a value as a column of JSON.
pub(super) fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("maps of text have a JSON form")
}

/// Reads a column of JSON.
pub(super) fn from_json<T: DeserializeOwned>(
    text: &str,
    what: &'static str,
) -> std::result::Result<T, Fault> {
    serde_json::from_str(text).map_err(|_| Fault::Stored(what))
}

/// Reads a column that is never negative.
pub(super) fn unsigned(value: i64) -> std::result::Result<u64, Fault> {
    u64::try_from(value).map_err(|_| Fault::Stored("size"))
}

/// Writes a size as a column.
pub(super) fn signed(value: u64) -> std::result::Result<i64, Fault> {
    i64::try_from(value).map_err(|_| Fault::Stored("size"))
}
