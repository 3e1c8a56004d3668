//! Any bytes are read as a journal without a panic, and the same in pieces as at once.
//!
//! `fuzz/run journal`. The first byte says how long the
//! pieces are.

#![no_main]

use agent_protocol::{Record, journal::Reader};
use libfuzzer_sys::fuzz_target;

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

fuzz_target!(|bytes: &[u8]| {
    let Some((piece, bytes)) = bytes.split_first() else { return };
    let at_once = read(std::iter::once(bytes));
    assert_eq!(read(bytes.chunks(usize::from(*piece).max(1))), at_once);
});
