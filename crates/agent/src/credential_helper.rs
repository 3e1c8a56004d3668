//! The program that git asks for a credential: the agent's own, started again by git.
//!
//! It asks the service, prints what the service gives, and ends. Nothing else of the agent is in its
//! process, and nothing of the credential is in any other but git's.

use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::process::ExitCode;
use std::time::Duration;
use ureq::Agent;

/// The first argument that makes the agent's program the helper.
pub(crate) const VERB: &str = "git-credential";
/// What the helper says when there is a reason that the user should know.
pub(crate) const REFUSED: &str = "no credential: ";
/// What git asks is short, and so is the answer.
const BYTES_MAX: u64 = 64 * 1024;
/// How long the service may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Answers one question of git's: `ADDRESS SOURCE OPERATION`, with what is asked for on the standard
/// input.
pub(crate) fn run(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<String> =
        arguments.map(|argument| argument.to_string_lossy().into_owned()).collect();
    let [address, source, operation] = arguments.as_slice() else { return ExitCode::from(64) };
    // Git also tells helpers which credentials were good: there is nothing to keep.
    if operation != "get" {
        return ExitCode::SUCCESS;
    }
    match answer(address, source) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "{REFUSED}{error}");
            ExitCode::FAILURE
        }
    }
}

fn answer(address: &str, source: &str) -> Result<(), Box<dyn std::error::Error>> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    let mut asked = String::new();
    io::stdin().take(BYTES_MAX).read_to_string(&mut asked)?;
    let question = format!("source={source}\n{}\n", asked.trim_end());
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None)
        .timeout_global(Some(PATIENCE))
        .user_agent("buildyard-agent")
        .build();
    let mut answer = Agent::new_with_config(config).post(address).send(question.as_bytes())?;
    let given = answer.body_mut().with_config().limit(BYTES_MAX).read_to_string()?;
    match answer.status().as_u16() {
        200 => Ok(io::stdout().write_all(given.as_bytes())?),
        // Nobody has one for that host: git asks as if there were no helper.
        204 => Ok(()),
        status if given.is_empty() => Err(format!("the service answers {status}").into()),
        _ => Err(given.into()),
    }
}
