//! A machine of which nothing is real: state, logs and journals are in memory, time is tokio's, and
//! any call may be the last one of the service that makes it.

use super::{
    agent::{Act, Plan, TIMEOUT_MINUTES},
    dice::Dice,
    history::BUILDS_AT_ONCE,
    laws,
};
use agent_protocol::Timestamp;
use async_trait::async_trait;
use build_core::{Build, BuildId, BuildStatus, LogDigest};
use executor::{ContainerId, Exit};
use futures::future::{BoxFuture, join_all};
use server::{
    build_request::LogTarget,
    driver::{Machine, Watched},
    local_caches::Lease,
};
use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
    io::{self, Read},
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};
use store::{
    Change, Collection, CommitError, Durability, EndedCounts, Fault, Record,
    logs::{Batch, LogError, StreamId},
};
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep},
};
use uuid::Uuid;

/// When a history begins, in milliseconds since 1970.
const BEGIN_MILLIS: u64 = 1_700_000_000_000;

/// What outlives a service: the machine's disk, and the containers.
pub(super) struct Lasting {
    pub(super) dice: Dice,
    pub(super) records: BTreeMap<(&'static str, String), String>,
    pub(super) builds: BTreeMap<BuildId, Stored>,
    /// Those that had ended and have left.
    pub(super) left: BTreeMap<BuildId, Stored>,
    /// How many builds of each project were counted as ended, and what they took.
    pub(super) counts: BTreeMap<String, EndedCounts>,
    pub(super) streams: BTreeMap<String, StreamId>,
    pub(super) logs: BTreeMap<StreamId, Log>,
    pub(super) containers: BTreeMap<ContainerId, Contained>,
    pub(super) journals: BTreeMap<String, Vec<u8>>,
    /// What became of each container, also of those that are gone.
    pub(super) ran: BTreeMap<String, Ran>,
    /// Whose launch has failed at least once.
    pub(super) not_launched: BTreeSet<String>,
    /// The builds whose start, and whose stop, was acknowledged or asked for.
    pub(super) accepted: BTreeSet<BuildId>,
    /// How often the driver committed something while another commit was under way.
    pub(super) overlaps: u64,
    pub(super) stop_asked: BTreeSet<BuildId>,
    /// How often the machine has started anew.
    pub(super) boots: u64,
    /// What of the state is on the disk for good, and how much of each log.
    pub(super) durable: Durable,
    /// The builds whose stop was kept.
    pub(super) stopped: BTreeSet<BuildId>,
    /// The builds that had not ended when the power went.
    pub(super) struck: BTreeSet<String>,
    /// What agents do next, and when; the number keeps the order.
    pub(super) due: BTreeMap<(u64, u64), (ContainerId, Act)>,
    pub(super) scheduled: u64,
    /// Milliseconds that passed before the service that runs began, and by how many the clock is off.
    pub(super) passed: u64,
    pub(super) clock_off: i64,
    pub(super) trouble: Option<(u64, u64)>,
    /// Until when no commit is made.
    pub(super) stalled_until: u64,
    /// How many builds of its project there may be when one is started.
    pub(super) concurrent_max: BTreeMap<BuildId, u32>,
    /// What went against a law.
    pub(super) broken: Option<String>,
}

/// A build as it is stored.
#[derive(Clone)]
pub(super) struct Stored {
    pub(super) row: store::Build,
    pub(super) events: Vec<String>,
    /// When each was decided, in milliseconds since 1970.
    pub(super) decided: Vec<i64>,
    /// What the events have made.
    pub(super) told: Option<Build>,
    pub(super) commands: BTreeMap<u64, String>,
}

/// What a log stream has.
#[derive(Default)]
pub(super) struct Log {
    pub(super) text: String,
    /// Where each batch ends, and how far its writer had read.
    batches: Vec<(usize, Option<u64>)>,
}

/// What a loss of power leaves.
#[derive(Clone, Default)]
pub(super) struct Durable {
    records: BTreeMap<(&'static str, String), String>,
    pub(super) builds: BTreeMap<BuildId, Stored>,
    counts: BTreeMap<String, EndedCounts>,
    logs: BTreeMap<StreamId, usize>,
}

/// A container that is there.
pub(super) struct Contained {
    pub(super) ended: watch::Sender<Option<Exit>>,
}

/// What is known of a container's run in advance, and what it did.
#[derive(Clone, Debug)]
pub(super) struct Ran {
    pub(super) times: u32,
    pub(super) status: BuildStatus,
    pub(super) printed: String,
    pub(super) commands: usize,
}

/// What ends with a service.
#[derive(Default)]
struct Passing {
    grown: BTreeMap<String, Arc<Notify>>,
    /// At which call it is killed, and whether that one is still done.
    killed_at: Option<(u64, bool, Killer)>,
    killer: Killer,
    calls: u64,
    /// Transactions are made in the order in which they were handed over.
    commits: (u64, u64),
    /// The builds that these are about.
    committing: BTreeSet<String>,
    /// What was asked of the service and has no answer.
    open: u64,
    dead: bool,
}

/// Who kills a service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Killer {
    /// Somebody, or itself.
    #[default]
    Anybody,
    /// A loss of power.
    Power,
}

/// The machine as one service sees it.
pub(super) struct Simulated {
    pub(super) lasting: Arc<Mutex<Lasting>>,
    passing: Mutex<Passing>,
    began: Instant,
    pub(super) killed: Notify,
    turn_ended: Notify,
}

/// The service is not there any more.
pub(super) struct Dead;

impl Lasting {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            dice: Dice::new(seed),
            records: BTreeMap::new(),
            builds: BTreeMap::new(),
            left: BTreeMap::new(),
            counts: BTreeMap::new(),
            streams: BTreeMap::new(),
            logs: BTreeMap::new(),
            containers: BTreeMap::new(),
            journals: BTreeMap::new(),
            ran: BTreeMap::new(),
            not_launched: BTreeSet::new(),
            accepted: BTreeSet::new(),
            overlaps: 0,
            stop_asked: BTreeSet::new(),
            boots: 0,
            durable: Durable::default(),
            stopped: BTreeSet::new(),
            struck: BTreeSet::new(),
            due: BTreeMap::new(),
            scheduled: 0,
            passed: 0,
            clock_off: 0,
            trouble: None,
            stalled_until: 0,
            concurrent_max: BTreeMap::new(),
            broken: None,
        }
    }

    /// Says that a law was broken; the first one counts.
    pub(super) fn breaks(&mut self, law: String) {
        self.broken.get_or_insert(law);
    }

    /// Looks whether a law holds.
    pub(super) fn holds(&mut self, law: impl FnOnce(&mut Self) -> Result<(), String>) {
        if let Err(law) = law(self) {
            self.breaks(law);
        }
    }

    /// A container begins its life at `at`.
    pub(super) fn begin(&mut self, id: &ContainerId, at: u64) {
        let told = self.builds.iter().find(|(build, _)| build.uuid() == id.as_str());
        let told = told.and_then(|(_, stored)| stored.told.as_ref());
        let minutes = told.map_or(TIMEOUT_MINUTES, |build| build.submitted.timeout_minutes);
        let plan = Plan::of(&mut self.dice, id.as_str(), BEGIN_MILLIS + at, minutes);
        let ran = self.ran.entry(id.as_str().to_owned()).or_insert(Ran {
            times: 0,
            status: plan.status,
            printed: String::new(),
            commands: 0,
        });
        ran.times += 1;
        if ran.times > 1 {
            self.breaks(format!("{id} runs twice"));
        }
        if self.containers.len() >= BUILDS_AT_ONCE {
            self.breaks(format!("{id} is one container too many"));
        }
        self.journals.entry(id.as_str().to_owned()).or_default();
        let mut at = at;
        for (pause, act) in plan.acts {
            at += pause;
            self.scheduled += 1;
            self.due.insert((at, self.scheduled), (id.clone(), act));
        }
        self.containers.insert(id.clone(), Contained { ended: watch::Sender::new(None) });
    }

    /// Does what an agent does; gives the journal that has grown by it.
    pub(super) fn act(&mut self, id: &ContainerId, act: Act) -> Option<String> {
        let container = self.containers.get(id)?;
        if container.ended.borrow().is_some() {
            return None;
        }
        match act {
            Act::Write { bytes, printed, commands } => {
                let name = id.as_str().to_owned();
                self.journals.get_mut(&name)?.extend_from_slice(&bytes);
                let ran = self.ran.get_mut(&name)?;
                ran.printed.push_str(&printed);
                ran.commands += commands;
                Some(name)
            }
            Act::End(exit) => {
                container.ended.send_replace(Some(exit));
                None
            }
        }
    }

    /// All that was committed is on the disk.
    fn flush(&mut self) {
        self.durable.records = self.records.clone();
        self.durable.builds = self.builds.clone();
        self.durable.counts = self.counts.clone();
    }

    /// The builds that have ended leave, as by a commit of somebody else than the driver.
    pub(super) fn sweep(&mut self) {
        self.left.extend(self.builds.extract_if(.., |_, stored| !stored.row.live));
        self.flush();
    }

    /// The builds that are there, and those that have left.
    pub(super) fn all_builds(&self) -> impl Iterator<Item = (&BuildId, &Stored)> {
        self.builds.iter().chain(&self.left)
    }

    /// A build, also one that has left.
    pub(super) fn build(&self, id: &BuildId) -> Option<&Stored> {
        self.builds.get(id).or_else(|| self.left.get(id))
    }

    /// The machine loses its power. Of what was written and not synced some is there, from its
    /// beginning on, and the rest is not.
    pub(super) fn lose_power(&mut self) {
        self.boots += 1;
        self.records = self.durable.records.clone();
        self.builds = self.durable.builds.clone();
        self.counts = self.durable.counts.clone();
        self.due.clear();
        // Those whose end is on the disk have ended.
        let live = self.builds.iter().filter(|(_, stored)| stored.row.live);
        self.struck.extend(live.map(|(id, _)| id.uuid().to_owned()));
        self.containers.clear();
        for (stream, log) in &mut self.logs {
            let synced = self.durable.logs.get(stream).copied().unwrap_or_default();
            let surplus = log.batches.iter().filter(|(end, _)| *end > synced).count() as u64;
            let lost = usize::try_from(self.dice.below(surplus + 1, "log lost", "")).unwrap();
            log.batches.truncate(log.batches.len() - lost);
            log.text.truncate(log.batches.last().map_or(0, |(end, _)| *end));
        }
        for (name, bytes) in &mut self.journals {
            let left = self.dice.below(bytes.len() as u64 + 1, "journal lost", name);
            bytes.truncate(usize::try_from(left).unwrap());
        }
    }

    /// Whether something that is written at `at` fails.
    fn fails(&mut self, at: u64, what: &'static str, whom: &str) -> bool {
        let Some((in_thousand, until)) = self.trouble else { return false };
        at < until && self.dice.hits(in_thousand, what, whom)
    }
}

impl Simulated {
    pub(super) fn new(lasting: Arc<Mutex<Lasting>>) -> Self {
        let passing = Mutex::default();
        Self {
            lasting,
            passing,
            began: Instant::now(),
            killed: Notify::new(),
            turn_ended: Notify::new(),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Lasting> {
        self.lasting.lock().unwrap()
    }

    /// Milliseconds since the history's beginning.
    pub(super) fn at(&self) -> u64 {
        let passed = self.lock().passed;
        passed + u64::try_from(self.began.elapsed().as_millis()).unwrap()
    }

    /// When, in the service's time, a moment of the history is.
    pub(super) fn instant(&self, at: u64) -> Instant {
        self.began + Duration::from_millis(at.saturating_sub(self.lock().passed))
    }

    /// Has the service be killed at the n-th call from now.
    pub(super) fn kill_at(&self, calls: u64, done: bool, killer: Killer) {
        let mut passing = self.passing.lock().unwrap();
        let at = passing.calls + calls;
        passing.killed_at.get_or_insert((at, done, killer));
    }

    /// Who has killed it.
    pub(super) fn killer(&self) -> Killer {
        self.passing.lock().unwrap().killer
    }

    fn take_turn(&self) -> u64 {
        let mut passing = self.passing.lock().unwrap();
        passing.commits.0 += 1;
        passing.commits.0 - 1
    }

    /// Whether some commit has been handed over that has not ended.
    fn is_committing(&self) -> bool {
        let passing = self.passing.lock().unwrap();
        passing.commits.0 > passing.commits.1
    }

    async fn wait_for(&self, turn: u64) {
        loop {
            let ended = self.turn_ended.notified();
            if self.passing.lock().unwrap().commits.1 == turn {
                return;
            }
            ended.await;
        }
    }

    fn end_turn(&self) {
        self.passing.lock().unwrap().commits.1 += 1;
        self.turn_ended.notify_waiters();
    }

    /// Something is asked of the service, which has to answer unless it dies.
    pub(super) fn ask(&self) {
        self.passing.lock().unwrap().open += 1;
    }

    /// The service has answered; gives whether it was alive then.
    pub(super) fn answered(&self) -> bool {
        let mut passing = self.passing.lock().unwrap();
        passing.open -= 1;
        !passing.dead
    }

    /// How much was asked of the service and has no answer.
    pub(super) fn open(&self) -> u64 {
        self.passing.lock().unwrap().open
    }

    /// These builds' events are handed over: none of them may be in a commit that is under way.
    fn begin_commits(&self, builds: &[String]) {
        let mut passing = self.passing.lock().unwrap();
        for build in builds {
            if !passing.committing.insert(build.clone()) {
                self.lock().breaks(format!("{build} is in two commits at once"));
            }
        }
    }

    fn end_commits(&self, builds: &[String]) {
        let mut passing = self.passing.lock().unwrap();
        passing.committing.retain(|build| !builds.contains(build));
    }

    async fn wait_for_a_stall(&self) {
        let until = self.lock().stalled_until;
        pause(until.saturating_sub(self.at())).await;
    }

    /// Does what an agent does.
    pub(super) fn act(&self, id: &ContainerId, act: Act) {
        let grown = self.lock().act(id, act);
        let passing = self.passing.lock().unwrap();
        if let Some(grown) = grown.and_then(|name| passing.grown.get(&name)) {
            grown.notify_one();
        }
    }

    /// A call of the service, which does `effect` unless the service is dead; it may die of it.
    pub(super) fn call<T>(&self, effect: impl FnOnce(&mut Lasting) -> T) -> Result<T, Dead> {
        let (now, done) = {
            let mut passing = self.passing.lock().unwrap();
            if passing.dead {
                return Err(Dead);
            }
            passing.calls += 1;
            match passing.killed_at {
                Some((at, done, killer)) if passing.calls >= at => {
                    passing.dead = true;
                    passing.killer = killer;
                    self.killed.notify_one();
                    (true, done)
                }
                _ => (false, true),
            }
        };
        if !done {
            return Err(Dead);
        }
        let value = effect(&mut self.lock());
        if now { Err(Dead) } else { Ok(value) }
    }

    /// The same for a call that takes its time, with what it does at a moment of it. A dead service
    /// waits for ever.
    pub(super) async fn slow_call<T>(
        &self,
        what: &'static str,
        whom: &str,
        effect: impl FnOnce(&mut Lasting) -> T,
    ) -> T {
        let (before, after) = {
            let mut lasting = self.lock();
            let mut pause = || lasting.dice.one(&[0, 0, 1, 5, 30], what, whom);
            (pause(), pause())
        };
        pause(before).await;
        let Ok(value) = self.call(effect) else { return std::future::pending().await };
        pause(after).await;
        value
    }
}

async fn pause(millis: u64) {
    if millis > 0 {
        sleep(Duration::from_millis(millis)).await;
    }
}

/// The machine, in the hands of the service.
#[derive(Clone)]
pub(super) struct Hands(pub(super) Arc<Simulated>);

fn broken() -> Fault {
    Fault::Corrupt { what: "a disk that is broken for a while".into() }
}

fn gone() -> io::Error {
    io::Error::other("the service is dead")
}

#[async_trait]
impl Machine for Hands {
    fn now(&self) -> Timestamp {
        let at = i64::try_from(BEGIN_MILLIS + self.0.at()).unwrap() + self.0.lock().clock_off;
        Timestamp::from_millis(at.try_into().unwrap())
    }

    fn fresh_id(&self) -> Uuid {
        let mut lasting = self.0.lock();
        let mut throw = || lasting.dice.throw("uuid", "");
        Uuid::from_u64_pair(throw(), throw())
    }

    fn containers(&self) -> String {
        self.0.lock().boots.to_string()
    }

    async fn live_builds(&self) -> Result<Vec<store::Build>, Fault> {
        let at = self.0.at();
        let live = |lasting: &mut Lasting| {
            if lasting.fails(at, "live builds", "") {
                return Err(broken());
            }
            let mut rows: Vec<_> =
                lasting.builds.values().map(|stored| &stored.row).filter(|row| row.live).collect();
            rows.sort_by_key(|row| row.submitted_at);
            Ok(rows.into_iter().cloned().collect())
        };
        self.0.slow_call("live builds", "", live).await
    }

    async fn record(
        &self,
        collection: Collection,
        _: &str,
        key: &str,
    ) -> Result<Option<Record>, Fault> {
        let at = self.0.at();
        let read = |lasting: &mut Lasting| {
            if lasting.fails(at, "record", key) {
                return Err(broken());
            }
            let document = lasting.records.get(&(collection.name(), key.to_owned())).cloned();
            Ok(document.map(|document| Record { key: key.into(), version: 1, document }))
        };
        self.0.slow_call("record", key, read).await
    }

    async fn last_build_number(&self, _: &str, project: &str) -> Result<u64, Fault> {
        let at = self.0.at();
        let read = |lasting: &mut Lasting| {
            if lasting.fails(at, "last number", project) {
                return Err(broken());
            }
            let all = lasting.all_builds().map(|(_, stored)| &stored.row);
            let of_project = all.filter(|row| row.project == project);
            Ok(of_project.map(|row| row.number).max().unwrap_or_default())
        };
        self.0.slow_call("last number", project, read).await
    }

    fn commit(
        &self,
        changes: Vec<Change>,
        durability: Durability,
    ) -> BoxFuture<'static, Result<(), CommitError>> {
        let machine = Arc::clone(&self.0);
        let turn = machine.take_turn();
        Box::pin(async move {
            machine.wait_for(turn).await;
            machine.wait_for_a_stall().await;
            let at = machine.at();
            let apply = |lasting: &mut Lasting| {
                if lasting.fails(at, "commit", "") {
                    return Err(broken().into());
                }
                let applied = apply(lasting, changes);
                if durability == Durability::Machine {
                    lasting.flush();
                }
                applied
            };
            let committed = machine.slow_call("commit", "", apply).await;
            machine.end_turn();
            committed
        })
    }

    fn commit_together(
        &self,
        transactions: Vec<(Vec<Change>, Durability)>,
    ) -> BoxFuture<'static, Vec<Result<(), CommitError>>> {
        if self.0.is_committing() {
            self.0.lock().overlaps += 1;
        }
        // The store goes on whether it is waited for or not.
        let commit = |(changes, durability): (Vec<Change>, Durability)| {
            let (machine, builds) = (Arc::clone(&self.0), builds_of(&changes));
            machine.begin_commits(&builds);
            let committed = self.commit(changes, durability);
            tokio::spawn(async move {
                let committed = committed.await;
                machine.end_commits(&builds);
                committed
            })
        };
        let commits = join_all(transactions.into_iter().map(commit).collect::<Vec<_>>());
        Box::pin(async move { commits.await.into_iter().map(Result::unwrap).collect() })
    }

    fn journal_path(&self, build: &BuildId) -> PathBuf {
        PathBuf::from("/journals").join(build.uuid())
    }

    fn open_journal(&self, build: &BuildId) -> io::Result<Box<dyn Read + Send>> {
        let found = self.0.call(|lasting| lasting.journals.contains_key(build.uuid()));
        if !found.map_err(|Dead| gone())? {
            return Err(io::ErrorKind::NotFound.into());
        }
        let (machine, name) = (Arc::clone(&self.0), build.uuid().to_owned());
        Ok(Box::new(Reading { machine, name, at: 0 }))
    }

    fn watch_journal(&self, build: &BuildId) -> io::Result<Watched> {
        let at = self.0.at();
        let name = build.uuid();
        let found = self.0.call(|lasting| {
            (lasting.fails(at, "watch", name), lasting.journals.contains_key(name))
        });
        match found.map_err(|Dead| gone())? {
            (true, _) => return Err(io::Error::other("too many watches")),
            (false, false) => return Err(io::ErrorKind::NotFound.into()),
            (false, true) => {}
        }
        let grown = Arc::new(Notify::new());
        self.0.passing.lock().unwrap().grown.insert(name.into(), Arc::clone(&grown));
        Ok(Watched { grown, guard: Box::new(()) })
    }

    fn remove_journal(&self, build: &BuildId) -> io::Result<()> {
        let removed = self.0.call(|lasting| drop(lasting.journals.remove(build.uuid())));
        removed.map_err(|Dead| gone())
    }

    async fn log_stream(&self, target: &LogTarget) -> Result<StreamId, LogError> {
        let at = self.0.at();
        let make = |lasting: &mut Lasting| {
            if lasting.fails(at, "log stream", &target.stream) {
                return Err(broken().into());
            }
            let number = i64::try_from(lasting.streams.len()).unwrap();
            let stream = lasting.streams.entry(target.stream.clone());
            Ok(*stream.or_insert(StreamId::numbered(number)))
        };
        self.0.slow_call("log stream", &target.stream, make).await
    }

    fn append(&self, stream: StreamId, batch: Batch<'_>) -> Result<(), LogError> {
        let at = self.0.at();
        let appended = self.0.call(|lasting| {
            if lasting.fails(at, "append", "") {
                return Err(broken().into());
            }
            let log = lasting.logs.entry(stream).or_default();
            log.text.extend(batch.events.iter().map(|event| event.message.as_str()));
            let source = batch.source.or(log.batches.last().and_then(|(_, source)| *source));
            log.batches.push((log.text.len(), source));
            Ok(())
        });
        appended.unwrap_or(Err(Fault::Stopped.into()))
    }

    fn logged(&self, stream: StreamId) -> Result<Option<u64>, LogError> {
        let at = self.0.at();
        let logged = self.0.call(|lasting| {
            if lasting.fails(at, "logged", "") {
                return Err(broken().into());
            }
            Ok(lasting.logs.get(&stream).and_then(|log| log.batches.last()?.1))
        });
        logged.unwrap_or(Err(Fault::Stopped.into()))
    }

    async fn digest(&self, stream: StreamId) -> Result<LogDigest, LogError> {
        let digest = |lasting: &mut Lasting| {
            let text = lasting.logs.get(&stream).map(|log| log.text.as_str());
            Ok(digest_of(text.unwrap_or_default()))
        };
        self.0.slow_call("digest", "", digest).await
    }

    async fn sync(&self, stream: StreamId) -> Result<(), LogError> {
        let sync = |lasting: &mut Lasting| {
            let length = lasting.logs.get(&stream).map_or(0, |log| log.text.len());
            lasting.durable.logs.insert(stream, length);
            Ok(())
        };
        self.0.slow_call("sync", "", sync).await
    }

    async fn lease_cache(&self, _: &str, _: &BuildId, _: Option<Timestamp>) -> io::Result<Lease> {
        Err(io::Error::other("no simulated build has a cache"))
    }

    async fn release_cache(&self, _: &str, _: &BuildId) -> io::Result<()> {
        Ok(())
    }

    fn sweep(&self, live: &HashSet<String>) {
        let _ = self.0.call(|lasting| lasting.journals.retain(|name, _| live.contains(name)));
    }
}

/// What a log of this text is known by; its events are not counted.
pub(super) fn digest_of(text: &str) -> LogDigest {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    let sha256 = format!("{:x}", hasher.finish());
    LogDigest { sha256, events: 0, bytes: text.len() as u64 }
}

/// A journal that is read in pieces that are cut anywhere.
struct Reading {
    machine: Arc<Simulated>,
    name: String,
    at: usize,
}

impl Read for Reading {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.machine.call(|lasting| {
            let piece = 1 + usize::try_from(lasting.dice.below(400, "read", &self.name)).unwrap();
            // A file that is open stays when it is removed; nobody writes to it any more.
            let bytes = lasting.journals.get(&self.name).map_or(&[][..], Vec::as_slice);
            let rest = bytes.get(self.at..).unwrap_or_default();
            let count = rest.len().min(piece).min(buffer.len());
            buffer[..count].copy_from_slice(&rest[..count]);
            count
        });
        let count = read.map_err(|Dead| gone())?;
        self.at += count;
        Ok(count)
    }
}

/// The builds to which a transaction adds events.
fn builds_of(changes: &[Change]) -> Vec<String> {
    let build = |change: &Change| match change {
        Change::InsertBuild { id, .. } | Change::AppendEvents { id, .. } => Some(id.clone()),
        Change::PutRecord { .. }
        | Change::PutCommands { .. }
        | Change::CountEnded(_)
        | Change::DeleteRecord { .. }
        | Change::DeleteBuild { .. }
        | Change::ForgetEnded { .. } => None,
    };
    changes.iter().filter_map(build).collect()
}

/// What the store does with a transaction.
fn apply(lasting: &mut Lasting, changes: Vec<Change>) -> Result<(), CommitError> {
    for (which, change) in changes.into_iter().enumerate() {
        match change {
            Change::PutRecord { collection, key, document, .. } => {
                lasting.records.insert((collection.name(), key), document);
            }
            Change::InsertBuild { .. } => insert(lasting, which, change)?,
            Change::AppendEvents { .. } => append(lasting, which, change)?,
            Change::PutCommands { id, commands, .. } => {
                if let Some(stored) = lasting.builds.get_mut(&BuildId::parse(&id).unwrap()) {
                    let kept = commands.into_iter().map(|kept| (kept.sequence, kept.command));
                    stored.commands.extend(kept);
                }
            }
            Change::CountEnded(build) => {
                let counts = lasting.counts.entry(build.project.clone()).or_default();
                counts.add(&build.counts());
            }
            Change::DeleteRecord { .. }
            | Change::DeleteBuild { .. }
            | Change::ForgetEnded { .. } => {
                panic!("the driver deletes nothing")
            }
        }
    }
    Ok(())
}

fn insert(lasting: &mut Lasting, which: usize, change: Change) -> Result<(), CommitError> {
    let Change::InsertBuild {
        region,
        id,
        project,
        number,
        submitted_at,
        request,
        events,
        state,
        live,
    } = change
    else {
        unreachable!("the caller looked");
    };
    let build = BuildId::parse(&id).unwrap();
    let row = store::Build {
        region,
        id,
        project,
        number,
        submitted_at,
        request,
        state,
        next_sequence: events.len() as u64,
        journal_offset: 0,
        live,
    };
    let fresh = events.len();
    let (decided, events) = events.into_iter().unzip();
    let mut stored = Stored { row, events, decided, told: None, commands: BTreeMap::new() };
    if let Err(law) = laws::of_a_build(&mut stored, fresh, true) {
        lasting.breaks(law);
    }
    if lasting.builds.insert(build.clone(), stored).is_some() {
        return Err(CommitError::Conflict { which });
    }
    lasting.holds(|lasting| laws::of_a_limit(lasting, &build));
    Ok(())
}

fn append(lasting: &mut Lasting, which: usize, change: Change) -> Result<(), CommitError> {
    let Change::AppendEvents { id, first_sequence, events, state, journal_offset, live, .. } =
        change
    else {
        unreachable!("the caller looked");
    };
    let build = BuildId::parse(&id).unwrap();
    let Some(stored) = lasting.builds.get_mut(&build) else {
        return Err(CommitError::Conflict { which });
    };
    if stored.row.next_sequence != first_sequence {
        return Err(CommitError::Conflict { which });
    }
    let was_live = stored.row.live;
    let fresh = events.len();
    stored.row.next_sequence += fresh as u64;
    for (at, event) in events {
        stored.decided.push(at);
        stored.events.push(event);
    }
    stored.row = store::Build { state, journal_offset, live, ..stored.row.clone() };
    if let Err(law) = laws::of_a_build(stored, fresh, was_live) {
        lasting.breaks(law);
    }
    Ok(())
}
