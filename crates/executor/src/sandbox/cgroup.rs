//! Control groups: a group of its own for each container, under the group of the service.
//!
//! Version 2 where the service's group has the controllers, version 1 where they are mounted one by
//! one (the memory controller may be in use by other programs: nothing above our own groups is
//! touched), and none where neither may be written.

use crate::{Fault, Limits, fault::Doing};
use rustix::{
    fs::{Mode, OFlags, open},
    process::Pid,
};
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

/// The folder, in the service's own group, that holds the containers' groups.
const PARENT: &str = "buildyard";
/// The controllers that limits need.
const CONTROLLERS: [&str; 3] = ["memory", "pids", "cpu"];
/// The controller that counts processor time; of version 1, where it may be mounted by itself.
const ACCOUNTS: &str = "cpuacct";
/// The period over which processor time is counted out, in microseconds.
const CPU_PERIOD_MICROS: u64 = 100_000;

/// Where this service may make groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hierarchies {
    version: Version,
    mounts: Vec<Mounted>,
}

/// The groups of one container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Group {
    version: Version,
    /// One folder for each hierarchy.
    folders: Vec<Mounted>,
}

/// A hierarchy's folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mounted {
    /// The controllers, as the mount names them: `memory`, or `cpu,cpuacct`; all for version 2.
    pub controllers: String,
    /// The folder.
    pub folder: PathBuf,
}

/// Which interface the groups have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Version {
    /// One tree for all controllers.
    Two,
    /// A tree for each controller.
    One,
}

impl Hierarchies {
    /// Finds where this process may make groups; empty when nowhere.
    pub(super) fn discover() -> io::Result<Self> {
        let groups = fs::read_to_string("/proc/self/cgroup")?;
        let mounts = fs::read_to_string("/proc/self/mountinfo")?;
        let found = Self::parse(&groups, &mounts);
        if found.version == Version::Two {
            return Ok(found.delegated());
        }
        let mounts = found.mounts.into_iter().filter(|m| writable(&m.folder)).collect();
        Ok(Self { version: Version::One, mounts })
    }

    /// Whether no limit can be kept by groups.
    pub(super) fn is_empty(&self) -> bool {
        self.mounts.is_empty()
    }

    /// The groups that a container of this name would have.
    pub(super) fn group(&self, name: &str) -> Group {
        let folders = self.mounts.iter().map(|mounted| Mounted {
            controllers: mounted.controllers.clone(),
            folder: mounted.folder.join(PARENT).join(name),
        });
        Group { version: self.version, folders: folders.collect() }
    }

    /// No groups at all, for what others keep limits of.
    pub(super) fn no_group(&self) -> Group {
        Group { version: self.version, folders: Vec::new() }
    }

    fn parse(groups: &str, mounts: &str) -> Self {
        let one: Vec<_> = groups
            .lines()
            .filter_map(|line| {
                let mut fields = line.splitn(3, ':').skip(1);
                let (names, path) = (fields.next()?, fields.next()?);
                let is_ours = |name: &str| CONTROLLERS.contains(&name) || name == ACCOUNTS;
                let ours = names.split(',').any(is_ours);
                let found = ours.then(|| Mount::find(mounts, "cgroup", names)).flatten()?;
                Some(Mounted { controllers: names.to_owned(), folder: found.folder_of(path) })
            })
            .collect();
        if !one.is_empty() {
            return Self { version: Version::One, mounts: one };
        }
        let two = groups.lines().find_map(|line| line.strip_prefix("0::")).and_then(|path| {
            let folder = Mount::find(mounts, "cgroup2", "")?.folder_of(path);
            Some(Mounted { controllers: String::new(), folder })
        });
        Self { version: Version::Two, mounts: two.into_iter().collect() }
    }

    /// The same when the controllers can be handed down from the service's group, else none.
    ///
    /// Controllers are handed down only by a group without processes, so the service first moves
    /// into a group of its own, if it is alone in its group.
    fn delegated(self) -> Self {
        let usable = self.mounts.iter().all(|mounted| hand_down(&mounted.folder).is_ok());
        let mounts = if usable { self.mounts } else { Vec::new() };
        Self { version: Version::Two, mounts }
    }
}

impl Group {
    /// The groups that a process is in.
    pub(super) fn of(process: Pid) -> io::Result<Self> {
        let groups = fs::read_to_string(format!("/proc/{}/cgroup", process.as_raw_nonzero()))?;
        let mounts = fs::read_to_string("/proc/self/mountinfo")?;
        let found = Hierarchies::parse(&groups, &mounts);
        Ok(Self { version: found.version, folders: found.mounts })
    }

    /// Whether limits are kept by other means.
    pub(super) fn is_empty(&self) -> bool {
        self.folders.is_empty()
    }

    /// The hierarchies that show the container its own limits, for mounting them inside.
    pub(super) fn hierarchies(&self) -> (Version, impl Iterator<Item = &str>) {
        (self.version, self.folders.iter().map(|mounted| mounted.controllers.as_str()))
    }

    /// Makes the groups and sets the limits. For version 1 this thread is moved into them; for
    /// version 2 the new process is to be started in the group that is given.
    pub(super) fn enter(&self, limits: &Limits) -> Result<Option<OwnedFd>, Fault> {
        for mounted in &self.folders {
            make(&mounted.folder).doing_to("make the control group", &mounted.folder)?;
            for (file, value) in settings(self.version, &mounted.controllers, limits) {
                let file = mounted.folder.join(file);
                match fs::write(&file, value) {
                    // A kernel without accounting of swap has no file for it.
                    Err(error) if optional(&file) && error.kind() == io::ErrorKind::NotFound => {}
                    written => written.doing_to("set the limit", &file)?,
                }
            }
        }
        let mut group = None;
        for mounted in &self.folders {
            let doing = "enter the control group";
            match self.version {
                // As a thread, not as a process: that does not make all processes of the machine
                // wait, and this one has a single thread.
                Version::One => {
                    fs::write(mounted.folder.join("tasks"), "0")
                        .doing_to(doing, &mounted.folder)?;
                }
                Version::Two => {
                    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
                    let folder = open(&mounted.folder, flags, Mode::empty());
                    group = Some(folder.doing_to(doing, &mounted.folder)?);
                }
            }
        }
        Ok(group)
    }

    /// Lets a user make groups below the container's own, within its limits. Version 1 has no safe
    /// way to.
    pub(super) fn give_to(&self, user: u32) -> io::Result<()> {
        for mounted in self.folders.iter().filter(|_| self.version == Version::Two) {
            for (file, value) in [("cgroup.max.depth", "16"), ("cgroup.max.descendants", "4096")] {
                fs::write(mounted.folder.join(file), value)?;
            }
            for file in ["", "cgroup.procs", "cgroup.threads", "cgroup.subtree_control"] {
                std::os::unix::fs::chown(mounted.folder.join(file), Some(user), Some(user))?;
            }
        }
        Ok(())
    }

    /// How many processes the memory limit has killed.
    pub(super) fn memory_kills(&self) -> u64 {
        let file = match self.version {
            Version::One => "memory.oom_control",
            Version::Two => "memory.events",
        };
        self.folders
            .iter()
            .filter_map(|mounted| fs::read_to_string(mounted.folder.join(file)).ok())
            .filter_map(|text| {
                let count = text.lines().find_map(|line| line.strip_prefix("oom_kill "))?;
                count.parse::<u64>().ok()
            })
            .sum()
    }

    /// The processes in the groups, and in groups that these have made below them.
    pub(super) fn processes(&self) -> Vec<u32> {
        // Each hierarchy has them all.
        let folders = self.folders.iter().take(1).flat_map(|group| with_all_below(&group.folder));
        let text = |folder: PathBuf| fs::read_to_string(folder.join("cgroup.procs"));
        let lists: Vec<String> = folders.filter_map(|folder| text(folder).ok()).collect();
        lists.iter().flat_map(|list| list.lines()).filter_map(|line| line.parse().ok()).collect()
    }

    /// Kills whatever is left in the groups, where the kernel can.
    pub(super) fn kill(&self) {
        for mounted in self.folders.iter().filter(|_| self.version == Version::Two) {
            // An older kernel has no such file; the process namespace's end has killed them all.
            let _ = fs::write(mounted.folder.join("cgroup.kill"), "1");
        }
    }

    /// Removes the groups; those that do not exist are fine. Busy while a process is left in one.
    pub(super) fn remove(&self) -> io::Result<()> {
        for mounted in &self.folders {
            for folder in with_all_below(&mounted.folder).iter().rev() {
                match fs::remove_dir(folder) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
            if let Some(parent) = mounted.folder.parent() {
                // Another container's group keeps it, which is as well.
                let _ = fs::remove_dir(parent);
            }
        }
        Ok(())
    }
}

/// A group and those that were made below it, each after the one above it.
fn with_all_below(group: &Path) -> Vec<PathBuf> {
    let mut found = vec![group.to_owned()];
    let mut next = 0;
    while let Some(folder) = found.get(next) {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let is_folder = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
        let below: Vec<_> = entries.filter(is_folder).map(|entry| entry.path()).collect();
        found.extend(below);
        next += 1;
    }
    found
}

/// A mounted hierarchy.
struct Mount {
    root: String,
    point: PathBuf,
}

impl Mount {
    fn find(mounts: &str, kind: &str, controllers: &str) -> Option<Self> {
        mounts.lines().find_map(|line| {
            let (place, file_system) = line.split_once(" - ")?;
            let mut place = place.split(' ').skip(3);
            let (root, point) = (place.next()?, place.next()?);
            let mut file_system = file_system.split(' ');
            let fits = file_system.next()? == kind
                && controllers
                    .split(',')
                    .filter(|name| !name.is_empty())
                    .all(|name| file_system.clone().nth(1).is_some_and(|o| has(o, name)));
            fits.then(|| Self { root: root.to_owned(), point: PathBuf::from(point) })
        })
    }

    /// The folder of a group; the mount may show a part of the tree only.
    fn folder_of(&self, group: &str) -> PathBuf {
        let below = match group.strip_prefix(self.root.trim_end_matches('/')) {
            Some(below) if below.is_empty() || below.starts_with('/') => below,
            _ => group,
        };
        self.point.join(below.trim_start_matches('/'))
    }
}

fn has(options: &str, name: &str) -> bool {
    options.split(',').any(|option| option == name)
}

fn writable(folder: &Path) -> bool {
    rustix::fs::access(folder, rustix::fs::Access::WRITE_OK).is_ok()
}

fn hand_down(group: &Path) -> io::Result<()> {
    let available = fs::read_to_string(group.join("cgroup.controllers"))?;
    let all = CONTROLLERS.iter().all(|c| available.split_whitespace().any(|a| a == *c));
    if !all {
        return Err(io::Error::other("a controller is missing"));
    }
    let children = group.join("cgroup.subtree_control");
    if fs::write(&children, "+memory +pids +cpu").is_err() {
        let own = group.join("buildyard-service");
        make(&own)?;
        fs::write(own.join("cgroup.procs"), "0")?;
        fs::write(&children, "+memory +pids +cpu")?;
    }
    let parent = group.join(PARENT);
    make(&parent)?;
    fs::write(parent.join("cgroup.subtree_control"), "+memory +pids +cpu")
}

/// Makes a group and the one above it, which another container's end may be taking away.
fn make(folder: &Path) -> io::Result<()> {
    let attempts = 100;
    for _ in 0..attempts {
        match fs::create_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let parent = folder.parent().expect("a group is inside a hierarchy");
                match fs::create_dir(parent) {
                    Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                        return Err(error);
                    }
                    _ => {}
                }
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
            made => return made,
        }
    }
    Err(io::Error::other("the group above it is taken away again and again"))
}

/// The files to write for the limits, in order.
fn settings(version: Version, controllers: &str, limits: &Limits) -> Vec<(&'static str, String)> {
    let memory = limits.memory_bytes.min(i64::MAX.cast_unsigned()).to_string();
    let processes = limits.processes_max.to_string();
    let processors = rustix::thread::sched_getaffinity(None).map_or(1, |set| set.count());
    let quota = (limits.cpu_millis < processors.saturating_mul(1000))
        .then(|| (u64::from(limits.cpu_millis) * CPU_PERIOD_MICROS / 1000).max(1000).to_string());
    match version {
        Version::Two => {
            let quota = quota.unwrap_or_else(|| "max".to_owned());
            vec![
                ("memory.max", memory),
                ("memory.swap.max", "0".to_owned()),
                ("pids.max", processes),
                ("cpu.max", format!("{quota} {CPU_PERIOD_MICROS}")),
            ]
        }
        Version::One => {
            let mut files = Vec::new();
            if has(controllers, "memory") {
                files.push(("memory.limit_in_bytes", memory.clone()));
                files.push(("memory.memsw.limit_in_bytes", memory));
            }
            if has(controllers, "pids") {
                files.push(("pids.max", processes));
            }
            if let Some(quota) = quota.filter(|_| has(controllers, "cpu")) {
                files.push(("cpu.cfs_quota_us", quota));
            }
            files
        }
    }
}

fn optional(file: &Path) -> bool {
    file.ends_with("memory.memsw.limit_in_bytes") || file.ends_with("memory.swap.max")
}

#[cfg(test)]
mod tests;
