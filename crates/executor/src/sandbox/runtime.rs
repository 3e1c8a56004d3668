//! OCI runtimes: which there are, how they are called, and what they are told of a container.
//!
//! A runtime runs where the sandbox would run the agent, in the container's namespaces, and makes
//! an inner box there. It has no privilege that the sandbox's container would not have.

use super::{
    filter,
    keeper::{AGENT_PLACE, DOOR, DOOR_PLACE, SOCKET_PLACE},
    message::Job,
    privileges,
    root::{self, Cgroups},
};
use crate::{Fault, MountKind, fault::Doing};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{
    fmt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// An OCI runtime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OciRuntime {
    /// Which it is.
    pub kind: RuntimeKind,
    /// Its program.
    pub program: PathBuf,
    /// More flags, before its verb: for gVisor `--platform=kvm`, say.
    pub flags: Vec<String>,
}

/// The runtimes whose ways are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RuntimeKind {
    /// runc.
    Runc,
    /// crun.
    Crun,
    /// gVisor's runsc: a kernel of its own between the build and the machine's.
    Runsc,
}

impl RuntimeKind {
    /// The runtime's name, which is also its program's.
    pub fn name(self) -> &'static str {
        match self {
            Self::Runc => "runc",
            Self::Crun => "crun",
            Self::Runsc => "runsc",
        }
    }

    /// What makes it leave control groups alone, which are ours, and share the network that it
    /// finds itself in.
    fn flags(self) -> &'static [&'static str] {
        match self {
            Self::Runc => &["--rootless=true"],
            Self::Crun => &["--cgroup-manager=disabled"],
            Self::Runsc => &["--ignore-cgroups", "--network=host", "--host-uds=open"],
        }
    }
}

impl fmt::Display for RuntimeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl OciRuntime {
    /// Asks the program whether it is there and works at all.
    pub(super) fn check(&self) -> Result<(), Fault> {
        let doing = format!("run {} --version", self.program.display());
        let done = Command::new(&self.program).arg("--version").stdin(Stdio::null()).output();
        let done = done.doing(&doing)?;
        if done.status.success() {
            return Ok(());
        }
        Err(Fault::because(doing, String::from_utf8_lossy(&done.stderr).trim()))
    }

    /// What the keeper is told.
    pub(super) fn job(&self, agent: PathBuf) -> RuntimeJob {
        let flags = self.kind.flags().iter().map(|flag| (*flag).to_owned());
        RuntimeJob {
            kind: self.kind,
            program: self.program.clone(),
            flags: flags.chain(self.flags.iter().cloned()).collect(),
            agent,
        }
    }
}

/// What the helper and the keeper are told of a runtime.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RuntimeJob {
    pub(super) kind: RuntimeKind,
    program: PathBuf,
    flags: Vec<String>,
    /// The agent's program, a file in the state folder.
    pub(super) agent: PathBuf,
}

/// The name of the file, in the container's folder, that the runtime writes its process's id to.
const PROCESS_FILE: &str = "process";

impl RuntimeJob {
    /// The call that starts the container whose bundle is `folder`.
    pub(super) fn run(&self, id: &str, folder: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.flags).arg("--root").arg(folder.join("runtime")).arg("run");
        if self.goes_away() {
            command.arg("--detach").arg("--pid-file").arg(folder.join(PROCESS_FILE));
        }
        command.arg("--bundle").arg(folder).arg(id);
        command.env_clear().env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin");
        command
    }

    /// Whether its program ends once the container runs, whose first process is then the keeper's
    /// child. gVisor's is needed to tell how the container ended.
    pub(super) fn goes_away(&self) -> bool {
        match self.kind {
            RuntimeKind::Runc | RuntimeKind::Crun => true,
            RuntimeKind::Runsc => false,
        }
    }

    /// How it finds the machine's control groups. crun refuses to run where version 2 is mounted
    /// beside version 1, though it needs neither.
    pub(super) fn cgroups(&self) -> Cgroups {
        match self.kind {
            RuntimeKind::Runc | RuntimeKind::Runsc => Cgroups::ReadOnly,
            RuntimeKind::Crun => Cgroups::Hidden,
        }
    }

    /// The first process of a container whose runtime has gone away.
    pub(super) fn process(folder: &Path) -> Result<i32, Fault> {
        let (doing, file) = ("read the id of the first process from", folder.join(PROCESS_FILE));
        let text = std::fs::read_to_string(&file).doing_to(doing, &file)?;
        text.trim().parse().map_err(std::io::Error::other).doing_to(doing, &file)
    }
}

/// The runtime's `config.json` for a container whose root file system and mounts are laid out below
/// `folder`.
///
/// The network namespace is not in it: it is the one that the runtime is in.
pub(super) fn bundle(job: &Job, folder: &Path) -> Value {
    let kept = privileges::kept();
    let limits = privileges::process_limits(&job.limits, !job.cgroup.is_empty());
    let limits = limits
        .iter()
        .map(|limit| json!({"type": limit.name, "hard": limit.value, "soft": limit.value}));
    let absolute = |path: &&str| format!("/{path}");
    json!({
        "ociVersion": "1.0.2",
        "process": {
            "user": {"uid": 0, "gid": 0, "umask": 0o022},
            "args": [AGENT_PLACE, "--door", SOCKET_PLACE],
            "env": [],
            "cwd": "/",
            "capabilities": {"bounding": kept, "permitted": kept, "effective": kept},
            "rlimits": limits.collect::<Vec<_>>(),
            "noNewPrivileges": true,
        },
        "root": {"path": root::root_place(folder)},
        "hostname": job.id,
        "mounts": mounts(job, folder),
        "linux": {
            "namespaces": [
                {"type": "pid"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"},
            ],
            "seccomp": filter::for_runtimes(),
            "maskedPaths": root::HIDDEN.iter().map(absolute).collect::<Vec<_>>(),
            "readonlyPaths": root::READ_ONLY.iter().map(absolute).collect::<Vec<_>>(),
        },
    })
}

fn mounts(job: &Job, folder: &Path) -> Vec<Value> {
    let kernel = |place: &str, kind: &str, options: &[&str]| json!({"destination": place, "type": kind, "source": kind, "options": options});
    let size = format!("size={}", root::in_memory_bytes_max(job));
    let inert = ["nosuid", "noexec", "nodev"];
    let mut mounts = vec![
        kernel("/proc", "proc", &inert),
        kernel("/dev", "tmpfs", &["nosuid", "noexec", "mode=755", "size=64k"]),
        kernel(
            "/dev/pts",
            "devpts",
            &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"],
        ),
        kernel("/dev/shm", "tmpfs", &["nosuid", "noexec", "nodev", "mode=1777", &size]),
        kernel("/dev/mqueue", "mqueue", &inert),
        kernel("/sys", "sysfs", &["nosuid", "noexec", "nodev", "ro"]),
        json!({
            "destination": DOOR_PLACE, "type": "bind", "source": folder.join(DOOR),
            "options": ["bind", "ro", "nosuid", "nodev"],
        }),
    ];
    mounts.extend(job.mounts.iter().enumerate().map(|(number, mount)| {
        let access = if mount.kind == MountKind::ReadOnly { "ro" } else { "rw" };
        json!({
            "destination": mount.container, "type": "bind",
            "source": root::mount_place(folder, number),
            "options": ["rbind", access, "nosuid", "nodev"],
        })
    }));
    mounts.extend(job.folders_in_memory.iter().map(|folder| {
        json!({
            "destination": folder, "type": "tmpfs", "source": "tmpfs",
            "options": ["nosuid", "nodev", "mode=755", &size],
        })
    }));
    mounts
}
