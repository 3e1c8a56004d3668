//! Files of every version that was ever written can be opened; those of later ones cannot.

use super::{PROJECTS, REGION, put};
use crate::{Expect, Fault, Store, state::MIGRATIONS};
use rusqlite::Connection;

/// What a file of each version may hold, one text per migration.
const FIXTURES: &[&str] = &[
    include_str!("fixtures/0001.sql"),
    include_str!("fixtures/0002.sql"),
    include_str!("fixtures/0003.sql"),
    include_str!("fixtures/0004.sql"),
    include_str!("fixtures/0005.sql"),
];

#[tokio::test]
async fn a_file_of_any_version_opens_with_all_it_holds() {
    assert_eq!(FIXTURES.len(), MIGRATIONS.len(), "each migration has a fixture");
    for (at, fixture) in FIXTURES.iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        let old = Connection::open(&path).unwrap();
        old.execute_batch(&MIGRATIONS[..=at].join("\n")).unwrap();
        old.execute_batch(fixture).unwrap();
        old.pragma_update(None, "user_version", i64::try_from(at + 1).unwrap()).unwrap();
        drop(old);

        let store = Store::open(&path).unwrap();
        let record = store.record(PROJECTS, REGION, "demo").await.unwrap().unwrap();
        assert_eq!((record.version, record.document.as_str()), (7, "{\"name\":\"demo\"}"));
        let build = store.build(REGION, "demo:1").await.unwrap().unwrap();
        assert_eq!((build.next_sequence, build.request.as_str()), (2, "{}"));
        assert_eq!(store.events(REGION, "demo:1").await.unwrap().len(), 2);
        assert_eq!(store.last_build_number(REGION, "demo").await.unwrap(), 7);
        store.commit(vec![put("demo", "new", Expect::Version(7))]).await.unwrap();
        let version = store.record(PROJECTS, REGION, "demo").await.unwrap().unwrap().version;
        assert_eq!(version, 8);
    }
}

#[tokio::test]
async fn opening_again_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let store = Store::open(&path).unwrap();
    store.commit(vec![put("a", "1", Expect::Absent)]).await.unwrap();
    drop(store);
    let store = Store::open(&path).unwrap();
    assert!(store.record(PROJECTS, REGION, "a").await.unwrap().is_some());
}

#[tokio::test]
async fn a_later_file_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    drop(Store::open(&path).unwrap());
    let later = i64::try_from(MIGRATIONS.len() + 1).unwrap();
    let file = Connection::open(&path).unwrap();
    file.pragma_update(None, "user_version", later).unwrap();
    drop(file);
    let Err(Fault::Newer { found, known }) = Store::open(&path) else { panic!("it opened") };
    assert_eq!((found, known), (MIGRATIONS.len() + 1, MIGRATIONS.len()));
}
