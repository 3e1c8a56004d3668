//! What one container needs while it lives: it is launched, its journal is followed into the log
//! and the driver, its end is noticed, and it is taken away.
//!
//! An attendant keeps nothing that it could not find again: after a restart another one launches
//! the same id, which finds the container, and reads the same journal.

use super::{
    Driver,
    commands::Commands,
    follower::{FollowError, Follower, Item},
    lines::Line,
    machine::{Machine, Watched, millis},
    not_launched,
};
use crate::{
    build_request::BuildRequest,
    executors::Workshop,
    fault::chain,
    images::{BuildImages, Provided, Pulling},
    local_caches::Lease,
    provision::{Occasion, Provision},
    tally::{Tally, Trouble},
};
use agent_protocol::{Fact, Timestamp};
use build_core::{BuildId, Exited, Input, LogDigest};
use executor::{Container, ContainerId, Executor, Exit, Image, LaunchError};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use std::{
    collections::HashSet,
    convert::Infallible,
    io,
    io::Read,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use store::{
    Durability,
    logs::{Batch, LogError, NewEvent, StreamId},
};
use tokio::{
    sync::{
        Mutex,
        mpsc::{self, UnboundedReceiver},
        watch,
    },
    task::yield_now,
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

/// How long a line that has begun waits for its end before the log shows it as it is.
const PENDING_LINE_AFTER: Duration = Duration::from_millis(500);

/// After so many bytes of a log they are sent to the disk.
const SYNC_BYTES: u64 = 64 * 1024 * 1024;

/// After so many bytes of a log its digest goes on.
const DIGEST_BYTES: u64 = 8 * 1024 * 1024;

/// How long the attendant waits before it tries again what failed.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// What all attendants share.
pub struct Grounds {
    /// What makes containers.
    pub workshop: Workshop,
    /// The images that containers are made from.
    pub images: BuildImages,
    /// The clock, the state, journals, logs.
    pub machine: Arc<dyn Machine>,
    /// Makes specs from requests.
    pub provision: Provision,
    /// Serves the service to a container, on sockets inside its network.
    pub serve: Box<dyn Fn(Container, ServedBuild) + Send + Sync>,
    /// What was done and went wrong, in numbers.
    pub tally: Tally,
    /// Changes whenever a build has, for whoever waits for one.
    pub changed: watch::Sender<u64>,
    /// Told what journals say, in the order they say it, where somebody watches a single build.
    pub observer: Option<mpsc::UnboundedSender<Observed>>,
}

impl Grounds {
    /// The file of a build's journal.
    pub fn journal(&self, id: &BuildId) -> PathBuf {
        self.machine.journal_path(id)
    }

    /// Counts something that went wrong.
    pub(super) fn trouble(&self, trouble: Trouble) {
        self.tally.trouble(trouble, self.machine.now());
    }
}

/// What a journal said.
#[derive(Debug)]
pub enum Observed {
    /// Lines of the log.
    Lines(Vec<Line>),
    /// A fact, and when it was.
    Fact(Fact, Timestamp),
    /// The image is being pulled.
    Pulling(Pulling),
    /// A shell in the environment, for whoever watches.
    Shell(ShellConnection),
}

/// The connection to a shell in an environment.
pub struct ShellConnection(pub TokioIo<Upgraded>);

impl std::fmt::Debug for ShellConnection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ShellConnection")
    }
}

/// Whom a container's sockets serve, and for how long.
pub struct ServedBuild {
    /// What was asked for.
    pub request: Arc<BuildRequest>,
    /// When the build's credentials end.
    pub expires_at: Timestamp,
    /// Cancelled when the container is gone.
    pub gone: CancellationToken,
}

/// The build that an attendant has the charge of.
pub(super) struct Charge {
    pub(super) request: Arc<BuildRequest>,
    pub(super) number: u64,
    pub(super) received_at: Timestamp,
    pub(super) deadline: Option<Timestamp>,
    /// Cancelled when the container is to go.
    pub(super) ending: CancellationToken,
}

/// How often a journal is looked at that cannot be watched.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Waits until a journal may have grown.
async fn grown(watched: Option<&Watched>) {
    match watched {
        Some(watched) => watched.grown.notified().await,
        None => tokio::time::sleep(LOOK_EVERY).await,
    }
}

/// Starts an attendant.
pub(super) fn spawn(grounds: Arc<Grounds>, driver: Driver, charge: Charge) {
    tokio::spawn(async move {
        let executor = grounds.workshop.executor(charge.request.executor);
        let (written, digesting) = (AtomicU64::new(0), Arc::default());
        Attendant { grounds, executor, driver, charge, written, digesting }.run().await;
    });
}

/// Removes what is left of a build that has ended for good.
pub(super) fn forget(grounds: &Grounds, id: &BuildId) {
    if let Err(error) = grounds.machine.remove_journal(id) {
        tracing::warn!(build = %id, %error, "the journal is left behind");
    }
}

/// Removes the containers and journals of builds that are not under way: those of a service that
/// ended between the last event and the cleaning.
pub(super) async fn sweep(grounds: &Grounds, live: &HashSet<String>) {
    for executor in grounds.workshop.all() {
        match executor.list().await {
            Ok(ids) => {
                for id in ids.iter().filter(|id| !live.contains(id.as_str())) {
                    if let Err(fault) = executor.destroy(id).await {
                        let error = chain(&fault);
                        tracing::warn!(container = %id, error, "a container is left");
                    }
                }
            }
            Err(fault) => tracing::warn!(error = %chain(&fault), "containers cannot be listed"),
        }
    }
    grounds.machine.sweep(live);
}

/// A line of the service's own, as the agent's are.
fn noted(at: Timestamp, text: &str) -> Line {
    let moment = jiff::Timestamp::from_millisecond(millis(at)).unwrap_or_default();
    let text = format!("[Container] {} {text}\n", moment.strftime("%Y/%m/%d %H:%M:%S%.6f"));
    // Nothing of the journal has been read yet.
    Line { at, text, position: 0 }
}

struct Attendant {
    grounds: Arc<Grounds>,
    executor: Arc<dyn Executor>,
    driver: Driver,
    charge: Charge,
    /// Bytes of the log that were written.
    written: AtomicU64,
    /// Held while the log's digest goes on.
    digesting: Arc<Mutex<()>>,
}

/// Whether a build's container is there.
enum Launched {
    /// It is, or was: its journal tells what became of it. What is to be said of its making.
    There(Vec<Line>),
    /// It is, and nobody serves it yet.
    OutOfReach,
    /// It is not.
    Not(LaunchError),
}

/// Why a journal was followed no longer.
enum Ended {
    /// The driver wants the container gone, or the agent has said its last word.
    Wanted,
    /// The container ended under the build.
    Exited(Exited),
}

impl Attendant {
    async fn run(self) {
        let id = self.charge.request.id().clone();
        let container = ContainerId::new(id.uuid()).expect("a UUID is a container's id");
        let gone = CancellationToken::new();
        let mut commands = Commands::default();
        let (mut follower, stream);
        if self.charge.ending.is_cancelled() {
            (stream, follower) = (self.log_stream().await, None);
        } else {
            let launched;
            (stream, launched) =
                tokio::join!(self.log_stream(), self.find_or_launch(&container, &gone));
            follower = match launched {
                Launched::There(notes) => {
                    self.log(stream, notes).await;
                    self.follow(&container, stream, &mut commands).await
                }
                Launched::OutOfReach => {
                    let follow = self.follow(&container, stream, &mut commands);
                    tokio::select! {
                        biased;
                        follower = follow => follower,
                        never = self.take_over(&container, &gone) => match never {},
                    }
                }
                Launched::Not(error) => {
                    self.grounds.trouble(Trouble::Launch);
                    self.driver.inputs(&id, vec![(not_launched(&error), None)]).await;
                    self.charge.ending.cancelled().await;
                    None
                }
            };
        }
        // The log is almost always whole by now, and its way to the disk takes as long as the
        // container's removal.
        let on_disk = self.logged(stream).await;
        let (_, (), mut digest) =
            tokio::join!(self.destroy(&container), self.sync(stream), self.digest(stream));
        gone.cancel();
        self.give_back_cache().await;
        self.read_out(&mut follower, stream, &mut commands).await;
        if self.logged(stream).await != on_disk {
            ((), digest) = tokio::join!(self.sync(stream), self.digest(stream));
        }
        self.grounds.tally.read_out(&id);
        let logged = digest.map(|digest| (Input::Logged(digest), None));
        let inputs = logged.into_iter().chain([(Input::Gone, None)]).collect();
        self.driver.inputs(&id, inputs).await;
    }

    /// Launches the build's container, or finds it.
    async fn find_or_launch(&self, container: &ContainerId, gone: &CancellationToken) -> Launched {
        let has_run = self.has_run();
        if has_run && !self.is_there(container).await {
            // It ran, and is lost with its executor's state. No build runs twice.
            return Launched::There(Vec::new());
        }
        match self.launch(container, gone).await {
            Ok(notes) => Launched::There(notes),
            Err(_) if has_run && !self.is_there(container).await => Launched::There(Vec::new()),
            // One that runs is not given up because it cannot be taken over at once.
            Err(error) if self.is_there(container).await => {
                tracing::warn!(%container, error = %chain(&error), "a container is not taken over");
                Launched::OutOfReach
            }
            Err(error) => Launched::Not(error),
        }
    }

    /// Tries to reach a container that runs, until it can be served.
    async fn take_over(&self, container: &ContainerId, gone: &CancellationToken) -> Infallible {
        loop {
            tokio::time::sleep(RETRY_AFTER).await;
            if self.launch(container, gone).await.is_ok() {
                return std::future::pending().await;
            }
        }
    }

    /// Whether an agent has written to the build's journal.
    fn has_run(&self) -> bool {
        let journal = self.grounds.machine.open_journal(self.charge.request.id());
        journal.and_then(|mut journal| journal.read(&mut [0])).is_ok_and(|count| count > 0)
    }

    /// Whether the executor knows the container; when it cannot say, it does.
    async fn is_there(&self, container: &ContainerId) -> bool {
        self.executor.list().await.map_or(true, |known| known.contains(container))
    }

    async fn launch(
        &self,
        container: &ContainerId,
        gone: &CancellationToken,
    ) -> Result<Vec<Line>, LaunchError> {
        let charge = &self.charge;
        let journal = self.grounds.machine.journal_path(charge.request.id());
        let expires_at = charge.deadline.unwrap_or(charge.received_at);
        let Provided { image, notes } = self.image(container).await?;
        let occasion = Occasion {
            local_cache: self.local_cache().await,
            number: charge.number,
            received_at: charge.received_at,
            expires_at,
            image_environment: self.executor.image_environment(&image).await?,
            image,
        };
        let provision = &self.grounds.provision;
        let spec = provision.spec(&charge.request, &occasion, container.clone(), journal);
        let mut launched = self.executor.launch(&spec).await?;
        self.tell_denied(launched.denied.take());
        let no_way_out = launched.no_way_out.take();
        let no_way_out = no_way_out.map(|why| format!("The build reaches nothing outside: {why}"));
        let served =
            ServedBuild { request: Arc::clone(&charge.request), expires_at, gone: gone.clone() };
        (self.grounds.serve)(launched, served);
        let notes = notes.iter().chain(&no_way_out);
        Ok(notes.map(|note| noted(self.grounds.machine.now(), note)).collect())
    }

    /// Has the log tell which names the build asks for in vain, until its container is gone.
    fn tell_denied(&self, denied: Option<UnboundedReceiver<String>>) {
        let (Some(mut denied), Some(target)) = (denied, self.charge.request.log_target()) else {
            return;
        };
        let machine = Arc::clone(&self.grounds.machine);
        tokio::spawn(async move {
            let Ok(stream) = machine.log_stream(&target).await else { return };
            while let Some(name) = denied.recv().await {
                let line = noted(machine.now(), &format!("The network's rules deny {name}"));
                let ingested_at = millis(line.at);
                let events = [NewEvent { timestamp: ingested_at, message: line.text }];
                // Nothing of the journal: what is known of how far that has been logged stays.
                let batch = Batch { events: &events, source: None, ingested_at };
                if let Err(error) = machine.append(stream, batch) {
                    tracing::debug!(error = %chain(&error), "a denied name is not in the log");
                }
            }
        });
    }

    /// The build's image, brought in when it has to be.
    async fn image(&self, container: &ContainerId) -> Result<Provided, LaunchError> {
        let (request, images) = (&self.charge.request, &self.grounds.images);
        if let Some(known) = images.in_place(request) {
            let launched = self.executor.list().await?;
            if launched.contains(container) {
                // It goes on with what it was made from, whatever its registry has by now.
                return Ok(Provided { image: Image::Stored(known), notes: Vec::new() });
            }
        }
        let watch = |pulling| self.observe(|| Observed::Pulling(pulling));
        let ending = &self.charge.ending;
        let mut provided = images.provide(request, ending, watch).await?;
        let name = request.environment().image;
        let pulling = Pulling { name, progress: Arc::default() };
        self.observe(|| Observed::Pulling(pulling.clone()));
        BuildImages::hand_over(&mut provided, &*self.executor, ending, &pulling).await?;
        Ok(provided)
    }

    /// The folder of the build's local cache. A build does without one that cannot be had.
    async fn local_cache(&self) -> Option<Lease> {
        let request = &self.charge.request;
        let (project, invalidated_at) = (request.local_cache_id()?, request.cache_invalidated_at);
        let machine = &self.grounds.machine;
        let leased = machine.lease_cache(&project, request.id(), invalidated_at).await;
        leased
            .inspect_err(|error| tracing::warn!(build = %request.id(), %error, "no local cache"))
            .ok()
    }

    /// Gives back the folder of the build's local cache.
    async fn give_back_cache(&self) {
        let request = &self.charge.request;
        let Some(project) = request.local_cache_id() else { return };
        if let Err(error) = self.grounds.machine.release_cache(&project, request.id()).await {
            tracing::warn!(build = %request.id(), %error, "a local cache is not given back");
        }
    }

    /// Follows the journal until the container is to go or has gone.
    async fn follow(
        &self,
        container: &ContainerId,
        stream: Option<StreamId>,
        commands: &mut Commands,
    ) -> Option<Follower> {
        let id = self.charge.request.id();
        let Some(mut follower) = self.open_journal(stream).await else {
            self.driver.inputs(id, vec![(Input::Exited(Exited::Died), None)]).await;
            self.charge.ending.cancelled().await;
            return None;
        };
        let watched = self.grounds.machine.watch_journal(id);
        let watched = watched.inspect_err(|error| {
            // The system allows each user so many.
            self.grounds.trouble(Trouble::Journal);
            tracing::warn!(build = %id, %error, "a journal is looked at now and then");
        });
        let watched = watched.ok();
        let exit = self.executor.watch(container);
        tokio::pin!(exit);
        let mut flush_at = None;
        let ended = loop {
            match self.drain(&mut follower, stream, commands).await {
                Ok(false) => {}
                Ok(true) => break Ended::Wanted,
                Err(error) => {
                    tracing::error!(build = %id, error = %chain(&error), "a journal is damaged");
                    break Ended::Exited(Exited::Died);
                }
            }
            if !follower.has_pending_line() {
                flush_at = None;
            } else if flush_at.is_none() {
                flush_at = Some(Instant::now() + PENDING_LINE_AFTER);
            }
            tokio::select! {
                // Whoever prints without a pause keeps the journal growing, and holds up nothing.
                biased;
                () = self.charge.ending.cancelled() => break Ended::Wanted,
                () = sleep_until(flush_at.unwrap_or_else(Instant::now)), if flush_at.is_some() => {
                    self.log(stream, follower.flush()).await;
                }
                () = sleep_until(commands.due.unwrap_or_else(Instant::now)),
                    if commands.due.is_some() => self.keep(commands).await,
                () = grown(watched.as_ref()) => {}
                exit = &mut exit => match self.drain(&mut follower, stream, commands).await {
                    Ok(true) => break Ended::Wanted,
                    Ok(false) | Err(_) => break Ended::Exited(self.exited(&exit)),
                }
            }
        };
        if let Ended::Exited(exited) = ended {
            if let Exited::OutOfDisk { .. } = exited {
                let mut lines = follower.flush();
                let line = noted(self.grounds.machine.now(), &exited.message());
                lines.push(Line { position: follower.offset(), ..line });
                self.log(stream, lines).await;
            }
            self.driver.inputs(id, vec![(Input::Exited(exited), None)]).await;
        }
        // Only what is kept may be acted upon: a container that went before would be made again by
        // a service that does not know how far it was.
        self.charge.ending.cancelled().await;
        Some(follower)
    }

    /// Opens the journal at its beginning; none when it is not there.
    async fn open_journal(&self, stream: Option<StreamId>) -> Option<Follower> {
        let id = self.charge.request.id();
        loop {
            match self.grounds.machine.open_journal(id) {
                Ok(journal) => return Some(Follower::new(journal, self.logged(stream).await)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
                Err(error) => {
                    self.grounds.trouble(Trouble::Journal);
                    tracing::error!(build = %id, %error, "no journal; trying again");
                }
            }
            tokio::time::sleep(RETRY_AFTER).await;
        }
    }

    /// Takes everything that stands in the journal; whether the agent's last word was among it.
    async fn drain(
        &self,
        follower: &mut Follower,
        stream: Option<StreamId>,
        commands: &mut Commands,
    ) -> Result<bool, FollowError> {
        let mut finished = false;
        while let Some(items) = follower.read()? {
            let mut inputs = Vec::new();
            for item in items {
                match item {
                    Item::Lines(lines) => self.log(stream, lines).await,
                    Item::Fact(fact, at, offset) => {
                        self.observe(|| Observed::Fact(fact.clone(), at));
                        commands.take(&fact, at, offset);
                        finished |= fact == Fact::Finished;
                        if finished {
                            // Whoever sees the build's end sees its whole log.
                            self.log(stream, follower.flush()).await;
                        }
                        // The driver has no use for commands.
                        if !fact.is_of_a_command() {
                            inputs.push((Input::Fact(fact, at), Some(offset)));
                        }
                    }
                }
            }
            if finished || commands.are_due() {
                // Whoever sees the build's end sees all its commands, too.
                self.keep(commands).await;
            }
            self.grounds.tally.read_to(self.charge.request.id(), follower.offset());
            self.driver.inputs(self.charge.request.id(), inputs).await;
            // Nothing above need ever wait: builds that flood would keep their threads, and all
            // others, and the API, would wait. A line alone does not pause: to do so wakes another
            // thread, and whoever follows the log would have to wait for that.
            if follower.owes_a_pause() {
                yield_now().await;
            }
        }
        Ok(finished)
    }

    /// After the container is gone nothing is written any more: the log gets the rest.
    async fn read_out(
        &self,
        follower: &mut Option<Follower>,
        stream: Option<StreamId>,
        commands: &mut Commands,
    ) {
        if follower.is_none() {
            *follower = self.open_journal(stream).await;
        }
        if let Some(follower) = follower {
            // A journal torn by the container's end holds nothing more that is whole.
            let _ = self.drain(follower, stream, commands).await;
            self.log(stream, follower.flush()).await;
        }
        self.keep(commands).await;
    }

    /// Keeps what is new of the build's commands.
    async fn keep(&self, commands: &mut Commands) {
        let request = &self.charge.request;
        let Some(change) = commands.changes(&request.region, &request.id().to_string()) else {
            return;
        };
        loop {
            let kept = self.grounds.machine.commit(vec![change.clone()], Durability::Process);
            match kept.await {
                Ok(()) => return,
                Err(error) => {
                    tracing::error!(error = %chain(&error), "commands are not kept; trying again");
                    tokio::time::sleep(RETRY_AFTER).await;
                }
            }
        }
    }

    /// Has the log outlive the machine.
    async fn sync(&self, stream: Option<StreamId>) {
        let Some(stream) = stream else { return };
        match self.grounds.machine.sync(stream).await {
            Ok(()) | Err(LogError::StreamMissing) => {}
            Err(error) => tracing::error!(error = %chain(&error), "a log may not be on disk"),
        }
    }

    /// Sends a large log to the disk while it grows, and goes on with its digest, so that its end
    /// need not wait for all of it. What goes wrong is told when it is done once more, at the end.
    fn keep_up(&self, stream: StreamId, events: &[NewEvent]) {
        let bytes: usize = events.iter().map(|event| event.message.len()).sum();
        let before = self.written.fetch_add(bytes as u64, Ordering::Relaxed);
        let passes = |step| before / step != (before + bytes as u64) / step;
        if passes(DIGEST_BYTES)
            && let Ok(alone) = Arc::clone(&self.digesting).try_lock_owned()
        {
            let machine = Arc::clone(&self.grounds.machine);
            tokio::spawn(async move {
                machine.digest(stream).await.ok();
                drop(alone);
            });
        }
        if passes(SYNC_BYTES) {
            let machine = Arc::clone(&self.grounds.machine);
            tokio::spawn(async move { machine.sync(stream).await.ok() });
        }
    }

    fn observe(&self, said: impl FnOnce() -> Observed) {
        if let Some(observer) = &self.grounds.observer {
            // Whoever watched may have gone; the build goes on.
            let _ = observer.send(said());
        }
    }

    async fn log(&self, stream: Option<StreamId>, lines: Vec<Line>) {
        let Some((stream, last)) = stream.zip(lines.last()) else { return };
        let source = Some(last.position);
        self.observe(|| Observed::Lines(lines.clone()));
        let events: Vec<NewEvent> = lines
            .into_iter()
            .map(|line| NewEvent { timestamp: millis(line.at), message: line.text })
            .collect();
        loop {
            let ingested_at = millis(self.grounds.machine.now());
            let batch = Batch { events: &events, source, ingested_at };
            match self.grounds.machine.append(stream, batch) {
                Ok(()) => {
                    self.grounds.tally.well(Trouble::Log);
                    return self.keep_up(stream, &events);
                }
                // Somebody has deleted the stream: they do not want what it would hold.
                Err(LogError::StreamMissing) => {
                    self.grounds.tally.well(Trouble::Log);
                    return;
                }
                // Output is never dropped: while the disk is full, the build's log waits for room.
                Err(error) => {
                    self.grounds.trouble(Trouble::Log);
                    tracing::error!(error = %chain(&error), "output is not in the log; trying again");
                    tokio::time::sleep(RETRY_AFTER).await;
                }
            }
        }
    }

    async fn log_stream(&self) -> Option<StreamId> {
        let target = self.charge.request.log_target()?;
        loop {
            match self.grounds.machine.log_stream(&target).await {
                Ok(stream) => return Some(stream),
                Err(error) => {
                    self.grounds.trouble(Trouble::Log);
                    tracing::error!(error = %chain(&error), "no log stream; trying again");
                }
            }
            tokio::time::sleep(RETRY_AFTER).await;
        }
    }

    /// How much of the journal is in the log already. To guess would double lines, or lose them.
    async fn logged(&self, stream: Option<StreamId>) -> u64 {
        let Some(stream) = stream else { return 0 };
        loop {
            match self.grounds.machine.logged(stream) {
                Ok(source) => return source.unwrap_or_default(),
                // Somebody has deleted the stream: they do not want what it would hold.
                Err(LogError::StreamMissing) => return 0,
                Err(error) => {
                    self.grounds.trouble(Trouble::Log);
                    tracing::error!(error = %chain(&error), "a log is not read; trying again");
                }
            }
            tokio::time::sleep(RETRY_AFTER).await;
        }
    }

    /// What the log is known by, if there is one.
    async fn digest(&self, stream: Option<StreamId>) -> Option<LogDigest> {
        let digest = self.grounds.machine.digest(stream?).await;
        digest
            .inspect_err(|error| tracing::error!(error = %chain(error), "a log has no digest"))
            .ok()
    }

    fn exited(&self, exit: &Exit) -> Exited {
        tracing::warn!(build = %self.charge.request.id(), ?exit, "a container ended early");
        match exit {
            Exit::OutOfMemory => Exited::OutOfMemory,
            Exit::OutOfDisk { used_bytes, bytes_max } => {
                Exited::OutOfDisk { used_bytes: *used_bytes, bytes_max: *bytes_max }
            }
            Exit::Exited { .. } | Exit::Killed { .. } | Exit::Lost | Exit::NeverStarted => {
                Exited::Died
            }
        }
    }

    async fn destroy(&self, container: &ContainerId) {
        loop {
            match timeout(Duration::from_secs(60), self.executor.destroy(container)).await {
                Ok(Ok(())) => {
                    self.grounds.tally.well(Trouble::Destroy);
                    return;
                }
                Ok(Err(fault)) => {
                    self.grounds.trouble(Trouble::Destroy);
                    tracing::error!(%container, error = %chain(&fault), "a container stays");
                }
                Err(_) => {
                    self.grounds.trouble(Trouble::Destroy);
                    tracing::error!(%container, "a container takes long to go");
                }
            }
            tokio::time::sleep(RETRY_AFTER).await;
        }
    }
}
