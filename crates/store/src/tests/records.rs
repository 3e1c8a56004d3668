//! Records, transactions and the group commit.

use super::{PROJECTS, REGION, put, store};
use crate::{Change, CommitError, Durability, Expect, Fault, Order, Page, Store};
use futures::future::join_all;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

fn conflict(result: &Result<(), CommitError>) -> Option<usize> {
    match result {
        Err(CommitError::Conflict { which }) => Some(*which),
        Ok(()) => None,
        Err(CommitError::Fault(fault)) => panic!("{fault:?}"),
    }
}

async fn document(store: &Store, key: &str) -> Option<String> {
    store.record(PROJECTS, REGION, key).await.unwrap().map(|record| record.document)
}

#[tokio::test]
async fn a_record_is_what_was_put_last() {
    let (_folder, store) = store();
    assert_eq!(document(&store, "a").await, None);
    store.commit(vec![put("a", "1", Expect::Anything)]).await.unwrap();
    store.commit(vec![put("a", "2", Expect::Anything)]).await.unwrap();
    assert_eq!(document(&store, "a").await.as_deref(), Some("2"));
    let elsewhere = store.record(PROJECTS, "us-east-1", "a").await.unwrap();
    assert_eq!(elsewhere, None);
}

/// Readers and a writer of the same record: whoever reads after a write is acknowledged reads it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_reads_what_was_there_before_an_acknowledged_write() {
    let (_folder, store) = store();
    let acknowledged = Arc::new(AtomicU64::new(0));
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let (store, acknowledged) = (store.clone(), Arc::clone(&acknowledged));
            tokio::spawn(async move {
                while acknowledged.load(Ordering::Acquire) < 200 {
                    let least = acknowledged.load(Ordering::Acquire);
                    let read = document(&store, "a").await.map_or(0, |read| read.parse().unwrap());
                    assert!(read >= least, "{read} was read after {least}");
                }
            })
        })
        .collect();
    for number in 1..=200_u64 {
        let document = number.to_string();
        store.commit(vec![put("a", &document, Expect::Anything)]).await.unwrap();
        acknowledged.store(number, Ordering::Release);
    }
    for reader in readers {
        reader.await.unwrap();
    }
}

#[tokio::test]
async fn expectations_hold_or_the_change_is_a_conflict() {
    let (_folder, store) = store();
    assert_eq!(conflict(&store.commit(vec![put("a", "1", Expect::Version(1))]).await), Some(0));
    store.commit(vec![put("a", "1", Expect::Absent)]).await.unwrap();
    assert_eq!(conflict(&store.commit(vec![put("a", "2", Expect::Absent)]).await), Some(0));
    let version = store.record(PROJECTS, REGION, "a").await.unwrap().unwrap().version;
    store.commit(vec![put("a", "2", Expect::Version(version))]).await.unwrap();
    let late = store.commit(vec![put("a", "3", Expect::Version(version))]).await;
    assert_eq!(conflict(&late), Some(0));
    assert_eq!(document(&store, "a").await.as_deref(), Some("2"));
}

#[tokio::test]
async fn a_key_made_anew_has_a_version_of_its_own() {
    let (_folder, store) = store();
    store.commit(vec![put("a", "1", Expect::Absent)]).await.unwrap();
    let old = store.record(PROJECTS, REGION, "a").await.unwrap().unwrap().version;
    let delete = Change::DeleteRecord {
        collection: PROJECTS,
        region: REGION.to_owned(),
        key: "a".to_owned(),
    };
    store.commit(vec![delete.clone(), put("a", "2", Expect::Absent)]).await.unwrap();
    assert_eq!(conflict(&store.commit(vec![put("a", "3", Expect::Version(old))]).await), Some(0));
    store.commit(vec![delete.clone(), delete]).await.unwrap();
    assert_eq!(document(&store, "a").await, None);
}

#[tokio::test]
async fn a_conflict_undoes_its_own_transaction_and_no_other() {
    let (_folder, store) = store();
    let (before, torn, after) = tokio::join!(
        store.commit(vec![put("before", "1", Expect::Absent)]),
        store.commit(vec![put("torn", "1", Expect::Absent), put("before", "2", Expect::Absent)]),
        store.commit(vec![put("after", "1", Expect::Absent)]),
    );
    assert_eq!((conflict(&before), conflict(&torn), conflict(&after)), (None, Some(1), None));
    assert_eq!(document(&store, "before").await.as_deref(), Some("1"));
    assert_eq!(document(&store, "torn").await, None);
    assert_eq!(document(&store, "after").await.as_deref(), Some("1"));
}

#[tokio::test]
async fn what_is_handed_over_together_is_one_commit_and_each_a_transaction() {
    let (_folder, store) = store();
    let before = store.commits();
    let transactions = [put("a", "1", Expect::Absent), put("a", "2", Expect::Absent)]
        .into_iter()
        .chain((0..50).map(|n| put(&format!("{n}"), "x", Expect::Absent)))
        .map(|change| (vec![change], Durability::Machine));
    let results = store.commit_together(transactions.collect()).await;
    assert_eq!(store.commits() - before, 1);
    assert_eq!((conflict(&results[0]), conflict(&results[1])), (None, Some(0)));
    assert!(results[2..].iter().all(|result| conflict(result).is_none()));
    assert_eq!(document(&store, "a").await.as_deref(), Some("1"));
    assert_eq!(store.records(PROJECTS, REGION, Page::all()).await.unwrap().len(), 51);
}

#[tokio::test]
async fn those_who_commit_together_share_the_disk() {
    let (_folder, store) = store();
    let before = store.commits();
    let all = (0..300).map(|n| store.commit(vec![put(&format!("{n}"), "x", Expect::Absent)]));
    for result in join_all(all).await {
        result.unwrap();
    }
    let writes = store.commits() - before;
    assert!(writes <= 60, "300 transactions took {writes} writes to the disk");
    assert_eq!(store.records(PROJECTS, REGION, Page::all()).await.unwrap().len(), 300);
}

#[tokio::test]
async fn a_change_that_nobody_waits_for_happens() {
    let (folder, store) = store();
    drop(store.commit(vec![put("a", "1", Expect::Absent)]));
    drop(store);
    let store = Store::open(&folder.path().join("state.db")).unwrap();
    assert_eq!(document(&store, "a").await.as_deref(), Some("1"));
}

#[tokio::test]
async fn one_process_at_a_time_has_the_file() {
    let (folder, store) = store();
    let path = folder.path().join("state.db");
    assert!(matches!(Store::open(&path), Err(Fault::InUse { .. })));
    drop(store);
    Store::open(&path).unwrap();
}

async fn keys(store: &Store, prefix: &str, after: Option<&str>, order: Order) -> String {
    let page = Page { prefix: prefix.to_owned(), after: after.map(str::to_owned), order, limit: 3 };
    let records = store.records(PROJECTS, REGION, page).await.unwrap();
    records.into_iter().map(|record| record.key).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn pages_go_both_ways_within_a_prefix() {
    let (_folder, store) = store();
    let names = ["a", "ab", "ab/1", "ab/2", "ab\u{10FFFF}", "ac", "b", "É", "\u{10FFFF}"];
    store.commit(names.map(|name| put(name, "", Expect::Absent)).to_vec()).await.unwrap();
    let (up, down) = (Order::Ascending, Order::Descending);
    assert_eq!(keys(&store, "", None, up).await, "a ab ab/1");
    assert_eq!(keys(&store, "", Some("ab/1"), up).await, "ab/2 ab\u{10FFFF} ac");
    assert_eq!(keys(&store, "", None, down).await, "\u{10FFFF} É b");
    assert_eq!(keys(&store, "", Some("b"), down).await, "ac ab\u{10FFFF} ab/2");
    assert_eq!(keys(&store, "ab", None, up).await, "ab ab/1 ab/2");
    assert_eq!(keys(&store, "ab", Some("ab/2"), up).await, "ab\u{10FFFF}");
    assert_eq!(keys(&store, "ab", None, down).await, "ab\u{10FFFF} ab/2 ab/1");
    assert_eq!(keys(&store, "ab", Some("ab/1"), down).await, "ab");
    assert_eq!(keys(&store, "ab", Some("zz"), down).await, "ab\u{10FFFF} ab/2 ab/1");
    assert_eq!(keys(&store, "ab", Some("a"), up).await, "ab ab/1 ab/2");
    assert_eq!(keys(&store, "ab\u{10FFFF}", None, up).await, "ab\u{10FFFF}");
    assert_eq!(keys(&store, "\u{10FFFF}", None, up).await, "\u{10FFFF}");
    assert_eq!(keys(&store, "nothing", None, up).await, "");
}
