//! Layers that are damaged at random, for a second with every run, and for as long as wanted with
//! `LAYER_FUZZ_SECONDS=3600 cargo nextest run -p executor layer`.
//!
//! Headers have right sums all the same, so that what they say is looked at. Whatever that is, nothing
//! panics, and nothing outside of the layer's folder is touched.

use super::unpack;
use std::{
    fs,
    panic::catch_unwind,
    path::Path,
    time::{Duration, Instant, SystemTime},
};
use tar::{Builder, EntryType, Header};
use tempfile::TempDir;

/// How long the run is when nobody says so.
const SECONDS_DEFAULT: u64 = 1;
/// What stands beside the folder, and says the same afterwards.
const BESIDE: &str = "beside";
/// An archive is made of blocks of this length.
const BLOCK: usize = 512;
/// Where a header has its sum.
const SUM: std::ops::Range<usize> = 148..156;
/// Names and targets, most of which lead out.
const NAMES: [&str; 10] = [
    "in/a",
    "../beside",
    "/beside",
    "in/../../beside",
    "in/link/x",
    "in/.wh.a",
    "in/.wh...",
    "in/.wh..wh..opq",
    "",
    ".",
];
const KINDS: [EntryType; 8] = [
    EntryType::Regular,
    EntryType::Directory,
    EntryType::Symlink,
    EntryType::Link,
    EntryType::Char,
    EntryType::Fifo,
    EntryType::XHeader,
    EntryType::GNULongName,
];

/// Numbers that are not easily foreseen, from a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 8).unwrap() % end
    }

    fn name(&mut self) -> &'static str {
        NAMES[self.below(NAMES.len())]
    }
}

/// A layer whose entries are of any kind and go anywhere.
fn wild(dice: &mut Dice) -> Vec<u8> {
    let mut layer = Builder::new(Vec::new());
    for _ in 0..1 + dice.below(8) {
        let mut header = Header::new_gnu();
        let content = vec![b'x'; dice.below(2_000)];
        header.set_entry_type(KINDS[dice.below(KINDS.len())]);
        header.set_mode(u32::try_from(dice.below(0o10000)).unwrap());
        header.set_size(content.len() as u64);
        for (field, text) in [(0..100, dice.name()), (157..257, dice.name())] {
            header.as_mut_bytes()[field][..text.len()].copy_from_slice(text.as_bytes());
        }
        header.set_cksum();
        layer.append(&header, &content[..]).unwrap();
    }
    layer.into_inner().unwrap()
}

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
    for block in bytes.chunks_exact_mut(BLOCK) {
        if block[257..].starts_with(b"ustar") {
            block[SUM].fill(b' ');
            let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
            block[SUM].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
    }
}

fn check(bytes: &[u8]) {
    let place = TempDir::new().unwrap();
    fs::write(place.path().join(BESIDE), BESIDE).unwrap();
    let _ = unpack(bytes, &place.path().join("layer"));
    assert_eq!(fs::read_to_string(place.path().join(BESIDE)).unwrap(), BESIDE);
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 2);
    assert!(!Path::new("/beside").exists());
}

#[test]
fn nothing_outside_is_touched_and_nothing_panics() {
    let seconds = std::env::var("LAYER_FUZZ_SECONDS").ok();
    let seconds = seconds.map_or(SECONDS_DEFAULT, |seconds| seconds.parse().unwrap());
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let mut dice = Dice(u64::from(now.subsec_nanos()) << 20 | 1);
    let until = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < until {
        let mut bytes = wild(&mut dice);
        for _ in 0..dice.below(3) {
            damage(&mut bytes, &mut dice);
            if bytes.is_empty() {
                break;
            }
        }
        let kept = catch_unwind(|| check(&bytes));
        assert!(kept.is_ok(), "a promise is broken by {bytes:?}");
    }
}
