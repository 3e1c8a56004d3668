//! The file descriptors that the executor left open: orders on 3, the journal on 4, sockets above.
//!
//! After [`take`] no child process inherits any of them, and the sockets stay open as long as the
//! agent lives: connections that are made while the service is away wait in their backlogs.

use crate::fault::{Doing, Fault};
use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
use std::fs::{File, OpenOptions};

const ORDERS: i32 = 3;
const JOURNAL: i32 = 4;

/// What the executor handed over.
pub(crate) struct Inherited {
    /// The orders, to be read to the end.
    pub(crate) orders: File,
    /// The journal, open for appending.
    pub(crate) journal: File,
}

/// Takes what the executor handed over and hides it from every later child process.
pub(crate) fn take() -> Result<Inherited, Fault> {
    close_fds::set_fds_cloexec(ORDERS, &[]);
    let orders =
        open(ORDERS, OpenOptions::new().read(true)).doing(|| "take the orders".to_owned())?;
    let journal =
        open(JOURNAL, OpenOptions::new().append(true)).doing(|| "take the journal".to_owned())?;
    Ok(Inherited { orders, journal })
}

/// A descriptor of our own for an inherited one: a duplicate, or the same file opened again where
/// the kernel or a filter refuses duplicates.
fn open(inherited: i32, options: &OpenOptions) -> std::io::Result<File> {
    let duplicate = pidfd_open(getpid(), PidfdFlags::empty())
        .and_then(|me| pidfd_getfd(me, inherited, PidfdGetfdFlags::empty()));
    match duplicate {
        Ok(descriptor) => Ok(File::from(descriptor)),
        Err(_) => options.open(format!("/proc/self/fd/{inherited}")),
    }
}
