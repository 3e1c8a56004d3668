//! What can have happened to a build. Events are kept for ever: kinds are added, never changed.

use crate::{BuildId, BuildStatus, LogDigest, Phase};
use agent_protocol::{ArtifactUploaded, BuildUsed, PhaseOutcome, Timestamp};
use serde::{Deserialize, Serialize};

/// How a build begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submitted {
    /// The build's id.
    pub id: BuildId,
    /// The build's number among its project's builds, from 1.
    pub number: u64,
    /// Minutes it may run, once it has left the queue.
    pub timeout_minutes: u32,
    /// Minutes it may wait for capacity.
    pub queued_timeout_minutes: u32,
    /// When the request arrived.
    pub received_at: Timestamp,
    /// Whether it is started again when it fails.
    #[serde(default)]
    pub auto_retry: AutoRetry,
}

/// How often a build is started again by itself when it fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AutoRetry {
    /// How many retries the project allows.
    pub limit: u32,
    /// Which retry this build is; 0 for the first try.
    pub number: u32,
}

/// Something that happened to a build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The build was accepted. Always the first, and only the first.
    Submitted(Submitted),
    /// A phase ended and the next began, at one moment.
    PhaseChanged {
        /// The phase that begins.
        to: Phase,
        /// How the phase before it ended.
        outcome: PhaseOutcome,
        /// When.
        at: Timestamp,
    },
    /// The open phase ended; what follows is not known yet.
    PhaseEnded {
        /// How it ended.
        outcome: PhaseOutcome,
        /// When.
        at: Timestamp,
    },
    /// A phase began, at the moment the one before it ended.
    PhaseStarted {
        /// Which.
        phase: Phase,
    },
    /// The container is to go, and the build to end as `status` when it has.
    Ending {
        /// How the build will end.
        status: BuildStatus,
    },
    /// The primary source's version became known.
    SourceResolved {
        /// The exact version.
        version: String,
    },
    /// The exported variables have their values.
    Exported {
        /// Name and value.
        variables: Vec<(String, String)>,
    },
    /// An artifact stands in its bucket.
    ArtifactUploaded(ArtifactUploaded),
    /// What the build used is known.
    Used(BuildUsed),
    /// The buildspec asked that the build be started again.
    RetryAsked {
        /// How often at most.
        count: u32,
    },
    /// The build is started again as another.
    RetriedAs {
        /// The other build.
        id: BuildId,
    },
    /// The log is whole.
    Logged(LogDigest),
    /// The build is over and nothing of it runs.
    Finished {
        /// When.
        at: Timestamp,
    },
}
