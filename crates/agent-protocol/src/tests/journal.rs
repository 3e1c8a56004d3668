//! Readers: pieces of any size, torn ends, damage.

use crate::{
    Fact, Record, RecordBody, Timestamp,
    journal::{Corrupt, LOG_BYTES_MAX, MAGIC, Reader, encode_fact, encode_log},
};
use proptest::prelude::*;

const AT: Timestamp = Timestamp::from_millis(1);

fn sample() -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    encode_fact(&mut bytes, AT, &Fact::Hello { protocol: 1 });
    encode_log(&mut bytes, AT, b"one\ntwo\n");
    encode_fact(&mut bytes, AT, &Fact::Finished);
    bytes
}

fn read_all(reader: &mut Reader) -> Result<Vec<Record>, Corrupt> {
    std::iter::from_fn(|| reader.next_record().transpose()).collect()
}

#[test]
fn a_record_comes_out_as_it_went_in() {
    let mut reader = Reader::new(0);
    reader.push(&sample());
    let bodies: Vec<_> = read_all(&mut reader).unwrap().into_iter().map(|r| r.body).collect();
    let expected = [
        RecordBody::Fact(Fact::Hello { protocol: 1 }),
        RecordBody::Log(b"one\ntwo\n".to_vec()),
        RecordBody::Fact(Fact::Finished),
    ];
    assert_eq!(bodies, expected);
    assert_eq!(reader.offset(), sample().len() as u64);
    assert_eq!(reader.finish(), Ok(()));
}

#[test]
fn long_output_is_cut() {
    let mut bytes = MAGIC.to_vec();
    encode_log(&mut bytes, AT, &vec![b'x'; LOG_BYTES_MAX * 2 + 1]);
    let mut reader = Reader::new(0);
    reader.push(&bytes);
    assert_eq!(read_all(&mut reader).unwrap().len(), 3);
}

#[test]
fn a_reader_goes_on_from_any_offset_it_gave() {
    let bytes = sample();
    let mut first = Reader::new(0);
    first.push(&bytes);
    while first.next_record().unwrap().is_some() {
        let from = usize::try_from(first.offset()).unwrap();
        let mut second = Reader::new(first.offset());
        second.push(&bytes[from..]);
        assert_eq!(read_all(&mut second).unwrap(), {
            let mut rest = Reader::new(first.offset());
            rest.push(&bytes[from..]);
            read_all(&mut rest).unwrap()
        });
    }
}

#[test]
fn what_is_no_journal_is_refused() {
    let mut reader = Reader::new(0);
    reader.push(b"GIF89a");
    assert_eq!(reader.next_record(), Err(Corrupt::Magic));
}

proptest! {
    #[test]
    fn pieces_of_any_size_make_the_same_records(cuts in prop::collection::vec(1usize..20, 1..40)) {
        let bytes = sample();
        let (mut reader, mut records, mut at) = (Reader::new(0), Vec::new(), 0);
        for cut in cuts.into_iter().chain([bytes.len()]) {
            let end = (at + cut).min(bytes.len());
            reader.push(&bytes[at..end]);
            records.extend(read_all(&mut reader).unwrap());
            at = end;
        }
        let mut whole = Reader::new(0);
        whole.push(&bytes);
        prop_assert_eq!(records, read_all(&mut whole).unwrap());
    }

    #[test]
    fn a_torn_end_gives_what_was_whole_and_is_called_torn(length in 0usize..120) {
        let bytes = sample();
        let cut = length.min(bytes.len());
        let mut reader = Reader::new(0);
        reader.push(&bytes[..cut]);
        let records = read_all(&mut reader).unwrap();
        prop_assert!(records.len() <= 3);
        let whole = usize::try_from(reader.offset()).unwrap();
        prop_assert_eq!(reader.finish().is_ok(), whole == cut);
    }

    #[test]
    fn damage_is_an_error_and_never_a_different_record(at in 8usize..100, bit in 0u8..8) {
        let mut bytes = sample();
        let at = at.min(bytes.len() - 1);
        bytes[at] ^= 1 << bit;
        let (mut good, mut bad) = (Reader::new(0), Reader::new(0));
        good.push(&sample());
        bad.push(&bytes);
        let good = read_all(&mut good).unwrap();
        while let Ok(Some(record)) = bad.next_record() {
            prop_assert!(good.contains(&record));
        }
    }

    #[test]
    fn any_bytes_at_all_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut reader = Reader::new(0);
        reader.push(MAGIC);
        reader.push(&bytes);
        while let Ok(Some(_)) = reader.next_record() {}
    }
}
