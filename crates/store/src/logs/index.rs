//! What is known of a stream's file without reading it: for each block of some 256 KiB, where it
//! stands and which times are in it.
//!
//! Finished blocks are also written to a file beside the stream's, as entries of a fixed size with
//! a checksum each, so that opening a large stream reads only what came after them.

use super::frame::{Frame, MAGIC, SOURCE_CONTINUES, SOURCE_NONE};

/// A block is finished when it has this many bytes.
const BLOCK_BYTES: u64 = 256 * 1024;

/// The bytes of a finished block's entry in the index file.
pub(super) const ENTRY_BYTES: usize = 56;

/// Where a stream's first frame stands.
pub(super) const FIRST: u64 = MAGIC.len() as u64;

/// Some frames in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// Where the first frame begins.
    pub(super) offset: u64,
    /// Where the last one ends.
    pub(super) end: u64,
    /// The earliest timestamp.
    pub(super) earliest: i64,
    /// The latest.
    pub(super) latest: i64,
    /// Whether no event has an earlier timestamp than the one before it.
    pub(super) sorted: bool,
    /// The last source up to its end, or [`SOURCE_NONE`].
    pub(super) source: u64,
    /// When its last event was ingested.
    pub(super) ingested_at: i64,
    /// How many frames it has.
    pub(super) frames: u32,
}

impl Block {
    fn begin(frame: &Frame<'_>, source: u64) -> Self {
        Self {
            offset: frame.offset,
            end: frame.offset,
            earliest: frame.timestamp,
            latest: frame.timestamp,
            sorted: true,
            source,
            ingested_at: frame.ingested_at,
            frames: 0,
        }
    }

    fn add(&mut self, frame: &Frame<'_>) {
        self.sorted &= frame.timestamp >= self.latest;
        self.end = frame.end;
        self.earliest = self.earliest.min(frame.timestamp);
        self.latest = self.latest.max(frame.timestamp);
        self.ingested_at = frame.ingested_at;
        self.frames += 1;
        if !matches!(frame.source, SOURCE_NONE | SOURCE_CONTINUES) {
            self.source = frame.source;
        }
    }

    /// Spells the block for the index file.
    pub(super) fn encode(&self) -> [u8; ENTRY_BYTES] {
        let numbers = [
            self.offset.to_le_bytes(),
            self.end.to_le_bytes(),
            self.earliest.to_le_bytes(),
            self.latest.to_le_bytes(),
            self.source.to_le_bytes(),
            self.ingested_at.to_le_bytes(),
        ];
        let mut entry = [0; ENTRY_BYTES];
        for (field, number) in entry.chunks_exact_mut(8).zip(numbers) {
            field.copy_from_slice(&number);
        }
        entry[48] = u8::from(self.sorted);
        // A block's frames are at least 32 bytes each: three bytes hold more than there can be.
        entry[49..52].copy_from_slice(&self.frames.to_le_bytes()[..3]);
        let checksum = crc32fast::hash(&entry[..52]);
        entry[52..].copy_from_slice(&checksum.to_le_bytes());
        entry
    }

    fn decode(entry: &[u8; ENTRY_BYTES]) -> Option<Self> {
        let (content, checksum) = entry.split_last_chunk::<4>()?;
        if crc32fast::hash(content) != u32::from_le_bytes(*checksum) {
            return None;
        }
        let mut numbers = content.chunks_exact(8).map(|field| {
            u64::from_le_bytes(field.try_into().expect("the chunks have eight bytes each"))
        });
        let mut number = || numbers.next();
        let frames = u32::from_le_bytes([content[49], content[50], content[51], 0]);
        // Earlier formats did not count: such blocks are read again.
        (frames > 0).then_some(())?;
        Some(Self {
            offset: number()?,
            end: number()?,
            earliest: number()?.cast_signed(),
            latest: number()?.cast_signed(),
            source: number()?,
            ingested_at: number()?.cast_signed(),
            sorted: content[48] == 1,
            frames,
        })
    }
}

/// The blocks of a stream, in the order of the file.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    finished: Vec<Block>,
    open: Option<Block>,
}

impl Index {
    /// Takes from an index file's bytes the entries that fit a stream's file of `length` bytes.
    pub(super) fn decode(entries: &[u8], length: u64) -> Self {
        let mut index = Self::default();
        let (entries, _torn) = entries.as_chunks::<ENTRY_BYTES>();
        for entry in entries {
            let Some(block) = Block::decode(entry) else { break };
            if block.offset != index.end() || block.end <= block.offset || block.end > length {
                break;
            }
            index.finished.push(block);
        }
        index
    }

    /// Where the last frame ends.
    pub(super) fn end(&self) -> u64 {
        self.open.or(self.finished.last().copied()).map_or(FIRST, |block| block.end)
    }

    /// The last source, or [`SOURCE_NONE`].
    pub(super) fn source(&self) -> u64 {
        self.open.or(self.finished.last().copied()).map_or(SOURCE_NONE, |block| block.source)
    }

    /// The blocks, finished and not.
    pub(super) fn blocks(&self) -> impl DoubleEndedIterator<Item = &Block> {
        self.finished.iter().chain(&self.open)
    }

    /// How many blocks are finished.
    pub(super) fn finished(&self) -> usize {
        self.finished.len()
    }

    /// Adds the frame that stands at the end; gives the block that it has finished. A batch is
    /// never split between blocks, so that a torn one never reaches the index file.
    pub(super) fn add(&mut self, frame: &Frame<'_>) -> Option<Block> {
        let source = self.source();
        let open = self.open.get_or_insert_with(|| Block::begin(frame, source));
        open.add(frame);
        if frame.source == SOURCE_CONTINUES || open.end - open.offset < BLOCK_BYTES {
            return None;
        }
        let block = self.open.take()?;
        self.finished.push(block);
        Some(block)
    }
}
