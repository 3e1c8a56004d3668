//! Sources that are Git repositories, cloned by the environment's own `git`.
//!
//! The agent sees no credential. When a server asks for one, git asks a helper, which is the agent's
//! program again in a process of its own, and that asks the service. All of these processes have
//! ended before the first command runs, and the service gives nothing out any more.

mod authorities;
mod complaint;
mod configuration;
mod helper;
mod kept;
mod large_files;
mod program;
mod ssh;
mod submodules;
mod version;

pub(crate) use helper::{offer, trust};
pub(crate) use kept::metadata;

use crate::fault::Doing;
use crate::outcome::Stop;
use crate::processes;
use crate::run::Build;
use agent_protocol::GitSource;
use kept::Kept;
use program::Git;
use std::fs;
use std::io;
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
    let fetched = clone(build, &git, (identifier, source), folder);
    drop(git);
    // Whatever git has left behind may know a credential.
    processes::end_all_and_wait();
    fetched
}

fn clone(
    build: &Build,
    git: &Git<'_>,
    (identifier, source): (&str, &GitSource),
    folder: &Path,
) -> Result<String, Stop> {
    let commit = match Kept::open(build, identifier, source) {
        None => version::check_out(git, source, None, folder)?,
        Some(kept) => check_out_kept(git, source, &kept, folder)?,
    };
    large_files::fetch(git, folder)?;
    if source.fetch_submodules {
        submodules::fetch(git, folder)?;
    }
    Ok(commit)
}

/// Checks a version out with what is kept of its repository. Where that fails, everything is
/// fetched anew: a cache is a help and never a condition.
fn check_out_kept(
    git: &Git<'_>,
    source: &GitSource,
    kept: &Kept,
    folder: &Path,
) -> Result<String, Stop> {
    match version::check_out(git, source, Some(kept), folder) {
        Ok(commit) => {
            if let Err(error) = kept.settle(git, folder) {
                git.journal().line(&kept::not_kept(error));
            }
            Ok(commit)
        }
        Err(Stop::Failure { code, message }) if complaint::is_the_servers(&message) => {
            Err(Stop::Failure { code, message })
        }
        Err(stop) => {
            let reason = match &stop {
                Stop::Failure { message, .. } | Stop::Unavailable(message) => message.clone(),
                Stop::Fault(fault) => fault.to_string(),
            };
            git.journal().line(&kept::not_used(reason));
            let emptied = kept.discard().and_then(|()| empty(folder));
            emptied.doing(|| "begin the source anew".to_owned())?;
            version::check_out(git, source, None, folder)
        }
    }
}

fn empty(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
