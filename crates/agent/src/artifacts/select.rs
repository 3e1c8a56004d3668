//! Which files an artifact has, and what they are called in it.

use crate::journal::Journal;
use crate::log;
use crate::outcome::Stop;
use crate::source::target_inside;
use agent_protocol::Packaging;
use buildspec::{Artifacts, BaseDirectory, FilePatterns};
use std::collections::{BTreeSet, HashMap};
use std::ffi::{OsStr, OsString};
use std::fs::{self, DirEntry};
use std::path::{Path, PathBuf};

/// One file of an artifact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Selected {
    /// Where it is.
    pub(super) path: PathBuf,
    /// What it is called in the artifact, with `/` between folders; in any encoding.
    pub(super) name: OsString,
    /// What is kept of it.
    pub(super) kind: Kind,
}

/// What is kept of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Its content, wherever a symbolic link leads.
    Content,
    /// The symbolic link itself.
    Link,
}

/// What the project and the buildspec together want of an artifact's files.
pub(super) struct Wanted<'a> {
    /// The buildspec's side.
    pub(super) artifacts: &'a Artifacts,
    /// The base directory, evaluated.
    pub(super) base: &'a str,
    /// How the files are kept.
    pub(super) packaging: Packaging,
}

impl Wanted<'_> {
    /// Whether links that lead to somewhere in the artifact stay links.
    // AWS: `enable-symlinks` speaks of ZIPs alone, and of links inside the artifact.
    fn keeps_links(&self) -> bool {
        let zip = match self.packaging {
            Packaging::Zip => true,
            Packaging::None => false,
        };
        zip && self.artifacts.enable_symlinks && !self.artifacts.discard_paths
    }
}

/// Finds the files that the buildspec wants from the source's folder, and tells the log how.
pub(super) fn select(
    journal: &Journal,
    source_dir: &Path,
    wanted: &Wanted<'_>,
) -> Result<Vec<Selected>, Stop> {
    let base = wanted.base;
    journal.append(|batch| {
        batch.line(&log::expanding_base(base));
        batch.line(log::ASSEMBLING);
        batch.line(&log::expanding(base));
    });
    let bases = base_folders(source_dir, base);
    if bases.is_empty() {
        let message = format!("no matching base directory path found for {base}");
        return Err(Stop::client(message));
    }
    journal.append(|batch| {
        batch.line(&log::expanding_files(base));
        batch.line(log::ASSEMBLING);
    });
    let mut walk = Walk::new(wanted);
    for folder in &bases {
        walk.folder(folder, OsStr::new(""));
    }
    journal.append(|batch| {
        for (number, pattern) in wanted.artifacts.files.iter().enumerate() {
            batch.line(&log::expanding(pattern));
            if !walk.matched.contains(&number) {
                batch.line(&log::skipping(pattern));
            }
        }
        if !walk.found.is_empty() {
            batch.line(&log::found(walk.found.len()));
        }
    });
    if walk.found.is_empty() {
        return Err(Stop::client("no matching artifact paths found"));
    }
    Ok(walk.found)
}

/// The folders that the patterns begin in.
fn base_folders(source_dir: &Path, base: &str) -> Vec<PathBuf> {
    let wanted = BaseDirectory::new(base);
    if let Some(literal) = wanted.literal() {
        let folder = source_dir.join(literal);
        return if folder.is_dir() { vec![folder] } else { Vec::new() };
    }
    let mut found = Vec::new();
    find_bases(&wanted, source_dir, OsStr::new(""), &mut found);
    found
}

fn find_bases(wanted: &BaseDirectory, folder: &Path, name: &OsStr, found: &mut Vec<PathBuf>) {
    for entry in entries(folder) {
        if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        let below = join(name, &entry);
        if wanted.matches(&below.to_string_lossy()) {
            found.push(entry.path());
        } else {
            find_bases(wanted, &entry.path(), &below, found);
        }
    }
}

struct Walk<'a> {
    wanted: &'a Wanted<'a>,
    files: FilePatterns,
    excluded: FilePatterns,
    /// The numbers of the patterns that matched something.
    matched: BTreeSet<usize>,
    found: Vec<Selected>,
    /// Where in `found` a name is. AWS: of two files with one name the later stays.
    names: HashMap<OsString, usize>,
}

impl<'a> Walk<'a> {
    fn new(wanted: &'a Wanted<'a>) -> Self {
        Self {
            wanted,
            files: FilePatterns::new(&wanted.artifacts.files),
            excluded: FilePatterns::new(&wanted.artifacts.exclude_paths),
            matched: BTreeSet::new(),
            found: Vec::new(),
            names: HashMap::new(),
        }
    }

    fn folder(&mut self, folder: &Path, name: &OsStr) {
        for entry in entries(folder) {
            let below = join(name, &entry);
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() {
                self.descend(&entry.path(), &below);
            } else if kind.is_file() {
                self.consider(entry.path(), below, Kind::Content);
            } else if kind.is_symlink() {
                self.link(&entry.path(), below);
            }
        }
    }

    fn descend(&mut self, folder: &Path, name: &OsStr) {
        if self.files.may_match_in(&name.to_string_lossy()) {
            self.folder(folder, name);
        }
    }

    /// A symbolic link is followed, except to a folder that no pattern names: links to folders may
    /// lead in circles and multiply what is behind them.
    fn link(&mut self, path: &Path, name: OsString) {
        if self.wanted.keeps_links() && leads_inside(path, &name) {
            return self.consider(path.to_owned(), name, Kind::Link);
        }
        match fs::metadata(path) {
            Ok(target) if target.is_file() => self.consider(path.to_owned(), name, Kind::Content),
            Ok(target) if target.is_dir() && self.names_folder(&name.to_string_lossy()) => {
                self.descend(path, &name);
            }
            Ok(_) | Err(_) => {}
        }
    }

    /// Whether a pattern leads through this folder before its first wildcard.
    fn names_folder(&self, name: &str) -> bool {
        self.wanted.artifacts.files.iter().any(|pattern| {
            let mut parts = pattern.split('/').filter(|part| !matches!(*part, "" | "."));
            name.split('/').all(|folder| parts.next() == Some(folder))
        })
    }

    fn consider(&mut self, path: PathBuf, name: OsString, kind: Kind) {
        let text = name.to_string_lossy();
        let numbers: Vec<usize> = self.files.matching(&text).collect();
        if numbers.is_empty() || self.excluded.matches(&text) {
            return;
        }
        drop(text);
        self.matched.extend(numbers);
        let discarded = self.wanted.artifacts.discard_paths;
        let own_name = path.file_name().filter(|_| discarded).map(OsStr::to_owned);
        let name = own_name.unwrap_or(name);
        let selected = Selected { path, name: name.clone(), kind };
        match self.names.get(&name) {
            Some(at) => self.found[*at] = selected,
            None => {
                self.names.insert(name, self.found.len());
                self.found.push(selected);
            }
        }
    }
}

/// Whether a link leads to a place in the artifact, whatever is there.
fn leads_inside(link: &Path, name: &OsStr) -> bool {
    let target = fs::read_link(link).unwrap_or_default();
    target.to_str().is_some_and(|target| target_inside(Path::new(name), target).is_some())
}

/// What is in a folder, by name. A folder that cannot be read is empty: the command that made it
/// unreadable is older than us.
fn entries(folder: &Path) -> Vec<DirEntry> {
    let mut entries: Vec<_> = fs::read_dir(folder).into_iter().flatten().flatten().collect();
    entries.sort_by_key(DirEntry::file_name);
    entries
}

fn join(folder: &OsStr, entry: &DirEntry) -> OsString {
    let mut name = folder.to_owned();
    if !name.is_empty() {
        name.push("/");
    }
    name.push(entry.file_name());
    name
}
