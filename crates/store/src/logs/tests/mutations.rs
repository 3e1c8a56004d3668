//! Files of streams that are damaged at random, for a second with every run, and for as long as wanted
//! with `LOGS_FUZZ_SECONDS=3600 cargo nextest run -p store mutations`.
//!
//! Whatever stands behind the last whole batch before the damage may go; all before it is there.

use super::{NOW, Random, append, event, from_head, law, stream};
use crate::logs::{Batch, LogStore, StreamId};
use std::{
    fs,
    panic::catch_unwind,
    path::Path,
    time::{Duration, Instant, SystemTime},
};

/// How long the run is when nobody says so.
const SECONDS_DEFAULT: u64 = 1;

/// A stream's file with the end of each of its batches, and how many events they have by then.
struct Written {
    bytes: Vec<u8>,
    ends: Vec<(usize, usize)>,
}

fn write(folder: &Path, store: &LogStore, id: StreamId, random: &mut Random) -> Written {
    let file = folder.join("1/1.log");
    let (mut ends, mut count) = (vec![(8, 0)], 0);
    for batch in 0..1 + random.below(12) {
        let events: Vec<_> = (0..1 + random.below(5))
            .map(|_| {
                count += 1;
                let length = usize::try_from(random.below(300)).unwrap();
                event(NOW, &format!("{count} {}", "é".repeat(length)))
            })
            .collect();
        let batch = Batch { events: &events, source: Some(batch), ingested_at: NOW };
        store.append(id, batch).unwrap();
        let length = usize::try_from(fs::metadata(&file).unwrap().len()).unwrap();
        ends.push((length, count));
    }
    Written { bytes: fs::read(&file).unwrap(), ends }
}

/// Opens the damaged file; gives how many events are there, which must be the first ones.
fn count(folder: &Path, id: StreamId) -> usize {
    let catalog = rusqlite::Connection::open(folder.join("logs.db")).unwrap();
    catalog.execute("UPDATE log_stream SET marked = 1", ()).unwrap();
    drop(catalog);
    let store = LogStore::open(folder).unwrap();
    let events = store.read(id, &from_head(1_000)).unwrap().events;
    for (at, event) in events.iter().enumerate() {
        let number = event.message.split(' ').next().unwrap();
        assert_eq!(number, (at + 1).to_string());
    }
    let digest = store.digest(id).unwrap();
    assert_eq!(digest.events, events.len() as u64);
    append(&store, id, &[event(NOW, "on it goes")]);
    assert_eq!(store.read(id, &from_head(1_000)).unwrap().events.len(), events.len() + 1);
    events.len()
}

#[test]
fn what_stands_before_the_damage_is_kept_and_nothing_panics() {
    let seconds = std::env::var("LOGS_FUZZ_SECONDS").ok();
    let seconds = seconds.map_or(SECONDS_DEFAULT, |seconds| seconds.parse().unwrap());
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let mut random = Random(u64::from(now.subsec_nanos()) << 20 | 1);
    let until = Instant::now() + Duration::from_secs(seconds);
    let mut runs = 0_u64;
    while Instant::now() < until {
        let (folder, store, id) = stream();
        let Written { mut bytes, ends } = write(folder.path(), &store, id, &mut random);
        drop(store);
        let mut below = |end: usize| usize::try_from(random.below(end as u64)).unwrap();
        // The magic is not among what a machine's sudden end can damage: it was synced long ago.
        let damage = 8 + below(bytes.len() - 8);
        match below(4) {
            0 => bytes[damage] ^= 1 << below(8),
            1 => bytes.truncate(damage),
            2 => drop(bytes.drain(damage..(damage + 1 + below(40)).min(bytes.len()))),
            _ => bytes[damage..].fill(0),
        }
        fs::write(folder.path().join("1/1.log"), &bytes).unwrap();
        let least = ends.iter().rfind(|(end, _)| *end <= damage).unwrap().1;
        let kept = catch_unwind(|| count(folder.path(), id));
        let kept = kept.unwrap_or_else(|_| panic!("a promise is broken for {bytes:?}"));
        assert!(kept >= least, "{kept} events of {least} are there in {bytes:?}");
        runs += 1;
    }
    println!("executions: {runs}");
}

#[test]
fn a_file_of_any_frames_is_read_the_same_in_both_directions() {
    let mut random = Random(u64::from(std::process::id()) << 20 | 1);
    for _ in 0..20 {
        let mut file = law::whole(|limit| random.below(limit));
        let at = usize::try_from(random.below(file.len() as u64)).unwrap();
        file[at] ^= 1 << random.below(8);
        law::put_sums_right(&mut file);
        let folder = tempfile::tempdir().unwrap();
        let kept = catch_unwind(|| law::check(&file, folder.path()));
        assert!(kept.is_ok(), "a promise is broken for {file:?}");
        let folder = tempfile::tempdir().unwrap();
        let index: Vec<u8> = (0..56).map(|_| u8::try_from(random.below(4)).unwrap()).collect();
        let kept = catch_unwind(|| law::check_with_index(&file, &index, folder.path()));
        assert!(kept.is_ok(), "a promise is broken for {file:?} with {index:?}");
    }
}

/// Found by damaging files at random: the catalogue could not keep such a source.
#[test]
fn a_source_of_any_size_is_kept() {
    for source in [u64::MAX - 2, 1 << 63, (1 << 63) - 1, 0] {
        let (folder, store, id) = stream();
        let events = [event(NOW, "x")];
        store
            .append(id, Batch { events: &events, source: Some(source), ingested_at: NOW })
            .unwrap();
        drop(store);
        let store = LogStore::open(folder.path()).unwrap();
        assert_eq!(store.source_offset(id).unwrap(), Some(source));
    }
}

/// Found by `fuzz/run log`: a page's bytes were counted before they became a text, and after it.
#[test]
fn messages_that_are_no_texts_are_counted_as_what_they_are_read_as() {
    let (folder, message) = (tempfile::tempdir().unwrap(), [0xff_u8; 100]);
    law::check(&law::of_messages(&[message.as_slice(); 8]), folder.path());
}
