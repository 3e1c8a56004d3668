//! What containers take of the disk: no one more than its limit, and all together leave a reserve.
//!
//! No file system has to know of it. While containers run, the free space is looked at a few times
//! a second, which costs nothing; only when it has fallen so far that a container may be over its
//! limit, what they have written is counted. A container that is over it is ended. So is the largest
//! when the reserve is touched, whoever wrote last. Without containers nobody looks.

use super::{
    cgroup::Group,
    known::{Known, KnownContainers},
    state::ContainerFolder,
};
use crate::{ContainerId, DiskUsed, Exit, Fault, disk_used, fault::Doing, free::Free};
use rustix::process::{Pid, Signal, pidfd_send_signal};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, HashSet},
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// How often the free space is looked at while containers run.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// After this part of a limit has been written by anybody, it is worth counting.
const COUNTED_PART: u64 = 64;
/// How long a container that is ended for the reserve has for going, before another is.
const SPARED: Duration = Duration::from_secs(5);
/// A container with less than this part of the reserve is not ended for it: it would be no help.
const HELPFUL_PART: u64 = 16;
/// What the kernel calls an overlay's file system.
const OVERLAY: rustix::fs::FsWord = 0x794c_7630;

/// What a container may take of the disk, and where what it takes is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct DiskShare {
    /// Bytes at most.
    pub bytes_max: u64,
    /// The folders and files that it writes to.
    pub places: Vec<PathBuf>,
    /// The one of them that may be on another disk than the containers' folder, if there is one.
    #[serde(default)]
    pub elsewhere: Option<PathBuf>,
    /// Where its processes are, when that is not its own control group.
    #[serde(default)]
    pub processes: Option<Group>,
}

impl Default for DiskShare {
    /// That of a container which an older service has started.
    fn default() -> Self {
        Self { bytes_max: u64::MAX, places: Vec::new(), elsewhere: None, processes: None }
    }
}

impl DiskShare {
    /// Adds what an engine's container with this first process writes over its image. Where the
    /// engine keeps containers in other ways than overlays, that is not counted.
    pub(super) fn add_root_of(&mut self, process: Pid) {
        let process_id = process.as_raw_nonzero();
        let mounts = fs::read_to_string(format!("/proc/{process_id}/mountinfo"));
        match mounts.ok().as_deref().and_then(written_over_root) {
            Some(written) => {
                self.places.push(written.clone());
                self.elsewhere = Some(written);
            }
            None => tracing::warn!(
                "a container engine keeps containers in no overlay: what builds write is not counted"
            ),
        }
        self.processes = Group::of(process).ok();
    }

    /// What is taken by now. What cannot be counted takes nothing.
    fn used(&self) -> DiskUsed {
        let mut used = DiskUsed::default();
        for place in &self.places {
            match fs::symlink_metadata(place) {
                Ok(found) if found.is_dir() => {
                    used += disk_used(place)
                        .inspect_err(|error| {
                            tracing::warn!(place = %place.display(), %error, "not counted");
                        })
                        .unwrap_or_default();
                }
                Ok(found) => used += DiskUsed { bytes: found.blocks() * 512, files: 1 },
                Err(_) => {}
            }
        }
        used
    }
}

/// The folder of what is written over the overlay that is the root, by a process's list of mounts.
fn written_over_root(mounts: &str) -> Option<PathBuf> {
    let root = mounts.lines().rev().find_map(|mount| {
        let (place, file_system) = mount.split_once(" - ")?;
        (place.split(' ').nth(4)? == "/").then_some(file_system)
    })?;
    let mut fields = root.split(' ');
    let options = (fields.next()? == "overlay").then(|| fields.nth(1))??;
    let written = options.split(',').find_map(|option| option.strip_prefix("upperdir="))?;
    // Of many layers the kernel is told by paths that mean nothing here.
    (written.starts_with('/') && !written.contains('\\')).then(|| PathBuf::from(written))
}

/// What processes hold open of files that have no name any more.
fn nameless(processes: &[u32]) -> DiskUsed {
    let mut used = DiskUsed::default();
    let mut seen = HashSet::new();
    for process in processes {
        for kind in ["fd", "map_files"] {
            let open = fs::read_dir(format!("/proc/{process}/{kind}")).into_iter().flatten();
            for file in open.flatten().map(|entry| entry.path()) {
                let Ok(found) = fs::metadata(&file) else { continue };
                let is_overlay =
                    || rustix::fs::statfs(&file).is_ok_and(|system| system.f_type == OVERLAY);
                if found.is_file()
                    && found.nlink() == 0
                    && is_overlay()
                    && seen.insert((found.dev(), found.ino()))
                {
                    used += DiskUsed { bytes: found.blocks() * 512, files: 1 };
                }
            }
        }
    }
    used
}

/// The thread that looks.
#[derive(Debug)]
pub(super) struct DiskWatch {
    containers: Arc<KnownContainers>,
    thread: Option<JoinHandle<()>>,
}

impl DiskWatch {
    /// Starts to look after the containers of this folder.
    pub(super) fn start(
        folder: PathBuf,
        reserve_bytes: u64,
        containers: Arc<KnownContainers>,
    ) -> Result<Self, Fault> {
        let mut ledger = Ledger::new(reserve_bytes);
        let watched = Arc::clone(&containers);
        let watch = move || {
            while let Some(running) = watched.next_look(LOOK_EVERY) {
                let Ok(free) = Free::of(&folder) else { continue };
                ledger.look_elsewhere(elsewhere(&folder, &running));
                for end in ledger.look(free, &running, Instant::now()) {
                    end.carry_out(&folder);
                }
            }
        };
        let thread = thread::Builder::new().name("disk".to_owned()).stack_size(256 * 1024);
        let thread = thread.spawn(watch).doing("start the thread that watches the disk")?;
        Ok(Self { containers, thread: Some(thread) })
    }
}

impl Drop for DiskWatch {
    fn drop(&mut self) {
        self.containers.close();
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed, and nobody is left to be told.
            let _ = thread.join();
        }
    }
}

/// What is free of other disks than the containers' folder's, by the disks' numbers.
fn elsewhere(folder: &Path, running: &[(ContainerId, Arc<Known>)]) -> BTreeMap<u64, Free> {
    let places = running.iter().filter_map(|(_, known)| known.share.elsewhere.as_deref());
    let disk = |place: &Path| fs::metadata(place).map(|found| found.dev()).ok();
    let mut places = places.peekable();
    let here = places.peek().and_then(|_| disk(folder));
    let others = places.filter_map(|place| Some((disk(place)?, place)));
    let others = others.filter(|(disk, _)| Some(*disk) != here);
    others.filter_map(|(disk, place)| Some((disk, Free::of(place).ok()?))).collect()
}

/// A container, as far as the ledger has to know it.
pub(super) trait Taker {
    /// Bytes at most.
    fn bytes_max(&self) -> u64;
    /// What it took when it was counted last.
    fn counted(&self) -> u64;
    /// Counts what it takes.
    fn count(&self) -> u64;
}

impl Taker for (ContainerId, Arc<Known>) {
    fn bytes_max(&self) -> u64 {
        self.1.share.bytes_max
    }

    fn counted(&self) -> u64 {
        self.1.counted()
    }

    fn count(&self) -> u64 {
        let mut used = self.1.share.used();
        let group = self.1.share.processes.as_ref().unwrap_or(&self.1.group);
        used += nameless(&group.processes());
        self.1.set_counted(used.bytes);
        used.bytes
    }
}

/// A container that is to end, and why.
#[derive(Debug, PartialEq, Eq)]
struct End<T> {
    container: T,
    exit: Exit,
}

impl End<(ContainerId, Arc<Known>)> {
    fn carry_out(self, containers: &Path) {
        let (id, known) = self.container;
        tracing::warn!(%id, exit = ?self.exit, "a container is ended for the disk");
        known.overran(self.exit.clone());
        // For a service that comes after this one. It may fail: the disk is full.
        let _ = ContainerFolder::of(containers, &id).write_ended(&self.exit);
        if let Err(error) = pidfd_send_signal(&known.process, Signal::KILL) {
            tracing::debug!(%id, %error, "it has ended by itself");
        }
    }
}

/// What is known of the disk, and when it is worth counting.
struct Ledger {
    reserve_bytes: u64,
    last: Option<Free>,
    /// The same of other disks, by their numbers.
    last_elsewhere: BTreeMap<u64, Free>,
    /// By how much the free space has fallen since it was counted, whatever has become free.
    fallen: u64,
    /// When a container may be ended for the reserve again.
    spared_until: Option<Instant>,
}

impl Ledger {
    fn new(reserve_bytes: u64) -> Self {
        let last_elsewhere = BTreeMap::new();
        Self { reserve_bytes, last: None, last_elsewhere, fallen: 0, spared_until: None }
    }

    /// Takes notice of the free space of other disks that containers write to.
    fn look_elsewhere(&mut self, free: BTreeMap<u64, Free>) {
        for (disk, free) in &free {
            let last = self.last_elsewhere.get(disk);
            let fallen = last.map_or(0, |last| free.fallen_since(last));
            self.fallen = self.fallen.saturating_add(fallen);
        }
        self.last_elsewhere = free;
    }

    /// Takes notice of the free space, and says which containers are to end.
    fn look<T: Taker + Clone>(&mut self, free: Free, running: &[T], now: Instant) -> Vec<End<T>> {
        let fallen = self.last.map_or(0, |last| free.fallen_since(&last));
        self.fallen = self.fallen.saturating_add(fallen);
        self.last = Some(free);
        let low =
            free.is_below(self.reserve_bytes) && self.spared_until.is_none_or(|until| until <= now);
        if self.fallen < worth_counting(running) && !low {
            return Vec::new();
        }
        self.fallen = 0;
        let mut ends = Vec::new();
        let mut largest: Option<(u64, &T)> = None;
        for container in running {
            let (used_bytes, limit) = (container.count(), container.bytes_max());
            if used_bytes > limit {
                let exit = Exit::OutOfDisk { used_bytes, bytes_max: Some(limit) };
                ends.push(End { container: container.clone(), exit });
            } else if largest.is_none_or(|(bytes, _)| bytes < used_bytes) {
                largest = Some((used_bytes, container));
            }
        }
        if low {
            self.spared_until = Some(now + SPARED);
            let helpful = largest.filter(|(bytes, _)| *bytes >= self.reserve_bytes / HELPFUL_PART);
            if let (true, Some((used_bytes, container))) = (ends.is_empty(), helpful) {
                let exit = Exit::OutOfDisk { used_bytes, bytes_max: None };
                ends.push(End { container: container.clone(), exit });
            } else if ends.is_empty() {
                tracing::warn!(
                    free_bytes = free.bytes,
                    free_files = free.files,
                    "the disk is full"
                );
            }
        }
        ends
    }
}

/// How far the free space must fall before a container can be over its limit: by half of what it
/// may still take, so that what is written grows no faster than the counting.
fn worth_counting<T: Taker>(running: &[T]) -> u64 {
    let part = |container: &T| {
        let left = container.bytes_max().saturating_sub(container.counted());
        (left / 2).max(container.bytes_max() / COUNTED_PART)
    };
    running.iter().map(part).min().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
