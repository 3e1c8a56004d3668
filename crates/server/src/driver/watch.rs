//! Tells when a journal has grown, without asking again and again.

use super::machine::Watched;
use inotify::{EventMask, EventStream, Inotify, WatchDescriptor, WatchMask, Watches};
use std::{
    collections::HashMap,
    io,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::Notify;
use tokio_stream::StreamExt;

/// The one inotify instance that follows every journal on this machine.
#[derive(Clone)]
pub struct JournalWatch {
    shared: Arc<Shared>,
}

struct Shared {
    watches: Mutex<Watches>,
    waiting: Mutex<HashMap<WatchDescriptor, Arc<Notify>>>,
}

/// Ends a watch when it is dropped.
struct Guard {
    shared: Arc<Shared>,
    descriptor: WatchDescriptor,
}

impl JournalWatch {
    /// Starts to wait for the kernel's word, as a task of the runtime it is called in.
    pub fn start() -> io::Result<Self> {
        let events = Inotify::init()?.into_event_stream([0; 4_096])?;
        let shared =
            Arc::new(Shared { watches: Mutex::new(events.watches()), waiting: Mutex::default() });
        tokio::spawn(tell(events, Arc::clone(&shared)));
        Ok(Self { shared })
    }

    /// Follows a file that exists. Look at it once after this: what was written before is not told.
    pub fn add(&self, journal: &Path) -> io::Result<Watched> {
        let grown = Arc::new(Notify::new());
        // Both locks: an event must not arrive between the watch and its entry.
        let mut waiting = lock(&self.shared.waiting);
        let descriptor = lock(&self.shared.watches).add(journal, WatchMask::MODIFY)?;
        waiting.insert(descriptor.clone(), Arc::clone(&grown));
        let guard = Guard { shared: Arc::clone(&self.shared), descriptor };
        Ok(Watched { grown, guard: Box::new(guard) })
    }
}

/// Wakes whoever waits for a journal that has grown.
///
/// This is no thread of its own: it would only be woken to wake another one, and each of a build's
/// lines would be later for it.
async fn tell(mut events: EventStream<[u8; 4_096]>, shared: Arc<Shared>) {
    while let Some(event) = events.next().await {
        let waiting = lock(&shared.waiting);
        match event {
            Ok(event) if event.mask.contains(EventMask::Q_OVERFLOW) => {
                // Nobody knows which ones were not told.
                waiting.values().for_each(|grown| grown.notify_one());
            }
            Ok(event) => waiting.get(&event.wd).into_iter().for_each(|grown| grown.notify_one()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                tracing::error!(%error, "journals are not followed any more");
                return;
            }
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        lock(&self.shared.waiting).remove(&self.descriptor);
        // The file may be gone, and its watch with it.
        let _ = lock(&self.shared.watches).remove(self.descriptor.clone());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
