//! What earlier builds have fetched of a repository, in the project's local cache: the metadata of
//! Git is there, and the source's own `.git` is a file that says where.
//!
//! Commands of earlier builds could write to all of it, and a credential is near when it is used.
//! So nothing of it counts but packs, which git reads as what they are: the configuration, the
//! hooks, the references and everything else of a repository is made anew. Packs that are not as
//! they were when they were fetched are not used at all.

use super::program::Git;
use crate::cache::Bytes;
use crate::run::Build;
use agent_protocol::{CacheOrder, GitSource, LocalMode};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The repository of the build.
const OWN: &str = "git";
/// What an earlier build had, while a build fetches what is new.
const EARLIER: &str = "earlier";
/// The same on its way.
const COMING: &str = "coming";
/// Which packs there are.
const NOTE: &str = "packs.json";
/// Where a repository has its packs.
const PACKS: &str = "objects/pack";
/// With more packs than these git becomes slow, and they are made one.
const PACKS_MAX: usize = 10;
/// The length of the ids in the repositories that are kept; those of SHA-256 are not.
const ID_LENGTH: usize = 40;

/// What is kept of one repository.
pub(super) struct Kept {
    folder: PathBuf,
    note: Option<Note>,
}

/// What was fetched.
#[derive(Serialize, Deserialize)]
struct Note {
    files: Vec<PackFile>,
    /// Commits and tags of which everything is in the packs.
    tips: Vec<String>,
}

/// A pack, or its index.
#[derive(Serialize, Deserialize)]
struct PackFile {
    name: String,
    bytes: u64,
}

/// Whether sources are kept in the project's local cache.
pub(super) fn is_asked_for(build: &Build) -> bool {
    caches(build).is_some()
}

/// Where the metadata of a source is when it is kept; a build whose cache failed has none there.
pub(crate) fn metadata(build: &Build, identifier: &str, source: &GitSource) -> Option<PathBuf> {
    let own = folder(&caches(build)?, identifier, source).join(OWN);
    own.is_dir().then_some(own)
}

fn caches(build: &Build) -> Option<PathBuf> {
    match &build.orders.cache {
        CacheOrder::Local(cache) if cache.source == LocalMode::On => {
            Some(Path::new(&cache.folder).join("source").join(&cache.id))
        }
        CacheOrder::Local(_)
        | CacheOrder::NoCache
        | CacheOrder::S3(_)
        | CacheOrder::DockerLayers => None,
    }
}

fn folder(caches: &Path, identifier: &str, source: &GitSource) -> PathBuf {
    let digest = hex::encode(Sha256::digest(format!("{identifier}\n{}", source.url)));
    caches.join(&digest[..16])
}

impl Kept {
    /// Makes ready what is kept of a repository, and tells the log. None where nothing is to be
    /// kept, or can be.
    pub(super) fn open(build: &Build, identifier: &str, source: &GitSource) -> Option<Self> {
        let caches = caches(build)?;
        if source.depth.is_some() {
            build.journal.line("Local source cache: not used for a part of the history");
            return None;
        }
        let mut kept = Self { folder: folder(&caches, identifier, source), note: None };
        let ready = fs::create_dir_all(&kept.folder).and_then(|()| kept.make_ready());
        let line = match ready {
            Ok(Some(note)) => {
                let bytes = note.files.iter().map(|file| file.bytes).sum();
                kept.note = Some(note);
                format!("Local source cache: {} are here, what is new is fetched", Bytes(bytes))
            }
            Ok(None) => "Local source cache: empty, all of the history is fetched".to_owned(),
            Err(error) => not_used(error),
        };
        build.journal.line(&line);
        if kept.note.is_none() && kept.discard().is_err() {
            return None;
        }
        Some(kept)
    }

    /// Where the build's own metadata goes.
    pub(super) fn own(&self) -> PathBuf {
        self.folder.join(OWN)
    }

    /// The repository that has what earlier builds have fetched, if any.
    pub(super) fn reference(&self) -> Option<PathBuf> {
        self.note.is_some().then(|| self.folder.join(EARLIER))
    }

    /// Has the build's own metadata find what earlier builds have fetched.
    pub(super) fn lend(&self) -> io::Result<()> {
        let Some(earlier) = self.reference() else { return Ok(()) };
        let text = format!("{}\n", earlier.join("objects").display());
        fs::write(self.own().join("objects/info/alternates"), text)
    }

    /// Keeps what was fetched for the next build, and lets this one have all of it.
    pub(super) fn settle(&self, git: &Git<'_>, folder: &Path) -> io::Result<()> {
        let own = self.own();
        if self.note.is_some() {
            for file in packs(&self.folder.join(EARLIER))? {
                let to = own.join(PACKS).join(&file.name);
                match fs::hard_link(self.folder.join(EARLIER).join(PACKS).join(&file.name), to) {
                    Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                        return Err(error);
                    }
                    _ => {}
                }
            }
            remove(&own.join("objects/info/alternates"))?;
            remove(&self.folder.join(EARLIER))?;
        }
        let run = |arguments: &[&str]| {
            let ran = git.run(folder, arguments).map_err(io::Error::other)?;
            if ran.succeeded() { Ok(ran.printed) } else { Err(io::Error::other(ran.reason())) }
        };
        let mut files = packs(&own)?;
        if files.len() > 2 * PACKS_MAX {
            run(&["repack", "-a", "-d", "-q"])?;
            files = packs(&own)?;
        }
        let listed = run(&["for-each-ref", "--format=%(objectname)"])?;
        let mut tips: Vec<String> = listed.lines().map(str::to_owned).collect();
        tips.sort_unstable();
        tips.dedup();
        tips.retain(|tip| is_id(tip));
        if tips.is_empty() || files.is_empty() {
            return Ok(());
        }
        let note = serde_json::to_vec(&Note { files, tips })?;
        let new = self.folder.join("packs.new");
        fs::write(&new, note)?;
        fs::rename(new, self.folder.join(NOTE))
    }

    /// Takes everything away that is kept of the repository.
    pub(super) fn discard(&self) -> io::Result<()> {
        // What says that something is there goes first.
        remove(&self.folder.join(NOTE))?;
        for name in [OWN, EARLIER, COMING] {
            remove(&self.folder.join(name))?;
        }
        Ok(())
    }

    /// Moves the packs of the last build into a repository that has nothing else of it.
    fn make_ready(&self) -> io::Result<Option<Note>> {
        let text = match fs::read(self.folder.join(NOTE)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return self.discard().map(|()| None);
            }
            Err(error) => return Err(error),
        };
        let note: Note = serde_json::from_slice(&text)?;
        let coming = self.folder.join(COMING);
        fs::create_dir_all(coming.join(PACKS))?;
        for PackFile { name, bytes } in &note.files {
            if !is_pack_file(name) {
                return Err(io::Error::other("it has a pack of a strange name"));
            }
            // A build that was ended may have left them in any of these.
            let mut places =
                [OWN, EARLIER, COMING].map(|place| self.folder.join(place)).into_iter();
            let whole = |place: &PathBuf| {
                let about = fs::symlink_metadata(place.join(PACKS).join(name));
                about.is_ok_and(|about| about.is_file() && about.len() == *bytes)
            };
            let Some(place) = places.find(whole) else {
                return Err(io::Error::other("a pack is missing or has changed"));
            };
            if place != coming {
                fs::rename(place.join(PACKS).join(name), coming.join(PACKS).join(name))?;
            }
        }
        if !note.tips.iter().all(|tip| is_id(tip)) {
            return Err(io::Error::other("it has a strange reference"));
        }
        let mut references = String::new();
        for (number, tip) in note.tips.iter().enumerate() {
            let _ = writeln!(references, "{tip} refs/tips/{number}");
        }
        fs::create_dir_all(coming.join("refs"))?;
        fs::write(coming.join("packed-refs"), references)?;
        fs::write(coming.join("HEAD"), "ref: refs/heads/main\n")?;
        fs::write(coming.join("config"), "[core]\n\trepositoryFormatVersion = 0\n\tbare = true\n")?;
        remove(&self.folder.join(OWN))?;
        remove(&self.folder.join(EARLIER))?;
        fs::rename(coming, self.folder.join(EARLIER))?;
        Ok(Some(note))
    }
}

/// What is kept cannot be used for this reason.
pub(super) fn not_used(reason: impl std::fmt::Display) -> String {
    format!("Unable to use the local source cache: {reason}: all of the history is fetched")
}

/// Nothing is kept for this reason.
pub(super) fn not_kept(reason: impl std::fmt::Display) -> String {
    format!("Unable to keep the source in the local cache: {reason}")
}

/// The packs of a repository.
fn packs(repository: &Path) -> io::Result<Vec<PackFile>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(repository.join(PACKS))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let about = entry.metadata()?;
        if about.is_file() && is_pack_file(&name) {
            found.push(PackFile { name, bytes: about.len() });
        }
    }
    Ok(found)
}

/// Whether a file is a pack or its index: no other file is taken over.
fn is_pack_file(name: &str) -> bool {
    let middle = name.strip_prefix("pack-");
    let id = middle.and_then(|it| it.strip_suffix(".pack").or_else(|| it.strip_suffix(".idx")));
    id.is_some_and(is_id)
}

fn is_id(text: &str) -> bool {
    text.len() == ID_LENGTH && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Removes what is there, and never what a link leads to.
fn remove(path: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(about) if about.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
