//! The same work on many things by a few threads.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Enough to keep a store on the same machine busy.
const THREADS_MAX: usize = 4;

/// Does `work` for each of `things`, in any order, and gives the first error that came. After an
/// error nothing new is begun.
pub(crate) fn for_each<T: Sync, E: Send>(
    things: &[T],
    work: impl Fn(&T) -> Result<(), E> + Sync,
) -> Result<(), E> {
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(None);
    let worker = || {
        while let Some(thing) = things.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(error) = work(thing) {
                next.store(things.len(), Ordering::Relaxed);
                let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
                failed.get_or_insert(error);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 1..THREADS_MAX.min(things.len()) {
            // A thread that does not start leaves its share to the others.
            let _ = thread::Builder::new().spawn_scoped(scope, worker);
        }
        worker();
    });
    failed.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
}
