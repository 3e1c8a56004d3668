//! Copies of databases that others use meanwhile, and whether a database is whole.

use crate::Fault;
use rusqlite::{Connection, OpenFlags};
use std::{collections::HashSet, path::Path, time::Duration};

/// The most problems of one database that are told.
const PROBLEMS_MAX: usize = 5;

/// Writes a copy of the database at `from`, as it is at one moment, to `to`, which is not there yet.
/// Others may write meanwhile.
pub fn copy_database(from: &Path, to: &Path) -> Result<(), Fault> {
    let connection = open(from, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let to = to.to_str().ok_or_else(|| Fault::Corrupt { what: format!("{}", to.display()) })?;
    connection.execute("VACUUM INTO ?1", [to]).map(drop).map_err(Fault::sql("copy a database"))
}

/// What is wrong with the database at `path`; nothing when it is whole.
pub fn check_database(path: &Path) -> Result<Vec<String>, Fault> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let check = || -> rusqlite::Result<Vec<String>> {
        let mut statement = connection.prepare(&format!("PRAGMA quick_check({PROBLEMS_MAX})"))?;
        statement.query_map((), |row| row.get(0))?.collect()
    };
    let said = check().map_err(Fault::sql("check a database"))?;
    Ok(said.into_iter().filter(|line| line != "ok").collect())
}

/// The files that a copy of the objects' database names.
pub fn object_files(copy: &Path) -> Result<HashSet<String>, Fault> {
    let connection = open(copy, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let read = || -> rusqlite::Result<HashSet<String>> {
        let mut statement = connection.prepare("SELECT file FROM blob WHERE file IS NOT NULL")?;
        statement.query_map((), |row| row.get(0))?.collect()
    };
    read().map_err(Fault::sql("read which files objects have"))
}

/// Notes in a copy of the logs' database that the files may have more than it knows, as they were
/// copied after it.
pub fn distrust_log_sizes(copy: &Path) -> Result<(), Fault> {
    let connection = open(copy, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection
        .execute("UPDATE log_stream SET marked = 1", ())
        .map(drop)
        .map_err(Fault::sql("mark the streams of a copy"))
}

fn open(path: &Path, flags: OpenFlags) -> Result<Connection, Fault> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)
        .map_err(Fault::sql("open a database"))?;
    connection.busy_timeout(Duration::from_secs(10)).map_err(Fault::sql("open a database"))?;
    Ok(connection)
}
