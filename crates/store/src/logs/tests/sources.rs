//! Where a writer's source is in a stream.

use super::{append, event, messages, stream};
use crate::logs::{Batch, LogStore, NewEvent, ReadRequest, StreamId, TimeRange};

fn put(store: &LogStore, id: StreamId, source: u64, events: &[NewEvent]) {
    let batch = Batch { events, source: Some(source), ingested_at: super::NOW };
    store.append(id, batch).unwrap();
}

fn behind(store: &LogStore, id: StreamId, sources: &[u64], limit: usize) -> Vec<String> {
    let tokens = store.tokens_behind(id, sources).unwrap();
    let read = |token| {
        let request =
            ReadRequest { token: Some(token), limit, range: TimeRange::ALL, ..super::from_head(1) };
        messages(&store.read(id, &request).unwrap().events)
    };
    tokens.into_iter().map(read).collect()
}

#[test]
fn reading_goes_on_behind_a_source() {
    let (_folder, store, id) = stream();
    assert_eq!(behind(&store, id, &[0, 7], 9), ["", ""]);
    // All at one moment, as the commands of a fast build are.
    put(&store, id, 10, &[event(1, "a"), event(1, "b")]);
    put(&store, id, 20, &[event(1, "c")]);
    append(&store, id, &[event(1, "somebody else's")]);
    put(&store, id, 30, &[event(1, "d"), event(2, "e")]);
    let all = behind(&store, id, &[0, 9, 10, 15, 20, 29, 30, 99], 1);
    assert_eq!(all, ["a", "a", "c", "c", "somebody else's", "somebody else's", "", ""]);
    put(&store, id, 40, &[event(2, "f")]);
    assert_eq!(behind(&store, id, &[30, 40, 10], 9), ["f", "", "c somebody else's d e f"]);
}

#[test]
fn many_blocks_are_many_places() {
    let (_folder, store, id) = stream();
    let long = "x".repeat(1_000);
    let sources: Vec<u64> = (0..3_000).collect();
    for source in &sources {
        let text = format!("{source} {long}");
        put(&store, id, source + 1, &[event(i64::try_from(source / 7).unwrap(), &text)]);
    }
    for (source, first) in sources.iter().zip(behind(&store, id, &sources, 1)) {
        assert!(first.starts_with(&format!("{source} ")), "{source}: {}", &first[..9]);
    }
}
