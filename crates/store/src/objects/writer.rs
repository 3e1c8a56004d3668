//! The one thread that writes to the database: whoever waits at the same time shares one fsync.

use super::error::{Fault, ObjectError, Result};
use super::files::Files;
use rusqlite::Connection;
use std::cell::RefCell;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use tokio::sync::oneshot;

/// The most changes that are committed together.
const BATCH_MAX: usize = 256;

type Job = Box<dyn FnOnce(&Batch<'_>) -> Answer + Send>;
type Answer = Box<dyn FnOnce(&std::result::Result<(), Fault>) + Send>;

/// A transaction that several changes share.
pub(super) struct Batch<'a> {
    /// The connection, in a savepoint of the change.
    pub(super) connection: &'a Connection,
    adopted: RefCell<Vec<String>>,
    doomed: RefCell<Vec<String>>,
}

impl Batch<'_> {
    /// Says that a row now names the file.
    pub(super) fn adopt(&self, file: String) {
        self.adopted.borrow_mut().push(file);
    }

    /// Says that no row names the file any more.
    pub(super) fn doom(&self, file: String) -> Result<()> {
        self.connection
            .prepare_cached("INSERT OR IGNORE INTO garbage (file) VALUES (?1)")?
            .execute([&file])?;
        self.doomed.borrow_mut().push(file);
        Ok(())
    }

    /// Runs one change so that its failure leaves no trace in the others.
    fn change<T>(&self, change: impl FnOnce(&Batch<'_>) -> Result<T>) -> Result<T> {
        let before = (self.adopted.borrow().len(), self.doomed.borrow().len());
        self.connection.prepare_cached("SAVEPOINT change")?.execute([])?;
        let outcome = change(self);
        if outcome.is_err() {
            self.connection.prepare_cached("ROLLBACK TO change")?.execute([])?;
            self.adopted.borrow_mut().truncate(before.0);
            self.doomed.borrow_mut().truncate(before.1);
        }
        self.connection.prepare_cached("RELEASE change")?.execute([])?;
        outcome
    }
}

/// The handle of the writing thread.
pub(super) struct Writer {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread with the connection that writes.
    pub(super) fn start(
        connection: Connection,
        files: Arc<Files>,
    ) -> std::result::Result<Self, Fault> {
        let (jobs, receiver) = channel();
        let thread = std::thread::Builder::new()
            .name("object-writer".into())
            .spawn(move || run(&connection, &files, &receiver))
            .map_err(Fault::file("start the thread for", "objects.db"))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Hands a change over; the answer comes once it is on the disk.
    pub(super) fn submit<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Batch<'_>) -> Result<T> + Send + 'static,
    ) -> oneshot::Receiver<Result<T>> {
        let (sender, receiver) = oneshot::channel();
        let job: Job = Box::new(move |batch| {
            let outcome = batch.change(change);
            Box::new(move |committed| {
                let outcome = match committed {
                    Ok(()) => outcome,
                    Err(fault) => outcome.and(Err(ObjectError::Fault(fault.clone()))),
                };
                // The caller may have gone away; what it asked for stands all the same.
                let _ = sender.send(outcome);
            })
        });
        if let Some(jobs) = &self.jobs {
            // A dropped job drops its sender, which the receiver sees.
            let _ = jobs.send(job);
        }
        receiver
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.jobs.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(connection: &Connection, files: &Files, jobs: &Receiver<Job>) {
    while let Ok(first) = jobs.recv() {
        let batch = Batch { connection, adopted: RefCell::default(), doomed: RefCell::default() };
        let mut answers = Vec::new();
        let committed = commit(&batch, files, first, jobs, &mut answers);
        if let Err(fault) = &committed {
            tracing::error!(error = %fault, "cannot commit to the objects' database");
            if !connection.is_autocommit()
                && let Err(error) = connection.execute_batch("ROLLBACK")
            {
                tracing::error!(%error, "cannot roll back the objects' database");
            }
        }
        let Batch { adopted, doomed, .. } = batch;
        if committed.is_ok() {
            adopted.into_inner().into_iter().for_each(|file| files.adopt(file));
            doomed.into_inner().into_iter().for_each(|file| files.doom(file));
        }
        answers.into_iter().for_each(|answer| answer(&committed));
    }
}

fn commit(
    batch: &Batch<'_>,
    files: &Files,
    first: Job,
    jobs: &Receiver<Job>,
    answers: &mut Vec<Answer>,
) -> std::result::Result<(), Fault> {
    let connection = batch.connection;
    connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    let mut next = Some(first);
    while let Some(job) = next {
        answers.push(job(batch));
        next = if answers.len() < BATCH_MAX { jobs.try_recv().ok() } else { None };
    }
    for file in files.take_removed() {
        connection.prepare_cached("DELETE FROM garbage WHERE file = ?1")?.execute([&file])?;
    }
    connection.prepare_cached("COMMIT")?.execute([])?;
    Ok(())
}
