//! The agent's program, where containers find it: in memory, or on a disk for runtimes and engines.

use super::super::{config::Agent, remove};
use crate::{Fault, fault::Doing};
use rustix::fs::{MemfdFlags, Mode, SealFlags, fchmod, fcntl_add_seals, memfd_create};
use sha2::{Digest, Sha256};
use std::{
    fs::{self, File},
    io::{self, Read, Seek},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

/// How often, and after which pause, the agent's file in memory is tried to be sealed.
const SEAL_TRIES_MAX: usize = 100;
const SEAL_PAUSE: Duration = Duration::from_millis(20);

/// The agent's program as a file that has no place on any disk and cannot be changed.
pub(super) fn in_memory(agent: &Agent) -> Result<File, Fault> {
    let doing = "load the agent";
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    // Kernels before 6.3 do not know the flag, and let every such file be executed.
    let file = memfd_create("agent", flags | MemfdFlags::EXEC)
        .or_else(|_| memfd_create("agent", flags))
        .doing(doing)?;
    let mut file = File::from(file);
    match agent {
        Agent::Zstd(bytes) => zstd::stream::copy_decode(*bytes, &mut file).doing(doing)?,
        Agent::File(path) => {
            let mut program = File::open(path).doing_to(doing, path)?;
            io::copy(&mut program, &mut file).map(drop).doing_to(doing, path)?;
        }
    }
    fchmod(&file, Mode::from_raw_mode(0o555)).doing(doing)?;
    seal(&file).doing("seal the agent")?;
    Ok(file)
}

/// The agent's program as a file of the state folder, from where containers get a link to it. Those
/// of other versions are removed: containers that have a link keep it.
pub(super) fn on_disk(agent: &File, state_dir: &Path) -> Result<PathBuf, Fault> {
    let doing = "write the agent down in";
    let written = || -> io::Result<PathBuf> {
        let (mut from, folder) = (agent, state_dir.join("agent"));
        from.rewind()?;
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes)?;
        let file = folder.join(hex::encode(Sha256::digest(&bytes)));
        if file.exists() {
            return Ok(file);
        }
        if folder.exists() {
            remove::tree(&folder)?;
        }
        fs::create_dir(&folder)?;
        let half = folder.join("half");
        fs::write(&half, bytes)?;
        fs::set_permissions(&half, fs::Permissions::from_mode(0o555))?;
        fs::rename(&half, &file)?;
        Ok(file)
    };
    written().doing_to(doing, state_dir)
}

/// Forbids every change of a file in memory. While the kernel itself still holds one of its pages,
/// which it may right after they were written on a busy machine, it answers that the file is busy.
fn seal(file: &File) -> rustix::io::Result<()> {
    let content = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
    let mut seals = content | SealFlags::EXEC;
    for _ in 1..SEAL_TRIES_MAX {
        match fcntl_add_seals(file, seals) {
            Err(rustix::io::Errno::BUSY) => std::thread::sleep(SEAL_PAUSE),
            // Kernels before 6.3 cannot forbid that it is made unfit for execution.
            Err(rustix::io::Errno::INVAL) if seals != content => seals = content,
            sealed => return sealed,
        }
    }
    fcntl_add_seals(file, seals)
}
