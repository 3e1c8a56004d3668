//! The tables of `objects.db` and how a connection to them is set up.

use super::error::Fault;
use rusqlite::Connection;
use std::path::Path;
use std::time::Duration;

const VERSION: i64 = 1;

/// `version_order` finds a key's newest version first and lists all of them; `version_visible`
/// holds what a plain listing shows, so that neither delete markers nor old versions cost it
/// anything. The wide columns stand last: a listing never touches their pages.
const TABLES: &str = "
CREATE TABLE bucket (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    region TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    versioning TEXT,
    tags TEXT NOT NULL,
    settings TEXT NOT NULL
) STRICT;

CREATE TABLE blob (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uses INTEGER NOT NULL,
    file TEXT,
    bytes BLOB
) STRICT;
CREATE UNIQUE INDEX blob_file ON blob (file) WHERE file IS NOT NULL;

CREATE TABLE garbage (file TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;

CREATE TABLE version (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    bucket INTEGER NOT NULL,
    key BLOB NOT NULL,
    is_null INTEGER NOT NULL,
    visible INTEGER NOT NULL,
    marker INTEGER NOT NULL,
    modified_ms INTEGER NOT NULL,
    size INTEGER NOT NULL,
    etag TEXT NOT NULL,
    storage_class TEXT,
    checksum TEXT,
    tags TEXT NOT NULL,
    attributes TEXT NOT NULL,
    extents TEXT NOT NULL,
    parts TEXT
) STRICT;
CREATE UNIQUE INDEX version_order ON version (bucket, key, id DESC, is_null);
CREATE UNIQUE INDEX version_visible ON version (bucket, key) WHERE visible = 1;

CREATE TABLE upload (
    id TEXT PRIMARY KEY,
    bucket INTEGER NOT NULL,
    key BLOB NOT NULL,
    initiated_ms INTEGER NOT NULL,
    storage_class TEXT,
    checksum TEXT NOT NULL,
    tags TEXT NOT NULL,
    attributes TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX upload_order ON upload (bucket, key, id);

CREATE TABLE part (
    upload TEXT NOT NULL,
    number INTEGER NOT NULL,
    modified_ms INTEGER NOT NULL,
    size INTEGER NOT NULL,
    etag TEXT NOT NULL,
    checksum TEXT,
    extents TEXT NOT NULL,
    PRIMARY KEY (upload, number)
) STRICT, WITHOUT ROWID;
";

/// Opens the one connection that writes, and makes the tables when there are none.
pub(super) fn open_writer(path: &Path) -> Result<Connection, Fault> {
    let connection = open(path)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", 4000)?;
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    match version {
        VERSION => Ok(connection),
        0 => {
            connection
                .execute_batch(&format!("BEGIN;{TABLES}PRAGMA user_version = {VERSION};COMMIT;"))?;
            Ok(connection)
        }
        _ => Err(Fault::Stored("version of the tables")),
    }
}

/// Opens a connection that only reads.
pub(super) fn open_reader(path: &Path) -> Result<Connection, Fault> {
    let connection = open(path)?;
    connection.pragma_update(None, "query_only", true)?;
    // Pages are read from the mapping; what is cached beside it is little.
    connection.pragma_update(None, "cache_size", -512)?;
    Ok(connection)
}

fn open(path: &Path) -> Result<Connection, Fault> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(30))?;
    connection.set_prepared_statement_cache_capacity(96);
    connection.pragma_update(None, "cache_size", -4096)?;
    connection.pragma_update(None, "mmap_size", 256 << 20)?;
    Ok(connection)
}
