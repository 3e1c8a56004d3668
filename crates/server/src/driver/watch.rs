//! Tells when a journal has grown, without asking again and again.

use super::machine::Watched;
use inotify::{EventMask, Inotify, WatchDescriptor, WatchMask, Watches};
use std::{
    collections::HashMap,
    io,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    thread,
};
use tokio::sync::Notify;

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
    /// Starts the thread that waits for the kernel's word.
    pub fn start() -> io::Result<Self> {
        let mut inotify = Inotify::init()?;
        let shared =
            Arc::new(Shared { watches: Mutex::new(inotify.watches()), waiting: Mutex::default() });
        let seen = Arc::clone(&shared);
        thread::Builder::new().name("journals".into()).stack_size(128 * 1024).spawn(move || {
            let mut buffer = [0; 4_096];
            loop {
                match inotify.read_events_blocking(&mut buffer) {
                    Ok(events) => {
                        let waiting = lock(&seen.waiting);
                        for event in events {
                            if event.mask.contains(EventMask::Q_OVERFLOW) {
                                // Nobody knows which ones were not told.
                                waiting.values().for_each(|grown| grown.notify_one());
                            }
                            if let Some(grown) = waiting.get(&event.wd) {
                                grown.notify_one();
                            }
                        }
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => {
                        tracing::error!(%error, "journals are not followed any more");
                        return;
                    }
                }
            }
        })?;
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
