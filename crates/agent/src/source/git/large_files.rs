//! Files that are kept beside a repository, by Git LFS, where the image has it.

use super::program::Git;
use crate::log;
use crate::outcome::Stop;
use std::fs;
use std::path::Path;

/// The name of the files that say which other files are large.
const ATTRIBUTES: &str = ".gitattributes";

/// Puts the large files of a repository that is checked out in the place of their pointers.
pub(super) fn fetch(git: &Git<'_>, folder: &Path) -> Result<(), Stop> {
    if !has_large_files(git, folder)? {
        return Ok(());
    }
    if !git.run(folder, &["lfs", "version"])?.succeeded() {
        git.journal().line(log::NO_LARGE_FILES);
        return Ok(());
    }
    // So that git in the build's commands sees these files as they are, not as changes.
    git.run(folder, &["lfs", "install", "--local", "--skip-repo"])?.good()?;
    git.run(folder, &["lfs", "pull"])?.good().map(drop)
}

fn has_large_files(git: &Git<'_>, folder: &Path) -> Result<bool, Stop> {
    // Most repositories have no attributes at all, which the index shows without another process.
    let known = git.run(folder, &["ls-files", "-z", "--", ATTRIBUTES, "**/.gitattributes"])?;
    let says_so = |name: &str| {
        let text = fs::read(folder.join(name)).unwrap_or_default();
        String::from_utf8_lossy(&text).split_whitespace().any(|word| word == "filter=lfs")
    };
    Ok(known.good()?.split('\0').filter(|name| !name.is_empty()).any(says_so))
}
