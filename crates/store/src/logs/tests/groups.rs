//! Groups, streams, tags, retention and deletion.

use super::{DAY, NOW, REGION, append, event, from_head, group, messages, store};
use crate::{
    Order,
    logs::{GroupsPage, LogError, LogStore, NewGroup, StreamOrder, StreamsPage},
};
use std::collections::BTreeMap;

fn names(store: &LogStore, page: &GroupsPage) -> String {
    let groups = store.groups(REGION, page).unwrap();
    groups.into_iter().map(|group| group.name).collect::<Vec<_>>().join(" ")
}

#[test]
fn groups_are_listed_by_name() {
    let (_folder, store) = store();
    for name in ["b", "a/2", "a/1", "B", "a/10"] {
        group(&store, name);
    }
    let all = GroupsPage {
        prefix: String::new(),
        pattern: String::new(),
        class: None,
        after: None,
        limit: 9,
    };
    assert_eq!(names(&store, &all), "B a/1 a/10 a/2 b");
    let prefix = "a/".to_owned();
    assert_eq!(
        names(&store, &GroupsPage { prefix: prefix.clone(), ..all.clone() }),
        "a/1 a/10 a/2"
    );
    let after = Some("a/1".to_owned());
    assert_eq!(names(&store, &GroupsPage { prefix, after, limit: 1, ..all.clone() }), "a/10");
    assert_eq!(names(&store, &GroupsPage { pattern: "/1".to_owned(), ..all }), "a/1 a/10");
}

#[test]
fn a_name_is_taken_once_per_region() {
    let (_folder, store) = store();
    let id = group(&store, "g");
    let again = NewGroup { region: REGION.to_owned(), name: "g".to_owned(), ..NewGroup::default() };
    assert!(matches!(store.create_group(&again), Err(LogError::GroupExists)));
    let elsewhere = NewGroup { region: "us-east-1".to_owned(), ..again.clone() };
    store.create_group(&elsewhere).unwrap();
    store.create_stream(id, "s", NOW).unwrap();
    assert!(matches!(store.create_stream(id, "s", NOW), Err(LogError::StreamExists)));
    let known = store.ensure_stream(&again, "s", NOW).unwrap();
    assert_eq!(known, store.stream_id(id, "s").unwrap());
    let other = NewGroup { name: "new".to_owned(), ..again };
    let made = store.ensure_stream(&other, "s", NOW).unwrap();
    assert_ne!(known, made);
    assert_eq!(made, store.ensure_stream(&other, "s", NOW).unwrap());
}

#[test]
fn streams_are_listed_by_name_or_by_their_last_event() {
    let (_folder, store) = store();
    let id = group(&store, "g");
    for (name, last) in [("a", 30), ("b", 0), ("c", 20), ("d", 20)] {
        let stream = store.create_stream(id, name, NOW).unwrap();
        if last > 0 {
            append(&store, stream, &[event(1, "x"), event(last, "y")]);
        }
    }
    let list = |by: StreamOrder, order: Order| {
        let streams = store.streams(id, &StreamsPage { by, order, limit: 3 }).unwrap();
        streams.into_iter().map(|stream| stream.name).collect::<String>()
    };
    let by_name = |prefix: &str, after: Option<&str>| StreamOrder::Name {
        prefix: prefix.to_owned(),
        after: after.map(str::to_owned),
    };
    assert_eq!(list(by_name("", None), Order::Ascending), "abc");
    assert_eq!(list(by_name("", Some("c")), Order::Ascending), "d");
    assert_eq!(list(by_name("", Some("c")), Order::Descending), "ba");
    assert_eq!(list(by_name("c", None), Order::Descending), "c");
    let by_event = |after: Option<(i64, &str)>| StreamOrder::LastEvent {
        after: after.map(|(time, name)| (time, name.to_owned())),
    };
    assert_eq!(list(by_event(None), Order::Descending), "adc");
    assert_eq!(list(by_event(Some((20, "d"))), Order::Descending), "cb");
    assert_eq!(list(by_event(None), Order::Ascending), "bcd");
    let stream = store.stream(id, "a").unwrap().unwrap();
    assert_eq!((stream.first_event_at, stream.last_event_at), (Some(1), Some(30)));
    assert_eq!(stream.last_ingested_at, Some(NOW));
    let total: u64 = ["a", "c", "d"]
        .map(|name| store.stream(id, name).unwrap().unwrap().stored_bytes)
        .iter()
        .sum();
    assert!(total > 0);
    assert_eq!(store.group(REGION, "g").unwrap().unwrap().stored_bytes, total);
}

#[test]
fn tags_are_added_replaced_and_removed() {
    let (_folder, store) = store();
    let id = group(&store, "g");
    let tags = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    };
    store.put_tags(id, &tags(&[("a", "1"), ("b", "2")])).unwrap();
    store.put_tags(id, &tags(&[("b", "3"), ("c", "4")])).unwrap();
    store.remove_tags(id, &["a".to_owned(), "none".to_owned()]).unwrap();
    assert_eq!(store.tags(id).unwrap(), tags(&[("b", "3"), ("c", "4")]));
}

#[test]
fn what_is_deleted_is_gone_and_its_name_is_free() {
    let (folder, store) = store();
    let id = group(&store, "g");
    let stream = store.create_stream(id, "s", NOW).unwrap();
    append(&store, stream, &[event(1, "old")]);
    store.delete_stream(stream).unwrap();
    assert!(matches!(store.delete_stream(stream), Err(LogError::StreamMissing)));
    assert!(matches!(store.read(stream, &from_head(1)), Err(LogError::StreamMissing)));
    assert_eq!(store.group(REGION, "g").unwrap().unwrap().stored_bytes, 0);
    let anew = store.create_stream(id, "s", NOW).unwrap();
    assert!(store.read(anew, &from_head(1)).unwrap().events.is_empty());
    append(&store, anew, &[event(1, "new")]);

    store.delete_group(id).unwrap();
    assert!(matches!(store.delete_group(id), Err(LogError::GroupMissing)));
    assert!(matches!(store.stream_id(id, "s"), Err(LogError::StreamMissing)));
    assert!(matches!(store.create_stream(id, "s", NOW), Err(LogError::GroupMissing)));
    let late = crate::logs::Batch { events: &[event(1, "x")], source: None, ingested_at: NOW };
    assert!(matches!(store.append(anew, late), Err(LogError::StreamMissing)));
    assert!(!folder.path().join("1").exists());
    let id = group(&store, "g");
    assert_eq!(store.stream(id, "s").unwrap(), None);
}

#[test]
fn expired_events_go_and_their_stream_stays() {
    let (folder, store) = store();
    let id = group(&store, "g");
    let old = store.create_stream(id, "old", NOW).unwrap();
    let live = store.create_stream(id, "live", NOW).unwrap();
    let batch = crate::logs::Batch {
        events: &[event(NOW - 9 * DAY, "a")],
        source: Some(77),
        ingested_at: NOW,
    };
    store.append(old, batch).unwrap();
    append(&store, live, &[event(NOW - 9 * DAY, "b"), event(NOW, "c")]);
    store.sweep(NOW).unwrap();
    assert_eq!(messages(&store.read(old, &from_head(9)).unwrap().events), "a");
    store.set_retention(id, Some(7)).unwrap();
    let horizon = store.group(REGION, "g").unwrap().unwrap().horizon(NOW);
    assert_eq!(horizon, NOW - 7 * DAY);
    store.sweep(NOW).unwrap();
    assert!(!folder.path().join("1/1.log").exists());
    assert_eq!(messages(&store.read(old, &from_head(9)).unwrap().events), "");
    assert_eq!(messages(&store.read(live, &from_head(9)).unwrap().events), "b c");
    let row = store.stream(id, "old").unwrap().unwrap();
    assert_eq!((row.last_event_at, row.stored_bytes), (None, 0));
    // Whoever wrote it does not begin again.
    assert_eq!(store.source_offset(old).unwrap(), Some(77));
    append(&store, old, &[event(NOW, "d")]);
    drop(store);
    let store = LogStore::open(folder.path()).unwrap();
    assert_eq!(messages(&store.read(old, &from_head(9)).unwrap().events), "d");
    assert_eq!(store.source_offset(old).unwrap(), Some(77));
}

#[test]
fn files_that_belong_to_nothing_are_swept() {
    let (folder, store) = store();
    let id = group(&store, "g");
    let stream = store.create_stream(id, "s", NOW).unwrap();
    append(&store, stream, &[event(1, "x")]);
    std::fs::write(folder.path().join("1/99.log"), "").unwrap();
    std::fs::create_dir(folder.path().join("99")).unwrap();
    store.sweep(NOW).unwrap();
    assert!(folder.path().join("1/1.log").exists());
    assert!(!folder.path().join("1/99.log").exists());
    assert!(!folder.path().join("99").exists());
    assert!(folder.path().join("logs.db").exists());
}
