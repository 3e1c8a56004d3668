//! Tests of the state: the contract, crashes, migrations.

mod builds;
mod commands;
mod crash;
mod ended;
mod migrations;
mod records;

use crate::{Change, Collection, Expect, Store};
use tempfile::TempDir;

const PROJECTS: Collection = Collection::new("projects");
const REGION: &str = "eu-west-1";

/// A store in a folder of its own; the folder lives as long as the first part.
fn store() -> (TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("state.db")).unwrap();
    (folder, store)
}

fn put(key: &str, document: &str, expect: Expect) -> Change {
    Change::PutRecord {
        collection: PROJECTS,
        region: REGION.to_owned(),
        key: key.to_owned(),
        document: document.to_owned(),
        expect,
    }
}

fn insert(project: &str, number: u64, submitted_at: i64) -> Change {
    Change::InsertBuild {
        region: REGION.to_owned(),
        id: format!("{project}:{number}"),
        project: project.to_owned(),
        number,
        submitted_at,
        request: format!("request {number}"),
        events: Vec::new(),
        state: "queued".to_owned(),
        live: true,
    }
}

fn append(id: &str, first_sequence: u64, events: &[&str], live: bool) -> Change {
    Change::AppendEvents {
        region: REGION.to_owned(),
        id: id.to_owned(),
        first_sequence,
        events: events.iter().map(|event| (1_000, (*event).to_owned())).collect(),
        state: format!("after {}", events.last().unwrap_or(&"nothing")),
        journal_offset: (first_sequence + events.len() as u64) * 100,
        live,
    }
}
