//! Appends to the journal, without what must not be read there. A batch of records is one `write`, or
//! shares one with batches that came just before it.
//!
//! A journal that cannot be written leaves the agent mute, so it dies: the service sees the journal
//! end without its last word.

use crate::log;
use crate::mask::Mask;
use agent_protocol::{AgentPhase, Fact, PhaseOutcome, Timestamp, journal};
use std::fs::File;
use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// How soon after a `write` another one is worth its while, where nothing depends on it.
const BETWEEN_WRITES: Duration = Duration::from_millis(2);

/// The journal, shared by everything that has something to say.
pub(crate) struct Journal {
    state: Mutex<State>,
}

struct State {
    file: File,
    /// What is to be written.
    frames: Vec<u8>,
    written_at: Instant,
    mask: Mask,
    /// What the mask lets through; kept for its memory.
    shown: Vec<u8>,
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
        let state = State {
            file,
            frames: Vec::new(),
            written_at: Instant::now(),
            mask: Mask::default(),
            shown: Vec::new(),
            at_line_start: true,
            open_phase: None,
        };
        Ok(Self { state: Mutex::new(state) })
    }

    /// Shows these values as `***` from now on, wherever they stand.
    pub(crate) fn hide<'a>(&self, values: impl Iterator<Item = &'a str>) {
        let mut state = self.lock();
        write(&mut state, |batch| batch.settle());
        state.mask.hide(values);
    }

    /// A text as it may be shown.
    pub(crate) fn masked(&self, text: &str) -> String {
        self.lock().mask.whole(text)
    }

    /// Whether the beginning of something that is hidden may have been printed, and waits for the
    /// rest of it.
    pub(crate) fn holds_back(&self) -> bool {
        self.lock().mask.holds_back()
    }

    /// Shows what waits, because the rest has not come.
    pub(crate) fn settle(&self) {
        self.append(|batch| batch.settle());
    }

    /// Appends what `fill` puts into the batch, with one `write`, behind what waits for one.
    pub(crate) fn append(&self, fill: impl FnOnce(&mut Batch<'_>)) {
        write(&mut self.lock(), fill);
    }

    /// The same, except that what comes right after another `write` waits for the next one. Whoever
    /// calls this sees to it that one follows within [`BETWEEN_WRITES`].
    pub(crate) fn append_soon(&self, fill: impl FnOnce(&mut Batch<'_>)) {
        let mut state = self.lock();
        add(&mut state, fill);
        if state.written_at.elapsed() >= BETWEEN_WRITES {
            flush(&mut state);
        }
    }

    /// Writes what waits.
    pub(crate) fn flush(&self) {
        flush(&mut self.lock());
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends one line of the agent's own.
    pub(crate) fn line(&self, text: &str) {
        self.append(|batch| batch.line(text));
    }

    /// The same as [`Journal::append_soon`] does it.
    pub(crate) fn line_soon(&self, text: &str) {
        self.append_soon(|batch| batch.line(text));
    }

    /// Records the agent's own death, unless it dies while it writes.
    pub(crate) fn last_words(&self, text: &str) {
        let Ok(mut state) = self.state.try_lock() else { return };
        let phase = state.open_phase;
        write(&mut state, |batch| {
            batch.line(text);
            if let Some(phase) = phase {
                batch.phase_finished(phase, crate::outcome::fault(text));
            }
        });
    }
}

fn add(state: &mut State, fill: impl FnOnce(&mut Batch<'_>)) {
    let at = Timestamp::from_system(SystemTime::now());
    fill(&mut Batch { state, at });
}

fn write(state: &mut State, fill: impl FnOnce(&mut Batch<'_>)) {
    add(state, fill);
    flush(state);
}

fn flush(state: &mut State) {
    let State { file, frames, written_at, .. } = state;
    if frames.is_empty() {
        return;
    }
    file.write_all(frames).expect("a journal that cannot be written ends the agent");
    frames.clear();
    *written_at = Instant::now();
}

impl Batch<'_> {
    /// Adds bytes that the build printed.
    pub(crate) fn output(&mut self, bytes: &[u8]) {
        let State { mask, shown, .. } = &mut *self.state;
        mask.push(bytes, shown);
        self.show();
    }

    /// Adds what was printed and held back.
    pub(crate) fn settle(&mut self) {
        let State { mask, shown, .. } = &mut *self.state;
        mask.settle(shown);
        self.show();
    }

    /// Ends the line that the last output began, if it did.
    pub(crate) fn end_line(&mut self) {
        self.settle();
        if !self.state.at_line_start {
            self.output(b"\n");
        }
    }

    /// Adds a line of the agent's own, which begins where a line begins.
    pub(crate) fn line(&mut self, text: &str) {
        self.own_line(&log::Prefix(self.at).to_string(), text);
    }

    /// Adds a line without the agent's prefix.
    pub(crate) fn bare_line(&mut self, text: &str) {
        self.own_line("", text);
    }

    fn own_line(&mut self, prefix: &str, text: &str) {
        self.settle();
        let start = if self.state.at_line_start { "" } else { "\n" };
        let text = self.state.mask.whole(text);
        self.state.shown.extend_from_slice(format!("{start}{prefix}{text}\n").as_bytes());
        self.show();
    }

    fn show(&mut self) {
        let State { frames, shown, at_line_start, .. } = &mut *self.state;
        if let Some(last) = shown.last() {
            *at_line_start = *last == b'\n';
            journal::encode_log(frames, self.at, shown);
            shown.clear();
        }
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
    pub(crate) fn phase_finished(&mut self, phase: AgentPhase, mut outcome: PhaseOutcome) {
        self.state.open_phase = None;
        for context in &mut outcome.contexts {
            context.message = self.state.mask.whole(&context.message);
        }
        self.line(&log::phase_complete(phase, outcome.status));
        self.line(&log::phase_context(&outcome.context()));
        self.fact(&Fact::PhaseFinished { phase, outcome });
    }
}
