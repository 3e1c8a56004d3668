//! SQLite as this package uses it: connections, migrations, integers, the lock of a data file.

use crate::Fault;
use rusqlite::{Connection, OpenFlags, Row, TransactionBehavior, config::DbConfig};
use std::{
    fs::{File, TryLockError},
    path::{Path, PathBuf},
};

/// One step of a schema; its place in the list is the `user_version` that it leads to.
pub(crate) type Migration = &'static str;

const STATEMENTS_CACHED: usize = 64;

/// Opens the connection that writes, makes the file if need be, and brings it up to date.
pub(crate) fn open_writer(path: &Path, migrations: &[Migration]) -> Result<Connection, Fault> {
    let mut connection =
        Connection::open(path).map_err(Fault::sql("open the database for writing"))?;
    connection
        .execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")
        .map_err(Fault::sql("switch the database to write-ahead logging"))?;
    // A checkpoint costs two flushes and holds up whoever commits: it comes once for each 16 MiB of
    // the log, in which most pages stand several times. One that a reader held up must not leave a
    // log that stays large for ever.
    connection
        .execute_batch("PRAGMA wal_autocheckpoint = 4096; PRAGMA journal_size_limit = 16777216;")
        .map_err(Fault::sql("bound the write-ahead log"))?;
    prepare(&connection)?;
    migrate(&mut connection, migrations)?;
    sync_folder_of(path)?;
    Ok(connection)
}

/// Opens a connection that only reads. The file exists and is up to date.
pub(crate) fn open_reader(path: &Path) -> Result<Connection, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)
        .map_err(Fault::sql("open the database for reading"))?;
    prepare(&connection)?;
    // Whatever is written empties it.
    connection
        .execute_batch("PRAGMA cache_size = -256")
        .map_err(Fault::sql("bound what a connection keeps"))?;
    Ok(connection)
}

fn prepare(connection: &Connection) -> Result<(), Fault> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
    // A statement whose plan could depend on what is bound to it, as where a table has an index of
    // some of its rows, would be prepared anew each time that something is.
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
        .map_err(Fault::sql("have statements keep their plans"))?;
    connection
        .execute_batch(
            "PRAGMA foreign_keys = ON; PRAGMA cache_size = -1000; PRAGMA mmap_size = 0;
             PRAGMA busy_timeout = 10000;",
        )
        .map_err(Fault::sql("prepare a connection"))
}

fn migrate(connection: &mut Connection, migrations: &[Migration]) -> Result<(), Fault> {
    let version: i64 = connection
        .query_row("PRAGMA user_version", (), |row| row.get(0))
        .map_err(Fault::sql("read the database's version"))?;
    let found = usize::try_from(version)
        .map_err(|_| Fault::Corrupt { what: format!("the database's version {version}") })?;
    let known = migrations.len();
    if found > known {
        return Err(Fault::Newer { found, known });
    }
    for (at, migration) in migrations.iter().enumerate().skip(found) {
        let mut step = || -> rusqlite::Result<()> {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            transaction.execute_batch(migration)?;
            transaction.pragma_update(None, "user_version", integer(at as u64 + 1))?;
            transaction.commit()
        };
        step().map_err(Fault::sql("migrate the database"))?;
    }
    Ok(())
}

fn sync_folder_of(path: &Path) -> Result<(), Fault> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(Fault::file("make a new file last in", folder))
}

/// Holds a data file for this process alone, until it is dropped or the process is gone.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "held, not used")] File);

impl Lock {
    /// Takes the lock that stands beside `path`.
    pub(crate) fn take(path: &Path) -> Result<Self, Fault> {
        let mut name = path.as_os_str().to_owned();
        name.push(".lock");
        let path = PathBuf::from(name);
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(Fault::file("open", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(Fault::InUse { path }),
            Err(TryLockError::Error(error)) => Err(Fault::file("lock", path)(error)),
        }
    }
}

/// A count as SQLite keeps it.
pub(crate) fn integer(count: u64) -> i64 {
    i64::try_from(count).expect("no count of ours reaches 2^63")
}

/// A count in a row, which is a fault if it is negative.
pub(crate) fn count(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let integer: i64 = row.get(column)?;
    u64::try_from(integer).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, integer))
}

/// The smallest text above all those that begin with `prefix`; none if there is no such.
pub(crate) fn prefix_end(prefix: &str) -> Option<String> {
    let mut end = prefix.to_owned();
    while let Some(last) = end.pop() {
        let mut later = last..=char::MAX;
        later.next();
        if let Some(next) = later.next() {
            end.push(next);
            return Some(end);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::open_writer;
    use crate::state::MIGRATIONS;
    use rusqlite::StatementStatus;

    #[test]
    fn a_statement_is_prepared_once_whatever_is_bound_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let connection = open_writer(&folder.path().join("state.db"), MIGRATIONS).unwrap();
        for number in 0..3 {
            let mut statement = connection
                .prepare_cached("SELECT number FROM build WHERE region = ?1 AND number > ?2")
                .unwrap();
            assert!(!statement.exists(("here", number)).unwrap());
            assert_eq!(statement.get_status(StatementStatus::RePrepare), 0);
        }
    }
}
