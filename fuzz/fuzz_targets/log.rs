//! Whatever a log stream's file and the index beside it say, the store keeps its promises.
//!
//! `fuzz/run log`. The first byte says how many of the last bytes are the index.

#![no_main]

#[path = "../../crates/store/src/logs/tests/law.rs"]
#[allow(dead_code, reason = "some of it is for the crate's tests alone")]
mod law;

use law::{check, check_with_index, put_sums_right, whole};
use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use store::logs::{
    Batch, Direction, LogStore, NewEvent, NewGroup, ReadRequest, StreamId, TimeRange,
};
use tempfile::TempDir;

/// The bytes of an index's entry, the last four of which are its sum.
const ENTRY_BYTES: usize = 56;

/// The stream's file and the index beside it.
fn split(bytes: &mut [u8]) -> (&mut [u8], &mut [u8]) {
    let Some((index, rest)) = bytes.split_first_mut() else { return Default::default() };
    rest.split_at_mut(rest.len().saturating_sub((*index).into()))
}

fn put_all_sums_right(bytes: &mut [u8]) {
    let (file, index) = split(bytes);
    put_sums_right(file);
    for entry in index.chunks_exact_mut(ENTRY_BYTES) {
        let (content, sum) = entry.split_at_mut(ENTRY_BYTES - 4);
        sum.copy_from_slice(&crc32fast::hash(content).to_le_bytes());
    }
}

fuzz_target!(|bytes: &[u8]| {
    let place = TempDir::new().expect("a folder can be made");
    let mut bytes = bytes.to_vec();
    let (file, index) = split(&mut bytes);
    match index {
        [] => check(file, place.path()),
        index => check_with_index(file, index, place.path()),
    }
});

fuzz_mutator!(|bytes: &mut [u8], size: usize, size_max: usize, seed: u32| {
    let new = || {
        let mut numbers = fuzz::Numbers::from(seed);
        let mut new = vec![0];
        new.extend(whole(|limit| numbers.below(limit)));
        if seed.is_multiple_of(2) {
            // An entry of the whole file.
            new[0] = ENTRY_BYTES as u8;
            for number in [8, new.len() as u64 - 1, 0, 49, 0, 0, 0x0000_0003_0001] {
                new.extend_from_slice(&number.to_le_bytes());
            }
        }
        new
    };
    fuzz::mutated(bytes, (size, size_max), seed, new, put_all_sums_right)
});
