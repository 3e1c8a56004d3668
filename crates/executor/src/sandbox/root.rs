//! The container's file systems: an overlay that is thrown away, what the spec lays into it, and
//! private `/proc`, `/dev` and `/sys` with the dangerous parts taken out.
//!
//! Everything is mounted through descriptors, and paths inside the container are resolved as if its
//! root were the root, so no link in an image leads out.

use super::{
    cgroup::Version,
    message::{Job, Source, User, receive},
    syscall::{MountAttributes, set_mount_attributes},
};
use crate::{Fault, Mount, MountKind, Privileges, fault::Doing, inside::Inside};
use rustix::{
    fs::{
        AtFlags, CWD, Dev, FileType, Mode, OFlags, fchmod, makedev, mknodat, open, openat,
        symlinkat, unlinkat,
    },
    io::Errno,
    mount::{
        FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MountPropagationFlags,
        MoveMountFlags, OpenTreeFlags, UnmountFlags, fsconfig_create, fsconfig_set_flag,
        fsconfig_set_string, fsmount, fsopen, mount, mount_change, move_mount, open_tree, unmount,
    },
    process::{chdir, fchdir, pivot_root},
};
use std::{
    ffi::OsStr,
    fs::File,
    io::Write,
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
};

/// Devices of every container: name, major and minor number.
const DEVICES: [(&str, u32, u32); 6] = [
    ("null", 1, 3),
    ("zero", 1, 5),
    ("full", 1, 7),
    ("random", 1, 8),
    ("urandom", 1, 9),
    ("tty", 5, 0),
];
/// Links of every `/dev`.
const DEVICE_LINKS: [(&str, &str); 5] = [
    ("/proc/self/fd", "fd"),
    ("/proc/self/fd/0", "stdin"),
    ("/proc/self/fd/1", "stdout"),
    ("/proc/self/fd/2", "stderr"),
    ("pts/ptmx", "ptmx"),
];
/// What may be read below `/proc` and not written.
pub(super) const READ_ONLY: [&str; 5] =
    ["proc/bus", "proc/fs", "proc/irq", "proc/sys", "proc/sysrq-trigger"];
/// What looks empty: it tells of the machine or of other programs.
pub(super) const HIDDEN: [&str; 12] = [
    "proc/acpi",
    "proc/asound",
    "proc/interrupts",
    "proc/kcore",
    "proc/keys",
    "proc/latency_stats",
    "proc/sched_debug",
    "proc/scsi",
    "proc/timer_list",
    "proc/timer_stats",
    "sys/devices/virtual/powercap",
    "sys/firmware",
];
/// The folders of an overlay: what was written, the kernel's own, the whole, and where the folder of
/// the host is attached that lies under it.
pub(super) const OVERLAY: [&str; 4] = ["written", "work", "merged", "under"];
/// The names of the layers where a folder itself is the only one.
const WHOLE: [&str; 1] = ["."];

/// Where a container with privileges of its own keeps what an overlay cannot lie on: another one.
const VOLUMES: [&str; 2] = ["/var/lib/docker", "/var/lib/containers"];
/// The device for file systems of a container's own programs.
const FUSE: (&str, u32, u32) = ("fuse", 10, 229);

/// The folder of all the container's overlays.
pub(super) fn overlays_folder(container: &Path) -> PathBuf {
    container.join("overlays")
}

/// Where the folder is that a container with privileges of its own sees as this volume.
fn volume_in(overlays: &Path, volume: &str) -> PathBuf {
    let name = Path::new(volume).file_name().expect("a volume has a name");
    overlays.join("volumes").join(name)
}

/// What has to be made on the host for a container with privileges of its own: its volumes, and the
/// device for file systems of its programs, where the host has it.
pub(super) fn make_own(overlays: &Path, owner: Option<u32>) -> Result<(), Fault> {
    let give = |path: &Path| match owner {
        Some(owner) => std::os::unix::fs::chown(path, Some(owner), Some(owner)),
        None => Ok(()),
    };
    for volume in VOLUMES {
        let folder = volume_in(overlays, volume);
        let made = std::fs::create_dir_all(&folder).and_then(|()| give(&folder));
        made.doing_to("make the folder", &folder)?;
    }
    let (name, major, minor) = FUSE;
    let device = overlays.join(name);
    if owner.is_some() && Path::new("/dev").join(name).exists() {
        let (kind, mode) = (FileType::CharacterDevice, Mode::from_raw_mode(0o600));
        let made = mknodat(CWD, &device, kind, mode, makedev(major, minor));
        made.map_err(std::io::Error::from)
            .and_then(|()| give(&device))
            .doing_to("make", &device)?;
    }
    Ok(())
}

/// How many overlays the container has.
pub(super) fn overlay_count(job: &Job) -> usize {
    let copied = job.mounts.iter().filter(|mount| mount.kind == MountKind::CopyOnWrite).count();
    1 + job.root.folders.len() + copied
}

/// Makes the file systems and enters them; the host's are gone from view after it.
pub(super) fn enter(job: &Job, helper: &OwnedFd) -> Result<(), Fault> {
    let mut laid = Laid::new(job, helper, Path::new("/usr"))?;
    laid.root.make_dev(job)?;
    laid.root.make_proc(job.privileges)?;
    laid.root.make_sys(job)?;
    laid.root.make_temporary_folders()?;
    if job.privileges == Privileges::Own {
        laid.root.attach_own(&laid.overlays.folder)?;
    }
    for mount in &job.mounts {
        let tree = laid.mount(mount)?;
        laid.root.attach(&tree, &mount.container)?;
    }
    for folder in &job.folders_in_memory {
        laid.root.attach(&folder_in_memory(job)?, folder)?;
    }
    laid.root.write_files(job)?;
    laid.root.become_root()
}

/// Makes the file systems for a runtime, which enters them. Gives the folder of all that belongs to
/// the container, as this process sees it.
pub(super) fn lay(job: &Job, helper: &OwnedFd) -> Result<PathBuf, Fault> {
    let mut laid = Laid::new(job, helper, Path::new("/tmp"))?;
    let folder = laid.overlays.folder.clone();
    laid.root.make_temporary_folders()?;
    laid.root.write_files(job)?;
    for (number, mount) in job.mounts.iter().enumerate() {
        let tree = laid.mount(mount)?;
        let place = mount_place(&folder, number);
        move_mount(&tree, "", CWD, &place, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
            .doing_to("attach", &mount.host)?;
    }
    chdir("/").doing("go to the host's root")?;
    Ok(folder)
}

/// Where [`lay`] puts the root file system, below the folder that it gives.
pub(super) fn root_place(folder: &Path) -> PathBuf {
    folder.join("0").join(OVERLAY[2])
}

/// Where [`lay`] puts one of the spec's mounts; the helper makes the folder.
pub(super) fn mount_place(folder: &Path, number: usize) -> PathBuf {
    folder.join(format!("mount-{number}"))
}

/// Replaces this process's view of `/proc` by that of its own processes.
pub(super) fn renew_proc() -> Result<(), Fault> {
    let doing = "make /proc";
    let tree = new_mount("proc", &[], inert()).doing(doing)?;
    let place = open("/proc", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
    attach(&tree, &place.doing(doing)?).doing(doing)
}

/// How a runtime finds the machine's control groups: which it is not to make any of, since the limits
/// are those of the group that it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cgroups {
    /// To be read.
    ReadOnly,
    /// Not at all.
    Hidden,
}

/// Protects the machine's control groups from what this process starts.
pub(super) fn hide_cgroups(how: Cgroups) -> Result<(), Fault> {
    let (doing, place) = ("protect", Path::new("/sys/fs/cgroup"));
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let there = match open(place, flags, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(()),
        there => there.doing_to(doing, place)?,
    };
    let tree = match how {
        Cgroups::Hidden => empty_folder().doing_to(doing, place)?,
        Cgroups::ReadOnly => {
            let tree = clone_tree(&there).doing_to(doing, place)?;
            let (set, below_as_well) = (libc::MOUNT_ATTR_RDONLY, true);
            let attributes = MountAttributes { set, below_as_well, ..MountAttributes::default() };
            set_mount_attributes(&tree, attributes).doing_to(doing, place)?;
            tree
        }
    };
    attach(&tree, &there).doing_to(doing, place)
}

/// A root file system that is put together, and what is still to be laid into it.
struct Laid<'a> {
    root: Root,
    overlays: Overlays<'a>,
    sources: Box<dyn Iterator<Item = Source<'a>> + 'a>,
}

impl<'a> Laid<'a> {
    /// The image alone. See [`Overlays::new`] for the place.
    fn new(job: &'a Job, helper: &'a OwnedFd, place: &Path) -> Result<Self, Fault> {
        let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
        mount_change("/", private).doing("make mounts private")?;
        let mut sources = job.sources();
        let mut overlays = Overlays::new(job, helper, place)?;
        let mut next = || sources.next().expect("each mount has its source");
        let names: Vec<_> = job.root.layers.iter().filter_map(|layer| layer.file_name()).collect();
        let root = Root(Inside(overlays.mount(&next(), &names)?));
        for folder in &job.root.folders {
            root.attach(&overlays.mount(&next(), &WHOLE.map(OsStr::new))?, folder)?;
        }
        Ok(Self { root, overlays, sources: Box::new(sources) })
    }

    /// The next of the spec's mounts, attached nowhere yet.
    fn mount(&mut self, mount: &Mount) -> Result<OwnedFd, Fault> {
        let source = self.sources.next().expect("each mount has its source");
        match mount.kind {
            MountKind::CopyOnWrite => self.overlays.mount(&source, &WHOLE.map(OsStr::new)),
            MountKind::ReadOnly | MountKind::ReadWrite => {
                protected(self.overlays.tree(&source)?, mount)
            }
        }
    }
}

/// The overlays of one container, made in order.
struct Overlays<'a> {
    job: &'a Job,
    helper: &'a OwnedFd,
    /// Where the overlays' folders are.
    folder: PathBuf,
    made: usize,
}

impl<'a> Overlays<'a> {
    /// None yet. Where the folder's own path is closed to this process it is seen at `place`, whose
    /// own content is not needed any more.
    fn new(job: &'a Job, helper: &'a OwnedFd, place: &Path) -> Result<Self, Fault> {
        let folder = overlays_folder(&job.folder);
        let mut overlays = Self { job, helper, folder, made: 0 };
        if let User::Apart { .. } = job.user {
            // The folder's path is closed to the container's root: its mount is given, too.
            let own = Source { folder: &overlays.folder, below_as_well: false };
            let tree = overlays.tree(&own)?;
            move_mount(&tree, "", CWD, place, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
                .doing_to("attach", overlays.folder.as_path())?;
            overlays.folder = place.to_owned();
        }
        Ok(overlays)
    }

    /// Lays a writable layer over folders that are side by side in the source, the uppermost first.
    fn mount(&mut self, source: &Source<'_>, names: &[&OsStr]) -> Result<OwnedFd, Fault> {
        let folder = self.folder.join(self.made.to_string());
        self.made += 1;
        let [written, work, merged, under] = OVERLAY.map(|name| folder.join(name));
        let below = match self.job.user {
            User::HostRoot | User::Own { .. } => source.folder,
            User::Apart { .. } => {
                let tree = self.tree(source)?;
                move_mount(&tree, "", CWD, &under, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
                    .doing_to("attach", source.folder)?;
                &under
            }
        };
        // By their names alone: the kernel takes one page of options.
        chdir(below).doing_to("enter", source.folder)?;
        let names: Vec<String> = names.iter().map(|name| escaped(Path::new(name))).collect();
        // Nothing of it outlives the container, so nothing need reach the disk.
        let mut options = format!(
            "lowerdir={},upperdir={},workdir={},index=off,volatile",
            names.join(":"),
            escaped(&written),
            escaped(&work)
        );
        if self.job.user != User::HostRoot {
            options.push_str(",userxattr");
        }
        let options = std::ffi::CString::new(options).doing("name an overlay's folders")?;
        let flags = MountFlags::NODEV | MountFlags::NOSUID;
        mount("overlay", &merged, "overlay", flags, options.as_c_str())
            .doing_to("lay a writable layer over", source.folder)?;
        open(&merged, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
            .doing_to("open", &merged)
    }

    /// A folder of the host as a mount that is attached nowhere yet.
    fn tree(&self, source: &Source<'_>) -> Result<OwnedFd, Fault> {
        let doing = "open the folder";
        match self.job.user {
            User::HostRoot | User::Own { .. } => {
                copy_of_mount(source).doing_to(doing, source.folder)
            }
            User::Apart { .. } => receive::<()>(&self.helper)
                .doing_to(doing, source.folder)?
                .and_then(|((), mut trees)| trees.pop())
                .ok_or_else(|| Fault::because(doing, "the helper is gone")),
        }
    }
}

/// A copy of the mount of a folder, attached nowhere yet.
pub(super) fn copy_of_mount(source: &Source<'_>) -> rustix::io::Result<OwnedFd> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    if source.below_as_well {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    open_tree(CWD, source.folder, flags)
}

/// A path as the overlay's options spell it.
fn escaped(path: &Path) -> String {
    let mut text = String::new();
    for letter in path.display().to_string().chars() {
        if matches!(letter, '\\' | ':' | ',') {
            text.push('\\');
        }
        text.push(letter);
    }
    text
}

fn protected(tree: OwnedFd, mount: &Mount) -> Result<OwnedFd, Fault> {
    let mut set = libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV;
    if mount.kind == MountKind::ReadOnly {
        set |= libc::MOUNT_ATTR_RDONLY;
    }
    let attributes = MountAttributes { set, below_as_well: true, ..MountAttributes::default() };
    set_mount_attributes(&tree, attributes).doing_to("protect the folder", &mount.host)?;
    Ok(tree)
}

/// The new root folder, while the host's is still in view.
struct Root(Inside);

impl Root {
    fn attach(&self, tree: &OwnedFd, path: &Path) -> Result<(), Fault> {
        let target = self.0.folder(path)?;
        attach(tree, &target).doing_to("mount in the container", path)
    }

    fn write_files(&self, job: &Job) -> Result<(), Fault> {
        job.files.iter().try_for_each(|(path, text)| self.write(path, text))
    }

    /// Writes a small file, in place of whatever is there.
    fn write(&self, path: &Path, text: &str) -> Result<(), Fault> {
        let (Some(above), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(Fault::because("write in the container", "the path names no file"));
        };
        let above = self.0.folder(above)?;
        match unlinkat(&above, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(error).doing_to("replace in the container", path),
        }
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
        let file = openat(&above, name, flags, Mode::from_raw_mode(0o644));
        let mut file = File::from(file.doing_to("write in the container", path)?);
        file.write_all(text.as_bytes()).doing_to("write in the container", path)
    }

    fn make_dev(&self, job: &Job) -> Result<(), Fault> {
        let doing = "make /dev";
        let flags = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NOEXEC;
        let tree = new_mount("tmpfs", &[("mode", "755"), ("size", "64k")], flags).doing(doing)?;
        self.attach(&tree, Path::new("/dev"))?;
        let dev = self.0.folder(Path::new("/dev"))?;
        for (name, major, minor) in DEVICES {
            match job.user {
                User::HostRoot => make_device(&dev, name, makedev(major, minor)),
                User::Own { .. } | User::Apart { .. } => bind_device(&dev, name),
            }
            .doing_to("make the device", name)?;
        }
        for (target, name) in DEVICE_LINKS {
            symlinkat(target, &dev, name).doing(doing)?;
        }
        let terminals = [("newinstance", ""), ("ptmxmode", "0666"), ("mode", "0620")];
        let flags = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NOEXEC;
        let tree = new_mount("devpts", &terminals, flags).doing("make /dev/pts")?;
        self.attach(&tree, Path::new("/dev/pts"))?;
        let flags = flags | MountAttrFlags::MOUNT_ATTR_NODEV;
        let size = in_memory_bytes_max(job);
        let tree = new_mount("tmpfs", &[("mode", "1777"), ("size", &size)], flags)
            .doing("make /dev/shm")?;
        self.attach(&tree, Path::new("/dev/shm"))?;
        let tree = new_mount("mqueue", &[], flags).doing("make /dev/mqueue")?;
        self.attach(&tree, Path::new("/dev/mqueue"))
    }

    /// Attaches what the helper has made for a container with privileges of its own.
    fn attach_own(&self, overlays: &Path) -> Result<(), Fault> {
        for volume in VOLUMES {
            let folder = volume_in(overlays, volume);
            let source = Source { folder: &folder, below_as_well: false };
            let tree = copy_of_mount(&source).doing_to("open the folder", &folder)?;
            self.attach(&tree, Path::new(volume))?;
        }
        let device = overlays.join(FUSE.0);
        if !device.exists() {
            return Ok(());
        }
        let source = Source { folder: &device, below_as_well: false };
        let tree = copy_of_mount(&source).doing_to("open the device", &device)?;
        let dev = self.0.folder(Path::new("/dev"))?;
        lay_over_file(&dev, FUSE.0, &tree).doing_to("make the device", FUSE.0)
    }

    fn make_proc(&self, privileges: Privileges) -> Result<(), Fault> {
        let tree = new_mount("proc", &[], inert()).doing("make /proc")?;
        self.attach(&tree, Path::new("/proc"))?;
        match privileges {
            Privileges::Few => {}
            // Whoever may mount could take away what lies over it. What is the host's own there
            // belongs to a user whom the container does not have.
            Privileges::Own => return Ok(()),
        }
        for path in READ_ONLY {
            self.make_read_only(path).doing_to("protect", path)?;
        }
        self.hide(HIDDEN.iter().filter(|path| path.starts_with("proc/")))
    }

    /// Mounts `/sys`, to be read; a kernel that refuses it leaves the folder empty.
    fn make_sys(&self, job: &Job) -> Result<(), Fault> {
        let read_only = inert() | MountAttrFlags::MOUNT_ATTR_RDONLY;
        let attributes = match job.privileges {
            Privileges::Few => read_only,
            Privileges::Own => inert(),
        };
        let tree = match new_mount("sysfs", &[], attributes) {
            Err(Errno::PERM) => return self.0.folder(Path::new("/sys")).map(drop),
            tree => tree.doing("make /sys")?,
        };
        self.attach(&tree, Path::new("/sys"))?;
        if job.privileges == Privileges::Own {
            return self.show_cgroups(job);
        }
        self.hide(HIDDEN.iter().filter(|path| path.starts_with("sys/")))?;
        self.show_cgroups(job)
    }

    /// Shows the container its own limits, by which language runtimes size themselves.
    fn show_cgroups(&self, job: &Job) -> Result<(), Fault> {
        let doing = "make /sys/fs/cgroup";
        if job.cgroup.is_empty() {
            return Ok(());
        }
        let read_only = inert() | MountAttrFlags::MOUNT_ATTR_RDONLY;
        let (version, hierarchies) = job.cgroup.hierarchies();
        if version == Version::Two {
            let attributes = match job.privileges {
                Privileges::Few => read_only,
                Privileges::Own => inert(),
            };
            let tree = new_mount("cgroup2", &[], attributes).doing(doing)?;
            return self.attach(&tree, Path::new("/sys/fs/cgroup"));
        }
        let tree = new_mount("tmpfs", &[("mode", "755"), ("size", "64k")], inert()).doing(doing)?;
        self.attach(&tree, Path::new("/sys/fs/cgroup"))?;
        for controllers in hierarchies {
            let options: Vec<_> = controllers.split(',').map(|name| (name, "")).collect();
            let tree = new_mount("cgroup", &options, read_only).doing(doing)?;
            self.attach(&tree, &Path::new("/sys/fs/cgroup").join(controllers))?;
        }
        let there = self.0.folder(Path::new("/sys/fs/cgroup"))?;
        let set = libc::MOUNT_ATTR_RDONLY;
        set_mount_attributes(&there, MountAttributes { set, ..MountAttributes::default() })
            .doing(doing)
    }

    fn make_temporary_folders(&self) -> Result<(), Fault> {
        for path in ["/tmp", "/var/tmp"] {
            if matches!(self.0.open(Path::new(path), OFlags::PATH), Err(Errno::NOENT)) {
                self.0.folder(Path::new(path))?;
                let folder = self.0.open(Path::new(path), OFlags::RDONLY).doing_to("open", path)?;
                fchmod(&folder, Mode::from_raw_mode(0o1777)).doing_to("open up", path)?;
            }
        }
        Ok(())
    }

    fn make_read_only(&self, path: &str) -> rustix::io::Result<()> {
        let Some(there) = self.0.exact(path)? else { return Ok(()) };
        let tree = clone_tree(&there)?;
        let set = libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV;
        let below_as_well = true;
        let attributes = MountAttributes { set, below_as_well, ..MountAttributes::default() };
        set_mount_attributes(&tree, attributes)
            .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
        attach(&tree, &there)
    }

    fn hide<'a>(&self, paths: impl Iterator<Item = &'a &'a str>) -> Result<(), Fault> {
        let null = self.0.exact("dev/null").doing("open the container's /dev/null")?;
        let null = null.ok_or_else(|| Fault::because("hide", "there is no /dev/null"))?;
        let mut nothing = None;
        for path in paths {
            let Some(there) = self.0.exact(path).doing_to("hide", path)? else { continue };
            let kind = rustix::fs::fstat(&there).doing_to("hide", path)?.st_mode;
            let tree = if FileType::from_raw_mode(kind).is_dir() {
                let nothing = match &nothing {
                    Some(folder) => folder,
                    None => nothing.insert(empty_folder().doing_to("hide", path)?),
                };
                clone_tree(nothing)
            } else {
                clone_tree(&null)
            };
            attach(&tree.doing_to("hide", path)?, &there).doing_to("hide", path)?;
        }
        Ok(())
    }

    fn become_root(self) -> Result<(), Fault> {
        let doing = "enter the container's root";
        fchdir(&self.0).doing(doing)?;
        pivot_root(".", ".").doing(doing)?;
        unmount(".", UnmountFlags::DETACH).doing("leave the host's root")?;
        chdir("/").doing(doing)
    }
}

/// What a mount of a file system of the kernel's own may not be used for.
fn inert() -> MountAttrFlags {
    MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC
}

/// A new file system, not yet attached anywhere. An option without a value is a flag.
fn new_mount(
    kind: &str,
    options: &[(&str, &str)],
    attributes: MountAttrFlags,
) -> rustix::io::Result<OwnedFd> {
    let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    for (name, value) in options {
        if value.is_empty() {
            fsconfig_set_flag(&context, *name)?;
        } else {
            fsconfig_set_string(&context, *name, *value)?;
        }
    }
    fsconfig_create(&context)?;
    fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}

/// A folder whose files are memory of the container, which is not swapped either where the kernel
/// can do without: since Linux 6.4, and for root alone.
fn folder_in_memory(job: &Job) -> Result<OwnedFd, Fault> {
    let flags = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
    let size = in_memory_bytes_max(job);
    let options = [("mode", "755"), ("size", &size), ("noswap", "")];
    match new_mount("tmpfs", &options, flags) {
        Err(Errno::INVAL) => new_mount("tmpfs", &options[..2], flags),
        tree => tree,
    }
    .doing("make a folder in memory")
}

/// How large a file system in memory may become, as its options say it.
pub(super) fn in_memory_bytes_max(job: &Job) -> String {
    (job.limits.memory_bytes / 2).to_string()
}

fn empty_folder() -> rustix::io::Result<OwnedFd> {
    let read_only = inert() | MountAttrFlags::MOUNT_ATTR_RDONLY;
    new_mount("tmpfs", &[("mode", "555"), ("size", "4k")], read_only)
}

fn clone_tree(tree: &OwnedFd) -> rustix::io::Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH
        | OpenTreeFlags::AT_RECURSIVE;
    open_tree(tree, "", flags)
}

fn attach(tree: &OwnedFd, target: &OwnedFd) -> rustix::io::Result<()> {
    let both = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(tree, "", target, "", both)
}

fn make_device(dev: impl AsFd, name: &str, number: Dev) -> rustix::io::Result<()> {
    mknodat(dev, name, FileType::CharacterDevice, Mode::from_raw_mode(0o666), number)
}

/// Lays the host's device over a file: in a user namespace no device can be made.
fn bind_device(dev: &OwnedFd, name: &str) -> rustix::io::Result<()> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let tree = open_tree(CWD, format!("/dev/{name}"), flags)?;
    lay_over_file(dev, name, &tree)
}

fn lay_over_file(dev: &OwnedFd, name: &str, tree: &OwnedFd) -> rustix::io::Result<()> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let target = openat(dev, name, flags, Mode::from_raw_mode(0o644))?;
    attach(tree, &target)
}
