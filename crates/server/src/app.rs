//! The composition: what the service is made of, and how the parts are put together.

use crate::{
    backup,
    build_request::BuildRequest,
    codebuild::CodeBuildService,
    config::{Config, LISTEN_DEFAULT},
    data_folder::{self, Containers},
    driver::{Driver, Grounds, JournalWatch, Observed, ServedBuild, ThisMachine},
    executors::Workshop,
    fault,
    http::{Front, Origin, router},
    identity::{Identity, RootKeys},
    images::{BuildImages, CuratedImages, Names},
    local_caches::LocalCaches,
    logs::LogsService,
    parameters::{self, ParametersService},
    provision::Provision,
    retention::Sweeper,
    s3,
    secrets::{self, SecretsService},
    sources::{self, SourceCredentials, Ssh},
    tally::Tally,
    upstream::{Upstream, UpstreamSettings},
    vault::{Vault, key_file_beside},
};
use anyhow::Context;
use build_core::queue::Capacity;
use executor::{Agent, Container, HostImage, Images, OutboundNetwork, SandboxConfig};
use sha2::{Digest, Sha256};
use std::{
    fs::{self, File, Permissions},
    net::{SocketAddr, TcpListener},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
    thread,
    time::Duration,
};
use store::{Store, logs::LogStore, objects::ObjectStore};
use tokio::{
    sync::{mpsc, watch},
    task::spawn_blocking,
    time::sleep,
};

/// The agent, static, as `build.rs` made it.
static AGENT: &[u8] = include_bytes!(env!("BUILDYARD_AGENT_PATH"));

/// The whole service, on one data folder.
pub struct App {
    /// Everything that answers requests.
    pub front: Arc<Front>,
    /// Where objects are kept.
    pub objects: ObjectStore,
    /// Where logs are kept.
    pub logs: LogStore,
    /// Where state is kept.
    pub store: Store,
    data_dir: PathBuf,
    _lock: File,
}

/// How long memory that builds have used is kept for others, before what is free of it goes.
const MEMORY_KEPT: Duration = Duration::from_secs(20);

/// How many threads serve requests and builds.
pub fn worker_threads() -> usize {
    thread::available_parallelism().map_or(2, usize::from).clamp(2, 16)
}

impl App {
    /// Opens a data folder, makes it when it is not there, and goes on with its builds. An observer
    /// is told what their journals say.
    pub async fn open(
        config: Config,
        data_dir: &Path,
        root: Option<RootKeys>,
        observer: Option<mpsc::UnboundedSender<Observed>>,
    ) -> anyhow::Result<Self> {
        let Folder { lock, journals, containers } = Folder::prepare(data_dir)?;
        let place = || format!("failed to use the data folder {}", data_dir.display());
        let config = Arc::new(config);
        let identity = Arc::new(Identity::open(data_dir, root).with_context(place)?);
        let store = Store::open(&data_dir.join("state.db"))?;
        let logs = LogStore::open(&data_dir.join("logs"))?;
        let objects = ObjectStore::open(data_dir.join("objects"))?;
        let images = images(&config, data_dir)?;
        let workshop = workshop(&config, data_dir, images.clone()).await?;
        let vault = vault(&config, data_dir, &store).await?;
        let Config { secrets, parameters, .. } = &*config;
        let upstream = upstream_of("secrets", secrets.upstream.as_ref())?;
        let readable = secrets.readable.clone();
        let secrets = SecretsService::new(store.clone(), vault.clone(), readable, upstream);
        let secrets = Arc::new(secrets);
        let (curated, images) = offered(&config, images, &secrets);
        let upstream = upstream_of("parameters", parameters.upstream.as_ref())?;
        let readable = parameters.readable.clone();
        let parameters = ParametersService::new(store.clone(), vault.clone(), readable, upstream);

        // Builds that are under way need the front before it can be made of the driver.
        let front: Arc<OnceLock<Arc<Front>>> = Arc::default();
        let grounds = Arc::new(Grounds {
            workshop,
            images,
            machine: Arc::new(ThisMachine {
                store: store.clone(),
                logs: logs.clone(),
                watch: JournalWatch::start().context("failed to follow journals with inotify")?,
                journals,
                caches: Arc::new(local_caches(&config, data_dir)?),
                containers: containers.tells(),
            }),
            provision: Provision {
                config: Arc::clone(&config),
                identity: Arc::clone(&identity),
                ssh: ssh(&config).context("failed to set up sources of ssh")?,
                programs: programs(data_dir).context("failed to write the builds' programs")?,
            },
            serve: serve_builds(Arc::clone(&front)),
            tally: Tally::default(),
            changed: watch::Sender::new(0),
            observer,
        });
        let driver = Driver::start(Arc::clone(&grounds), capacity(&config)).await?;
        let account_id = config.account_id.as_str().to_owned();
        let made = Arc::new(Front {
            codebuild: CodeBuildService {
                store: store.clone(),
                driver,
                credentials: SourceCredentials::new(store.clone(), vault),
                images: curated,
                config: Arc::clone(&config),
            },
            logs: LogsService::new(logs.clone(), &account_id),
            s3: buckets(&objects, &identity, &account_id),
            secrets,
            parameters,
            identity,
            account_id,
            data_dir: data_dir.to_owned(),
            grounds,
            objects: objects.clone(),
            capacity: capacity(&config),
        });
        let _ = front.set(Arc::clone(&made));
        keep_swept(&made, &store, &logs);
        let data_dir = data_dir.to_path_buf();
        Ok(Self { front: made, objects, logs, store, data_dir, _lock: lock })
    }

    /// Answers requests on a listener until the process ends.
    pub async fn serve(&self, listener: tokio::net::TcpListener) -> std::io::Result<()> {
        use axum::serve::ListenerExt;
        let listener = listener.tap_io(|stream| {
            // Small answers must not wait for the client's acknowledgement.
            let _ = stream.set_nodelay(true);
        });
        axum::serve(listener, router(Arc::clone(&self.front), Origin::Port)).await
    }

    /// Takes away what was set up for builds and none that goes on needs. For the end of the service.
    pub async fn leave(&self) {
        for executor in self.front.grounds.workshop.all() {
            if let Err(fault) = executor.leave().await {
                let error = &fault as &dyn std::error::Error;
                tracing::warn!(error, "something that was set up for builds stays");
            }
        }
    }

    /// Keeps the address for `buildyard credentials`.
    pub fn note_address(&self, address: SocketAddr) -> std::io::Result<()> {
        fs::write(self.data_dir.join("address"), format!("http://{address}\n"))
    }
}

/// A data folder that this process alone uses.
struct Folder {
    lock: File,
    journals: PathBuf,
    containers: Containers,
}

impl Folder {
    /// Makes the folder when it is not there, brings it up to this program's version, and removes
    /// what was left half done.
    fn prepare(data_dir: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(data_dir).with_context(|| place(data_dir))?;
        fs::set_permissions(data_dir, Permissions::from_mode(0o700))
            .with_context(|| place(data_dir))?;
        let lock = lock(data_dir)?;
        data_folder::upgrade(data_dir)?;
        let journals = data_dir.join("journals");
        fs::create_dir_all(&journals).with_context(|| place(&journals))?;
        let containers = data_folder::containers(data_dir).with_context(|| place(data_dir))?;
        backup::sweep(data_dir);
        Ok(Self { lock, journals, containers })
    }
}

fn place(path: &Path) -> String {
    format!("failed to use the data folder {}", path.display())
}

/// Has what is past its time leave, for as long as the service runs.
fn keep_swept(front: &Arc<Front>, store: &Store, logs: &LogStore) {
    tokio::spawn(front.logs.clone().keep_swept());
    let rules = front.grounds.provision.config.retention;
    let sweeper = Sweeper { store: store.clone(), logs: logs.clone(), rules };
    tokio::spawn(sweeper.keep_swept(Arc::clone(&front.grounds)));
    let swept = Arc::clone(front);
    tokio::spawn(async move { swept.secrets.keep_swept().await });
    tokio::spawn(give_back_memory(Arc::clone(&front.grounds)));
}

/// Has the memory go that builds have used, a while after something has happened to some.
async fn give_back_memory(grounds: Arc<Grounds>) {
    let mut changed = grounds.changed.subscribe();
    while changed.changed().await.is_ok() {
        sleep(MEMORY_KEPT).await;
        changed.mark_unchanged();
        let _ = spawn_blocking(executor::give_back_free_memory).await;
    }
}

/// The address that a service on this folder listened on last, or would by its configuration.
pub fn noted_address(data_dir: &Path, config: &Config) -> String {
    match fs::read_to_string(data_dir.join("address")) {
        Ok(address) => address.trim().to_owned(),
        Err(_) => match config.listen {
            Some(address) => format!("http://{address}"),
            None => format!("http://{LISTEN_DEFAULT}"),
        },
    }
}

/// Two services on one folder would run each build twice.
fn lock(data_dir: &Path) -> anyhow::Result<File> {
    let path = data_dir.join("lock");
    let file = File::create(&path).with_context(|| format!("failed to make {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => {
            anyhow::bail!("another buildyard is using {}", data_dir.display())
        }
        Err(fs::TryLockError::Error(error)) => Err(error).context("failed to lock the data folder"),
    }
}

fn buckets(objects: &ObjectStore, identity: &Arc<Identity>, account_id: &str) -> s3::S3Service {
    let config = s3::Config { account_id: account_id.to_owned(), ..s3::Config::default() };
    s3::service(objects.clone(), Arc::clone(identity) as Arc<dyn s3::Access>, config)
}

/// The images that this machine has.
pub(crate) fn images(config: &Config, data_dir: &Path) -> anyhow::Result<Images> {
    let images = Images::open(config.images.config(data_dir, &config.builds));
    images.context("failed to prepare the folder for images")
}

/// The images that clients are told of, and those that builds have.
fn offered(
    config: &Config,
    images: Images,
    secrets: &Arc<SecretsService>,
) -> (CuratedImages, BuildImages) {
    let names = Names::new(config.images.names.clone());
    let curated = CuratedImages::new(images.clone(), names.clone());
    (curated, BuildImages::new(images, names, Some(Arc::clone(secrets))))
}

fn local_caches(config: &Config, data_dir: &Path) -> anyhow::Result<LocalCaches> {
    let folder = config.caches.local_folder.clone().unwrap_or_else(|| data_dir.join("caches"));
    LocalCaches::open(folder.clone(), config.caches.local_gib_max << 30)
        .with_context(|| format!("failed to use the folder for caches, {}", folder.display()))
}

/// The service that answers what builds read in the place of the built-in one, if there is one.
fn upstream_of(
    section: &str,
    settings: Option<&UpstreamSettings>,
) -> anyhow::Result<Option<Upstream>> {
    settings.map(Upstream::new).transpose().with_context(|| format!("{section}.upstream"))
}

/// The operator's key for Git hosts of ssh, and the hosts.
fn ssh(config: &Config) -> anyhow::Result<Option<Ssh>> {
    match (&config.sources.ssh_key_file, &config.sources.ssh_known_hosts_file) {
        (Some(key), Some(hosts)) => Ok(Some(Ssh::read(key, hosts)?)),
        (None, None) => Ok(None),
        (Some(_), None) | (None, Some(_)) => {
            anyhow::bail!("sources.ssh_key_file and sources.ssh_known_hosts_file belong together")
        }
    }
}

/// The vault. Values that cannot be opened do not keep the service from its other work.
async fn vault(config: &Config, data_dir: &Path, store: &Store) -> anyhow::Result<Vault> {
    let folder = data_dir.canonicalize().context("failed to find the data folder")?;
    let path = match &config.secrets.key_file {
        Some(path) => path.clone(),
        None => key_file_beside(&folder)
            .context("failed to name a key file beside the data folder: set secrets.key_file")?,
    };
    let sealed = vec![secrets::VALUES, parameters::VALUES, sources::CREDENTIALS];
    let vault = Vault::new(path, store.clone(), sealed);
    if let Err(error) = vault.check().await {
        tracing::error!("secrets cannot be read: failed to {}", fault::chain(&error));
    }
    Ok(vault)
}

async fn workshop(config: &Config, data_dir: &Path, images: Images) -> anyhow::Result<Workshop> {
    let sandbox = sandbox(config, data_dir, images);
    Workshop::open(&config.executors, &sandbox, &data_dir.join("executors")).await
}

pub(crate) fn sandbox(config: &Config, data_dir: &Path, images: Images) -> SandboxConfig {
    let mut host_image = HostImage::default();
    host_image.folders.extend(config.host_image.folders.iter().cloned());
    SandboxConfig {
        state_dir: data_dir.join("containers"),
        images,
        helper: "/proc/self/exe".into(),
        agent: Agent::Zstd(AGENT),
        host_image,
        outbound: OutboundNetwork {
            openings: config.builds.network_allow.clone(),
            ..OutboundNetwork::default()
        },
        disk_reserve_bytes: config.builds.disk_reserve_gib << 30,
    }
}

/// Writes the programs that builds find on their `PATH`, which are the agent under other names, and
/// gives their folder. Builds that an older service has started keep those that they have.
fn programs(data_dir: &Path) -> std::io::Result<PathBuf> {
    const NAMES: [&str; 3] =
        ["codebuild-hash-files", "codebuild-glob-search", "codebuild-tests-run"];
    let all = data_dir.canonicalize()?.join("programs");
    let mut version = hex::encode(Sha256::digest(AGENT));
    version.truncate(16);
    let folder = all.join(&version);
    if !folder.exists() {
        let new = all.join("new");
        let _ = fs::remove_dir_all(&new);
        fs::create_dir_all(&new)?;
        fs::write(new.join(NAMES[0]), zstd::decode_all(AGENT)?)?;
        fs::set_permissions(new.join(NAMES[0]), Permissions::from_mode(0o555))?;
        for name in &NAMES[1..] {
            fs::hard_link(new.join(NAMES[0]), new.join(name))?;
        }
        fs::rename(&new, &folder)?;
    }
    for other in fs::read_dir(&all)?.flatten().filter(|other| other.path() != folder) {
        let _ = fs::remove_dir_all(other.path());
    }
    Ok(folder)
}

/// What the machine gives to builds.
fn capacity(config: &Config) -> Capacity {
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let memory = rustix::system::sysinfo();
    let total = memory.totalram as u64 * u64::from(memory.mem_unit);
    Capacity {
        builds_max: config.builds.at_once_max.unwrap_or(processors * 8).max(1),
        memory_bytes: total / 100 * u64::from(config.builds.memory_percent),
    }
}

/// Serves the service to a build, on the sockets inside its network, for as long as it is there.
fn serve_builds(
    front: Arc<OnceLock<Arc<Front>>>,
) -> Box<dyn Fn(Container, ServedBuild) + Send + Sync> {
    Box::new(move |container, served| {
        let front = Arc::clone(&front);
        for listener in container.listeners {
            let (front, gone) = (Arc::clone(&front), served.gone.clone());
            let (request, expires_at) = (Arc::clone(&served.request), served.expires_at);
            tokio::spawn(gone.run_until_cancelled_owned(async move {
                let serving = serve_build(&front, listener, request, expires_at);
                if let Err(error) = serving.await {
                    tracing::error!(%error, "a build cannot reach the service");
                }
            }));
        }
    })
}

async fn serve_build(
    front: &OnceLock<Arc<Front>>,
    listener: TcpListener,
    request: Arc<BuildRequest>,
    expires_at: agent_protocol::Timestamp,
) -> std::io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    while front.get().is_none() {
        // Only at start-up, between the driver's first turn and the last line of `App::open`.
        tokio::task::yield_now().await;
    }
    let front = Arc::clone(front.get().expect("it was there above"));
    axum::serve(listener, router(front, Origin::Build { request, expires_at })).await
}
