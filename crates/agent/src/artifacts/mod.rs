//! UPLOAD_ARTIFACTS: the files that the build leaves behind.

use crate::outcome::Stop;
use crate::run::Build;
use crate::shell::Shell;
use buildspec::Buildspec;

/// Uploads what the project and the buildspec agree on, or says why the phase fails.
pub(crate) fn upload(build: &Build, buildspec: &Buildspec, shell: &Shell) -> Result<(), Stop> {
    let wanted = &build.orders.artifacts;
    match (wanted, &buildspec.artifacts) {
        (Some(_), Some(_)) => {
            let _ = shell;
            Err(Stop::client("artifacts come next"))
        }
        _ => Ok(()),
    }
}
