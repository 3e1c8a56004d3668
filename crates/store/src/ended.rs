//! How many builds have ended, and what they took: counted as each of them ends, so that no count
//! goes through builds, and kept when they leave.

use crate::{
    Fault, Store,
    sqlite::{count, integer},
};
use rusqlite::{Connection, Row, params};
use std::ops::Range;

/// Milliseconds of an hour and of a day.
const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

/// How a build ended, as far as the counts tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It did what it should.
    Succeeded,
    /// It did not, whoever is at fault.
    Failed,
    /// Somebody stopped it.
    Stopped,
}

/// A build that ends, for the counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedBuild {
    /// The region.
    pub region: String,
    /// The project's name.
    pub project: String,
    /// What it ran on, such as a compute type.
    pub class: String,
    /// When it ended, in milliseconds since 1970.
    pub ended_at: i64,
    /// How.
    pub outcome: Outcome,
    /// How long it had the machine, in milliseconds.
    pub millis: u64,
    /// The minutes that it is charged with.
    pub minutes: u64,
}

impl EndedBuild {
    /// What it adds to the counts.
    pub fn counts(&self) -> EndedCounts {
        let is = |outcome| u64::from(self.outcome == outcome);
        EndedCounts {
            succeeded: is(Outcome::Succeeded),
            failed: is(Outcome::Failed),
            stopped: is(Outcome::Stopped),
            millis: self.millis,
        }
    }
}

/// Counts of builds that have ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EndedCounts {
    /// How many did what they should.
    pub succeeded: u64,
    /// How many did not.
    pub failed: u64,
    /// How many were stopped.
    pub stopped: u64,
    /// How long they had the machine together, in milliseconds.
    pub millis: u64,
}

impl EndedCounts {
    /// How many there are.
    pub fn builds(&self) -> u64 {
        self.succeeded + self.failed + self.stopped
    }

    /// Adds others.
    pub fn add(&mut self, other: &Self) {
        self.succeeded += other.succeeded;
        self.failed += other.failed;
        self.stopped += other.stopped;
        self.millis += other.millis;
    }
}

/// The counts of a project's builds of one class, on one day or several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metered {
    /// The day, in days since 1970 in UTC; the first one, when they are several.
    pub day: i64,
    /// The project's name.
    pub project: String,
    /// What the builds ran on.
    pub class: String,
    /// How they ended.
    pub counts: EndedCounts,
    /// The minutes that they are charged with.
    pub minutes: u64,
}

impl Store {
    /// Gives the counts of the hours in which builds ended, in order. Hours are numbered from 1970.
    pub async fn ended_by_hour(
        &self,
        region: &str,
        hours: Range<i64>,
    ) -> Result<Vec<(i64, EndedCounts)>, Fault> {
        let region = region.to_owned();
        self.readers()
            .read("read the counts of hours", move |connection| {
                connection
                    .prepare_cached(
                        "SELECT succeeded, failed, stopped, millis, hour FROM ended_hour
                         WHERE region = ?1 AND hour >= ?2 AND hour < ?3 ORDER BY hour",
                    )?
                    .query_map(params![region, hours.start, hours.end], |row| {
                        Ok((row.get(4)?, counts_from_row(row)?))
                    })?
                    .collect()
            })
            .await
    }

    /// Gives what was counted on each day, in order of day, project and class.
    pub async fn ended_by_day(
        &self,
        region: &str,
        days: Range<i64>,
    ) -> Result<Vec<Metered>, Fault> {
        let sql = "SELECT succeeded, failed, stopped, millis, day, project, class, minutes
                   FROM ended_day WHERE region = ?1 AND day >= ?2 AND day < ?3
                   ORDER BY day, project, class";
        self.metered(region, days, sql).await
    }

    /// Gives what was counted on all of these days together: those with the most minutes first.
    pub async fn ended_by_project(
        &self,
        region: &str,
        days: Range<i64>,
    ) -> Result<Vec<Metered>, Fault> {
        let sql = "SELECT sum(succeeded), sum(failed), sum(stopped), sum(millis), min(day),
                          project, class, sum(minutes)
                   FROM ended_day WHERE region = ?1 AND day >= ?2 AND day < ?3
                   GROUP BY project, class ORDER BY sum(minutes) DESC, project, class";
        self.metered(region, days, sql).await
    }

    async fn metered(
        &self,
        region: &str,
        days: Range<i64>,
        sql: &'static str,
    ) -> Result<Vec<Metered>, Fault> {
        let region = region.to_owned();
        self.readers()
            .read("read the counts of days", move |connection| {
                connection
                    .prepare_cached(sql)?
                    .query_map(params![region, days.start, days.end], |row| {
                        Ok(Metered {
                            counts: counts_from_row(row)?,
                            day: row.get(4)?,
                            project: row.get(5)?,
                            class: row.get(6)?,
                            minutes: count(row, 7)?,
                        })
                    })?
                    .collect()
            })
            .await
    }

    /// Gives the first day, in days since 1970, on which anything was counted.
    pub async fn ended_since(&self, region: &str) -> Result<Option<i64>, Fault> {
        let region = region.to_owned();
        self.readers()
            .read("find the first count", move |connection| {
                connection
                    .prepare_cached("SELECT min(day) FROM ended_day WHERE region = ?1")?
                    .query_row(params![region], |row| row.get(0))
            })
            .await
    }
}

fn counts_from_row(row: &Row<'_>) -> rusqlite::Result<EndedCounts> {
    Ok(EndedCounts {
        succeeded: count(row, 0)?,
        failed: count(row, 1)?,
        stopped: count(row, 2)?,
        millis: count(row, 3)?,
    })
}

/// Counts a build that ends.
pub(crate) fn add(connection: &Connection, build: &EndedBuild) -> rusqlite::Result<()> {
    let EndedCounts { succeeded, failed, stopped, millis } = build.counts();
    let [succeeded, failed, stopped, millis] = [succeeded, failed, stopped, millis].map(integer);
    connection
        .prepare_cached(
            "INSERT INTO ended_hour (region, hour, succeeded, failed, stopped, millis)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (region, hour) DO UPDATE SET
                 succeeded = succeeded + excluded.succeeded, failed = failed + excluded.failed,
                 stopped = stopped + excluded.stopped, millis = millis + excluded.millis",
        )?
        .execute(params![
            build.region,
            build.ended_at.div_euclid(HOUR),
            succeeded,
            failed,
            stopped,
            millis
        ])?;
    connection
        .prepare_cached(
            "INSERT INTO ended_day
                 (region, day, project, class, succeeded, failed, stopped, millis, minutes)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
             ON CONFLICT (region, day, project, class) DO UPDATE SET
                 succeeded = succeeded + excluded.succeeded, failed = failed + excluded.failed,
                 stopped = stopped + excluded.stopped, millis = millis + excluded.millis,
                 minutes = minutes + excluded.minutes",
        )?
        .execute(params![
            build.region,
            build.ended_at.div_euclid(DAY),
            build.project,
            build.class,
            succeeded,
            failed,
            stopped,
            millis,
            integer(build.minutes)
        ])?;
    Ok(())
}

/// Forgets the counts of all regions from before a moment, in milliseconds since 1970.
pub(crate) fn forget(connection: &Connection, before: i64) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM ended_hour WHERE hour < ?1")?
        .execute(params![before.div_euclid(HOUR)])?;
    connection
        .prepare_cached("DELETE FROM ended_day WHERE day < ?1")?
        .execute(params![before.div_euclid(DAY)])?;
    Ok(())
}
