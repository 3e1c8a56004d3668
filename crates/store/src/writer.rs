//! The one thread that writes, and its group commit: it takes all requests that wait, gives each a
//! savepoint of its own, and makes them durable with one `COMMIT`.

use crate::{
    Change, CommitError, Durability, Fault,
    apply::{Applied, apply},
    sqlite::Lock,
};
use rusqlite::Connection;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread::JoinHandle,
};
use tokio::sync::oneshot;

/// The most requests that share a commit: the first of them should not wait too long.
const REQUESTS_PER_COMMIT_MAX: usize = 512;

type Reply = Result<(), CommitError>;

struct Request {
    changes: Vec<Change>,
    durability: Durability,
    reply: oneshot::Sender<Reply>,
}

/// The writing thread; it ends, after all that was asked, when this is dropped.
#[derive(Debug)]
pub(crate) struct Writer {
    requests: Option<Sender<Request>>,
    thread: Option<JoinHandle<()>>,
    commits: Arc<AtomicU64>,
}

impl Writer {
    /// Starts the thread, which keeps the `lock` as long as it lives.
    pub(crate) fn start(connection: Connection, lock: Lock) -> Result<Self, Fault> {
        let (requests, inbox) = channel();
        let commits = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&commits);
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || {
                serve(&connection, &inbox, &counter);
                drop(connection);
                drop(lock);
            })
            .map_err(Fault::file("start the thread that writes", ""))?;
        Ok(Self { requests: Some(requests), thread: Some(thread), commits })
    }

    /// Hands a transaction over at once; the future waits for it to be as durable as asked.
    pub(crate) fn commit(
        &self,
        changes: Vec<Change>,
        durability: Durability,
    ) -> impl Future<Output = Reply> + Send + use<> {
        let (reply, answer) = oneshot::channel();
        if let Some(requests) = &self.requests {
            // A thread that has ended drops the reply, which the future tells.
            let _ = requests.send(Request { changes, durability, reply });
        }
        async move { answer.await.unwrap_or(Err(CommitError::Fault(Fault::Stopped))) }
    }

    /// Gives how many commits there have been.
    pub(crate) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed, and nobody is left to be told.
            let _ = thread.join();
        }
    }
}

fn serve(connection: &Connection, inbox: &Receiver<Request>, commits: &AtomicU64) {
    let mut durability = Durability::Machine;
    while let Ok(first) = inbox.recv() {
        let mut group = vec![first];
        group.extend(inbox.try_iter().take(REQUESTS_PER_COMMIT_MAX - 1));
        let outcome = commit_group(connection, &group, &mut durability);
        commits.fetch_add(1, Ordering::Relaxed);
        match outcome {
            Ok(replies) => {
                for (request, reply) in group.into_iter().zip(replies) {
                    // Whoever asked may have gone away; the change is made all the same.
                    let _ = request.reply.send(reply);
                }
            }
            Err(fault) => {
                tracing::error!(error = ?fault, "a commit failed");
                for request in group {
                    let _ = request.reply.send(Err(CommitError::Fault(fault.clone())));
                }
            }
        }
    }
}

/// Makes all of `group` durable that fits. A fault means that nothing of it has happened.
fn commit_group(
    connection: &Connection,
    group: &[Request],
    durability: &mut Durability,
) -> Result<Vec<Reply>, Fault> {
    let wanted = group.iter().map(|request| request.durability).max();
    if let Some(wanted) = wanted.filter(|wanted| wanted != durability) {
        set_durability(connection, wanted).map_err(Fault::sql("set how durable commits are"))?;
        *durability = wanted;
    }
    run(connection, "BEGIN IMMEDIATE").map_err(Fault::sql("begin a transaction"))?;
    let attempt = || -> rusqlite::Result<Vec<Reply>> {
        let mut replies = Vec::with_capacity(group.len());
        for request in group {
            replies.push(apply_request(connection, &request.changes)?);
        }
        run(connection, "COMMIT")?;
        Ok(replies)
    };
    attempt().map_err(|error| {
        // Some errors have rolled back already, and then this one fails; either way it is undone.
        if !connection.is_autocommit() {
            let _ = run(connection, "ROLLBACK");
        }
        Fault::sql("commit a transaction")(error)
    })
}

fn set_durability(connection: &Connection, durability: Durability) -> rusqlite::Result<()> {
    connection.execute_batch(match durability {
        Durability::Process => "PRAGMA synchronous = NORMAL",
        Durability::Machine => "PRAGMA synchronous = FULL",
    })
}

fn apply_request(connection: &Connection, changes: &[Change]) -> rusqlite::Result<Reply> {
    run(connection, "SAVEPOINT request")?;
    let reply = match apply(connection, changes)? {
        Applied::All => Ok(()),
        Applied::Conflict(which) => {
            run(connection, "ROLLBACK TO request")?;
            Err(CommitError::Conflict { which })
        }
    };
    run(connection, "RELEASE request")?;
    Ok(reply)
}

fn run(connection: &Connection, statement: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(statement)?.execute(()).map(drop)
}
