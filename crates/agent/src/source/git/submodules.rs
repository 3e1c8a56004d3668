//! Submodules, and theirs, level by level.
//!
//! Git would go down for ever where repositories name each other, so it is told to go one level at a
//! time and we count.

use super::complaint::shown;
use super::large_files;
use super::program::{Git, Ran};
use crate::outcome::Stop;
use std::path::{Path, PathBuf};

/// Deeper nests are loops.
const LEVELS_MAX: usize = 16;
/// As many submodules are fetched for one source.
const SUBMODULES_MAX: usize = 1_000;

/// Fetches all submodules of a repository that is checked out.
pub(super) fn fetch(git: &Git<'_>, repository: &Path) -> Result<(), Stop> {
    let mut level = vec![repository.to_owned()];
    let mut fetched = 0;
    for _ in 0..LEVELS_MAX {
        let mut next = Vec::new();
        for folder in level {
            next.extend(fetch_level(git, &folder)?);
        }
        fetched += next.len();
        if next.is_empty() {
            return Ok(());
        }
        if fetched > SUBMODULES_MAX {
            let message = format!("Git clone failed: more than {SUBMODULES_MAX} submodules");
            return Err(Stop::client(message));
        }
        level = next;
    }
    let deeper = level.iter().find(|folder| has_submodules(folder));
    match deeper {
        None => Ok(()),
        Some(folder) => Err(Stop::client(format!(
            "Git clone failed: submodules are nested more than {LEVELS_MAX} levels deep, as in a \
             loop: {}",
            shown(&folder.strip_prefix(repository).unwrap_or(folder).to_string_lossy())
        ))),
    }
}

fn has_submodules(folder: &Path) -> bool {
    folder.join(".gitmodules").is_file()
}

/// Fetches a repository's own submodules and gives their folders.
fn fetch_level(git: &Git<'_>, folder: &Path) -> Result<Vec<PathBuf>, Stop> {
    if !has_submodules(folder) {
        return Ok(Vec::new());
    }
    let folders = folders(git, folder)?;
    if !folders.is_empty() {
        let arguments = ["submodule", "update", "--init", "--checkout", "--progress"];
        let updated = git.run(folder, &arguments)?;
        if !updated.succeeded() {
            return Err(Stop::client(reason(&updated)));
        }
    }
    for folder in &folders {
        large_files::fetch(git, folder)?;
    }
    Ok(folders)
}

fn folders(git: &Git<'_>, folder: &Path) -> Result<Vec<PathBuf>, Stop> {
    let listed = git.run(folder, &["ls-files", "--stage", "-z"])?.good()?;
    let submodule = |entry: &str| {
        let (kind, path) = entry.split_once('\t')?;
        kind.starts_with("160000 ").then(|| folder.join(path))
    };
    Ok(listed.split('\0').filter_map(submodule).collect())
}

/// Why, and of which submodule.
fn reason(updated: &Ran) -> String {
    let line = updated.said.lines().find(|line| line.contains(" into submodule path "));
    match line {
        Some(line) => {
            let which = line.trim().trim_start_matches("fatal: ").trim_end_matches(" failed");
            format!("{}: {}", updated.reason(), shown(which))
        }
        None => updated.reason(),
    }
}
