//! Listings against a model that reads every key.

use super::super::{After, ListingItem, ListingQuery, ObjectStore};
use super::{folder, put, store_with_bucket};
use proptest::prelude::{Strategy, TestCaseError, prop, prop_assert, prop_assert_eq, proptest};
use std::collections::BTreeSet;

/// What a listing should show: each line in order, `true` for a common prefix.
fn model(keys: &BTreeSet<String>, prefix: &str, delimiter: Option<&str>) -> Vec<(String, bool)> {
    let mut lines: Vec<(String, bool)> = Vec::new();
    for key in keys.iter().filter(|key| key.starts_with(prefix)) {
        let cut = delimiter.and_then(|delimiter| {
            key[prefix.len()..].find(delimiter).map(|at| prefix.len() + at + delimiter.len())
        });
        let line = cut.map_or((key.clone(), false), |cut| (key[..cut].to_owned(), true));
        if lines.last() != Some(&line) {
            lines.push(line);
        }
    }
    lines
}

async fn lines(
    store: &ObjectStore,
    query: &ListingQuery,
    by_marker: bool,
) -> Result<Vec<(String, bool)>, TestCaseError> {
    let (mut after, mut lines) = (None, Vec::new());
    loop {
        let page = store.list("b", query.clone(), after).await.unwrap();
        prop_assert!(page.items.len() <= query.limit);
        for item in page.items {
            lines.push(match item {
                ListingItem::Entry(listed) => (listed.key, false),
                ListingItem::Prefix(prefix) => (prefix, true),
            });
        }
        if !page.is_truncated {
            return Ok(lines);
        }
        let (last, is_prefix) = lines.last().unwrap().clone();
        after = Some(match (by_marker, is_prefix) {
            (true, _) => After::marker(last, query),
            (false, true) => After::Prefix(last),
            (false, false) => After::Key(last),
        });
    }
}

fn key() -> impl Strategy<Value = String> {
    let letters = ["a", "b", "/", "é", "\u{10ffff}", "0", " ", "\u{1}"];
    prop::collection::vec(prop::sample::select(letters.to_vec()), 1..7).prop_map(|it| it.concat())
}

proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(60))]

    #[test]
    fn pages_show_what_the_model_shows(
        keys in prop::collection::btree_set(key(), 0..40),
        deleted in prop::collection::vec(key(), 0..5),
        questions in prop::collection::vec(
            (prop::option::of(key()), prop::option::of(key()), 1..6usize, proptest::bool::ANY),
            1..12
        ),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        runtime.block_on(async {
            let folder = folder();
            let store = store_with_bucket(&folder).await;
            futures::future::join_all(keys.iter().map(|key| put(&store, key, b""))).await;
            let mut keys = keys;
            for key in deleted {
                keys.remove(&key);
                let target = super::super::Target::newest("b", key);
                store.delete(target, super::super::Condition::default()).await.unwrap();
            }
            for (prefix, delimiter, limit, by_marker) in questions {
                let cut = |text: String| text.chars().take(2).collect::<String>();
                let query = ListingQuery {
                    prefix: cut(prefix.unwrap_or_default()),
                    delimiter: delimiter.map(cut),
                    limit,
                };
                let expected = model(&keys, &query.prefix, query.delimiter.as_deref());
                prop_assert_eq!(lines(&store, &query, by_marker).await?, expected, "{:?}", query);
            }
            Ok(())
        })?;
    }
}

/// A page must cost what it shows: the steps of SQLite's machine are counted, not time.
#[tokio::test]
async fn a_common_prefix_is_passed_in_one_step() {
    let folder = folder();
    let store = store_with_bucket(&folder).await;
    let keys: Vec<_> = (0..20_000).map(|at| format!("{}/{at:05}", at % 10)).collect();
    futures::future::join_all(keys.iter().map(|key| put(&store, key, b""))).await;
    drop(store);
    let mut connection =
        super::super::schema::open_reader(&folder.path().join("objects.db")).unwrap();
    let steps = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counter = std::sync::Arc::clone(&steps);
    let count = move || {
        counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        false
    };
    connection.progress_handler(100, Some(count)).unwrap();
    let query = ListingQuery { delimiter: Some("/".into()), limit: 1000, ..Default::default() };
    let page = super::super::listing::objects(&connection, 1, &query, None).unwrap();
    assert_eq!(page.items.len(), 10);
    let few = steps.swap(0, std::sync::atomic::Ordering::Relaxed);
    assert!(few < 50, "{few} hundred steps for ten prefixes over 20,000 keys");
    let query = ListingQuery { limit: 100, ..Default::default() };
    let after = After::Key("7/15000".into());
    super::super::listing::objects(&connection, 1, &query, Some(&after)).unwrap();
    let few = steps.load(std::sync::atomic::Ordering::Relaxed);
    assert!(few < 50, "{few} hundred steps for a page of a hundred keys in the middle");
}
