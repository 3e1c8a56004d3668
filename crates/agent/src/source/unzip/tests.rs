//! ZIPs that are damaged at random, for a second with every run, and for as long as wanted with
//! `ZIP_FUZZ_SECONDS=3600 cargo nextest run -p agent unzip`.
//!
//! Whatever one of them says, nothing panics, and nothing outside of the folder is touched.

mod law;

use super::unzip;
use law::{Dice, NAMES, check, whole};
use std::panic::catch_unwind;
use std::time::{Duration, Instant, SystemTime};
use tempfile::TempDir;

/// How long the run is when nobody says so.
const SECONDS_DEFAULT: u64 = 1;

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

#[test]
fn nothing_outside_is_touched_and_nothing_panics() {
    let seconds = std::env::var("ZIP_FUZZ_SECONDS").ok();
    let seconds = seconds.map_or(SECONDS_DEFAULT, |seconds| seconds.parse().unwrap());
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let mut dice = Dice(u64::from(now.subsec_nanos()) << 20 | 1);
    let until = Instant::now() + Duration::from_secs(seconds);
    let mut runs = 0_u64;
    while Instant::now() < until {
        let mut bytes = whole(&mut dice);
        for _ in 0..1 + dice.below(3) {
            damage(&mut bytes, &mut dice);
            bytes.push(0);
        }
        bytes.pop();
        let place = TempDir::new().unwrap();
        let kept = catch_unwind(|| check(&bytes, place.path()));
        assert!(kept.is_ok(), "a promise is broken by {bytes:?}");
        runs += 1;
    }
    println!("executions: {runs}");
}
