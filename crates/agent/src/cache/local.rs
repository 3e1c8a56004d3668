//! Folders of the build that are folders of the machine: `LOCAL_CUSTOM_CACHE`. Nothing is copied:
//! the build's paths are links into the machine's folder.

use super::lines::{self, Moment};
use super::paths::folder_meant;
use crate::fault::plain;
use crate::layout::shown;
use crate::run::Build;
use agent_protocol::{CacheOrder, LocalCache, LocalMode, LocalState, Orders};
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, lchown, symlink};
use std::path::{Path, PathBuf};

/// The folder behind all of a build's links, if there may be any.
pub(crate) fn linked_folder(orders: &Orders) -> Option<PathBuf> {
    match &orders.cache {
        CacheOrder::Local(cache) if cache.custom == LocalMode::On => Some(store(cache)),
        CacheOrder::Local(_) | CacheOrder::S3(_) => None,
        CacheOrder::NoCache | CacheOrder::DockerLayers => None,
    }
}

fn store(cache: &LocalCache) -> PathBuf {
    Path::new(&cache.folder).join("custom").join(&cache.id)
}

/// Puts the links where the buildspec's paths are, and tells the log what is behind them.
pub(super) fn link(build: &Build, cache: &LocalCache, home: &str, paths: &[String]) {
    let source_dir = Path::new(&build.orders.source_dir);
    let store = store(cache);
    build.journal.append(|batch| {
        for path in paths {
            batch.line(&lines::expanded(path));
        }
        batch.line(&state(&cache.state));
    });
    for text in paths {
        let line = match folder_meant(source_dir, home, text) {
            None => lines::not_begun(format!("only directories can be cached locally: {text}")),
            Some(path) => {
                let kept = store.join(below(source_dir, &path));
                build.journal.line(&lines::mkdir_all(&shown(&kept)));
                match put_link(&path, &kept) {
                    Ok(()) => lines::symlinking(&shown(&path), &shown(&kept)),
                    Err(error) => lines::not_begun(format!("{}: {}", shown(&path), plain(&error))),
                }
            }
        };
        build.journal.line(&line);
    }
}

/// What the folder of a path is called in the machine's folder.
fn below(source_dir: &Path, path: &Path) -> PathBuf {
    let own = path.strip_prefix(source_dir).or_else(|_| path.strip_prefix("/"));
    own.unwrap_or(path).to_owned()
}

fn put_link(path: &Path, kept: &Path) -> io::Result<()> {
    fs::create_dir_all(kept)?;
    match fs::symlink_metadata(path) {
        Ok(about) if about.is_dir() => {
            // AWS: what is cached takes the place of what the source has of the same name.
            take_in(path, kept)?;
            fs::remove_dir_all(path)?;
        }
        Ok(about) if about.is_symlink() => fs::remove_file(path)?,
        Ok(_) => return Err(ErrorKind::NotADirectory.into()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            if let Some(above) = path.parent() {
                make_folders(above)?;
            }
        }
        Err(error) => return Err(error),
    }
    symlink(kept, path)
}

/// Makes a folder, and those above it, each for the owner of the one that it is in: whose home it is
/// may write beside the link.
fn make_folders(folder: &Path) -> io::Result<()> {
    let Some(above) = folder.parent().filter(|_| !folder.is_dir()) else { return Ok(()) };
    make_folders(above)?;
    fs::create_dir(folder)?;
    let about = fs::metadata(above)?;
    match lchown(folder, Some(about.uid()), Some(about.gid())) {
        // An environment without that user.
        Err(error)
            if matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::InvalidInput) =>
        {
            Ok(())
        }
        given => given,
    }
}

/// Copies what is not in the cache yet.
fn take_in(from: &Path, into: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let (entry, about) = entry.and_then(|entry| Ok((entry.path(), entry.metadata()?)))?;
        let Some(name) = entry.file_name() else { continue };
        let to = into.join(name);
        let there = fs::symlink_metadata(&to);
        if about.is_dir() {
            match there {
                Ok(there) if !there.is_dir() => continue,
                Ok(_) => {}
                Err(_) => fs::create_dir(&to)?,
            }
            take_in(&entry, &to)?;
        } else if there.is_ok() {
            continue;
        } else if about.is_symlink() {
            symlink(fs::read_link(&entry)?, &to)?;
        } else if about.is_file() {
            fs::copy(&entry, &to)?;
        } else {
            continue;
        }
        lchown(&to, Some(about.uid()), Some(about.gid()))?;
    }
    Ok(())
}

fn state(state: &LocalState) -> String {
    match state {
        LocalState::Kept { used_at } => {
            format!("Local cache: as a build left it at {}", Moment(*used_at))
        }
        LocalState::First => {
            "Local cache: empty, as no build of the project has used it".to_owned()
        }
        LocalState::Busy { builds } => format!(
            "Local cache: empty, as {builds} build(s) of the project that run now have the others"
        ),
        LocalState::Evicted { at } => format!(
            "Local cache: empty, as it was evicted at {} to keep all local caches within their \
             limit",
            Moment(*at)
        ),
        LocalState::Invalidated { at } => {
            format!("Local cache: empty, as it was invalidated at {}", Moment(*at))
        }
        LocalState::Broken { reason } => {
            format!("Local cache: empty, as what was kept cannot be used: {reason}")
        }
    }
}
