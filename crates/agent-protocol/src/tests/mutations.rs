//! Journals that are damaged at random, for a second with every run, and for as long as wanted with
//! `JOURNAL_FUZZ_SECONDS=3600 cargo nextest run -p agent-protocol mutations`.
//!
//! A journal that breaks a promise is printed whole.

use crate::{
    AgentPhase, Fact, PhaseOutcome, Record, Timestamp,
    journal::{MAGIC, Reader, encode_fact, encode_log},
};
use std::{
    panic::catch_unwind,
    time::{Duration, Instant, SystemTime},
};

/// How long the run is when nobody says so.
const SECONDS_DEFAULT: u64 = 1;

/// Numbers that look random: Marsaglia's xorshift.
struct Dice(u64);

impl Dice {
    fn below(&mut self, count: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % count.max(1) as u64).unwrap()
    }
}

fn whole(dice: &mut Dice) -> Vec<u8> {
    let at = Timestamp::from_millis(1_700_000_000_000);
    let mut bytes = MAGIC.to_vec();
    encode_fact(&mut bytes, at, &Fact::Hello { protocol: 1 });
    for phase in AgentPhase::ALL {
        encode_fact(&mut bytes, at, &Fact::PhaseStarted { phase });
        encode_log(&mut bytes, at, "é\n".repeat(dice.below(40)).as_bytes());
        let outcome = PhaseOutcome::failed("COMMAND_EXECUTION_ERROR", "no");
        encode_fact(&mut bytes, at, &Fact::PhaseFinished { phase, outcome });
    }
    bytes
}

/// The records before the first damage, however the bytes are cut into pieces.
fn read(bytes: &[u8], piece: usize) -> (Vec<Record>, u64, bool) {
    let (mut reader, mut records) = (Reader::new(0), Vec::new());
    for piece in bytes.chunks(piece) {
        reader.push(piece);
        loop {
            match reader.next_record() {
                Ok(Some(record)) => records.push(record),
                Ok(None) => break,
                Err(_) => return (records, reader.offset(), false),
            }
        }
    }
    (records, reader.offset(), true)
}

fn check(bytes: &[u8], piece: usize, untouched: &[Record], damage: usize) {
    let all_at_once = read(bytes, bytes.len().max(1));
    assert_eq!(read(bytes, piece), all_at_once, "pieces make a difference");
    let (records, offset, _) = all_at_once;
    assert!(offset <= bytes.len() as u64);
    // What stands whole before the damage is read as it was.
    let (before, _, _) = read(&bytes[..damage], damage.max(1));
    assert_eq!(records[..before.len()], untouched[..before.len()]);
}

#[test]
fn what_stands_before_the_damage_is_read_and_nothing_panics() {
    let seconds = std::env::var("JOURNAL_FUZZ_SECONDS").ok();
    let seconds = seconds.map_or(SECONDS_DEFAULT, |seconds| seconds.parse().unwrap());
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let mut dice = Dice(u64::from(now.subsec_nanos()) << 20 | 1);
    let until = Instant::now() + Duration::from_secs(seconds);
    let mut runs = 0_u64;
    while Instant::now() < until {
        let mut bytes = whole(&mut dice);
        let (untouched, ..) = read(&bytes, bytes.len());
        let damage = dice.below(bytes.len());
        match dice.below(4) {
            0 => bytes[damage] ^= 1 << dice.below(8),
            1 => bytes.truncate(damage),
            2 => drop(bytes.drain(damage..(damage + 1 + dice.below(30)).min(bytes.len()))),
            _ => drop(bytes.splice(damage..damage, vec![0; 1 + dice.below(4_096)])),
        }
        let piece = 1 + dice.below(64);
        let kept = catch_unwind(|| check(&bytes, piece, &untouched, damage));
        assert!(kept.is_ok(), "a promise is broken for pieces of {piece} of {bytes:?}");
        runs += 1;
    }
    println!("executions: {runs}");
}
