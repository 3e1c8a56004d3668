//! The container's first process, from its making until it becomes the agent.

use super::{
    filter,
    message::{FromFirst, Job, ToFirst, User, receive, send},
    network, privileges, root, syscall,
};
use crate::{Fault, fault::Doing};
use rustix::{
    fs::{Mode, OFlags, open},
    process::{setsid, umask},
};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// What the first process becomes, and what it gives to it.
pub(super) struct Given {
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
/// having told the helper, or when the helper is gone.
pub(super) fn run(job: &Job, given: &Given, helper: &OwnedFd) {
    if let Err(fault) = become_agent(job, given, helper) {
        // With the helper gone there is nobody to tell.
        let _ = send(helper, &FromFirst::Failed(fault.into()), &[]);
    }
}

fn become_agent(job: &Job, given: &Given, helper: &OwnedFd) -> Result<(), Fault> {
    if matches!(job.user, User::Own { .. }) && hear(helper)?.is_none() {
        return Ok(());
    }
    setsid().doing("start a session")?;
    umask(Mode::empty());
    rustix::system::sethostname(job.id.as_bytes()).doing("set the host name")?;
    let listeners = network::open(&job.listen)?;
    root::enter(job)?;
    umask(Mode::from_raw_mode(0o022));
    privileges::lower_limits(&job.limits, !job.cgroup.is_empty())?;
    privileges::drop_capabilities()?;
    filter::apply()?;
    syscall::reset_signals();
    let sockets: Vec<_> = listeners.iter().map(AsFd::as_fd).collect();
    send(helper, &FromFirst::Ready, &sockets).doing("say that the container is ready")?;
    if hear(helper)?.is_none() {
        return Ok(());
    }
    execute(given, &sockets, helper)
}

fn hear(helper: &OwnedFd) -> Result<Option<ToFirst>, Fault> {
    Ok(receive(helper).doing("hear from the helper")?.map(|(message, _)| message))
}

fn execute(given: &Given, sockets: &[BorrowedFd<'_>], helper: &OwnedFd) -> Result<(), Fault> {
    let doing = "start the agent";
    // Out of the way of the numbers that the agent expects things on.
    let agent = rustix::io::fcntl_dupfd_cloexec(&given.agent, 64).doing(doing)?;
    let helper = rustix::io::fcntl_dupfd_cloexec(helper, 64).doing(doing)?;
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
    let fault = Fault::new(doing, syscall::execute(agent.as_fd(), "agent"));
    // The helper's socket may have been replaced under its old number.
    let _ = send(&helper, &FromFirst::Failed(fault.into()), &[]);
    Ok(())
}
