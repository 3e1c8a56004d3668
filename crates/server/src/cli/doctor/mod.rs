//! `buildyard doctor`: looks at the data folder and the machine, and says what to do.
//!
//! It changes nothing that is kept, and may be asked while the service runs.

mod folder;
mod machine;

use super::DataArguments;
use crate::config::{Config, LISTEN_DEFAULT};
use std::{fmt, io::Write, net::SocketAddr, path::PathBuf, process::ExitCode};

#[derive(clap::Args)]
pub(super) struct Doctor {
    /// The address that the service is to listen on.
    #[arg(long, value_name = "ADDRESS", env = "BUILDYARD_LISTEN")]
    listen: Option<SocketAddr>,
    #[command(flatten)]
    data: DataArguments,
}

/// What is looked at.
struct Patient {
    config: Config,
    data_dir: PathBuf,
    listen: SocketAddr,
}

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// As it should be.
    Well,
    /// Builds run, but not as they could.
    Warning,
    /// The service does not start, or builds do not run.
    Bad,
}

/// What was found about one thing.
struct Finding {
    verdict: Verdict,
    /// What was looked at.
    subject: &'static str,
    /// How it is.
    said: String,
    /// What to do; empty when it is well.
    advice: String,
}

impl Finding {
    fn well(subject: &'static str, said: impl Into<String>) -> Self {
        Self { verdict: Verdict::Well, subject, said: said.into(), advice: String::new() }
    }

    fn warning(subject: &'static str, said: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { verdict: Verdict::Warning, subject, said: said.into(), advice: advice.into() }
    }

    fn bad(subject: &'static str, said: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { verdict: Verdict::Bad, subject, said: said.into(), advice: advice.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.verdict {
            Verdict::Well => "ok",
            Verdict::Warning => "warning",
            Verdict::Bad => "bad",
        };
        write!(f, "{verdict:<8} {:<12} {}", self.subject, self.said)?;
        if !self.advice.is_empty() {
            write!(f, "\n{:<21} -> {}", "", self.advice)?;
        }
        Ok(())
    }
}

impl Doctor {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        super::log_to_stderr("error");
        let (config, data_dir) = self.data.read()?;
        let listen = self
            .listen
            .or(config.listen)
            .unwrap_or_else(|| LISTEN_DEFAULT.parse().expect("the default is an address"));
        let patient = Patient { config, data_dir, listen };
        let mut findings = folder::look(&patient);
        findings.extend(machine::look(&patient));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        findings.push(runtime.block_on(machine::try_container(&patient)));
        let mut out = std::io::stdout().lock();
        for finding in &findings {
            writeln!(out, "{finding}")?;
        }
        let bad = findings.iter().any(|finding| finding.verdict == Verdict::Bad);
        Ok(ExitCode::from(u8::from(bad)))
    }
}
