//! What tests stand on: a static agent, folders that go away, and a sandbox in them.

use crate::agent::AGENT;
use executor::{
    Agent, ContainerId, ContainerSpec, DockerEngine, Egress, Executor, Exit, HostImage, Image,
    Images, ImagesConfig, Limits, Network, OciRuntime, OutboundNetwork, Privileges, RuntimeKind,
    Sandbox, SandboxConfig, Script, Scripted,
};
use std::{
    cell::RefCell,
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// How long anything may take before a test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

thread_local! {
    /// What makes the containers of this thread's test.
    static MAKER: RefCell<Maker> = const { RefCell::new(Maker::Sandbox) };
}

/// What makes containers.
#[derive(Clone, Debug)]
pub(crate) enum Maker {
    Sandbox,
    Runtime(RuntimeKind),
    /// A container engine, by its socket.
    Engine(PathBuf),
}

/// Does a test whose worlds all have their containers made by this.
pub(crate) fn with_maker(maker: Maker, test: impl FnOnce()) {
    MAKER.replace(maker);
    test();
}

/// A sandbox in a folder of its own, with what the test is about to make its containers.
pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) maker: Maker,
    pub(crate) folder: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        let maker = MAKER.with_borrow(Maker::clone);
        Self::of(TempDir::new().expect("a temporary folder"), maker)
    }

    /// The same folder after the service was restarted.
    pub(crate) fn restarted(self) -> Self {
        let Self { sandbox, maker, folder } = self;
        drop(sandbox);
        Self::of(folder, maker)
    }

    fn of(folder: TempDir, maker: Maker) -> Self {
        let config = config(folder.path());
        let sandbox = match &maker {
            Maker::Sandbox => Sandbox::new(config),
            Maker::Runtime(kind) => Sandbox::with_runtime(config, oci_runtime(*kind)),
            Maker::Engine(socket) => {
                let engine = DockerEngine { socket: socket.clone() };
                block_on(Sandbox::with_engine(config, engine))
            }
        };
        Self { sandbox: sandbox.expect("a sandbox"), maker, folder }
    }

    /// A container that is to do `orders`: of the host image, or of one that an engine can have.
    pub(crate) fn spec(&self, orders: &str) -> ContainerSpec {
        let mut spec = spec(self.folder.path(), orders);
        if let Maker::Engine(_) = self.maker {
            spec.image = crate::images::with_a_shell(self.folder.path());
        }
        spec
    }

    /// Runs a container to its end and removes it; gives its end and its journal.
    pub(crate) async fn run(&self, spec: &ContainerSpec) -> (Exit, String) {
        self.sandbox.launch(spec).await.expect("a container");
        let exit = watch(&self.sandbox, &spec.id).await;
        let journal = fs::read_to_string(&spec.journal).expect("a journal");
        self.sandbox.destroy(&spec.id).await.expect("a container's end");
        (exit, journal)
    }

    /// What a shell says to these commands in a container.
    pub(crate) async fn shell(&self, commands: &str) -> String {
        self.run(&self.spec(&format!("sh exec 2>&1; {commands}"))).await.1
    }
}

/// A runtime, found on `PATH`.
pub(crate) fn oci_runtime(kind: RuntimeKind) -> OciRuntime {
    OciRuntime { kind, program: kind.name().into(), flags: Vec::new() }
}

pub(crate) fn config(folder: &Path) -> SandboxConfig {
    SandboxConfig {
        state_dir: folder.join("state"),
        images: Images::open(ImagesConfig::in_folder(folder.join("images"))).expect("images"),
        helper: "/proc/self/exe".into(),
        agent: Agent::File(AGENT.clone()),
        host_image: HostImage::default(),
        outbound: OutboundNetwork::default(),
        disk_reserve_bytes: 0,
    }
}

pub(crate) fn spec(folder: &Path, orders: &str) -> ContainerSpec {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!("test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    ContainerSpec {
        journal: folder.join(format!("{name}.journal")),
        id: ContainerId::new(name).expect("an id"),
        image: Image::Host,
        mounts: Vec::new(),
        folders_in_memory: Vec::new(),
        limits: Limits {
            cpu_millis: 2000,
            memory_bytes: 512 << 20,
            processes_max: 200,
            open_files_max: 1024,
            disk_bytes: u64::MAX,
        },
        privileges: Privileges::Few,
        network: Network::None,
        egress: Egress::default(),
        listen: Vec::new(),
        orders: orders.as_bytes().to_vec(),
    }
}

/// The end of a container, which must come in time.
pub(crate) async fn watch(executor: &impl Executor, id: &ContainerId) -> Exit {
    tokio::time::timeout(PATIENCE, executor.watch(id)).await.expect("the container ends in time")
}

/// Waits until a file holds a text.
pub(crate) async fn wait_for_text(file: &Path, text: &str) {
    let started = Instant::now();
    while !fs::read_to_string(file).unwrap_or_default().contains(text) {
        assert!(started.elapsed() < PATIENCE, "{} never held {text:?}", file.display());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Runs a test's body on a runtime of its own.
pub(crate) fn block_on<T>(body: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(body)
}

/// The fake, which understands the test agent's orders as far as they need no machine.
pub(crate) fn scripted() -> Scripted {
    Scripted::new(|spec| {
        let (mut journal, mut end) = (Vec::new(), Some(Exit::Exited { code: Some(0) }));
        for line in String::from_utf8_lossy(&spec.orders).lines() {
            match line.split_once(' ').unwrap_or((line, "")) {
                ("say", text) => journal.extend(format!("{text}\n").bytes()),
                ("exit", code) => end = Some(Exit::Exited { code: code.parse().ok() }),
                ("abort", _) => end = Some(Exit::Killed { signal: 6 }),
                ("connect" | "wait", _) => end = None,
                (verb, _) => panic!("the fake cannot {verb}"),
            }
        }
        Script::Run { journal, end }
    })
}
