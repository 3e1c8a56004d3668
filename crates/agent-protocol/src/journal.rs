//! The journal's bytes: records in, bytes out, and back. No file, no socket, no clock.
//!
//! A journal is the magic [`MAGIC`] and then frames, each
//! `length: u32 LE | crc32(payload): u32 LE | payload`, where the payload is
//! `kind: u8 | at: u64 LE microseconds | body`. A body is the bytes themselves for a log record and
//! JSON for a fact. An offset into a journal is a position between two frames.
//!
//! A writer appends whole frames with one `write`. A reader takes what is there and waits at an
//! unfinished frame: it may be still on its way, or torn by a crash. Only [`Reader::finish`] calls
//! it torn.

use crate::{Fact, Record, RecordBody, Timestamp};
use thiserror::Error;

/// The first bytes of every journal; the last of them is the format's version.
pub const MAGIC: &[u8; 8] = b"BYJRNL\0\x01";

/// The most bytes of output in one record. Longer output is cut into several.
pub const LOG_BYTES_MAX: usize = 64 * 1024;

/// The most bytes of a payload: a fact larger than this is no fact.
pub const PAYLOAD_BYTES_MAX: usize = 16 * 1024 * 1024;

const FRAME_HEADER: usize = 8;
const PAYLOAD_HEADER: usize = 9;
const KIND_LOG: u8 = 1;
const KIND_FACT: u8 = 2;

/// A journal that cannot be what an agent wrote.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum Corrupt {
    /// The first bytes are not [`MAGIC`].
    #[error("the journal does not begin with its magic")]
    Magic,
    /// A frame's length is impossible.
    #[error("a frame of {bytes} bytes at offset {offset}")]
    Length {
        /// Where the frame begins.
        offset: u64,
        /// The length it states.
        bytes: usize,
    },
    /// A frame's checksum does not fit.
    #[error("a wrong checksum at offset {offset}")]
    Checksum {
        /// Where the frame begins.
        offset: u64,
    },
    /// A record of a kind, or a fact, that this version does not know.
    #[error("an unknown record at offset {offset}: {reason}")]
    Unknown {
        /// Where the frame begins.
        offset: u64,
        /// What was not understood.
        reason: String,
    },
    /// The journal ends inside a frame.
    #[error("the journal ends inside the frame at offset {offset}")]
    Torn {
        /// Where the frame begins.
        offset: u64,
    },
}

/// Appends a frame for `fact` to `out`.
pub fn encode_fact(out: &mut Vec<u8>, at: Timestamp, fact: &Fact) {
    let body = serde_json::to_vec(fact).expect("facts hold only strings and numbers");
    encode(out, KIND_FACT, at, &body);
}

/// Appends frames for `bytes` of output to `out`, cut at [`LOG_BYTES_MAX`].
pub fn encode_log(out: &mut Vec<u8>, at: Timestamp, bytes: &[u8]) {
    for chunk in bytes.chunks(LOG_BYTES_MAX) {
        encode(out, KIND_LOG, at, chunk);
    }
}

fn encode(out: &mut Vec<u8>, kind: u8, at: Timestamp, body: &[u8]) {
    let length = u32::try_from(PAYLOAD_HEADER + body.len()).expect("bodies are bounded");
    let start = out.len();
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.push(kind);
    out.extend_from_slice(&at.micros().to_le_bytes());
    out.extend_from_slice(body);
    let checksum = crc32fast::hash(&out[start + FRAME_HEADER..]);
    out[start + 4..start + FRAME_HEADER].copy_from_slice(&checksum.to_le_bytes());
}

/// Turns a journal's bytes, handed over in pieces of any size, into records.
#[derive(Debug)]
pub struct Reader {
    buffer: Vec<u8>,
    consumed: usize,
    /// The journal's offset of the first byte that no record has been made of.
    offset: u64,
}

impl Reader {
    /// A reader that begins at `offset`: 0, or one that [`Reader::offset`] gave earlier.
    pub fn new(offset: u64) -> Self {
        Self { buffer: Vec::new(), consumed: 0, offset }
    }

    /// The offset after the last record given out: where to go on after a restart.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Takes the next bytes of the journal.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.consumed > 0 {
            self.buffer.drain(..self.consumed);
            self.consumed = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Gives the next whole record, or none until more bytes come.
    pub fn next_record(&mut self) -> Result<Option<Record>, Corrupt> {
        if self.offset == 0 && !self.take_magic()? {
            return Ok(None);
        }
        let rest = &self.buffer[self.consumed..];
        let Some((header, rest)) = rest.split_first_chunk::<FRAME_HEADER>() else {
            return Ok(None);
        };
        let [l0, l1, l2, l3, c0, c1, c2, c3] = *header;
        let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        if !(PAYLOAD_HEADER..=PAYLOAD_BYTES_MAX).contains(&length) {
            return Err(Corrupt::Length { offset: self.offset, bytes: length });
        }
        let Some(payload) = rest.get(..length) else { return Ok(None) };
        if crc32fast::hash(payload) != u32::from_le_bytes([c0, c1, c2, c3]) {
            return Err(Corrupt::Checksum { offset: self.offset });
        }
        let record = decode(payload, self.offset)?;
        self.advance(FRAME_HEADER + length);
        Ok(Some(record))
    }

    /// Says whether the journal, if no byte follows, ends where a record ends.
    pub fn finish(&self) -> Result<(), Corrupt> {
        if self.consumed == self.buffer.len() {
            Ok(())
        } else {
            Err(Corrupt::Torn { offset: self.offset })
        }
    }

    fn take_magic(&mut self) -> Result<bool, Corrupt> {
        let rest = &self.buffer[self.consumed..];
        let known = rest.len().min(MAGIC.len());
        if rest[..known] != MAGIC[..known] {
            return Err(Corrupt::Magic);
        }
        if known < MAGIC.len() {
            return Ok(false);
        }
        self.advance(MAGIC.len());
        Ok(true)
    }

    fn advance(&mut self, bytes: usize) {
        self.consumed += bytes;
        self.offset += bytes as u64;
    }
}

fn decode(payload: &[u8], offset: u64) -> Result<Record, Corrupt> {
    let (header, body) = payload
        .split_first_chunk::<PAYLOAD_HEADER>()
        .ok_or(Corrupt::Length { offset, bytes: payload.len() })?;
    let [kind, at @ ..] = *header;
    let at = Timestamp::from_micros(u64::from_le_bytes(at));
    let unknown = |reason: String| Corrupt::Unknown { offset, reason };
    let body = match kind {
        KIND_LOG => RecordBody::Log(body.to_vec()),
        KIND_FACT => RecordBody::Fact(
            serde_json::from_slice(body).map_err(|error| unknown(error.to_string()))?,
        ),
        kind => return Err(unknown(format!("kind {kind}"))),
    };
    Ok(Record { at, body })
}
