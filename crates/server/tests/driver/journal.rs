//! What agents write, as text that stands in a test.

use agent_protocol::{
    AgentPhase, ArtifactUploaded, Fact, PROTOCOL_VERSION, PhaseOutcome, Timestamp,
    journal::{MAGIC, encode_fact, encode_log},
};

/// Makes the bytes of a journal, a record at a time.
pub(crate) struct Pen {
    millis: u64,
    begun: bool,
}

impl Pen {
    /// For a journal that is empty.
    pub(crate) fn new() -> Self {
        Self { millis: 1_700_000_000_000, begun: false }
    }

    /// Records for each word: `hello`, `+BUILD` for a phase's start, `-BUILD` for its good end,
    /// `!BUILD` for a bad one, `?3` for a wish for so many retries,
    /// `=4f2a` for the source's version, `^demo.zip` for an artifact, `finished`; whatever is in quotation marks is printed, with a line end.
    pub(crate) fn write(&mut self, words: &[&str]) -> Vec<u8> {
        let mut bytes = Vec::new();
        if !std::mem::replace(&mut self.begun, true) {
            bytes.extend_from_slice(MAGIC);
        }
        for word in words {
            self.millis += 1;
            let at = Timestamp::from_millis(self.millis);
            let mut fact = |fact: Fact| encode_fact(&mut bytes, at, &fact);
            match *word {
                "hello" => fact(Fact::Hello { protocol: PROTOCOL_VERSION }),
                "finished" => fact(Fact::Finished),
                word => match word.split_at(1) {
                    ("+", name) => fact(Fact::PhaseStarted { phase: phase(name) }),
                    ("-", name) => {
                        let outcome = PhaseOutcome::succeeded();
                        fact(Fact::PhaseFinished { phase: phase(name), outcome });
                    }
                    ("!", name) => {
                        let outcome = PhaseOutcome::failed("COMMAND_EXECUTION_ERROR", "no");
                        fact(Fact::PhaseFinished { phase: phase(name), outcome });
                    }
                    ("?", count) => {
                        let count = count.parse().expect("a number of retries");
                        fact(Fact::RetryAsked { count });
                    }
                    ("=", version) => fact(Fact::SourceResolved { version: version.into() }),
                    ("^", key) => fact(Fact::ArtifactUploaded(ArtifactUploaded {
                        identifier: None,
                        bucket: "artifacts".into(),
                        key: key.into(),
                        md5: None,
                        sha256: None,
                    })),
                    ("'", text) => {
                        let text = text.strip_suffix('\'').expect("quotation marks are pairs");
                        encode_log(&mut bytes, at, format!("{text}\n").as_bytes());
                    }
                    _ => panic!("no record is called {word}"),
                },
            }
        }
        bytes
    }
}

/// A whole journal.
pub(crate) fn journal(words: &[&str]) -> Vec<u8> {
    Pen::new().write(words)
}

fn phase(name: &str) -> AgentPhase {
    let named = AgentPhase::ALL.into_iter().find(|phase| phase.as_str() == name);
    named.expect("the phase has an agent's name")
}
