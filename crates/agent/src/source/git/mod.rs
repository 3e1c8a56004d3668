//! Sources that are Git repositories, cloned by the environment's own `git`.
//!
//! The agent sees no credential. When a server asks for one, git asks a helper, which is the agent's
//! program again in a process of its own, and that asks the service. All of these processes have
//! ended before the first command runs, and the service gives nothing out any more.

mod authorities;
mod complaint;
mod configuration;
mod helper;
mod large_files;
mod program;
mod ssh;
mod submodules;
mod version;

pub(crate) use helper::{offer, trust};

use crate::outcome::Stop;
use crate::processes;
use crate::run::Build;
use agent_protocol::GitSource;
use program::Git;
use std::path::Path;

/// Clones a repository into an empty folder, and says which commit is checked out. `identifier` is
/// the secondary source's; empty for the primary one.
pub(super) fn fetch(
    build: &Build,
    identifier: &str,
    source: &GitSource,
    folder: &Path,
) -> Result<String, Stop> {
    let git = Git::prepare(build, identifier, source)?;
    let fetched = clone(&git, source, folder);
    drop(git);
    // Whatever git has left behind may know a credential.
    processes::end_all_and_wait();
    fetched
}

fn clone(git: &Git<'_>, source: &GitSource, folder: &Path) -> Result<String, Stop> {
    let commit = version::check_out(git, source, folder)?;
    large_files::fetch(git, folder)?;
    if source.fetch_submodules {
        submodules::fetch(git, folder)?;
    }
    Ok(commit)
}
