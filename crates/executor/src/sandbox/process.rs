//! Processes of the host: which one is meant, whether it is still there, and how it ended.

use crate::Exit;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, WaitId, WaitIdOptions, pidfd_open, waitid},
};
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    os::fd::{AsFd, OwnedFd},
    time::Duration,
};

/// A process in a way that holds for as long as the machine runs, though process ids are used again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ProcessName {
    /// The process id, as the service sees it.
    pid: i32,
    /// When it started, in the kernel's ticks since the machine did.
    started: u64,
    /// Which run of the machine this was.
    boot: String,
}

/// What has become of a named process.
pub(super) enum Found {
    /// It is there, running or ended and not yet waited for.
    There(OwnedFd),
    /// It has ended.
    Gone,
    /// The machine was restarted since.
    OtherBoot,
}

impl ProcessName {
    /// This process's own name, with its id as `/proc` shows it: in a namespace of process ids that
    /// is the service's, as long as the service's `/proc` is in view.
    pub(super) fn own() -> io::Result<Self> {
        let text = fs::read_to_string("/proc/self/stat")?;
        let pid = text.split(' ').next().and_then(|field| field.parse().ok());
        let pid = pid.ok_or_else(|| io::Error::other("the kernel gives no process id"))?;
        Ok(Self { pid, started: started_in(&text)?, boot: boot()? })
    }

    /// The process id.
    pub(super) fn id(&self) -> i32 {
        self.pid
    }

    /// Looks for the process.
    pub(super) fn find(&self) -> io::Result<Found> {
        if boot()? != self.boot {
            return Ok(Found::OtherBoot);
        }
        let Some(pid) = Pid::from_raw(self.pid) else {
            return Ok(Found::Gone);
        };
        // The handle first: the start time read after it then belongs to what the handle means.
        let pidfd = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(pidfd) => pidfd,
            Err(rustix::io::Errno::SRCH | rustix::io::Errno::INVAL) => return Ok(Found::Gone),
            Err(error) => return Err(error.into()),
        };
        match started(pid) {
            Ok(started) if started == self.started => Ok(Found::There(pidfd)),
            _ => Ok(Found::Gone),
        }
    }
}

/// Waits until the process has ended; false when it has not within `limit`.
pub(super) fn wait_for_end(pidfd: impl AsFd, limit: Duration) -> io::Result<bool> {
    let limit = Timespec::try_from(limit).map_err(io::Error::other)?;
    let mut polled = [PollFd::new(&pidfd, PollFlags::IN)];
    Ok(rustix::io::retry_on_intr(|| poll(&mut polled, Some(&limit)))? > 0)
}

/// How an ended process ended, and takes it off the kernel's list when it is our own child.
pub(super) fn reap(pidfd: impl AsFd) -> Exit {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
    match waitid(WaitId::PidFd(pidfd.as_fd()), options) {
        Ok(Some(status)) => match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => Exit::Exited { code: Some(code) },
            (None, Some(signal)) => Exit::Killed { signal },
            (None, None) => Exit::Exited { code: None },
        },
        // Another process is its parent, or was.
        Ok(None) | Err(_) => Exit::Exited { code: None },
    }
}

fn started(pid: Pid) -> io::Result<u64> {
    started_in(&fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()))?)
}

fn started_in(text: &str) -> io::Result<u64> {
    // The name, in parentheses, may hold anything; the start time is the 20th field after it.
    text.rsplit_once(')')
        .and_then(|(_, fields)| fields.split_whitespace().nth(19))
        .and_then(|field| field.parse().ok())
        .ok_or_else(|| io::Error::other("the kernel's line about a process has no start time"))
}

fn boot() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}
