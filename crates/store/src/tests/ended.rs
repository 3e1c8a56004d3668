//! The counts of builds that have ended.

use super::{REGION, append, insert, store};
use crate::{Change, CommitError, EndedBuild, EndedCounts, Outcome, Store};

const HOUR: i64 = 3_600_000;

fn ends(project: &str, hour: i64, outcome: Outcome, millis: u64) -> Change {
    Change::CountEnded(EndedBuild {
        region: REGION.to_owned(),
        project: project.to_owned(),
        class: "small".to_owned(),
        ended_at: hour * HOUR + 5,
        outcome,
        millis,
        minutes: millis.div_ceil(60_000),
    })
}

fn counts(succeeded: u64, failed: u64, stopped: u64, millis: u64) -> EndedCounts {
    EndedCounts { succeeded, failed, stopped, millis }
}

#[tokio::test]
async fn builds_are_counted_by_hour_and_by_day_project_and_class() {
    let (_folder, store) = store();
    let changes = vec![
        ends("a", 23, Outcome::Succeeded, 61_000),
        ends("a", 23, Outcome::Failed, 10),
        ends("b", 24, Outcome::Stopped, 0),
        ends("a", 25, Outcome::Succeeded, 60_000),
    ];
    store.commit(changes).await.unwrap();
    let hours = store.ended_by_hour(REGION, 0..25).await.unwrap();
    assert_eq!(hours, [(23, counts(1, 1, 0, 61_010)), (24, counts(0, 0, 1, 0))]);
    assert_eq!(store.ended_by_hour("elsewhere", 0..25).await.unwrap(), []);

    let days = store.ended_by_day(REGION, 0..2).await.unwrap();
    let told: Vec<_> = days
        .iter()
        .map(|day| (day.day, day.project.as_str(), day.counts.builds(), day.minutes))
        .collect();
    assert_eq!(told, [(0, "a", 2, 3), (1, "a", 1, 1), (1, "b", 1, 0)]);

    let projects = store.ended_by_project(REGION, 0..2).await.unwrap();
    let told = projects.iter().map(|one| (one.day, one.project.as_str(), one.counts, one.minutes));
    assert_eq!(
        told.collect::<Vec<_>>(),
        [(0, "a", counts(2, 1, 0, 121_010), 4), (1, "b", counts(0, 0, 1, 0), 0)]
    );
    assert_eq!(store.ended_since(REGION).await.unwrap(), Some(0));
    assert_eq!(store.ended_since("elsewhere").await.unwrap(), None);
}

#[tokio::test]
async fn a_build_whose_end_does_not_fit_is_not_counted() {
    let (_folder, store) = store();
    store.commit(vec![insert("p", 1, 1)]).await.unwrap();
    let end = || vec![append("p:1", 0, &["ended"], false), ends("p", 1, Outcome::Failed, 7)];
    store.commit(end()).await.unwrap();
    let again = store.commit(end()).await;
    assert!(matches!(again, Err(CommitError::Conflict { which: 0 })), "{again:?}");
    let hours = store.ended_by_hour(REGION, 0..9).await.unwrap();
    assert_eq!(hours, [(1, counts(0, 1, 0, 7))]);
}

#[tokio::test]
async fn counts_outlive_their_builds_until_they_are_forgotten() {
    let (_folder, store) = store();
    store.commit(vec![insert("p", 1, 1), ends("p", 1, Outcome::Failed, 7)]).await.unwrap();
    store.commit(vec![ends("p", 48, Outcome::Failed, 7)]).await.unwrap();
    let delete = Change::DeleteBuild { region: REGION.to_owned(), id: "p:1".to_owned() };
    store.commit(vec![delete]).await.unwrap();
    assert_eq!(store.ended_by_day(REGION, 0..9).await.unwrap().len(), 2);
    store.commit(vec![Change::ForgetEnded { before: 48 * HOUR }]).await.unwrap();
    assert_eq!(store.ended_by_day(REGION, 0..9).await.unwrap().len(), 1);
    assert_eq!(store.ended_by_hour(REGION, 0..99).await.unwrap().len(), 1);
}

#[tokio::test]
async fn builds_that_ended_before_there_were_counts_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let old = rusqlite::Connection::open(&path).unwrap();
    old.execute_batch(&crate::state::MIGRATIONS[..3].join("\n")).unwrap();
    old.pragma_update(None, "user_version", 3).unwrap();
    let state = |status: &str, began: Option<u64>| {
        let phase = began.map(|at| format!(r#","phase":"PROVISIONING","started_at":{at}"#));
        let phase = phase.unwrap_or_else(|| r#","phase":"QUEUED","started_at":0"#.to_owned());
        format!(
            r#"{{"stage":{{"stage":"finished","status":"{status}","at":7200000000}},
                "phases":[{{"ended":null{phase}}}]}}"#
        )
    };
    let request = r#"{"project":{"environment":{"computeType":"large"}}}"#;
    for (row, live, state) in [
        (1, 0, state("SUCCEEDED", Some(7_100_000_000))),
        (2, 0, state("TIMED_OUT", None)),
        (3, 0, state("STOPPED", Some(7_300_000_000))),
        (4, 1, state("SUCCEEDED", Some(1))),
        (5, 0, "not a document".to_owned()),
        (6, 0, "{}".to_owned()),
    ] {
        let insert = "INSERT INTO build VALUES (?1, ?2, 'p:' || ?1, 'p', ?1, 1, 1, 1, ?3, ?4)";
        old.execute(insert, (row, REGION, live, state)).unwrap();
        old.execute("INSERT INTO build_request VALUES (?1, ?2)", (row, request)).unwrap();
    }
    drop(old);
    let store = Store::open(&path).unwrap();
    let hours = store.ended_by_hour(REGION, 0..9).await.unwrap();
    assert_eq!(hours, [(2, counts(1, 1, 1, 100_000))]);
    let days = store.ended_by_day(REGION, 0..9).await.unwrap();
    assert_eq!(days.len(), 1);
    assert_eq!((days[0].class.as_str(), days[0].minutes), ("large", 2));
}
