//! A stream by the numbers of its lines: its events in the order of the file, the first of them 0.
//!
//! Numbers are for people, who say "line 21": no event before a line is ever removed without all
//! that stand in its block, so a number means the same for as long as the stream keeps its events.

use super::{Direction, LogError, LogEvent, LogStore, StreamId, index::Block, stream::Snapshot};
use std::ops::ControlFlow;

/// Lines that hold a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoundLines {
    /// Their numbers, ascending.
    pub numbers: Vec<u64>,
    /// Whether there are no others.
    pub is_all: bool,
}

/// A stream's blocks with the number of each one's first line.
struct Numbered {
    snapshot: Snapshot,
    blocks: Vec<(u64, Block)>,
    count: u64,
}

impl LogStore {
    /// How many lines a stream has.
    pub fn line_count(&self, id: StreamId) -> Result<u64, LogError> {
        Ok(self.numbered(id)?.count)
    }

    /// The lines from number `first` on, `limit` at most.
    pub fn lines(&self, id: StreamId, first: u64, limit: usize) -> Result<Vec<LogEvent>, LogError> {
        let stream = self.numbered(id)?;
        let mut lines = Vec::new();
        for (number, block) in &stream.blocks[stream.block_of(first)..] {
            let skipped = usize::try_from(first.saturating_sub(*number)).unwrap_or(usize::MAX);
            let mut passed = 0;
            stream.snapshot.scan((block, block.offset), Direction::Forward, |frame| {
                if lines.len() == limit {
                    return ControlFlow::Break(());
                }
                if passed >= skipped {
                    lines.push(LogEvent::new(id, frame));
                }
                passed += 1;
                ControlFlow::Continue(())
            })?;
            if lines.len() == limit {
                break;
            }
        }
        Ok(lines)
    }

    /// The number of the first line whose time is not before `timestamp`, of a stream whose lines
    /// are in the order of time; the count of lines when there is none.
    pub fn line_at(&self, id: StreamId, timestamp: i64) -> Result<u64, LogError> {
        let stream = self.numbered(id)?;
        let found = stream.blocks.iter().find(|(_, block)| block.latest >= timestamp);
        let Some((number, block)) = found else { return Ok(stream.count) };
        stream.number_within(*number, block, |frame_at| frame_at >= timestamp)
    }

    /// For each of `sources`, the number of the first line behind all batches whose source is not
    /// greater; see [`super::Batch::source`]. Ascending sources cost least.
    pub fn lines_behind(&self, id: StreamId, sources: &[u64]) -> Result<Vec<u64>, LogError> {
        let tokens = self.tokens_behind(id, sources)?;
        let stream = self.numbered(id)?;
        let mut scanned = None;
        let mut offsets = Vec::new();
        let mut number = |offset: u64| {
            let at = stream.blocks.partition_point(|(_, block)| block.end <= offset);
            let Some((first, block)) = stream.blocks.get(at) else { return Ok(stream.count) };
            if scanned.replace(at) != Some(at) {
                offsets.clear();
                stream.snapshot.scan((block, block.offset), Direction::Forward, |frame| {
                    offsets.push(frame.offset);
                    ControlFlow::Continue(())
                })?;
            }
            Ok(first + offsets.partition_point(|frame| *frame < offset) as u64)
        };
        tokens.iter().map(|token| number(token.place.offset)).collect()
    }

    /// Finds the lines that hold `text`, whatever the case of its letters; the first `limit` of them.
    pub fn find_lines(
        &self,
        id: StreamId,
        text: &str,
        limit: usize,
    ) -> Result<FoundLines, LogError> {
        let stream = self.numbered(id)?;
        let pattern = regex::bytes::RegexBuilder::new(&regex::escape(text))
            .case_insensitive(true)
            .build()
            .expect("an escaped text is a pattern");
        let mut numbers = Vec::new();
        let mut is_all = true;
        for (first, block) in &stream.blocks {
            let mut number = *first;
            stream.snapshot.scan((block, block.offset), Direction::Forward, |frame| {
                if pattern.is_match(frame.message) {
                    if numbers.len() == limit {
                        is_all = false;
                        return ControlFlow::Break(());
                    }
                    numbers.push(number);
                }
                number += 1;
                ControlFlow::Continue(())
            })?;
            if !is_all {
                break;
            }
        }
        Ok(FoundLines { numbers, is_all })
    }

    fn numbered(&self, id: StreamId) -> Result<Numbered, LogError> {
        let (snapshot, blocks) = self.open_stream(id)?.snapshot(|_| true);
        let mut count = 0;
        let blocks = blocks
            .into_iter()
            .map(|block| {
                let first = count;
                count += u64::from(block.frames);
                (first, block)
            })
            .collect();
        Ok(Numbered { snapshot, blocks, count })
    }
}

impl Numbered {
    /// Where among the blocks is the one with that line.
    fn block_of(&self, number: u64) -> usize {
        self.blocks.partition_point(|(first, block)| first + u64::from(block.frames) <= number)
    }

    /// The number of a block's first line of whose time `is_it` says so; the number behind the block
    /// when there is none.
    fn number_within(
        &self,
        first: u64,
        block: &Block,
        is_it: impl Fn(i64) -> bool,
    ) -> Result<u64, LogError> {
        let mut number = first;
        self.snapshot.scan((block, block.offset), Direction::Forward, |frame| {
            if is_it(frame.timestamp) {
                return ControlFlow::Break(());
            }
            number += 1;
            ControlFlow::Continue(())
        })?;
        Ok(number)
    }
}
