//! Reads a journal as it grows, and says what it holds in the order it was written.

use super::lines::{Line, Lines};
use agent_protocol::{
    Fact, RecordBody, Timestamp,
    journal::{Corrupt, Reader},
};
use std::io::{self, Read};
use thiserror::Error;

/// How much of a journal is read at once.
const READ_BYTES: usize = 256 * 1024;
/// After so many bytes others are to have the thread.
const PAUSE_BYTES: u64 = 16 * 1024;

/// A journal and how far it has been read.
pub(super) struct Follower {
    file: Box<dyn Read + Send>,
    reader: Reader,
    lines: Lines,
    /// When the latest record was written: a clock that is set back puts no line before others.
    latest: Timestamp,
    buffer: Box<[u8]>,
    /// How far it had been read when others last had the thread.
    paused_at: u64,
}

/// What a journal holds next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// Lines for the log.
    Lines(Vec<Line>),
    /// A fact, when it was, and the journal's offset after it.
    Fact(Fact, Timestamp, u64),
}

/// Why a journal cannot be read on.
#[derive(Debug, Error)]
pub(super) enum FollowError {
    /// The file cannot be read.
    #[error("failed to read the journal")]
    Read(#[from] io::Error),
    /// The file holds what no agent wrote.
    #[error(transparent)]
    Corrupt(#[from] Corrupt),
}

impl Follower {
    /// Follows a journal that was opened at its beginning. It is always read from there: whoever
    /// takes the items knows which of them it has, the log by `logged`, the journal's offset up to
    /// which it has lines.
    pub(super) fn new(file: Box<dyn Read + Send>, logged: u64) -> Self {
        Self {
            file,
            reader: Reader::new(0),
            lines: Lines::new(logged),
            latest: Timestamp::default(),
            buffer: vec![0; 16 * 1024].into_boxed_slice(),
            paused_at: 0,
        }
    }

    /// Reads a bounded piece of what is there; none when nothing new is.
    pub(super) fn read(&mut self) -> Result<Option<Vec<Item>>, FollowError> {
        let count = match self.file.read(&mut self.buffer) {
            Ok(0) => return Ok(None),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                return Ok(Some(Vec::new()));
            }
            Err(error) => return Err(error.into()),
        };
        self.reader.push(&self.buffer[..count]);
        if count == self.buffer.len() && count < READ_BYTES {
            // Much is being printed: larger pieces cost less. Most builds never need them.
            self.buffer = vec![0; READ_BYTES].into_boxed_slice();
        }
        let (mut items, mut lines) = (Vec::new(), Vec::new());
        while let Some(record) = self.reader.next_record()? {
            let offset = self.reader.offset();
            match record.body {
                RecordBody::Log(bytes) => {
                    let start = offset - bytes.len() as u64;
                    self.latest = self.latest.max(record.at);
                    self.lines.push(self.latest, start, &bytes, &mut lines);
                }
                RecordBody::Fact(fact) => {
                    if !lines.is_empty() {
                        items.push(Item::Lines(std::mem::take(&mut lines)));
                    }
                    items.push(Item::Fact(fact, record.at, offset));
                }
            }
        }
        if !lines.is_empty() {
            items.push(Item::Lines(lines));
        }
        Ok(Some(items))
    }

    /// How far the journal has been read.
    pub(super) fn offset(&self) -> u64 {
        self.reader.offset()
    }

    /// Whether so much has been read that others should have the thread; it is said once for it.
    pub(super) fn owes_a_pause(&mut self) -> bool {
        let owes = self.offset() - self.paused_at >= PAUSE_BYTES;
        if owes {
            self.paused_at = self.offset();
        }
        owes
    }

    /// Whether a line has begun that has not been given yet.
    pub(super) fn has_pending_line(&self) -> bool {
        self.lines.is_pending()
    }

    /// Gives the line that has begun.
    pub(super) fn flush(&mut self) -> Vec<Line> {
        let mut lines = Vec::new();
        self.lines.flush(&mut lines);
        lines
    }
}
