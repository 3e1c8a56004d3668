//! Which groups and streams there are: the SQL of the logs.

mod groups;
mod streams;

pub use groups::{Found, Group, GroupClass, GroupId, GroupsPage, NewGroup};
pub(super) use streams::{Saved, StreamNames};
pub use streams::{Stream, StreamId, StreamOrder, StreamsPage};

use crate::{
    Durability, Fault,
    sqlite::{Migration, open_writer},
};
use rusqlite::{Connection, OptionalExtension, params};
use std::path::Path;

/// Every step of the schema, in order. A step that has been released is never edited.
pub(super) const MIGRATIONS: &[Migration] =
    &[include_str!("../../migrations/logs/0001_groups_and_streams.sql")];

/// The catalogue's file, for one thread at a time.
///
/// What comes with a stream's events is written without waiting for the disk; what somebody asked
/// for, and a stream's end, waits, and takes everything before it along.
#[derive(Debug)]
pub(super) struct Catalog {
    connection: Connection,
}

impl Catalog {
    /// Opens the file, made if it is not there.
    pub(super) fn open(path: &Path) -> Result<Self, Fault> {
        let connection = open_writer(path, MIGRATIONS)?;
        connection
            .execute_batch("PRAGMA synchronous = NORMAL")
            .map_err(Fault::sql("open the catalogue of logs"))?;
        Ok(Self { connection })
    }

    /// Replaces a single value and gives the one before.
    pub(super) fn replace_fact(&self, name: &str, value: &str) -> Result<Option<String>, Fault> {
        self.write("write a fact of the logs", Durability::Process, |connection| {
            let before = connection
                .query_row("SELECT value FROM fact WHERE name = ?1", [name], |row| row.get(0))
                .optional()?;
            connection
                .execute("INSERT OR REPLACE INTO fact VALUES (?1, ?2)", params![name, value])?;
            Ok(before)
        })
    }

    fn read<T>(
        &self,
        doing: &'static str,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, Fault> {
        query(&self.connection).map_err(Fault::sql(doing))
    }

    /// Runs `change` in a transaction.
    fn write<T>(
        &self,
        doing: &'static str,
        durability: Durability,
        change: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, Fault> {
        let attempt = || {
            if durability == Durability::Machine {
                self.run("PRAGMA synchronous = FULL")?;
            }
            self.run("BEGIN IMMEDIATE")?;
            let result = change(&self.connection)?;
            self.run("COMMIT")?;
            Ok(result)
        };
        let result = attempt();
        if !self.connection.is_autocommit() {
            // The error that is being reported is the one that matters.
            let _ = self.run("ROLLBACK");
        }
        if durability == Durability::Machine {
            self.run("PRAGMA synchronous = NORMAL").map_err(Fault::sql(doing))?;
        }
        result.map_err(Fault::sql(doing))
    }

    fn run(&self, statement: &str) -> rusqlite::Result<()> {
        self.connection.execute_batch(statement)
    }
}
