//! The helpers' origin: our own program executed again, once, with one thread, which copies itself
//! for every container. Executing a program of this size anew costs as much as a container's
//! namespaces; copying a process that has hardly any memory costs next to nothing.
//!
//! The origin knows nothing of containers. It ends with the service; the helpers do not.

use super::{
    helper,
    message::{ToService, receive, send},
    syscall::{Twin, clone_into_namespaces},
};
use crate::{Fault, fault::Doing};
use rustix::{
    net::{AddressFamily, SocketFlags, SocketType, socketpair},
    process::setsid,
};
use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    path::PathBuf,
    process::{Child, Command, ExitCode, Stdio},
    sync::{Mutex, PoisonError},
};

/// The first argument that makes a program the helpers' origin.
pub const HELPER_VERB: &str = "__sandbox";

/// The service's side: it starts the origin, and starts it again should somebody have ended it.
#[derive(Debug)]
pub(super) struct Origin {
    program: PathBuf,
    running: Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    process: Child,
    socket: OwnedFd,
}

impl Origin {
    /// Starts the origin, which is `program` executed with [`HELPER_VERB`].
    pub(super) fn start(program: PathBuf) -> Result<Self, Fault> {
        let running = Mutex::new(Some(Running::start(&program)?));
        Ok(Self { program, running })
    }

    /// A new helper, at the other end of the socket that is given back. It first sends
    /// [`ToService::Helper`].
    pub(super) fn helper(&self) -> Result<OwnedFd, Fault> {
        let doing = "ask for a helper";
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
                .doing(doing)?;
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(origin) = &*running
            && send(&origin.socket, &(), &[theirs.as_fd()]).is_ok()
        {
            return Ok(ours);
        }
        // Dropping the old one first waits for its end.
        *running = None;
        let origin = running.insert(Running::start(&self.program)?);
        send(&origin.socket, &(), &[theirs.as_fd()]).doing(doing)?;
        Ok(ours)
    }
}

impl Running {
    fn start(program: &PathBuf) -> Result<Self, Fault> {
        let doing = "start the sandbox's helper";
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
                .doing(doing)?;
        let process = Command::new(program)
            .arg(HELPER_VERB)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .spawn()
            .doing_to(doing, program)?;
        Ok(Self { process, socket: ours })
    }
}

impl Drop for Running {
    /// Ends the origin and takes it off the kernel's list.
    fn drop(&mut self) {
        // It is in no state that would be lost; an error means that it has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Is the helpers' origin, and in a copy of it a helper. A program calls it first thing in `main`,
/// before it starts a thread, when its first argument is [`HELPER_VERB`], and ends with what it gives.
pub fn helper_main() -> ExitCode {
    // A key pressed in the service's terminal is for the service alone. It fails only for a leader
    // of a session, which needs none of it.
    let _ = setsid();
    let service = io::stdin();
    // Nothing more to read means that the service is gone.
    while let Ok(Some(((), descriptors))) = receive::<()>(&service) {
        for socket in descriptors {
            match clone_into_namespaces(0, None) {
                Ok(Twin::New) => {
                    helper::serve(&socket);
                    return ExitCode::SUCCESS;
                }
                // A service that is gone does not wait for it.
                Ok(Twin::Caller { pidfd, .. }) => {
                    let _ = send(&socket, &ToService::Helper, &[pidfd.as_fd()]);
                }
                Err(error) => {
                    let fault = Fault::new("start a helper", error);
                    let _ = send(&socket, &ToService::Failed(fault.into()), &[]);
                }
            }
        }
    }
    ExitCode::SUCCESS
}
