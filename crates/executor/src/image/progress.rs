//! How far it is with bringing an image in, for whoever watches or wants it to stop.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// How far it is with an image. All threads that work on it add to it.
#[derive(Debug, Default)]
pub struct Progress {
    total: AtomicU64,
    there: AtomicU64,
    fetched: AtomicU64,
    cancelled: AtomicBool,
}

impl Progress {
    /// Bytes of the image's layers, as they travel; zero until that is known.
    pub fn total_bytes(&self) -> u64 {
        self.total.load(Relaxed)
    }

    /// How many of them are there.
    pub fn bytes(&self) -> u64 {
        self.there.load(Relaxed)
    }

    /// How many of these were not there before.
    pub fn fetched_bytes(&self) -> u64 {
        self.fetched.load(Relaxed)
    }

    /// Ends the work as soon as may be. What was fetched is kept for the next time.
    pub fn cancel(&self) {
        self.cancelled.store(true, Relaxed);
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Relaxed)
    }

    pub(super) fn expect(&self, bytes: u64) {
        self.total.fetch_add(bytes, Relaxed);
    }

    pub(super) fn found(&self, bytes: u64) {
        self.there.fetch_add(bytes, Relaxed);
    }

    pub(super) fn fetched(&self, bytes: u64) {
        self.there.fetch_add(bytes, Relaxed);
        self.fetched.fetch_add(bytes, Relaxed);
    }

    /// What was there counts no more.
    pub(super) fn lost(&self, bytes: u64) {
        self.there.fetch_sub(bytes, Relaxed);
    }
}
