//! The control group of this container, as its own files show it: version 2, or the hierarchies of
//! version 1.
//!
//! The files stay open, so that a reading is a handful of short calls. They show the container alone
//! and cannot be written from inside.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// More than any of these files has.
const FILE_BYTES_MAX: usize = 8 * 1024;

/// The container's group; what it does not say is none.
#[derive(Debug, Default)]
pub(crate) struct Group {
    cpu: Option<Cpu>,
    memory: Option<Memory>,
}

/// Processor time in programs and in the kernel, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CpuTime {
    pub(crate) user: u64,
    pub(crate) system: u64,
}

#[derive(Debug)]
enum Cpu {
    /// Version 2's `cpu.stat`.
    Two(File),
    /// Version 1's files: of all, in nanoseconds, and of programs and the kernel, counted by the
    /// ticks of a clock.
    One { all: File, user: File, system: File },
}

#[derive(Debug)]
struct Memory {
    current: File,
    stat: File,
    /// The file with the line `oom_kill`.
    events: File,
    /// What in `stat` can be dropped when memory is short: copies of files, and caches.
    droppable: &'static [&'static str],
}

impl Group {
    /// Opens the files of the group whose mount is at `folder`.
    pub(crate) fn open(folder: &Path) -> Self {
        if folder.join("cgroup.controllers").exists() {
            let memory = ["memory.current", "memory.stat", "memory.events"];
            return Self {
                cpu: file(folder, "cpu.stat").map(Cpu::Two),
                memory: Memory::open(
                    folder,
                    memory,
                    &["active_file", "inactive_file", "slab_reclaimable"],
                ),
            };
        }
        let mut group = Self::default();
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            for controller in name.to_string_lossy().split(',') {
                match controller {
                    "cpuacct" => group.cpu = Cpu::open_one(&entry.path()),
                    "memory" => {
                        let memory = ["memory.usage_in_bytes", "memory.stat", "memory.oom_control"];
                        let droppable = &["total_active_file", "total_inactive_file"];
                        group.memory = Memory::open(&entry.path(), memory, droppable);
                    }
                    _ => {}
                }
            }
        }
        group
    }

    /// The processor time that all processes of the container have used so far.
    pub(crate) fn cpu_time(&self) -> Option<CpuTime> {
        match self.cpu.as_ref()? {
            Cpu::Two(stat) => {
                let text = text(stat)?;
                let value = |key| value(&text, key);
                Some(CpuTime { user: value("user_usec")?, system: value("system_usec")? })
            }
            Cpu::One { all, user, system } => {
                let nanos = |file| text(file)?.trim().parse::<u64>().ok();
                let (all, user, system) = (nanos(all)? / 1_000, nanos(user)?, nanos(system)?);
                // The ticks say how it is divided.
                let share = u128::from(all) * u128::from(user) / u128::from((user + system).max(1));
                let user = u64::try_from(share).unwrap_or(all);
                Some(CpuTime { user, system: all - user })
            }
        }
    }

    /// The memory that the container holds now, in bytes, without what could be dropped.
    pub(crate) fn memory(&self) -> Option<u64> {
        let memory = self.memory.as_ref()?;
        let current: u64 = text(&memory.current)?.trim().parse().ok()?;
        let stat = text(&memory.stat)?;
        let droppable = memory.droppable.iter().filter_map(|key| value(&stat, key)).sum();
        Some(current.saturating_sub(droppable))
    }

    /// How many processes the kernel has ended because the memory was used up.
    pub(crate) fn memory_kills(&self) -> u64 {
        let events = self.memory.as_ref().and_then(|memory| text(&memory.events));
        events.and_then(|events| value(&events, "oom_kill")).unwrap_or_default()
    }
}

impl Cpu {
    fn open_one(folder: &Path) -> Option<Self> {
        Some(Self::One {
            all: file(folder, "cpuacct.usage")?,
            user: file(folder, "cpuacct.usage_user")?,
            system: file(folder, "cpuacct.usage_sys")?,
        })
    }
}

impl Memory {
    fn open(
        folder: &Path,
        [current, stat, events]: [&str; 3],
        droppable: &'static [&'static str],
    ) -> Option<Self> {
        Some(Self {
            current: file(folder, current)?,
            stat: file(folder, stat)?,
            events: file(folder, events)?,
            droppable,
        })
    }
}

fn file(folder: &Path, name: &str) -> Option<File> {
    File::open(folder.join(name)).ok()
}

/// The whole of a small file, from its beginning, however often it was read before.
pub(super) fn text(file: &File) -> Option<String> {
    let mut bytes = vec![0; FILE_BYTES_MAX];
    let length = file.read_at(&mut bytes, 0).ok()?;
    bytes.truncate(length);
    String::from_utf8(bytes).ok()
}

/// The number on the line that begins with `key`.
fn value(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::{CpuTime, Group};
    use std::fs;
    use std::path::Path;

    fn write(folder: &Path, files: &[(&str, &str)]) {
        for (name, text) in files {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }

    #[test]
    fn version_2_is_one_folder() {
        let folder = tempfile::tempdir().unwrap();
        write(
            folder.path(),
            &[
                ("cgroup.controllers", "cpu memory\n"),
                ("cpu.stat", "usage_usec 30\nuser_usec 20\nsystem_usec 10\nnr_periods 0\n"),
                ("memory.current", "1000\n"),
                (
                    "memory.stat",
                    "anon 700\nfile 290\nactive_file 100\ninactive_file 150\nslab_reclaimable 40\n",
                ),
                ("memory.events", "low 0\nhigh 0\nmax 3\noom 1\noom_kill 2\noom_group_kill 0\n"),
            ],
        );
        let group = Group::open(folder.path());
        assert_eq!(group.cpu_time(), Some(CpuTime { user: 20, system: 10 }));
        assert_eq!((group.memory(), group.memory_kills()), (Some(710), 2));
        fs::write(folder.path().join("memory.current"), "2000\n").unwrap();
        assert_eq!(group.memory(), Some(1710));
    }

    #[test]
    fn version_1_is_a_folder_for_each_hierarchy() {
        let folder = tempfile::tempdir().unwrap();
        write(
            folder.path(),
            &[
                ("cpu,cpuacct/cpuacct.usage", "60000\n"),
                ("cpu,cpuacct/cpuacct.usage_user", "20000\n"),
                ("cpu,cpuacct/cpuacct.usage_sys", "10000\n"),
                ("memory/memory.usage_in_bytes", "1000\n"),
                (
                    "memory/memory.stat",
                    "inactive_file 1\ntotal_inactive_file 150\ntotal_active_file 100\n",
                ),
                ("memory/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"),
            ],
        );
        let group = Group::open(folder.path());
        assert_eq!(group.cpu_time(), Some(CpuTime { user: 40, system: 20 }));
        assert_eq!((group.memory(), group.memory_kills()), (Some(750), 2));
    }

    #[test]
    fn where_there_is_no_group_nothing_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let group = Group::open(folder.path());
        assert_eq!((group.cpu_time(), group.memory(), group.memory_kills()), (None, None, 0));
    }
}
