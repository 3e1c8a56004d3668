//! What a whole stream is known by, so that a reader can prove that nothing of it is missing.

use super::{Direction, LogError, LogStore, StreamId, index::FIRST};
use sha2::{Digest as _, Sha256};
use std::{ops::ControlFlow, sync::PoisonError};

/// What a stream is known by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamDigest {
    /// The SHA-256 of the messages of all its events, one behind the other, in hexadecimal digits.
    pub sha256: String,
    /// How many events there are.
    pub events: u64,
    /// How many bytes their messages have.
    pub bytes: u64,
}

/// How far a stream's digest has come.
#[derive(Clone, Debug)]
pub(super) struct Progress {
    sum: Sha256,
    events: u64,
    bytes: u64,
    /// Where the first frame stands that is not in it.
    end: u64,
}

impl Default for Progress {
    fn default() -> Self {
        Self { sum: Sha256::new(), events: 0, bytes: 0, end: FIRST }
    }
}

impl LogStore {
    /// Gives the digest of what a stream has now. Reads it in the order in which it was written, from
    /// where the last call has come to as long as the stream is open. Blocks.
    pub fn digest(&self, id: StreamId) -> Result<StreamDigest, LogError> {
        let stream = self.open_stream(id)?;
        let _alone = stream.digesting.lock().unwrap_or_else(PoisonError::into_inner);
        // In this order: should the events be removed in between, all of the snapshot is read.
        let (snapshot, blocks) = stream.snapshot(|_| true);
        let mut progress = stream.lock().digested.clone();
        let from = progress.end;
        for block in blocks.iter().filter(|block| block.end > from) {
            let begin = (block, block.offset.max(from));
            snapshot.scan(begin, Direction::Forward, |frame| {
                progress.sum.update(frame.message);
                progress.events += 1;
                progress.bytes += frame.message.len() as u64;
                progress.end = frame.end;
                ControlFlow::Continue(())
            })?;
        }
        let mut state = stream.lock();
        if snapshot.is_of(&state) {
            state.digested = progress.clone();
        }
        let Progress { sum, events, bytes, .. } = progress;
        Ok(StreamDigest { sha256: hex::encode(sum.finalize()), events, bytes })
    }
}
