//! ZIPs that are damaged at random, for a second with every run, and for as long as wanted with
//! `ZIP_FUZZ_SECONDS=3600 cargo nextest run -p agent unzip`.
//!
//! Whatever one of them says, nothing panics, and nothing outside of the folder is touched.

use super::unzip;
use std::fs::{self, File};
use std::io::{Cursor, Write};
use std::panic::catch_unwind;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};
use tempfile::TempDir;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// How long the run is when nobody says so.
const SECONDS_DEFAULT: u64 = 1;
/// What stands beside the folder, and says the same afterwards.
const BESIDE: &str = "beside";
/// Names of one length, so that one may stand in another's place: most of them lead out.
const NAMES: [&str; 6] =
    ["in/a/b/cc", "../beside", "/beside/x", "in/../../", "in\0a/b/cc", "in/link/x"];

/// Numbers that are not easily foreseen, from a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 8).unwrap() % end
    }
}

/// A ZIP with files of all kinds, links among them.
fn whole(dice: &mut Dice) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let method = [CompressionMethod::Stored, CompressionMethod::Deflated][dice.below(2)];
    let options = SimpleFileOptions::default().compression_method(method).unix_permissions(0o755);
    zip.add_directory("in/folder", options).unwrap();
    for number in 0..1 + dice.below(8) {
        zip.start_file(format!("in/file{number}"), options).unwrap();
        zip.write_all(&vec![b'x'; dice.below(3_000)]).unwrap();
    }
    zip.add_symlink("in/link", ["file0", "../..", "folder"][dice.below(3)], options).unwrap();
    zip.start_file(NAMES[0], options).unwrap();
    zip.write_all(b"deep").unwrap();
    zip.finish().unwrap().into_inner()
}

fn damage(bytes: &mut Vec<u8>, dice: &mut Dice) {
    let at = dice.below(bytes.len());
    match dice.below(5) {
        0 => bytes[at] ^= 1 << dice.below(8),
        1 => bytes.truncate(at),
        2 => drop(bytes.drain(at..(at + 1 + dice.below(30)).min(bytes.len()))),
        3 => drop(bytes.splice(at..at, vec![0xff; 1 + dice.below(64)])),
        _ => {
            let (old, new) = (NAMES[0].as_bytes(), NAMES[dice.below(NAMES.len())].as_bytes());
            for start in 0..bytes.len().saturating_sub(old.len()) {
                if bytes[start..].starts_with(old) {
                    bytes[start..start + new.len()].copy_from_slice(new);
                }
            }
        }
    }
}

fn check(bytes: &[u8]) {
    let place = TempDir::new().unwrap();
    let at = |name: &str| place.path().join(name);
    fs::write(at(BESIDE), BESIDE).unwrap();
    fs::write(at("source.zip"), bytes).unwrap();
    fs::create_dir(at("folder")).unwrap();
    let _ = unzip(&File::open(at("source.zip")).unwrap(), &at("folder"));
    assert_eq!(fs::read_to_string(at(BESIDE)).unwrap(), BESIDE);
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 3);
    assert!(!Path::new("/beside").exists());
}

#[test]
fn nothing_outside_is_touched_and_nothing_panics() {
    let seconds = std::env::var("ZIP_FUZZ_SECONDS").ok();
    let seconds = seconds.map_or(SECONDS_DEFAULT, |seconds| seconds.parse().unwrap());
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let mut dice = Dice(u64::from(now.subsec_nanos()) << 20 | 1);
    let until = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < until {
        let mut bytes = whole(&mut dice);
        for _ in 0..1 + dice.below(3) {
            damage(&mut bytes, &mut dice);
            bytes.push(0);
        }
        bytes.pop();
        let kept = catch_unwind(|| check(&bytes));
        assert!(kept.is_ok(), "a promise is broken by {bytes:?}");
    }
}
