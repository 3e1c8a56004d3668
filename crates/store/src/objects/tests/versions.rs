//! Versions and delete markers against a model: a pile for each key, the newest on top.

use super::super::{
    After, Condition, ListingItem, ListingQuery, ObjectStore, Target, VersionAfter, VersionId,
    Versioning,
};
use super::{folder, put, store_with_bucket};
use proptest::prelude::{Strategy, prop, prop_assert_eq, prop_oneof, proptest};
use std::collections::BTreeMap;

#[derive(Debug, Clone)]
enum Step {
    Put(u8),
    Delete(u8),
    DeleteVersion(u8, usize),
    Versioning(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..3u8).prop_map(Step::Put),
        2 => (0..3u8).prop_map(Step::Delete),
        2 => (0..3u8, 0..4usize).prop_map(|(key, at)| Step::DeleteVersion(key, at)),
        1 => proptest::bool::ANY.prop_map(Step::Versioning),
    ]
}

fn key(number: u8) -> String {
    format!("k/{number}")
}

/// Id and whether it is a delete marker; the newest last.
type Pile = Vec<(VersionId, bool)>;

async fn apply(
    store: &ObjectStore,
    piles: &mut BTreeMap<String, Pile>,
    versioning: &mut Versioning,
    step: Step,
) {
    let replace_null = |pile: &mut Pile| pile.retain(|(id, _)| *id != VersionId::Null);
    match step {
        Step::Versioning(is_on) => {
            *versioning = if is_on { Versioning::Enabled } else { Versioning::Suspended };
            store.set_versioning("b", *versioning).await.unwrap();
        }
        Step::Put(number) => {
            let version = put(store, &key(number), &[number; 3]).await.unwrap();
            let pile = piles.entry(key(number)).or_default();
            if *versioning != Versioning::Enabled {
                assert_eq!(version.id, VersionId::Null);
                replace_null(pile);
            }
            pile.push((version.id, false));
        }
        Step::Delete(number) => {
            let target = Target::newest("b", key(number));
            let (_, deleted) = store.delete(target, Condition::default()).await.unwrap();
            let pile = piles.entry(key(number)).or_default();
            assert_eq!(deleted.is_marker, *versioning != Versioning::Never);
            if *versioning != Versioning::Enabled {
                replace_null(pile);
            }
            if let Some(id) = deleted.id {
                pile.push((id, true));
            }
        }
        Step::DeleteVersion(number, at) => {
            let pile = piles.entry(key(number)).or_default();
            if pile.is_empty() {
                return;
            }
            let (id, is_marker) = pile.remove(at % pile.len());
            let target = Target { version: Some(id), ..Target::newest("b", key(number)) };
            let (_, deleted) = store.delete(target, Condition::default()).await.unwrap();
            assert_eq!((deleted.is_marker, deleted.id), (is_marker, Some(id)));
        }
    }
}

async fn listed_versions(
    store: &ObjectStore,
    limit: usize,
) -> Vec<(String, VersionId, bool, bool)> {
    let (mut after, mut listed) = (None, Vec::new());
    loop {
        let query = ListingQuery { limit, ..Default::default() };
        let page = store.list_versions("b", query, after).await.unwrap();
        for item in page.items {
            let ListingItem::Entry(it) = item else { panic!("no delimiter was given") };
            listed.push((it.key, it.id, it.is_marker, it.is_latest));
        }
        if !page.is_truncated {
            return listed;
        }
        let (key, id, _, _) = listed.last().unwrap().clone();
        after = Some(VersionAfter::Version(key, id));
    }
}

proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(60))]

    #[test]
    fn piles_of_versions_agree_with_the_model(
        steps in prop::collection::vec(step(), 1..40), limit in 1..5usize
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        runtime.block_on(async {
            let folder = folder();
            let store = store_with_bucket(&folder).await;
            let (mut piles, mut versioning) = (BTreeMap::new(), Versioning::Never);
            for step in steps {
                apply(&store, &mut piles, &mut versioning, step).await;
            }
            let mut expected = Vec::new();
            let mut visible = Vec::new();
            for (key, pile) in &piles {
                for (at, (id, is_marker)) in pile.iter().rev().enumerate() {
                    expected.push((key.clone(), *id, *is_marker, at == 0));
                }
                visible.extend(pile.last().filter(|(_, is_marker)| !is_marker).map(|_| key.clone()));
            }
            prop_assert_eq!(listed_versions(&store, limit).await, expected);
            let query = ListingQuery { limit: 10, ..Default::default() };
            let page = store.list("b", query, None).await.unwrap();
            let keys: Vec<_> = page.items.into_iter().map(|item| match item {
                ListingItem::Entry(listed) => listed.key,
                ListingItem::Prefix(prefix) => prefix,
            }).collect();
            prop_assert_eq!(keys, visible);
            for (key, pile) in &piles {
                let found = store.find(Target::newest("b", key)).await.ok();
                let found = found.map(|(_, version)| (version.id, version.is_marker));
                prop_assert_eq!(found, pile.last().copied());
            }
            let is_empty = piles.values().all(Vec::is_empty);
            prop_assert_eq!(store.delete_bucket("b").await.is_ok(), is_empty);
            Ok(())
        })?;
    }
}

#[test]
fn version_ids_are_read_as_they_are_written() {
    for id in [VersionId::Null, VersionId::Numbered(1, 2), VersionId::Numbered(i64::MAX, 1 << 40)] {
        assert_eq!(id.to_string().parse::<VersionId>().unwrap(), id);
    }
    for text in ["", "NULL", "0", &"g".repeat(32), &"f".repeat(32), &"0".repeat(33), "é"] {
        assert!(text.parse::<VersionId>().is_err(), "{text}");
    }
}

#[tokio::test]
async fn a_listing_of_versions_goes_on_after_a_common_prefix() {
    let folder = folder();
    let store = store_with_bucket(&folder).await;
    store.set_versioning("b", Versioning::Enabled).await.unwrap();
    for key in ["a/1", "a/2", "b", "c/1"] {
        put(&store, key, b"1").await.unwrap();
        put(&store, key, b"2").await.unwrap();
    }
    let query = ListingQuery { delimiter: Some("/".into()), limit: 1, ..Default::default() };
    let mut after = None;
    let mut shown = Vec::new();
    loop {
        let page = store.list_versions("b", query.clone(), after).await.unwrap();
        after = match page.items.into_iter().next().unwrap() {
            ListingItem::Prefix(prefix) => {
                shown.push(prefix.clone());
                Some(VersionAfter::Key(After::marker(prefix, &query)))
            }
            ListingItem::Entry(listed) => {
                shown.push(format!("{} {}", listed.key, listed.is_latest));
                Some(VersionAfter::Version(listed.key, listed.id))
            }
        };
        if !page.is_truncated {
            break;
        }
    }
    assert_eq!(shown, ["a/", "b true", "b false", "c/"]);
}
