//! Applies changes to an open transaction. Knows nothing of threads or of who waits.

use crate::{Change, Expect, command, ended, sqlite::count, sqlite::integer};
use rusqlite::{Connection, OptionalExtension, Result, params};

/// What came of a list of changes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Applied {
    /// All of them are in the transaction.
    All,
    /// The change at this place did not fit; what came before it is to be rolled back.
    Conflict(usize),
}

/// Applies `changes` in order, up to the first that does not fit.
pub(crate) fn apply(connection: &Connection, changes: &[Change]) -> Result<Applied> {
    for (at, change) in changes.iter().enumerate() {
        if apply_one(connection, change)? == Fits::No {
            return Ok(Applied::Conflict(at));
        }
    }
    Ok(Applied::All)
}

#[derive(PartialEq, Eq)]
enum Fits {
    Yes,
    No,
}

fn apply_one(connection: &Connection, change: &Change) -> Result<Fits> {
    match change {
        Change::PutRecord { collection, region, key, document, expect } => {
            let found = record_version(connection, collection.name(), region, key)?;
            let fits = match expect {
                Expect::Anything => true,
                Expect::Absent => found.is_none(),
                Expect::Version(version) => found == Some(*version),
            };
            if !fits {
                return Ok(Fits::No);
            }
            put_record(connection, collection.name(), region, key, document)?;
        }
        Change::DeleteRecord { collection, region, key } => {
            connection
                .prepare_cached(
                    "DELETE FROM record WHERE collection = ?1 AND region = ?2 AND key = ?3",
                )?
                .execute(params![collection.name(), region, key])?;
        }
        Change::InsertBuild { .. } => return insert_build(connection, change),
        Change::AppendEvents { .. } => return append_events(connection, change),
        Change::PutCommands { region, id, commands } => {
            command::put(connection, region, id, commands)?;
        }
        Change::CountEnded(build) => ended::add(connection, build)?,
        Change::ForgetEnded { before } => ended::forget(connection, *before)?,
        Change::DeleteBuild { region, id } => delete_build(connection, region, id)?,
    }
    Ok(Fits::Yes)
}

fn record_version(
    connection: &Connection,
    collection: &str,
    region: &str,
    key: &str,
) -> Result<Option<u64>> {
    connection
        .prepare_cached(
            "SELECT version FROM record WHERE collection = ?1 AND region = ?2 AND key = ?3",
        )?
        .query_row(params![collection, region, key], |row| count(row, 0))
        .optional()
}

fn put_record(
    connection: &Connection,
    collection: &str,
    region: &str,
    key: &str,
    document: &str,
) -> Result<()> {
    let version: i64 = connection
        .prepare_cached(
            "UPDATE counter SET value = value + 1 WHERE name = 'record_version' RETURNING value",
        )?
        .query_row((), |row| row.get(0))?;
    connection
        .prepare_cached(
            "INSERT INTO record (collection, region, key, version, document)
             VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (collection, region, key)
             DO UPDATE SET version = excluded.version, document = excluded.document",
        )?
        .execute(params![collection, region, key, version, document])?;
    Ok(())
}

fn insert_build(connection: &Connection, change: &Change) -> Result<Fits> {
    let Change::InsertBuild {
        region,
        id,
        project,
        number,
        submitted_at,
        request,
        events,
        state,
        live,
    } = change
    else {
        unreachable!("the caller looked");
    };
    let next = integer(events.len() as u64);
    let row: Option<i64> = connection
        .prepare_cached(
            "INSERT INTO build (region, id, project, number, submitted_at,
                                next_sequence, journal_offset, live, state)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?7, ?8)
             ON CONFLICT (region, id) DO NOTHING RETURNING row",
        )?
        .query_row(
            params![region, id, project, integer(*number), submitted_at, next, live, state],
            |row| row.get(0),
        )
        .optional()?;
    let Some(row) = row else { return Ok(Fits::No) };
    connection
        .prepare_cached("INSERT INTO build_request (build, request) VALUES (?1, ?2)")?
        .execute(params![row, request])?;
    insert_events(connection, row, 0, events)?;
    Ok(Fits::Yes)
}

fn delete_build(connection: &Connection, region: &str, id: &str) -> Result<()> {
    let deleted: Option<(String, i64)> = connection
        .prepare_cached(
            "DELETE FROM build WHERE region = ?1 AND id = ?2 RETURNING project, number",
        )?
        .query_row(params![region, id], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((project, number)) = deleted else { return Ok(()) };
    connection
        .prepare_cached(
            "INSERT INTO number_deleted (region, project, number) VALUES (?1, ?2, ?3)
             ON CONFLICT (region, project) DO UPDATE SET number = max(number, excluded.number)",
        )?
        .execute(params![region, project, number])?;
    Ok(())
}

fn append_events(connection: &Connection, change: &Change) -> Result<Fits> {
    let Change::AppendEvents { region, id, first_sequence, events, state, journal_offset, live } =
        change
    else {
        unreachable!("the caller looked");
    };
    let next = first_sequence + events.len() as u64;
    let row: Option<i64> = connection
        .prepare_cached(
            "UPDATE build SET next_sequence = ?4, state = ?5, journal_offset = ?6, live = ?7
             WHERE region = ?1 AND id = ?2 AND next_sequence = ?3 RETURNING row",
        )?
        .query_row(
            params![
                region,
                id,
                integer(*first_sequence),
                integer(next),
                state,
                integer(*journal_offset),
                live
            ],
            |row| row.get(0),
        )
        .optional()?;
    let Some(row) = row else { return Ok(Fits::No) };
    insert_events(connection, row, *first_sequence, events)?;
    Ok(Fits::Yes)
}

fn insert_events(
    connection: &Connection,
    build: i64,
    first_sequence: u64,
    events: &[(i64, String)],
) -> Result<()> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO build_event (build, sequence, at, event) VALUES (?1, ?2, ?3, ?4)",
    )?;
    for (sequence, (at, event)) in (first_sequence..).zip(events) {
        insert.execute(params![build, integer(sequence), at, event])?;
    }
    Ok(())
}
