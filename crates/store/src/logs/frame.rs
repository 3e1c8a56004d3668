//! The bytes of a stream's file: [`MAGIC`], then frames, each
//! `length: u32 LE | crc32(payload): u32 LE | payload`, where the payload is
//! `timestamp: i64 LE | ingested_at: i64 LE | source: u64 LE | message`.
//!
//! The events of one append are a batch: all its frames but the last carry [`SOURCE_CONTINUES`] as
//! their source, so that a batch torn by a crash is known and taken back as a whole.

use super::Batch;

/// The first bytes of every file; the last of them is the format's version.
pub(super) const MAGIC: &[u8; 8] = b"BYLOGS\0\x01";

/// The source of a batch that has none.
pub(super) const SOURCE_NONE: u64 = u64::MAX;

/// The source of every frame but the last of a batch.
pub(super) const SOURCE_CONTINUES: u64 = u64::MAX - 1;

const FRAME_HEADER: usize = 8;
const PAYLOAD_HEADER: usize = 24;

/// No message is longer; a length beyond it is garbage.
const PAYLOAD_BYTES_MAX: usize = 16 * 1024 * 1024;

/// An event as it stands in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    /// Where it begins, from the beginning of the file.
    pub(super) offset: u64,
    /// Where the next one begins.
    pub(super) end: u64,
    pub(super) timestamp: i64,
    pub(super) ingested_at: i64,
    pub(super) source: u64,
    pub(super) message: &'a [u8],
}

/// The frames of a batch as they stand in a file in which the first of them begins at `offset`.
pub(super) fn frames<'b>(
    batch: &Batch<'b>,
    mut offset: u64,
) -> impl Iterator<Item = Frame<'b>> + use<'b> {
    let Batch { events, source, ingested_at } = *batch;
    let last = events.len().saturating_sub(1);
    events.iter().enumerate().map(move |(at, event)| {
        let message = event.message.as_bytes();
        let source = if at < last { SOURCE_CONTINUES } else { source.unwrap_or(SOURCE_NONE) };
        let (begins, timestamp) = (offset, event.timestamp);
        offset += (FRAME_HEADER + PAYLOAD_HEADER + message.len()) as u64;
        Frame { offset: begins, end: offset, timestamp, ingested_at, source, message }
    })
}

/// The bytes of a batch.
pub(super) fn encode(batch: &Batch<'_>) -> Vec<u8> {
    let bytes = frames(batch, 0).last().map_or(0, |frame| frame.end);
    let mut out = Vec::with_capacity(usize::try_from(bytes).expect("a batch fits the memory"));
    for frame in frames(batch, 0) {
        let length = PAYLOAD_HEADER + frame.message.len();
        assert!(length <= PAYLOAD_BYTES_MAX, "a message has {length} bytes");
        let length = u32::try_from(length).expect("it was just compared");
        let start = out.len();
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&frame.timestamp.to_le_bytes());
        out.extend_from_slice(&frame.ingested_at.to_le_bytes());
        out.extend_from_slice(&frame.source.to_le_bytes());
        out.extend_from_slice(frame.message);
        let checksum = crc32fast::hash(&out[start + FRAME_HEADER..]);
        out[start + 4..start + FRAME_HEADER].copy_from_slice(&checksum.to_le_bytes());
    }
    out
}

/// Goes through the whole frames at the beginning of some bytes, and stops at the first that is
/// torn or garbage.
#[derive(Debug)]
pub(super) struct Frames<'a> {
    bytes: &'a [u8],
    offset: u64,
}

impl<'a> Frames<'a> {
    /// Begins with `bytes`, which stand at `offset` in the file.
    pub(super) fn new(bytes: &'a [u8], offset: u64) -> Self {
        Self { bytes, offset }
    }

    /// Says how many more bytes than there are would complete the frame that comes next, if its
    /// length is one that a frame can have.
    pub(super) fn missing(&self) -> Option<usize> {
        let Some(header) = self.bytes.first_chunk::<4>() else {
            return Some(FRAME_HEADER - self.bytes.len());
        };
        let length = u32::from_le_bytes(*header) as usize;
        let whole = FRAME_HEADER + length;
        let possible = (PAYLOAD_HEADER..=PAYLOAD_BYTES_MAX).contains(&length);
        (possible && whole > self.bytes.len()).then(|| whole - self.bytes.len())
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Frame<'a>;

    fn next(&mut self) -> Option<Frame<'a>> {
        let (header, rest) = self.bytes.split_first_chunk::<FRAME_HEADER>()?;
        let [l0, l1, l2, l3, c0, c1, c2, c3] = *header;
        let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        if !(PAYLOAD_HEADER..=PAYLOAD_BYTES_MAX).contains(&length) {
            return None;
        }
        let (payload, rest) = rest.split_at_checked(length)?;
        if crc32fast::hash(payload) != u32::from_le_bytes([c0, c1, c2, c3]) {
            return None;
        }
        let (timestamp, payload) = payload.split_first_chunk::<8>()?;
        let (ingested_at, payload) = payload.split_first_chunk::<8>()?;
        let (source, message) = payload.split_first_chunk::<8>()?;
        let offset = self.offset;
        self.offset += (FRAME_HEADER + length) as u64;
        self.bytes = rest;
        Some(Frame {
            offset,
            end: self.offset,
            timestamp: i64::from_le_bytes(*timestamp),
            ingested_at: i64::from_le_bytes(*ingested_at),
            source: u64::from_le_bytes(*source),
            message,
        })
    }
}
