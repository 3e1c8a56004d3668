//! The agent's own lines in the build's log: all of their texts, and their prefix.
//!
//! AWS: people and programs read these lines, so they are CodeBuild's to the letter, with two spaces
//! and a trailing one where a successful phase has no code and no message.

use crate::calendar;
use agent_protocol::{AgentPhase, PhaseContext, PhaseStatus, Timestamp};
use std::fmt;

/// What stands before each of the agent's lines: `[Container] 2026/01/31 23:59:59.123456 `, in UTC.
pub(crate) struct Prefix(pub(crate) Timestamp);

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.micros();
        let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
        let (year, month, day) = calendar::date(seconds / 86_400);
        let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
        write!(
            f,
            "[Container] {year:04}/{month:02}/{day:02} \
             {hour:02}:{minute:02}:{second:02}.{fraction:06} "
        )
    }
}

/// The first lines of a build.
pub(crate) const GREETING: [&str; 3] =
    ["Waiting for agent ping", "Waiting for DOWNLOAD_SOURCE", "Phase is DOWNLOAD_SOURCE"];

/// Sources or artifacts come through S3.
pub(crate) const S3_TIMEOUT: &str = "Setting HTTP client timeout to higher timeout for S3 source";

/// The variables are settled.
pub(crate) const PROCESSING_VARIABLES: &str = "Processing environment variables";

/// Values are asked for from Parameter Store.
pub(crate) const DECRYPTING_PARAMETERS: &str = "Decrypting parameter store environment variables";

/// The buildspec chooses a shell.
pub(crate) fn selecting_shell(shell: &str) -> String {
    format!("Selecting shell {shell} as specified in buildspec.")
}

/// The buildspec chooses no shell, and its commands need bash.
pub(crate) const BASH_AS_SH: &str =
    "The commands are written for bash: here it is sh, as in CodeBuild's Amazon Linux images.";

/// The machine lacks a version of a runtime, and may have one that would do.
pub(crate) const NEAREST_VERSION: &str =
    "The service's configuration may allow what is nearest: host_image.nearest_versions = true";

/// The buildspec asks for no runtime.
pub(crate) const NO_RUNTIME_VERSION: &str = "No runtime version selected in buildspec.";

/// The buildspec asks for runtimes and the image does not offer any to choose from.
pub(crate) const RUNTIMES_SKIPPED: &str = "Skipping install of runtimes. Runtime version selection is not \
                                    supported by this build image";

/// The buildspec has no cache.
pub(crate) const NO_CACHE: &str = "Cache is not defined in the buildspec";

/// Nothing is restored from a cache.
pub(crate) const CACHE_SKIPPED: &str = "Skip cache due to: no paths specified to be cached";

/// The commands are about to run.
pub(crate) const REGISTERING: &str = "Registering with agent";

/// The buildspec asks for reports, which are not there yet.
pub(crate) const NO_REPORTS: &str = "Reports are not supported: the buildspec's reports section is \
                                     skipped";

/// A repository has large files, and the image has no program for them.
pub(crate) const NO_LARGE_FILES: &str = "Git LFS is not in this build image: files that it keeps stay \
                                         pointers";

/// A shell is offered where a command failed.
pub(crate) const CONSOLE_OPENS: &str = "Opening a shell where the command failed";

/// There is no shell, and the build goes on.
pub(crate) fn no_console(reason: &str) -> String {
    format!("No shell was opened: {reason}")
}

/// The build begins later.
pub(crate) fn left_out(phase: AgentPhase) -> String {
    format!("Leaving out phase {}", phase.as_str())
}

/// Files are being looked for.
pub(crate) const ASSEMBLING: &str = "Assembling file list";

/// A folder's variable and its value.
pub(crate) fn variable(name: &str, value: &str) -> String {
    format!("{name}={value}")
}

/// Where the buildspec is.
pub(crate) fn yaml_location(path: &str) -> String {
    format!("YAML location is {path}")
}

/// Where the first command runs.
pub(crate) fn moving_to(folder: &str) -> String {
    format!("Moving to directory {folder}")
}

/// A phase with commands began.
pub(crate) fn entering(phase: AgentPhase) -> String {
    format!("Entering phase {}", phase.as_str())
}

/// A command begins.
pub(crate) fn running(command: &str) -> String {
    format!("Running command {command}")
}

/// A command failed.
pub(crate) fn command_failed(command: &str, reason: &str) -> String {
    format!("Command did not exit successfully {command} {reason}")
}

/// The kernel ended processes of a command because the memory was used up.
pub(crate) fn processes_ended(sentence: &str, count: u64) -> String {
    let processes = if count == 1 { "process" } else { "processes" };
    format!("{sentence}. {count} {processes} of the command ended for it")
}

/// A phase ended.
pub(crate) fn phase_complete(phase: AgentPhase, status: PhaseStatus) -> String {
    format!("Phase complete: {} State: {}", phase.as_str(), status.as_str())
}

/// Why the phase ended as it did.
pub(crate) fn phase_context(context: &PhaseContext) -> String {
    format!("Phase context status code: {} Message: {}", context.status_code, context.message)
}

/// A base directory, or the pattern of one, is looked up.
pub(crate) fn expanding_base(pattern: &str) -> String {
    format!("Expanding base directory path: {pattern}")
}

/// One pattern is looked up.
pub(crate) fn expanding(pattern: &str) -> String {
    format!("Expanding {pattern}")
}

/// The files of one base directory are looked up.
pub(crate) fn expanding_files(base: &str) -> String {
    format!("Expanding file paths for base directory {base}")
}

/// How many files were found.
pub(crate) fn found(count: usize) -> String {
    format!("Found {count} file(s)")
}

/// A pattern matches nothing.
pub(crate) fn skipping(pattern: &str) -> String {
    format!("Skipping invalid file path {pattern}")
}

/// The phase failed, and the build is started again for it.
pub(crate) fn retry_asked(phase: AgentPhase, number: u32, count: u32) -> String {
    format!("Phase {} failed: retry {number} of {count} of the build", phase.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_shows_the_calendar_and_microseconds() {
        for (micros, shown) in [
            (0, "[Container] 1970/01/01 00:00:00.000000 "),
            (951_782_399_000_001, "[Container] 2000/02/28 23:59:59.000001 "),
            (951_782_400_000_000, "[Container] 2000/02/29 00:00:00.000000 "),
            (1_709_251_199_999_999, "[Container] 2024/02/29 23:59:59.999999 "),
            (1_735_689_599_000_000, "[Container] 2024/12/31 23:59:59.000000 "),
            (4_107_542_400_000_000, "[Container] 2100/03/01 00:00:00.000000 "),
        ] {
            assert_eq!(Prefix(Timestamp::from_micros(micros)).to_string(), shown);
        }
    }

    #[test]
    fn a_phase_without_a_context_keeps_its_spaces() {
        assert_eq!(
            phase_context(&PhaseContext::default()),
            "Phase context status code:  Message: "
        );
    }
}
