//! How phases end: the status codes, and what a fault looks like to the user.

use crate::fault::Fault;
use agent_protocol::{PhaseContext, PhaseOutcome, PhaseStatus};

/// The status code of a failed command.
pub(crate) const COMMAND_EXECUTION_ERROR: &str = "COMMAND_EXECUTION_ERROR";
/// The status code of a buildspec that cannot be used.
pub(crate) const YAML_FILE_ERROR: &str = "YAML_FILE_ERROR";
/// The status code of sources that cannot be had and artifacts that cannot be kept.
pub(crate) const CLIENT_ERROR: &str = "CLIENT_ERROR";
/// The status code of values that Parameter Store does not give.
pub(crate) const DECRYPTED_VARIABLES_ERROR: &str = "Decrypted Variables Error";
/// The status code of values that Secrets Manager does not give.
pub(crate) const SECRETS_MANAGER_ERROR: &str = "Secrets Manager Error";
/// The status code of the agent's and the machine's own trouble.
pub(crate) const INTERNAL_SERVER_ERROR: &str = "INTERNAL_SERVER_ERROR";

/// The outcome of a phase in which the agent or the machine failed.
pub(crate) fn fault(message: impl Into<String>) -> PhaseOutcome {
    let context =
        PhaseContext { status_code: INTERNAL_SERVER_ERROR.to_owned(), message: message.into() };
    PhaseOutcome { status: PhaseStatus::Fault, contexts: vec![context] }
}

/// Why a phase cannot go on.
#[derive(Debug)]
pub(crate) enum Stop {
    /// For a reason that the user can mend.
    Failure {
        /// The status code.
        code: &'static str,
        /// The sentence.
        message: String,
    },
    /// For a reason on our side.
    Fault(Fault),
    /// Because a service that the build needs does not answer.
    Unavailable(String),
}

impl Stop {
    /// Stops for a reason that the user can mend.
    pub(crate) fn client(message: impl Into<String>) -> Self {
        Self::Failure { code: CLIENT_ERROR, message: message.into() }
    }

    /// Stops because the buildspec cannot be used.
    pub(crate) fn yaml(message: impl Into<String>) -> Self {
        Self::Failure { code: YAML_FILE_ERROR, message: message.into() }
    }

    /// The same, with `more` at the end of the sentence.
    pub(crate) fn with(self, more: &str) -> Self {
        match self {
            Self::Failure { code, message } => Self::Failure { code, message: message + more },
            Self::Unavailable(message) => Self::Unavailable(message + more),
            Self::Fault(fault) => Self::Fault(fault),
        }
    }

    /// How the phase ended.
    pub(crate) fn into_outcome(self) -> PhaseOutcome {
        match self {
            Self::Failure { code, message } => PhaseOutcome::failed(code, message),
            Self::Fault(error) => fault(error.to_string()),
            Self::Unavailable(message) => fault(message),
        }
    }
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}
