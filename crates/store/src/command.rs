//! The commands of a build: kept and replaced by their place, and read in its order.

use crate::{
    Fault, Store,
    sqlite::{count, integer},
};
use rusqlite::{Connection, OptionalExtension, params};

/// A command of a build as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Its place among the build's commands, from 0.
    pub sequence: u64,
    /// What is known of it.
    pub command: String,
}

impl Store {
    /// Gives all commands of a build that are kept, in order; nothing if there is no such build.
    pub async fn commands(&self, region: &str, id: &str) -> Result<Vec<Command>, Fault> {
        let (region, id) = (region.to_owned(), id.to_owned());
        self.readers()
            .read("read a build's commands", move |connection| {
                connection
                    .prepare_cached(
                        "SELECT sequence, command FROM build_command
                         WHERE build = (SELECT row FROM build WHERE region = ?1 AND id = ?2)
                         ORDER BY sequence",
                    )?
                    .query_map(params![region, id], |row| {
                        Ok(Command { sequence: count(row, 0)?, command: row.get(1)? })
                    })?
                    .collect()
            })
            .await
    }
}

/// Keeps commands of a build, in place of what was kept there; a build that is gone keeps none.
pub(crate) fn put(
    connection: &Connection,
    region: &str,
    id: &str,
    commands: &[Command],
) -> rusqlite::Result<()> {
    let build: Option<i64> = connection
        .prepare_cached("SELECT row FROM build WHERE region = ?1 AND id = ?2")?
        .query_row(params![region, id], |row| row.get(0))
        .optional()?;
    let Some(build) = build else { return Ok(()) };
    let mut put = connection.prepare_cached(
        "INSERT INTO build_command (build, sequence, command) VALUES (?1, ?2, ?3)
         ON CONFLICT (build, sequence) DO UPDATE SET command = excluded.command",
    )?;
    for Command { sequence, command } in commands {
        put.execute(params![build, integer(*sequence), command])?;
    }
    Ok(())
}
