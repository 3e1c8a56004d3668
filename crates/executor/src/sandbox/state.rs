//! What is on disk about containers: enough for another service to find, watch and remove them.
//!
//! A container's folder is made, locked and given its plan before anything else is made for it. It
//! becomes a container when `started.json` is filled: by its first process, in one write, right
//! before it becomes the agent. The lock is held by everyone who works on the launch, so it is free
//! only when the agent runs or nothing does.

use super::{cgroup::Group, disk::DiskShare, porter, process::ProcessName, remove};
use crate::{ContainerId, Exit, Fault, fault::Doing};
use rustix::{
    fs::{
        FlockOperation, IFlags, Mode, OFlags, flock, fstat, ioctl_getflags, ioctl_setflags, open,
        stat,
    },
    io::Errno,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    fs::{self, File},
    io::{self, Write},
    os::{
        fd::{OwnedFd, RawFd},
        unix::fs::DirBuilderExt,
    },
    path::{Path, PathBuf},
    sync::{
        atomic::{AtomicU64, Ordering},
        mpsc::{Sender, channel},
    },
    thread::{self, JoinHandle},
    time::SystemTime,
};

/// All containers of one service.
#[derive(Debug)]
pub(super) struct StateFolder {
    containers: PathBuf,
    trash: PathBuf,
    remover: Remover,
}

/// A thread that removes folders, so that nobody waits while what a build left is deleted. What it
/// has not reached when the service ends is removed by the next.
#[derive(Debug)]
struct Remover {
    folders: Option<Sender<PathBuf>>,
    thread: Option<JoinHandle<()>>,
}

/// What will be made for a container outside of its folder; written first.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Plan {
    /// Its control groups.
    pub cgroup: Group,
    /// The host's end of its cable to the outside.
    pub interface: Option<String>,
    /// Whether there is a gate on its way out.
    #[serde(default)]
    pub is_gated: bool,
    /// Whether a porter stands on its way out.
    #[serde(default)]
    pub has_porter: bool,
    /// What it may take of the disk.
    #[serde(default)]
    pub share: DiskShare,
}

/// A container that was started.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StartedContainer {
    /// Its first process.
    pub process: ProcessName,
    /// How many listening sockets that process holds.
    pub listeners: usize,
    /// The descriptor of the first of them in that process; the others follow.
    #[serde(default = "first_listener")]
    pub first_listener: RawFd,
}

/// The descriptor of the agent's first listening socket.
pub(super) const FIRST_LISTENER: RawFd = 5;

fn first_listener() -> RawFd {
    FIRST_LISTENER
}

/// A container's folder.
#[derive(Debug)]
pub(super) struct ContainerFolder(PathBuf);

/// A container's folder that nobody else works on.
#[derive(Debug)]
pub(super) struct Locked {
    /// The folder.
    pub folder: ContainerFolder,
    /// Held for as long as this, or a copy of it in another process, is open.
    pub lock: OwnedFd,
}

impl StartedContainer {
    /// Fills the note: from here on there is a container. Nothing but the agent's start may follow.
    pub(super) fn note(&self, mut file: &File) -> io::Result<()> {
        file.write_all(&serde_json::to_vec(self)?)
    }

    /// Takes the note back: the agent did not start.
    pub(super) fn take_back(file: &File) -> io::Result<()> {
        file.set_len(0)
    }
}

impl StateFolder {
    /// Opens the folder, making it when it is missing.
    pub(super) fn open(root: &Path) -> Result<Self, Fault> {
        let (containers, trash) = (root.join("containers"), root.join("trash"));
        for folder in [&containers, &trash] {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)
                .doing_to("make the folder", folder)?;
        }
        spread(&containers);
        Ok(Self { containers, trash, remover: Remover::start()? })
    }

    /// The container's folder, whether it exists or not.
    pub(super) fn container(&self, id: &ContainerId) -> ContainerFolder {
        ContainerFolder::of(&self.containers, id)
    }

    /// The folder that all containers' folders are in.
    pub(super) fn containers(&self) -> &Path {
        &self.containers
    }

    /// The container's folder, made when missing, when all others have done with it.
    pub(super) fn claim(&self, id: &ContainerId) -> Result<Locked, Fault> {
        loop {
            let folder = self.container(id);
            match fs::DirBuilder::new().mode(0o700).create(&folder.0) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(error).doing_to("make the folder", &folder.0);
                }
                _ => {}
            }
            if let Some(locked) = folder.lock(FlockOperation::LockExclusive)? {
                return Ok(locked);
            }
        }
    }

    /// The container's folder when all others have done with it; none when it does not exist.
    pub(super) fn claim_existing(&self, id: &ContainerId) -> Result<Option<Locked>, Fault> {
        loop {
            let folder = self.container(id);
            if !folder.0.exists() {
                return Ok(None);
            }
            if let Some(locked) = folder.lock(FlockOperation::LockExclusive)? {
                return Ok(Some(locked));
            }
        }
    }

    /// The ids of all folders, those of containers that never came to be included.
    pub(super) fn ids(&self) -> Result<Vec<ContainerId>, Fault> {
        let doing = "list containers";
        let mut ids = Vec::new();
        for entry in fs::read_dir(&self.containers).doing(doing)? {
            let name = entry.doing(doing)?.file_name();
            ids.extend(name.into_string().ok().and_then(ContainerId::new));
        }
        ids.sort_unstable();
        Ok(ids)
    }

    /// The interfaces of all containers.
    pub(super) fn interfaces(&self) -> Result<impl Iterator<Item = String> + use<>, Fault> {
        let mut interfaces = Vec::new();
        for id in self.ids()? {
            interfaces.extend(self.container(&id).plan()?.and_then(|plan| plan.interface));
        }
        Ok(interfaces.into_iter())
    }

    /// Takes a container's folder out of sight; it is removed, with all that is in it, soon.
    pub(super) fn remove(&self, locked: Locked) -> Result<(), Fault> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}-{}-{count}", std::process::id(), since.as_nanos());
        let trash = self.trash.join(name);
        let folder = locked.folder.0;
        fs::rename(&folder, &trash).doing_to("remove the folder", &folder)?;
        drop(locked.lock);
        self.remover.take(trash);
        Ok(())
    }

    /// Removes what earlier services had no time to remove.
    pub(super) fn empty_trash(&self) {
        let entries = fs::read_dir(&self.trash).into_iter().flatten().flatten();
        entries.for_each(|entry| self.remover.take(entry.path()));
    }
}

impl Remover {
    fn start() -> Result<Self, Fault> {
        let (folders, inbox) = channel::<PathBuf>();
        let thread = thread::Builder::new()
            .name("remover".to_owned())
            .stack_size(256 * 1024)
            .spawn(move || {
                for folder in inbox {
                    if let Err(error) = remove::tree(&folder) {
                        tracing::warn!(folder = %folder.display(), %error, "cannot be removed");
                    }
                }
            })
            .doing("start the thread that removes folders")?;
        Ok(Self { folders: Some(folders), thread: Some(thread) })
    }

    fn take(&self, folder: PathBuf) {
        if let Some(folders) = &self.folders {
            // Without the thread the folder waits for the next service.
            let _ = folders.send(folder);
        }
    }
}

impl Drop for Remover {
    /// Waits until all is removed.
    fn drop(&mut self) {
        self.folders = None;
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed, and nobody is left to be told.
            let _ = thread.join();
        }
    }
}

/// Asks the file system to keep the folders in this one far from each other. Without it, ext4 puts
/// each new container where the last one has just been deleted, and passes over every place of a
/// deleted file before it finds one that it may use again.
fn spread(folder: &Path) {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(folder) = open(folder, flags, Mode::empty()) else { return };
    if let Ok(had) = ioctl_getflags(&folder) {
        // Only some file systems know the flag, and only they need it.
        let _ = ioctl_setflags(&folder, had | IFlags::TOPDIR);
    }
}

impl ContainerFolder {
    /// The folder of a container, in the folder of all containers.
    pub(super) fn of(containers: &Path, id: &ContainerId) -> Self {
        Self(containers.join(id.as_str()))
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// The id of the container.
    pub(super) fn id(&self) -> Option<ContainerId> {
        self.0.file_name().and_then(|name| ContainerId::new(name.to_string_lossy()))
    }

    /// Locks the folder, unless it has been removed meanwhile.
    fn lock(self, operation: FlockOperation) -> Result<Option<Locked>, Fault> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let lock = match open(&self.0, flags, Mode::empty()) {
            Err(Errno::NOENT) => return Ok(None),
            opened => opened.doing_to("open the folder", &self.0)?,
        };
        rustix::io::retry_on_intr(|| flock(&lock, operation)).doing_to("lock", &self.0)?;
        let held = fstat(&lock).doing_to("look at", &self.0)?;
        match stat(&self.0) {
            Ok(there) if (there.st_dev, there.st_ino) == (held.st_dev, held.st_ino) => {
                Ok(Some(Locked { folder: self, lock }))
            }
            Ok(_) | Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error).doing_to("look at", &self.0),
        }
    }

    /// Locks the folder if nobody else has.
    pub(super) fn try_lock(self) -> Option<Locked> {
        self.lock(FlockOperation::NonBlockingLockExclusive).ok().flatten()
    }

    /// What will be made for the container.
    pub(super) fn plan(&self) -> Result<Option<Plan>, Fault> {
        self.read("plan.json")
    }

    /// Notes what will be made for the container.
    pub(super) fn write_plan(&self, plan: &Plan) -> Result<(), Fault> {
        self.write("plan.json", plan)
    }

    /// The container, if it was started.
    pub(super) fn started(&self) -> Result<Option<StartedContainer>, Fault> {
        self.read("started.json")
    }

    /// The porter on its way out, if one has come.
    pub(super) fn porter(&self) -> Result<Option<ProcessName>, Fault> {
        self.read(porter::NOTE)
    }

    /// Opens the note that the first process will fill.
    pub(super) fn open_started(&self) -> Result<File, Fault> {
        let file = self.0.join("started.json");
        File::create(&file).doing_to("make", &file)
    }

    /// How the container ended, if it is known.
    pub(super) fn ended(&self) -> Result<Option<Exit>, Fault> {
        self.read("ended.json")
    }

    /// Notes how the container ended.
    pub(super) fn write_ended(&self, exit: &Exit) -> Result<(), Fault> {
        self.write("ended.json", exit)
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Fault> {
        let file = self.0.join(name);
        match fs::read(&file) {
            Ok(text) if text.is_empty() => Ok(None),
            Ok(text) => {
                let value = serde_json::from_slice(&text).map_err(io::Error::from);
                value.map(Some).doing_to("understand", &file)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).doing_to("read", &file),
        }
    }

    /// Writes a file whole or not at all. The machine's own end ends the containers too, so that
    /// need not be survived.
    fn write(&self, name: &str, value: &impl Serialize) -> Result<(), Fault> {
        let (file, half) = (self.0.join(name), self.0.join(format!("{name}.new")));
        let text = serde_json::to_vec(value).map_err(io::Error::from).doing_to("spell", &file)?;
        fs::write(&half, text).doing_to("write", &half)?;
        fs::rename(&half, &file).doing_to("write", &file)
    }
}
