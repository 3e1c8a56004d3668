//! Any bytes are read as a journal without a panic, and the same in pieces as at once.
//!
//! `fuzz/run journal`. The first byte says how long the
//! pieces are.

#![no_main]

use agent_protocol::{
    AgentPhase, Fact, PhaseOutcome, Record, Timestamp,
    journal::{MAGIC, Reader, encode_fact, encode_log},
};
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

/// What a frame has before its payload: the length, and the payload's sum.
const FRAME_HEADER: usize = 8;

fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Record>, u64) {
    let (mut reader, mut records) = (Reader::new(0), Vec::new());
    for piece in pieces {
        reader.push(piece);
        while let Ok(Some(record)) = reader.next_record() {
            records.push(record);
        }
    }
    (records, reader.offset())
}

/// A journal behind the length of its pieces.
fn whole(seed: u32) -> Vec<u8> {
    let at = Timestamp::from_millis(1_700_000_000_000);
    let mut bytes = vec![seed as u8];
    bytes.extend_from_slice(MAGIC);
    encode_fact(&mut bytes, at, &Fact::Hello { protocol: 1 });
    for phase in AgentPhase::ALL {
        encode_fact(&mut bytes, at, &Fact::PhaseStarted { phase });
        encode_log(&mut bytes, at, "é\n".repeat((seed % 40) as usize).as_bytes());
        let outcome = PhaseOutcome::failed("COMMAND_EXECUTION_ERROR", "no");
        encode_fact(&mut bytes, at, &Fact::PhaseFinished { phase, outcome });
    }
    bytes
}

/// Gives each frame its right sum, so that what it says is looked at.
fn put_sums_right(bytes: &mut [u8]) {
    let mut rest = bytes.get_mut(1 + MAGIC.len()..).unwrap_or_default();
    while let Some((header, behind)) = rest.split_first_chunk_mut::<FRAME_HEADER>() {
        let [l0, l1, l2, l3, ..] = *header;
        let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        let Some((payload, behind)) = behind.split_at_mut_checked(length) else { return };
        header[4..].copy_from_slice(&crc32fast::hash(payload).to_le_bytes());
        rest = behind;
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((piece, bytes)) = bytes.split_first() else { return };
    let at_once = read(std::iter::once(bytes));
    assert_eq!(read(bytes.chunks(usize::from(*piece).max(1))), at_once);
});

fuzz_mutator!(|bytes: &mut [u8], size: usize, size_max: usize, seed: u32| {
    fuzz::mutated(bytes, (size, size_max), seed, || whole(seed), put_sums_right)
});
