//! The one thread that writes, and its group commit: it takes all requests that wait, applies each
//! wholly or not at all, and makes them durable with one `COMMIT`.

use crate::{
    Change, CommitError, Durability, Fault,
    apply::{Applied, apply},
    recent::Recent,
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

/// So many requests share a commit and no more are added: the first should not wait too long.
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
    requests: Option<Sender<Vec<Request>>>,
    thread: Option<JoinHandle<()>>,
    commits: Arc<AtomicU64>,
}

impl Writer {
    /// Starts the thread, which keeps the `lock` as long as it lives, and takes out of `recent` what
    /// it changes.
    pub(crate) fn start(
        connection: Connection,
        lock: Lock,
        recent: Arc<Recent>,
    ) -> Result<Self, Fault> {
        let (requests, inbox) = channel();
        let commits = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&commits);
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || {
                serve(&connection, &inbox, &counter, &recent);
                drop(connection);
                drop(lock);
            })
            .map_err(Fault::file("start the thread that writes", ""))?;
        Ok(Self { requests: Some(requests), thread: Some(thread), commits })
    }

    /// Hands transactions over at once, which share a commit; the future waits for them to be as
    /// durable as asked, and gives what came of each.
    pub(crate) fn commit(
        &self,
        transactions: Vec<(Vec<Change>, Durability)>,
    ) -> impl Future<Output = Vec<Reply>> + Send + use<> {
        let (requests, answers): (Vec<_>, Vec<_>) = transactions
            .into_iter()
            .map(|(changes, durability)| {
                let (reply, answer) = oneshot::channel();
                (Request { changes, durability, reply }, answer)
            })
            .unzip();
        if let Some(thread) = self.requests.as_ref().filter(|_| !requests.is_empty()) {
            // A thread that has ended drops the replies, which the future tells.
            let _ = thread.send(requests);
        }
        async move {
            let mut replies = Vec::with_capacity(answers.len());
            for answer in answers {
                let reply = answer.await;
                replies.push(reply.unwrap_or(Err(CommitError::Fault(Fault::Stopped))));
            }
            replies
        }
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

fn serve(
    connection: &Connection,
    inbox: &Receiver<Vec<Request>>,
    commits: &AtomicU64,
    recent: &Recent,
) {
    let mut durability = Durability::Machine;
    while let Ok(mut group) = inbox.recv() {
        while group.len() < REQUESTS_PER_COMMIT_MAX
            && let Ok(more) = inbox.try_recv()
        {
            group.extend(more);
        }
        let outcome = commit_group(connection, &group, &mut durability);
        commits.fetch_add(1, Ordering::Relaxed);
        match outcome {
            Ok(replies) => {
                // Before anybody is answered: whoever reads after that reads what is new.
                recent.forget(group.iter().flat_map(|request| &request.changes));
                // Whoever waits for several is woken by the first of them, and finds the others
                // answered.
                for (request, reply) in group.into_iter().zip(replies).rev() {
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
    let attempt = || match all(connection, group)? {
        Applied::All => Ok(group.iter().map(|_| Ok(())).collect()),
        Applied::Conflict(which) if group.len() == 1 => {
            Ok(vec![Err(CommitError::Conflict { which })])
        }
        Applied::Conflict(_) => each_by_itself(connection, group),
    };
    attempt().map_err(|error| {
        // Some errors have rolled back already, and then this one fails; either way it is undone.
        if !connection.is_autocommit() {
            let _ = run(connection, "ROLLBACK");
        }
        Fault::sql("commit a transaction")(error)
    })
}

/// Commits all of `group` if all of it fits, as it almost always does; else nothing has happened.
fn all(connection: &Connection, group: &[Request]) -> rusqlite::Result<Applied> {
    run(connection, "BEGIN IMMEDIATE")?;
    for request in group {
        let applied = apply(connection, &request.changes)?;
        if applied != Applied::All {
            run(connection, "ROLLBACK")?;
            return Ok(applied);
        }
    }
    run(connection, "COMMIT")?;
    Ok(Applied::All)
}

/// Commits what fits of `group`. A savepoint for each request takes back what does not, and costs as
/// much as a good part of the request itself.
fn each_by_itself(connection: &Connection, group: &[Request]) -> rusqlite::Result<Vec<Reply>> {
    run(connection, "BEGIN IMMEDIATE")?;
    let mut replies = Vec::with_capacity(group.len());
    for request in group {
        replies.push(apply_request(connection, &request.changes)?);
    }
    run(connection, "COMMIT")?;
    Ok(replies)
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
