//! The value itself: what a build is, how an event changes it, what it wants.

use crate::{BuildId, BuildStatus, Event, Phase, PhaseRecord, Submitted};
use agent_protocol::{ArtifactUploaded, BuildUsed, PhaseOutcome, Timestamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A build, from its submission to its end and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Build {
    /// What was submitted.
    pub submitted: Submitted,
    /// How far it is.
    pub stage: Stage,
    /// Its phases, contiguous and in order.
    pub phases: Vec<PhaseRecord>,
    /// The exact version of the primary source, once known.
    pub resolved_source_version: Option<String>,
    /// The exported variables, once known.
    pub exported_variables: Vec<(String, String)>,
    /// The artifacts uploaded.
    pub artifacts: Vec<ArtifactUploaded>,
    /// How often at most the buildspec asks that the build be started again, if it does.
    #[serde(default)]
    pub retry_asked: Option<u32>,
    /// The build that this one was started again as.
    #[serde(default)]
    pub retried_as: Option<BuildId>,
    /// What it used; none until its agent has told.
    #[serde(default)]
    pub used: Option<BuildUsed>,
    /// What its whole log is known by; none before its end, and for one without a log.
    #[serde(default)]
    pub log: Option<LogDigest>,
    /// How many events made this value: the next event's sequence number.
    pub events: u64,
}

/// What a finished log is known by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogDigest {
    /// The SHA-256 of the messages of all its events, one behind the other, in hexadecimal digits.
    pub sha256: String,
    /// How many events there are.
    pub events: u64,
    /// How many bytes their messages have.
    pub bytes: u64,
}

/// How far a build is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "snake_case")]
pub enum Stage {
    /// It waits for capacity.
    Queued,
    /// Its container is being made; the agent has not spoken yet.
    Provisioning,
    /// The agent runs it.
    Running,
    /// Its container is being taken away; the status is certain.
    Ending {
        /// How it will have ended.
        status: BuildStatus,
    },
    /// It is over. Nothing changes any more.
    Finished {
        /// How it ended.
        status: BuildStatus,
        /// When it ended.
        at: Timestamp,
    },
}

/// What the world should look like for a build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Whether its container should exist.
    pub container: Presence,
    /// When [`crate::Input::DeadlinePassed`] is due, if ever.
    pub deadline: Option<Timestamp>,
}

/// Whether something should exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It should not.
    Absent,
    /// It should.
    Present,
}

impl Build {
    /// The build that a submission makes: accepted, and waiting for capacity.
    pub fn new(submitted: Submitted) -> Self {
        let at = submitted.received_at;
        // AWS: SUBMITTED and QUEUED carry no contexts when they succeed.
        let accepted = PhaseOutcome { contexts: Vec::new(), ..PhaseOutcome::succeeded() };
        let phases = vec![
            PhaseRecord { phase: Phase::Submitted, started_at: at, ended: Some((at, accepted)) },
            PhaseRecord { phase: Phase::Queued, started_at: at, ended: None },
        ];
        Self {
            submitted,
            stage: Stage::Queued,
            phases,
            resolved_source_version: None,
            exported_variables: Vec::new(),
            artifacts: Vec::new(),
            retry_asked: None,
            retried_as: None,
            used: None,
            log: None,
            events: 1,
        }
    }

    /// Makes the value that a stored history describes; none when it does not begin with
    /// [`Event::Submitted`].
    pub fn replay<'a>(events: impl IntoIterator<Item = &'a Event>) -> Option<Self> {
        let mut events = events.into_iter();
        let Some(Event::Submitted(submitted)) = events.next() else { return None };
        Some(events.fold(Self::new(submitted.clone()), Self::evolve))
    }

    /// The build's id.
    pub fn id(&self) -> &BuildId {
        &self.submitted.id
    }

    /// The phase that began last.
    pub fn current_phase(&self) -> Phase {
        self.phases.last().map_or(Phase::Submitted, |record| record.phase)
    }

    /// How the build ended; none while it has not.
    pub fn status(&self) -> Option<BuildStatus> {
        match self.stage {
            Stage::Finished { status, .. } => Some(status),
            Stage::Queued | Stage::Provisioning | Stage::Running | Stage::Ending { .. } => None,
        }
    }

    /// When the build ended; none while it has not.
    pub fn ended_at(&self) -> Option<Timestamp> {
        match self.stage {
            Stage::Finished { at, .. } => Some(at),
            Stage::Queued | Stage::Provisioning | Stage::Running | Stage::Ending { .. } => None,
        }
    }

    /// How long it had the machine: from leaving the queue to its end, or until `now`.
    pub fn on_machine(&self, now: Timestamp) -> Duration {
        let since = self.start_of(Phase::Provisioning);
        since.map_or(Duration::ZERO, |since| self.ended_at().unwrap_or(now).since(since))
    }

    /// What the world should look like now.
    pub fn wanted(&self) -> Wanted {
        let minutes = |count: u32| Duration::from_secs(u64::from(count) * 60);
        let queued = self.submitted.received_at;
        match self.stage {
            Stage::Queued => Wanted {
                container: Presence::Absent,
                deadline: Some(queued.after(minutes(self.submitted.queued_timeout_minutes))),
            },
            Stage::Provisioning | Stage::Running => {
                let left_queue = self.start_of(Phase::Provisioning).unwrap_or(queued);
                Wanted {
                    container: Presence::Present,
                    deadline: Some(left_queue.after(minutes(self.submitted.timeout_minutes))),
                }
            }
            Stage::Ending { .. } | Stage::Finished { .. } => {
                Wanted { container: Presence::Absent, deadline: None }
            }
        }
    }

    /// How many automatic retries there may be in all: what the project allows, or what the
    /// buildspec asks for.
    pub fn auto_retry_limit(&self) -> u32 {
        self.submitted.auto_retry.limit.max(self.retry_asked.unwrap_or_default())
    }

    /// Whether [`crate::Input::RetryAs`] is due: the build ends, has failed, and may be started again.
    pub fn retry_is_due(&self) -> bool {
        let Stage::Ending { status } = self.stage else { return false };
        let failed = match status {
            BuildStatus::Failed | BuildStatus::Fault | BuildStatus::TimedOut => true,
            BuildStatus::Succeeded | BuildStatus::Stopped => false,
        };
        failed
            && self.start_of(Phase::Provisioning).is_some()
            && self.submitted.auto_retry.number < self.auto_retry_limit()
            && self.retried_as.is_none()
    }

    /// When a phase began, if it has.
    pub fn start_of(&self, phase: Phase) -> Option<Timestamp> {
        self.phases.iter().find(|record| record.phase == phase).map(|record| record.started_at)
    }

    /// Applies one recorded event. Total: any stored history replays.
    #[must_use]
    pub fn evolve(mut self, event: &Event) -> Self {
        match event {
            Event::Submitted(submitted) => return Self::new(submitted.clone()),
            Event::PhaseChanged { to, outcome, at } => {
                self.end_phase(outcome, *at);
                self.start_phase(*to);
            }
            Event::PhaseEnded { outcome, at } => self.end_phase(outcome, *at),
            Event::PhaseStarted { phase } => self.start_phase(*phase),
            Event::Ending { status } => self.stage = Stage::Ending { status: *status },
            Event::SourceResolved { version } => {
                self.resolved_source_version = Some(version.clone());
            }
            Event::Exported { variables } => self.exported_variables.clone_from(variables),
            Event::ArtifactUploaded(artifact) => self.artifacts.push(artifact.clone()),
            Event::RetryAsked { count } => self.retry_asked = Some(*count),
            Event::RetriedAs { id } => self.retried_as = Some(id.clone()),
            Event::Used(used) => self.used = Some(*used),
            Event::Logged(digest) => self.log = Some(digest.clone()),
            Event::Finished { at } => {
                if let Stage::Ending { status } = self.stage {
                    self.stage = Stage::Finished { status, at: *at };
                }
            }
        }
        self.events += 1;
        self
    }

    fn end_phase(&mut self, outcome: &PhaseOutcome, at: Timestamp) {
        if let Some(record) = self.phases.last_mut().filter(|record| record.ended.is_none()) {
            // A clock that was set back must not end a phase before it began.
            record.ended = Some((at.max(record.started_at), outcome.clone()));
        }
    }

    fn start_phase(&mut self, phase: Phase) {
        let last_end = self.phases.last().and_then(|record| record.ended.as_ref()).map(|end| end.0);
        let started_at = last_end.unwrap_or(self.submitted.received_at);
        self.phases.push(PhaseRecord { phase, started_at, ended: None });
        match phase {
            Phase::Provisioning => self.stage = Stage::Provisioning,
            Phase::DownloadSource => self.stage = Stage::Running,
            Phase::Submitted
            | Phase::Queued
            | Phase::Install
            | Phase::PreBuild
            | Phase::Build
            | Phase::PostBuild
            | Phase::UploadArtifacts
            | Phase::Finalizing
            | Phase::Completed => {}
        }
    }

    /// Whether the phase that began last is still open.
    pub(crate) fn phase_is_open(&self) -> bool {
        self.phases.last().is_some_and(|record| record.ended.is_none())
    }
}
