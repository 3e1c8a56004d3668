//! What one container needs while it lives: it is launched, its journal is followed into the log
//! and the driver, its end is noticed, and it is taken away.
//!
//! An attendant keeps nothing that it could not find again: after a restart another one launches
//! the same id, which finds the container, and reads the same journal.

use super::{
    Driver, JournalWatch,
    commands::Commands,
    follower::{FollowError, Follower, Item},
    lines::Line,
    not_launched,
};
use crate::{
    build_request::BuildRequest,
    clock,
    executors::Workshop,
    fault::chain,
    images::{BuildImages, Provided, Pulling},
    local_caches::{Lease, LocalCaches},
    provision::{Occasion, Provision},
};
use agent_protocol::{Fact, Timestamp};
use build_core::{BuildId, Exited, Input};
use executor::{Container, ContainerId, Executor, Exit, Image, LaunchError};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use store::{
    Durability, Store,
    logs::{Batch, GroupClass, LogError, LogStore, NewEvent, NewGroup, StreamId},
};
use tokio::{
    sync::{
        mpsc::{self, UnboundedReceiver},
        watch,
    },
    task::{JoinHandle, spawn_blocking},
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

/// How long a line that has begun waits for its end before the log shows it as it is.
const PENDING_LINE_AFTER: Duration = Duration::from_millis(500);

/// After so many bytes of a log they are sent to the disk.
const SYNC_BYTES: u64 = 64 * 1024 * 1024;

/// How long the attendant waits before it tries again what failed.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// What all attendants share.
pub struct Grounds {
    /// What makes containers.
    pub workshop: Workshop,
    /// The images that containers are made from.
    pub images: BuildImages,
    /// Where what is known of commands goes.
    pub store: Store,
    /// Where output goes.
    pub logs: LogStore,
    /// Tells when journals grow.
    pub watch: JournalWatch,
    /// The folder of the journals, one file per build.
    pub journals: PathBuf,
    /// Makes specs from requests.
    pub provision: Provision,
    /// The folders of local caches.
    pub caches: Arc<LocalCaches>,
    /// Serves the service to a container, on sockets inside its network.
    pub serve: Box<dyn Fn(Container, ServedBuild) + Send + Sync>,
    /// Changes whenever a build has, for whoever waits for one.
    pub changed: watch::Sender<u64>,
    /// Told what journals say, in the order they say it, where somebody watches a single build.
    pub observer: Option<mpsc::UnboundedSender<Observed>>,
}

impl Grounds {
    /// The file of a build's journal.
    pub fn journal(&self, id: &BuildId) -> PathBuf {
        journal_of(&self.journals, id)
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

/// Starts an attendant.
pub(super) fn spawn(grounds: Arc<Grounds>, driver: Driver, charge: Charge) {
    tokio::spawn(async move {
        let executor = grounds.workshop.executor(charge.request.executor);
        let written = AtomicU64::new(0);
        Attendant { grounds, executor, driver, charge, written }.run().await;
    });
}

/// Removes what is left of a build that has ended for good.
pub(super) fn forget(grounds: &Grounds, id: &BuildId) {
    let journal = journal_of(&grounds.journals, id);
    if let Err(error) = std::fs::remove_file(&journal)
        && error.kind() != std::io::ErrorKind::NotFound
    {
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
    let (caches, builds) = (Arc::clone(&grounds.caches), live.clone());
    spawn_blocking(move || caches.sweep(&builds));
    for entry in std::fs::read_dir(&grounds.journals).into_iter().flatten().flatten() {
        if !live.contains(entry.file_name().to_string_lossy().as_ref()) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// A line such as the agent would have written, had it lived.
fn agents_line(text: &str, position: u64) -> Line {
    let at = clock::now();
    let shown =
        i64::try_from(at.micros()).ok().and_then(|m| jiff::Timestamp::from_microsecond(m).ok());
    let shown = shown.unwrap_or_default().strftime("%Y/%m/%d %H:%M:%S%.6f");
    Line { at, text: format!("[Container] {shown} {text}\n"), position }
}

fn millis(at: Timestamp) -> i64 {
    i64::try_from(at.millis()).unwrap_or(i64::MAX)
}

fn journal_of(journals: &Path, id: &BuildId) -> PathBuf {
    journals.join(id.uuid())
}

struct Attendant {
    grounds: Arc<Grounds>,
    executor: Arc<dyn Executor>,
    driver: Driver,
    charge: Charge,
    /// Bytes of the log that were written.
    written: AtomicU64,
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
        let mut teller = None;
        if self.charge.ending.is_cancelled() {
            (stream, follower) = (self.log_stream().await, None);
        } else {
            let launched;
            (stream, launched) = tokio::join!(self.log_stream(), self.launch(&container, &gone));
            follower = match launched {
                Ok((notes, denied)) => {
                    self.log(stream, notes).await;
                    teller = self.tell_denied(stream, denied);
                    self.follow(&container, stream, &mut commands).await
                }
                Err(error) => {
                    self.driver.inputs(&id, vec![(not_launched(&error), None)]).await;
                    self.charge.ending.cancelled().await;
                    None
                }
            };
        }
        // The log is almost always whole by now, and its way to the disk takes as long as the
        // container's removal.
        let on_disk = self.logged(stream);
        tokio::join!(self.destroy(&container), self.sync(stream));
        gone.cancel();
        if let Some(teller) = teller {
            // It ends with the container.
            let _ = teller.await;
        }
        self.give_back_cache().await;
        self.read_out(&mut follower, stream, &mut commands).await;
        if self.logged(stream) != on_disk {
            self.sync(stream).await;
        }
        self.driver.inputs(&id, vec![(Input::Gone, None)]).await;
    }

    async fn launch(
        &self,
        container: &ContainerId,
        gone: &CancellationToken,
    ) -> Result<(Vec<Line>, Option<UnboundedReceiver<String>>), LaunchError> {
        let charge = &self.charge;
        let journal = journal_of(&self.grounds.journals, charge.request.id());
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
        let denied = launched.denied.take();
        let served =
            ServedBuild { request: Arc::clone(&charge.request), expires_at, gone: gone.clone() };
        (self.grounds.serve)(launched, served);
        // Nothing of the journal has been read yet.
        Ok((notes.iter().map(|note| agents_line(note, 0)).collect(), denied))
    }

    /// Has the log tell which names the build asked for in vain.
    fn tell_denied(
        &self,
        stream: Option<StreamId>,
        denied: Option<UnboundedReceiver<String>>,
    ) -> Option<JoinHandle<()>> {
        let (stream, mut denied) = stream.zip(denied)?;
        let logs = self.grounds.logs.clone();
        Some(tokio::spawn(async move {
            while let Some(name) = denied.recv().await {
                let text = format!("The network's rules deny {name}");
                let line = agents_line(&text, 0);
                let events = [NewEvent { timestamp: millis(line.at), message: line.text }];
                // Nothing of the journal: what is known of how far that has been logged stays.
                let batch =
                    Batch { events: &events, source: None, ingested_at: millis(clock::now()) };
                if let Err(error) = logs.append(stream, batch) {
                    tracing::debug!(error = %chain(&error), "a denied name is not in the log");
                }
            }
        }))
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
        images.provide(request, &self.charge.ending, watch).await
    }

    /// The folder of the build's local cache. A build does without one that cannot be had.
    async fn local_cache(&self) -> Option<Lease> {
        let request = &self.charge.request;
        let (project, build) = (request.local_cache_id()?, request.id().uuid().to_owned());
        let (caches, invalidated_at) =
            (Arc::clone(&self.grounds.caches), request.cache_invalidated_at);
        let leased =
            spawn_blocking(move || caches.lease(&project, &build, invalidated_at)).await.ok()?;
        leased
            .inspect_err(|error| tracing::warn!(build = %request.id(), %error, "no local cache"))
            .ok()
    }

    /// Gives back the folder of the build's local cache. The next build may have it before it is
    /// known how large it has become.
    async fn give_back_cache(&self) {
        let request = &self.charge.request;
        let Some(project) = request.local_cache_id() else { return };
        let (caches, build) = (Arc::clone(&self.grounds.caches), request.id().uuid().to_owned());
        let given = spawn_blocking(move || caches.release(&project, &build)).await;
        let id = request.id().clone();
        match given {
            Ok(Ok(Some(folder))) => {
                let caches = Arc::clone(&self.grounds.caches);
                spawn_blocking(move || {
                    if let Err(error) = caches.settle(&folder) {
                        tracing::warn!(build = %id, %error, "a local cache's size is not known");
                    }
                });
            }
            Ok(Ok(None)) | Err(_) => {}
            Ok(Err(error)) => {
                tracing::warn!(build = %id, %error, "a local cache is not given back");
            }
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
        let journal = journal_of(&self.grounds.journals, id);
        let opened = self
            .grounds
            .watch
            .add(&journal)
            .and_then(|watched| Ok((watched, Follower::open(&journal, self.logged(stream))?)));
        let (watched, mut follower) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                tracing::error!(build = %id, %error, "the journal cannot be followed");
                self.driver.inputs(id, vec![(Input::Exited(Exited::Died), None)]).await;
                self.charge.ending.cancelled().await;
                return None;
            }
        };
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
                () = watched.grown.notified() => {}
                () = sleep_until(flush_at.unwrap_or_else(Instant::now)), if flush_at.is_some() => {
                    self.log(stream, follower.flush()).await;
                }
                () = sleep_until(commands.due.unwrap_or_else(Instant::now)),
                    if commands.due.is_some() => self.keep(commands).await,
                () = self.charge.ending.cancelled() => break Ended::Wanted,
                exit = &mut exit => match self.drain(&mut follower, stream, commands).await {
                    Ok(true) => break Ended::Wanted,
                    Ok(false) | Err(_) => break Ended::Exited(self.exited(&exit)),
                }
            }
        };
        if let Ended::Exited(exited) = ended {
            if let Exited::OutOfDisk { .. } = exited {
                let mut lines = follower.flush();
                lines.push(agents_line(&exited.message(), follower.offset()));
                self.log(stream, lines).await;
            }
            self.driver.inputs(id, vec![(Input::Exited(exited), None)]).await;
            self.charge.ending.cancelled().await;
        }
        Some(follower)
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
            self.driver.inputs(self.charge.request.id(), inputs).await;
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
            let journal = journal_of(&self.grounds.journals, self.charge.request.id());
            *follower = Follower::open(&journal, self.logged(stream)).ok();
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
            let kept = self.grounds.store.commit_durably(vec![change.clone()], Durability::Process);
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
        let logs = self.grounds.logs.clone();
        match spawn_blocking(move || logs.sync(stream)).await {
            Ok(Ok(()) | Err(LogError::StreamMissing)) => {}
            Ok(Err(error)) => tracing::error!(error = %chain(&error), "a log may not be on disk"),
            Err(error) => tracing::error!(%error, "a log may not be on disk"),
        }
    }

    /// Sends a large log to the disk while it grows, so that its end need not wait for all of it.
    fn sync_early(&self, stream: StreamId, events: &[NewEvent]) {
        let bytes: usize = events.iter().map(|event| event.message.len()).sum();
        let before = self.written.fetch_add(bytes as u64, Ordering::Relaxed);
        if before / SYNC_BYTES == (before + bytes as u64) / SYNC_BYTES {
            return;
        }
        let logs = self.grounds.logs.clone();
        // What goes wrong is told when it is done once more, at the end.
        spawn_blocking(move || logs.sync(stream).ok());
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
            let batch = Batch { events: &events, source, ingested_at: millis(clock::now()) };
            match self.grounds.logs.append(stream, batch) {
                Ok(()) => return self.sync_early(stream, &events),
                // Somebody has deleted the stream: they do not want what it would hold.
                Err(LogError::StreamMissing) => return,
                // Output is never dropped: while the disk is full, the build's log waits for room.
                Err(error) => {
                    tracing::error!(error = %chain(&error), "output is not in the log; trying again");
                    tokio::time::sleep(RETRY_AFTER).await;
                }
            }
        }
    }

    async fn log_stream(&self) -> Option<StreamId> {
        let target = self.charge.request.log_target()?;
        loop {
            let (logs, target) = (self.grounds.logs.clone(), target.clone());
            let made = spawn_blocking(move || {
                let now = millis(clock::now());
                let group = NewGroup {
                    region: target.region,
                    name: target.group,
                    class: GroupClass::Standard,
                    tags: std::collections::BTreeMap::new(),
                    created_at: now,
                };
                logs.ensure_stream(&group, &target.stream, now)
            });
            match made.await {
                Ok(Ok(stream)) => return Some(stream),
                Ok(Err(error)) => {
                    tracing::error!(error = %chain(&error), "no log stream; trying again");
                }
                Err(error) => tracing::error!(%error, "no log stream; trying again"),
            }
            tokio::time::sleep(RETRY_AFTER).await;
        }
    }

    /// How much of the journal is in the log already.
    fn logged(&self, stream: Option<StreamId>) -> u64 {
        let source = |stream| self.grounds.logs.source_offset(stream).ok().flatten();
        stream.and_then(source).unwrap_or_default()
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
                Ok(Ok(())) => return,
                Ok(Err(fault)) => {
                    tracing::error!(%container, error = %chain(&fault), "a container stays");
                }
                Err(_) => tracing::error!(%container, "a container takes long to go"),
            }
            tokio::time::sleep(RETRY_AFTER).await;
        }
    }
}
