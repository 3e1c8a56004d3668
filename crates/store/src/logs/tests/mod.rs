//! Tests of the logs.

mod crash;
mod digests;
mod files;
mod groups;
mod law;
mod lines;
mod mutations;
mod pages;
mod patterns;
mod search;
mod sources;
mod tailing;

use super::{
    Batch, Direction, GroupId, LogEvent, LogStore, NewEvent, NewGroup, ReadRequest, StreamId,
    TimeRange,
};
use tempfile::TempDir;

const REGION: &str = "eu-west-1";
const NOW: i64 = 1_700_000_000_000;
const DAY: i64 = 24 * 60 * 60 * 1000;

fn store() -> (TempDir, LogStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = LogStore::open(folder.path()).unwrap();
    (folder, store)
}

fn group(store: &LogStore, name: &str) -> GroupId {
    let group = NewGroup {
        region: REGION.to_owned(),
        name: name.to_owned(),
        created_at: NOW,
        ..NewGroup::default()
    };
    store.create_group(&group).unwrap()
}

/// A store with one stream in one group.
fn stream() -> (TempDir, LogStore, StreamId) {
    let (folder, store) = store();
    let id = store.create_stream(group(&store, "g"), "s", NOW).unwrap();
    (folder, store, id)
}

fn event(timestamp: i64, message: &str) -> NewEvent {
    NewEvent { timestamp, message: message.to_owned() }
}

fn append(store: &LogStore, id: StreamId, events: &[NewEvent]) {
    store.append(id, Batch { events, source: None, ingested_at: NOW }).unwrap();
}

fn from_head(limit: usize) -> ReadRequest {
    ReadRequest { range: TimeRange::ALL, token: None, direction: Direction::Forward, limit }
}

fn messages(events: &[LogEvent]) -> String {
    events.iter().map(|event| event.message.as_str()).collect::<Vec<_>>().join(" ")
}

/// Numbers without a pattern that are the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}
