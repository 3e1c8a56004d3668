//! The container's first process, from its making until it becomes the agent.

use super::{
    filter,
    message::{Job, ToService, User, Watchers, receive, send},
    network, privileges,
    process::ProcessName,
    root,
    state::{FIRST_LISTENER, StartedContainer},
    syscall,
};
use crate::{Fault, fault::Doing};
use rustix::{
    fs::{Mode, OFlags, open},
    process::{Gid, Uid, setsid, umask},
    thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid},
};
use std::{
    convert::Infallible,
    fs::{self, File},
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

/// What the first process becomes, and what it gives to it.
pub(super) struct Given {
    /// The lock of the container's folder, let go as the agent starts.
    pub lock: OwnedFd,
    /// Where it notes that the container exists.
    pub started: File,
    /// The agent's program.
    pub agent: OwnedFd,
    /// The orders, read from the start.
    pub orders: OwnedFd,
    /// The journal, for appending.
    pub journal: OwnedFd,
    /// Where the agent's own complaints go.
    pub errors: OwnedFd,
}

/// Sets the container up from inside and becomes the agent. It comes back only when that failed,
/// having told the service.
pub(super) fn run(job: &Job, given: &Given, helper: &OwnedFd, service: BorrowedFd<'_>) {
    // Out of the way of the numbers that the agent expects things on.
    let Ok(service) = rustix::io::fcntl_dupfd_cloexec(service, 64) else { return };
    let Err(fault) = become_agent(job, given, helper, &service);
    // With the service gone there is nobody to tell.
    let _ = send(&service, &ToService::Failed(fault.into()), &[]);
}

fn become_agent(
    job: &Job,
    given: &Given,
    helper: &OwnedFd,
    service: &OwnedFd,
) -> Result<Infallible, Fault> {
    if job.needs_helper() {
        wait_for_helper(helper)?;
    }
    if let User::Apart { .. } = job.user {
        become_its_root()?;
    }
    if job.user != User::HostRoot {
        leave_watchers(job.watchers)?;
    }
    let process = ProcessName::own().doing("read the process's start time")?;
    setsid().doing("start a session")?;
    umask(Mode::empty());
    // Here and not before: its root is the group that this process is in.
    syscall::enter_cgroup_namespace().doing("make a namespace of control groups")?;
    rustix::system::sethostname(job.id.as_bytes()).doing("set the host name")?;
    root::enter(job, helper)?;
    if job.needs_porter() {
        wait_for_helper(helper)?;
    }
    let listeners = network::open(&job.listen, job.way_out.as_ref())?;
    umask(Mode::from_raw_mode(0o022));
    privileges::lower_limits(&job.limits, !job.cgroup.is_empty())?;
    privileges::give_up(job.privileges)?;
    filter::apply(job.privileges)?;
    syscall::reset_signals();
    let sockets: Vec<_> = listeners.iter().map(AsFd::as_fd).collect();
    // A service that is gone finds the container on disk, and the sockets in the agent.
    let _ = send(service, &ToService::Ready, &sockets);
    let container =
        StartedContainer { process, listeners: sockets.len(), first_listener: FIRST_LISTENER };
    execute(given, &sockets, &container)
}

/// Waits until the helper has done its part: users and the way out, or one after the other.
pub(super) fn wait_for_helper(helper: &OwnedFd) -> Result<(), Fault> {
    let doing = "hear from the helper";
    match receive::<()>(helper).doing(doing)? {
        None => Err(Fault::because(doing, "it is gone")),
        Some(_) => Ok(()),
    }
}

/// Leaves the host's root behind, who is nobody here.
pub(super) fn become_its_root() -> Result<(), Fault> {
    let doing = "become the container's root";
    let (uid, gid) = (Uid::ROOT, Gid::ROOT);
    set_thread_groups(&[]).doing(doing)?;
    set_thread_res_gid(gid, gid, gid).doing(doing)?;
    set_thread_res_uid(uid, uid, uid).doing(doing)
}

/// Leaves watchers of files to other containers and to the machine. Only root of a user namespace may
/// lower what its users have.
pub(super) fn leave_watchers(watchers: Watchers) -> Result<(), Fault> {
    let limits = [("instances", watchers.instances_max), ("watches", watchers.watches_max)];
    for (name, value) in limits {
        let file = format!("/proc/sys/user/max_inotify_{name}");
        match fs::write(&file, value.to_string()) {
            // A kernel that does not count them in user namespaces.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            written => written.doing_to("set the limit", &file)?,
        }
    }
    Ok(())
}

fn execute(
    given: &Given,
    sockets: &[BorrowedFd<'_>],
    container: &StartedContainer,
) -> Result<Infallible, Fault> {
    let doing = "start the agent";
    let _lock = rustix::io::fcntl_dupfd_cloexec(&given.lock, 64).doing(doing)?;
    let agent = rustix::io::fcntl_dupfd_cloexec(&given.agent, 64).doing(doing)?;
    let started = File::from(rustix::io::fcntl_dupfd_cloexec(&given.started, 64).doing(doing)?);
    let nothing = open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).doing(doing)?;
    let mut descriptors = vec![
        nothing.as_fd(),
        nothing.as_fd(),
        given.errors.as_fd(),
        given.orders.as_fd(),
        given.journal.as_fd(),
    ];
    descriptors.extend(sockets);
    syscall::arrange_descriptors(&descriptors).doing(doing)?;
    container.note(&started).doing("note that the container exists")?;
    let error = syscall::execute(agent.as_fd(), "agent");
    StartedContainer::take_back(&started).doing("take back that the container exists")?;
    Err(Fault::new(doing, error))
}
