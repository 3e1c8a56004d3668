//! What the executor hands over: open files, orders on 3, the journal on 4 and sockets above; or, by
//! a runtime that passes no files on, orders and journal at a door, which is a Unix socket.
//!
//! After [`take`] and [`knock`] no child process inherits any of them, and the sockets stay open as
//! long as the agent lives: connections that are made while the service is away wait in their
//! backlogs.

use crate::fault::{Doing, Fault};
use rustix::io::Errno;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

const ORDERS: i32 = 3;
const JOURNAL: i32 = 4;

/// What the executor handed over.
pub(crate) struct Inherited {
    /// The orders, to be read to the end.
    pub(crate) orders: File,
    /// The journal, open for appending.
    pub(crate) journal: File,
}

/// Asks for the orders and the journal at the executor's door, which opens once.
pub(crate) fn knock(door: &OsStr) -> Result<Inherited, Fault> {
    let doing = || "ask for the orders".to_owned();
    close_fds::set_fds_cloexec(ORDERS, &[]);
    let socket = UnixStream::connect(door).doing(doing)?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut beside = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let told =
        recvmsg(&socket, &mut [IoSliceMut::new(&mut byte)], &mut beside, RecvFlags::CMSG_CLOEXEC);
    told.doing(doing)?;
    let mut files = beside
        .drain()
        .filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
            _ => None,
        })
        .flatten()
        .map(File::from);
    match (files.next(), files.next()) {
        (Some(orders), Some(journal)) => Ok(Inherited { orders, journal }),
        _ => Err(Fault::new(doing(), ErrorKind::UnexpectedEof)),
    }
}

/// Takes what the executor handed over and hides it from every later child process.
pub(crate) fn take() -> Result<Inherited, Fault> {
    close_fds::set_fds_cloexec(ORDERS, &[]);
    let me = pidfd_open(getpid(), PidfdFlags::empty());
    if me.as_ref().is_ok_and(|me| me.as_raw_fd() <= JOURNAL) {
        // New descriptors have the lowest free number.
        return Err(Fault::new("take the orders and the journal", Errno::BADF));
    }
    // Where the kernel or a filter refuses duplicates, the same files are opened again.
    let open = |inherited: i32, options: &OpenOptions| {
        let duplicate = me.as_ref().map(|me| pidfd_getfd(me, inherited, PidfdGetfdFlags::empty()));
        match duplicate {
            Ok(Ok(descriptor)) => Ok(File::from(descriptor)),
            Ok(Err(_)) | Err(_) => options.open(format!("/proc/self/fd/{inherited}")),
        }
    };
    let orders = open(ORDERS, OpenOptions::new().read(true));
    let journal = open(JOURNAL, OpenOptions::new().append(true));
    Ok(Inherited {
        orders: orders.doing(|| "take the orders".to_owned())?,
        journal: journal.doing(|| "take the journal".to_owned())?,
    })
}
