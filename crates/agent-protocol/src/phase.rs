//! The phases that an agent can report, and how one ends.

use serde::{Deserialize, Serialize};

/// A phase that runs inside the environment, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AgentPhase {
    /// Fetches the sources, reads the buildspec, settles the variables.
    DownloadSource,
    /// Runtimes, then the `install` commands.
    Install,
    /// The `pre_build` commands.
    PreBuild,
    /// The `build` commands.
    Build,
    /// The `post_build` commands.
    PostBuild,
    /// Artifacts, reports and caches leave the environment.
    UploadArtifacts,
}

impl AgentPhase {
    /// Every phase, in order.
    pub const ALL: [Self; 6] = [
        Self::DownloadSource,
        Self::Install,
        Self::PreBuild,
        Self::Build,
        Self::PostBuild,
        Self::UploadArtifacts,
    ];

    /// The phase's name as AWS writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DownloadSource => "DOWNLOAD_SOURCE",
            Self::Install => "INSTALL",
            Self::PreBuild => "PRE_BUILD",
            Self::Build => "BUILD",
            Self::PostBuild => "POST_BUILD",
            Self::UploadArtifacts => "UPLOAD_ARTIFACTS",
        }
    }
}

/// How a phase ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PhaseStatus {
    /// Everything in it went well.
    Succeeded,
    /// Something the user wrote went wrong.
    Failed,
    /// The service or the machine went wrong.
    Fault,
    /// The build's time was over.
    TimedOut,
    /// Somebody stopped the build.
    Stopped,
}

impl PhaseStatus {
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
}

/// Why a phase ended as it did: a status code such as `COMMAND_EXECUTION_ERROR`, and a sentence.
///
/// AWS: a phase that succeeded carries one context with both texts empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseContext {
    /// The code; empty on success.
    pub status_code: String,
    /// The sentence; empty on success.
    pub message: String,
}

/// How a phase ended, and why. A failing command is data of this kind, never an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseOutcome {
    /// How it ended.
    pub status: PhaseStatus,
    /// Why; empty for phases that AWS shows without contexts.
    pub contexts: Vec<PhaseContext>,
}

impl PhaseOutcome {
    /// The phase went well, with the one empty context that AWS shows.
    pub fn succeeded() -> Self {
        Self { status: PhaseStatus::Succeeded, contexts: vec![PhaseContext::default()] }
    }

    /// The phase failed for the reason given.
    pub fn failed(status_code: impl Into<String>, message: impl Into<String>) -> Self {
        let context = PhaseContext { status_code: status_code.into(), message: message.into() };
        Self { status: PhaseStatus::Failed, contexts: vec![context] }
    }

    /// The phase's first context, or the empty one.
    pub fn context(&self) -> PhaseContext {
        self.contexts.first().cloned().unwrap_or_default()
    }
}
