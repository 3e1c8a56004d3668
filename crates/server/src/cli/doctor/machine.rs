//! The machine: what of the kernel builds need, the port, and a container that is really made.

use super::{Finding, Patient};
use crate::{app, fault::chain};
use executor::{
    ContainerId, ContainerSpec, Executor, Image, LaunchError, Limits, Network, Sandbox,
};
use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use tokio::time::timeout;

/// How long the container that is tried may take.
const CONTAINER_WITHIN: Duration = Duration::from_secs(30);

/// How long whoever listens on the port may take to say who it is.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

pub(super) fn look(patient: &Patient) -> Vec<Finding> {
    vec![port(patient), user_namespaces(), overlay(), control_groups(), watches(), way_out(patient)]
}

fn port(patient: &Patient) -> Finding {
    const SUBJECT: &str = "port";
    let address = patient.listen;
    match TcpListener::bind(address) {
        Ok(_) => Finding::well(SUBJECT, format!("{address} is free")),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            let asked = ureq::get(format!("http://{address}/health"));
            let health = asked.config().timeout_global(Some(ANSWER_WITHIN)).build().call();
            let ours = health.ok().and_then(|mut answer| answer.body_mut().read_to_string().ok());
            match ours.filter(|text| text.contains("\"builds\"")) {
                Some(_) => Finding::well(SUBJECT, format!("buildyard answers at {address}")),
                None => Finding::bad(
                    SUBJECT,
                    format!("another program listens on {address}"),
                    "end it, or choose another address with --listen",
                ),
            }
        }
        Err(error) => Finding::bad(
            SUBJECT,
            format!("{address}: {error}"),
            "choose an address of this machine, and a port from 1024 on unless it is root's",
        ),
    }
}

fn user_namespaces() -> Finding {
    const SUBJECT: &str = "namespaces";
    let number = |path: &str| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    if number("/proc/sys/user/max_user_namespaces") == Some(0) {
        let advice = "sysctl -w user.max_user_namespaces=15000";
        return Finding::bad(SUBJECT, "the kernel allows no user namespace", advice);
    }
    let root = rustix::process::geteuid().is_root();
    if !root && number("/proc/sys/kernel/unprivileged_userns_clone") == Some(0) {
        let advice = "sysctl -w kernel.unprivileged_userns_clone=1, or run the service as root";
        return Finding::bad(SUBJECT, "only root may make user namespaces", advice);
    }
    let restricted = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns";
    if !root && number(restricted) == Some(1) {
        let advice = "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or run as root";
        return Finding::bad(SUBJECT, "AppArmor keeps users from user namespaces", advice);
    }
    Finding::well(SUBJECT, "they may be made")
}

fn overlay() -> Finding {
    const SUBJECT: &str = "overlay";
    let known = fs::read_to_string("/proc/filesystems").unwrap_or_default();
    if known.lines().any(|line| line.split_whitespace().last() == Some("overlay")) {
        return Finding::well(SUBJECT, "the kernel has overlay file systems");
    }
    let advice = "modprobe overlay";
    Finding::warning(SUBJECT, "the kernel does not list overlay file systems", advice)
}

/// The service's own groups of both versions; the folder of each is where it would make more.
fn group_folders() -> Vec<PathBuf> {
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let folder = |line: &str| {
        let mut parts = line.splitn(3, ':');
        let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        let hierarchy = match controllers {
            "" => PathBuf::from("/sys/fs/cgroup"),
            "memory" | "cpu" | "cpu,cpuacct" | "pids" => {
                Path::new("/sys/fs/cgroup").join(controllers)
            }
            _ => return None,
        };
        Some(hierarchy.join(path.trim_start_matches('/')))
    };
    own.lines().filter_map(folder).filter(|folder| folder.exists()).collect()
}

fn control_groups() -> Finding {
    const SUBJECT: &str = "cgroups";
    let advice = "run the service as root, or with systemd's Delegate=yes; until then limits hold \
                  for each process of a build, not for all of them together";
    let folders = group_folders();
    if folders.is_empty() {
        return Finding::warning(SUBJECT, "none of this process is to be found", advice);
    }
    let made = |folder: &PathBuf| {
        let child = folder.join(format!("buildyard-doctor-{}", std::process::id()));
        fs::create_dir(&child).and_then(|()| fs::remove_dir(&child)).is_ok()
    };
    let count = folders.iter().filter(|folder| made(folder)).count();
    if count == 0 {
        return Finding::warning(SUBJECT, "none may be made here", advice);
    }
    Finding::well(SUBJECT, "they may be made")
}

/// A journal is watched for each build that runs.
fn watches() -> Finding {
    const SUBJECT: &str = "inotify";
    let number = |name: &str| {
        let path = format!("/proc/sys/fs/inotify/{name}");
        fs::read_to_string(path).ok().and_then(|text| text.trim().parse::<u64>().ok())
    };
    match (number("max_user_watches"), number("max_user_instances")) {
        (Some(watches), Some(instances)) if watches >= 1_024 && instances >= 16 => {
            Finding::well(SUBJECT, format!("{watches} files may be watched"))
        }
        (Some(watches), Some(instances)) => Finding::warning(
            SUBJECT,
            format!("{watches} files may be watched, by {instances} programs of a user"),
            "sysctl -w fs.inotify.max_user_watches=65536 fs.inotify.max_user_instances=128",
        ),
        _ => Finding::bad(SUBJECT, "the kernel has none", "use a kernel with inotify"),
    }
}

fn way_out(patient: &Patient) -> Finding {
    const SUBJECT: &str = "network";
    if !patient.config.builds.network {
        return Finding::well(SUBJECT, "builds have no way out, as the configuration says");
    }
    if !rustix::process::geteuid().is_root() {
        return way_out_of_a_user();
    }
    if !is_installed("nft") {
        let advice = "install the package nftables, or set builds.network = false";
        return Finding::warning(SUBJECT, "without nft builds have no way out", advice);
    }
    Finding::well(SUBJECT, "nft is there")
}

/// What ways out need where the service is not root.
fn way_out_of_a_user() -> Finding {
    const SUBJECT: &str = "network";
    const TUNNELS: &str = "/dev/net/tun";
    if !is_installed("pasta") {
        let advice = "install the package passt, or set builds.network = false";
        return Finding::warning(SUBJECT, "without pasta builds have no way out", advice);
    }
    match fs::File::options().read(true).write(true).open(TUNNELS) {
        Ok(_) => Finding::well(SUBJECT, "pasta is there"),
        Err(error) => {
            let said = format!("builds have no way out: {TUNNELS}: {error}");
            let advice =
                "load the module tun, and let users open the device: chmod 666 /dev/net/tun";
            Finding::warning(SUBJECT, said, advice)
        }
    }
}

fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .any(|folder| folder.join(program).is_file())
}

/// Makes a container as builds have them, whose agent ends at once, and takes it away.
pub(super) async fn try_container(patient: &Patient) -> Finding {
    const SUBJECT: &str = "container";
    let advice =
        "the lines above may say why; the service's log says more with BUILDYARD_LOG=debug";
    let place = match patient.data_dir.exists() {
        true => tempfile::tempdir_in(&patient.data_dir),
        false => tempfile::tempdir(),
    };
    let folder = match place {
        Ok(folder) => folder,
        Err(error) => {
            let said = format!("not tried: no folder can be made for it: {error}");
            return Finding::bad(SUBJECT, said, "see what is said of the data folder");
        }
    };
    let images = match app::images(&patient.config, folder.path()) {
        Ok(images) => images,
        Err(error) => return Finding::bad(SUBJECT, format!("{error:#}"), advice),
    };
    let config = app::sandbox(&patient.config, folder.path(), images);
    let sandbox = match Sandbox::new(config) {
        Ok(sandbox) => sandbox,
        Err(fault) => return Finding::bad(SUBJECT, chain(&fault), advice),
    };
    let id = ContainerId::new(format!("doctor-{}", std::process::id())).expect("it is a name");
    let spec = ContainerSpec {
        id: id.clone(),
        image: Image::Host,
        mounts: Vec::new(),
        folders_in_memory: Vec::new(),
        limits: Limits {
            cpu_millis: 1_000,
            memory_bytes: 256 << 20,
            processes_max: 64,
            open_files_max: 256,
            disk_bytes: u64::MAX,
        },
        privileges: executor::Privileges::Few,
        egress: executor::Egress::default(),
        network: Network::None,
        listen: Vec::new(),
        journal: folder.path().join("journal"),
        orders: Vec::new(),
    };
    let began = Instant::now();
    let launched = timeout(CONTAINER_WITHIN, sandbox.launch(&spec)).await;
    let took = began.elapsed();
    let destroyed = timeout(CONTAINER_WITHIN, sandbox.destroy(&id)).await;
    match (launched, destroyed) {
        (Ok(Ok(_)), Ok(Ok(()))) => {
            Finding::well(SUBJECT, format!("one was made, in {} ms", took.as_millis()))
        }
        (Ok(Err(LaunchError::Image(problem))), _) => Finding::bad(SUBJECT, problem, advice),
        (Ok(Err(LaunchError::Fault(fault))), _) | (_, Ok(Err(fault))) => {
            Finding::bad(SUBJECT, chain(&fault), advice)
        }
        (Err(_), _) | (_, Err(_)) => {
            let said = format!("it took longer than {} s", CONTAINER_WITHIN.as_secs());
            Finding::bad(SUBJECT, said, advice)
        }
    }
}
