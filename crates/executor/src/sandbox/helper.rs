//! The helper: our own program executed again, with one thread, to make one container.
//!
//! It is given everything at the start and goes on though the service dies: a launch that began
//! ends with a container that can be found, or with none. The container's name is written to disk
//! when its first process is ready and before it is let go.

use super::{
    first,
    message::{DELIVERY, FromFirst, FromHelper, Job, ToFirst, User, receive, send},
    process::ProcessName,
    root,
    state::{ContainerFolder, StartedContainer},
    syscall::{Twin, clone_into_namespaces},
};
use crate::{Fault, fault::Doing};
use rustix::{
    net::{AddressFamily, SocketFlags, SocketType, socketpair},
    process::{Pid, Signal, pidfd_send_signal},
};
use std::{
    fs::{self, File},
    io,
    os::fd::{AsFd, OwnedFd},
    process::ExitCode,
};

/// The first argument that makes a program the sandbox's helper.
pub const HELPER_VERB: &str = "__sandbox";

/// Is the sandbox's helper. A program calls it first thing in `main`, before it starts a thread, when
/// its first argument is [`HELPER_VERB`], and ends with what it gives.
pub fn helper_main() -> ExitCode {
    let service = io::stdin();
    let mut made = None;
    let told = match make(service.as_fd(), &mut made) {
        Ok(Made::Container(listeners)) => {
            let handle = made.as_ref().map(AsFd::as_fd);
            let given: Vec<_> =
                handle.into_iter().chain(listeners.iter().map(AsFd::as_fd)).collect();
            send(service.as_fd(), &FromHelper::Started, &given)
        }
        // This is the container's first process, which has said why it did not become the agent.
        Ok(Made::Nothing) => return ExitCode::FAILURE,
        Err(fault) => {
            let handle: Vec<_> = made.iter().map(AsFd::as_fd).collect();
            for process in &handle {
                let _ = pidfd_send_signal(process, Signal::KILL);
            }
            send(service.as_fd(), &FromHelper::Failed(fault.into()), &handle)
        }
    };
    // A service that is gone will find the container on disk.
    if told.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

enum Made {
    /// The container runs, with these sockets.
    Container(Vec<OwnedFd>),
    /// This process was to be the container.
    Nothing,
}

/// Makes the container. The handle to its first process is left in `made` as soon as there is one.
fn make(service: impl AsFd, made: &mut Option<OwnedFd>) -> Result<Made, Fault> {
    let (job, lock, given) = take_delivery(service)?;
    for number in 0..root::overlay_count(&job) {
        let folder = root::overlay_folder(&job.folder, number);
        for name in root::OVERLAY {
            fs::create_dir_all(folder.join(name)).doing_to("make the folder", &folder)?;
        }
    }
    job.cgroup.enter(&job.limits)?;
    let (ours, theirs) =
        socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
            .doing("make a socket")?;
    match clone_into_namespaces(namespaces(job.user)).doing("make namespaces")? {
        Twin::New => {
            drop(ours);
            first::run(&job, &given, &theirs);
            Ok(Made::Nothing)
        }
        Twin::Caller { pid, pidfd } => {
            drop(theirs);
            *made = Some(pidfd);
            let listeners = release(&job, pid, &ours);
            drop(lock);
            listeners.map(Made::Container)
        }
    }
}

fn take_delivery(service: impl AsFd) -> Result<(Job, OwnedFd, first::Given), Fault> {
    let doing = "take the order for a container";
    let ((), descriptors) = receive(service)
        .doing(doing)?
        .ok_or_else(|| Fault::because(doing, "the service is gone"))?;
    let Ok([lock, job, agent, orders, journal, errors]) =
        <[OwnedFd; DELIVERY.len()]>::try_from(descriptors)
    else {
        return Err(Fault::because(doing, "it did not come with what it should"));
    };
    let job: Job =
        serde_json::from_reader(File::from(job)).map_err(io::Error::from).doing(doing)?;
    Ok((job, lock, first::Given { agent, orders, journal, errors }))
}

/// Goes with the first process until it is the agent, and gives its listening sockets.
fn release(job: &Job, pid: Pid, first: &OwnedFd) -> Result<Vec<OwnedFd>, Fault> {
    if let User::Own { uid, gid } = job.user {
        map_users(pid, uid, gid)?;
        send(first, &ToFirst::Mapped, &[]).doing("talk to the container")?;
    }
    let listeners = match hear(first)? {
        Some((FromFirst::Ready, listeners)) => listeners,
        Some((FromFirst::Failed(fault), _)) => return Err(fault.into()),
        None => return Err(Fault::because("set the container up", "its process ended")),
    };
    let process = ProcessName::of(pid).doing("read the process's start time")?;
    let folder = ContainerFolder::new(job.folder.clone());
    folder.write_started(&StartedContainer { process, listeners: listeners.len() })?;
    send(first, &ToFirst::Go, &[]).doing("let the container go")?;
    // The socket closes as the process becomes the agent.
    match hear(first)? {
        None => Ok(listeners),
        Some((FromFirst::Failed(fault), _)) => {
            folder.forget_started()?;
            Err(fault.into())
        }
        Some((FromFirst::Ready, _)) => {
            Err(Fault::because("set the container up", "it was ready twice"))
        }
    }
}

fn hear(first: &OwnedFd) -> Result<Option<(FromFirst, Vec<OwnedFd>)>, Fault> {
    receive(first).doing("hear from the container")
}

/// Makes root inside the container the service's own user outside.
fn map_users(pid: Pid, uid: u32, gid: u32) -> Result<(), Fault> {
    let process = format!("/proc/{}", pid.as_raw_nonzero());
    let maps = [
        ("setgroups", "deny".to_owned()),
        ("uid_map", format!("0 {uid} 1")),
        ("gid_map", format!("0 {gid} 1")),
    ];
    for (file, text) in maps {
        fs::write(format!("{process}/{file}"), text).doing_to("map users by", file)?;
    }
    Ok(())
}

fn namespaces(user: User) -> i32 {
    let all = libc::CLONE_NEWNS
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUTS
        | libc::CLONE_NEWNET
        | libc::CLONE_NEWCGROUP;
    match user {
        User::HostRoot => all,
        User::Own { .. } => all | libc::CLONE_NEWUSER,
    }
}
