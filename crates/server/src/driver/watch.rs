//! Tells when a journal has grown, without asking again and again.

use super::machine::Watched;
use inotify::{Event, EventMask, Inotify, WatchDescriptor, WatchMask, Watches};
use std::{
    collections::HashMap,
    ffi::OsStr,
    io,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{
    io::{Interest, unix::AsyncFd},
    sync::Notify,
};

/// How many bytes of the kernel's events are taken at once.
const EVENT_BYTES: usize = 4_096;

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
        let inotify = Inotify::init()?;
        let shared =
            Arc::new(Shared { watches: Mutex::new(inotify.watches()), waiting: Mutex::default() });
        #[expect(
            deprecated,
            reason = "its successor is unsafe; this descriptor stays the same one"
        )]
        let events = AsyncFd::with_interest(inotify, Interest::READABLE)?;
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
/// lines would be later for it. Nor is it the crate's own stream, which wakes itself each time that
/// it has read everything: the runtime wakes another thread for that, before the journal is read.
async fn tell(mut events: AsyncFd<Inotify>, shared: Arc<Shared>) {
    let mut buffer = [0; EVENT_BYTES];
    loop {
        let told = events.async_io_mut(Interest::READABLE, |inotify| {
            let waiting = lock(&shared.waiting);
            inotify.read_events(&mut buffer)?.for_each(|event| tell_of(&waiting, &event));
            Ok(())
        });
        match told.await {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                tracing::error!(%error, "journals are not followed any more");
                return;
            }
            _ => {}
        }
    }
}

fn tell_of(waiting: &HashMap<WatchDescriptor, Arc<Notify>>, event: &Event<&OsStr>) {
    if event.mask.contains(EventMask::Q_OVERFLOW) {
        // Nobody knows which ones were not told.
        waiting.values().for_each(|grown| grown.notify_one());
    } else if let Some(grown) = waiting.get(&event.wd) {
        grown.notify_one();
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
