//! Requests that are damaged at random: for a second with every run, and for as long as wanted with
//! `WIRE_FUZZ_SECONDS=3600 cargo nextest run -p wire mutations`.
//!
//! Each run has inputs of its own; one that makes something panic, or slow, is printed whole.

mod law;

use crate::query::{self, Form};
use crate::sigv4::{Payload, Signature};
use crate::{codebuild, json, logs, secretsmanager, ssm, sts};
use law::{BODIES, SIGNED, nobody_has_signed, read_as_anything};
use std::panic::catch_unwind;
use std::time::{Duration, Instant, SystemTime};

/// How long each run is when nobody says so.
const SECONDS_DEFAULT: u64 = 1;
/// How long one input may take.
const INPUT_MAX: Duration = Duration::from_secs(2);

const PIECES: &[&str] = &[
    "",
    "\0",
    "\u{7f}",
    "é",
    "%",
    "%0",
    "%zz",
    "=",
    "&",
    "=,",
    ";;",
    "/",
    "null",
    "[",
    "]",
    "{",
    "}",
    "\"",
    "\\u",
    "\\ud800",
    "1e999",
    "-0",
    "99999999999999999999",
    "20261301T000000Z",
    "member.0",
    "member.4294967296",
    ".1.",
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
];

/// Numbers that look random: Marsaglia's xorshift.
struct Dice(u64);

impl Dice {
    fn new() -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        Self(u64::from(now.subsec_nanos()) << 20 | 1)
    }

    fn below(&mut self, count: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % count.max(1) as u64).unwrap()
    }

    /// The bytes with a few of them changed, taken out, put in, or doubled.
    fn damaged(&mut self, text: &str) -> Vec<u8> {
        let mut bytes = text.as_bytes().to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len() + 1);
            let end = (at + self.below(12)).min(bytes.len());
            match self.below(4) {
                0 => drop(bytes.splice(at..at, PIECES[self.below(PIECES.len())].bytes())),
                1 => drop(bytes.drain(at..end)),
                2 => {
                    let twice = bytes[at..end].to_vec();
                    bytes.splice(at..at, twice);
                }
                _ if at < bytes.len() => bytes[at] = u8::try_from(self.below(256)).unwrap(),
                _ => {}
            }
        }
        bytes
    }
}

fn for_a_while(seeds: &[&str], take: impl Fn(&[u8]) + std::panic::RefUnwindSafe) {
    let seconds = std::env::var("WIRE_FUZZ_SECONDS").ok();
    let seconds = seconds.map_or(SECONDS_DEFAULT, |seconds| seconds.parse().unwrap());
    let (mut dice, until) = (Dice::new(), Instant::now() + Duration::from_secs(seconds));
    let mut runs = 0_u64;
    while Instant::now() < until {
        let seed = seeds[dice.below(seeds.len())];
        let bytes = dice.damaged(seed);
        let start = Instant::now();
        let kept = catch_unwind(|| take(&bytes)).is_ok() && start.elapsed() < INPUT_MAX;
        assert!(kept, "it panics, or is slow, for {:?}", String::from_utf8_lossy(&bytes));
        runs += 1;
    }
    println!("executions: {runs}");
}

#[test]
fn no_damaged_signature_makes_it_panic_or_is_taken() {
    for_a_while(SIGNED, nobody_has_signed);
}

#[test]
fn no_damaged_body_makes_it_panic_or_slow() {
    for_a_while(BODIES, read_as_anything);
}
