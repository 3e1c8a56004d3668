//! Streams, and what is known of their events.

use super::{Catalog, GroupId};
use crate::{
    Durability, Fault, Order,
    logs::{LogError, TimeRange, stream::Stats},
    sqlite::{count, integer, prefix_end},
};
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter, types::Value};

/// A stream's number; it is never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub(in crate::logs) i64);

impl StreamId {
    /// The stream of this number, for whoever keeps streams in another way than the log store.
    pub const fn numbered(number: i64) -> Self {
        Self(number)
    }
}

/// A log stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Its number.
    pub id: StreamId,
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created_at: i64,
    /// The earliest event's timestamp.
    pub first_event_at: Option<i64>,
    /// The latest event's timestamp.
    pub last_event_at: Option<i64>,
    /// When an event was last taken in.
    pub last_ingested_at: Option<i64>,
    /// How many bytes its events take.
    pub stored_bytes: u64,
}

/// By what streams are ordered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamOrder {
    /// By the bytes of their names.
    Name {
        /// Only names that begin with this; may be empty.
        prefix: String,
        /// Only names that come after this one in the order asked for.
        after: Option<String>,
    },
    /// By the time of the last event, those without events counting as the oldest.
    LastEvent {
        /// Only streams that come after this time and name in the order asked for.
        after: Option<(i64, String)>,
    },
}

/// Which of a group's streams are wanted.
#[derive(Clone, Debug)]
pub struct StreamsPage {
    /// By what they are ordered.
    pub by: StreamOrder,
    /// In which direction.
    pub order: Order,
    /// The most streams.
    pub limit: usize,
}

/// Which of a group's streams are searched.
#[derive(Clone, Copy, Debug)]
pub(in crate::logs) enum StreamNames<'a> {
    Prefix(&'a str),
    These(&'a [String]),
}

/// Where a stream belongs.
#[derive(Clone, Debug)]
pub(in crate::logs) struct Located {
    pub(in crate::logs) group: GroupId,
    pub(in crate::logs) name: String,
    pub(in crate::logs) source: Option<u64>,
}

/// A stream whose file may be ahead of the catalogue.
pub(in crate::logs) type Marked = (StreamId, GroupId);

/// What is to be written of a stream.
#[derive(Clone, Copy, Debug)]
pub(in crate::logs) struct Saved {
    pub(in crate::logs) id: StreamId,
    pub(in crate::logs) stats: Stats,
    /// Whether the file may get ahead of this.
    pub(in crate::logs) marked: bool,
}

const STREAM: &str = "SELECT id, name, created_at, first_event_at, last_event_at,
                             last_ingested_at, stored_bytes FROM log_stream";

impl Catalog {
    pub(in crate::logs) fn create_stream(
        &self,
        group: GroupId,
        name: &str,
        now: i64,
    ) -> Result<StreamId, LogError> {
        // The foreign key would say it too, but as a fault.
        self.write("make a log stream", Durability::Process, |connection| {
            let group: Option<i64> = connection
                .prepare_cached("SELECT id FROM log_group WHERE id = ?1")?
                .query_row([group.0], |row| row.get(0))
                .optional()?;
            let Some(group) = group else { return Ok(Err(LogError::GroupMissing)) };
            let id = connection
                .prepare_cached(
                    "INSERT INTO log_stream (log_group, name, created_at) VALUES (?1, ?2, ?3)
                     ON CONFLICT (log_group, name) DO NOTHING RETURNING id",
                )?
                .query_row(params![group, name, now], |row| row.get(0).map(StreamId))
                .optional()?;
            Ok(id.ok_or(LogError::StreamExists))
        })?
    }

    pub(in crate::logs) fn stream(
        &self,
        group: GroupId,
        name: &str,
    ) -> Result<Option<Stream>, Fault> {
        self.read("read a log stream", |connection| {
            connection
                .prepare_cached(&format!("{STREAM} WHERE log_group = ?1 AND name = ?2"))?
                .query_row(params![group.0, name], stream_from_row)
                .optional()
        })
    }

    pub(in crate::logs) fn stream_id(
        &self,
        group: GroupId,
        name: &str,
    ) -> Result<Option<StreamId>, Fault> {
        self.read("find a log stream's number", |connection| {
            connection
                .prepare_cached("SELECT id FROM log_stream WHERE log_group = ?1 AND name = ?2")?
                .query_row(params![group.0, name], |row| row.get(0).map(StreamId))
                .optional()
        })
    }

    pub(in crate::logs) fn locate(&self, id: StreamId) -> Result<Option<Located>, Fault> {
        self.read("find a log stream", |connection| {
            connection
                .prepare_cached("SELECT log_group, name, source FROM log_stream WHERE id = ?1")?
                .query_row([id.0], |row| {
                    let source: Option<i64> = row.get(2)?;
                    Ok(Located {
                        group: GroupId(row.get(0)?),
                        name: row.get(1)?,
                        source: source.map(i64::cast_unsigned),
                    })
                })
                .optional()
        })
    }

    pub(in crate::logs) fn streams(
        &self,
        group: GroupId,
        page: &StreamsPage,
    ) -> Result<Vec<Stream>, Fault> {
        let (sign, direction) = match page.order {
            Order::Ascending => (">", "ASC"),
            Order::Descending => ("<", "DESC"),
        };
        let limit = i64::try_from(page.limit).unwrap_or(i64::MAX);
        self.read("list log streams", |connection| match &page.by {
            StreamOrder::Name { prefix, after } => connection
                .prepare_cached(&format!(
                    "{STREAM} WHERE log_group = ?1 AND name >= ?2 AND (?3 IS NULL OR name < ?3)
                     AND (?4 IS NULL OR name {sign} ?4) ORDER BY name {direction} LIMIT ?5"
                ))?
                .query_map(
                    params![group.0, prefix, prefix_end(prefix), after, limit],
                    stream_from_row,
                )?
                .collect(),
            StreamOrder::LastEvent { after } => {
                let (time, name) = after.clone().unzip();
                connection
                    .prepare_cached(&format!(
                        "{STREAM} WHERE log_group = ?1
                         AND (?2 IS NULL OR (coalesce(last_event_at, 0), name) {sign} (?2, ?3))
                         ORDER BY coalesce(last_event_at, 0) {direction}, name {direction}
                         LIMIT ?4"
                    ))?
                    .query_map(params![group.0, time, name, limit], stream_from_row)?
                    .collect()
            }
        })
    }

    /// Gives those of a group's streams that may have events in `range`, with the time of the
    /// first one.
    pub(in crate::logs) fn streams_within(
        &self,
        group: GroupId,
        names: StreamNames<'_>,
        range: TimeRange,
    ) -> Result<Vec<(StreamId, i64)>, Fault> {
        const SELECT: &str = "SELECT id, first_event_at FROM log_stream
                              WHERE log_group = ?1 AND last_event_at >= ?2 AND first_event_at < ?3";
        let mut values = vec![Value::from(group.0), range.from.into(), range.until.into()];
        let condition = match names {
            StreamNames::Prefix(prefix) => {
                values.push(prefix.to_owned().into());
                match prefix_end(prefix) {
                    Some(end) => {
                        values.push(end.into());
                        "AND name >= ?4 AND name < ?5".to_owned()
                    }
                    None => "AND name >= ?4".to_owned(),
                }
            }
            StreamNames::These(names) => {
                values.extend(names.iter().map(|name| Value::from(name.clone())));
                format!("AND name IN ({})", vec!["?"; names.len()].join(", "))
            }
        };
        self.read("find log streams to search", |connection| {
            connection
                .prepare(&format!("{SELECT} {condition}"))?
                .query_map(params_from_iter(values), |row| {
                    Ok((StreamId(row.get(0)?), row.get(1)?))
                })?
                .collect()
        })
    }

    pub(in crate::logs) fn stream_names(
        &self,
        ids: impl IntoIterator<Item = StreamId>,
    ) -> Result<Vec<(StreamId, String)>, Fault> {
        self.read("read log streams' names", |connection| {
            let mut select =
                connection.prepare_cached("SELECT name FROM log_stream WHERE id = ?1")?;
            let mut names = Vec::new();
            for id in ids {
                let name = select.query_row([id.0], |row| row.get(0)).optional()?;
                names.extend(name.map(|name| (id, name)));
            }
            Ok(names)
        })
    }

    /// Gives those whose latest event is earlier than `horizon` and that still have events.
    pub(in crate::logs) fn streams_expired(
        &self,
        group: GroupId,
        horizon: i64,
    ) -> Result<Vec<StreamId>, Fault> {
        self.read("find expired log streams", |connection| {
            connection
                .prepare_cached(
                    "SELECT id FROM log_stream
                     WHERE log_group = ?1 AND coalesce(last_event_at, 0) < ?2
                           AND last_event_at IS NOT NULL",
                )?
                .query_map(params![group.0, horizon], |row| row.get(0).map(StreamId))?
                .collect()
        })
    }

    /// Gives the numbers of all streams of a group.
    pub(in crate::logs) fn stream_ids(&self, group: GroupId) -> Result<Vec<StreamId>, Fault> {
        self.read("list a group's streams", |connection| {
            connection
                .prepare_cached("SELECT id FROM log_stream WHERE log_group = ?1")?
                .query_map([group.0], |row| row.get(0).map(StreamId))?
                .collect()
        })
    }

    /// Gives the bytes of all streams together.
    pub(in crate::logs) fn stored_bytes(&self) -> Result<u64, Fault> {
        self.read("add up the sizes of the streams", |connection| {
            connection
                .prepare_cached("SELECT coalesce(sum(stored_bytes), 0) FROM log_stream")?
                .query_row((), |row| count(row, 0))
        })
    }

    /// Gives the streams whose files may be ahead.
    pub(in crate::logs) fn marked(&self) -> Result<Vec<Marked>, Fault> {
        self.read("find the streams that were open", |connection| {
            connection
                .prepare("SELECT id, log_group FROM log_stream WHERE marked = 1")?
                .query_map((), |row| Ok((StreamId(row.get(0)?), GroupId(row.get(1)?))))?
                .collect()
        })
    }

    /// Notes that a stream's file may get ahead.
    pub(in crate::logs) fn mark(&self, id: StreamId) -> Result<(), LogError> {
        self.write("mark a log stream as open", Durability::Process, |connection| {
            connection
                .prepare_cached("UPDATE log_stream SET marked = 1 WHERE id = ?1")?
                .execute([id.0])
        })
        .map_err(LogError::from)
        .and_then(found_stream)
    }

    /// Writes what is known of streams' events.
    pub(in crate::logs) fn save(
        &self,
        streams: &[Saved],
        durability: Durability,
    ) -> Result<(), Fault> {
        self.write("save what is known of log streams", durability, |connection| {
            streams.iter().try_for_each(|saved| save_one(connection, saved))
        })
    }

    pub(in crate::logs) fn delete_stream(&self, id: StreamId) -> Result<(), LogError> {
        self.write("delete a log stream", Durability::Machine, |connection| {
            connection.prepare_cached("DELETE FROM log_stream WHERE id = ?1")?.execute([id.0])
        })
        .map_err(LogError::from)
        .and_then(found_stream)
    }
}

fn save_one(connection: &Connection, saved: &Saved) -> rusqlite::Result<()> {
    let Saved { id, stats, marked } = saved;
    connection
        .prepare_cached(
            "UPDATE log_stream SET first_event_at = ?2, last_event_at = ?3,
                    last_ingested_at = ?4, stored_bytes = ?5, source = ?6, marked = ?7
             WHERE id = ?1",
        )?
        .execute(params![
            id.0,
            stats.first_event_at,
            stats.last_event_at,
            stats.last_ingested_at,
            integer(stats.stored_bytes),
            // It comes from the file, which may be damaged in a way that its sums do not tell.
            stats.source.map(u64::cast_signed),
            marked
        ])
        .map(drop)
}

fn found_stream(rows: usize) -> Result<(), LogError> {
    if rows == 0 { Err(LogError::StreamMissing) } else { Ok(()) }
}

fn stream_from_row(row: &Row<'_>) -> rusqlite::Result<Stream> {
    Ok(Stream {
        id: StreamId(row.get(0)?),
        name: row.get(1)?,
        created_at: row.get(2)?,
        first_event_at: row.get(3)?,
        last_event_at: row.get(4)?,
        last_ingested_at: row.get(5)?,
        stored_bytes: count(row, 6)?,
    })
}
