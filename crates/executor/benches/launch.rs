//! How long a container takes: from `launch` to the first byte in the journal, and to its removal;
//! beside `runc run` of a program that does nothing, where runc is installed.
//!
//! With `OUTBOUND=1` in its environment the containers have a way out; that changes the packet filter
//! and the forwarding of the network it runs in, which is therefore best one of its own.

#[path = "../tests/it/agent.rs"]
mod agent;

use executor::{
    Agent, ContainerId, ContainerSpec, Egress, Executor, HostImage, Image, Images, ImagesConfig,
    Limits, Network, OutboundNetwork, Privileges, Sandbox, SandboxConfig,
};
use std::{
    fmt::Write,
    fs,
    path::Path,
    process::{Command, ExitCode, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

const ROUNDS: usize = 200;
const RUNC_ROUNDS: usize = 30;

fn main() -> ExitCode {
    if std::env::args().nth(1).is_some_and(|verb| verb == executor::HELPER_VERB) {
        return executor::helper_main();
    }
    let folder = TempDir::new().expect("a temporary folder");
    let sandbox = Sandbox::new(SandboxConfig {
        state_dir: folder.path().join("state"),
        images: Images::open(ImagesConfig::in_folder(folder.path().join("images")))
            .expect("images"),
        helper: "/proc/self/exe".into(),
        agent: Agent::File(agent::AGENT.clone()),
        host_image: HostImage::default(),
        outbound: OutboundNetwork::default(),
        disk_reserve_bytes: 0,
    })
    .expect("a sandbox");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut report = String::new();
    runtime.block_on(one_by_one(&sandbox, folder.path(), &mut report));
    for abreast in [2, 4, 16] {
        runtime.block_on(all_at_once(&sandbox, folder.path(), abreast, &mut report));
    }
    runc(folder.path(), &mut report);
    std::io::Write::write_all(&mut std::io::stdout(), report.as_bytes()).expect("an output");
    ExitCode::SUCCESS
}

async fn one_by_one(sandbox: &Sandbox, folder: &Path, report: &mut String) {
    let (mut answered, mut written, mut gone) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let spec = spec(folder, &format!("one-{round}"), "say x\nexit 0");
        let started = Instant::now();
        sandbox.launch(&spec).await.expect("a container");
        answered.push(started.elapsed());
        while fs::metadata(&spec.journal).expect("a journal").len() == 0 {
            std::thread::sleep(Duration::from_micros(20));
        }
        written.push(started.elapsed());
        sandbox.watch(&spec.id).await;
        let ended = Instant::now();
        sandbox.destroy(&spec.id).await.expect("an end");
        gone.push(ended.elapsed());
    }
    line(report, "launch answers", &answered);
    line(report, "launch to first byte in the journal", &written);
    line(report, "  the first 20 of them", &written[..20]);
    line(report, "  the last 20 of them", &written[ROUNDS - 20..]);
    line(report, "destroy", &gone);
}

async fn all_at_once(sandbox: &Sandbox, folder: &Path, abreast: usize, report: &mut String) {
    let started = Instant::now();
    let mut tasks = Vec::new();
    for lane in 0..abreast {
        let (sandbox, folder) = (sandbox.clone(), folder.to_owned());
        tasks.push(tokio::spawn(async move {
            for round in (lane..ROUNDS).step_by(abreast) {
                let id = format!("many-{abreast}-{round}");
                let spec = spec(&folder, &id, "say x\nexit 0");
                sandbox.launch(&spec).await.expect("a container");
                sandbox.watch(&spec.id).await;
                sandbox.destroy(&spec.id).await.expect("an end");
            }
        }));
    }
    for task in tasks {
        task.await.expect("a lane");
    }
    let rate = ROUNDS as f64 / started.elapsed().as_secs_f64();
    writeln!(report, "{ROUNDS} containers, {abreast} abreast: {rate:.0} per second")
        .expect("a string takes it");
}

/// The same machine's `runc run`, with its default namespaces and no limits.
fn runc(folder: &Path, report: &mut String) {
    let bundle = folder.join("bundle");
    fs::create_dir_all(bundle.join("rootfs")).expect("a bundle");
    fs::copy(&*agent::AGENT, bundle.join("rootfs/agent")).expect("a program");
    let made = Command::new("runc").arg("spec").current_dir(&bundle).status();
    if !made.is_ok_and(|status| status.success()) {
        writeln!(report, "runc run: not installed").expect("a string takes it");
        return;
    }
    let config = bundle.join("config.json");
    let text = fs::read_to_string(&config).expect("a configuration");
    let text = text.replace("\"terminal\": true", "\"terminal\": false");
    // The default asks for rlimits that not every root may set.
    let text =
        text.replace("\"sh\"", "\"/agent\", \"nothing\"").replace("RLIMIT_NOFILE", "RLIMIT_CORE");
    fs::write(&config, text).expect("a configuration");
    let mut times = Vec::new();
    for round in 0..RUNC_ROUNDS {
        let started = Instant::now();
        let done = Command::new("runc")
            .args(["run", &format!("bench-{}-{round}", std::process::id())])
            .current_dir(&bundle)
            .stdin(Stdio::null())
            .output()
            .expect("runc runs");
        if !done.status.success() {
            let why = String::from_utf8_lossy(&done.stderr);
            writeln!(report, "runc run: fails: {why}").expect("a string takes it");
            return;
        }
        times.push(started.elapsed());
    }
    line(report, "runc run", &times);
}

fn line(report: &mut String, what: &str, times: &[Duration]) {
    let mut times = times.to_vec();
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100].as_secs_f64() * 1000.0;
    writeln!(
        report,
        "{what}: median {:.2} ms (10 %: {:.2}, 90 %: {:.2}, 99 %: {:.2}) of {}",
        at(50),
        at(10),
        at(90),
        at(99),
        times.len()
    )
    .expect("a string takes it");
}

fn spec(folder: &Path, id: &str, orders: &str) -> ContainerSpec {
    let outbound = std::env::var_os("OUTBOUND").is_some();
    ContainerSpec {
        id: ContainerId::new(id).expect("an id"),
        image: Image::Host,
        mounts: Vec::new(),
        folders_in_memory: Vec::new(),
        limits: Limits {
            cpu_millis: 1000,
            memory_bytes: 512 << 20,
            processes_max: 200,
            open_files_max: 1024,
            disk_bytes: u64::MAX,
        },
        privileges: Privileges::Few,
        network: if outbound { Network::Outbound } else { Network::None },
        egress: Egress::default(),
        listen: vec!["169.254.170.2:80".parse().expect("an address")],
        journal: folder.join(format!("{id}.journal")),
        orders: orders.as_bytes().to_vec(),
    }
}
