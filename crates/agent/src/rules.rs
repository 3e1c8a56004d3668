//! What follows a phase: the table of the build's order. Pure.

use agent_protocol::{AgentPhase, PhaseStatus};
use buildspec::OnFailure;

/// What follows a phase that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// The next phase.
    Following,
    /// Nothing: the build is over.
    End,
}

/// Says what follows `phase`, which ended with `status`.
///
/// AWS: a failed BUILD is followed by POST_BUILD and the upload of artifacts, a failed INSTALL or
/// PRE_BUILD by nothing. A retry that is not granted, because the error does not match or there
/// have been enough of them, changes nothing.
pub(crate) fn next(phase: AgentPhase, status: PhaseStatus, on_failure: Option<&OnFailure>) -> Next {
    match status {
        PhaseStatus::Succeeded => return Next::Following,
        PhaseStatus::Failed => {}
        PhaseStatus::Fault | PhaseStatus::TimedOut | PhaseStatus::Stopped => return Next::End,
    }
    match on_failure {
        Some(OnFailure::Continue) => return Next::Following,
        Some(OnFailure::Abort) => return Next::End,
        Some(OnFailure::Retry { .. }) | None => {}
    }
    match phase {
        AgentPhase::DownloadSource | AgentPhase::Install | AgentPhase::PreBuild => Next::End,
        AgentPhase::Build | AgentPhase::PostBuild | AgentPhase::UploadArtifacts => Next::Following,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_a_failed_phase() {
        use AgentPhase::{Build, DownloadSource, Install, PostBuild, PreBuild};
        let retry = OnFailure::Retry { count: 3, pattern: None };
        for (phase, default, abort, go_on, again) in [
            (DownloadSource, Next::End, Next::End, Next::Following, Next::End),
            (Install, Next::End, Next::End, Next::Following, Next::End),
            (PreBuild, Next::End, Next::End, Next::Following, Next::End),
            (Build, Next::Following, Next::End, Next::Following, Next::Following),
            (PostBuild, Next::Following, Next::End, Next::Following, Next::Following),
        ] {
            let failed = |on_failure| next(phase, PhaseStatus::Failed, on_failure);
            assert_eq!(failed(None), default, "{phase:?}");
            assert_eq!(failed(Some(&OnFailure::Abort)), abort, "{phase:?}");
            assert_eq!(failed(Some(&OnFailure::Continue)), go_on, "{phase:?}");
            assert_eq!(failed(Some(&retry)), again, "{phase:?}");
            assert_eq!(
                next(phase, PhaseStatus::Succeeded, Some(&OnFailure::Abort)),
                Next::Following
            );
            assert_eq!(next(phase, PhaseStatus::Fault, Some(&OnFailure::Continue)), Next::End);
        }
    }
}
