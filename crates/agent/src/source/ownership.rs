//! The sources' owner: a build that does not run as root may still write where its sources are, and
//! where links in them lead into its local cache.

use super::git;
use crate::cache;
use crate::fault::{Doing, Fault};
use crate::run::Build;
use crate::shell::User;
use agent_protocol::Source;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt, lchown};
use std::path::Path;

/// Gives the sources to a user, except those that the agent has not put there itself; and what the
/// project's local cache keeps, whoever has written it.
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
    // AWS: whose these are is not documented.
    if let Some(folder) = cache::linked_folder(orders).filter(|folder| folder.exists()) {
        give_tree(&folder, user).doing(|| format!("give the local cache to {}", user.name))?;
    }
    // Commands of other phases may still run as root, which git takes for another's folder then.
    git::trust(build)
}

fn give_tree(folder: &Path, user: &User) -> io::Result<()> {
    give_one(folder, &fs::symlink_metadata(folder)?, user)?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            give_tree(&entry.path(), user)?;
        } else {
            give_one(&entry.path(), &entry.metadata()?, user)?;
        }
    }
    Ok(())
}

/// What a phase before has given already, or an earlier build in its cache, is not written again.
fn give_one(path: &Path, about: &Metadata, user: &User) -> io::Result<()> {
    if (about.uid(), about.gid()) == (user.uid, user.gid) {
        return Ok(());
    }
    lchown(path, Some(user.uid), Some(user.gid))
}
