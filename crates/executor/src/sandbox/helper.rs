//! The helper: our own program executed again, with one thread, to make one container.
//!
//! It is given everything at the start and goes on though the service dies: a launch that began
//! ends with a container that can be found, or with none.

use super::{
    first,
    message::{DELIVERY, Job, ToService, User, receive, send},
    root,
    syscall::{Twin, clone_into_namespaces},
};
use crate::{Fault, fault::Doing};
use rustix::{
    pipe::{PipeFlags, pipe_with},
    process::{Pid, Signal, pidfd_send_signal},
};
use std::{
    fs::{self, File},
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
    process::ExitCode,
};

/// The first argument that makes a program the sandbox's helper.
pub const HELPER_VERB: &str = "__sandbox";

/// Is the sandbox's helper. A program calls it first thing in `main`, before it starts a thread, when
/// its first argument is [`HELPER_VERB`], and ends with what it gives.
pub fn helper_main() -> ExitCode {
    let service = io::stdin();
    if let Err(fault) = make(service.as_fd()) {
        // A service that is gone will find that there is no container.
        let _ = send(service.as_fd(), &ToService::Failed(fault.into()), &[]);
    }
    ExitCode::SUCCESS
}

/// Makes the container's first process. That process, too, comes back from here, but only when it
/// could not become the agent, and has said so.
fn make(service: BorrowedFd<'_>) -> Result<(), Fault> {
    let (job, given) = take_delivery(service)?;
    make_overlay_folders(&job)?;
    let cgroup = job.cgroup.enter(&job.limits)?;
    let (mapped, map) = pipe_with(PipeFlags::CLOEXEC).doing("make a pipe")?;
    let cgroup = cgroup.as_ref().map(AsFd::as_fd);
    match clone_into_namespaces(namespaces(job.user), cgroup).doing("make namespaces")? {
        Twin::New => {
            drop(map);
            first::run(&job, &given, &mapped, service);
            Ok(())
        }
        Twin::Caller { pid, pidfd } => {
            let told = send(service, &ToService::Made, &[pidfd.as_fd()]);
            let User::Own { uid, gid } = job.user else { return Ok(()) };
            let done = map_users(pid, uid, gid)
                .and_then(|()| rustix::io::write(&map, b"m").doing("talk to the container"));
            if done.is_err() && told.is_err() {
                // Nobody else knows of the process.
                let _ = pidfd_send_signal(&pidfd, Signal::KILL);
            }
            done.map(drop)
        }
    }
}

fn make_overlay_folders(job: &Job) -> Result<(), Fault> {
    let make = |folder: &Path| fs::create_dir(folder).doing_to("make the folder", folder);
    make(&root::overlays_folder(&job.folder))?;
    for number in 0..root::overlay_count(job) {
        let folder = root::overlay_folder(&job.folder, number);
        make(&folder)?;
        for name in root::OVERLAY {
            make(&folder.join(name))?;
        }
    }
    Ok(())
}

fn take_delivery(service: impl AsFd) -> Result<(Job, first::Given), Fault> {
    let doing = "take the order for a container";
    let ((), descriptors) = receive(service)
        .doing(doing)?
        .ok_or_else(|| Fault::because(doing, "the service is gone"))?;
    let Ok([lock, started, job, agent, orders, journal, errors]) =
        <[OwnedFd; DELIVERY.len()]>::try_from(descriptors)
    else {
        return Err(Fault::because(doing, "it did not come with what it should"));
    };
    let job = io::read_to_string(File::from(job)).doing(doing)?;
    let job: Job = serde_json::from_str(&job).map_err(io::Error::from).doing(doing)?;
    Ok((job, first::Given { lock, started: File::from(started), agent, orders, journal, errors }))
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
        | libc::CLONE_NEWNET;
    match user {
        User::HostRoot => all,
        User::Own { .. } => all | libc::CLONE_NEWUSER,
    }
}
