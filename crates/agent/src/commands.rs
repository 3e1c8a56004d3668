//! Runs the commands of one list, and tells of each: in the log, and as facts with what it used.

use crate::console;
use crate::fault::Fault;
use crate::log;
use crate::processes::Exit;
use crate::run::Build;
use crate::shell::{Ended, Ran, Shell, Started, Succeeding, User};
use crate::usage::bytes;
use agent_protocol::{
    AgentPhase, COMMAND_TEXT_BYTES_MAX, COMMANDS_MAX, CommandEnded, CommandList, CommandStarted,
    Fact,
};
use rustix::process::Signal;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// The commands of one phase.
pub(crate) struct Commands<'a> {
    /// What they belong to.
    pub(crate) build: &'a Build,
    /// What runs them.
    pub(crate) shell: &'a mut Shell,
    /// The phase.
    pub(crate) phase: AgentPhase,
    /// Whether everything went well so far.
    pub(crate) succeeding: Succeeding,
    /// Who runs them; none for root.
    pub(crate) user: Option<User>,
}

/// What is counted over all commands of a build.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// How many have been told as facts.
    told: AtomicU32,
    /// How many processes the kernel has ended because the memory was used up.
    memory_kills: AtomicU64,
}

impl Counts {
    /// How many processes the kernel has ended because the memory was used up.
    pub(crate) fn memory_kills(&self) -> u64 {
        self.memory_kills.load(Ordering::Relaxed)
    }
}

impl Commands<'_> {
    /// Runs commands until one fails, and says what failed. The first of them is number `first` of its
    /// list. The end of what is told of them may wait for whatever the journal is told next.
    pub(crate) fn run(
        &mut self,
        list: CommandList,
        first: u32,
        commands: &[String],
    ) -> Result<Option<String>, Fault> {
        let build = self.build;
        let mut waiting = (first..).zip(commands);
        let Some((mut index, mut command)) = waiting.next() else { return Ok(None) };
        // What was read at the end of a command is what the next one begins with.
        let mut reading = None;
        let mut stillness = build.output.drain_soon();
        let mut started = self.start(command)?;
        loop {
            let shown = &*shown(build, command);
            let is_told = build.counts.told.fetch_add(1, Ordering::Relaxed) < COMMANDS_MAX;
            let began = build.meter.begin(reading);
            self.tell_start(shown, is_told.then(|| self.started(list, index, shown)));
            drop(stillness);
            let Ran { ended, largest_bytes } = self.shell.wait(started)?;
            stillness = build.output.drain_soon();
            // The next one starts while the end of this one is told: what it prints waits for that.
            let next = if ended.is_success() { waiting.next() } else { None };
            let next_started = next.map(|(_, command)| self.start(command));
            let (used, memory_kills) = build.meter.end(&began, largest_bytes, &mut reading);
            build.counts.memory_kills.fetch_add(memory_kills, Ordering::Relaxed);
            let (exit_status, signal) = ended.status();
            let fact = CommandEnded { exit_status, signal, memory_kills, used };
            let failed = self.tell_end(shown, &ended, is_told.then_some(fact), memory_kills);
            let (Some((next_index, next_command)), Some(next_started)) = (next, next_started)
            else {
                drop(stillness);
                if failed.is_some() && build.orders.course.shell_on_failure {
                    console::open(build, self.shell, self.user.as_ref());
                }
                return Ok(failed);
            };
            (index, command, started) = (next_index, next_command, next_started?);
        }
    }

    fn start(&mut self, command: &str) -> Result<Started, Fault> {
        self.shell.start(command, self.user.as_ref(), self.succeeding)
    }

    fn tell_start(&self, shown: &str, fact: Option<CommandStarted>) {
        self.build.journal.append_soon(|batch| {
            batch.end_line();
            fact.into_iter().for_each(|fact| batch.fact(&Fact::CommandStarted(fact)));
            batch.line(&log::running(shown));
        });
    }

    /// Tells that a command has ended, and gives what failed, if it did.
    fn tell_end(
        &self,
        shown: &str,
        ended: &Ended,
        fact: Option<CommandEnded>,
        memory_kills: u64,
    ) -> Option<String> {
        let reason = reason(ended, memory_kills);
        let out_of_memory = (memory_kills > 0).then(|| self.out_of_memory());
        self.build.journal.append_soon(|batch| {
            // AWS: an empty line follows what a command printed.
            batch.output(b"\n");
            if let Some(sentence) = &out_of_memory {
                batch.line(&log::processes_ended(sentence, memory_kills));
            }
            if let Some(reason) = &reason {
                batch.line(&log::command_failed(shown, reason));
            }
            fact.into_iter().for_each(|fact| batch.fact(&Fact::CommandEnded(fact)));
        });
        let why = out_of_memory.map(|sentence| format!(". {sentence}")).unwrap_or_default();
        let reason = reason?;
        Some(format!("Error while executing command: {shown}. Reason: {reason}{why}"))
    }

    fn started(&self, list: CommandList, index: u32, shown: &str) -> CommandStarted {
        let end = shown.floor_char_boundary(COMMAND_TEXT_BYTES_MAX);
        CommandStarted {
            phase: self.phase,
            list,
            index,
            text: shown[..end].to_owned(),
            text_bytes: shown.len() as u64,
        }
    }

    /// Whose memory was used up, and how much it was.
    fn out_of_memory(&self) -> String {
        let own = self
            .build
            .orders
            .compute
            .as_ref()
            .and_then(|compute| compute.types.iter().find(|known| known.name == compute.name));
        match own {
            Some(own) => {
                let memory = bytes(own.memory_bytes);
                format!("The build ran out of memory: {} has {memory}", own.name)
            }
            None => "The build ran out of memory".to_owned(),
        }
    }
}

/// A command as everything that tells of it shows it: the log's lines, the facts and the phase's
/// context. Whatever must not be told of a command's text is taken out here, before it is cut.
fn shown(build: &Build, command: &str) -> String {
    build.journal.masked(command.trim_end_matches('\n'))
}

/// Why the command failed; none when it did not.
fn reason(ended: &Ended, memory_kills: u64) -> Option<String> {
    match ended {
        Ended::Exited(exit) if exit.shell_status() == 0 => None,
        // A shell that was ended for memory is told like a program that was.
        Ended::Exited(exit @ Exit::Signal { number, .. })
            if memory_kills > 0 && *number == Signal::KILL.as_raw() =>
        {
            Some(Exit::Code(exit.shell_status()).to_string())
        }
        Ended::Exited(exit) => Some(exit.to_string()),
        Ended::NotStarted(reason) => Some(reason.clone()),
    }
}
