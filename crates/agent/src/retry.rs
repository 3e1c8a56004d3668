//! Whether a failed phase asks that the whole build be started again.
//!
//! AWS: what the pattern of `RETRY-<pattern>` is looked for in is not written down; here it is the
//! phase's message and the end of what the phase printed.

use crate::output::Output;
use agent_protocol::{PhaseOutcome, PhaseStatus};
use buildspec::{OnFailure, Phase};

/// Makes ready for a phase that may ask for a retry.
pub(crate) fn prepare(phase: &Phase, output: &Output) {
    if let Some(OnFailure::Retry { pattern: Some(_), .. }) = phase.on_failure {
        output.keep_tail();
    }
}

/// How often at most the build is to be started again for a phase that ended so, if at all.
/// `number` says which retry the build is already.
pub(crate) fn asked(
    phase: &Phase,
    outcome: &PhaseOutcome,
    output: &Output,
    number: u32,
) -> Option<u32> {
    let printed = output.take_tail();
    match outcome.status {
        PhaseStatus::Failed => {}
        PhaseStatus::Succeeded
        | PhaseStatus::Fault
        | PhaseStatus::TimedOut
        | PhaseStatus::Stopped => return None,
    }
    let message = outcome.context().message;
    phase.on_failure.as_ref()?.retries(number, &[message.as_bytes(), &printed])
}
