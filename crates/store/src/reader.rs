//! The threads that read, each with a read-only connection of its own.

use crate::{Fault, flushes::Flushes, sqlite::open_reader};
use rusqlite::Connection;
use std::{
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, Sender, channel},
    },
    thread::JoinHandle,
};
use tokio::sync::oneshot;

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// The reading threads; they end when this is dropped.
#[derive(Debug)]
pub(crate) struct Readers {
    jobs: Option<Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
    flushes: Arc<Flushes>,
}

impl Readers {
    /// Starts `count` threads that read the file at `path`.
    pub(crate) fn start(path: &Path, count: usize, flushes: Arc<Flushes>) -> Result<Self, Fault> {
        let (jobs, inbox) = channel::<Job>();
        let inbox = Arc::new(Mutex::new(inbox));
        let mut readers = Self { jobs: Some(jobs), threads: Vec::with_capacity(count), flushes };
        for _ in 0..count {
            let mut connection = open_reader(path)?;
            let inbox = Arc::clone(&inbox);
            let thread = std::thread::Builder::new()
                .name("store-reader".to_owned())
                .spawn(move || {
                    while let Some(job) = next(&inbox) {
                        job(&mut connection);
                    }
                })
                .map_err(Fault::file("start a thread that reads", ""))?;
            readers.threads.push(thread);
        }
        Ok(readers)
    }

    /// Runs `query` in a snapshot of its own; `doing` says in a fault what it was. What it gives is on
    /// the disk.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        doing: &'static str,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Fault> {
        let (reply, answer) = oneshot::channel();
        let flushes = Arc::clone(&self.flushes);
        let job: Job = Box::new(move |connection| {
            let result = connection.transaction().and_then(|snapshot| query(&snapshot));
            // Whoever asked may have gone away.
            let _ = reply.send((result, flushes.begun()));
        });
        if let Some(jobs) = &self.jobs {
            // Threads that have ended drop the reply, which is told below.
            let _ = jobs.send(job);
        }
        let (result, begun) = answer.await.map_err(|_| Fault::Stopped)?;
        self.flushes.wait(begun).await?;
        result.map_err(Fault::sql(doing))
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.jobs = None;
        for thread in self.threads.drain(..) {
            // A panic there has been printed, and nobody is left to be told.
            let _ = thread.join();
        }
    }
}

fn next(inbox: &Mutex<Receiver<Job>>) -> Option<Job> {
    inbox.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

#[cfg(test)]
mod tests {
    use super::Readers;
    use crate::{flushes::Flushes, sqlite::open_writer, state::MIGRATIONS};
    use futures::FutureExt;
    use std::{pin::pin, sync::Arc};
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn what_is_read_is_told_when_it_is_on_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        let _writer = open_writer(&path, MIGRATIONS).unwrap();
        let flushes = Arc::<Flushes>::default();
        let readers = Readers::start(&path, 1, Arc::clone(&flushes)).unwrap();
        let number = flushes.begin();
        let (has_read, read) = oneshot::channel();
        let mut told = pin!(readers.read("read", |_| {
            has_read.send(()).unwrap();
            Ok(7)
        }));
        assert!(told.as_mut().now_or_never().is_none());
        read.await.unwrap();
        assert!(told.as_mut().now_or_never().is_none());
        flushes.end(number, Ok(())).unwrap();
        assert_eq!(told.await.unwrap(), 7);
    }
}
