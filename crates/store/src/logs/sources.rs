//! Where in a stream stands what came after a place in its writer's source.

use super::{
    Direction, LogError, LogStore, StreamId, Token,
    frame::{SOURCE_CONTINUES, SOURCE_NONE},
    index::{Block, FIRST},
    page::Place,
    stream::Snapshot,
};
use std::ops::ControlFlow;

/// The source of a batch, and the place behind it.
type Boundary = (u64, Place);

impl LogStore {
    /// Gives, for each of `sources`, the token that reads on behind all batches whose source is not
    /// greater; see [`super::Batch::source`]. Ascending sources cost least.
    pub fn tokens_behind(&self, id: StreamId, sources: &[u64]) -> Result<Vec<Token>, LogError> {
        let (snapshot, blocks) = self.open_stream(id)?.snapshot(|_| true);
        let mut scanned = None;
        let mut boundaries = Vec::new();
        let mut token = |source: u64| {
            let behind = |block: &Block| block.source == SOURCE_NONE || block.source <= source;
            let number = blocks.partition_point(behind).min(blocks.len().saturating_sub(1));
            if scanned.replace(number) != Some(number) {
                boundaries = match blocks.get(number) {
                    Some(block) => boundaries_of(&snapshot, id, block)?,
                    None => vec![(0, Place { timestamp: 0, stream: id.0, offset: FIRST })],
                };
            }
            let count = boundaries.partition_point(|(last, _)| *last <= source);
            let (_, place) = boundaries[count.saturating_sub(1)];
            Ok(Token { direction: Direction::Forward, place })
        };
        sources.iter().map(|source| token(*source)).collect()
    }
}

/// The places behind the batches of a block, after the place before them all.
fn boundaries_of(
    snapshot: &Snapshot,
    id: StreamId,
    block: &Block,
) -> Result<Vec<Boundary>, LogError> {
    let mut boundaries = Vec::new();
    // The source of the batch that has ended, until the frame behind it is seen.
    let mut ended = Some(0);
    let mut last = block.earliest;
    snapshot.scan((block, block.offset), Direction::Forward, |frame| {
        boundaries.extend(ended.take().map(|source| (source, Place::of(id, frame))));
        ended = match frame.source {
            SOURCE_CONTINUES | SOURCE_NONE => None,
            source => Some(source),
        };
        last = frame.timestamp;
        ControlFlow::Continue(())
    })?;
    let end = Place { timestamp: last, stream: id.0, offset: block.end };
    boundaries.extend(ended.map(|source| (source, end)));
    Ok(boundaries)
}
