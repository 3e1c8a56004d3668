//! Following what is appended.

use super::{NOW, append, event, group, store};
use crate::logs::{Subscription, TailFilter, Tailed};

async fn next(subscription: &mut Subscription) -> String {
    match subscription.next().await.unwrap() {
        Tailed::Batch(batch) => format!("{} {}", batch.stream_name, batch.events[0].message),
        Tailed::Dropped => "dropped".to_owned(),
    }
}

#[tokio::test]
async fn a_subscriber_gets_what_its_filter_wants() {
    let (_folder, store) = store();
    let (g, other) = (group(&store, "g"), group(&store, "other"));
    let a = store.create_stream(g, "a", NOW).unwrap();
    let bc = store.create_stream(g, "bc", NOW).unwrap();
    let elsewhere = store.create_stream(other, "a", NOW).unwrap();
    append(&store, a, &[event(1, "before")]);
    let groups: std::collections::HashSet<_> = [g].into();
    let mut all = store.subscribe(TailFilter { groups: groups.clone(), ..TailFilter::default() });
    let mut named = store.subscribe(TailFilter {
        groups: groups.clone(),
        streams: vec!["a".to_owned()],
        ..TailFilter::default()
    });
    let mut prefixed = store.subscribe(TailFilter {
        groups,
        prefixes: vec!["b".to_owned()],
        ..TailFilter::default()
    });
    append(&store, elsewhere, &[event(1, "0")]);
    append(&store, bc, &[event(1, "1")]);
    append(&store, a, &[event(1, "2")]);
    assert_eq!(next(&mut all).await, "bc 1");
    assert_eq!(next(&mut all).await, "a 2");
    assert!(all.try_next().is_none());
    assert_eq!(next(&mut named).await, "a 2");
    assert_eq!(next(&mut prefixed).await, "bc 1");
    drop(store);
    assert!(all.next().await.is_none());
}

#[tokio::test]
async fn a_slow_subscriber_loses_the_oldest_and_is_told() {
    let (_folder, store) = store();
    let g = group(&store, "g");
    let id = store.create_stream(g, "s", NOW).unwrap();
    let filter = TailFilter { groups: [g].into(), ..TailFilter::default() };
    let mut slow = store.subscribe(filter);
    for at in 0..1_000 {
        append(&store, id, &[event(1, &at.to_string())]);
    }
    assert_eq!(next(&mut slow).await, "dropped");
    let first = next(&mut slow).await;
    assert_eq!(first, "s 744");
}
