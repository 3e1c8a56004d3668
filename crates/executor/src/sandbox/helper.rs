//! The helper: a copy of the [origin](super::origin), with one thread, that makes one container.
//!
//! It is given everything at the start and goes on though the service dies: a launch that began
//! ends with a container that can be found, or with none.

use super::{
    engine::EngineJob,
    first, keeper,
    message::{DELIVERY, Job, Source, ToService, User, receive, send},
    porter::Porter,
    root,
    syscall::{MountAttributes, Twin, clone_into_namespaces, set_mount_attributes},
};
use crate::{Fault, Privileges, fault::Doing};
use rustix::{
    fs::{Mode, OFlags, open},
    net::{AddressFamily, SocketFlags, SocketType, socketpair},
    process::{Pid, Signal, pidfd_send_signal},
};
use std::{
    fs::{self, File},
    io,
    os::fd::{AsFd, OwnedFd},
    path::Path,
};

/// What is being done when a machine that cannot keep containers' users apart fails to.
pub(super) const APART: &str = "keep the container's users apart by";
/// How many users a container has.
pub(super) const APART_COUNT: u32 = 1 << 16;

/// Makes the container that the service asks for on the socket.
pub(super) fn serve(service: &OwnedFd) {
    if let Err(fault) = make(service) {
        tell(service, fault);
    }
}

/// Says why there will be no container. A service that is gone will find that there is none.
fn tell(service: &OwnedFd, fault: Fault) {
    let _ = send(service, &ToService::Failed(fault.into()), &[]);
}

/// Makes the container's first process. That process, too, comes back from here, but only when it
/// could not become the agent, and has said so.
fn make(service: &OwnedFd) -> Result<(), Fault> {
    let (job, given) = take_delivery(service)?;
    if let Some(engine) = job.engine {
        return stand_beside(&job, engine, &given, service);
    }
    // First of all, as it takes longest.
    let porter = Porter::call(&job)?;
    make_overlay_folders(&job)?;
    let cgroup = job.cgroup.enter(&job.limits)?;
    if let (Privileges::Own, User::Apart { first }) = (job.privileges, job.user) {
        job.cgroup.give_to(first).doing("give the control group to the container")?;
    }
    let (prepared, prepare) =
        socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
            .doing("make a socket")?;
    let cgroup = cgroup.as_ref().map(AsFd::as_fd);
    match clone_into_namespaces(namespaces(job.user), cgroup).doing(doing_clone(job.user))? {
        Twin::New => {
            drop((prepare, porter));
            match &job.runtime {
                None => first::run(&job, &given, &prepared, service.as_fd()),
                Some(runtime) => keeper::run(&job, runtime, &given, &prepared, service),
            }
            Ok(())
        }
        Twin::Caller { pid, pidfd } => {
            let told = send(service, &ToService::Made, &[pidfd.as_fd()]);
            if !job.needs_helper() {
                return Ok(());
            }
            drop(prepared);
            let prepared = prepare_first(&job, pid, &prepare);
            let prepared = prepared.and_then(|()| open_way(porter, pid, &pidfd, &prepare));
            if let Err(fault) = prepared {
                if told.is_err() {
                    // Nobody else knows of the process.
                    let _ = pidfd_send_signal(&pidfd, Signal::KILL);
                }
                // The reason comes before what follows from it: the first process says that its
                // helper is gone as soon as its socket is closed.
                tell(service, fault);
            }
            drop(prepare);
            Ok(())
        }
    }
}

/// Makes a keeper for a container that an engine has made.
fn stand_beside(
    job: &Job,
    engine: EngineJob,
    given: &first::Given,
    service: &OwnedFd,
) -> Result<(), Fault> {
    match clone_into_namespaces(0, None).doing("copy the helper")? {
        Twin::New => keeper::stand_beside(job, engine, given, service),
        Twin::Caller { pidfd, .. } => {
            // A service that is gone finds the keeper on disk.
            let _ = send(service, &ToService::Made, &[pidfd.as_fd()]);
        }
    }
    Ok(())
}

/// Has the porter open the way out, and tells the first process when it has.
fn open_way(
    porter: Option<Porter>,
    pid: Pid,
    pidfd: &OwnedFd,
    first: &OwnedFd,
) -> Result<(), Fault> {
    let Some(porter) = porter else { return Ok(()) };
    porter.open(pid, pidfd)?;
    send(first, &(), &[]).doing("talk to the container")
}

/// Does for the first process what can only be done from outside of its namespaces.
fn prepare_first(job: &Job, pid: Pid, first: &OwnedFd) -> Result<(), Fault> {
    match job.user {
        User::HostRoot => {}
        User::Own { uid, gid } => {
            // This process is root itself, of the users that it has called the porter among.
            let (uid, gid) = if job.needs_porter() { (0, 0) } else { (uid, gid) };
            write_map(pid, "setgroups", "deny")?;
            write_map(pid, "uid_map", &format!("0 {uid} 1"))?;
            write_map(pid, "gid_map", &format!("0 {gid} 1"))?;
        }
        User::Apart { first } => {
            for map in ["uid_map", "gid_map"] {
                write_map(pid, map, &format!("0 {first} {APART_COUNT}"))?;
            }
        }
    }
    if let Some(way_out) = job.way_out.as_ref().filter(|_| !job.needs_porter()) {
        way_out.lay(pid)?;
    }
    let doing = "talk to the container";
    send(first, &(), &[]).doing(doing)?;
    if let User::Apart { .. } = job.user {
        let file = format!("/proc/{}/ns/user", pid.as_raw_nonzero());
        let users = open(&file, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
        let users = users.doing_to(APART, &file)?;
        let overlays = root::overlays_folder(&job.folder);
        let own = Source { folder: &overlays, below_as_well: false };
        let tree = root::copy_of_mount(&own).doing_to(APART, &overlays)?;
        send(first, &(), &[tree.as_fd()]).doing(doing)?;
        for source in job.sources() {
            let tree = shown_to(&users, &source).doing_to(APART, source.folder)?;
            send(first, &(), &[tree.as_fd()]).doing(doing)?;
        }
    }
    Ok(())
}

/// A folder of the host as it is seen through a user namespace: what is root's is the container's
/// root's.
fn shown_to(users: &OwnedFd, source: &Source<'_>) -> io::Result<OwnedFd> {
    let tree = root::copy_of_mount(source)?;
    let attributes = MountAttributes {
        user_namespace: Some(users.as_fd()),
        below_as_well: source.below_as_well,
        ..MountAttributes::default()
    };
    set_mount_attributes(&tree, attributes)?;
    Ok(tree)
}

/// Makes the folders of the overlays, which belong to the container's root.
fn make_overlay_folders(job: &Job) -> Result<(), Fault> {
    let make = |folder: &Path| -> Result<(), Fault> {
        fs::create_dir(folder).doing_to("make the folder", folder)?;
        let User::Apart { first } = job.user else { return Ok(()) };
        std::os::unix::fs::chown(folder, Some(first), Some(first)).doing_to(APART, folder)
    };
    make(&root::overlays_folder(&job.folder))?;
    let overlays = root::overlays_folder(&job.folder);
    for number in 0..root::overlay_count(job) {
        let folder = overlays.join(number.to_string());
        make(&folder)?;
        for name in root::OVERLAY {
            make(&folder.join(name))?;
        }
    }
    if let Some(runtime) = &job.runtime {
        for number in 0..job.mounts.len() {
            make(&root::mount_place(&overlays, number))?;
        }
        let door = overlays.join(keeper::DOOR);
        make(&door)?;
        let agent = door.join(keeper::AGENT);
        fs::hard_link(&runtime.agent, &agent).doing_to("lay the agent down as", agent)?;
    }
    match (job.privileges, job.user) {
        (Privileges::Few, _) => Ok(()),
        (Privileges::Own, User::Apart { first }) => root::make_own(&overlays, Some(first)),
        (Privileges::Own, User::Own { .. } | User::HostRoot) => root::make_own(&overlays, None),
    }
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

fn write_map(pid: Pid, file: &str, text: &str) -> Result<(), Fault> {
    fs::write(format!("/proc/{}/{file}", pid.as_raw_nonzero()), text).doing_to(APART, file)
}

fn doing_clone(user: User) -> &'static str {
    match user {
        User::HostRoot | User::Own { .. } => "make namespaces",
        User::Apart { .. } => "keep the container's users apart by namespaces",
    }
}

fn namespaces(user: User) -> i32 {
    let all = libc::CLONE_NEWNS
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUTS
        | libc::CLONE_NEWNET;
    match user {
        User::HostRoot => all,
        User::Own { .. } | User::Apart { .. } => all | libc::CLONE_NEWUSER,
    }
}
