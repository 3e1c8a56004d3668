//! What holds of every stream's file, and files to try it with: for the tests, and for the target in
//! `fuzz`, which brings a `super` of its own.

use super::{Batch, Direction, LogStore, NewEvent, NewGroup, ReadRequest, StreamId, TimeRange};
use std::{fs, path::Path};

/// The first bytes of a stream's file.
const MAGIC: &[u8] = b"BYLOGS\0\x01";
/// What a frame has before its payload, and a payload before its message.
const HEADER: usize = 8;
const PAYLOAD_HEADER: usize = 24;
/// The source of every frame but the last of a batch.
const CONTINUES: u64 = u64::MAX - 1;
/// The last moment of which one can ask.
const LAST: i64 = i64::MAX - 1;
/// The events of a page: few, so that there are many pages.
const PAGE: usize = 3;

/// Gives each frame its right checksum, so that what it says is looked at.
pub(crate) fn put_sums_right(file: &mut [u8]) {
    let mut rest = file.get_mut(MAGIC.len()..).unwrap_or_default();
    while let Some((header, payload)) = rest.split_first_chunk_mut::<HEADER>() {
        let [l0, l1, l2, l3, ..] = *header;
        let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        let Some((payload, behind)) = payload.split_at_mut_checked(length) else { return };
        header[4..].copy_from_slice(&crc32fast::hash(payload).to_le_bytes());
        rest = behind;
    }
}

/// A file of one frame for each of some messages, which need not be texts.
pub(crate) fn of_messages(messages: &[&[u8]]) -> Vec<u8> {
    let mut file = MAGIC.to_vec();
    messages.iter().for_each(|message| add_frame(&mut file, [0, 0, u64::MAX], message));
    put_sums_right(&mut file);
    file
}

fn add_frame(file: &mut Vec<u8>, numbers: [u64; 3], message: &[u8]) {
    let length = u32::try_from(PAYLOAD_HEADER + message.len()).unwrap();
    file.extend_from_slice(&length.to_le_bytes());
    file.extend_from_slice(&[0; 4]);
    for number in numbers {
        file.extend_from_slice(&number.to_le_bytes());
    }
    file.extend_from_slice(message);
}

/// A file of some batches, from numbers that need not be foreseen.
pub(crate) fn whole(mut numbers: impl FnMut(u64) -> u64) -> Vec<u8> {
    let mut file = MAGIC.to_vec();
    for _ in 0..numbers(12) {
        let message = vec![b'x'; usize::try_from(numbers(100)).unwrap()];
        let source = [CONTINUES, u64::MAX, numbers(1_000)][usize::try_from(numbers(3)).unwrap()];
        add_frame(&mut file, [numbers(50), numbers(50), source], &message);
    }
    put_sums_right(&mut file);
    file
}

/// Opens a stream with this file; `place` is empty. What is not whole is cut off, the rest is read
/// the same in both directions and after another start, and what is appended follows.
pub(crate) fn check(file: &[u8], place: &Path) {
    let id = prepare(file, &[], place);
    let Some(before) = events(&LogStore::open(place).unwrap(), id) else { return };
    assert_eq!(before, expected(file));
    let store = LogStore::open(place).unwrap();
    assert_eq!(events(&store, id).as_ref(), Some(&before));
    append(&store, id);
    let mut after = before;
    after.push((LAST, "on it goes".to_owned()));
    after.sort_by_key(|(timestamp, _)| *timestamp);
    assert_eq!(events(&store, id).as_ref(), Some(&after));
}

/// Opens a stream with this file, and with one beside it that tells untruths of it: nothing panics
/// and everything ends.
pub(crate) fn check_with_index(file: &[u8], index: &[u8], place: &Path) {
    let id = prepare(file, index, place);
    for _ in 0..2 {
        let store = LogStore::open(place).unwrap();
        let read_all =
            || [Direction::Forward, Direction::Backward].map(|way| read(&store, id, way));
        if read_all().iter().all(Option::is_some) {
            append(&store, id);
            read_all();
        }
    }
}

fn append(store: &LogStore, id: StreamId) {
    let events = [NewEvent { timestamp: LAST, message: "on it goes".to_owned() }];
    store.append(id, Batch { events: &events, source: None, ingested_at: 0 }).unwrap();
}

fn prepare(file: &[u8], index: &[u8], place: &Path) -> StreamId {
    let store = LogStore::open(place).unwrap();
    let group = NewGroup { region: "r".to_owned(), name: "g".to_owned(), ..NewGroup::default() };
    let id = store.ensure_stream(&group, "s", 0).unwrap();
    drop(store);
    fs::create_dir_all(place.join("1")).unwrap();
    fs::write(place.join("1/1.log"), file).unwrap();
    if !index.is_empty() {
        fs::write(place.join("1/1.idx"), index).unwrap();
    }
    id
}

/// When each event happened and what it says, read in both directions; none when the store says that
/// it is no stream's file.
fn events(store: &LogStore, id: StreamId) -> Option<Vec<(i64, String)>> {
    let forward = read(store, id, Direction::Forward)?;
    let mut backward = read(store, id, Direction::Backward)?;
    backward.reverse();
    assert_eq!(forward, backward);
    Some(forward)
}

fn read(store: &LogStore, id: StreamId, direction: Direction) -> Option<Vec<(i64, String)>> {
    let mut request = ReadRequest { range: TimeRange::ALL, token: None, direction, limit: PAGE };
    let mut all = Vec::new();
    loop {
        let page = store.read(id, &request).ok()?;
        let mut events: Vec<_> =
            page.events.into_iter().map(|event| (event.timestamp, event.message)).collect();
        if events.is_empty() {
            return Some(all);
        }
        request.token = Some(match direction {
            Direction::Forward => page.forward,
            Direction::Backward => {
                events.reverse();
                page.backward
            }
        });
        all.extend(events);
    }
}

/// The events of all whole batches at the beginning of a file, in the order of time.
fn expected(file: &[u8]) -> Vec<(i64, String)> {
    let mut rest = file.get(MAGIC.len()..).unwrap_or_default();
    let (mut all, mut batch) = (Vec::new(), Vec::new());
    while let Some((header, behind)) = rest.split_first_chunk::<HEADER>() {
        let [l0, l1, l2, l3, sum @ ..] = *header;
        let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        let Some((payload, behind)) = behind.split_at_checked(length) else { break };
        if length < PAYLOAD_HEADER || crc32fast::hash(payload) != u32::from_le_bytes(sum) {
            break;
        }
        let number = |at: usize| u64::from_le_bytes(payload[at..at + 8].try_into().unwrap());
        let message = String::from_utf8_lossy(&payload[PAYLOAD_HEADER..]).into_owned();
        batch.push((number(0).cast_signed(), message));
        if number(16) != CONTINUES {
            all.append(&mut batch);
        }
        rest = behind;
    }
    // Nobody can ask for what happened before 1970, or at the end of time.
    all.retain(|(timestamp, _)| (0..i64::MAX).contains(timestamp));
    all.sort_by_key(|(timestamp, _)| *timestamp);
    all
}
