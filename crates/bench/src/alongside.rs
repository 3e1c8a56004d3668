//! What a build is compared with: `runc run`, and our own executor with an agent that does nothing.

use anyhow::{Context, Result, ensure};
use executor::{
    Agent, ContainerId, ContainerSpec, Egress, Executor, HostImage, Image, Images, ImagesConfig,
    Limits, Network, OutboundNetwork, Privileges, Sandbox, SandboxConfig,
};
use serde_json::{Value, json};
use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// What runc is to run.
#[derive(Clone, Copy)]
pub(crate) enum Process {
    True,
    Shell,
}

/// A bundle for runc: the machine's own tool folders, as in the image `host`, with runc's default
/// namespaces and mounts, and no limits.
pub(crate) struct Runc {
    bundles: [PathBuf; 2],
}

impl Runc {
    /// Makes the bundles; none where runc is not installed.
    pub(crate) fn prepare(folder: &Path) -> Result<Option<Self>> {
        if Command::new("runc").arg("--version").stdout(Stdio::null()).status().is_err() {
            return Ok(None);
        }
        let bundles = [("runc-true", &["/bin/true"][..]), ("runc-shell", &["/bin/sh", "-c", ":"])]
            .map(|(name, arguments)| bundle(&folder.join(name), arguments, &[]));
        let [one, two] = bundles;
        Ok(Some(Self { bundles: [one?, two?] }))
    }

    /// Runs a container to its end.
    pub(crate) fn run(&self, round: usize, process: Process) -> Result<Duration> {
        let bundle = match process {
            Process::True => &self.bundles[0],
            Process::Shell => &self.bundles[1],
        };
        let id = format!("buildyard-bench-{}-{round}", std::process::id());
        let began = Instant::now();
        let done = Command::new("runc")
            .args(["run", &id])
            .current_dir(bundle)
            .stdin(Stdio::null())
            .output()
            .context("runc runs")?;
        let taken = began.elapsed();
        ensure!(done.status.success(), "runc: {}", String::from_utf8_lossy(&done.stderr));
        Ok(taken)
    }
}

/// Makes a bundle that shows the machine's tool folders and, where they are, `more` folders.
pub(crate) fn bundle(folder: &Path, arguments: &[&str], more: &[PathBuf]) -> Result<PathBuf> {
    let root = folder.join("rootfs");
    fs::create_dir_all(root.join("tmp"))?;
    let made = Command::new("runc").arg("spec").current_dir(folder).status()?;
    ensure!(made.success(), "runc makes no configuration");
    let file = folder.join("config.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&file)?)?;
    config["process"]["terminal"] = json!(false);
    config["process"]["args"] = json!(arguments);
    // The default asks for a limit that not every root may set.
    config["process"]["rlimits"] = json!([]);
    config["root"]["readonly"] = json!(false);
    let mounts = config["mounts"].as_array_mut().context("a list of mounts")?;
    let tools = ["/usr", "/bin", "/sbin", "/lib", "/lib64", "/opt"].map(Path::new);
    for tools in tools.into_iter().chain(more.iter().map(PathBuf::as_path)) {
        let Ok(found) = fs::symlink_metadata(tools) else { continue };
        let place = root.join(tools.strip_prefix("/")?);
        if found.is_symlink() {
            symlink(fs::read_link(tools)?, place)?;
        } else {
            fs::create_dir_all(place)?;
            let options = json!(["bind", "ro"]);
            mounts.push(json!({
                "destination": tools, "type": "bind", "source": tools, "options": options,
            }));
        }
    }
    fs::write(&file, serde_json::to_vec(&config)?)?;
    Ok(folder.to_owned())
}

/// The executor alone: namespaces, overlay, a program that ends at once, and the removal.
pub(crate) struct Bare {
    sandbox: Sandbox,
    folder: PathBuf,
    runtime: tokio::runtime::Runtime,
}

impl Bare {
    /// A sandbox whose helper is `program`.
    pub(crate) fn prepare(program: &Path, folder: &Path) -> Result<Self> {
        let folder = folder.join("bare");
        fs::create_dir_all(&folder)?;
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let sandbox = Sandbox::new(SandboxConfig {
            state_dir: folder.join("state"),
            images: Images::open(ImagesConfig::in_folder(folder.join("images")))?,
            helper: program.to_owned(),
            agent: Agent::File(idle_program(&folder)?),
            host_image: HostImage::default(),
            outbound: OutboundNetwork::default(),
            disk_reserve_bytes: 0,
        })?;
        Ok(Self { sandbox, folder, runtime })
    }

    /// Makes a container, waits for its end, and removes it.
    pub(crate) fn run(&self, round: usize) -> Result<Duration> {
        let id = ContainerId::new(format!("bare-{round}")).context("a container's id")?;
        let spec = ContainerSpec {
            journal: self.folder.join("journal"),
            image: Image::Host,
            mounts: Vec::new(),
            folders_in_memory: Vec::new(),
            limits: Limits {
                cpu_millis: 2_000,
                memory_bytes: 3 << 30,
                processes_max: 4_096,
                open_files_max: 1_024,
                disk_bytes: u64::MAX,
            },
            privileges: Privileges::Few,
            network: Network::Outbound,
            egress: Egress::default(),
            listen: Vec::new(),
            orders: Vec::new(),
            id,
        };
        let began = Instant::now();
        self.runtime.block_on(async {
            self.sandbox.launch(&spec).await?;
            self.sandbox.watch(&spec.id).await;
            self.sandbox.destroy(&spec.id).await?;
            Ok(began.elapsed())
        })
    }
}

/// Compiles a static program that ends as it starts.
fn idle_program(folder: &Path) -> Result<PathBuf> {
    let (source, program) = (folder.join("idle.rs"), folder.join("idle"));
    fs::write(&source, "fn main() {}\n")?;
    let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let made = Command::new(compiler)
        .args(["-O", "-C", "target-feature=+crt-static", "-C", "strip=symbols", "-o"])
        .args([&program, &source])
        .status()
        .context("the compiler runs")?;
    ensure!(made.success(), "the idle program does not compile");
    Ok(program)
}
