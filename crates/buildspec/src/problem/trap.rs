//! What runs, and is probably not meant.

use super::{Problem, Rule, shown};
use crate::yaml::Place;

/// What runs, and is probably not meant.
impl Problem {
    pub(crate) fn not_expanded(place: Place, reference: &str) -> Self {
        let message = format!("`{}` stays as it is: values are not expanded", shown(reference));
        Self::new(Rule::NotExpanded, place, message)
            .help("set the variable with `export` in a command, which a shell does expand")
    }

    pub(crate) fn zero_lost(place: Place, version: &str) -> Self {
        let short = version.trim_end_matches('0').trim_end_matches('.');
        let message = format!("`{version}` without quotes is the number {short} to other programs");
        Self::new(Rule::VersionLosesZero, place, message)
            .help(format!("put quotes around it: \"{version}\""))
    }

    pub(crate) fn double_bracket(place: Place) -> Self {
        let message = "`[[` is no part of `sh`, which runs this command";
        Self::new(Rule::BashInSh, place, message).help("set `env.shell` to bash, or use `[`")
    }

    pub(crate) fn hidden_status(place: Place, hidden: &str) -> Self {
        let message = format!("a failure of `{}` will not be noticed", shown(hidden));
        Self::new(Rule::HiddenStatus, place, message)
            .help("only the last command after `;` counts: use `&&`, or an entry for each")
    }

    pub(crate) fn deploys_after_failure(place: Place, deploy: &str) -> Self {
        let message = format!("`{deploy}` in post_build also runs after a failed build phase");
        Self::new(Rule::DeploysAfterFailure, place, message)
            .help("set `on-failure: ABORT` in `build`, or ask for CODEBUILD_BUILD_SUCCEEDING first")
    }
}
