//! How much of a build runs, and whether somebody waits to look at what fails.

use crate::AgentPhase;
use serde::{Deserialize, Serialize};

/// How much of a build runs. A service's builds run as a whole, which is the default; a build on
/// its author's machine may begin late, end early, and open a shell where a command failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Course {
    /// The first phase whose commands run. DOWNLOAD_SOURCE runs in any case.
    pub from: Option<AgentPhase>,
    /// The last phase that runs.
    pub until: Option<AgentPhase>,
    /// Whether a shell is opened in the environment when a command has failed.
    pub shell_on_failure: bool,
}

impl Course {
    /// Whether the phase comes before the first that runs.
    pub fn leaves_out(&self, phase: AgentPhase) -> bool {
        self.from.is_some_and(|from| phase < from)
    }

    /// Whether nothing follows the phase.
    pub fn ends_with(&self, phase: AgentPhase) -> bool {
        self.until == Some(phase)
    }
}
