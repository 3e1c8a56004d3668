//! The image `host`: the machine's own tools, with a root folder around them that is made fresh.

use crate::{Fault, HostImage, fault::Doing, sandbox::RootFileSystem};
use rustix::{
    fs::{CWD, Mode, chmod, mkdirat},
    io::Errno,
};
use std::{
    collections::hash_map::DefaultHasher,
    fs,
    hash::{Hash, Hasher},
    io,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::{Component, Path, PathBuf},
    sync::Mutex,
};

/// Empty folders of the root, with their modes.
const FOLDERS: [(&str, u32); 22] = [
    ("dev", 0o755),
    ("etc", 0o755),
    ("home", 0o755),
    ("home/codebuild-user", 0o755),
    ("media", 0o755),
    ("mnt", 0o755),
    ("proc", 0o555),
    ("root", 0o700),
    ("run", 0o755),
    ("run/lock", 0o1777),
    ("srv", 0o755),
    ("sys", 0o555),
    ("tmp", 0o1777),
    ("var", 0o755),
    ("var/cache", 0o755),
    ("var/lib", 0o755),
    ("var/lib/misc", 0o755),
    ("var/local", 0o755),
    ("var/log", 0o755),
    ("var/mail", 0o755),
    ("var/spool", 0o755),
    ("var/tmp", 0o1777),
];
/// Links of the root.
const LINKS: [(&str, &str); 3] =
    [("/run", "var/run"), ("/run/lock", "var/lock"), ("/proc/self/mounts", "etc/mtab")];
/// Files of the root.
const FILES: [(&str, &str); 4] = [
    (
        "etc/passwd",
        "root:x:0:0:root:/root:/bin/bash\n\
         daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n\
         bin:x:2:2:bin:/bin:/usr/sbin/nologin\n\
         sys:x:3:3:sys:/dev:/usr/sbin/nologin\n\
         codebuild-user:x:1000:1000::/home/codebuild-user:/bin/bash\n\
         nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    ),
    (
        "etc/group",
        "root:x:0:\ndaemon:x:1:\nbin:x:2:\nsys:x:3:\nadm:x:4:\ntty:x:5:\ndisk:x:6:\nmail:x:8:\n\
         staff:x:50:\nusers:x:100:\ncodebuild-user:x:1000:\nnogroup:x:65534:\n",
    ),
    ("etc/environment", ""),
    // A distribution's Python refuses to install packages beside its own; in a build it may.
    ("etc/pip.conf", "[install]\nbreak-system-packages = true\n"),
];

/// The fresh root folder, on disk, and the folders to lay into it.
#[derive(Debug)]
pub(crate) struct HostTemplate {
    config: HostImage,
    /// Where the versions of the root folder are.
    store: PathBuf,
    current: Mutex<Option<Version>>,
}

/// How closely the host's configuration is looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    /// The listed files, links and folders, but not what is in the folders.
    Entries,
    /// All of it.
    Everything,
}

/// The root folder as it was made from the host in a certain state.
#[derive(Debug)]
struct Version {
    /// The fingerprint of the listed entries, which is looked at before each start.
    seen: u64,
    root: PathBuf,
    folders: Vec<PathBuf>,
}

impl HostTemplate {
    /// A template whose versions are kept below `store`, a folder that is made when missing.
    pub(crate) fn new(config: HostImage, store: PathBuf) -> Self {
        Self { config, store, current: Mutex::new(None) }
    }

    /// The file system to start a container with, brought up to date when the host has changed.
    pub(crate) fn file_system(&self) -> Result<RootFileSystem, Fault> {
        let seen = self.fingerprint(Depth::Entries);
        let mut current = self.current.lock().expect("no holder of this lock panics");
        let version = match current.take() {
            Some(version) if version.seen == seen => current.insert(version),
            _ => current.insert(self.make(seen)?),
        };
        Ok(RootFileSystem { layers: vec![version.root.clone()], folders: version.folders.clone() })
    }

    /// Removes all versions but the one that the host now has. No container may be left that uses
    /// one of them.
    pub(crate) fn forget_versions(&self) -> io::Result<()> {
        let current = version_name(self.fingerprint(Depth::Everything));
        let versions = match fs::read_dir(&self.store) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            versions => versions?,
        };
        for version in versions {
            let version = version?;
            if *version.file_name() != *current {
                fs::remove_dir_all(version.path())?;
            }
        }
        Ok(())
    }

    /// A number that changes when the host's configuration does, told by the times of changes.
    fn fingerprint(&self, depth: Depth) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.config.folders.hash(&mut hasher);
        FILES.hash(&mut hasher);
        for path in self.listed() {
            note(&path, depth, &mut hasher);
        }
        hasher.finish()
    }

    /// The entries of `/etc` that are on the list.
    fn listed(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir("/etc").into_iter().flatten().flatten();
        let mut listed: Vec<_> = entries
            .filter(|entry| {
                let name = entry.file_name();
                let name = name.to_string_lossy();
                self.config.etc.iter().any(|pattern| match pattern.strip_suffix('*') {
                    Some(start) => name.starts_with(start),
                    None => *name == **pattern,
                })
            })
            .map(|entry| entry.path())
            .collect();
        listed.sort_unstable();
        listed
    }

    fn make(&self, seen: u64) -> Result<Version, Fault> {
        let doing = "make the root folder of the host image in";
        let name = version_name(self.fingerprint(Depth::Everything));
        let root = self.store.join(&name);
        let folders = if root.exists() {
            self.lay_folders(&root)
        } else {
            let half = self.store.join(format!("{name}.half"));
            let made = self.fill(&half);
            made.and_then(|folders| fs::rename(&half, &root).map(|()| folders))
        };
        Ok(Version { seen, folders: folders.doing_to(doing, &root)?, root })
    }

    fn fill(&self, root: &Path) -> io::Result<Vec<PathBuf>> {
        if root.exists() {
            fs::remove_dir_all(root)?;
        }
        fs::create_dir_all(root)?;
        fs::set_permissions(root, fs::Permissions::from_mode(0o755))?;
        for (folder, mode) in FOLDERS {
            fs::create_dir(root.join(folder))?;
            chmod(root.join(folder), Mode::from_raw_mode(mode))?;
        }
        for (target, link) in LINKS {
            symlink(target, root.join(link))?;
        }
        for path in self.listed() {
            copy(&path, &root.join(path.strip_prefix("/").unwrap_or(&path)))?;
        }
        for (file, text) in FILES {
            fs::write(root.join(file), text)?;
        }
        let home = root.join("home/codebuild-user");
        match std::os::unix::fs::chown(home, Some(1000), Some(1000)) {
            // An ordinary user cannot give folders away; that user does not exist in its containers.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
            given => given?,
        }
        self.lay_folders(root)
    }

    /// Makes the links and mount points of the shown folders; gives those to be mounted.
    fn lay_folders(&self, root: &Path) -> io::Result<Vec<PathBuf>> {
        let mut shown: Vec<(PathBuf, u64)> = Vec::new();
        for folder in &self.config.folders {
            let Ok(found) = fs::symlink_metadata(folder) else { continue };
            let place = root.join(folder.strip_prefix("/").unwrap_or(folder));
            if found.is_symlink() {
                make_folders_above(root, folder)?;
                match symlink(fs::read_link(folder)?, place) {
                    Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                        return Err(error);
                    }
                    _ => {}
                }
            } else if found.is_dir() {
                // What a folder that is shown has inside comes with it, unless it is mounted there.
                let inside = |(other, device): &(PathBuf, u64)| {
                    folder.starts_with(other) && *device == found.dev()
                };
                if !shown.iter().any(inside) {
                    make_folders_above(root, folder)?;
                    make_folder(&place)?;
                    shown.push((folder.clone(), found.dev()));
                }
            }
        }
        Ok(shown.into_iter().map(|(folder, _)| folder).collect())
    }
}

fn version_name(fingerprint: u64) -> String {
    format!("{fingerprint:016x}")
}

/// Notes what shows that an entry is the one it was.
fn note(path: &Path, depth: Depth, hasher: &mut DefaultHasher) {
    path.hash(hasher);
    let Ok(found) = fs::symlink_metadata(path) else { return };
    (found.ino(), found.mtime(), found.mtime_nsec(), found.len(), found.mode()).hash(hasher);
    if found.is_dir() && depth == Depth::Everything {
        let mut inside: Vec<_> =
            fs::read_dir(path).into_iter().flatten().flatten().map(|e| e.path()).collect();
        inside.sort_unstable();
        for path in inside {
            note(&path, depth, hasher);
        }
    }
}

fn make_folders_above(root: &Path, folder: &Path) -> io::Result<()> {
    let mut place = root.to_owned();
    let above = folder.parent().unwrap_or(Path::new("/"));
    for part in above.components() {
        if let Component::Normal(name) = part {
            place.push(name);
            make_folder(&place)?;
        }
    }
    Ok(())
}

fn make_folder(place: &Path) -> io::Result<()> {
    match mkdirat(CWD, place, Mode::from_raw_mode(0o755)) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Copies what everybody may read: files, links, folders. All else is left out.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let found = fs::symlink_metadata(from)?;
    let (for_all, through_for_all) = (0o004, 0o005);
    if found.is_symlink() {
        symlink(fs::read_link(from)?, to)
    } else if found.is_dir() && found.mode() & through_for_all == through_for_all {
        fs::create_dir(to)?;
        fs::set_permissions(to, fs::Permissions::from_mode(0o755))?;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
        Ok(())
    } else if found.is_file() && found.mode() & for_all == for_all {
        fs::copy(from, to).map(drop)
    } else {
        Ok(())
    }
}
