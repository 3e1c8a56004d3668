//! The folder of a build that runs here, and the guard that lets nothing outlive the build.
//!
//! The guard is this program again, in a session of its own. It reads from a pipe whose other end
//! only the build's process has: when that is closed the process has ended, however it did. The guard
//! then ends what the build has left, and removes its folder. Should the guard have been ended too,
//! the next build does that: whoever uses a folder has it locked.

use crate::{
    app,
    cli::log_to_stderr,
    config::Config,
    executors::{ExecutorName, Executors, Workshop},
};
use anyhow::Context;
use rustix::{
    fs::{Mode, OFlags, open},
    process::{geteuid, setsid},
};
use std::{
    ffi::OsString,
    fs::{self, File, Permissions, TryLockError},
    io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode, Stdio},
};
use tokio::signal::unix::{SignalKind, signal};

/// The first argument that makes this program a guard; the folder and the configuration's file follow.
pub(in crate::cli) const GUARD_VERB: &str = "__guard";
/// How the folders of all builds begin.
const PREFIX: &str = "buildyard-build-";

/// A build's folder. Dropping it ends what the build has left, and removes the folder.
pub(super) struct Scratch {
    folder: PathBuf,
    lock: Option<File>,
    guard: Child,
}

impl Scratch {
    /// Makes a folder with a guard, and removes those whose builds and guards were killed.
    pub(super) async fn make(config: &Config, config_file: Option<&Path>) -> anyhow::Result<Self> {
        sweep(config, &std::env::temp_dir()).await;
        let (folder, lock) = loop {
            let own = Permissions::from_mode(0o700);
            let folder = tempfile::Builder::new().prefix(PREFIX).permissions(own).tempdir()?.keep();
            // Another build may have taken it for one that nobody has.
            if let Some(lock) = wait_for(&folder)? {
                break (folder, lock);
            }
        };
        let guard = Command::new("/proc/self/exe")
            .arg(GUARD_VERB)
            .arg(&folder)
            .args(config_file)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .context("failed to start the build's guard")?;
        Ok(Self { folder, lock: Some(lock), guard })
    }

    /// The data folder; not the whole, so that what stands beside it goes with it.
    pub(super) fn data(&self) -> PathBuf {
        data_in(&self.folder)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.lock = None;
        // That the pipe is closed is what the guard waits for.
        self.guard.stdin = None;
        if let Err(error) = self.guard.wait() {
            tracing::warn!(%error, "a build's guard cannot be waited for");
        }
    }
}

/// Is a guard, with these arguments after the verb.
pub(in crate::cli) fn guard_main(
    mut arguments: impl Iterator<Item = OsString>,
) -> anyhow::Result<ExitCode> {
    // A key pressed in the build's terminal is not for the guard, nor is the terminal's end. It fails
    // only for a leader of a session, which has none.
    let _ = setsid();
    let folder = PathBuf::from(arguments.next().context("a guard has a folder")?);
    let config = super::config(arguments.next().map(PathBuf::from).as_deref())?;
    log_to_stderr("error,s3s=off");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        // Whoever ends all of the user's programs ends the build, which may have things to do yet.
        let _taken =
            [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal);
        io::copy(&mut io::stdin(), &mut io::sink()).context("failed to watch a build")?;
        if let Some(_lock) = wait_for(&folder)? {
            clear(&config, &folder).await?;
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// Clears the folders of this user that nobody has.
async fn sweep(config: &Config, all: &Path) {
    for entry in fs::read_dir(all).into_iter().flatten().flatten() {
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        let folder = entry.path();
        let Some(_lock) = take(&folder) else { continue };
        if let Err(error) = clear(config, &folder).await {
            let folder = folder.display();
            tracing::error!("{folder}, which a killed build has left, stays: {error:#}");
        }
    }
}

/// Locks a folder when all others have done with it; none when it is gone.
fn wait_for(folder: &Path) -> io::Result<Option<File>> {
    let lock = match open_own(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    lock.lock()?;
    Ok(still(folder, lock))
}

/// Locks a folder unless another has it, or it is not this user's alone: what stands in it is
/// believed, and decides which processes are ended.
fn take(folder: &Path) -> Option<File> {
    let lock = open_own(folder).ok()?;
    match lock.try_lock() {
        Ok(()) => still(folder, lock),
        Err(TryLockError::WouldBlock | TryLockError::Error(_)) => None,
    }
}

fn open_own(folder: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = File::from(open(folder, flags, Mode::empty())?);
    let about = opened.metadata()?;
    if about.uid() != geteuid().as_raw() || about.mode() & 0o077 != 0 {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    Ok(opened)
}

/// The lock, if it is that of the folder that is there now.
fn still(folder: &Path, lock: File) -> Option<File> {
    let (there, held) = (fs::symlink_metadata(folder).ok()?, lock.metadata().ok()?);
    ((there.dev(), there.ino()) == (held.dev(), held.ino())).then_some(lock)
}

/// Ends what a build has left that is over, and removes its folder, which nobody else has.
async fn clear(config: &Config, folder: &Path) -> anyhow::Result<()> {
    let data = data_in(folder);
    for default in ExecutorName::ALL.into_iter().filter(|name| has_containers(&data, *name)) {
        let executors = Executors { default, allowed: Vec::new(), ..config.executors.clone() };
        let images = app::images(config, &data)?;
        let sandbox = app::sandbox(config, &data, images);
        let workshop = Workshop::open(&executors, &sandbox, &data.join("executors")).await?;
        for executor in workshop.all() {
            executor.destroy_all().await?;
            executor.leave().await?;
        }
    }
    remove(folder).with_context(|| format!("failed to remove {}", folder.display()))
}

/// Removes a folder with all that is in it. On its way some of that is moved beside what is removed:
/// within the folder, or another build would take it for one that nobody has.
fn remove(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()? {
        match entry.file_type()?.is_dir() {
            true => executor::remove_tree(&entry.path())?,
            false => fs::remove_file(entry.path())?,
        }
    }
    fs::remove_dir(folder)
}

fn data_in(folder: &Path) -> PathBuf {
    folder.join("data")
}

fn has_containers(data: &Path, name: ExecutorName) -> bool {
    let state = match name {
        ExecutorName::Sandbox => data.join("containers"),
        other => data.join("executors").join(other.as_str()),
    };
    fs::read_dir(state.join("containers")).is_ok_and(|mut entries| entries.next().is_some())
}
