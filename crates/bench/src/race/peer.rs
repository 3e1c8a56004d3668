//! Whom we race with: programs that run a script, each in its own way, and say when they are done.

use super::plain::Place;
use crate::{
    alongside::bundle,
    service::{memory_of, processor_time_of},
};
use anyhow::{Context, Result, bail, ensure};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, pidfd_open},
};
use serde_json::json;
use std::{
    fs,
    io::Read,
    os::fd::AsFd,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

/// The image that podman makes containers from: links alone, the tools are mounted.
pub(super) const IMAGE: &str = "localhost/buildyard-race:1";
/// What containers may not be given on every machine is not asked for.
pub(super) const ULIMITS: [(&str, u64); 2] = [("nofile", 1_024), ("nproc", 1_000)];

/// How long a run may last.
pub(super) const RUN_MAX: Duration = Duration::from_secs(120);

/// What one run took.
pub(super) struct Taken {
    /// Until the first byte of what was printed.
    pub(super) first: Duration,
    /// Until the end.
    pub(super) whole: Duration,
    /// Processor time of what ran as our child.
    pub(super) processor: Duration,
    /// All that was printed.
    pub(super) printed: Vec<u8>,
    /// When each reading of it was done, and how much there was then.
    pub(super) marks: Vec<(Duration, usize)>,
}

/// A program that runs a script as one command line.
pub(super) enum Peer {
    /// A shell as a child process: the limit of what a machine can do.
    Bare,
    Runc(Runtime),
    Runsc(Runtime),
    Podman {
        more: Vec<PathBuf>,
    },
    GitlabCiLocal {
        program: PathBuf,
        folder: PathBuf,
        made: AtomicUsize,
    },
}

/// An OCI runtime by itself, with the machine's tool folders in a bundle for each script.
pub(super) struct Runtime {
    folder: PathBuf,
    more: Vec<PathBuf>,
    made: AtomicUsize,
}

impl Peer {
    /// Everybody that is installed. `more` are folders that scripts need beside the usual ones.
    pub(super) fn all(folder: &Path, peers: &Path, more: &[PathBuf]) -> Result<Vec<Self>> {
        let runtime = |name: &str| Runtime {
            folder: folder.join(name),
            more: more.to_vec(),
            made: AtomicUsize::new(0),
        };
        let mut all = vec![Self::Bare];
        if version("runc", &["--version"]).is_some() {
            all.push(Self::Runc(runtime("runc")));
            if version("podman", &["--version"]).is_some() {
                import_image(folder)?;
                all.push(Self::Podman { more: more.to_vec() });
            }
        }
        if version("runsc", &["--version"]).is_some() {
            all.push(Self::Runsc(runtime("runsc")));
        }
        let program = peers.join("npm/node_modules/.bin/gitlab-ci-local");
        if program.exists() {
            let (folder, made) = (folder.join("gitlab"), AtomicUsize::new(0));
            all.push(Self::GitlabCiLocal { program, folder, made });
        }
        Ok(all)
    }

    /// What the table calls it.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Bare => "bare `sh`",
            Self::Runc(_) => "`runc run`",
            Self::Runsc(_) => "`runsc run`",
            Self::Podman { .. } => "`podman run`",
            Self::GitlabCiLocal { .. } => "gitlab-ci-local",
        }
    }

    /// Runs a script to its end.
    pub(super) fn run(&self, script: &str) -> Result<Taken> {
        let command = self.command(script)?;
        timed(command).with_context(|| format!("{} runs", self.name()))
    }

    /// The command line that runs a script.
    pub(super) fn command(&self, script: &str) -> Result<Command> {
        let mut command;
        match self {
            Self::Bare => {
                command = Command::new("/bin/sh");
                command.args(["-c", script]);
            }
            Self::Runc(runtime) => {
                command = Command::new("runc");
                command.args(["run", &runtime.id()]).current_dir(runtime.bundle(script)?);
            }
            Self::Runsc(runtime) => {
                command = Command::new("runsc");
                command
                    .args(["--network=none", "--ignore-cgroups", "run", &runtime.id()])
                    .current_dir(runtime.bundle(script)?);
            }
            Self::Podman { more } => {
                command = Command::new("podman");
                command.args(["--runtime", "runc", "run", "--rm", "--network", "none"]);
                for (name, limit) in ULIMITS {
                    command.args(["--ulimit", &format!("{name}={limit}:{limit}")]);
                }
                for folder in mounts(more) {
                    command.args(["--volume", &folder]);
                }
                command.args([IMAGE, "sh", "-c", script]);
            }
            Self::GitlabCiLocal { program, folder, made } => {
                let folder = folder.join(made.fetch_add(1, Ordering::Relaxed).to_string());
                fs::create_dir_all(&folder)?;
                let job = json!({ "job": { "script": [script] } });
                fs::write(folder.join(".gitlab-ci.yml"), job.to_string())?;
                quietly(Command::new("git").args(["init", "-q"]).current_dir(&folder))?;
                command = Command::new(program);
                command.arg("job").current_dir(&folder).env("HOME", &folder);
            }
        }
        command.stdin(Stdio::null());
        Ok(command)
    }
}

impl Runtime {
    fn id(&self) -> String {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        format!("buildyard-race-{}-{number}", std::process::id())
    }

    /// The bundle of a script, made when it is first asked for.
    fn bundle(&self, script: &str) -> Result<PathBuf> {
        let folder = self.folder.join(format!("{:x}", crc(script)));
        if folder.join("made").exists() {
            return Ok(folder);
        }
        bundle(&folder, &["/bin/sh", "-c", script], &self.more)?;
        fs::write(folder.join("made"), "")?;
        Ok(folder)
    }
}

/// Tells scripts apart, as a file's name.
fn crc(script: &str) -> u64 {
    script.bytes().fold(14_695_981_039_346_656_037, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(1_099_511_628_211)
    })
}

/// What podman is to mount.
pub(super) fn mounts(more: &[PathBuf]) -> Vec<String> {
    let folders = more.iter().map(|folder| folder.display().to_string());
    ["/usr".to_owned()].into_iter().chain(folders).map(|f| format!("{f}:{f}:ro")).collect()
}

fn import_image(folder: &Path) -> Result<()> {
    let root = folder.join("image");
    for name in ["usr", "proc", "sys", "dev", "tmp", "etc"] {
        fs::create_dir_all(root.join(name))?;
    }
    for name in ["bin", "sbin", "lib", "lib64"] {
        std::os::unix::fs::symlink(format!("usr/{name}"), root.join(name))?;
    }
    let tar = folder.join("image.tar");
    quietly(Command::new("tar").arg("-C").arg(&root).arg("-cf").arg(&tar).arg("."))?;
    quietly(Command::new("podman").args(["import", "-q"]).arg(&tar).arg(IMAGE))
}

/// Runs a command to its end; what it says is shown only when it fails.
pub(super) fn quietly(command: &mut Command) -> Result<()> {
    let done = command.stdin(Stdio::null()).output().with_context(|| format!("{command:?}"))?;
    ensure!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
    Ok(())
}

/// The line in which a program says which version it is; none when it is not installed.
pub(super) fn version(program: impl AsRef<std::ffi::OsStr>, words: &[&str]) -> Option<String> {
    let done = Command::new(program).args(words).stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    done.status.success().then(|| text.lines().next().unwrap_or_default().to_owned())
}

/// Runs a command, and notes when what it prints arrives.
fn timed(mut command: Command) -> Result<Taken> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let used = processor_time_of("self")?;
    let began = Instant::now();
    let mut child = command.spawn()?;
    let mut output = child.stdout.take().context("its output")?;
    let (mut printed, mut marks, mut chunk) = (Vec::new(), Vec::new(), vec![0; 1 << 16]);
    loop {
        if !readable(&output, RUN_MAX.saturating_sub(began.elapsed()))? {
            child.kill()?;
            child.wait()?;
            bail!("it had not ended after {RUN_MAX:?}");
        }
        let count = output.read(&mut chunk)?;
        if count == 0 {
            break;
        }
        printed.extend_from_slice(&chunk[..count]);
        marks.push((began.elapsed(), printed.len()));
    }
    let done = child.wait_with_output()?;
    let whole = began.elapsed();
    ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let processor = processor_time_of("self")?.saturating_sub(used);
    let first = marks.iter().find(|(_, length)| contains(&printed[..*length], b"hello\n"));
    let first = first.map_or(whole, |(at, _)| *at);
    Ok(Taken { first, whole, processor, printed, marks })
}

/// Runs a command to its end; how long that took.
pub(super) fn ended(command: &mut Command) -> Result<Duration> {
    let began = Instant::now();
    let mut child = command.spawn()?;
    let process = Pid::from_child(&child);
    let handle = pidfd_open(process, PidfdFlags::empty())?;
    if !readable(&handle, RUN_MAX)? {
        child.kill()?;
        child.wait()?;
        bail!("it had not ended after {RUN_MAX:?}");
    }
    let taken = began.elapsed();
    ensure!(child.wait()?.success(), "it fails");
    Ok(taken)
}

/// Waits until there is something to read, or the end; false when that takes too long.
fn readable(output: &impl AsFd, limit: Duration) -> Result<bool> {
    let limit = Timespec::try_from(limit)?;
    let mut polled = [PollFd::new(output, PollFlags::IN)];
    Ok(rustix::io::retry_on_intr(|| poll(&mut polled, Some(&limit)))? > 0)
}

/// Whether a text is in another.
pub(super) fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// A peer that serves: a process of its own, ended when this is dropped.
pub(super) struct Server {
    process: Child,
    /// Where it takes requests.
    pub(super) place: Place,
}

impl Server {
    /// Starts it, and waits until `ready` says that it answers.
    pub(super) fn start(
        command: &mut Command,
        place: Place,
        ready: impl Fn(&Place) -> bool,
    ) -> Result<Self> {
        let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = quiet.spawn().with_context(|| format!("{quiet:?}"))?;
        let server = Self { process, place };
        let began = Instant::now();
        while !ready(&server.place) {
            ensure!(began.elapsed() < Duration::from_secs(30), "{command:?} does not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(server)
    }

    /// Its memory, in bytes.
    pub(super) fn memory(&self) -> Result<u64> {
        memory_of(self.process.id(), "Pss:")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
