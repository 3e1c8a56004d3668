//! What one container needs while it lives: it is launched, its journal is followed into the log
//! and the driver, its end is noticed, and it is taken away.
//!
//! An attendant keeps nothing that it could not find again: after a restart another one launches
//! the same id, which finds the container, and reads the same journal.

use super::{
    Driver, JournalWatch, chain,
    follower::{FollowError, Follower, Item},
    lines::Line,
    not_launched,
};
use crate::{build_request::BuildRequest, provision::Provision};
use agent_protocol::{Fact, Timestamp};
use build_core::{BuildId, Exited, Input};
use executor::{Container, ContainerId, ContainerSpec, Executor, Exit};
use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use store::logs::{LogStore, NewEvent, Stream};
use tokio::{sync::watch, time::timeout};
use tokio_util::sync::CancellationToken;

/// How long a line that has begun waits for its end before the log shows it as it is.
const PENDING_LINE_AFTER: Duration = Duration::from_millis(500);

/// How long the attendant waits before it tries again what failed.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// What all attendants share.
pub struct Grounds {
    /// What makes containers.
    pub executor: Arc<dyn Executor>,
    /// Where output goes.
    pub logs: LogStore,
    /// Tells when journals grow.
    pub watch: JournalWatch,
    /// The folder of the journals, one file per build.
    pub journals: PathBuf,
    /// Makes specs from requests.
    pub provision: Provision,
    /// Serves the service to a container, on sockets inside its network.
    pub serve: Box<dyn Fn(Container, ServedBuild) + Send + Sync>,
    /// Counts the builds that have ended, for whoever waits for one.
    pub ended: watch::Sender<u64>,
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
    pub(super) journal_offset: u64,
    /// Cancelled when the container is to go.
    pub(super) ending: CancellationToken,
}

/// Starts an attendant.
pub(super) fn spawn(grounds: Arc<Grounds>, driver: Driver, charge: Charge) {
    tokio::spawn(async move {
        Attendant { grounds, driver, charge }.run().await;
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
    match grounds.executor.list().await {
        Ok(ids) => {
            for id in ids.iter().filter(|id| !live.contains(id.as_str())) {
                if let Err(fault) = grounds.executor.destroy(id).await {
                    tracing::warn!(container = %id, error = %chain(&fault), "a container is left");
                }
            }
        }
        Err(fault) => tracing::warn!(error = %chain(&fault), "containers cannot be listed"),
    }
    for entry in std::fs::read_dir(&grounds.journals).into_iter().flatten().flatten() {
        if !live.contains(entry.file_name().to_string_lossy().as_ref()) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

fn journal_of(journals: &Path, id: &BuildId) -> PathBuf {
    journals.join(id.uuid())
}

struct Attendant {
    grounds: Arc<Grounds>,
    driver: Driver,
    charge: Charge,
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
        let stream = self.log_stream().await;
        let mut follower = None;
        if !self.charge.ending.is_cancelled() {
            match self.launch(&container, &gone).await {
                Ok(()) => {
                    follower = self.follow(&container, stream.as_ref()).await;
                }
                Err(error) => {
                    self.driver.inputs(&id, vec![(not_launched(&error), None)]).await;
                    self.charge.ending.cancelled().await;
                }
            }
        }
        self.destroy(&container).await;
        gone.cancel();
        self.read_out(follower, stream.as_ref()).await;
        self.driver.inputs(&id, vec![(Input::Gone, None)]).await;
    }

    async fn launch(
        &self,
        container: &ContainerId,
        gone: &CancellationToken,
    ) -> Result<(), executor::LaunchError> {
        let charge = &self.charge;
        let journal = journal_of(&self.grounds.journals, charge.request.id());
        let expires_at = charge.deadline.unwrap_or(charge.received_at);
        let occasion = crate::provision::Occasion {
            number: charge.number,
            received_at: charge.received_at,
            expires_at,
        };
        let spec: ContainerSpec = self
            .grounds
            .provision
            .spec(&charge.request, &occasion, container.clone(), journal)
            .map_err(executor::LaunchError::Image)?;
        let launched = self.grounds.executor.launch(&spec).await?;
        let served = ServedBuild {
            request: Arc::clone(&charge.request),
            expires_at,
            gone: gone.clone(),
        };
        (self.grounds.serve)(launched, served);
        Ok(())
    }

    /// Follows the journal until the container is to go or has gone.
    async fn follow(
        &self,
        container: &ContainerId,
        stream: Option<&Stream>,
    ) -> Option<Follower> {
        let id = self.charge.request.id();
        let journal = journal_of(&self.grounds.journals, id);
        let opened = self.grounds.watch.add(&journal).and_then(|watched| {
            Ok((watched, Follower::open(&journal, self.logged(stream))?))
        });
        let (watched, mut follower) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                tracing::error!(build = %id, %error, "the journal cannot be followed");
                self.driver.inputs(id, vec![(Input::Exited(Exited::Died), None)]).await;
                self.charge.ending.cancelled().await;
                return None;
            }
        };
        let exit = self.grounds.executor.watch(container);
        tokio::pin!(exit);
        let ended = loop {
            match self.drain(&mut follower, stream).await {
                Ok(false) => {}
                Ok(true) => break Ended::Wanted,
                Err(error) => {
                    tracing::error!(build = %id, error = %chain(&error), "a journal is damaged");
                    break Ended::Exited(Exited::Died);
                }
            }
            let pending = follower.has_pending_line();
            tokio::select! {
                () = watched.grown.notified() => {}
                () = tokio::time::sleep(PENDING_LINE_AFTER), if pending => {
                    self.log(stream, follower.flush()).await;
                }
                () = self.charge.ending.cancelled() => break Ended::Wanted,
                exit = &mut exit => match self.drain(&mut follower, stream).await {
                    Ok(true) => break Ended::Wanted,
                    Ok(false) | Err(_) => break Ended::Exited(self.exited(&exit)),
                }
            }
        };
        if let Ended::Exited(exited) = ended {
            self.driver.inputs(id, vec![(Input::Exited(exited), None)]).await;
            self.charge.ending.cancelled().await;
        }
        Some(follower)
    }

    /// Takes everything that stands in the journal; whether the agent's last word was among it.
    async fn drain(
        &self,
        follower: &mut Follower,
        stream: Option<&Stream>,
    ) -> Result<bool, FollowError> {
        let mut finished = false;
        while let Some(items) = follower.read()? {
            let mut inputs = Vec::new();
            for item in items {
                match item {
                    Item::Lines(lines) => self.log(stream, lines).await,
                    Item::Fact(fact, at, offset) => {
                        finished |= fact == Fact::Finished;
                        if finished {
                            // Whoever sees the build's end sees its whole log.
                            self.log(stream, follower.flush()).await;
                        }
                        inputs.push((Input::Fact(fact, at), Some(offset)));
                    }
                }
            }
            self.driver.inputs(self.charge.request.id(), inputs).await;
        }
        Ok(finished)
    }

    /// After the container is gone nothing is written any more: the log gets the rest.
    async fn read_out(&self, follower: Option<Follower>, stream: Option<&Stream>) {
        let follower = follower.or_else(|| {
            let journal = journal_of(&self.grounds.journals, self.charge.request.id());
            Follower::open(&journal, self.logged(stream)).ok()
        });
        if let Some(mut follower) = follower {
            // A journal torn by the container's end holds nothing more that is whole.
            let _ = self.drain(&mut follower, stream).await;
            self.log(stream, follower.flush()).await;
        }
        if let Some(stream) = stream
            && let Err(fault) = self.grounds.logs.sync(stream)
        {
            tracing::error!(error = %chain(&fault), "a log may not be on disk");
        }
    }

    async fn log(&self, stream: Option<&Stream>, lines: Vec<Line>) {
        let Some(stream) = stream.filter(|_| !lines.is_empty()) else { return };
        let events: Vec<NewEvent> = lines
            .into_iter()
            .map(|line| NewEvent {
                timestamp: i64::try_from(line.at.millis()).unwrap_or(i64::MAX),
                message: line.text,
                source: line.position,
            })
            .collect();
        // Output is never dropped: while the disk is full, the build's log waits for room.
        while let Err(fault) = self.grounds.logs.append(stream, &events) {
            tracing::error!(error = %chain(&fault), "output is not in the log; trying again");
            tokio::time::sleep(RETRY_AFTER).await;
        }
    }

    async fn log_stream(&self) -> Option<Stream> {
        let target = self.charge.request.log_target()?;
        loop {
            match self.grounds.logs.ensure_stream(&target.region, &target.group, &target.stream).await
            {
                Ok(stream) => return Some(stream),
                Err(fault) => {
                    tracing::error!(error = %chain(&fault), "no log stream; trying again");
                    tokio::time::sleep(RETRY_AFTER).await;
                }
            }
        }
    }

    fn logged(&self, stream: Option<&Stream>) -> u64 {
        stream.and_then(|stream| self.grounds.logs.source_offset(stream).ok()).unwrap_or_default()
    }

    fn exited(&self, exit: &Exit) -> Exited {
        tracing::warn!(build = %self.charge.request.id(), ?exit, "a container ended early");
        match exit {
            Exit::OutOfMemory => Exited::OutOfMemory,
            Exit::Exited { .. } | Exit::Killed { .. } | Exit::Lost | Exit::NeverStarted => {
                Exited::Died
            }
        }
    }

    async fn destroy(&self, container: &ContainerId) {
        loop {
            match timeout(Duration::from_secs(60), self.grounds.executor.destroy(container)).await {
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
