//! The keeper: the process around a container that a runtime makes.
//!
//! It is the first process of the container's outer namespaces, where the sandbox would have become
//! the agent. It runs the runtime there, hands the agent its orders through a door, keeps the
//! listening sockets, and ends as the container does: killing it ends everything.

use super::{
    cgroup::Group,
    engine::EngineJob,
    first::{self, Given},
    message::{Job, ToService, User, send},
    network,
    process::ProcessName,
    root,
    runtime::{self, RuntimeJob},
    state::StartedContainer,
    syscall,
};
use crate::{Fault, fault::Doing};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::Mode,
    net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg},
    process::{Pid, PidfdFlags, WaitOptions, chdir, pidfd_open, setsid, umask, wait},
};
use std::{
    convert::Infallible,
    fs::{self, File},
    io::{self, IoSlice},
    mem::MaybeUninit,
    os::{
        fd::{AsFd, OwnedFd, RawFd},
        unix::net::UnixListener,
    },
    path::Path,
    process::{Child, Stdio},
};

/// The folder, below that of the container, that holds the agent and the socket.
pub(super) const DOOR: &str = "door";
/// The agent's file in it.
pub(super) const AGENT: &str = "agent";
/// Where the container sees the folder.
pub(super) const DOOR_PLACE: &str = "/codebuild/door";
/// Where it sees the agent.
pub(super) const AGENT_PLACE: &str = "/codebuild/door/agent";
/// Where it sees the socket.
pub(super) const SOCKET_PLACE: &str = "/codebuild/door/socket";
/// The socket's name in the folder.
pub(super) const SOCKET: &str = "socket";
/// The descriptor of the first listening socket that a keeper holds.
const FIRST_LISTENER: RawFd = 200;
/// How long a runtime may take until the agent knocks.
const PATIENCE_SECONDS: i64 = 60;
/// What the keeper adds to a signal's number, as shells do, to tell by its exit code of a container
/// that a signal has ended.
pub(super) const SIGNAL_BASE: i32 = 128;
/// The exit code of a keeper beside an engine's container, some of whose processes the memory limit
/// has ended: not every engine says so.
pub(super) const MEMORY_END: i32 = 1;

/// Has the runtime make the container, and keeps it. It comes back only when there is none, having
/// told the service.
pub(super) fn run(
    job: &Job,
    runtime: &RuntimeJob,
    given: &Given,
    helper: &OwnedFd,
    service: &OwnedFd,
) {
    let Err(fault) = keep(job, runtime, given, helper, service);
    // With the service gone there is nobody to tell. What the runtime has started ends with this
    // process.
    let _ = send(service, &ToService::Failed(fault.into()), &[]);
}

fn keep(
    job: &Job,
    runtime: &RuntimeJob,
    given: &Given,
    helper: &OwnedFd,
    service: &OwnedFd,
) -> Result<Infallible, Fault> {
    if job.needs_helper() {
        first::wait_for_helper(helper)?;
    }
    if let User::Apart { .. } = job.user {
        first::become_its_root()?;
    }
    if job.user != User::HostRoot {
        first::leave_watchers(job.watchers)?;
    }
    let process = ProcessName::own().doing("read the process's start time")?;
    setsid().doing("start a session")?;
    umask(Mode::empty());
    syscall::enter_cgroup_namespace().doing("make a namespace of control groups")?;
    let folder = root::lay(job, helper)?;
    if job.needs_porter() {
        first::wait_for_helper(helper)?;
    }
    let listeners = hold(network::open(&job.listen, job.way_out.as_ref())?)?;
    root::renew_proc()?;
    root::hide_cgroups(runtime.cgroups())?;
    umask(Mode::from_raw_mode(0o022));
    syscall::reset_signals();
    let config = folder.join("config.json");
    fs::write(&config, runtime::bundle(job, &folder).to_string()).doing_to("write", &config)?;
    let door = Door::open(&folder)?;
    let mut child = start(runtime, job, &folder)?;
    let agent = door.wait(runtime, &mut child, &folder)?;
    let container =
        StartedContainer { process, listeners: listeners.len(), first_listener: FIRST_LISTENER };
    container.note(&given.started).doing("note that the container exists")?;
    // An agent that is gone has ended, which is seen below.
    let _ = hand_over(&agent, given);
    let sockets: Vec<_> = listeners.iter().map(AsFd::as_fd).collect();
    // A service that is gone finds the container on disk, and the sockets here.
    let _ = send(service, &ToService::Ready, &sockets);
    let last = last_process(runtime, &mut child, &folder)?;
    syscall::close_all_but(FIRST_LISTENER, listeners.len()).doing("close files")?;
    syscall::end(wait_for_end(last))
}

/// Keeps a container that an engine has made, from beside it: opens its network and hands over what
/// the agent waits for at the door. It comes back only when that failed, having told the service.
pub(super) fn stand_beside(job: &Job, engine: EngineJob, given: &Given, service: &OwnedFd) {
    let Err(fault) = attend(job, engine, given, service);
    // With the service gone there is nobody to tell, and the agent finds the door closed.
    let _ = send(service, &ToService::Failed(fault.into()), &[]);
}

fn attend(
    job: &Job,
    engine: EngineJob,
    given: &Given,
    service: &OwnedFd,
) -> Result<Infallible, Fault> {
    let doing = "find a container's first process";
    let process = ProcessName::own().doing("read the process's start time")?;
    setsid().doing("start a session")?;
    let first = Pid::from_raw(engine.process);
    let first = first.ok_or_else(|| Fault::because(doing, "the container engine gives none"))?;
    let pidfd = pidfd_open(first, PidfdFlags::empty()).doing(doing)?;
    if let Some(way_out) = &job.way_out {
        way_out.lay(first)?;
    }
    network::enter(first)?;
    let listeners = hold(network::open(&job.listen, job.way_out.as_ref())?)?;
    let group = Group::of(first).doing_to(doing, "/proc")?;
    let pidfd = rustix::io::fcntl_dupfd_cloexec(pidfd, FIRST_LISTENER).doing(doing)?;
    let door = UnixListener::from(given.agent.try_clone().doing("take the door")?);
    let limit = Timespec { tv_sec: PATIENCE_SECONDS, tv_nsec: 0 };
    let mut polled = [PollFd::new(&door, PollFlags::IN), PollFd::new(&pidfd, PollFlags::IN)];
    let ready = rustix::io::retry_on_intr(|| poll(&mut polled, Some(&limit)));
    let ready = ready.doing("wait for the agent")?;
    if ready == 0 || polled[0].revents().is_empty() {
        return Err(Fault::because("start a container", "the agent did not ask for its orders"));
    }
    let (agent, _) = door.accept().doing("open the door")?;
    let container =
        StartedContainer { process, listeners: listeners.len(), first_listener: FIRST_LISTENER };
    container.note(&given.started).doing("note that the container exists")?;
    // An agent that is gone has ended, which is seen below.
    let _ = hand_over(&agent.into(), given);
    let sockets: Vec<_> = listeners.iter().map(AsFd::as_fd).collect();
    let _ = send(service, &ToService::Ready, &sockets);
    // The handle to the first process is right behind the sockets.
    syscall::close_all_but(FIRST_LISTENER, listeners.len() + 1).doing("close files")?;
    let mut polled = [PollFd::new(&pidfd, PollFlags::IN)];
    while rustix::io::retry_on_intr(|| poll(&mut polled, None)).is_ok_and(|ready| ready == 0) {}
    // The engine takes longer to notice, and to remove the group.
    syscall::end(if group.memory_kills() > 0 { MEMORY_END } else { 0 })
}

/// Puts the listening sockets where they are found again.
fn hold(listeners: Vec<OwnedFd>) -> Result<Vec<OwnedFd>, Fault> {
    let held = |listener| rustix::io::fcntl_dupfd_cloexec(listener, FIRST_LISTENER);
    let held: Result<Vec<_>, _> = listeners.into_iter().map(held).collect();
    held.doing("keep the listening sockets")
}

fn start(runtime: &RuntimeJob, job: &Job, folder: &Path) -> Result<Child, Fault> {
    let said = folder.join("said");
    let output = File::create(&said).doing_to("make", &said)?;
    let errors = output.try_clone().doing_to("make", &said)?;
    runtime
        .run(&job.id, folder)
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .spawn()
        .doing(&format!("run {}", runtime.kind))
}

/// Where the agent knocks.
struct Door(UnixListener);

impl Door {
    /// Listens below the container's folder, whose path may be too long for a socket's name.
    fn open(folder: &Path) -> Result<Self, Fault> {
        let (doing, door) = ("listen in", folder.join(DOOR));
        chdir(&door).doing_to(doing, &door)?;
        let listener = UnixListener::bind(SOCKET).doing_to(doing, &door)?;
        chdir("/").doing_to(doing, &door)?;
        Ok(Self(listener))
    }

    /// Waits for the agent, and closes the door behind it.
    fn wait(
        self,
        runtime: &RuntimeJob,
        child: &mut Child,
        folder: &Path,
    ) -> Result<OwnedFd, Fault> {
        let doing = format!("start a container with {}", runtime.kind);
        let failed = |reason: &str| {
            let said = fs::read_to_string(folder.join("said")).unwrap_or_default();
            let said = said.trim();
            Fault::because(&doing, if said.is_empty() { reason } else { said })
        };
        let program = Pid::from_child(child);
        let mut watched = pidfd_open(program, PidfdFlags::empty()).doing(&doing)?;
        let mut has_gone = false;
        loop {
            let limit = Timespec { tv_sec: PATIENCE_SECONDS, tv_nsec: 0 };
            let mut polled =
                [PollFd::new(&self.0, PollFlags::IN), PollFd::new(&watched, PollFlags::IN)];
            let ready = rustix::io::retry_on_intr(|| poll(&mut polled, Some(&limit)));
            if ready.doing(&doing)? == 0 {
                return Err(failed("the agent did not ask for its orders"));
            }
            if !polled[0].revents().is_empty() {
                return self.0.accept().map(|(agent, _)| agent.into()).doing(&doing);
            }
            if has_gone || !runtime.goes_away() {
                return Err(failed("it ended before the agent began"));
            }
            if !child.wait().doing(&doing)?.success() {
                return Err(failed("it failed"));
            }
            has_gone = true;
            let first = Pid::from_raw(RuntimeJob::process(folder)?);
            let first = first.ok_or_else(|| failed("it gives no process"))?;
            watched = match pidfd_open(first, PidfdFlags::empty()) {
                Ok(pidfd) => pidfd,
                Err(_) => return Err(failed("the agent ended before it began")),
            };
        }
    }
}

/// Gives the agent its orders and its journal.
fn hand_over(agent: &OwnedFd, given: &Given) -> io::Result<()> {
    let descriptors = [given.orders.as_fd(), given.journal.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut beside = SendAncillaryBuffer::new(&mut space);
    beside.push(SendAncillaryMessage::ScmRights(&descriptors));
    sendmsg(agent, &[IoSlice::new(b"\0")], &mut beside, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// The process whose end is the container's.
fn last_process(runtime: &RuntimeJob, child: &mut Child, folder: &Path) -> Result<Pid, Fault> {
    if !runtime.goes_away() {
        return Ok(Pid::from_child(child));
    }
    // Only then has it told which process it is. The agent may have been faster.
    child.wait().doing("wait for the runtime")?;
    let first = Pid::from_raw(RuntimeJob::process(folder)?);
    first.ok_or_else(|| Fault::because("find the first process", "the runtime gives none"))
}

/// Waits for the end of a process, and of all others that end before it; the exit code that tells
/// how it ended.
fn wait_for_end(last: Pid) -> i32 {
    loop {
        match wait(WaitOptions::empty()) {
            Ok(Some((ended, status))) if ended == last => {
                let signal = status.terminating_signal().map(|signal| SIGNAL_BASE + signal);
                return signal.or(status.exit_status()).unwrap_or_default();
            }
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            // There is no child any more: somebody has waited for it.
            Err(_) => return SIGNAL_BASE + libc::SIGKILL,
        }
    }
}
