//! Reading builds: by id, the live ones, pages of ids, and the events of one.

use crate::{
    Fault, Order, Store,
    sqlite::{count, integer},
};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::{fmt, str::FromStr};

/// A build as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Build {
    /// The region.
    pub region: String,
    /// `project:uuid`.
    pub id: String,
    /// The project's name.
    pub project: String,
    /// Its number within its project.
    pub number: u64,
    /// When it was submitted, in milliseconds since 1970.
    pub submitted_at: i64,
    /// What was asked for.
    pub request: String,
    /// The latest snapshot of its state.
    pub state: String,
    /// How many events it has: the `first_sequence` of the next ones.
    pub next_sequence: u64,
    /// How far its journal has been read for `state`.
    pub journal_offset: u64,
    /// Whether there is anything left to do for it.
    pub live: bool,
}

/// An ended build that may leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The region.
    pub region: String,
    /// `project:uuid`.
    pub id: String,
    /// What was asked for.
    pub request: String,
}

/// A build's place in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildListed {
    /// `project:uuid`.
    pub id: String,
    /// Its number within its project.
    pub number: u64,
    /// Where to go on after it.
    pub cursor: BuildCursor,
}

/// A place between two builds of a listing; it stays valid when builds are deleted. As text it is
/// `major.minor`, and means something only in the kind of listing that gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuildCursor {
    /// The submission time, or the number.
    major: i64,
    /// The row.
    minor: i64,
}

impl fmt::Display for BuildCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// Not the text of a cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor")]
pub struct NotACursor;

impl FromStr for BuildCursor {
    type Err = NotACursor;

    fn from_str(text: &str) -> Result<Self, NotACursor> {
        let (major, minor) = text.split_once('.').ok_or(NotACursor)?;
        let parse = |text: &str| text.parse().map_err(|_| NotACursor);
        Ok(Self { major: parse(major)?, minor: parse(minor)? })
    }
}

/// Something that happened to a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its number within the build, from 0.
    pub sequence: u64,
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// What.
    pub event: String,
}

const BUILD: &str = "SELECT region, id, project, number, submitted_at, request, state,
                            next_sequence, journal_offset, live
                     FROM build JOIN build_request ON build_request.build = build.row";

impl Store {
    /// Gives the build with this id.
    pub async fn build(&self, region: &str, id: &str) -> Result<Option<Build>, Fault> {
        let (region, id) = (region.to_owned(), id.to_owned());
        self.readers().read("read a build", move |connection| one(connection, &region, &id)).await
    }

    /// Gives those of the builds that exist, in the order of `ids`.
    pub async fn builds(&self, region: &str, ids: &[String]) -> Result<Vec<Build>, Fault> {
        let (region, ids) = (region.to_owned(), ids.to_vec());
        self.readers()
            .read("read builds", move |connection| {
                ids.iter().filter_map(|id| one(connection, &region, id).transpose()).collect()
            })
            .await
    }

    /// Gives the live builds of all regions, oldest first. Ended builds cost nothing here.
    pub async fn live_builds(&self) -> Result<Vec<Build>, Fault> {
        self.readers()
            .read("read the live builds", |connection| {
                connection.prepare_cached(&live_sql())?.query_map((), build_from_row)?.collect()
            })
            .await
    }

    /// Gives ended builds of all regions, oldest first, that were submitted before a moment.
    pub async fn ended_builds(
        &self,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<Ended>, Fault> {
        self.readers()
            .read("find ended builds", move |connection| {
                connection
                    .prepare_cached(
                        "SELECT region, id, request FROM build
                         JOIN build_request ON build_request.build = build.row
                         WHERE live = 0 AND submitted_at < ?1 ORDER BY submitted_at LIMIT ?2",
                    )?
                    .query_map(params![before.unwrap_or(i64::MAX), bound(limit)], |row| {
                        Ok(Ended { region: row.get(0)?, id: row.get(1)?, request: row.get(2)? })
                    })?
                    .collect()
            })
            .await
    }

    /// Gives the ids of a region's ended builds, those that were submitted last first.
    pub async fn ended_build_ids(&self, region: &str, limit: usize) -> Result<Vec<String>, Fault> {
        let region = region.to_owned();
        self.readers()
            .read("list ended builds", move |connection| {
                connection
                    .prepare_cached(
                        "SELECT id FROM build INDEXED BY build_ended
                         WHERE live = 0 AND region = ?1 ORDER BY submitted_at DESC LIMIT ?2",
                    )?
                    .query_map(params![region, bound(limit)], |row| row.get(0))?
                    .collect()
            })
            .await
    }

    /// Gives how many builds have ended and are kept. Goes through all of them.
    pub async fn ended_build_count(&self) -> Result<u64, Fault> {
        self.readers()
            .read("count ended builds", |connection| {
                connection
                    .prepare_cached("SELECT count(*) FROM build WHERE live = 0")?
                    .query_row((), |row| count(row, 0))
            })
            .await
    }

    /// Lists a region's builds by the time of their submission, from after the cursor on.
    pub async fn build_ids(
        &self,
        region: &str,
        order: Order,
        after: Option<BuildCursor>,
        limit: usize,
    ) -> Result<Vec<BuildListed>, Fault> {
        let region = region.to_owned();
        self.readers()
            .read("list builds", move |connection| {
                let sql = format!(
                    "SELECT id, number, submitted_at, row FROM build
                     WHERE region = ?1 AND (submitted_at, row) {}",
                    rest("submitted_at", order)
                );
                let BuildCursor { major, minor } = after.unwrap_or(start(order));
                connection
                    .prepare_cached(&sql)?
                    .query_map(params![region, major, minor, bound(limit)], listed_from_row)?
                    .collect()
            })
            .await
    }

    /// Lists a project's builds by their number, from after the cursor on.
    pub async fn build_ids_of_project(
        &self,
        region: &str,
        project: &str,
        order: Order,
        after: Option<BuildCursor>,
        limit: usize,
    ) -> Result<Vec<BuildListed>, Fault> {
        let (region, project) = (region.to_owned(), project.to_owned());
        self.readers()
            .read("list a project's builds", move |connection| {
                let sql = format!(
                    "SELECT id, number, number, row FROM build
                     WHERE region = ?1 AND project = ?5 AND (number, row) {}",
                    rest("number", order)
                );
                let BuildCursor { major, minor } = after.unwrap_or(start(order));
                connection
                    .prepare_cached(&sql)?
                    .query_map(
                        params![region, major, minor, bound(limit), project],
                        listed_from_row,
                    )?
                    .collect()
            })
            .await
    }

    /// Gives the largest number that a build of the project has or had; 0 if there was none.
    pub async fn last_build_number(&self, region: &str, project: &str) -> Result<u64, Fault> {
        let (region, project) = (region.to_owned(), project.to_owned());
        self.readers()
            .read("read a project's last build number", move |connection| {
                connection
                    .prepare_cached(
                        "SELECT max(
                             (SELECT coalesce(max(number), 0) FROM build
                              WHERE region = ?1 AND project = ?2),
                             (SELECT coalesce(max(number), 0) FROM number_deleted
                              WHERE region = ?1 AND project = ?2))",
                    )?
                    .query_row(params![region, project], |row| count(row, 0))
            })
            .await
    }

    /// Gives all that happened to a build, in order; nothing if there is no such build.
    pub async fn events(&self, region: &str, id: &str) -> Result<Vec<Event>, Fault> {
        self.events_from(region, id, 0).await
    }

    /// Gives what happened to a build from event number `first` on.
    pub async fn events_from(
        &self,
        region: &str,
        id: &str,
        first: u64,
    ) -> Result<Vec<Event>, Fault> {
        let (region, id) = (region.to_owned(), id.to_owned());
        self.readers()
            .read("read a build's events", move |connection| {
                connection
                    .prepare_cached(
                        "SELECT sequence, at, event FROM build_event
                         WHERE build = (SELECT row FROM build WHERE region = ?1 AND id = ?2)
                               AND sequence >= ?3
                         ORDER BY sequence",
                    )?
                    .query_map(params![region, id, integer(first)], event_from_row)?
                    .collect()
            })
            .await
    }
}

/// The statement of [`Store::live_builds`].
pub(crate) fn live_sql() -> String {
    format!("{BUILD} WHERE live = 1 ORDER BY row")
}

fn one(connection: &Connection, region: &str, id: &str) -> rusqlite::Result<Option<Build>> {
    connection
        .prepare_cached(&format!("{BUILD} WHERE region = ?1 AND id = ?2"))?
        .query_row(params![region, id], build_from_row)
        .optional()
}

/// The end of a listing's statement: compares with the cursor, orders, limits.
fn rest(column: &str, order: Order) -> String {
    let (sign, direction) = match order {
        Order::Ascending => (">", "ASC"),
        Order::Descending => ("<", "DESC"),
    };
    format!("{sign} (?2, ?3) ORDER BY {column} {direction}, row {direction} LIMIT ?4")
}

/// The cursor before everything.
fn start(order: Order) -> BuildCursor {
    match order {
        Order::Ascending => BuildCursor { major: i64::MIN, minor: i64::MIN },
        Order::Descending => BuildCursor { major: i64::MAX, minor: i64::MAX },
    }
}

fn bound(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

fn listed_from_row(row: &Row<'_>) -> rusqlite::Result<BuildListed> {
    Ok(BuildListed {
        id: row.get(0)?,
        number: count(row, 1)?,
        cursor: BuildCursor { major: row.get(2)?, minor: row.get(3)? },
    })
}

fn event_from_row(row: &Row<'_>) -> rusqlite::Result<Event> {
    Ok(Event { sequence: count(row, 0)?, at: row.get(1)?, event: row.get(2)? })
}

fn build_from_row(row: &Row<'_>) -> rusqlite::Result<Build> {
    Ok(Build {
        region: row.get(0)?,
        id: row.get(1)?,
        project: row.get(2)?,
        number: count(row, 3)?,
        submitted_at: row.get(4)?,
        request: row.get(5)?,
        state: row.get(6)?,
        next_sequence: count(row, 7)?,
        journal_offset: count(row, 8)?,
        live: row.get(9)?,
    })
}
