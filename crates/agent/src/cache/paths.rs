//! The files that `cache.paths` means, and what they are called in a cache.
//!
//! A path below the source's folder is called by its way from there, as that folder is another one
//! in each build; any other path is called by itself, from `/`.

use buildspec::FilePatterns;
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, Metadata};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

/// Folders of the kernel's own, which no pattern means.
const NEVER: [&str; 3] = ["/proc", "/sys", "/dev"];

/// What CodeBuild keeps when the buildspec names no paths: where the package managers of common
/// languages keep what they have downloaded, below the home folder.
// AWS: "common language dependencies"; which they are is not documented.
pub(super) const WELL_KNOWN: [&str; 17] = [
    "~/.m2/repository/**/*",
    "~/.gradle/caches/**/*",
    "~/.gradle/wrapper/**/*",
    "~/.ivy2/cache/**/*",
    "~/.sbt/boot/**/*",
    "~/.cache/coursier/**/*",
    "~/.npm/**/*",
    "~/.cache/yarn/**/*",
    "~/.local/share/pnpm/store/**/*",
    "~/.cache/pip/**/*",
    "~/.cache/pypoetry/**/*",
    "~/.cache/go-build/**/*",
    "~/go/pkg/mod/**/*",
    "~/.cargo/registry/**/*",
    "~/.nuget/packages/**/*",
    "~/.composer/cache/**/*",
    "~/.bundle/cache/**/*",
];

/// The paths of a cache, as patterns.
pub(super) struct Paths {
    source_dir: PathBuf,
    below_source: FilePatterns,
    elsewhere: FilePatterns,
}

/// A file to be cached.
#[derive(Debug)]
pub(super) struct Found {
    /// What it is called in the cache.
    pub(super) name: OsString,
    /// Where it is.
    pub(super) path: PathBuf,
    /// What it is.
    pub(super) kind: Kind,
    /// What the file system says of it.
    pub(super) about: Metadata,
}

/// What a cached file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A folder, with nothing that is in it.
    Folder,
    /// A file.
    File,
    /// A symbolic link, and where it leads.
    Link(PathBuf),
    /// Another name of the file that is called so in the cache.
    Same(OsString),
}

impl Paths {
    /// Reads the patterns of a buildspec; `~` is the home folder.
    pub(super) fn new(source_dir: &Path, home: &str, texts: &[String]) -> Self {
        let (mut below, mut elsewhere) = (Vec::new(), Vec::new());
        for text in texts {
            let path = resolved(source_dir, home, text);
            match path.strip_prefix(source_dir) {
                Ok(rest) => below.push(rest.to_string_lossy().into_owned()),
                Err(_) => elsewhere.push(path.to_string_lossy().trim_start_matches('/').to_owned()),
            }
        }
        Self {
            source_dir: source_dir.to_owned(),
            below_source: FilePatterns::new(&below),
            elsewhere: FilePatterns::new(&elsewhere),
        }
    }

    /// Where a file of a cache belongs; none when its name is not one that the patterns mean.
    pub(super) fn locate(&self, name: &OsStr) -> Option<PathBuf> {
        let path = Path::new(name);
        let plain = path.components().all(|part| match part {
            Component::Normal(_) | Component::RootDir => true,
            Component::Prefix(_) | Component::CurDir | Component::ParentDir => false,
        });
        if !plain || path.as_os_str().is_empty() {
            return None;
        }
        match path.strip_prefix("/") {
            Ok(rest) => {
                let meant = self.elsewhere.matches(&rest.to_string_lossy());
                meant.then(|| path.to_owned())
            }
            Err(_) => {
                let meant = self.below_source.matches(&path.to_string_lossy());
                meant.then(|| self.source_dir.join(path))
            }
        }
    }

    /// Every file that is meant, folders before what is in them. What cannot be read is not there.
    pub(super) fn find(&self) -> Vec<Found> {
        let mut walk = Walk { paths: self, found: Vec::new(), names: HashMap::new() };
        if !self.below_source.is_empty() {
            walk.folder(&self.source_dir, OsStr::new(""), &self.below_source);
        }
        if !self.elsewhere.is_empty() {
            walk.folder(Path::new("/"), OsStr::new("/"), &self.elsewhere);
        }
        walk.found
    }
}

/// The path that a text means, from `/`, and still with its wildcards.
fn resolved(source_dir: &Path, home: &str, text: &str) -> PathBuf {
    let text = text.trim();
    let whole = match text.strip_prefix('~') {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("{home}{rest}").into(),
        _ => source_dir.join(text),
    };
    let mut path = PathBuf::new();
    for part in whole.components() {
        match part {
            Component::ParentDir => {
                path.pop();
            }
            Component::CurDir | Component::Prefix(_) => {}
            Component::RootDir | Component::Normal(_) => path.push(part),
        }
    }
    // A `/` at the end of a pattern says that folders are meant.
    if text.ends_with('/') {
        path.push("");
    }
    path
}

/// The folder that a path of a local cache means: a name, or a folder with everything in it.
/// None for anything else.
// AWS: only directories can be cached locally.
pub(super) fn folder_meant(source_dir: &Path, home: &str, text: &str) -> Option<PathBuf> {
    let mut text = text.trim();
    for everything in ["/**/*", "/**", "/*", "/"] {
        text = text.strip_suffix(everything).unwrap_or(text);
    }
    let path = resolved(source_dir, home, text);
    let wild = text.contains(['*', '?', '[', '{']);
    let own = path.parent().is_some() && path != source_dir;
    let never = NEVER.iter().any(|folder| path.starts_with(folder));
    (!wild && own && !never && !path.is_file()).then_some(path)
}

struct Walk<'a> {
    paths: &'a Paths,
    found: Vec<Found>,
    /// The names of files that have several, by device and number.
    names: HashMap<(u64, u64), OsString>,
}

impl Walk<'_> {
    fn folder(&mut self, folder: &Path, name: &OsStr, patterns: &FilePatterns) {
        let mut entries: Vec<_> = fs::read_dir(folder).into_iter().flatten().flatten().collect();
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let path = entry.path();
            let below = joined(name, &entry.file_name());
            let text = below.to_string_lossy();
            let text = text.trim_start_matches('/');
            let Ok(about) = fs::symlink_metadata(&path) else { continue };
            let meant = patterns.matches(text);
            if about.is_dir() {
                let within = patterns.may_match_in(text) && self.is_walked(&path, name);
                if meant && within {
                    let kind = Kind::Folder;
                    self.found.push(Found { name: below.clone(), path: path.clone(), kind, about });
                }
                if within {
                    self.folder(&path, &below, patterns);
                }
            } else if meant && let Some(kind) = self.kind(&path, &below, &about) {
                self.found.push(Found { name: below, path, kind, about });
            }
        }
    }

    /// The source's folder is walked by itself, the kernel's never.
    fn is_walked(&self, folder: &Path, name: &OsStr) -> bool {
        let from_root = name.as_bytes().starts_with(b"/");
        !from_root
            || (folder != self.paths.source_dir
                && !NEVER.iter().any(|never| folder == Path::new(never)))
    }

    fn kind(&mut self, path: &Path, name: &OsStr, about: &Metadata) -> Option<Kind> {
        if about.is_symlink() {
            return fs::read_link(path).ok().map(Kind::Link);
        }
        if !about.is_file() {
            return None;
        }
        if about.nlink() > 1 {
            let id = (about.dev(), about.ino());
            if let Some(first) = self.names.get(&id) {
                return Some(Kind::Same(first.clone()));
            }
            self.names.insert(id, name.to_owned());
        }
        Some(Kind::File)
    }
}

fn joined(folder: &OsStr, name: &OsStr) -> OsString {
    let mut whole = folder.to_owned();
    if !whole.is_empty() && !whole.as_bytes().ends_with(b"/") {
        whole.push("/");
    }
    whole.push(name);
    whole
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use tempfile::TempDir;

    fn paths(source: &Path, texts: &[&str]) -> Paths {
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        Paths::new(source, "/root", &texts)
    }

    fn names(paths: &Paths) -> Vec<String> {
        let shown = |found: Found| {
            let name = found.name.to_string_lossy().into_owned();
            match found.kind {
                Kind::Folder => format!("{name}/"),
                Kind::File => name,
                Kind::Link(target) => format!("{name} -> {}", target.display()),
                Kind::Same(first) => format!("{name} = {}", first.display()),
            }
        };
        paths.find().into_iter().map(shown).collect()
    }

    #[test]
    fn files_below_the_source_and_elsewhere_are_found() {
        let (source, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        for path in ["node_modules/a/x", "node_modules/b", "src/y", "node_modules/empty/"] {
            let path = source.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            if path.extension().is_none() && !path.to_string_lossy().ends_with('/') {
                fs::write(path, "").unwrap();
            } else {
                fs::create_dir_all(path).unwrap();
            }
        }
        fs::create_dir_all(source.path().join("node_modules/empty")).unwrap();
        symlink("/nowhere", source.path().join("node_modules/link")).unwrap();
        fs::hard_link(source.path().join("node_modules/b"), source.path().join("node_modules/c"))
            .unwrap();
        fs::write(other.path().join("jar"), "").unwrap();
        let elsewhere = format!("{}/**/*", other.path().display());
        let found = names(&paths(source.path(), &["./node_modules/**/*", &elsewhere]));
        let jar = format!("{}/jar", other.path().display());
        assert_eq!(
            found,
            [
                "node_modules/a/",
                "node_modules/a/x",
                "node_modules/b",
                "node_modules/c = node_modules/b",
                "node_modules/empty/",
                "node_modules/link -> /nowhere",
                jar.as_str(),
            ]
        );
        // A path from `/` that is below the source means the same files.
        let absolute = format!("{}/src/*", source.path().display());
        assert_eq!(names(&paths(source.path(), &[&absolute])), ["src/y"]);
        assert_eq!(names(&paths(source.path(), &["src"])), ["src/", "src/y"]);
    }

    #[test]
    fn names_that_no_pattern_means_have_no_place() {
        let paths = paths(Path::new("/codebuild/src"), &["a/**/*", "~/.m2/**/*", "../up/*"]);
        for (name, place) in [
            ("a/b", Some("/codebuild/src/a/b")),
            ("/root/.m2/x/y", Some("/root/.m2/x/y")),
            ("/codebuild/up/x", Some("/codebuild/up/x")),
            ("b", None),
            ("a/../../etc/passwd", None),
            ("/etc/passwd", None),
            ("/root/.m2/../.ssh/id", None),
            ("./a/b", None),
            ("", None),
        ] {
            assert_eq!(paths.locate(OsStr::new(name)), place.map(PathBuf::from), "{name}");
        }
    }

    #[test]
    fn folders_of_a_local_cache() {
        let source = Path::new("/codebuild/src");
        for (text, folder) in [
            ("node_modules", Some("/codebuild/src/node_modules")),
            ("node_modules/**/*", Some("/codebuild/src/node_modules")),
            ("./a/b/*", Some("/codebuild/src/a/b")),
            ("/root/.m2/", Some("/root/.m2")),
            ("~/.m2/**/*", Some("/root/.m2")),
            ("**/node_modules/**/*", None),
            ("a/*.jar", None),
            ("**/*", None),
            ("/", None),
            ("/proc/x", None),
            ("/etc/passwd", None),
        ] {
            let meant = folder_meant(source, "/root", text);
            assert_eq!(meant, folder.map(PathBuf::from), "{text}");
        }
    }
}
