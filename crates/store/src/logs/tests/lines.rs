//! Streams by the numbers of their lines.

use super::{event, messages, stream};
use crate::logs::{Batch, LogStore, StreamId};
use std::fs;

/// Three thousand lines of which each has its number, a millisecond apart, in several blocks.
fn filled() -> (tempfile::TempDir, LogStore, StreamId) {
    let (folder, store, id) = stream();
    let long = "x".repeat(300);
    for batch in 0_u32..1_000 {
        let events: Vec<_> = (batch * 3..batch * 3 + 3)
            .map(|number| event(i64::from(number), &format!("line {number}. {long}")))
            .collect();
        let source = Some(u64::from(batch + 1) * 10);
        store.append(id, Batch { events: &events, source, ingested_at: super::NOW }).unwrap();
    }
    (folder, store, id)
}

#[test]
fn any_line_is_found_by_its_number() {
    let (_folder, store, id) = filled();
    assert_eq!(store.line_count(id).unwrap(), 3_000);
    for first in [0, 1, 799, 1_500, 2_998] {
        let lines = store.lines(id, first, 2).unwrap();
        let numbers: Vec<&str> =
            lines.iter().map(|line| line.message.split('.').next().unwrap()).collect();
        assert_eq!(numbers, [format!("line {first}"), format!("line {}", first + 1)]);
    }
    assert_eq!(store.lines(id, 2_999, 9).unwrap().len(), 1);
    assert_eq!(store.lines(id, 3_000, 9).unwrap().len(), 0);
    assert_eq!(store.lines(id, 0, 5_000).unwrap().len(), 3_000);
}

#[test]
fn a_line_is_found_by_its_time_and_by_its_source() {
    let (_folder, store, id) = filled();
    for number in [0, 1, 1_234, 2_999] {
        let time = i64::try_from(number).unwrap();
        assert_eq!(store.line_at(id, time).unwrap(), number);
    }
    assert_eq!(store.line_at(id, 3_000).unwrap(), 3_000);
    assert_eq!(
        store.lines_behind(id, &[0, 10, 15, 5_000, 10_000]).unwrap(),
        [0, 3, 3, 1_500, 3_000]
    );
}

#[test]
fn lines_that_hold_a_text_are_found_whatever_its_case() {
    let (_folder, store, id) = filled();
    let found = store.find_lines(id, "LINE 299", 100).unwrap();
    assert_eq!(
        found.numbers,
        [299, 2_990, 2_991, 2_992, 2_993, 2_994, 2_995, 2_996, 2_997, 2_998, 2_999]
    );
    assert!(found.is_all);
    let found = store.find_lines(id, "line", 7).unwrap();
    assert_eq!((found.numbers.len(), found.is_all), (7, false));
    assert!(store.find_lines(id, ".*", 7).unwrap().numbers.is_empty());
}

#[test]
fn numbers_are_the_same_after_a_restart_and_after_an_index_that_did_not_count() {
    let (folder, store, id) = filled();
    drop(store);
    let indexes: Vec<_> = walkdir(folder.path());
    assert!(!indexes.is_empty());
    for uncounted in [false, true] {
        for index in indexes.iter().filter(|_| uncounted) {
            // As an earlier format wrote it.
            let mut entries = fs::read(index).unwrap();
            for entry in entries.chunks_exact_mut(56) {
                entry[49..52].fill(0);
                let checksum = crc32fast::hash(&entry[..52]);
                entry[52..].copy_from_slice(&checksum.to_le_bytes());
            }
            fs::write(index, entries).unwrap();
        }
        let store = LogStore::open(folder.path()).unwrap();
        assert_eq!(store.line_count(id).unwrap(), 3_000);
        let line = messages(&store.lines(id, 2_000, 1).unwrap());
        assert!(line.starts_with("line 2000."), "{line}");
    }
}

fn walkdir(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(walkdir(&path));
        } else if path.extension().is_some_and(|extension| extension == "idx") {
            found.push(path);
        }
    }
    found
}
