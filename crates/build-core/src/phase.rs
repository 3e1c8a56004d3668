//! Which phases a build has, in which order, and which statuses end it.

use agent_protocol::{AgentPhase, PhaseOutcome, PhaseStatus, Timestamp};
use serde::{Deserialize, Serialize};

/// A phase of a build, in order: those that only the service sees, and the agent's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Phase {
    /// The request was accepted.
    Submitted,
    /// The build waits for capacity.
    Queued,
    /// The environment is made.
    Provisioning,
    /// See [`AgentPhase::DownloadSource`].
    DownloadSource,
    /// See [`AgentPhase::Install`].
    Install,
    /// See [`AgentPhase::PreBuild`].
    PreBuild,
    /// See [`AgentPhase::Build`].
    Build,
    /// See [`AgentPhase::PostBuild`].
    PostBuild,
    /// See [`AgentPhase::UploadArtifacts`].
    UploadArtifacts,
    /// The environment is taken away.
    Finalizing,
    /// The build is over. A mark more than a phase: it has a beginning and nothing else.
    Completed,
}

impl Phase {
    /// The phase's name as AWS writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Submitted => "SUBMITTED",
            Self::Queued => "QUEUED",
            Self::Provisioning => "PROVISIONING",
            Self::DownloadSource => AgentPhase::DownloadSource.as_str(),
            Self::Install => AgentPhase::Install.as_str(),
            Self::PreBuild => AgentPhase::PreBuild.as_str(),
            Self::Build => AgentPhase::Build.as_str(),
            Self::PostBuild => AgentPhase::PostBuild.as_str(),
            Self::UploadArtifacts => AgentPhase::UploadArtifacts.as_str(),
            Self::Finalizing => "FINALIZING",
            Self::Completed => "COMPLETED",
        }
    }
}

impl From<AgentPhase> for Phase {
    fn from(phase: AgentPhase) -> Self {
        match phase {
            AgentPhase::DownloadSource => Self::DownloadSource,
            AgentPhase::Install => Self::Install,
            AgentPhase::PreBuild => Self::PreBuild,
            AgentPhase::Build => Self::Build,
            AgentPhase::PostBuild => Self::PostBuild,
            AgentPhase::UploadArtifacts => Self::UploadArtifacts,
        }
    }
}

/// One phase as it went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseRecord {
    /// Which.
    pub phase: Phase,
    /// When it began, which is when the one before it ended.
    pub started_at: Timestamp,
    /// When and how it ended; none while it runs, and for `Completed` for ever.
    pub ended: Option<(Timestamp, PhaseOutcome)>,
}

/// How a build ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum BuildStatus {
    /// Every phase went well.
    Succeeded,
    /// A phase failed by what the user wrote.
    Failed,
    /// The service or the machine went wrong.
    Fault,
    /// Its time, running or queued, was over.
    TimedOut,
    /// Somebody stopped it.
    Stopped,
}

impl BuildStatus {
    /// The status as AWS writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::Fault => "FAULT",
            Self::TimedOut => "TIMED_OUT",
            Self::Stopped => "STOPPED",
        }
    }

    /// The status of a build whose phases ended so: the worst of them counts.
    pub fn of_phases(phases: &[PhaseRecord]) -> Self {
        let mut worst = Self::Succeeded;
        for (_, outcome) in phases.iter().filter_map(|record| record.ended.as_ref()) {
            match (outcome.status, worst) {
                (PhaseStatus::Fault, _) => return Self::Fault,
                (PhaseStatus::Stopped, _) => worst = Self::Stopped,
                (PhaseStatus::TimedOut, _) => worst = Self::TimedOut,
                (PhaseStatus::Failed, Self::Succeeded) => worst = Self::Failed,
                (PhaseStatus::Failed | PhaseStatus::Succeeded, _) => {}
            }
        }
        worst
    }
}
