//! The sources' owner: a build that does not run as root may still write where its sources are.

use super::git;
use crate::fault::{Doing, Fault};
use crate::run::Build;
use crate::shell::User;
use agent_protocol::Source;
use std::fs;
use std::io;
use std::os::unix::fs::lchown;
use std::path::Path;

/// Gives the sources to a user, except those that the agent has not put there itself.
pub(crate) fn give(build: &Build, user: &User) -> Result<(), Fault> {
    let orders = &build.orders;
    let primary = ("", &orders.source, &orders.source_dir);
    let secondary = orders.secondary_sources.iter();
    let secondary = secondary.map(|s| (s.identifier.as_str(), &s.source, &s.source_dir));
    for (identifier, source, folder) in std::iter::once(primary).chain(secondary) {
        match source {
            Source::Mounted => {}
            Source::NoSource | Source::S3Zip(_) | Source::S3Folder(_) | Source::Git(_) => {
                give_tree(Path::new(folder), user)
                    .doing(|| format!("give {folder} to {}", user.name))?;
            }
        }
        if let Source::Git(source) = source
            && let Some(metadata) = git::metadata(build, identifier, source)
        {
            give_tree(&metadata, user).doing(|| format!("give {folder}/.git to {}", user.name))?;
        }
    }
    // Commands of other phases may still run as root, which git takes for another's folder then.
    git::trust(build)
}

fn give_tree(folder: &Path, user: &User) -> io::Result<()> {
    lchown(folder, Some(user.uid), Some(user.gid))?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            give_tree(&entry.path(), user)?;
        } else {
            lchown(entry.path(), Some(user.uid), Some(user.gid))?;
        }
    }
    Ok(())
}
