//! A build shown on a terminal: its log as it comes, a line for each phase with its time, and how
//! it ended.

use agent_protocol::{PhaseOutcome, PhaseStatus, Timestamp};
use build_core::{Build, BuildStatus, Phase, PhaseRecord};
use std::{
    io::{self, IsTerminal, Write},
    time::Duration,
};

/// What has been shown of a build.
pub(super) struct Terminal {
    out: io::Stdout,
    coloured: bool,
    phases_shown: usize,
}

impl Terminal {
    /// A terminal that shows nothing yet. Colours are used where they are seen.
    pub(super) fn new() -> Self {
        let out = io::stdout();
        let coloured = out.is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { out, coloured, phases_shown: 0 }
    }

    /// Shows output as it was printed.
    pub(super) fn log(&mut self, message: &str) -> io::Result<()> {
        self.out.write_all(message.as_bytes())?;
        self.out.flush()
    }

    /// Shows the phases that have ended since.
    pub(super) fn phases(&mut self, build: &Build) -> io::Result<()> {
        let ended = build.phases.iter().take_while(|record| record.ended.is_some());
        for record in ended.skip(self.phases_shown) {
            self.phases_shown += 1;
            if let Some((ended_at, outcome)) = &record.ended
                && is_shown(record.phase)
            {
                self.phase(record, *ended_at, outcome)?;
            }
        }
        Ok(())
    }

    fn phase(
        &mut self,
        record: &PhaseRecord,
        ended_at: Timestamp,
        outcome: &PhaseOutcome,
    ) -> io::Result<()> {
        let (mark, colour) = match outcome.status {
            PhaseStatus::Succeeded => ("✔", "32"),
            PhaseStatus::Failed | PhaseStatus::Fault => ("✘", "31"),
            PhaseStatus::TimedOut | PhaseStatus::Stopped => ("■", "33"),
        };
        let time = seconds(ended_at.since(record.started_at));
        let line = format!("{mark} {:<16} {time:>10}", record.phase.as_str());
        let line = self.painted(&line, colour);
        match outcome.contexts.first().filter(|context| !context.message.is_empty()) {
            Some(context) => writeln!(self.out, "{line}  {}", context.message),
            None => writeln!(self.out, "{line}"),
        }
    }

    /// Shows how the build ended.
    pub(super) fn end(&mut self, status: BuildStatus, took: Duration) -> io::Result<()> {
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

    /// Shows where a file went.
    pub(super) fn artifact(&mut self, path: &std::path::Path) -> io::Result<()> {
        writeln!(self.out, "  → {}", path.display())
    }

    fn painted(&self, text: &str, colour: &str) -> String {
        if self.coloured { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Queues are of no interest where there is one build.
fn is_shown(phase: Phase) -> bool {
    match phase {
        Phase::Submitted | Phase::Queued | Phase::Completed => false,
        Phase::Provisioning
        | Phase::DownloadSource
        | Phase::Install
        | Phase::PreBuild
        | Phase::Build
        | Phase::PostBuild
        | Phase::UploadArtifacts
        | Phase::Finalizing => true,
    }
}

fn seconds(duration: Duration) -> String {
    match duration.as_secs() {
        0..60 => format!("{:.3} s", duration.as_secs_f64()),
        whole => format!("{} min {:02} s", whole / 60, whole % 60),
    }
}
