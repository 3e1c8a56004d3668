//! A build shown on a terminal: its log as it comes, a line for each phase with its time, and how
//! it ended.

use crate::driver::Observed;
use agent_protocol::{AgentPhase, Fact, PhaseOutcome, PhaseStatus, Timestamp};
use build_core::{Build, BuildStatus};
use std::{
    io::{self, IsTerminal, Write},
    time::Duration,
};

/// What has been shown of a build.
pub(super) struct Terminal {
    out: io::Stdout,
    coloured: bool,
    /// When the phase that runs, or is about to, began.
    since: Timestamp,
    agent_spoke: bool,
    /// How many of the build's phases have been shown, those before the agent's included.
    phases_shown: usize,
}

impl Terminal {
    /// A terminal for a build that begins now. Colours are used where they are seen.
    pub(super) fn new(now: Timestamp) -> Self {
        let out = io::stdout();
        let coloured = out.is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { out, coloured, since: now, agent_spoke: false, phases_shown: 0 }
    }

    /// Shows what a journal said: output as it was printed, and the phases that ended.
    pub(super) fn show(&mut self, observed: &Observed) -> io::Result<()> {
        match observed {
            Observed::Lines(lines) => {
                for line in lines {
                    self.out.write_all(line.text.as_bytes())?;
                }
                self.out.flush()
            }
            Observed::Fact(Fact::PhaseStarted { phase }, at) => {
                if *phase == AgentPhase::DownloadSource && !self.agent_spoke {
                    self.agent_spoke = true;
                    // SUBMITTED and QUEUED are of no interest where there is one build.
                    self.phases_shown = 3;
                    self.phase("PROVISIONING", *at, &PhaseOutcome::succeeded())?;
                }
                self.since = *at;
                Ok(())
            }
            Observed::Fact(Fact::PhaseFinished { phase, outcome }, at) => {
                self.phases_shown += 1;
                self.phase(phase.as_str(), *at, outcome)
            }
            Observed::Pulling(_) | Observed::Shell(_) => Ok(()),
            Observed::Fact(
                Fact::Hello { .. }
                | Fact::CommandStarted(_)
                | Fact::CommandEnded(_)
                | Fact::Used(_)
                | Fact::SourceResolved { .. }
                | Fact::Exported { .. }
                | Fact::ArtifactUploaded(_)
                | Fact::RetryAsked { .. }
                | Fact::SourcesFetched
                | Fact::GitCredentialHelper
                | Fact::Finished,
                _,
            ) => Ok(()),
        }
    }

    fn phase(&mut self, name: &str, ended: Timestamp, outcome: &PhaseOutcome) -> io::Result<()> {
        let (mark, colour) = match outcome.status {
            PhaseStatus::Succeeded => ("✔", "32"),
            PhaseStatus::Failed | PhaseStatus::Fault => ("✘", "31"),
            PhaseStatus::TimedOut | PhaseStatus::Stopped => ("■", "33"),
        };
        let time = seconds(ended.since(self.since));
        let line = self.painted(&format!("{mark} {name:<16} {time:>10}"), colour);
        match outcome.contexts.first().filter(|context| !context.message.is_empty()) {
            Some(context) => writeln!(self.out, "{line}  {}", context.message),
            None => writeln!(self.out, "{line}"),
        }
    }

    /// Says that the terminal is a shell's now.
    pub(super) fn shell_opens(&mut self) -> io::Result<()> {
        let text = "A shell in the environment: where the command failed, as its user. The build \
                    goes on when you leave it (exit, or Ctrl-D).";
        writeln!(self.out, "{}", self.painted(text, "1;36"))?;
        self.out.flush()
    }

    /// Says that the shell is no more.
    pub(super) fn shell_has_ended(&mut self) -> io::Result<()> {
        writeln!(self.out, "{}", self.painted("The shell has ended.", "1;36"))
    }

    /// Shows how the build ended.
    pub(super) fn end(
        &mut self,
        build: &Build,
        status: BuildStatus,
        took: Duration,
    ) -> io::Result<()> {
        // What ended the build from outside, no journal told.
        for record in build.phases.iter().skip(self.phases_shown) {
            if let Some((ended_at, outcome)) = &record.ended
                && outcome.status != PhaseStatus::Succeeded
            {
                self.since = record.started_at;
                self.phase(record.phase.as_str(), *ended_at, outcome)?;
            }
        }
        let (text, colour) = match status {
            BuildStatus::Succeeded => ("succeeded", "1;32"),
            BuildStatus::Failed => ("failed", "1;31"),
            BuildStatus::Fault => ("could not be run to its end", "1;31"),
            BuildStatus::TimedOut => ("ran out of time", "1;33"),
            BuildStatus::Stopped => ("was stopped", "1;33"),
        };
        let line = format!("The build {text} in {}.", seconds(took));
        writeln!(self.out, "{}", self.painted(&line, colour))
    }

    /// Shows that a build is started again, and goes on with a terminal for the new one.
    pub(super) fn retry(mut self, build: &Build, now: Timestamp) -> io::Result<Self> {
        let number = build.submitted.auto_retry.number + 1;
        let line = format!("The build failed; retry {number} of {}.", build.auto_retry_limit());
        writeln!(self.out, "{}", self.painted(&line, "1;33"))?;
        Ok(Self { since: now, agent_spoke: false, phases_shown: 0, ..self })
    }

    /// Shows where a file went.
    pub(super) fn artifact(&mut self, path: &std::path::Path) -> io::Result<()> {
        writeln!(self.out, "  → {}", path.display())
    }

    fn painted(&self, text: &str, colour: &str) -> String {
        if self.coloured { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

fn seconds(duration: Duration) -> String {
    match duration.as_secs() {
        0..60 => format!("{:.3} s", duration.as_secs_f64()),
        whole => format!("{} min {:02} s", whole / 60, whole % 60),
    }
}
