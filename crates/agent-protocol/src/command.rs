//! What the agent tells of each command, and of what commands and builds used.

use crate::AgentPhase;
use serde::{Deserialize, Serialize};

/// The most bytes of a command's text that are told; its log shows the whole of it.
pub const COMMAND_TEXT_BYTES_MAX: usize = 1024;

/// The most commands of one build that are told.
pub const COMMANDS_MAX: u32 = 10_000;

/// Where in its build a command stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommandList {
    /// Among those that make a version of a runtime the one in use.
    Runtimes,
    /// In the phase's `commands`.
    Commands,
    /// In the phase's `finally`.
    Finally,
}

impl CommandList {
    /// The list's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Runtimes => "runtimes",
            Self::Commands => "commands",
            Self::Finally => "finally",
        }
    }
}

/// A command that begins. What it prints follows, after the line that shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandStarted {
    /// The phase.
    pub phase: AgentPhase,
    /// The list.
    pub list: CommandList,
    /// Its place in the list, from 0.
    pub index: u32,
    /// The beginning of its text, at most [`COMMAND_TEXT_BYTES_MAX`] bytes.
    pub text: String,
    /// How many bytes the whole text has.
    pub text_bytes: u64,
}

/// The command that began last has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandEnded {
    /// The status as a shell shows it: 128 and the signal's number for one that a signal ended, 127
    /// for one whose shell is not there.
    pub exit_status: i32,
    /// The signal that ended its shell.
    pub signal: Option<i32>,
    /// How many processes the kernel has ended meanwhile because the memory was used up.
    pub memory_kills: u64,
    /// What it used.
    pub used: Used,
}

/// What a command, or a build, used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    /// Processor time in programs, in microseconds.
    pub cpu_user_micros: u64,
    /// Processor time in the kernel, in microseconds.
    pub cpu_system_micros: u64,
    /// The most memory at once, in bytes, without copies of files that could have been dropped.
    pub memory_peak_bytes: u64,
    /// Bytes read from disks.
    pub disk_read_bytes: u64,
    /// Bytes written to files on disks.
    pub disk_written_bytes: u64,
    /// Bytes received from the network outside.
    pub network_received_bytes: u64,
    /// Bytes sent to it.
    pub network_sent_bytes: u64,
}

/// What a whole build used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildUsed {
    /// Everything, the agent's own work included.
    pub used: Used,
    /// The most processors at once, in thousandths, over a second or the whole of a shorter build.
    pub processors_peak_millis: u32,
}
