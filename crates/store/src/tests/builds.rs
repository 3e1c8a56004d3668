//! Builds, their events, and the listings.

use super::{REGION, append, insert, store};
use crate::{BuildListed, Change, CommitError, Order, Store, build};

fn is_conflict(result: &Result<(), CommitError>) -> bool {
    matches!(result, Err(CommitError::Conflict { which: 0 }))
}

#[tokio::test]
async fn a_build_is_its_request_its_snapshot_and_its_events() {
    let (_folder, store) = store();
    store.commit(vec![insert("p", 1, 500)]).await.unwrap();
    let made = store.build(REGION, "p:1").await.unwrap().unwrap();
    assert_eq!((made.number, made.submitted_at, made.live), (1, 500, true));
    assert_eq!((made.request.as_str(), made.state.as_str()), ("request 1", "queued"));
    assert_eq!((made.next_sequence, made.journal_offset), (0, 0));

    store.commit(vec![append("p:1", 0, &["a", "b"], true)]).await.unwrap();
    store.commit(vec![append("p:1", 2, &["c"], false)]).await.unwrap();
    let ended = store.build(REGION, "p:1").await.unwrap().unwrap();
    assert_eq!((ended.state.as_str(), ended.request.as_str()), ("after c", "request 1"));
    assert_eq!((ended.next_sequence, ended.journal_offset, ended.live), (3, 300, false));
    let events = store.events(REGION, "p:1").await.unwrap();
    let told: Vec<_> = events.iter().map(|event| (event.sequence, event.event.as_str())).collect();
    assert_eq!(told, [(0, "a"), (1, "b"), (2, "c")]);
    assert_eq!(store.events_from(REGION, "p:1", 2).await.unwrap(), events[2..]);
}

#[tokio::test]
async fn a_build_may_begin_with_events() {
    let (_folder, store) = store();
    let Change::InsertBuild { region, id, project, number, submitted_at, request, state, .. } =
        insert("p", 1, 500)
    else {
        unreachable!("that is what it makes");
    };
    let events = vec![(500, "a".to_owned()), (501, "b".to_owned())];
    let begun = Change::InsertBuild {
        region,
        id,
        project,
        number,
        submitted_at,
        request,
        events,
        state,
        live: false,
    };
    store.commit(vec![begun]).await.unwrap();
    let build = store.build(REGION, "p:1").await.unwrap().unwrap();
    assert_eq!((build.next_sequence, build.live), (2, false));
    let events = store.events(REGION, "p:1").await.unwrap();
    let told: Vec<_> = events.iter().map(|event| (event.at, event.event.as_str())).collect();
    assert_eq!(told, [(500, "a"), (501, "b")]);
    store.commit(vec![append("p:1", 2, &["c"], false)]).await.unwrap();
}

#[tokio::test]
async fn the_number_of_a_deleted_build_is_remembered() {
    let (folder, store) = store();
    let delete =
        |number: u64| Change::DeleteBuild { region: REGION.to_owned(), id: format!("p:{number}") };
    store.commit((1..=3).map(|number| insert("p", number, 1)).collect()).await.unwrap();
    store.commit(vec![delete(3), delete(1)]).await.unwrap();
    drop(store);
    let store = Store::open(&folder.path().join("state.db")).unwrap();
    assert_eq!(store.last_build_number(REGION, "p").await.unwrap(), 3);
    store.commit(vec![insert("p", 4, 1), insert("q", 1, 1)]).await.unwrap();
    assert_eq!(store.last_build_number(REGION, "p").await.unwrap(), 4);
    assert_eq!(store.last_build_number(REGION, "q").await.unwrap(), 1);
}

#[tokio::test]
async fn events_are_appended_once_and_in_order() {
    let (_folder, store) = store();
    assert!(is_conflict(&store.commit(vec![append("p:1", 0, &["a"], true)]).await));
    store.commit(vec![insert("p", 1, 1)]).await.unwrap();
    assert!(is_conflict(&store.commit(vec![insert("p", 1, 1)]).await));
    assert!(is_conflict(&store.commit(vec![append("p:1", 1, &["a"], true)]).await));
    store.commit(vec![append("p:1", 0, &["a"], true)]).await.unwrap();
    assert!(is_conflict(&store.commit(vec![append("p:1", 0, &["a"], true)]).await));
    // A snapshot alone is news too.
    store.commit(vec![append("p:1", 1, &[], false)]).await.unwrap();
    let build = store.build(REGION, "p:1").await.unwrap().unwrap();
    assert_eq!((build.state.as_str(), build.next_sequence), ("after nothing", 1));
}

#[tokio::test]
async fn only_live_builds_are_live_and_finding_them_reads_no_others() {
    let (folder, store) = store();
    let all = (1..=50).map(|number| insert("p", number, 1)).collect();
    store.commit(all).await.unwrap();
    let ended = (1..=48).map(|number| append(&format!("p:{number}"), 0, &["end"], false)).collect();
    store.commit(ended).await.unwrap();
    let live = store.live_builds().await.unwrap();
    let live: Vec<_> = live.iter().map(|build| build.id.as_str()).collect();
    assert_eq!(live, ["p:49", "p:50"]);

    let connection = rusqlite::Connection::open(folder.path().join("state.db")).unwrap();
    let plan: Vec<String> = connection
        .prepare(&format!("EXPLAIN QUERY PLAN {}", build::live_sql()))
        .unwrap()
        .query_map((), |row| row.get(3))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let plan = plan.join("\n");
    assert!(plan.contains("SCAN build USING INDEX build_live"), "{plan}");
    assert!(!plan.contains("SCAN build_request"), "{plan}");
}

#[tokio::test]
async fn a_deleted_build_leaves_nothing() {
    let (folder, store) = store();
    store.commit(vec![insert("p", 1, 1), append("p:1", 0, &["a"], false)]).await.unwrap();
    let delete = Change::DeleteBuild { region: REGION.to_owned(), id: "p:1".to_owned() };
    store.commit(vec![delete.clone(), delete]).await.unwrap();
    assert_eq!(store.build(REGION, "p:1").await.unwrap(), None);
    let connection = rusqlite::Connection::open(folder.path().join("state.db")).unwrap();
    let rows = "SELECT (SELECT count(*) FROM build_request) + (SELECT count(*) FROM build_event)";
    let left: i64 = connection.query_row(rows, (), |row| row.get(0)).unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn builds_are_given_in_the_order_asked_and_only_those_there() {
    let (_folder, store) = store();
    store.commit(vec![insert("p", 1, 1), insert("p", 2, 2)]).await.unwrap();
    let ids = ["p:2", "p:9", "p:1"].map(str::to_owned);
    let builds = store.builds(REGION, &ids).await.unwrap();
    assert_eq!(builds.iter().map(|build| build.number).collect::<Vec<_>>(), [2, 1]);
}

async fn walk(store: &Store, project: Option<&str>, order: Order) -> Vec<String> {
    let mut all: Vec<BuildListed> = Vec::new();
    loop {
        // As a client's token would carry it.
        let after = all.last().map(|last| last.cursor.to_string().parse().unwrap());
        let page = match project {
            Some(name) => store.build_ids_of_project(REGION, name, order, after, 2).await,
            None => store.build_ids(REGION, order, after, 2).await,
        }
        .unwrap();
        if page.is_empty() {
            return all.into_iter().map(|listed| listed.id).collect();
        }
        all.extend(page);
    }
}

#[tokio::test]
async fn listings_walk_every_build_once_in_order() {
    let (_folder, store) = store();
    let changes = vec![
        insert("p", 1, 10),
        insert("q", 1, 30),
        insert("p", 2, 20),
        insert("q", 2, 20),
        insert("p", 3, 20),
    ];
    store.commit(changes).await.unwrap();
    let by_time = ["p:1", "p:2", "q:2", "p:3", "q:1"];
    assert_eq!(walk(&store, None, Order::Ascending).await, by_time);
    let newest: Vec<_> = by_time.into_iter().rev().collect();
    assert_eq!(walk(&store, None, Order::Descending).await, newest);
    assert_eq!(walk(&store, Some("p"), Order::Ascending).await, ["p:1", "p:2", "p:3"]);
    assert_eq!(walk(&store, Some("p"), Order::Descending).await, ["p:3", "p:2", "p:1"]);
    assert_eq!(walk(&store, Some("none"), Order::Ascending).await, Vec::<String>::new());
    assert_eq!(store.last_build_number(REGION, "p").await.unwrap(), 3);
    assert_eq!(store.last_build_number(REGION, "none").await.unwrap(), 0);
}
