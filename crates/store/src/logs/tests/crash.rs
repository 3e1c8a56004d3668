//! A process that is killed in the middle of appends.

use super::{NOW, REGION, event, from_head};
use crate::logs::{Batch, LogStore, NewGroup};
use std::{
    env,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
};

const FOLDER_VARIABLE: &str = "STORE_LOGS_CRASH_FOLDER";
const ACKNOWLEDGED_MIN: u64 = 3_000;
const EVENTS_PER_BATCH: u64 = 20;

#[test]
#[ignore = "the victim of the test below, which starts it in a process of its own"]
fn victim() {
    let Some(folder) = env::var_os(FOLDER_VARIABLE) else { return };
    let store = LogStore::open(Path::new(&folder)).unwrap();
    let group = NewGroup { region: REGION.to_owned(), name: "g".to_owned(), ..NewGroup::default() };
    let id = store.ensure_stream(&group, "s", NOW).unwrap();
    let mut out = std::io::stdout().lock();
    for number in store.source_offset(id).unwrap().unwrap_or(0) + 1.. {
        let events: Vec<_> = (0..EVENTS_PER_BATCH)
            .map(|n| event(i64::try_from(number).unwrap(), &format!("{number}.{n}")))
            .collect();
        let batch = Batch { events: &events, source: Some(number), ingested_at: NOW };
        store.append(id, batch).unwrap();
        writeln!(out, "acknowledged {number}").unwrap();
        out.flush().unwrap();
    }
}

fn run_and_kill(folder: &Path) -> u64 {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "logs::tests::crash::victim", "--ignored", "--nocapture"])
        .env(FOLDER_VARIABLE, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (mut first, mut last) = (0, 0);
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        let Some((_, number)) = line.split_once("acknowledged ") else { continue };
        last = number.parse().unwrap();
        first = if first == 0 { last } else { first };
        if last - first == ACKNOWLEDGED_MIN {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    last
}

#[test]
fn a_killed_writer_goes_on_exactly_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    run_and_kill(folder.path());
    let acknowledged = run_and_kill(folder.path());
    assert!(acknowledged > 2 * ACKNOWLEDGED_MIN);

    let store = LogStore::open(folder.path()).unwrap();
    let group = store.group_id(REGION, "g").unwrap();
    let id = store.stream_id(group, "s").unwrap();
    let source = store.source_offset(id).unwrap().unwrap();
    assert!(source >= acknowledged);
    let mut request = from_head(10_000);
    let mut expected =
        (1..=source).flat_map(|number| (0..EVENTS_PER_BATCH).map(move |n| format!("{number}.{n}")));
    loop {
        let page = store.read(id, &request).unwrap();
        if page.events.is_empty() {
            break;
        }
        for event in page.events {
            assert_eq!(Some(event.message), expected.next());
        }
        request.token = Some(page.forward);
    }
    assert_eq!(expected.next(), None);
    let row = store.stream(group, "s").unwrap().unwrap();
    assert_eq!(row.last_event_at, Some(i64::try_from(source).unwrap()));
}
