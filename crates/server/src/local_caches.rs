//! Folders of this machine that builds of a project find again: `LOCAL` caches.
//!
//! A project has as many folders as builds of it have run at once. A build gets the one that was
//! used last and that no other build has, mounted as it is, so that a cache costs no copy and no two
//! builds write to one. What is known of a folder stands in files beside its content, so that it
//! survives the service. The folders of all projects together have a limit; beyond it those go that
//! were used longest ago.
//!
//! It knows folders, and nothing of containers or of what is in a cache.

use crate::clock;
use agent_protocol::{LocalState, Timestamp};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    collections::HashSet,
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};
use uuid::Uuid;

/// Where folders wait for their removal.
const TRASH: &str = "trash";
/// What a build sees of a folder.
const CONTENT: &str = "content";
const LEASE: &str = "lease.json";
const USE: &str = "use.json";
const SIZE: &str = "size.json";
const EVICTED: &str = "evicted.json";

/// The local caches of all projects.
pub struct LocalCaches {
    folder: PathBuf,
    bytes_max: u64,
    /// Held while folders are chosen, given back or taken away.
    choosing: Mutex<()>,
}

/// A folder that a build has alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The folder on this machine.
    pub folder: PathBuf,
    /// What it is.
    pub state: LocalState,
}

/// Who has a folder. It is kept until the build's container is gone.
#[derive(Serialize, Deserialize)]
struct Kept {
    build: String,
    state: LocalState,
}

impl LocalCaches {
    /// The caches below a folder, which is made; together they keep no more than `bytes_max`.
    pub fn open(folder: PathBuf, bytes_max: u64) -> io::Result<Self> {
        fs::create_dir_all(folder.join(TRASH))?;
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700))?;
        Ok(Self { folder, bytes_max, choosing: Mutex::default() })
    }

    /// Gives a build a folder of its project. Asked again for the same build, it gives the same.
    pub fn lease(
        &self,
        project: &str,
        build: &str,
        invalidated_at: Option<Timestamp>,
    ) -> io::Result<Lease> {
        let _alone = self.alone();
        let project = self.folder.join(project);
        let mut free = Vec::new();
        let mut busy = 0;
        for folder in numbered(&project) {
            match read::<Kept>(&folder.join(LEASE)) {
                Ok(Some(kept)) if kept.build == build => {
                    return Ok(Lease { folder: folder.join(CONTENT), state: kept.state });
                }
                Ok(Some(_)) => busy += 1,
                Ok(None) => free.push(folder),
                Err(error) => {
                    tracing::warn!(folder = %folder.display(), %error, "a lease is unreadable");
                    self.discard(&folder)?;
                }
            }
        }
        free.sort_by_key(|folder| read::<Timestamp>(&folder.join(USE)).ok().flatten());
        let mut state = match (busy, read::<Timestamp>(&project.join(EVICTED))) {
            (0, Ok(Some(at))) => LocalState::Evicted { at },
            (0, _) => LocalState::First,
            (builds, _) => LocalState::Busy { builds },
        };
        if let Some(folder) = free.pop() {
            match judged(&folder, invalidated_at) {
                Ok(kept) => return taken(&folder, build, kept),
                Err(unusable) => {
                    tracing::warn!(folder = %folder.display(), ?unusable, "a cache is not used");
                    self.discard(&folder)?;
                    state = unusable;
                }
            }
        }
        let folder = (0..).map(|number: u32| project.join(number.to_string()));
        let folder = folder.into_iter().find(|folder| !folder.exists()).expect("numbers go on");
        fs::create_dir_all(folder.join(CONTENT))?;
        match fs::remove_file(project.join(EVICTED)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        taken(&folder, build, state)
    }

    /// Takes a folder back from a build whose container is gone, if it has one, and gives it back to
    /// be settled.
    pub fn release(&self, project: &str, build: &str) -> io::Result<Option<PathBuf>> {
        let _alone = self.alone();
        let own = |folder: &PathBuf| matches!(read::<Kept>(&folder.join(LEASE)), Ok(Some(kept)) if kept.build == build);
        let Some(folder) = numbered(&self.folder.join(project)).into_iter().find(own) else {
            return Ok(None);
        };
        write(&folder.join(USE), &clock::now())?;
        fs::remove_file(folder.join(LEASE))?;
        Ok(Some(folder))
    }

    /// Finds out how large a folder has become, and makes room. This takes its time.
    pub fn settle(&self, folder: &Path) -> io::Result<()> {
        let bytes = executor::disk_used(&folder.join(CONTENT))?.bytes;
        {
            let _alone = self.alone();
            // It may have been taken away meanwhile.
            if folder.exists() {
                write(&folder.join(SIZE), &bytes)?;
            }
            self.evict()?;
        }
        self.empty_trash();
        Ok(())
    }

    /// Takes back what builds have that are not under way any more, and empties the trash.
    pub fn sweep(&self, live: &HashSet<String>) {
        for project in folders(&self.folder).iter().filter(|folder| !folder.ends_with(TRASH)) {
            for folder in numbered(project) {
                let Ok(Some(kept)) = read::<Kept>(&folder.join(LEASE)) else { continue };
                if live.contains(&kept.build) {
                    continue;
                }
                let name = project.file_name().unwrap_or_default().to_string_lossy();
                let settled = self.release(&name, &kept.build).and_then(|_| self.settle(&folder));
                if let Err(error) = settled {
                    tracing::warn!(folder = %folder.display(), %error, "a cache is not given back");
                }
            }
        }
        self.empty_trash();
    }

    /// Removes for good what was taken away.
    fn empty_trash(&self) {
        for folder in folders(&self.folder.join(TRASH)) {
            if let Err(error) = executor::remove_tree(&folder) {
                tracing::warn!(folder = %folder.display(), %error, "a cache is left in the trash");
            }
        }
    }

    /// Takes away folders, the one used longest ago first, until the rest is within the limit.
    fn evict(&self) -> io::Result<()> {
        let mut idle = Vec::new();
        let mut sum = 0;
        for project in folders(&self.folder).into_iter().filter(|folder| !folder.ends_with(TRASH)) {
            for folder in numbered(&project) {
                let bytes = read::<u64>(&folder.join(SIZE)).ok().flatten().unwrap_or_default();
                let used_at = read::<Timestamp>(&folder.join(USE)).ok().flatten();
                sum += bytes;
                if !folder.join(LEASE).exists() {
                    idle.push((used_at, bytes, project.clone(), folder));
                }
            }
        }
        idle.sort_by_key(|(used_at, ..)| *used_at);
        for (_, bytes, project, folder) in idle {
            if sum <= self.bytes_max {
                break;
            }
            tracing::info!(folder = %folder.display(), bytes, "a local cache is evicted");
            self.discard(&folder)?;
            write(&project.join(EVICTED), &clock::now())?;
            sum -= bytes;
        }
        Ok(())
    }

    fn discard(&self, folder: &Path) -> io::Result<()> {
        fs::rename(folder, self.folder.join(TRASH).join(Uuid::new_v4().to_string()))
    }

    fn alone(&self) -> MutexGuard<'_, ()> {
        self.choosing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a folder is that nobody has; an error is why it cannot be used.
fn judged(folder: &Path, invalidated_at: Option<Timestamp>) -> Result<LocalState, LocalState> {
    let broken = |reason: &str| Err(LocalState::Broken { reason: reason.to_owned() });
    let used_at = match read::<Timestamp>(&folder.join(USE)) {
        Ok(Some(used_at)) => used_at,
        Ok(None) => return broken("nobody knows when it was used"),
        Err(_) => return broken("what is known of it cannot be read"),
    };
    if !fs::symlink_metadata(folder.join(CONTENT)).is_ok_and(|about| about.is_dir()) {
        return broken("it is not a folder");
    }
    match invalidated_at {
        Some(at) if used_at <= at => Err(LocalState::Invalidated { at }),
        Some(_) | None => Ok(LocalState::Kept { used_at }),
    }
}

fn taken(folder: &Path, build: &str, state: LocalState) -> io::Result<Lease> {
    write(&folder.join(LEASE), &Kept { build: build.to_owned(), state: state.clone() })?;
    Ok(Lease { folder: folder.join(CONTENT), state })
}

/// The folders of a project.
fn numbered(project: &Path) -> Vec<PathBuf> {
    let is_number = |folder: &PathBuf| {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        name.bytes().all(|byte| byte.is_ascii_digit())
    };
    folders(project).into_iter().filter(is_number).collect()
}

fn folders(above: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(above).into_iter().flatten().flatten();
    let is_folder = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
    let mut folders: Vec<_> = entries.filter(is_folder).map(|entry| entry.path()).collect();
    folders.sort_unstable();
    folders
}

fn read<T: DeserializeOwned>(file: &Path) -> io::Result<Option<T>> {
    match fs::read(file) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes a file that is there as a whole or not at all.
fn write(file: &Path, value: &impl Serialize) -> io::Result<()> {
    let new = file.with_extension("new");
    fs::write(&new, serde_json::to_vec(value)?)?;
    fs::rename(new, file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    struct Machine {
        folder: TempDir,
        caches: LocalCaches,
    }

    fn machine(bytes_max: u64) -> Machine {
        let folder = TempDir::new().unwrap();
        let caches = LocalCaches::open(folder.path().join("caches"), bytes_max).unwrap();
        Machine { folder, caches }
    }

    impl Machine {
        fn lease(&self, project: &str, build: &str) -> Lease {
            self.caches.lease(project, build, None).unwrap()
        }

        /// A build that leaves a file of so many bytes.
        fn build(&self, project: &str, build: &str, bytes: usize) -> Lease {
            let lease = self.lease(project, build);
            fs::write(lease.folder.join("file"), vec![1; bytes]).unwrap();
            self.release(project, build);
            lease
        }

        fn release(&self, project: &str, build: &str) {
            let folder = self.caches.release(project, build).unwrap().unwrap();
            self.caches.settle(&folder).unwrap();
        }

        fn state(&self, project: &str) -> LocalState {
            let state = self.lease(project, "asks").state;
            self.release(project, "asks");
            state
        }
    }

    #[test]
    fn builds_of_a_project_share_a_folder_one_after_the_other() {
        let machine = machine(u64::MAX);
        let first = machine.lease("one", "a");
        assert_eq!(first.state, LocalState::First);
        // A service that was restarted asks again.
        assert_eq!(machine.lease("one", "a"), first);
        let beside = machine.lease("one", "b");
        assert_eq!(beside.state, LocalState::Busy { builds: 1 });
        assert_ne!(beside.folder, first.folder);
        assert_ne!(machine.lease("two", "c").folder, first.folder);
        machine.release("one", "b");
        machine.release("one", "a");
        // The one that was used last.
        let next = machine.lease("one", "d");
        assert_eq!(next.folder, first.folder);
        assert!(matches!(next.state, LocalState::Kept { .. }), "{next:?}");
        assert_eq!(machine.caches.release("one", "nobody").unwrap(), None);
    }

    #[test]
    fn what_outgrows_the_limit_goes_and_says_when() {
        let machine = machine(250_000);
        machine.build("old", "a", 100_000);
        machine.build("new", "b", 100_000);
        let held = machine.lease("held", "c");
        fs::write(held.folder.join("file"), vec![1; 500_000]).unwrap();
        machine.build("third", "d", 100_000);
        assert!(matches!(machine.state("old"), LocalState::Evicted { .. }));
        assert!(matches!(machine.state("new"), LocalState::Kept { .. }));
        // What a build has while it is running stays; afterwards it may be what is too much.
        machine.release("held", "c");
        assert!(matches!(machine.state("held"), LocalState::Evicted { .. }));
        let trash = machine.folder.path().join("caches").join(TRASH);
        assert_eq!(fs::read_dir(trash).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_that_cannot_be_used_is_an_empty_one() {
        let machine = machine(u64::MAX);
        let project = machine.folder.path().join("caches/one");
        machine.build("one", "a", 1);
        fs::write(project.join("0").join(USE), "{").unwrap();
        let lease = machine.lease("one", "b");
        assert!(matches!(lease.state, LocalState::Broken { .. }), "{lease:?}");
        assert_eq!(fs::read_dir(&lease.folder).unwrap().count(), 0);
        machine.release("one", "b");
        fs::remove_dir_all(project.join("0").join(CONTENT)).unwrap();
        assert!(matches!(machine.state("one"), LocalState::Broken { .. }));
        fs::write(project.join("0").join(LEASE), "{").unwrap();
        assert!(matches!(machine.state("one"), LocalState::First));
    }

    #[test]
    fn what_was_used_before_its_invalidation_is_not_used_again() {
        let machine = machine(u64::MAX);
        machine.build("one", "a", 1);
        let at = clock::now();
        let lease = machine.caches.lease("one", "b", Some(at)).unwrap();
        assert_eq!(lease.state, LocalState::Invalidated { at });
        machine.release("one", "b");
        let later = machine.caches.lease("one", "c", Some(at)).unwrap();
        assert!(matches!(later.state, LocalState::Kept { .. }), "{later:?}");
    }

    #[test]
    fn a_restarted_service_takes_back_what_nobody_has() {
        let machine = machine(u64::MAX);
        let (gone, live) = (machine.lease("one", "gone"), machine.lease("two", "live"));
        let path = machine.folder.path().join("caches");
        let caches = LocalCaches::open(path, u64::MAX).unwrap();
        caches.sweep(&HashSet::from(["live".to_owned()]));
        let next = caches.lease("one", "next", None).unwrap();
        assert_eq!(next.folder, gone.folder);
        assert_eq!(caches.lease("two", "live", None).unwrap(), live);
        assert!(matches!(caches.lease("two", "x", None).unwrap().state, LocalState::Busy { .. }));
    }
}
