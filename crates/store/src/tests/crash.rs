//! A process that is killed in the middle of commits: whatever it acknowledged is there, and
//! nothing is there by half.

use super::{PROJECTS, REGION, append, insert, put};
use crate::{Expect, Page, Store};
use futures::{StreamExt, stream::FuturesUnordered};
use std::{
    collections::HashSet,
    env,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
};

const FILE_VARIABLE: &str = "STORE_CRASH_FILE";
const ACKNOWLEDGED_MIN: usize = 400;

/// Three changes that belong together.
fn transaction(number: u64) -> Vec<crate::Change> {
    vec![
        put(&format!("{number}"), "x", Expect::Absent),
        insert("p", number, 1),
        append(&format!("p:{number}"), 0, &["a", "b"], true),
    ]
}

#[tokio::test]
#[ignore = "the victim of the test below, which starts it in a process of its own"]
async fn victim() {
    let Some(file) = env::var_os(FILE_VARIABLE) else { return };
    let store = Store::open(Path::new(&file)).unwrap();
    let mut pending = FuturesUnordered::new();
    for number in 1.. {
        let commit = store.commit(transaction(number));
        pending.push(async move { commit.await.map(|()| number) });
        if pending.len() == 20 {
            let done = pending.next().await.unwrap().unwrap();
            let mut out = std::io::stdout().lock();
            writeln!(out, "acknowledged {done}").unwrap();
            out.flush().unwrap();
        }
    }
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_killed_process_and_nothing_is_half_there() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state.db");
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "tests::crash::victim", "--ignored", "--nocapture"])
        .env(FILE_VARIABLE, &file)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut acknowledged = HashSet::new();
    for line in lines {
        let line = line.unwrap();
        if let Some((_, number)) = line.split_once("acknowledged ") {
            acknowledged.insert(number.to_owned());
        }
        if acknowledged.len() == ACKNOWLEDGED_MIN {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(acknowledged.len() >= ACKNOWLEDGED_MIN, "only {} lines", acknowledged.len());

    let store = Store::open(&file).unwrap();
    let records = store.records(PROJECTS, REGION, Page::all()).await.unwrap();
    let records: HashSet<String> = records.into_iter().map(|record| record.key).collect();
    let missing: Vec<_> = acknowledged.difference(&records).collect();
    assert!(missing.is_empty(), "acknowledged and gone: {missing:?}");
    let builds = store.live_builds().await.unwrap();
    assert_eq!(builds.len(), records.len());
    for build in builds {
        assert!(records.contains(&build.number.to_string()));
        assert_eq!((build.next_sequence, build.state.as_str()), (2, "after b"));
        assert_eq!(store.events(REGION, &build.id).await.unwrap().len(), 2);
    }
}
