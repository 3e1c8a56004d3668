//! When a build may have the credentials of its sources.
//!
//! The build's journal decides, as it stands at this moment: the agent writes that the sources are
//! there before it runs anything of the user's, and only the agent can write. So there is no moment
//! at which a command runs and the gate is open, whatever the service has read by then.

use agent_protocol::{
    AgentPhase, Fact, RecordBody,
    journal::{Corrupt, Reader},
};
use std::{fs::File, io::Read, path::Path};
use thiserror::Error;

/// How much of a journal is read at a time.
const PIECE_BYTES: usize = 64 * 1024;

/// Whether credentials may be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gate {
    /// The sources are being fetched.
    Open,
    /// They are there, and the buildspec asks for a credential helper.
    Helper,
    /// They are there.
    Closed,
}

/// Why a journal does not say.
#[derive(Debug, Error)]
pub enum GateError {
    /// It cannot be read.
    #[error("read the build's journal")]
    Read(#[from] std::io::Error),
    /// It is not what an agent writes.
    #[error("understand the build's journal")]
    Corrupt(#[from] Corrupt),
}

/// Reads the journal up to the end of DOWNLOAD_SOURCE.
pub(super) fn gate(journal: &Path) -> Result<Gate, GateError> {
    let mut file = File::open(journal)?;
    let mut reader = Reader::new(0);
    let mut piece = vec![0; PIECE_BYTES];
    let mut now = Gate::Open;
    loop {
        let length = file.read(&mut piece)?;
        if length == 0 {
            return Ok(now);
        }
        reader.push(&piece[..length]);
        while let Some(record) = reader.next_record()? {
            match record.body {
                RecordBody::Fact(Fact::SourcesFetched) => now = Gate::Closed,
                RecordBody::Fact(Fact::GitCredentialHelper) => return Ok(Gate::Helper),
                RecordBody::Fact(Fact::PhaseFinished {
                    phase: AgentPhase::DownloadSource, ..
                }) => return Ok(Gate::Closed),
                RecordBody::Fact(_) | RecordBody::Log(_) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Gate, gate};
    use agent_protocol::{
        AgentPhase, Fact, PhaseOutcome, Timestamp,
        journal::{MAGIC, encode_fact, encode_log},
    };

    #[test]
    fn the_gate_closes_behind_the_sources_unless_a_helper_is_wanted() {
        let at = Timestamp::from_millis(1);
        let phase = AgentPhase::DownloadSource;
        let started = Fact::PhaseStarted { phase };
        let finished = Fact::PhaseFinished { phase, outcome: PhaseOutcome::succeeded() };
        let later = Fact::PhaseStarted { phase: AgentPhase::Install };
        for (facts, expected) in [
            (vec![], Gate::Open),
            (vec![&started], Gate::Open),
            (vec![&started, &Fact::SourcesFetched], Gate::Closed),
            (vec![&started, &finished], Gate::Closed),
            (vec![&started, &finished, &later], Gate::Closed),
            (vec![&Fact::SourcesFetched, &Fact::GitCredentialHelper, &finished], Gate::Helper),
            // What comes after the phase is nobody's business here.
            (vec![&started, &finished, &Fact::GitCredentialHelper], Gate::Closed),
        ] {
            let file = tempfile::NamedTempFile::new().unwrap();
            let mut bytes = MAGIC.to_vec();
            for fact in &facts {
                encode_log(&mut bytes, at, &[b'x'; 200_000]);
                encode_fact(&mut bytes, at, fact);
            }
            std::fs::write(file.path(), bytes).unwrap();
            assert_eq!(gate(file.path()).unwrap(), expected, "{facts:?}");
        }
    }
}
