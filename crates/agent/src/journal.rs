//! Appends to the journal. Every batch of records is one `write`.
//!
//! A journal that cannot be written leaves the agent mute, so it dies: the service sees the journal
//! end without its last word.

use crate::log;
use agent_protocol::{AgentPhase, Fact, PhaseOutcome, Timestamp, journal};
use std::fs::File;
use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// The journal, shared by everything that has something to say.
pub(crate) struct Journal {
    state: Mutex<State>,
}

struct State {
    file: File,
    frames: Vec<u8>,
    /// Whether the last output ended with a line end, so that a line of our own may follow.
    at_line_start: bool,
    open_phase: Option<AgentPhase>,
}

/// Records that are written together.
pub(crate) struct Batch<'a> {
    state: &'a mut State,
    at: Timestamp,
}

impl Journal {
    /// Takes over the journal's file, and begins it when it is empty.
    pub(crate) fn begin(mut file: File) -> io::Result<Self> {
        if file.metadata()?.len() == 0 {
            file.write_all(journal::MAGIC)?;
        }
        let state = State { file, frames: Vec::new(), at_line_start: true, open_phase: None };
        Ok(Self { state: Mutex::new(state) })
    }

    /// Appends what `fill` puts into the batch, with one `write`.
    pub(crate) fn append(&self, fill: impl FnOnce(&mut Batch<'_>)) {
        write(self.state.lock().unwrap_or_else(PoisonError::into_inner), fill);
    }

    /// Appends one line of the agent's own.
    pub(crate) fn line(&self, text: &str) {
        self.append(|batch| batch.line(text));
    }

    /// Records the agent's own death, unless it dies while it writes.
    pub(crate) fn last_words(&self, text: &str) {
        let Ok(state) = self.state.try_lock() else { return };
        let phase = state.open_phase;
        write(state, |batch| {
            batch.line(text);
            if let Some(phase) = phase {
                batch.phase_finished(phase, crate::outcome::fault(text));
            }
        });
    }
}

fn write(mut state: MutexGuard<'_, State>, fill: impl FnOnce(&mut Batch<'_>)) {
    let at = Timestamp::from_system(SystemTime::now());
    state.frames.clear();
    fill(&mut Batch { state: &mut state, at });
    let State { file, frames, .. } = &mut *state;
    file.write_all(frames).expect("a journal that cannot be written ends the agent");
}

impl Batch<'_> {
    /// Adds bytes that the build printed.
    pub(crate) fn output(&mut self, bytes: &[u8]) {
        if let Some(last) = bytes.last() {
            self.state.at_line_start = *last == b'\n';
            journal::encode_log(&mut self.state.frames, self.at, bytes);
        }
    }

    /// Ends the line that the last output began, if it did.
    pub(crate) fn end_line(&mut self) {
        if !self.state.at_line_start {
            self.output(b"\n");
        }
    }

    /// Adds a line of the agent's own, which begins where a line begins.
    pub(crate) fn line(&mut self, text: &str) {
        let start = if self.state.at_line_start { "" } else { "\n" };
        self.output(format!("{start}{}{text}\n", log::Prefix(self.at)).as_bytes());
    }

    /// Adds a line without the agent's prefix.
    pub(crate) fn bare_line(&mut self, text: &str) {
        let start = if self.state.at_line_start { "" } else { "\n" };
        self.output(format!("{start}{text}\n").as_bytes());
    }

    /// Adds a fact.
    pub(crate) fn fact(&mut self, fact: &Fact) {
        journal::encode_fact(&mut self.state.frames, self.at, fact);
    }

    /// Adds that a phase began.
    pub(crate) fn phase_started(&mut self, phase: AgentPhase) {
        self.state.open_phase = Some(phase);
        self.fact(&Fact::PhaseStarted { phase });
    }

    /// Adds that the phase ended, and the two lines that say so.
    pub(crate) fn phase_finished(&mut self, phase: AgentPhase, outcome: PhaseOutcome) {
        self.state.open_phase = None;
        self.line(&log::phase_complete(phase, outcome.status));
        self.line(&log::phase_context(&outcome.context()));
        self.fact(&Fact::PhaseFinished { phase, outcome });
    }
}
