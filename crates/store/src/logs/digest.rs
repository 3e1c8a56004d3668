//! What a whole stream is known by, so that a reader can prove that nothing of it is missing.

use super::{Direction, LogError, LogStore, StreamId};
use sha2::{Digest as _, Sha256};
use std::ops::ControlFlow;

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

impl LogStore {
    /// Reads a whole stream, in the order in which it was written. Blocks.
    pub fn digest(&self, id: StreamId) -> Result<StreamDigest, LogError> {
        let (snapshot, blocks) = self.open_stream(id)?.snapshot(|_| true);
        let (mut sum, mut events, mut bytes) = (Sha256::new(), 0, 0);
        for block in &blocks {
            snapshot.scan((block, block.offset), Direction::Forward, |frame| {
                sum.update(frame.message);
                events += 1;
                bytes += frame.message.len() as u64;
                ControlFlow::Continue(())
            })?;
        }
        Ok(StreamDigest { sha256: hex::encode(sum.finalize()), events, bytes })
    }
}
