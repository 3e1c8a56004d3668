//! An image that this machine keeps, given to an engine that does not have it: by the program's own
//! executor to Podman's service, beside `podman load` of the same image.

use anyhow::{Context, Result, ensure};
use executor::{
    Agent, DockerEngine, Executor, HostImage, Image, Images, ImagesConfig, OutboundNetwork,
    Progress, Sandbox, SandboxConfig,
};
use std::{
    fs,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};
use tokio::runtime::Runtime;

/// How long the service may take to listen.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(20);

/// Gives the image of this name in a folder of images to a Podman whose store is empty; how long it
/// took. The place is for the store and what belongs to it.
pub(crate) fn to_podman(
    program: &Path,
    images: &Path,
    name: &str,
    place: &Path,
) -> Result<Duration> {
    fs::create_dir_all(place)?;
    let engine = Podman::start(place)?;
    let images = Images::open(ImagesConfig::in_folder(images))?;
    let image = images.in_place(&name.parse().context("a name")?)?.context("it was pulled")?;
    let config = SandboxConfig {
        state_dir: place.join("containers"),
        images,
        helper: program.to_owned(),
        // No container is made.
        agent: Agent::File(program.to_owned()),
        host_image: HostImage::default(),
        outbound: OutboundNetwork::default(),
        disk_reserve_bytes: 0,
    };
    Runtime::new()?.block_on(async {
        let engine = DockerEngine { socket: engine.socket.clone() };
        let executor = Sandbox::with_engine(config, engine).await?;
        let progress = Arc::new(Progress::default());
        let began = Instant::now();
        let given = executor.provide(&Image::Stored(image), &progress).await;
        let took = began.elapsed();
        given.map_err(|error| anyhow::anyhow!("{error:?}"))?;
        ensure!(progress.fetched_bytes() > 0, "the engine had it already");
        Ok(took)
    })
}

/// Podman's arguments for a store of its own.
pub(crate) fn store(place: &Path) -> [String; 4] {
    let folder = |name: &str| place.join(name).display().to_string();
    [
        format!("--root={}", folder("root")),
        format!("--runroot={}", folder("runroot")),
        format!("--tmpdir={}", folder("tmp")),
        "--storage-driver=overlay".to_owned(),
    ]
}

/// Podman's service, on a socket of its own.
struct Podman {
    process: Child,
    socket: PathBuf,
    mounted: PathBuf,
}

impl Podman {
    fn start(place: &Path) -> Result<Self> {
        let socket = place.join("podman.sock");
        let mut command = Command::new("podman");
        command.args(store(place)).args(["--cgroup-manager=cgroupfs", "--events-backend=file"]);
        command.args(["system", "service", "--time=0"]).arg(format!("unix://{}", socket.display()));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().context("podman")?;
        let mounted = place.join("root/overlay");
        let podman = Self { process, socket, mounted };
        let began = Instant::now();
        while UnixStream::connect(&podman.socket).is_err() {
            ensure!(began.elapsed() < PATIENCE, "podman does not listen");
            thread::sleep(PAUSE);
        }
        Ok(podman)
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        // Its store is a mount of itself, and stays one.
        let _ = Command::new("umount").arg(&self.mounted).output();
    }
}
