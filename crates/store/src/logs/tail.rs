//! Following what is appended: bounded, and the oldest is dropped for those who are slow.

use super::{GroupId, NewEvent, StreamId};
use std::{collections::HashSet, sync::Arc};
use tokio::sync::broadcast::{
    self,
    error::{RecvError, TryRecvError},
};

/// How many batches a slow subscriber may be behind.
const BATCHES_MAX: usize = 256;

/// What one append brought.
#[derive(Clone, Debug)]
pub struct TailBatch {
    /// The stream's group.
    pub group: GroupId,
    /// The stream.
    pub stream: StreamId,
    /// The stream's name.
    pub stream_name: Arc<str>,
    /// When it was taken in.
    pub ingested_at: i64,
    /// The events, in the order of the append.
    pub events: Arc<[NewEvent]>,
}

/// Which appends a subscriber wants.
#[derive(Clone, Debug, Default)]
pub struct TailFilter {
    /// Only these groups.
    pub groups: HashSet<GroupId>,
    /// Only streams of these names, if there are any.
    pub streams: Vec<String>,
    /// Only streams whose names begin with one of these, if there are any.
    pub prefixes: Vec<String>,
}

impl TailFilter {
    fn wants(&self, batch: &TailBatch) -> bool {
        let name = &*batch.stream_name;
        let any = self.streams.is_empty() && self.prefixes.is_empty();
        self.groups.contains(&batch.group)
            && (any
                || self.streams.iter().any(|stream| stream == name)
                || self.prefixes.iter().any(|prefix| name.starts_with(prefix.as_str())))
    }
}

/// What a subscriber is given.
#[derive(Clone, Debug)]
pub enum Tailed {
    /// What an append brought.
    Batch(TailBatch),
    /// Some appends were dropped, because the subscriber was slow.
    Dropped,
}

/// A subscriber's end.
#[derive(Debug)]
pub struct Subscription {
    filter: TailFilter,
    batches: broadcast::Receiver<TailBatch>,
}

impl Subscription {
    /// Waits for the next append that the filter wants; none when the store is closed.
    pub async fn next(&mut self) -> Option<Tailed> {
        loop {
            match self.batches.recv().await {
                Ok(batch) if self.filter.wants(&batch) => return Some(Tailed::Batch(batch)),
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => return Some(Tailed::Dropped),
                Err(RecvError::Closed) => return None,
            }
        }
    }

    /// Gives the next append if there is one already.
    pub fn try_next(&mut self) -> Option<Tailed> {
        loop {
            match self.batches.try_recv() {
                Ok(batch) if self.filter.wants(&batch) => return Some(Tailed::Batch(batch)),
                Ok(_) => {}
                Err(TryRecvError::Lagged(_)) => return Some(Tailed::Dropped),
                Err(TryRecvError::Empty | TryRecvError::Closed) => return None,
            }
        }
    }
}

/// The store's end.
#[derive(Debug)]
pub(super) struct Tail {
    sender: broadcast::Sender<TailBatch>,
}

impl Tail {
    pub(super) fn new() -> Self {
        Self { sender: broadcast::Sender::new(BATCHES_MAX) }
    }

    pub(super) fn subscribe(&self, filter: TailFilter) -> Subscription {
        Subscription { filter, batches: self.sender.subscribe() }
    }

    /// Hands a batch to the subscribers; it is made only if there are any.
    pub(super) fn publish(&self, batch: impl FnOnce() -> TailBatch) {
        if self.sender.receiver_count() > 0 {
            // The last subscriber may just have gone.
            let _ = self.sender.send(batch());
        }
    }
}
