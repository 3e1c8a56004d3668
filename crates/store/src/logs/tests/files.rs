//! The files: their bytes, their torn ends, how many are open.

use super::{NOW, Random, append, event, from_head, group, messages, store, stream};
use crate::{
    Fault,
    logs::{Batch, LogError, LogStore, StreamId, catalog, frame, index::Block},
};
use expect_test::expect;
use std::{fs, path::Path};

fn append_from(store: &LogStore, id: StreamId, source: u64, messages: &[&str]) {
    let events: Vec<_> = messages.iter().map(|message| event(1, message)).collect();
    let batch = Batch { events: &events, source: Some(source), ingested_at: NOW };
    store.append(id, batch).unwrap();
}

fn hex(bytes: &[u8]) -> String {
    let lines = bytes.chunks(16).map(|line| {
        line.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ") + "\n"
    });
    lines.collect()
}

#[test]
fn the_bytes_of_frames_and_index_entries_stay_as_they_are() {
    let events = [event(1, "a\n"), event(2, "")];
    let mut bytes = frame::MAGIC.to_vec();
    let batch = Batch { events: &events, source: Some(258), ingested_at: 3 };
    bytes.extend(frame::encode(&batch));
    expect![[r#"
        42 59 4c 4f 47 53 00 01 1a 00 00 00 d4 d4 ce 83
        01 00 00 00 00 00 00 00 03 00 00 00 00 00 00 00
        fe ff ff ff ff ff ff ff 61 0a 18 00 00 00 14 be
        60 b7 02 00 00 00 00 00 00 00 03 00 00 00 00 00
        00 00 02 01 00 00 00 00 00 00
    "#]]
    .assert_eq(&hex(&bytes));
    let block = Block {
        offset: 8,
        end: 9,
        earliest: 1,
        latest: 2,
        sorted: true,
        source: 258,
        ingested_at: 3,
    };
    expect![[r#"
        08 00 00 00 00 00 00 00 09 00 00 00 00 00 00 00
        01 00 00 00 00 00 00 00 02 00 00 00 00 00 00 00
        02 01 00 00 00 00 00 00 03 00 00 00 00 00 00 00
        01 00 00 00 87 73 a3 d0
    "#]]
    .assert_eq(&hex(&block.encode()));
}

#[test]
fn a_torn_batch_is_taken_back_as_a_whole() {
    let (folder, store, id) = stream();
    append_from(&store, id, 100, &["a", "b"]);
    append_from(&store, id, 200, &["c", "d", "e"]);
    drop(store);
    let file = folder.path().join("1/1.log");
    let whole = fs::read(&file).unwrap();
    let mut kept = Vec::new();
    for length in 0..=whole.len() {
        fs::write(&file, &whole[..length]).unwrap();
        mark_as_open(folder.path());
        let store = LogStore::open(folder.path()).unwrap();
        let page = store.read(id, &from_head(9)).unwrap();
        let state = (messages(&page.events), store.source_offset(id).unwrap());
        if kept.last() != Some(&state) {
            kept.push(state);
        }
        // And it goes on behind it.
        append_from(&store, id, 300, &["z"]);
        let page = store.read(id, &from_head(9)).unwrap();
        assert!(messages(&page.events).ends_with('z'));
    }
    let states: Vec<_> =
        kept.iter().map(|(messages, source)| (messages.as_str(), *source)).collect();
    let before = states[0].1;
    assert_eq!(states[1..], [("a b", Some(100)), ("a b c d e", Some(200))]);
    assert_eq!((states[0].0, before), ("", Some(200)), "the catalogue remembers a lost file's");
}

fn mark_as_open(folder: &Path) {
    let catalog = rusqlite::Connection::open(folder.join("logs.db")).unwrap();
    catalog.execute("UPDATE log_stream SET marked = 1, source = 200", ()).unwrap();
}

#[test]
fn garbage_in_the_middle_is_a_fault_and_not_silence() {
    let (folder, store, id) = stream();
    append_from(&store, id, 1, &["a", "b", "c"]);
    let file = folder.path().join("1/1.log");
    let mut bytes = fs::read(&file).unwrap();
    bytes[60] ^= 1;
    fs::write(&file, bytes).unwrap();
    let read = store.read(id, &from_head(9));
    assert!(matches!(read, Err(LogError::Fault(Fault::Corrupt { .. }))), "{read:?}");
}

#[test]
fn a_large_stream_opens_from_its_index_file() {
    let (folder, store, id) = stream();
    let mut random = Random(7);
    let line = "x".repeat(1_000);
    for at in 0..3_000 {
        let time = at + i64::try_from(random.below(3)).unwrap();
        append(&store, id, &[event(time, &line)]);
    }
    let before = store.stream(store.group_id(super::REGION, "g").unwrap(), "s").unwrap();
    drop(store);
    let index = folder.path().join("1/1.idx");
    assert!(fs::metadata(&index).unwrap().len() > 0);
    // Were the first block read, this would be found.
    let file = folder.path().join("1/1.log");
    let mut bytes = fs::read(&file).unwrap();
    bytes[100] ^= 1;
    fs::write(&file, &bytes).unwrap();
    mark_as_open(folder.path());
    let store = LogStore::open(folder.path()).unwrap();
    let after = store.stream(store.group_id(super::REGION, "g").unwrap(), "s").unwrap();
    assert_eq!(before, after);
    drop(store);
    // A boot in between: the index file is not believed, and the file ends before the garbage.
    let catalog = rusqlite::Connection::open(folder.path().join("logs.db")).unwrap();
    catalog.execute("UPDATE fact SET value = 'an earlier boot'", ()).unwrap();
    drop(catalog);
    mark_as_open(folder.path());
    let store = LogStore::open(folder.path()).unwrap();
    assert_eq!(fs::metadata(&file).unwrap().len(), 8);
    drop(store);
}

#[test]
fn many_streams_share_few_open_files() {
    let (folder, store) = store();
    drop(store);
    let store = LogStore::open_with(folder.path(), 8).unwrap();
    let group = group(&store, "g");
    let ids: Vec<_> =
        (0..300).map(|n| store.create_stream(group, &format!("{n}"), NOW).unwrap()).collect();
    for round in ["a", "b"] {
        for id in &ids {
            append(&store, *id, &[event(1, round)]);
        }
    }
    let open = store.open_streams().all().len();
    assert!(open <= 9, "{open} streams are open");
    for id in &ids {
        assert_eq!(messages(&store.read(*id, &from_head(9)).unwrap().events), "a b");
    }
}

#[test]
fn streams_give_way_while_others_use_them() {
    let (folder, store) = store();
    drop(store);
    let store = LogStore::open_with(folder.path(), 2).unwrap();
    let group = group(&store, "g");
    let ids: Vec<_> =
        (0..6).map(|n| store.create_stream(group, &format!("{n}"), NOW).unwrap()).collect();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (store, ids) = (&store, &ids);
            scope.spawn(move || {
                let mut random = Random(thread + 1);
                for at in 0..500 {
                    let id = ids[usize::try_from(random.below(6)).unwrap()];
                    append(store, id, &[event(at, "x"), event(at, "y")]);
                    store.read(id, &from_head(10)).unwrap();
                }
            });
        }
    });
    let mut total = 0;
    for id in ids {
        let page = store.read(id, &from_head(10_000)).unwrap();
        assert!(page.events.is_sorted_by_key(|event| event.timestamp));
        total += page.events.len();
    }
    assert_eq!(total, 4 * 500 * 2);
}

/// What a catalogue of each version may hold, one text per migration.
const FIXTURES: &[&str] = &[include_str!("fixtures/0001.sql")];

#[test]
fn a_catalogue_of_any_version_opens_with_all_it_holds() {
    assert_eq!(FIXTURES.len(), catalog::MIGRATIONS.len(), "each migration has a fixture");
    for (at, fixture) in FIXTURES.iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let old = rusqlite::Connection::open(folder.path().join("logs.db")).unwrap();
        old.execute_batch(&catalog::MIGRATIONS[..=at].join("\n")).unwrap();
        old.execute_batch(fixture).unwrap();
        old.pragma_update(None, "user_version", i64::try_from(at + 1).unwrap()).unwrap();
        drop(old);
        let store = LogStore::open(folder.path()).unwrap();
        let group = store.group(super::REGION, "g").unwrap().unwrap();
        assert_eq!((group.retention_days, group.stored_bytes), (Some(7), 34));
        assert_eq!(store.tags(group.id).unwrap()["team"], "a");
        let stream = store.stream(group.id, "s").unwrap().unwrap();
        assert_eq!((stream.last_event_at, stream.stored_bytes), (Some(2), 34));
        assert_eq!(store.source_offset(stream.id).unwrap(), Some(512));
    }
}
