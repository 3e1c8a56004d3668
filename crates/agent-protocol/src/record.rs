//! What the agent writes into the journal.

use crate::{AgentPhase, BuildUsed, CommandEnded, CommandStarted, PhaseOutcome, Timestamp};
use serde::{Deserialize, Serialize};

/// One entry of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// When the agent wrote it, by the environment's clock.
    pub at: Timestamp,
    /// What it says.
    pub body: RecordBody,
}

/// What an entry says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordBody {
    /// Bytes for the build's log, as they were printed: cut anywhere, in any encoding.
    ///
    /// One log event is one line; whoever reads the journal finds the line ends.
    Log(Vec<u8>),
    /// Something that happened to the build.
    Fact(Fact),
}

/// Something that happened to the build.
///
/// New kinds may be added; a reader of an older version refuses what it does not know, so the
/// service is upgraded before the agents it starts, which its embedding them guarantees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum Fact {
    /// The agent runs. Always the first record.
    Hello {
        /// The version of this protocol that the agent speaks.
        protocol: u32,
    },
    /// A phase began.
    PhaseStarted {
        /// Which.
        phase: AgentPhase,
    },
    /// The phase that began last ended.
    PhaseFinished {
        /// Which.
        phase: AgentPhase,
        /// How, and why.
        outcome: PhaseOutcome,
    },
    /// A command began.
    CommandStarted(CommandStarted),
    /// The command that began last ended.
    CommandEnded(CommandEnded),
    /// The primary source's version is known exactly, such as a commit id.
    SourceResolved {
        /// The exact version.
        version: String,
    },
    /// All sources are there, and no process that fetched them is left. Written before anything of
    /// the user's is run, where a source is a Git repository.
    SourcesFetched,
    /// The buildspec asks that commands may have the credentials of the build's sources.
    GitCredentialHelper,
    /// The values of the buildspec's exported variables, once `post_build` is over.
    Exported {
        /// Name and value, in the buildspec's order.
        variables: Vec<(String, String)>,
    },
    /// An artifact stands in its bucket, whole.
    ArtifactUploaded(ArtifactUploaded),
    /// What the build used, told once, before the last word.
    Used(BuildUsed),
    /// A phase failed, and the buildspec asks that the build be started again for it.
    RetryAsked {
        /// How often at most, whichever retry this build is.
        count: u32,
    },
    /// The agent has nothing more to say. Always the last record of a build that ran to its end.
    Finished,
}

impl Fact {
    /// Whether it tells of a command, by which nobody decides anything.
    pub const fn is_of_a_command(&self) -> bool {
        matches!(self, Self::CommandStarted(_) | Self::CommandEnded(_))
    }
}

/// Where an artifact went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactUploaded {
    /// The secondary artifact's identifier; none for the primary artifact.
    pub identifier: Option<String>,
    /// The bucket's name.
    pub bucket: String,
    /// The object's key for a ZIP; the prefix of the files' keys otherwise.
    pub key: String,
    /// Hexadecimal MD5 of a ZIP; none for loose files.
    pub md5: Option<String>,
    /// Hexadecimal SHA-256 of a ZIP; none for loose files.
    pub sha256: Option<String>,
}
