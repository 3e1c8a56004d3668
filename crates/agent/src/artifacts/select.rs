//! Which files an artifact has, and what they are called in it.

use crate::journal::Journal;
use crate::log;
use crate::outcome::Stop;
use buildspec::{Artifacts, BaseDirectory, FilePatterns};
use std::collections::{BTreeSet, HashMap};
use std::fs::{self, DirEntry};
use std::path::{Path, PathBuf};

/// One file of an artifact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Selected {
    /// Where it is.
    pub(super) path: PathBuf,
    /// What it is called in the artifact, with `/` between folders.
    pub(super) name: String,
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

/// Finds the files that the buildspec wants from the source's folder, and tells the log how.
pub(super) fn select(
    journal: &Journal,
    source_dir: &Path,
    wanted: &Artifacts,
    base: &str,
) -> Result<Vec<Selected>, Stop> {
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
        walk.folder(folder, "");
    }
    journal.append(|batch| {
        for (number, pattern) in wanted.files.iter().enumerate() {
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
    find_bases(&wanted, source_dir, "", &mut found);
    found
}

fn find_bases(wanted: &BaseDirectory, folder: &Path, name: &str, found: &mut Vec<PathBuf>) {
    for entry in entries(folder) {
        if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        let below = join(name, &entry);
        if wanted.matches(&below) {
            found.push(entry.path());
        } else {
            find_bases(wanted, &entry.path(), &below, found);
        }
    }
}

struct Walk<'a> {
    wanted: &'a Artifacts,
    files: FilePatterns,
    excluded: FilePatterns,
    /// The numbers of the patterns that matched something.
    matched: BTreeSet<usize>,
    found: Vec<Selected>,
    /// Where in `found` a name is. AWS: of two files with one name the later stays.
    names: HashMap<String, usize>,
}

impl<'a> Walk<'a> {
    fn new(wanted: &'a Artifacts) -> Self {
        Self {
            wanted,
            files: FilePatterns::new(&wanted.files),
            excluded: FilePatterns::new(&wanted.exclude_paths),
            matched: BTreeSet::new(),
            found: Vec::new(),
            names: HashMap::new(),
        }
    }

    fn folder(&mut self, folder: &Path, name: &str) {
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

    fn descend(&mut self, folder: &Path, name: &str) {
        if self.files.may_match_in(name) {
            self.folder(folder, name);
        }
    }

    /// A symbolic link is followed, except to a folder that no pattern names: links to folders may
    /// lead in circles and multiply what is behind them.
    fn link(&mut self, path: &Path, name: String) {
        if self.wanted.enable_symlinks {
            return self.consider(path.to_owned(), name, Kind::Link);
        }
        match fs::metadata(path) {
            Ok(target) if target.is_file() => self.consider(path.to_owned(), name, Kind::Content),
            Ok(target) if target.is_dir() && self.names_folder(&name) => {
                self.descend(path, &name);
            }
            Ok(_) | Err(_) => {}
        }
    }

    /// Whether a pattern leads through this folder before its first wildcard.
    fn names_folder(&self, name: &str) -> bool {
        self.wanted.files.iter().any(|pattern| {
            let mut parts = pattern.split('/').filter(|part| !matches!(*part, "" | "."));
            name.split('/').all(|folder| parts.next() == Some(folder))
        })
    }

    fn consider(&mut self, path: PathBuf, name: String, kind: Kind) {
        let numbers: Vec<usize> = self.files.matching(&name).collect();
        if numbers.is_empty() || self.excluded.matches(&name) {
            return;
        }
        self.matched.extend(numbers);
        let name = if self.wanted.discard_paths {
            name.rsplit('/').next().unwrap_or(&name).to_owned()
        } else {
            name
        };
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

/// What is in a folder, by name. A folder that cannot be read is empty: the command that made it
/// unreadable is older than us.
fn entries(folder: &Path) -> Vec<DirEntry> {
    let mut entries: Vec<_> = fs::read_dir(folder).into_iter().flatten().flatten().collect();
    entries.sort_by_key(DirEntry::file_name);
    entries
}

fn join(folder: &str, entry: &DirEntry) -> String {
    let name = entry.file_name();
    let name = name.to_string_lossy();
    if folder.is_empty() { name.into_owned() } else { format!("{folder}/{name}") }
}
