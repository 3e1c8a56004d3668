//! The system calls that have no safe wrapper: every `unsafe` block of the sandbox stands here.

#![expect(unsafe_code, reason = "raw system calls; each block says why it may")]

use rustix::{
    process::Pid,
    thread::{UnshareFlags, unshare_unsafe},
};
use std::{
    ffi::CString,
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
};
use tokio::io::{Interest, unix::AsyncFd};

/// Has the asynchronous runtime say when a descriptor becomes readable.
pub(super) fn register_readable(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an owned descriptor is valid and stays the same until it is dropped.
    let registered = unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) };
    registered.map_err(|refused| refused.into_parts().1)
}

/// The flag of `clone3` for starting in a given control group.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// Which of the two processes after [`clone_into_namespaces`] this is.
pub(super) enum Twin {
    /// The one that called.
    Caller {
        /// The new process.
        pid: Pid,
        /// And a handle that cannot come to mean another.
        pidfd: OwnedFd,
    },
    /// The new one.
    New,
}

/// Copies this process into new namespaces, as a child of this process's own parent.
///
/// The caller must have a single thread: the copy goes on in the middle of the program.
///
/// With a control group of version 2 the copy starts in it.
pub(super) fn clone_into_namespaces(
    namespaces: i32,
    cgroup: Option<BorrowedFd<'_>>,
) -> io::Result<Twin> {
    copy(namespaces | libc::CLONE_PARENT, 0, cgroup)
}

/// Copies this process, as its child. The caller must have a single thread.
pub(super) fn fork() -> io::Result<Twin> {
    copy(0, libc::SIGCHLD, None)
}

/// Copies this process, whose parent hears of the copy's end by a signal, or not.
fn copy(flags: i32, signal: i32, cgroup: Option<BorrowedFd<'_>>) -> io::Result<Twin> {
    let mut pidfd: RawFd = -1;
    // SAFETY: the structure is plain numbers, for which zero is a valid value.
    let mut arguments: libc::clone_args = unsafe { std::mem::zeroed() };
    arguments.flags = u64::from((flags | libc::CLONE_PIDFD).cast_unsigned());
    arguments.exit_signal = u64::from(signal.cast_unsigned());
    if let Some(cgroup) = cgroup {
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = u64::from(cgroup.as_raw_fd().cast_unsigned());
    }
    arguments.pidfd = (&raw mut pidfd) as u64;
    // SAFETY: no memory is shared with the copy, so it may go on as a fork would; the process has a
    // single thread, so no lock is held by one that the copy lacks. The pointers outlive the call.
    let pid = unsafe {
        libc::syscall(libc::SYS_clone3, &raw mut arguments, size_of::<libc::clone_args>())
    };
    match i32::try_from(pid) {
        Ok(0) => Ok(Twin::New),
        Ok(pid) if pid > 0 => {
            // SAFETY: the kernel has just made this descriptor for us alone.
            let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
            Ok(Twin::Caller { pid: Pid::from_raw(pid).expect("a positive process id"), pidfd })
        }
        _ => Err(io::Error::last_os_error()),
    }
}

/// Leaves this process's users or network for new ones.
pub(super) fn enter_new(namespaces: UnshareFlags) -> io::Result<()> {
    // SAFETY: of what threads share, neither changes anything that Rust relies on.
    unsafe { unshare_unsafe(namespaces) }?;
    Ok(())
}

/// Makes the control group that this process is in the root of what it sees.
pub(super) fn enter_cgroup_namespace() -> io::Result<()> {
    // SAFETY: of all namespaces this one changes only what paths of control groups look like.
    unsafe { unshare_unsafe(UnshareFlags::NEWCGROUP) }?;
    Ok(())
}

/// Becomes the program in `program`, with no environment. Comes back only when that failed.
pub(super) fn execute(program: BorrowedFd<'_>, name: &str) -> io::Error {
    let name = CString::new(name).expect("a program's name has no zero byte");
    let arguments = [name.as_ptr(), std::ptr::null()];
    let environment: [*const libc::c_char; 1] = [std::ptr::null()];
    // SAFETY: all pointers are to zero-terminated strings and lists that outlive the call.
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            program.as_raw_fd(),
            c"".as_ptr(),
            arguments.as_ptr(),
            environment.as_ptr(),
            libc::AT_EMPTY_PATH,
        )
    };
    io::Error::last_os_error()
}

/// Puts `given` on the descriptors from 0 upward, open across an execution, and marks every other
/// descriptor to be closed by it.
pub(super) fn arrange_descriptors(given: &[BorrowedFd<'_>]) -> io::Result<()> {
    let first_free = 64;
    let mut copies = Vec::with_capacity(given.len());
    for fd in given {
        copies.push(rustix::io::fcntl_dupfd_cloexec(fd, first_free)?);
    }
    for (number, copy) in (0..).zip(&copies) {
        // SAFETY: descriptors are plain numbers; the one replaced is not used by anything after.
        if unsafe { libc::dup2(copy.as_raw_fd(), number) } < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    let from = u32::try_from(given.len()).expect("a handful of descriptors");
    // SAFETY: the call changes flags of descriptors and touches no memory.
    let closed =
        unsafe { libc::syscall(libc::SYS_close_range, from, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    if closed < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Filters this process's system calls, and those of all that come from it. It needs the right to
/// administer the process's user namespace.
pub(super) fn filter(program: &[seccompiler::sock_filter]) -> io::Result<()> {
    let length = u16::try_from(program.len()).map_err(io::Error::other)?;
    let given = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut().cast() };
    // SAFETY: both structures are laid out as the kernel's, it only reads them, and they outlive
    // the call.
    let done = unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const given)
    };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Closes all descriptors but `count` of them from `first` on. Nothing may be used after it that has
/// one of the others.
pub(super) fn close_all_but(first: RawFd, count: usize) -> io::Result<()> {
    let first = first.cast_unsigned();
    let after = first + u32::try_from(count).expect("a handful of descriptors");
    for (from, to) in [(0, first - 1), (after, u32::MAX)] {
        // SAFETY: the caller is about to wait for processes and to end; it drops nothing.
        if unsafe { libc::syscall(libc::SYS_close_range, from, to, 0) } < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// Ends this process at once, with nothing dropped.
pub(super) fn end(code: i32) -> ! {
    // SAFETY: the call touches no memory and does not come back.
    unsafe { libc::_exit(code) }
}

/// Sets the signals that a shell, a service manager or our own runtime may have had ignored to what
/// they do by default; all others are reset by an execution.
pub(super) fn reset_signals() {
    for signal in [
        libc::SIGHUP,
        libc::SIGINT,
        libc::SIGQUIT,
        libc::SIGPIPE,
        libc::SIGTERM,
        libc::SIGCHLD,
        libc::SIGTSTP,
        libc::SIGTTIN,
        libc::SIGTTOU,
        libc::SIGUSR1,
        libc::SIGUSR2,
    ] {
        // SAFETY: a default action is no code of ours.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}

/// Changes a detached or attached mount's attributes, for all mounts below it as well if asked.
pub(super) fn set_mount_attributes(
    mount: impl AsFd,
    attributes: MountAttributes<'_>,
) -> io::Result<()> {
    let mut flags = libc::AT_EMPTY_PATH;
    if attributes.below_as_well {
        flags |= libc::AT_RECURSIVE;
    }
    let mut given =
        libc::mount_attr { attr_set: attributes.set, attr_clr: 0, propagation: 0, userns_fd: 0 };
    if let Some(namespace) = attributes.user_namespace {
        given.attr_set |= libc::MOUNT_ATTR_IDMAP;
        given.userns_fd = u64::from(namespace.as_raw_fd().cast_unsigned());
    }
    // SAFETY: the pointers are to a string and a structure that outlive the call.
    let done = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_fd().as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw mut given,
            size_of::<libc::mount_attr>(),
        )
    };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// What [`set_mount_attributes`] sets.
#[derive(Clone, Copy, Default)]
pub(super) struct MountAttributes<'a> {
    /// `MOUNT_ATTR_*` bits.
    pub set: u64,
    /// The user namespace through which owners are seen.
    pub user_namespace: Option<BorrowedFd<'a>>,
    /// Whether mounts below are changed as well.
    pub below_as_well: bool,
}
