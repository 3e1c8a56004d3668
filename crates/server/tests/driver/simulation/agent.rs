//! What the agent of each build does: drawn from the seed and the build's id, so that it is known in
//! advance how the build ends when nobody disturbs it.

use super::dice::Dice;
use agent_protocol::{
    AgentPhase, CommandEnded, CommandList, CommandStarted, Fact, PROTOCOL_VERSION, PhaseOutcome,
    Timestamp, Used,
    journal::{MAGIC, encode_fact, encode_log},
};
use build_core::BuildStatus;
use executor::Exit;

/// What an agent does next.
pub(super) enum Act {
    /// It appends to its journal; prints that text by it, and begins so many commands.
    Write { bytes: Vec<u8>, printed: String, commands: usize },
    /// The container ends.
    End(Exit),
}

impl Act {
    fn written(bytes: Vec<u8>) -> Self {
        Self::Write { bytes, printed: String::new(), commands: 0 }
    }
}

/// An agent's whole life: each act with its pause before it, in milliseconds.
pub(super) struct Plan {
    pub(super) acts: Vec<(u64, Act)>,
    /// How the build ends if nobody disturbs it.
    pub(super) status: BuildStatus,
}

/// How long a build may take that is in no hurry.
pub(super) const TIMEOUT_MINUTES: u32 = 60;

/// How an agent ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Well,
    Badly,
    Killed,
    OutOfMemory,
    Hangs,
}

struct Writing<'a> {
    dice: &'a mut Dice,
    id: &'a str,
    at: u64,
    acts: Vec<(u64, Act)>,
}

impl Plan {
    /// The plan of a build whose container begins at `at`. Of those whose time is short, many use it up.
    pub(super) fn of(dice: &mut Dice, id: &str, at: u64, timeout_minutes: u32) -> Self {
        let fate = match dice.below(12, "fate", id) {
            0..6 if timeout_minutes < TIMEOUT_MINUTES => Fate::Hangs,
            0..6 => Fate::Well,
            6..9 => Fate::Badly,
            9 => Fate::Killed,
            10 => Fate::OutOfMemory,
            _ => Fate::Hangs,
        };
        let mut writing = Writing { dice, id, at, acts: Vec::new() };
        writing.bytes(MAGIC.to_vec());
        writing.fact(&Fact::Hello { protocol: PROTOCOL_VERSION });
        let bad = writing.dice.below(6, "bad phase", id);
        for (number, phase) in AgentPhase::ALL.into_iter().enumerate() {
            writing.phase(phase, fate == Fate::Badly && bad == number as u64);
            if number == 0 && writing.dice.hits(80, "asks", id) {
                writing.fact(&Fact::RetryAsked { count: 1 });
            }
        }
        writing.fact(&Fact::Finished);
        let Writing { dice, mut acts, .. } = writing;
        let mut plan = match fate {
            Fate::Well => Self { acts, status: BuildStatus::Succeeded },
            Fate::Badly => Self { acts, status: BuildStatus::Failed },
            Fate::Killed | Fate::OutOfMemory | Fate::Hangs => {
                // Its last word is the last act: it never comes to it.
                let length = 1 + dice.below(acts.len() as u64 - 1, "cut", id);
                acts.truncate(usize::try_from(length).unwrap());
                let status = match fate {
                    Fate::OutOfMemory => BuildStatus::Failed,
                    Fate::Hangs => BuildStatus::TimedOut,
                    Fate::Killed | Fate::Well | Fate::Badly => BuildStatus::Fault,
                };
                Self { acts, status }
            }
        };
        match fate {
            Fate::Well | Fate::Badly => {
                plan.acts.push((1, Act::End(Exit::Exited { code: Some(0) })));
            }
            Fate::Killed => plan.acts.push((1, Act::End(Exit::Killed { signal: 9 }))),
            Fate::OutOfMemory => {
                // It is cut off in the middle of a record.
                plan.acts.push((1, Act::written(vec![200, 0, 0])));
                plan.acts.push((1, Act::End(Exit::OutOfMemory)));
            }
            Fate::Hangs => {}
        }
        plan
    }
}

impl Writing<'_> {
    fn bytes(&mut self, bytes: Vec<u8>) {
        let pause = self.dice.one(&[0, 1, 3, 40, 700], "pause", self.id);
        self.at += pause;
        self.acts.push((pause, Act::written(bytes)));
    }

    fn fact(&mut self, fact: &Fact) {
        let mut bytes = Vec::new();
        encode_fact(&mut bytes, Timestamp::from_millis(self.at), fact);
        self.bytes(bytes);
    }

    fn phase(&mut self, phase: AgentPhase, fails: bool) {
        self.fact(&Fact::PhaseStarted { phase });
        for number in 0..self.dice.below(3, "commands", self.id) {
            let index = u32::try_from(number).unwrap();
            let (list, text) = (CommandList::Commands, "true".to_owned());
            let started = CommandStarted { phase, list, index, text, text_bytes: 4 };
            self.fact(&Fact::CommandStarted(started));
            if let Some((_, Act::Write { commands, .. })) = self.acts.last_mut() {
                *commands = 1;
            }
            self.print(phase, number);
            let used = Used::default();
            let ended = CommandEnded { exit_status: 0, signal: None, memory_kills: 0, used };
            self.fact(&Fact::CommandEnded(ended));
        }
        let outcome = if fails {
            PhaseOutcome::failed("COMMAND_EXECUTION_ERROR", "no")
        } else {
            PhaseOutcome::succeeded()
        };
        self.fact(&Fact::PhaseFinished { phase, outcome });
    }

    /// Prints lines in pieces that are cut anywhere.
    fn print(&mut self, phase: AgentPhase, number: u64) {
        for line in 0..self.dice.below(3, "lines", self.id) {
            let text = format!("{} {number}: line {line}\n", phase.as_str());
            let cut =
                usize::try_from(self.dice.below(text.len() as u64, "piece", self.id)).unwrap();
            for piece in [&text[..cut], &text[cut..]].into_iter().filter(|piece| !piece.is_empty())
            {
                let mut bytes = Vec::new();
                encode_log(&mut bytes, Timestamp::from_millis(self.at), piece.as_bytes());
                self.bytes(bytes);
                if let Some((_, Act::Write { printed, .. })) = self.acts.last_mut() {
                    printed.push_str(piece);
                }
            }
        }
    }
}
