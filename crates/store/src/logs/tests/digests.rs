//! What a stream is known by.

use super::{DAY, NOW, append, event, group, store, stream};
use crate::logs::{LogStore, StreamDigest, StreamId};
use sha2::{Digest as _, Sha256};

fn digest_of(messages: &[String]) -> StreamDigest {
    let text = messages.concat();
    StreamDigest {
        sha256: hex::encode(Sha256::digest(&text)),
        events: messages.len() as u64,
        bytes: text.len() as u64,
    }
}

/// Appends lines, some of them in one batch, and more than a block in all.
fn print(store: &LogStore, id: StreamId, count: usize, printed: &mut Vec<String>) {
    let long = "x".repeat(900);
    for _ in 0..count {
        let lines: Vec<_> = (0..3).map(|n| format!("{} {n} {long}\n", printed.len())).collect();
        let events: Vec<_> = lines.iter().map(|line| event(NOW, line)).collect();
        append(store, id, &events);
        printed.extend(lines);
    }
}

#[test]
fn a_digest_goes_on_where_it_has_come_to() {
    let (folder, store, id) = stream();
    let mut printed = Vec::new();
    assert_eq!(store.digest(id).unwrap(), digest_of(&printed));
    for count in [1, 0, 2, 400, 0, 1, 150] {
        print(&store, id, count, &mut printed);
        assert_eq!(store.digest(id).unwrap(), digest_of(&printed));
    }
    drop(store);
    let store = LogStore::open(folder.path()).unwrap();
    print(&store, id, 1, &mut printed);
    assert_eq!(store.digest(id).unwrap(), digest_of(&printed));
}

#[test]
fn a_digest_is_right_while_others_append_and_ask() {
    let (_folder, store, id) = stream();
    let mut printed = Vec::new();
    std::thread::scope(|scope| {
        let asking = [(); 2].map(|()| {
            scope.spawn(|| {
                let mut seen = store.digest(id).unwrap();
                while seen.events < 1_500 {
                    let next = store.digest(id).unwrap();
                    assert!(next.events >= seen.events);
                    seen = next;
                }
                seen
            })
        });
        print(&store, id, 500, &mut printed);
        for asking in asking {
            assert_eq!(asking.join().unwrap(), digest_of(&printed));
        }
    });
}

#[test]
fn what_has_expired_is_in_no_digest() {
    let (_folder, store) = store();
    let group = group(&store, "g");
    let id = store.create_stream(group, "s", NOW).unwrap();
    store.set_retention(group, Some(1)).unwrap();
    append(&store, id, &[event(NOW, "old\n")]);
    assert_eq!(store.digest(id).unwrap(), digest_of(&["old\n".into()]));
    store.sweep(NOW + 2 * DAY).unwrap();
    assert_eq!(store.digest(id).unwrap(), digest_of(&[]));
    append(&store, id, &[event(NOW + 2 * DAY, "new\n")]);
    assert_eq!(store.digest(id).unwrap(), digest_of(&["new\n".into()]));
}
