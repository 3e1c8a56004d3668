//! Groups and their tags.

use super::{Catalog, StreamId};
use crate::{
    Durability, Fault,
    logs::LogError,
    sqlite::{count, prefix_end},
};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::collections::BTreeMap;

/// A group's number; it is never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(pub(in crate::logs) i64);

/// What a group is kept for. It cannot be changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GroupClass {
    /// The usual one.
    #[default]
    Standard,
    /// Seldom read.
    InfrequentAccess,
    /// Only handed on.
    Delivery,
}

impl GroupClass {
    fn code(self) -> &'static str {
        match self {
            Self::Standard => "STANDARD",
            Self::InfrequentAccess => "INFREQUENT_ACCESS",
            Self::Delivery => "DELIVERY",
        }
    }

    fn from_code(code: &str) -> Option<Self> {
        [Self::Standard, Self::InfrequentAccess, Self::Delivery]
            .into_iter()
            .find(|class| class.code() == code)
    }
}

/// A log group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its number.
    pub id: GroupId,
    /// Its region.
    pub region: String,
    /// Its name.
    pub name: String,
    /// What it is kept for.
    pub class: GroupClass,
    /// When it was made.
    pub created_at: i64,
    /// How many days its events are kept; none for ever.
    pub retention_days: Option<u32>,
    /// How many bytes its events take.
    pub stored_bytes: u64,
}

impl Group {
    /// Gives the time before which events have expired.
    pub fn horizon(&self, now: i64) -> i64 {
        horizon(self.retention_days, now)
    }
}

/// Where events are found or go to: a stream's group, and the stream if there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// The group.
    pub group: GroupId,
    /// The stream.
    pub stream: Option<StreamId>,
    retention_days: Option<u32>,
}

impl Found {
    /// Gives the time before which events have expired.
    pub fn horizon(&self, now: i64) -> i64 {
        horizon(self.retention_days, now)
    }
}

fn horizon(retention_days: Option<u32>, now: i64) -> i64 {
    const DAY_MILLISECONDS: i64 = 24 * 60 * 60 * 1000;
    retention_days.map_or(i64::MIN, |days| now - i64::from(days) * DAY_MILLISECONDS)
}

/// A group to be made.
#[derive(Clone, Debug, Default)]
pub struct NewGroup {
    /// Its region.
    pub region: String,
    /// Its name.
    pub name: String,
    /// What it is kept for.
    pub class: GroupClass,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// The present.
    pub created_at: i64,
}

/// Which of a region's groups are wanted; they come in the order of their names' bytes.
#[derive(Clone, Debug)]
pub struct GroupsPage {
    /// Only names that begin with this; may be empty.
    pub prefix: String,
    /// Only names that contain this; may be empty.
    pub pattern: String,
    /// Only this class.
    pub class: Option<GroupClass>,
    /// Only names after this one.
    pub after: Option<String>,
    /// The most groups.
    pub limit: usize,
}

const GROUP: &str =
    "SELECT id, region, name, class, created_at, retention_days, stored_bytes FROM log_group";

impl Catalog {
    pub(in crate::logs) fn create_group(
        &self,
        group: &NewGroup,
        durability: Durability,
    ) -> Result<GroupId, LogError> {
        let id = self.write("make a log group", durability, |connection| {
            let id = connection
                .prepare_cached(
                    "INSERT INTO log_group (region, name, class, created_at)
                     VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT (region, name) DO NOTHING RETURNING id",
                )?
                .query_row(
                    params![group.region, group.name, group.class.code(), group.created_at],
                    |row| row.get(0).map(GroupId),
                )
                .optional()?;
            if let Some(id) = id {
                insert_tags(connection, id, &group.tags)?;
            }
            Ok(id)
        })?;
        id.ok_or(LogError::GroupExists)
    }

    pub(in crate::logs) fn group(&self, region: &str, name: &str) -> Result<Option<Group>, Fault> {
        self.read("read a log group", |connection| {
            connection
                .prepare_cached(&format!("{GROUP} WHERE region = ?1 AND name = ?2"))?
                .query_row(params![region, name], group_from_row)
                .optional()
        })
    }

    pub(in crate::logs) fn group_id(
        &self,
        region: &str,
        name: &str,
    ) -> Result<Option<GroupId>, Fault> {
        self.read("find a log group", |connection| {
            connection
                .prepare_cached("SELECT id FROM log_group WHERE region = ?1 AND name = ?2")?
                .query_row(params![region, name], |row| row.get(0).map(GroupId))
                .optional()
        })
    }

    pub(in crate::logs) fn find(
        &self,
        region: &str,
        group: &str,
        stream: &str,
    ) -> Result<Option<Found>, Fault> {
        self.read("find a log group and a stream of it", |connection| {
            connection
                .prepare_cached(
                    "SELECT id, retention_days, (SELECT log_stream.id FROM log_stream
                                                 WHERE log_stream.log_group = log_group.id
                                                       AND log_stream.name = ?3)
                     FROM log_group WHERE region = ?1 AND name = ?2",
                )?
                .query_row(params![region, group, stream], |row| {
                    Ok(Found {
                        group: GroupId(row.get(0)?),
                        retention_days: row.get(1)?,
                        stream: row.get::<_, Option<i64>>(2)?.map(StreamId),
                    })
                })
                .optional()
        })
    }

    pub(in crate::logs) fn groups(
        &self,
        region: &str,
        page: &GroupsPage,
    ) -> Result<Vec<Group>, Fault> {
        let after = page.after.as_ref().map(|after| format!("{after}\0")).unwrap_or_default();
        let from = page.prefix.clone().max(after);
        self.read("list log groups", |connection| {
            connection
                .prepare_cached(&format!(
                    "{GROUP} WHERE region = ?1 AND name >= ?2 AND (?3 IS NULL OR name < ?3)
                     AND instr(name, ?4) AND (?5 IS NULL OR class = ?5) ORDER BY name LIMIT ?6"
                ))?
                .query_map(
                    params![
                        region,
                        from,
                        prefix_end(&page.prefix),
                        page.pattern,
                        page.class.map(GroupClass::code),
                        i64::try_from(page.limit).unwrap_or(i64::MAX)
                    ],
                    group_from_row,
                )?
                .collect()
        })
    }

    /// Gives the groups of all regions whose events expire.
    pub(in crate::logs) fn groups_with_retention(&self) -> Result<Vec<Group>, Fault> {
        self.read("list log groups with a retention", |connection| {
            connection
                .prepare_cached(&format!("{GROUP} WHERE retention_days IS NOT NULL"))?
                .query_map((), group_from_row)?
                .collect()
        })
    }

    /// Gives the numbers of all groups there are.
    pub(in crate::logs) fn group_ids(&self) -> Result<Vec<i64>, Fault> {
        self.read("list all log groups", |connection| {
            connection
                .prepare_cached("SELECT id FROM log_group")?
                .query_map((), |row| row.get(0))?
                .collect()
        })
    }

    pub(in crate::logs) fn delete_group(&self, id: GroupId) -> Result<(), LogError> {
        self.write("delete a log group", Durability::Machine, |connection| {
            connection.prepare_cached("DELETE FROM log_group WHERE id = ?1")?.execute([id.0])
        })
        .map_err(LogError::from)
        .and_then(found_group)
    }

    pub(in crate::logs) fn set_retention(
        &self,
        id: GroupId,
        days: Option<u32>,
    ) -> Result<(), LogError> {
        self.write("set a log group's retention", Durability::Machine, |connection| {
            connection
                .prepare_cached("UPDATE log_group SET retention_days = ?2 WHERE id = ?1")?
                .execute(params![id.0, days])
        })
        .map_err(LogError::from)
        .and_then(found_group)
    }

    pub(in crate::logs) fn tags(&self, id: GroupId) -> Result<BTreeMap<String, String>, Fault> {
        self.read("read a log group's tags", |connection| {
            connection
                .prepare_cached("SELECT key, value FROM log_group_tag WHERE log_group = ?1")?
                .query_map([id.0], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
        })
    }

    pub(in crate::logs) fn put_tags(
        &self,
        id: GroupId,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), Fault> {
        self.write("tag a log group", Durability::Machine, |connection| {
            insert_tags(connection, id, tags)
        })
    }

    pub(in crate::logs) fn remove_tags(&self, id: GroupId, keys: &[String]) -> Result<(), Fault> {
        self.write("untag a log group", Durability::Machine, |connection| {
            let mut delete = connection
                .prepare_cached("DELETE FROM log_group_tag WHERE log_group = ?1 AND key = ?2")?;
            keys.iter().try_for_each(|key| delete.execute(params![id.0, key]).map(drop))
        })
    }
}

fn insert_tags(
    connection: &Connection,
    id: GroupId,
    tags: &BTreeMap<String, String>,
) -> rusqlite::Result<()> {
    let mut insert = connection.prepare_cached(
        "INSERT OR REPLACE INTO log_group_tag (log_group, key, value) VALUES (?1, ?2, ?3)",
    )?;
    tags.iter().try_for_each(|(key, value)| insert.execute(params![id.0, key, value]).map(drop))
}

fn found_group(rows: usize) -> Result<(), LogError> {
    if rows == 0 { Err(LogError::GroupMissing) } else { Ok(()) }
}

fn group_from_row(row: &Row<'_>) -> rusqlite::Result<Group> {
    let class: String = row.get(3)?;
    Ok(Group {
        id: GroupId(row.get(0)?),
        region: row.get(1)?,
        name: row.get(2)?,
        class: GroupClass::from_code(&class).ok_or_else(|| {
            rusqlite::Error::InvalidColumnType(3, class, rusqlite::types::Type::Text)
        })?,
        created_at: row.get(4)?,
        retention_days: row.get(5)?,
        stored_bytes: count(row, 6)?,
    })
}
