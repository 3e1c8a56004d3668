//! Layers that are damaged at random, for a second with every run, and for as long as wanted with
//! `LAYER_FUZZ_SECONDS=3600 cargo nextest run -p executor layer`.
//!
//! Headers have right sums all the same, so that what they say is looked at. Whatever that is, nothing
//! panics, and nothing outside of the layer's folder is touched.

mod law;

use super::{Unpacking, unpack};
use law::{BLOCK, Dice, check, put_sums_right, wild};
use std::{
    fs,
    os::unix::fs::MetadataExt,
    panic::catch_unwind,
    time::{Duration, Instant, SystemTime},
};
use tar::{EntryType, Header};
use tempfile::TempDir;

/// How long the run is when nobody says so.
const SECONDS_DEFAULT: u64 = 1;

fn damage(bytes: &mut Vec<u8>, dice: &mut Dice) {
    let at = dice.below(bytes.len());
    match dice.below(4) {
        0 => bytes[at] ^= 1 << dice.below(8),
        1 => bytes.truncate(at),
        2 => {
            let header = at / BLOCK * BLOCK;
            let length = BLOCK.min(bytes.len() - header);
            bytes[header + dice.below(length)] = 0xff;
        }
        _ => drop(bytes.splice(at..at, vec![0; 1 + dice.below(BLOCK)])),
    }
    put_sums_right(bytes);
}

#[test]
fn nothing_outside_is_touched_and_nothing_panics() {
    let seconds = std::env::var("LAYER_FUZZ_SECONDS").ok();
    let seconds = seconds.map_or(SECONDS_DEFAULT, |seconds| seconds.parse().unwrap());
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let mut dice = Dice(u64::from(now.subsec_nanos()) << 20 | 1);
    let until = Instant::now() + Duration::from_secs(seconds);
    let mut runs = 0_u64;
    while Instant::now() < until {
        let mut bytes = wild(&mut dice);
        for _ in 0..dice.below(3) {
            damage(&mut bytes, &mut dice);
            if bytes.is_empty() {
                break;
            }
        }
        let place = TempDir::new().unwrap();
        let kept = catch_unwind(|| check(&bytes, place.path()));
        assert!(kept.is_ok(), "a promise is broken by {bytes:?}");
        runs += 1;
    }
    println!("executions: {runs}");
}

/// A layer of one file, which is a hole of this many bytes and then `end`.
fn hole(bytes: u64, end: &[u8]) -> Vec<u8> {
    let mut header = Header::new_gnu();
    header.set_path("big").unwrap();
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_entry_type(EntryType::GNUSparse);
    header.set_size(end.len() as u64);
    let size = bytes + end.len() as u64;
    let gnu = header.as_gnu_mut().unwrap();
    gnu.set_real_size(size);
    gnu.sparse[0].set_offset(bytes);
    gnu.sparse[0].set_length(end.len() as u64);
    header.set_cksum();
    let mut layer = header.as_bytes().to_vec();
    layer.extend_from_slice(end);
    layer.resize(layer.len().next_multiple_of(BLOCK) + 2 * BLOCK, 0);
    layer
}

#[test]
fn holes_take_nothing_of_the_disk() {
    let place = TempDir::new().unwrap();
    let layer = place.path().join("layer");
    unpack(&hole(64 << 20, b"end")[..], &layer, 0).unwrap();
    let big = layer.join("big").metadata().unwrap();
    assert_eq!(big.size(), (64 << 20) + 3);
    assert!(big.blocks() * 512 < 1 << 20, "{} blocks", big.blocks());
    assert!(fs::read(layer.join("big")).unwrap().ends_with(b"\0end"));
    let refused = unpack(&hole(1 << 50, b"")[..], &place.path().join("other"), 0);
    assert!(format!("{refused:?}").contains("/big: a file of 1125899906842624 bytes, with holes"));
}

#[test]
fn a_layer_leaves_the_reserve_of_the_disk_free() {
    let place = TempDir::new().unwrap();
    let refused = unpack(&hole(0, b"x")[..], &place.path().join("layer"), u64::MAX);
    let Err(Unpacking::Machine(fault)) = refused else { panic!("{refused:?}") };
    assert_eq!(fault.source.kind(), std::io::ErrorKind::StorageFull);
    assert!(fault.source.to_string().ends_with("MiB are kept in reserve"), "{}", fault.source);
}
