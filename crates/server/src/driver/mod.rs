//! The driver: the one loop that moves builds on.
//!
//! Inputs arrive in one queue: submissions and stops from callers, facts from journals, the ends of
//! containers, deadlines. The loop takes all that wait, asks each build what they mean, commits the
//! events, and only then lets anybody know and acts: it answers callers, starts containers and
//! ends them. What a container needs while it lives is the business of its [`attendant`].
//!
//! It knows nothing of AWS: what was asked for passes through as a [`BuildRequest`].

mod attendant;
mod commands;
mod follower;
pub mod lines;
mod machine;
mod turn;
mod watch;

pub use attendant::{Grounds, Observed, ServedBuild, ShellConnection};
pub use commands::KeptCommand;
pub use machine::{Machine, ThisMachine, Watched};
pub use watch::JournalWatch;

use crate::{build_request::BuildRequest, fault::chain};
use agent_protocol::{PhaseContext, PhaseStatus, Timestamp};
use build_core::{
    Build, BuildId, Input,
    queue::{Capacity, Wait},
};
use std::sync::Arc;
use store::Change;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

/// How many messages one turn of the loop takes at most.
const MESSAGES_PER_TURN_MAX: usize = 512;

/// The callers' end of the driver.
#[derive(Clone)]
pub struct Driver {
    messages: mpsc::Sender<Message>,
}

/// A build to be started.
pub struct Submission {
    /// What was asked for, settled.
    pub request: Arc<BuildRequest>,
    /// How many builds of the project may be under way, this one included.
    pub concurrent_max: Option<u32>,
    /// What else must be committed with it, or the build is not started.
    pub with: Vec<Change>,
}

/// Why a build was not started.
#[derive(Debug, Error)]
pub enum SubmitError {
    /// The project has as many builds under way as it allows.
    #[error("the project's limit of {0} concurrent builds is reached")]
    ConcurrentLimit(u32),
    /// Something that was to be committed with it does not fit what is stored.
    #[error("the submission conflicts with what is stored")]
    Conflict,
    /// The service ends, and takes no more work.
    #[error("the service is being stopped")]
    Stopping,
    /// The state could not be kept.
    #[error(transparent)]
    Fault(#[from] store::Fault),
}

/// What arrives at the loop.
enum Message {
    Submit(Box<Submission>, oneshot::Sender<Result<Build, SubmitError>>),
    Stop(BuildId, oneshot::Sender<Result<(), store::Fault>>),
    /// Inputs in order, each with the journal's offset after the record it came from.
    Inputs(BuildId, Vec<(Input, Option<u64>)>),
    /// Give the builds of a region that are under way.
    Survey(String, oneshot::Sender<Survey>),
    /// Give the counts.
    Count(oneshot::Sender<Counts>),
    /// Take no more work, and let nobody in.
    Drain(oneshot::Sender<Vec<BuildId>>),
}

impl Message {
    /// Whether the answer tells of all builds, as the store has them.
    fn asks_about_all(&self) -> bool {
        match self {
            Self::Count(_) | Self::Survey(..) | Self::Drain(_) => true,
            Self::Submit(..) | Self::Stop(..) | Self::Inputs(..) => false,
        }
    }
}

/// How many builds are where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// They wait for capacity.
    pub queued: usize,
    /// They have, or are about to have, a container.
    pub running: usize,
    /// Of these, their agent has not spoken yet.
    pub provisioning: usize,
    /// Of these, their container is being taken away.
    pub ending: usize,
    /// Since when the build waits that waits the longest.
    pub queued_since: Option<Timestamp>,
}

/// What is under way: the builds of a region, and what those of all regions take.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    /// They have, or are about to have, a container: those that were submitted first come first.
    pub running: Vec<BuildId>,
    /// They wait, and why: those that were submitted first come first.
    pub waiting: Vec<(BuildId, Wait)>,
    /// How many builds of all regions are where.
    pub counts: Counts,
    /// The sum of the memory limits of the builds that run.
    pub memory_bytes: u64,
    /// Whether no more builds are let in, because the service is about to end.
    pub draining: bool,
}

/// What told this machine's containers from others when the service last began, under no key.
const CONTAINERS: store::Collection = store::Collection::new("containers");

impl Driver {
    /// Goes on with the builds that are under way in the store, and takes new ones.
    pub async fn start(grounds: Arc<Grounds>, capacity: Capacity) -> Result<Self, store::Fault> {
        let (messages, inbox) = mpsc::channel(4_096);
        let driver = Self { messages };
        let turns = turn::Turns::resume(grounds, capacity, driver.clone()).await?;
        tokio::spawn(turns.run(inbox));
        Ok(driver)
    }

    /// Starts a build. When this answers, the build is kept and will run.
    ///
    /// The value given back is the build as it was accepted, waiting for capacity, whatever has
    /// become of it since.
    pub async fn submit(&self, submission: Submission) -> Result<Build, SubmitError> {
        let (reply, answer) = oneshot::channel();
        self.send(Message::Submit(Box::new(submission), reply)).await;
        answer.await.unwrap_or(Err(SubmitError::Conflict))
    }

    /// Asks a build to stop. When this is well, the wish is kept; a build that has ended, or is
    /// unknown, is left as it is. When the state could not be kept, it is tried again, for as long
    /// as the service runs.
    pub async fn stop(&self, id: BuildId) -> Result<(), store::Fault> {
        let (reply, answer) = oneshot::channel();
        self.send(Message::Stop(id, reply)).await;
        answer.await.unwrap_or(Err(store::Fault::Stopped))
    }

    /// From now on no build is taken, and none that waits is let in. Gives the builds that run.
    pub async fn drain(&self) -> Vec<BuildId> {
        let (reply, answer) = oneshot::channel();
        self.send(Message::Drain(reply)).await;
        answer.await.unwrap_or_default()
    }

    /// Says how many builds are where.
    pub async fn counts(&self) -> Counts {
        let (reply, answer) = oneshot::channel();
        self.send(Message::Count(reply)).await;
        answer.await.unwrap_or_default()
    }

    /// Says what is under way in a region.
    pub async fn survey(&self, region: &str) -> Survey {
        let (reply, answer) = oneshot::channel();
        self.send(Message::Survey(region.to_owned(), reply)).await;
        answer.await.unwrap_or_default()
    }

    async fn inputs(&self, id: &BuildId, inputs: Vec<(Input, Option<u64>)>) {
        if !inputs.is_empty() {
            self.send(Message::Inputs(id.clone(), inputs)).await;
        }
    }

    async fn send(&self, message: Message) {
        // The loop ends only with the process.
        let _ = self.messages.send(message).await;
    }
}

/// The input for a container that could not be made.
fn not_launched(error: &executor::LaunchError) -> Input {
    let (status, status_code, message) = match error {
        // AWS: the words before the colon are the same for every image that cannot be used.
        executor::LaunchError::Image(problem) => (
            PhaseStatus::Failed,
            "BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE",
            format!("Unable to pull customer's container image. {problem}"),
        ),
        executor::LaunchError::Fault(fault) => {
            tracing::error!(error = %chain(fault), "an environment was not made");
            let message = "The environment could not be made; the service's log says why.";
            (PhaseStatus::Fault, "INTERNAL_SERVER_ERROR", message.to_owned())
        }
    };
    Input::NotLaunched {
        status,
        context: PhaseContext { status_code: status_code.into(), message },
    }
}
