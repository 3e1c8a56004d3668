//! The streams whose files are open: a bounded number, the least recently used giving way.

use super::{StreamId, stream::OpenStream};
use std::{collections::HashMap, sync::Arc};

/// The open streams, by their number.
#[derive(Debug)]
pub(super) struct OpenStreams {
    streams: HashMap<StreamId, Used>,
    clock: u64,
    max: usize,
}

#[derive(Debug)]
struct Used {
    stream: Arc<OpenStream>,
    at: u64,
}

impl OpenStreams {
    /// At most `max` streams stay open, not counting those in use.
    pub(super) fn new(max: usize) -> Self {
        Self { streams: HashMap::new(), clock: 0, max }
    }

    /// Gives a stream if it is open, and notes that it was used.
    pub(super) fn get(&mut self, id: StreamId) -> Option<Arc<OpenStream>> {
        self.clock += 1;
        let used = self.streams.get_mut(&id)?;
        used.at = self.clock;
        Some(Arc::clone(&used.stream))
    }

    /// Adds a stream that was not open.
    pub(super) fn insert(&mut self, stream: &Arc<OpenStream>) {
        self.clock += 1;
        let used = Used { stream: Arc::clone(stream), at: self.clock };
        self.streams.insert(stream.id, used);
    }

    /// Takes out the streams that have to give way. Nobody holds any of them, so that a stream is
    /// never open twice.
    pub(super) fn take_surplus(&mut self) -> Vec<Arc<OpenStream>> {
        if self.streams.len() < self.max {
            return Vec::new();
        }
        let mut idle: Vec<(u64, StreamId)> = self
            .streams
            .iter()
            .filter(|(_, used)| Arc::strong_count(&used.stream) == 1)
            .map(|(id, used)| (used.at, *id))
            .collect();
        idle.sort_unstable();
        // Some more than needed, so that this is not done for each stream that is opened.
        idle.truncate(self.streams.len() - self.max + self.max.div_ceil(8));
        idle.into_iter()
            .filter_map(|(_, id)| self.streams.remove(&id))
            .map(|used| used.stream)
            .collect()
    }

    /// Takes a stream out, whoever holds it.
    pub(super) fn remove(&mut self, id: StreamId) -> Option<Arc<OpenStream>> {
        self.streams.remove(&id).map(|used| used.stream)
    }

    /// Gives all that are open.
    pub(super) fn all(&self) -> Vec<Arc<OpenStream>> {
        self.streams.values().map(|used| Arc::clone(&used.stream)).collect()
    }
}
