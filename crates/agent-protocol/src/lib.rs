//! What the agent and the service say to each other.
//!
//! The service gives [`Orders`] once, before the build starts. The agent answers by appending
//! [`Record`]s to one append-only [`journal`]: each chunk of output, each phase change, the last
//! word. There is no other channel.
//!
//! Both programs link this crate and may be of different versions. It knows how things are
//! spelled, and nothing of how they are decided, moved or stored.

mod cache;
mod command;
mod course;
mod git;
pub mod journal;
mod orders;
mod phase;
mod record;
mod reference;
mod timestamp;

pub use cache::{CacheOrder, LocalCache, LocalMode, LocalState, S3Cache};
pub use command::{
    BuildUsed, COMMAND_TEXT_BYTES_MAX, COMMANDS_MAX, CommandEnded, CommandList, CommandStarted,
    Used,
};
pub use course::Course;
pub use git::{GitReference, GitSettings, GitSource, GitVersion};
pub use orders::{
    ArtifactsOrder, BuildspecLocation, ComputeOrder, ComputeType, Credentials, NamespaceType,
    ObjectStore, Orders, Packaging, RuntimesOrder, S3Location, SecondarySource, Source, Variable,
};
pub use phase::{AgentPhase, PhaseContext, PhaseOutcome, PhaseStatus};
pub use record::{ArtifactUploaded, Fact, Record, RecordBody};
pub use reference::{Keeper, Reference};
pub use timestamp::Timestamp;

/// The version of orders and facts that this crate speaks.
pub const PROTOCOL_VERSION: u32 = 1;

#[cfg(test)]
mod tests;
