//! Pages of keys, versions and uploads, straight from an index.
//!
//! A common prefix costs one seek however many keys share it, and nothing before the page's first
//! key is read, so that a page costs what it shows.

use super::digest::Checksum;
use super::error::{Fault, ObjectError, Result};
use super::version::{self, VersionId, from_json, unsigned};
use rusqlite::{Connection, Params, Row, Statement, params};

/// What to list.
#[derive(Debug, Clone, Default)]
pub struct ListingQuery {
    /// Only keys that begin with this.
    pub prefix: String,
    /// Keys that have this after the prefix are shown as one common prefix up to and with it.
    pub delimiter: Option<String>,
    /// The most entries and common prefixes to return.
    pub limit: usize,
}

/// Where a listing goes on.
#[derive(Debug, Clone)]
pub enum After {
    /// After this key, which need not exist.
    Key(String),
    /// After every key with this common prefix.
    Prefix(String),
}

/// Where a listing of versions goes on.
#[derive(Debug, Clone)]
pub enum VersionAfter {
    /// After a key and all its versions, or after a common prefix.
    Key(After),
    /// After this version of the key, within it.
    Version(String, VersionId),
}

/// An object or one of its versions in a listing.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The key.
    pub key: String,
    /// The version.
    pub id: VersionId,
    /// Whether it is the newest version of the key.
    pub is_latest: bool,
    /// Whether it is a delete marker.
    pub is_marker: bool,
    /// When it was made, in milliseconds since 1970.
    pub modified_ms: i64,
    /// Its size in bytes.
    pub size: u64,
    /// Its ETag, without quotes.
    pub etag: String,
    /// Its storage class, when one was named.
    pub storage_class: Option<String>,
    /// Its additional checksum.
    pub checksum: Option<Checksum>,
}

/// One line of a listing.
#[derive(Debug, Clone)]
pub enum ListingItem<T> {
    /// An entry.
    Entry(T),
    /// What several keys begin with.
    Prefix(String),
}

/// A page of a listing.
#[derive(Debug, Clone)]
pub struct Listing<T> {
    /// Its lines, in the order of their keys' bytes.
    pub items: Vec<ListingItem<T>>,
    /// Whether there is more after the last line.
    pub is_truncated: bool,
}

impl After {
    /// Reads a marker that a caller made from a key or a common prefix of a page before.
    pub fn marker(marker: String, query: &ListingQuery) -> Self {
        let is_prefix = query.delimiter.as_deref().is_some_and(|delimiter| {
            let rest = marker.strip_prefix(&query.prefix);
            rest.and_then(|rest| rest.find(delimiter).map(|at| at + delimiter.len() == rest.len()))
                .unwrap_or(false)
        });
        if is_prefix { After::Prefix(marker) } else { After::Key(marker) }
    }

    /// The first key, in bytes, that the listing may show.
    fn first(&self) -> Vec<u8> {
        match self {
            After::Key(key) => [key.as_bytes(), &[0]].concat(),
            After::Prefix(prefix) => successor(prefix.as_bytes()),
        }
    }
}

/// Lists the newest versions that are no delete markers.
pub(super) fn objects(
    connection: &Connection,
    bucket: i64,
    query: &ListingQuery,
    after: Option<&After>,
) -> Result<Listing<Listed>> {
    let mut statement = connection.prepare_cached(
        "SELECT key, id, is_null, marker, modified_ms, size, etag, storage_class, checksum
         FROM version INDEXED BY version_visible
         WHERE bucket = ?1 AND visible = 1 AND key >= ?2 AND key < ?3 ORDER BY key",
    )?;
    let mut page = Page::new(query);
    page.walk(&mut statement, bucket, page.first(after), |row| listed(row, true))?;
    Ok(page.finish())
}

/// Lists all versions and delete markers, the newest of a key first.
pub(super) fn versions(
    connection: &Connection,
    bucket: i64,
    query: &ListingQuery,
    after: Option<&VersionAfter>,
) -> Result<Listing<Listed>> {
    let mut page = Page::new(query);
    let after = match after {
        None => None,
        Some(VersionAfter::Key(after)) => Some(after.clone()),
        Some(VersionAfter::Version(key, id)) => {
            let below = match id {
                VersionId::Numbered(row, _) => *row,
                VersionId::Null => version::null_row(connection, bucket, key)?
                    .ok_or(ObjectError::InvalidVersionId)?,
            };
            let mut statement = connection.prepare_cached(
                "SELECT key, id, is_null, marker, modified_ms, size, etag, storage_class, checksum
                 FROM version WHERE bucket = ?1 AND key = ?2 AND id < ?3 ORDER BY id DESC",
            )?;
            let bounds = params![bucket, key.as_bytes(), below];
            page.take(&mut statement, bounds, |row| listed(row, false))?;
            Some(After::Key(key.clone()))
        }
    };
    let mut statement = connection.prepare_cached(
        "SELECT key, id, is_null, marker, modified_ms, size, etag, storage_class, checksum
         FROM version INDEXED BY version_order
         WHERE bucket = ?1 AND key >= ?2 AND key < ?3 ORDER BY key, id DESC",
    )?;
    let mut last = None;
    page.walk(&mut statement, bucket, page.first(after.as_ref()), |row| {
        let mut version = listed(row, true)?;
        version.is_latest = last.as_ref() != Some(&version.key);
        last = Some(version.key.clone());
        Ok(version)
    })?;
    Ok(page.finish())
}

/// A page that is being filled.
pub(super) struct Page<'a, T> {
    query: &'a ListingQuery,
    items: Vec<ListingItem<T>>,
    is_truncated: bool,
}

impl<'a, T> Page<'a, T> {
    /// Begins an empty page.
    pub(super) fn new(query: &'a ListingQuery) -> Self {
        Self { query, items: Vec::new(), is_truncated: false }
    }

    /// The first key, in bytes, that the page may show.
    pub(super) fn first(&self, after: Option<&After>) -> Vec<u8> {
        let prefix = self.query.prefix.as_bytes().to_vec();
        after.map_or_else(Vec::new, After::first).max(prefix)
    }

    /// Fills the page from a statement that takes a bucket and the bounds of the key, which is its
    /// first column; seeks past each common prefix that it meets.
    pub(super) fn walk(
        &mut self,
        statement: &mut Statement<'_>,
        bucket: i64,
        mut first: Vec<u8>,
        mut read: impl FnMut(&Row<'_>) -> Result<T>,
    ) -> Result<()> {
        let end = successor(self.query.prefix.as_bytes());
        'seek: while !self.is_truncated {
            let mut rows = statement.query(params![bucket, first, end])?;
            while let Some(row) = rows.next()? {
                if self.is_full() {
                    return Ok(());
                }
                let key = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
                let Some(prefix) = self.common_prefix(key) else {
                    self.items.push(ListingItem::Entry(read(row)?));
                    continue;
                };
                first = successor(prefix);
                self.items.push(ListingItem::Prefix(text(prefix)?));
                continue 'seek;
            }
            return Ok(());
        }
        Ok(())
    }

    /// Fills the page from a statement without looking for common prefixes.
    pub(super) fn take(
        &mut self,
        statement: &mut Statement<'_>,
        bounds: impl Params,
        mut read: impl FnMut(&Row<'_>) -> Result<T>,
    ) -> Result<()> {
        let mut rows = statement.query(bounds)?;
        while let Some(row) = rows.next()? {
            if self.is_full() {
                return Ok(());
            }
            self.items.push(ListingItem::Entry(read(row)?));
        }
        Ok(())
    }

    /// Returns the page.
    pub(super) fn finish(self) -> Listing<T> {
        Listing { items: self.items, is_truncated: self.is_truncated }
    }

    fn is_full(&mut self) -> bool {
        self.is_truncated = self.items.len() >= self.query.limit;
        self.is_truncated
    }

    fn common_prefix<'k>(&self, key: &'k [u8]) -> Option<&'k [u8]> {
        let delimiter = self.query.delimiter.as_deref()?.as_bytes();
        let start = self.query.prefix.len();
        let rest = key.get(start..)?;
        let at = rest.windows(delimiter.len()).position(|window| window == delimiter)?;
        key.get(..start + at + delimiter.len())
    }
}

/// The smallest bytes that are greater than everything that begins with the prefix.
fn successor(prefix: &[u8]) -> Vec<u8> {
    let mut bytes = prefix.to_vec();
    while let Some(last) = bytes.pop() {
        if last < u8::MAX {
            bytes.push(last + 1);
            return bytes;
        }
    }
    // Greater than any UTF-8 text.
    vec![u8::MAX]
}

fn listed(row: &Row<'_>, is_latest: bool) -> Result<Listed> {
    let (number, modified_ms): (i64, i64) = (row.get(1)?, row.get(4)?);
    let checksum: Option<String> = row.get(8)?;
    Ok(Listed {
        key: text(row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?)?,
        id: if row.get(2)? { VersionId::Null } else { VersionId::Numbered(number, modified_ms) },
        is_latest,
        is_marker: row.get(3)?,
        modified_ms,
        size: unsigned(row.get(5)?)?,
        etag: row.get(6)?,
        storage_class: row.get(7)?,
        checksum: checksum.as_deref().map(|text| from_json(text, "checksum")).transpose()?,
    })
}

/// Reads a stored key.
pub(super) fn text(bytes: &[u8]) -> std::result::Result<String, Fault> {
    String::from_utf8(bytes.to_vec()).map_err(|_| Fault::Stored("key"))
}
