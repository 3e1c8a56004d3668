//! Reading records: one by its key, or a page in the order of the keys.

use crate::{
    Collection, Fault, Store,
    recent::Name,
    sqlite::{count, prefix_end},
};
use rusqlite::{Connection, OptionalExtension, Row, params};

/// A document under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its key within collection and region.
    pub key: String,
    /// Changes with every put, and is never given twice.
    pub version: u64,
    /// What was put.
    pub document: String,
}

/// In which direction a listing goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Smallest, or oldest, first.
    #[default]
    Ascending,
    /// Largest, or newest, first.
    Descending,
}

/// Which part of a collection is wanted; keys are ordered by their bytes.
#[derive(Clone, Debug)]
pub struct Page {
    /// Only keys that begin with this; may be empty.
    pub prefix: String,
    /// Only keys that come after this one in the order asked for.
    pub after: Option<String>,
    /// The order.
    pub order: Order,
    /// The most records.
    pub limit: usize,
}

impl Page {
    /// Everything, in ascending order.
    pub fn all() -> Self {
        Self { prefix: String::new(), after: None, order: Order::Ascending, limit: usize::MAX }
    }
}

impl Store {
    /// Gives the record with this key.
    pub async fn record(
        &self,
        collection: Collection,
        region: &str,
        key: &str,
    ) -> Result<Option<Record>, Fault> {
        let name = Name { collection, region: region.to_owned(), key: key.to_owned() };
        let missed = match self.recent().find(&name) {
            Ok(found) => return Ok(found),
            Err(missed) => missed,
        };
        let Name { region, key, .. } = name.clone();
        let record = self
            .readers()
            .read("read a record", move |connection| {
                connection
                    .prepare_cached(
                        "SELECT key, version, document FROM record
                         WHERE collection = ?1 AND region = ?2 AND key = ?3",
                    )?
                    .query_row(params![collection.name(), region, key], from_row)
                    .optional()
            })
            .await?;
        self.recent().keep(missed, name, record.clone());
        Ok(record)
    }

    /// Gives a page of a collection's records.
    pub async fn records(
        &self,
        collection: Collection,
        region: &str,
        page: Page,
    ) -> Result<Vec<Record>, Fault> {
        let region = region.to_owned();
        self.readers()
            .read("list records", move |connection| list(connection, collection, &region, &page))
            .await
    }

    /// Gives the regions in which the collection has records, in order.
    pub async fn regions(&self, collection: Collection) -> Result<Vec<String>, Fault> {
        self.readers()
            .read("list the regions of records", move |connection| {
                connection
                    .prepare_cached(
                        "SELECT DISTINCT region FROM record WHERE collection = ?1
                         ORDER BY region",
                    )?
                    .query_map(params![collection.name()], |row| row.get(0))?
                    .collect()
            })
            .await
    }
}

fn list(
    connection: &Connection,
    collection: Collection,
    region: &str,
    page: &Page,
) -> rusqlite::Result<Vec<Record>> {
    let (from, until) = range(page);
    let direction = match page.order {
        Order::Ascending => "ASC",
        Order::Descending => "DESC",
    };
    let bound = if until.is_some() { "AND key < ?4" } else { "AND ?4 IS NULL" };
    let sql = format!(
        "SELECT key, version, document FROM record
         WHERE collection = ?1 AND region = ?2 AND key >= ?3 {bound}
         ORDER BY key {direction} LIMIT ?5"
    );
    let limit = i64::try_from(page.limit).unwrap_or(i64::MAX);
    connection
        .prepare_cached(&sql)?
        .query_map(params![collection.name(), region, from, until, limit], from_row)?
        .collect()
}

/// The keys that a page may give: from the first, inclusive, until the second, exclusive.
fn range(page: &Page) -> (String, Option<String>) {
    let mut from = page.prefix.clone();
    let mut until = prefix_end(&page.prefix);
    if let Some(after) = &page.after {
        match page.order {
            // No string stands between one and the same with a zero behind it.
            Order::Ascending => from = from.max(format!("{after}\0")),
            Order::Descending => {
                until = Some(until.map_or(after.clone(), |until| until.min(after.clone())));
            }
        }
    }
    (from, until)
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Record> {
    Ok(Record { key: row.get(0)?, version: count(row, 1)?, document: row.get(2)? })
}
