//! The threads that read, each with a read-only connection of its own.

use crate::{Fault, sqlite::open_reader};
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
}

impl Readers {
    /// Starts `count` threads that read the file at `path`.
    pub(crate) fn start(path: &Path, count: usize) -> Result<Self, Fault> {
        let (jobs, inbox) = channel::<Job>();
        let inbox = Arc::new(Mutex::new(inbox));
        let mut readers = Self { jobs: Some(jobs), threads: Vec::with_capacity(count) };
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

    /// Runs `query` in a snapshot of its own; `doing` says in a fault what it was.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        doing: &'static str,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Fault> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let result = connection.transaction().and_then(|snapshot| query(&snapshot));
            // Whoever asked may have gone away.
            let _ = reply.send(result);
        });
        if let Some(jobs) = &self.jobs {
            // Threads that have ended drop the reply, which is told below.
            let _ = jobs.send(job);
        }
        answer.await.map_err(|_| Fault::Stopped)?.map_err(Fault::sql(doing))
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
