//! The threads that write, and their group commit: one takes all requests that wait, applies each
//! wholly or not at all, and commits them together; then it has the disk keep them, and meanwhile the
//! other may do the same with what has come since.

use crate::{
    Change, CommitError, Durability, Fault,
    apply::{Applied, apply},
    flushes::Flushes,
    recent::Recent,
    sqlite::Lock,
};
use rusqlite::Connection;
use std::{
    fs::File,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread::JoinHandle,
};
use tokio::sync::oneshot;

/// While one thread has the disk keep what it has committed, the other commits.
const WRITERS: usize = 2;

/// So many requests share a commit and no more are added: the first should not wait too long.
const REQUESTS_PER_COMMIT_MAX: usize = 512;

/// A flush of so many requests is waited for before others are committed: where many wait, sharing a
/// commit spares more than two at once gain.
const REQUESTS_ALONE_MIN: usize = 4;

type Reply = Result<(), CommitError>;

struct Request {
    changes: Vec<Change>,
    durability: Durability,
    reply: oneshot::Sender<Reply>,
}

/// What a thread has while it commits.
struct Turn {
    connection: Connection,
    inbox: Receiver<Vec<Request>>,
    _lock: Lock,
}

/// What the writing threads share with others.
#[derive(Clone)]
struct Shared {
    commits: Arc<AtomicU64>,
    recent: Arc<Recent>,
    flushes: Arc<Flushes>,
}

/// The writing threads; they end, after all that was asked, when this is dropped.
#[derive(Debug)]
pub(crate) struct Writer {
    requests: Option<Sender<Vec<Request>>>,
    threads: Vec<JoinHandle<()>>,
    commits: Arc<AtomicU64>,
}

impl Writer {
    /// Starts the threads, which keep the `lock` as long as they live, and take out of `recent` what
    /// they change. What SQLite appends to, and they flush, is at `log`.
    pub(crate) fn start(
        connection: Connection,
        log: &Path,
        lock: Lock,
        (recent, flushes): (Arc<Recent>, Arc<Flushes>),
    ) -> Result<Self, Fault> {
        // A commit is in the log and not flushed: that is left to the threads.
        connection
            .execute_batch("PRAGMA synchronous = NORMAL")
            .map_err(Fault::sql("have commits not wait for the disk"))?;
        let (requests, inbox) = channel();
        let commits = Arc::new(AtomicU64::new(0));
        let turn = Arc::new(Mutex::new(Turn { connection, inbox, _lock: lock }));
        let shared = Shared { commits: Arc::clone(&commits), recent, flushes };
        let mut writer = Self { requests: Some(requests), threads: Vec::new(), commits };
        for _ in 0..WRITERS {
            // A file of its own: of those who share one, only the first is told that a flush failed.
            let log = File::open(log).map_err(Fault::file("open", log))?;
            let (turn, shared) = (Arc::clone(&turn), shared.clone());
            let thread = std::thread::Builder::new()
                .name("store-writer".to_owned())
                .spawn(move || while write(&turn, &log, &shared).is_some() {})
                .map_err(Fault::file("start a thread that writes", ""))?;
            writer.threads.push(thread);
        }
        Ok(writer)
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
        if let Some(threads) = self.requests.as_ref().filter(|_| !requests.is_empty()) {
            // Threads that have ended drop the replies, which the future tells.
            let _ = threads.send(requests);
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
        for thread in self.threads.drain(..) {
            // A panic there has been printed, and nobody is left to be told.
            let _ = thread.join();
        }
    }
}

/// Commits what waits, or waits for something; nothing when nobody is left to ask.
fn write(turn: &Mutex<Turn>, log: &File, shared: &Shared) -> Option<()> {
    let mut turn = Some(turn.lock().unwrap_or_else(PoisonError::into_inner));
    let Turn { connection, inbox, .. } = &**turn.as_ref()?;
    let mut group = inbox.recv().ok()?;
    while group.len() < REQUESTS_PER_COMMIT_MAX
        && let Ok(more) = inbox.try_recv()
    {
        group.extend(more);
    }
    let lasts = group.iter().any(|request| request.durability == Durability::Machine);
    // Before it can be read by anybody.
    let flush = lasts.then(|| shared.flushes.begin());
    let outcome = shared.flushes.check().and_then(|()| commit_group(connection, &group));
    shared.commits.fetch_add(1, Ordering::Relaxed);
    // Before anybody is answered: whoever reads after that reads what is new.
    shared.recent.forget(group.iter().flat_map(|request| &request.changes));
    if group.len() < REQUESTS_ALONE_MIN {
        turn = None;
    }
    // Also when nothing was committed: what was before is flushed with it.
    let flushed = flush.map_or(Ok(()), |flush| shared.flushes.end(flush, log.sync_data()));
    drop(turn);
    answer(group, outcome.and_then(|replies| flushed.map(|()| replies)));
    Some(())
}

fn answer(group: Vec<Request>, outcome: Result<Vec<Reply>, Fault>) {
    match outcome {
        // Whoever waits for several is woken by the first of them, and finds the others answered.
        Ok(replies) => {
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

/// Commits all of `group` that fits. A fault means that nothing of it has happened.
fn commit_group(connection: &Connection, group: &[Request]) -> Result<Vec<Reply>, Fault> {
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

#[cfg(test)]
mod tests {
    use super::Writer;
    use crate::{
        Change, Collection, CommitError, Durability, Expect,
        sqlite::{Lock, open_writer},
        state::MIGRATIONS,
    };
    use std::{path::Path, sync::Arc};

    #[tokio::test]
    async fn nothing_is_acknowledged_that_was_not_flushed_and_nothing_after_that() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        let (connection, lock) =
            (open_writer(&path, MIGRATIONS).unwrap(), Lock::take(&path).unwrap());
        // A file that cannot be flushed.
        let writer = Writer::start(
            connection,
            Path::new("/dev/null"),
            lock,
            (Arc::default(), Arc::default()),
        )
        .unwrap();
        let commit = |key: &str, durability| {
            let put = Change::PutRecord {
                collection: Collection::new("projects"),
                region: "here".to_owned(),
                key: key.to_owned(),
                document: String::new(),
                expect: Expect::Absent,
            };
            let committed = writer.commit(vec![(vec![put], durability)]);
            async move { committed.await.pop().unwrap() }
        };
        commit("not flushed", Durability::Process).await.unwrap();
        for durability in [Durability::Machine, Durability::Process] {
            let refused = commit("refused", durability).await;
            assert!(matches!(refused, Err(CommitError::Fault(_))), "{refused:?}");
        }
    }
}
