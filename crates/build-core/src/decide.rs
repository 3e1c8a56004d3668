//! What an input means for a build in its present state.

use crate::{Build, BuildId, BuildStatus, Event, LogDigest, Phase, Stage};
use agent_protocol::{Fact, PhaseContext, PhaseOutcome, PhaseStatus, Timestamp};

/// Something that arrived for a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// There is capacity: the build may leave the queue.
    Admitted,
    /// Its container could not be made, for a reason that the context gives.
    NotLaunched {
        /// Whose fault it is: `Failed` when the user can mend it, `Fault` otherwise.
        status: PhaseStatus,
        /// The status code and the sentence.
        context: PhaseContext,
    },
    /// The agent recorded a fact, at the moment that its record carries.
    Fact(Fact, Timestamp),
    /// The container ended, and everything that the agent wrote has been read.
    Exited(Exited),
    /// The build may be started again as this one, which [`Build::retry_is_due`] asks for.
    RetryAs(BuildId),
    /// Its log is whole, and known by this; asked for before [`Input::Gone`].
    Logged(LogDigest),
    /// The container is gone, or there never was one: nothing of the build runs.
    Gone,
    /// Somebody asked to stop the build.
    Stop,
    /// The deadline that [`Build::wanted`] named has passed.
    DeadlinePassed,
}

/// Why a container ended before the agent had said its last word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exited {
    /// Its memory was used up.
    OutOfMemory,
    /// It took too much of the disk.
    OutOfDisk {
        /// The bytes that it took.
        used_bytes: u64,
        /// Its limit; none when the machine had too little left for anybody.
        bytes_max: Option<u64>,
    },
    /// It ended or was killed, and nobody knows better.
    Died,
}

/// The text that CodeBuild shows for a container that died.
// AWS: the same sentence whether memory or the image is to blame.
const FOUND_DEAD: &str = "Build container found dead before completing the build. Build container \
    died because it was out of memory, or the Docker image is not supported. ErrorCode: 500";

impl Build {
    /// What `input` means now. The same state, input and time give the same events; an input that
    /// means nothing any more, such as a second stop, gives none.
    pub fn decide(&self, input: &Input, now: Timestamp) -> Vec<Event> {
        match (&self.stage, input) {
            // Late inputs are expected: agents and callers may outlive the build.
            (Stage::Finished { .. }, _) => Vec::new(),
            (Stage::Queued, Input::Admitted) => vec![self.left_queue(now)],
            (_, Input::Admitted) => Vec::new(),
            (Stage::Ending { .. }, Input::RetryAs(id)) if self.retry_is_due() => {
                vec![Event::RetriedAs { id: id.clone() }]
            }
            (_, Input::RetryAs(_)) => Vec::new(),
            (Stage::Ending { .. }, Input::Logged(digest)) => vec![Event::Logged(digest.clone())],
            (_, Input::Logged(_)) => Vec::new(),
            (Stage::Ending { status }, Input::Gone) => self.over(*status, now),
            (Stage::Ending { .. }, Input::Fact(Fact::ArtifactUploaded(artifact), _)) => {
                vec![Event::ArtifactUploaded(artifact.clone())]
            }
            (Stage::Ending { .. }, _) => Vec::new(),
            (_, Input::Stop) => vec![Event::Ending { status: BuildStatus::Stopped }],
            (_, Input::DeadlinePassed) => vec![Event::Ending { status: BuildStatus::TimedOut }],
            (Stage::Provisioning | Stage::Running, Input::NotLaunched { status, context }) => {
                let outcome = PhaseOutcome { status: *status, contexts: vec![context.clone()] };
                self.cut_short(outcome, now)
            }
            (Stage::Provisioning | Stage::Running, Input::Fact(fact, at)) => self.fact(fact, *at),
            (Stage::Provisioning | Stage::Running, Input::Exited(exited)) => {
                self.cut_short(died(*exited), now)
            }
            // A container that is gone without an exit was lost with its executor's state.
            (Stage::Provisioning | Stage::Running, Input::Gone) => {
                self.cut_short(died(Exited::Died), now)
            }
            (
                Stage::Queued,
                Input::NotLaunched { .. } | Input::Fact(..) | Input::Exited(_) | Input::Gone,
            ) => Vec::new(),
        }
    }

    fn left_queue(&self, now: Timestamp) -> Event {
        let outcome = PhaseOutcome { contexts: Vec::new(), ..PhaseOutcome::succeeded() };
        Event::PhaseChanged { to: Phase::Provisioning, outcome, at: now }
    }

    fn fact(&self, fact: &Fact, at: Timestamp) -> Vec<Event> {
        match fact {
            // Commands are kept apart: nothing is decided by them.
            Fact::Hello { .. }
            | Fact::SourcesFetched
            | Fact::GitCredentialHelper
            | Fact::CommandStarted(_)
            | Fact::CommandEnded(_) => Vec::new(),
            Fact::PhaseStarted { phase } => {
                let phase = Phase::from(*phase);
                if self.current_phase() >= phase {
                    Vec::new()
                } else if self.phase_is_open() {
                    let outcome = PhaseOutcome::succeeded();
                    vec![Event::PhaseChanged { to: phase, outcome, at }]
                } else {
                    vec![Event::PhaseStarted { phase }]
                }
            }
            Fact::PhaseFinished { phase, outcome } => {
                if self.current_phase() == Phase::from(*phase) && self.phase_is_open() {
                    vec![Event::PhaseEnded { outcome: outcome.clone(), at }]
                } else {
                    Vec::new()
                }
            }
            Fact::SourceResolved { version } => {
                vec![Event::SourceResolved { version: version.clone() }]
            }
            Fact::Exported { variables } => vec![Event::Exported { variables: variables.clone() }],
            Fact::ArtifactUploaded(artifact) => vec![Event::ArtifactUploaded(artifact.clone())],
            Fact::Used(used) => vec![Event::Used(*used)],
            Fact::RetryAsked { count } => vec![Event::RetryAsked { count: *count }],
            Fact::Finished => self.finalizing(at),
        }
    }

    /// The agent is done: the environment goes, and the phases say how the build ended.
    fn finalizing(&self, at: Timestamp) -> Vec<Event> {
        let status = BuildStatus::of_phases(&self.phases);
        let start = if self.phase_is_open() {
            let outcome = PhaseOutcome::succeeded();
            Event::PhaseChanged { to: Phase::Finalizing, outcome, at }
        } else {
            Event::PhaseStarted { phase: Phase::Finalizing }
        };
        vec![start, Event::Ending { status }]
    }

    /// The environment failed under the build: the open phase takes the blame.
    fn cut_short(&self, outcome: PhaseOutcome, at: Timestamp) -> Vec<Event> {
        let status = match outcome.status {
            PhaseStatus::Fault => BuildStatus::Fault,
            PhaseStatus::Stopped => BuildStatus::Stopped,
            PhaseStatus::TimedOut => BuildStatus::TimedOut,
            PhaseStatus::Failed | PhaseStatus::Succeeded => BuildStatus::Failed,
        };
        let mut events = Vec::with_capacity(3);
        if self.phase_is_open() {
            events.push(Event::PhaseChanged { to: Phase::Finalizing, outcome, at });
        } else {
            events.push(Event::PhaseStarted { phase: Phase::Finalizing });
        }
        events.push(Event::Ending { status });
        events
    }

    /// Nothing of the build runs any more.
    fn over(&self, status: BuildStatus, now: Timestamp) -> Vec<Event> {
        // AWS: a stopped phase has no contexts, a timed-out one has this, trailing space and all.
        let outcome = match status {
            _ if self.current_phase() == Phase::Finalizing => PhaseOutcome::succeeded(),
            BuildStatus::TimedOut => PhaseOutcome {
                status: PhaseStatus::TimedOut,
                ..PhaseOutcome::failed("BUILD_TIMED_OUT", "Build has timed out. ")
            },
            BuildStatus::Stopped => {
                PhaseOutcome { status: PhaseStatus::Stopped, contexts: Vec::new() }
            }
            BuildStatus::Succeeded | BuildStatus::Failed | BuildStatus::Fault => {
                PhaseOutcome::succeeded()
            }
        };
        let completed = if self.phase_is_open() {
            Event::PhaseChanged { to: Phase::Completed, outcome, at: now }
        } else {
            Event::PhaseStarted { phase: Phase::Completed }
        };
        // AWS: the build's end is the moment COMPLETED begins.
        let at = match &completed {
            Event::PhaseChanged { at, .. } => {
                (*at).max(self.phases.last().map_or(*at, |record| record.started_at))
            }
            _ => self
                .phases
                .last()
                .and_then(|record| record.ended.as_ref())
                .map_or(now, |(ended_at, _)| *ended_at),
        };
        vec![completed, Event::Finished { at }]
    }
}

impl Exited {
    /// What the build's phase says of it.
    pub fn message(self) -> String {
        match self {
            Self::OutOfMemory | Self::Died => FOUND_DEAD.to_owned(),
            Self::OutOfDisk { used_bytes, bytes_max } => {
                let used = gib(used_bytes);
                let why = match bytes_max.map(gib) {
                    Some(limit) => format!("it took {used} GiB, and may take {limit} GiB"),
                    None => format!("the machine had too little left, of which it took {used} GiB"),
                };
                format!(
                    "Build container found dead before completing the build. Build container died \
                     because it was out of disk: {why}. ErrorCode: 500"
                )
            }
        }
    }
}

/// Bytes in GiB, with a decimal where it says something.
fn gib(bytes: u64) -> String {
    let tenths = (u128::from(bytes) * 10).div_ceil(1 << 30);
    match tenths % 10 {
        0 => (tenths / 10).to_string(),
        tenth => format!("{}.{tenth}", tenths / 10),
    }
}

fn died(exited: Exited) -> PhaseOutcome {
    let message = exited.message();
    match exited {
        Exited::OutOfMemory | Exited::OutOfDisk { .. } => {
            PhaseOutcome::failed("CLIENT_ERROR", &message)
        }
        Exited::Died => PhaseOutcome {
            status: PhaseStatus::Fault,
            ..PhaseOutcome::failed("INTERNAL_SERVER_ERROR", &message)
        },
    }
}
