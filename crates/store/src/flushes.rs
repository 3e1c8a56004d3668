//! How far what was committed is on the disk. A commit can be read before it has been flushed: what
//! was read is told only when all that it may be from lasts.
//!
//! A flush keeps all that was committed before it, as the log of it is one file that grows.

use crate::Fault;
use std::{
    io,
    sync::atomic::{AtomicU64, Ordering},
};
use tokio::sync::watch;

/// The flushes, which are numbered in the order of their commits.
#[derive(Debug, Default)]
pub(crate) struct Flushes {
    begun: AtomicU64,
    ended: watch::Sender<Ended>,
}

#[derive(Debug, Default)]
struct Ended {
    /// The last flush of which it is known that all before it is on the disk, too.
    last: u64,
    /// One has failed. Nobody knows what the disk has of what was committed since the last one that
    /// did not, until the file is read again by another process.
    failed: Option<Fault>,
}

impl Flushes {
    /// Something is about to be committed that is to be flushed; gives the number of that.
    pub(crate) fn begin(&self) -> u64 {
        self.begun.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// The flushes that have to end before what was read just now may be told.
    pub(crate) fn begun(&self) -> u64 {
        self.begun.load(Ordering::SeqCst)
    }

    /// Says how a flush has ended. None is well after one that was not.
    pub(crate) fn end(&self, number: u64, result: io::Result<()>) -> Result<(), Fault> {
        let result = result.map_err(Fault::file("flush the write-ahead log", ""));
        self.ended.send_if_modified(|ended| match (&result, &ended.failed) {
            (Ok(()), None) => {
                let is_news = number > ended.last;
                ended.last = ended.last.max(number);
                is_news
            }
            (Err(fault), None) => {
                ended.failed = Some(fault.clone());
                true
            }
            (_, Some(_)) => false,
        });
        self.check()
    }

    /// Fails when a flush has: nothing may be committed any more.
    pub(crate) fn check(&self) -> Result<(), Fault> {
        self.ended.borrow().failed.clone().map_or(Ok(()), Err)
    }

    /// Waits until this flush, and with it all before it, has ended.
    pub(crate) async fn wait(&self, number: u64) -> Result<(), Fault> {
        if self.ended.borrow().last >= number {
            return Ok(());
        }
        let mut ended = self.ended.subscribe();
        let is_known = |ended: &Ended| ended.last >= number || ended.failed.is_some();
        let known = ended.wait_for(|ended| is_known(ended)).await.map_err(|_| Fault::Stopped)?;
        match &known.failed {
            Some(fault) if known.last < number => Err(fault.clone()),
            Some(_) | None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Flushes;
    use futures::FutureExt;
    use std::io;

    #[tokio::test]
    async fn whoever_waits_for_a_flush_waits_for_it_or_a_later_one() {
        let flushes = Flushes::default();
        let (first, second) = (flushes.begin(), flushes.begin());
        assert!(flushes.wait(0).now_or_never().unwrap().is_ok());
        let waits = flushes.wait(first);
        assert!(flushes.wait(first).now_or_never().is_none());
        flushes.end(second, Ok(())).unwrap();
        waits.await.unwrap();
        flushes.end(first, Ok(())).unwrap();
        assert!(flushes.wait(second).now_or_never().unwrap().is_ok());
    }

    #[tokio::test]
    async fn after_a_flush_that_failed_none_is_well() {
        let flushes = Flushes::default();
        let (kept, lost, later) = (flushes.begin(), flushes.begin(), flushes.begin());
        flushes.end(kept, Ok(())).unwrap();
        flushes.end(lost, Err(io::ErrorKind::Other.into())).unwrap_err();
        flushes.end(later, Ok(())).unwrap_err();
        flushes.wait(kept).await.unwrap();
        flushes.wait(lost).await.unwrap_err();
        flushes.wait(later).await.unwrap_err();
        flushes.check().unwrap_err();
    }
}
