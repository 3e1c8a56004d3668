//! What a journal says of a build's commands, on its way into the store.
//!
//! Commands are many and nobody decides anything by them, so they are no inputs of the driver: they
//! are kept a batch at a time, each under its place among the build's commands. A journal that is
//! read again puts the same under the same places.

use agent_protocol::{CommandEnded, CommandStarted, Fact, Timestamp};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};
use store::{Change, Command};
use tokio::time::Instant;

/// How long what is known of a command may wait for more to be kept with it.
const KEPT_WITHIN: Duration = Duration::from_millis(250);

/// So many commands do not wait any longer.
const COMMANDS_PER_COMMIT: usize = 256;

/// A command of a build, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptCommand {
    /// What began.
    pub started: CommandStarted,
    /// When.
    pub started_at: Timestamp,
    /// The journal's offset behind which its log begins.
    pub log_behind: u64,
    /// When and how it ended; none while it runs, and for one that its build's end cut off.
    pub ended: Option<(Timestamp, CommandEnded)>,
}

/// The commands of one build that are not kept yet.
#[derive(Debug, Default)]
pub(super) struct Commands {
    begun: u64,
    running: Option<KeptCommand>,
    news: BTreeMap<u64, KeptCommand>,
    /// When the news are to be kept; none when there are none.
    pub(super) due: Option<Instant>,
}

impl Commands {
    /// Takes a fact, if it is about commands. Its record ends at the journal's offset `offset`.
    pub(super) fn take(&mut self, fact: &Fact, at: Timestamp, offset: u64) {
        let command = match fact {
            Fact::CommandStarted(started) => {
                self.begun += 1;
                let started = started.clone();
                KeptCommand { started, started_at: at, log_behind: offset, ended: None }
            }
            Fact::CommandEnded(ended) => {
                let Some(running) = self.running.take() else { return };
                KeptCommand { ended: Some((at, *ended)), ..running }
            }
            Fact::Hello { .. }
            | Fact::PhaseStarted { .. }
            | Fact::PhaseFinished { .. }
            | Fact::SourceResolved { .. }
            | Fact::Exported { .. }
            | Fact::ArtifactUploaded(_)
            | Fact::Used(_)
            | Fact::RetryAsked { .. }
            | Fact::SourcesFetched
            | Fact::GitCredentialHelper
            | Fact::Finished => return,
        };
        if command.ended.is_none() {
            self.running = Some(command.clone());
        }
        self.news.insert(self.begun - 1, command);
        let now = Instant::now();
        let due = self.due.get_or_insert(now + KEPT_WITHIN);
        if self.news.len() >= COMMANDS_PER_COMMIT {
            *due = now;
        }
    }

    /// Whether the news are to be kept now.
    pub(super) fn are_due(&self) -> bool {
        self.due.is_some_and(|due| due <= Instant::now())
    }

    /// Gives the change that keeps the news; none when there are none.
    pub(super) fn changes(&mut self, region: &str, id: &str) -> Option<Change> {
        self.due = None;
        let news = std::mem::take(&mut self.news);
        let commands: Vec<Command> = news
            .into_iter()
            .map(|(sequence, command)| {
                let command = serde_json::to_string(&command);
                Command { sequence, command: command.expect("commands have only text keys") }
            })
            .collect();
        let (region, id) = (region.to_owned(), id.to_owned());
        (!commands.is_empty()).then_some(Change::PutCommands { region, id, commands })
    }
}
