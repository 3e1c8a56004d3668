//! What is on disk about containers: enough for another service to find, watch and remove them.
//!
//! A container's folder is made, locked and given its plan before anything else is made for it. It
//! becomes a container when `started.json` is filled: by its first process, in one write, right
//! before it becomes the agent. The lock is held by everyone who works on the launch, so it is free
//! only when the agent runs or nothing does.

use super::{cgroup::Group, process::ProcessName, remove};
use crate::{ContainerId, Exit, Fault, fault::Doing};
use rustix::{
    fs::{FlockOperation, Mode, OFlags, flock, fstat, open, stat},
    io::Errno,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    fs::{self, File},
    io::{self, Write},
    os::{fd::OwnedFd, unix::fs::DirBuilderExt},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::SystemTime,
};

/// All containers of one service.
#[derive(Debug)]
pub(super) struct StateFolder {
    containers: PathBuf,
    trash: PathBuf,
}

/// What will be made for a container outside of its folder; written first.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Plan {
    /// Its control groups.
    pub cgroup: Group,
    /// The host's end of its cable to the outside.
    pub interface: Option<String>,
}

/// A container that was started.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StartedContainer {
    /// Its first process.
    pub process: ProcessName,
    /// How many listening sockets that process holds.
    pub listeners: usize,
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
        let state = Self { containers: root.join("containers"), trash: root.join("trash") };
        for folder in [&state.containers, &state.trash] {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)
                .doing_to("make the folder", folder)?;
        }
        Ok(state)
    }

    /// The container's folder, whether it exists or not.
    pub(super) fn container(&self, id: &ContainerId) -> ContainerFolder {
        ContainerFolder(self.containers.join(id.as_str()))
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

    /// Takes a container's folder out of sight, then removes it with all that is in it.
    pub(super) fn remove(&self, locked: Locked) -> Result<(), Fault> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}-{}-{count}", std::process::id(), since.as_nanos());
        let trash = self.trash.join(name);
        let folder = locked.folder.0;
        fs::rename(&folder, &trash).doing_to("remove the folder", &folder)?;
        drop(locked.lock);
        remove::tree(&trash).doing_to("remove the folder", &trash)
    }

    /// Removes what earlier services had no time to remove.
    pub(super) fn empty_trash(&self) {
        let entries = fs::read_dir(&self.trash).into_iter().flatten().flatten();
        for entry in entries {
            if let Err(error) = remove::tree(&entry.path()) {
                tracing::warn!(folder = %entry.path().display(), %error, "cannot be removed");
            }
        }
    }
}

impl ContainerFolder {
    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.0
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
