//! The service's side of the sandbox: it asks the helper for containers, waits for them, and takes
//! them away.

mod agent_file;
mod in_engine;
mod ways_out;

use self::ways_out::{Belongings, end_porter, etc_files, keep};
use super::{
    cgroup::{Group, Hierarchies},
    config::{SandboxConfig, Users},
    disk::{DiskShare, DiskWatch},
    engine::{DockerEngine, Engine},
    helper,
    keeper::MEMORY_END,
    known::{First, Known, KnownContainers},
    message::{DELIVERY, Job, RootFileSystem, ToService, User, Watchers, receive, send},
    origin::Origin,
    outside::Outside,
    porter,
    process::{self, Found},
    root::overlays_folder,
    runtime::{OciRuntime, RuntimeKind},
    state::{ContainerFolder, Locked, StateFolder},
    syscall,
};
use crate::{
    Container, ContainerId, ContainerSpec, Executor, Exit, Fault, Image, LaunchError, Mount,
    MountKind, Privileges,
    fault::Doing,
    image::{Hold, HostTemplate, ImageSettings, Images, Progress},
};
use async_trait::async_trait;
use rustix::{
    fs::{MemfdFlags, memfd_create},
    process::{PidfdGetfdFlags, Signal, getegid, geteuid, pidfd_getfd, pidfd_send_signal},
};
use std::{
    collections::hash_map::DefaultHasher,
    fs::{self, File, OpenOptions},
    hash::{Hash, Hasher},
    io::{self, Seek, Write},
    net::TcpListener,
    num::NonZeroUsize,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd, RawFd},
        unix::fs::OpenOptionsExt,
    },
    path::{Path, PathBuf},
    sync::{Arc, Once},
    time::Duration,
};
use tokio::{runtime::Handle, sync::Semaphore};

/// How long a killed container may take to be gone.
const DEATH_SECONDS_MAX: u64 = 5;
/// How often, and after which pause, a container's sockets are tried for.
const TAKE_OVER_TRIES_MAX: usize = 500;
const TAKE_OVER_PAUSE: Duration = Duration::from_millis(4);
/// How many addresses a container may listen on.
const LISTEN_MAX: usize = 8;

/// The first of the users that containers have apart from the host's: far above all that people and
/// programs are given.
const APART_FIRST: u32 = 0x7000_0000;
/// How many containers can have users of their own; beyond it, some share them, which gives them no
/// way to each other.
const APART_RANGES: u64 = 4096;

/// Makes containers out of the kernel's own parts, with nothing installed.
///
/// It works as root and as an ordinary user. See the crate's contract, [`Executor`].
#[derive(Clone, Debug)]
pub struct Sandbox {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    state: StateFolder,
    hierarchies: Hierarchies,
    host: HostTemplate,
    images: Images,
    /// The agent's program, in memory, where nobody can change it.
    agent: File,
    /// Tells this service's control groups from those of another with another state folder.
    instance: String,
    outside: Outside,
    origin: Origin,
    users: Users,
    watchers: Watchers,
    maker: Maker,
    /// Said once: that this machine cannot keep containers' users apart from its own.
    said_users: Once,
    /// Said once: that a container has no way out.
    said_no_way: Once,
    known: Arc<KnownContainers>,
    /// Ends those that take too much of the disk.
    _disk: DiskWatch,
    /// Lets in as many launches at a time as the machine makes fastest: more of them would wait for
    /// each other inside the kernel, which makes networks one after the other.
    launching: Semaphore,
}

/// What makes the box that the agent is in; the path is that of the agent's file for it.
#[derive(Debug)]
enum Maker {
    /// The sandbox itself.
    Sandbox,
    /// A runtime, in the sandbox's box.
    Runtime(OciRuntime, PathBuf),
    /// A container engine.
    Engine(Engine, PathBuf),
}

impl Sandbox {
    /// A sandbox over its state folder. Containers that an earlier service started are found again;
    /// what it left half-made is removed.
    ///
    /// Its containers' users are [`Users::Apart`].
    pub fn new(config: SandboxConfig) -> Result<Self, Fault> {
        Self::with_users(config, Users::default())
    }

    /// The same as [`Sandbox::new`], with another choice of who containers' users are on the host.
    pub fn with_users(config: SandboxConfig, users: Users) -> Result<Self, Fault> {
        Self::make(config, users, |_, _| Ok(Maker::Sandbox))
    }

    /// A sandbox in whose containers an OCI runtime makes an inner box, in which the agent is the
    /// first process. Fails when the runtime cannot be run.
    ///
    /// Where it can, the runtime itself runs as a user that the host does not have; gVisor's needs
    /// to be the host's root.
    pub fn with_runtime(config: SandboxConfig, runtime: OciRuntime) -> Result<Self, Fault> {
        runtime.check()?;
        let users = match runtime.kind {
            RuntimeKind::Runc | RuntimeKind::Crun => Users::Apart,
            RuntimeKind::Runsc if geteuid().is_root() => Users::Host,
            RuntimeKind::Runsc => {
                return Err(Fault::because("use runsc", "it works for root alone"));
            }
        };
        Self::make(config, users, |agent, state_dir| {
            Ok(Maker::Runtime(runtime, agent_file::on_disk(agent, state_dir)?))
        })
    }

    /// An executor whose containers a container engine of this machine makes. Fails when it cannot be
    /// reached. It works for root alone, and for images that this machine keeps or has in OCI layout.
    ///
    /// Containers have the network that the sandbox's have, and not the engine's.
    pub async fn with_engine(config: SandboxConfig, engine: DockerEngine) -> Result<Self, Fault> {
        if !geteuid().is_root() {
            return Err(Fault::because("use a container engine", "it works for root alone"));
        }
        fs::create_dir_all(&config.state_dir).doing_to("make the folder", &config.state_dir)?;
        let engine = Engine::connect(&engine, &instance(&config.state_dir)?).await?;
        let make = move || {
            Self::make(config, Users::Host, |agent, state_dir| {
                Ok(Maker::Engine(engine, agent_file::on_disk(agent, state_dir)?))
            })
        };
        tokio::task::spawn_blocking(make).await.expect("preparing does not panic")
    }

    fn make(
        mut config: SandboxConfig,
        users: Users,
        maker: impl FnOnce(&File, &Path) -> Result<Maker, Fault>,
    ) -> Result<Self, Fault> {
        let make = "make the folder";
        fs::create_dir_all(&config.state_dir).doing_to(make, &config.state_dir)?;
        config.state_dir =
            config.state_dir.canonicalize().doing_to("find the folder", &config.state_dir)?;
        let state = StateFolder::open(&config.state_dir)?;
        let hierarchies = Hierarchies::discover().doing("find control groups")?;
        if hierarchies.is_empty() {
            tracing::warn!(
                "no control group may be made here: limits hold for each process, not for a build"
            );
        }
        let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let instance = instance(&config.state_dir)?;
        let known = Arc::<KnownContainers>::default();
        let disk = DiskWatch::start(
            state.containers().to_owned(),
            config.disk_reserve_bytes,
            Arc::clone(&known),
        )?;
        let agent = agent_file::in_memory(&config.agent)?;
        let maker = maker(&agent, &config.state_dir)?;
        let inner = Inner {
            agent,
            host: HostTemplate::new(config.host_image.clone(), config.state_dir.join("host-image")),
            images: config.images,
            outside: Outside::new(config.outbound.clone(), &instance, state.interfaces()?),
            origin: Origin::start(config.helper.clone())?,
            instance,
            state,
            hierarchies,
            users,
            watchers: watchers(),
            maker,
            said_users: Once::new(),
            said_no_way: Once::new(),
            known,
            _disk: disk,
            launching: Semaphore::new(2 * processors),
        };
        inner.sweep()?;
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Whether control groups keep the limits of a container as a whole; without them its processes
    /// are limited one by one.
    pub fn keeps_limits(&self) -> bool {
        !self.inner.hierarchies.is_empty()
    }

    /// How many processes of the container its memory limit has ended so far; zero for a container
    /// that is not there.
    pub fn memory_kills(&self, id: &ContainerId) -> u64 {
        let plan = self.inner.state.container(id).plan();
        plan.ok().flatten().map_or(0, |plan| plan.cgroup.memory_kills())
    }

    /// What an image says about the processes that run in it.
    pub async fn image_settings(&self, image: &Image) -> Result<ImageSettings, LaunchError> {
        let image = image.clone();
        self.blocking(move |inner| match &image {
            Image::Host | Image::Rootfs(_) => Ok(ImageSettings::plain()),
            Image::OciLayout { folder, tag } => Images::settings_of_layout(folder, tag.as_deref()),
            Image::Stored(image) => inner.images.settings(image),
        })
        .await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> T + Send + 'static,
    ) -> T {
        let inner = Arc::clone(&self.inner);
        tokio::task::spawn_blocking(move || work(&inner)).await.expect("launching does not panic")
    }
}

#[async_trait]
impl Executor for Sandbox {
    async fn image_environment(&self, image: &Image) -> Result<Vec<(String, String)>, LaunchError> {
        Ok(self.image_settings(image).await?.environment)
    }

    async fn provide(&self, image: &Image, progress: &Arc<Progress>) -> Result<(), LaunchError> {
        match &self.inner.maker {
            Maker::Sandbox | Maker::Runtime(..) => Ok(()),
            Maker::Engine(engine, _) => {
                engine.provide(&self.inner.images, image, progress).await.map(drop)
            }
        }
    }

    async fn launch(&self, spec: &ContainerSpec) -> Result<Container, LaunchError> {
        let _turn = self.inner.launching.acquire().await.expect("nobody closes it");
        let spec = spec.clone();
        self.blocking(move |inner| inner.launch(&spec)).await
    }

    async fn watch(&self, id: &ContainerId) -> Exit {
        let looked_for = id.clone();
        let known = match self.blocking(move |inner| inner.find(&looked_for)).await {
            Sight::Known(known) => known,
            Sight::Ended(exit) => return exit,
        };
        if let Err(error) = wait_for_end(&known.process).await {
            tracing::error!(%id, %error, "cannot wait for a container");
            return Exit::Lost;
        }
        let id = id.clone();
        self.blocking(move |inner| inner.conclude(&id, &known)).await
    }

    async fn destroy(&self, id: &ContainerId) -> Result<(), Fault> {
        let id = id.clone();
        self.blocking(move |inner| inner.destroy(&id)).await
    }

    async fn destroy_all(&self) -> Result<(), Fault> {
        // Those too that have not started: whoever makes one has its lock until it has.
        let mut ended = Ok(());
        for id in self.blocking(|inner| inner.state.ids()).await? {
            ended = self.destroy(&id).await.and(ended);
        }
        ended
    }

    async fn leave(&self) -> Result<(), Fault> {
        self.blocking(|inner| inner.outside.leave()).await
    }

    async fn list(&self) -> Result<Vec<ContainerId>, Fault> {
        self.blocking(|inner| {
            let mut ids = inner.state.ids()?;
            ids.retain(|id| matches!(inner.state.container(id).started(), Ok(Some(_)) | Err(_)));
            Ok(ids)
        })
        .await
    }
}

/// What is known of a container that is looked for.
enum Sight {
    /// It has a first process, running or just ended.
    Known(Arc<Known>),
    /// It has none any more, or never had.
    Ended(Exit),
}

impl Inner {
    fn launch(&self, spec: &ContainerSpec) -> Result<Container, LaunchError> {
        // A container that is there is found again, whatever has become of its image.
        let is_there = self.state.container(&spec.id).started()?.is_some();
        let base = if is_there { None } else { Some(self.base(spec)?) };
        if spec.listen.len() > LISTEN_MAX {
            let reason = format!("a container listens on {LISTEN_MAX} addresses at most");
            return Err(Fault::because("start a container", reason).into());
        }
        if spec.privileges == Privileges::Own && !matches!(self.maker, Maker::Sandbox) {
            let reason = "another executor makes its inner box";
            return Err(Fault::because("give a container privileges of its own", reason).into());
        }
        if (spec.privileges, self.user(&spec.id)) == (Privileges::Own, User::HostRoot) {
            let reason = "its users would be the machine's own";
            return Err(Fault::because("give a container privileges of its own", reason).into());
        }
        let mut locked = loop {
            let locked = self.state.claim(&spec.id)?;
            if locked.folder.started()?.is_some() {
                return Ok(self.found_again(spec, &locked.folder)?);
            }
            if locked.folder.plan()?.is_none() {
                break locked;
            }
            // A launch was cut off, and nobody works on it any more.
            self.clear(locked)?;
        };
        let base = match base {
            Some(base) => base,
            None => self.base(spec)?,
        };
        let mut terms = Terms { user: self.user(&spec.id), no_way_out: None };
        let mut started = self.start(spec, &base, &terms, &locked);
        while let Err(fault) = &started {
            let Some(lesser) = self.lesser(&terms, spec.privileges, fault) else { break };
            terms = lesser;
            self.clear(locked)?;
            locked = self.state.claim(&spec.id)?;
            started = self.start(spec, &base, &terms, &locked);
        }
        match started {
            Ok(container) => Ok(container),
            // The agent did run, if only for a moment: it must not run again.
            Err(_) if locked.folder.started()?.is_some() => {
                Ok(self.found_again(spec, &locked.folder)?)
            }
            Err(fault) => {
                self.images.release(locked.folder.path());
                self.clear(locked)?;
                Err(fault.into())
            }
        }
    }

    /// On which terms a container starts that did not on these, for a reason that is the machine's.
    fn lesser(&self, terms: &Terms, privileges: Privileges, fault: &Fault) -> Option<Terms> {
        let is_first = |doing: &str| fault.doing.starts_with(doing);
        if is_first(helper::APART) && privileges == Privileges::Few && terms.user != User::HostRoot
        {
            self.say_that_users_are_the_host_s(fault);
            return Some(Terms { user: User::HostRoot, ..terms.clone() });
        }
        if is_first(porter::WAY) && terms.no_way_out.is_none() {
            let error = fault as &dyn std::error::Error;
            self.said_no_way.call_once(|| tracing::warn!(error, "a container has no way out"));
            return Some(Terms { no_way_out: Some(fault.source.to_string()), ..terms.clone() });
        }
        None
    }

    fn base(&self, spec: &ContainerSpec) -> Result<Base<'_>, LaunchError> {
        match &self.maker {
            Maker::Sandbox | Maker::Runtime(..) => Ok(Base::Root(self.root_file_system(spec)?)),
            Maker::Engine(engine, agent) => {
                let hold = self.images.hold()?;
                let progress = Arc::default();
                let given = engine.provide(&self.images, &spec.image, &progress);
                let image = Handle::current().block_on(given)?;
                Ok(Base::Engine { engine, agent, image, _hold: hold })
            }
        }
    }

    fn root_file_system(&self, spec: &ContainerSpec) -> Result<RootFileSystem, LaunchError> {
        let container = self.state.container(&spec.id);
        let image = &spec.image;
        match image {
            Image::Host => Ok(self.host.file_system()?),
            Image::Rootfs(folder) => {
                let folder = folder.canonicalize().ok().filter(|folder| folder.is_dir());
                let folder = folder.ok_or_else(|| {
                    LaunchError::Image(format!("the root file system {image:?} is not a folder"))
                })?;
                Ok(RootFileSystem { layers: vec![folder], folders: Vec::new() })
            }
            Image::OciLayout { folder, tag } => {
                self.images.file_system_of_layout(folder, tag.as_deref(), container.path())
            }
            Image::Stored(image) => self.images.file_system(image, container.path()),
        }
    }

    fn start(
        &self,
        spec: &ContainerSpec,
        base: &Base<'_>,
        terms: &Terms,
        locked: &Locked,
    ) -> Result<Container, Fault> {
        let root = match base {
            Base::Root(root) => root,
            Base::Engine { engine, agent, image, .. } => {
                return self.start_in_engine(spec, (engine, agent), image.clone(), locked);
            }
        };
        let folder = &locked.folder;
        let group = self.hierarchies.group(&format!("{}.{}", spec.id, self.instance));
        let Terms { user, no_way_out } = terms.clone();
        let way_out = no_way_out.map_or_else(|| self.way_out(spec), Err);
        let (way_out, belongings) = self.provide(spec, group.clone(), way_out, folder)?;
        let job = Job {
            id: spec.id.to_string(),
            folder: folder.path().to_owned(),
            root: root.clone(),
            mounts: mounts(spec),
            folders_in_memory: spec.folders_in_memory.clone(),
            privileges: spec.privileges,
            files: etc_files(&spec.id, way_out.as_ref()),
            limits: spec.limits,
            cgroup: group,
            listen: spec.listen.clone(),
            way_out,
            user,
            watchers: self.watchers,
            runtime: match &self.maker {
                Maker::Runtime(runtime, agent) => Some(runtime.job(agent.clone())),
                Maker::Sandbox | Maker::Engine(..) => None,
            },
            engine: None,
        };
        let note = folder.open_started()?;
        let job = serde_json::to_vec(&job).map_err(io::Error::from).doing("spell the job")?;
        let job = in_memory("job", &job).doing("pass the job on")?;
        let orders = in_memory("orders", &spec.orders).doing("pass the orders on")?;
        let journal = append_to(&spec.journal).doing_to("open the journal", &spec.journal)?;
        let errors = folder.path().join("agent-errors");
        let errors = append_to(&errors).doing_to("open", &errors)?;
        let delivery: [BorrowedFd<'_>; DELIVERY.len()] = [
            locked.lock.as_fd(),
            note.as_fd(),
            job.as_fd(),
            self.agent.as_fd(),
            orders.as_fd(),
            journal.as_fd(),
            errors.as_fd(),
        ];
        self.made(&spec.id, belongings, self.ask_helper(&delivery)?, locked)
    }

    /// Remembers a container that was made, unless it was not.
    fn made(
        &self,
        id: &ContainerId,
        belongings: Belongings,
        made: Made,
        locked: &Locked,
    ) -> Result<Container, Fault> {
        let Belongings { group, share, gate, no_way_out } = belongings;
        match locked.folder.started()? {
            Some(_) => {
                let known = self.known(made.process, group, share);
                let known = self.known.remember(id, known);
                Ok(Container { listeners: made.listeners, denied: keep(gate, &known), no_way_out })
            }
            None => Err(Fault::because("start a container", "its first process ended early")),
        }
    }

    /// Who the container's users are on the host.
    fn user(&self, id: &ContainerId) -> User {
        if !geteuid().is_root() {
            return User::Own { uid: geteuid().as_raw(), gid: getegid().as_raw() };
        }
        match self.users {
            Users::Host => User::HostRoot,
            Users::Apart => {
                let mut hasher = DefaultHasher::new();
                id.as_str().hash(&mut hasher);
                let number = u32::try_from(hasher.finish() % APART_RANGES).expect("a small number");
                User::Apart { first: APART_FIRST + number * helper::APART_COUNT }
            }
        }
    }

    fn say_that_users_are_the_host_s(&self, fault: &Fault) {
        self.said_users.call_once(|| {
            let error = fault as &dyn std::error::Error;
            tracing::warn!(error, "root in a container is the host's root with few privileges");
        });
    }

    /// Has a helper make a container, and waits until the agent runs or nothing does.
    fn ask_helper(&self, delivery: &[BorrowedFd<'_>]) -> Result<Made, Fault> {
        let ours = self.origin.helper()?;
        let delivered = send(&ours, &(), delivery).doing("hand a container's order over");
        let mut heard = Heard::default();
        let whole = hear(&ours, &mut heard);
        if let Some(helper) = heard.helper {
            let limit = Duration::from_secs(DEATH_SECONDS_MAX);
            process::wait_for_end(&helper, limit).doing("wait for the sandbox's helper")?;
            process::reap(&helper);
        }
        match (heard.process, delivered.and(whole)) {
            (Some(process), Ok(())) => Ok(Made { process, listeners: heard.listeners }),
            (Some(process), Err(fault)) => {
                kill(&process)?;
                process::reap(&process);
                Err(fault)
            }
            (None, Err(fault)) => Err(fault),
            (None, Ok(())) => Err(Fault::because("start a container", "the helper ended early")),
        }
    }

    fn known(&self, process: OwnedFd, group: Group, share: DiskShare) -> Known {
        let first = match self.maker {
            Maker::Sandbox => First::Agent,
            Maker::Runtime(..) | Maker::Engine(..) => First::Keeper,
        };
        Known::new(process, first, group, share)
    }

    /// The container that an id already has.
    fn found_again(
        &self,
        spec: &ContainerSpec,
        folder: &ContainerFolder,
    ) -> Result<Container, Fault> {
        let id = &spec.id;
        let doing = "take over a container's sockets";
        let running = match self.find(id) {
            Sight::Known(known)
                if !process::wait_for_end(&known.process, Duration::ZERO).doing(doing)? =>
            {
                Some(known)
            }
            _ => None,
        };
        let (Some(known), Some(started)) = (running, folder.started()?) else {
            return Ok(Container::with(Vec::new()));
        };
        let count = RawFd::try_from(started.listeners).expect("few listeners");
        let take = || -> Result<Vec<TcpListener>, rustix::io::Errno> {
            let numbers = started.first_listener..started.first_listener + count;
            let take = |number| pidfd_getfd(&known.process, number, PidfdGetfdFlags::empty());
            numbers.map(|number| take(number).map(TcpListener::from)).collect()
        };
        // The process may be at its very beginning, before its descriptors are in their places, or
        // at its very end, when it has none any more: both pass.
        for _ in 0..TAKE_OVER_TRIES_MAX {
            match take() {
                Ok(listeners) => {
                    let denied = keep(self.gate_again(spec, folder)?, &known);
                    return Ok(Container { denied, ..Container::with(listeners) });
                }
                Err(error) => {
                    tracing::debug!(%id, %error, "a container's sockets are not there");
                    if process::wait_for_end(&known.process, TAKE_OVER_PAUSE).doing(doing)? {
                        return Ok(Container::with(Vec::new()));
                    }
                }
            }
        }
        Ok(Container::with(take().doing(doing)?))
    }

    /// Looks for a container, in memory and then on disk.
    fn find(&self, id: &ContainerId) -> Sight {
        if let Some(known) = self.known.get(id) {
            return Sight::Known(known);
        }
        match self.find_on_disk(id) {
            Ok(sight) => sight,
            Err(fault) => {
                tracing::error!(%id, error = &fault as &dyn std::error::Error, "state is unreadable");
                Sight::Ended(Exit::Lost)
            }
        }
    }

    fn find_on_disk(&self, id: &ContainerId) -> Result<Sight, Fault> {
        let folder = self.state.container(id);
        if let Some(exit) = folder.ended()? {
            return Ok(Sight::Ended(exit));
        }
        let Some(started) = folder.started()? else {
            return Ok(Sight::Ended(Exit::NeverStarted));
        };
        match started.process.find().doing("look for a container's process")? {
            Found::There(process) => {
                let (group, share) = match folder.plan()? {
                    Some(plan) => (plan.cgroup, plan.share),
                    None => (self.hierarchies.group(""), DiskShare::default()),
                };
                Ok(Sight::Known(self.known.remember(id, self.known(process, group, share))))
            }
            Found::Gone => Ok(Sight::Ended(Exit::Exited { code: None })),
            Found::OtherBoot => Ok(Sight::Ended(Exit::Lost)),
        }
    }

    fn end_of(&self, id: &ContainerId, known: &Known) -> Exit {
        match &self.maker {
            Maker::Sandbox | Maker::Runtime(..) => known.conclude(),
            Maker::Engine(engine, _) => {
                let told = || {
                    let kept = process::reap(&known.process);
                    if !matches!(kept, Exit::Exited { code: Some(_) }) {
                        // The keeper has not seen its end: it was killed, and with it the sockets went.
                        engine.kill(id);
                    }
                    match (kept, engine.exit(id)) {
                        (
                            Exit::Exited { code: Some(MEMORY_END) },
                            Exit::Killed { signal: libc::SIGKILL },
                        ) => Exit::OutOfMemory,
                        (_, exit) => exit,
                    }
                };
                known.conclude_by(told)
            }
        }
    }

    /// Says how a container ended whose first process has, and notes it.
    fn conclude(&self, id: &ContainerId, known: &Known) -> Exit {
        let exit = self.end_of(id, known);
        let folder = self.state.container(id);
        // A container that is being destroyed has no folder to write it to.
        if folder.path().exists()
            && matches!(folder.ended(), Ok(None))
            && let Err(fault) = folder.write_ended(&exit)
        {
            let error = &fault as &dyn std::error::Error;
            tracing::warn!(%id, error, "a container's end cannot be noted");
        }
        exit
    }

    fn destroy(&self, id: &ContainerId) -> Result<(), Fault> {
        let Some(locked) = self.state.claim_existing(id)? else {
            return Ok(());
        };
        if let Maker::Engine(engine, _) = &self.maker {
            engine.remove(id)?;
        }
        if let Sight::Known(known) = self.find(id) {
            known.group.kill();
            kill(&known.process)?;
            self.end_of(id, &known);
        }
        self.images.release(locked.folder.path());
        self.forget(locked)?;
        self.known.forget(id);
        Ok(())
    }

    /// Removes what was made for a container without processes.
    fn clear(&self, locked: Locked) -> Result<(), Fault> {
        if let Maker::Engine(engine, _) = &self.maker
            && let Some(id) = locked.folder.id()
        {
            engine.remove(&id)?;
        }
        self.forget(locked)
    }

    /// Removes what is this machine's of a container that nobody makes or has any more.
    fn forget(&self, locked: Locked) -> Result<(), Fault> {
        if let Some(plan) = locked.folder.plan()? {
            if plan.has_porter {
                end_porter(&locked.folder)?;
            }
            remove_group(&plan.cgroup)?;
            self.close_way_out(&plan)?;
        }
        self.state.remove(locked)
    }

    /// Removes what an earlier service left behind, apart from containers.
    fn sweep(&self) -> Result<(), Fault> {
        let mut containers = 0;
        for id in self.state.ids()? {
            let Some(locked) = self.state.container(&id).try_lock() else {
                // Somebody is making it at this moment.
                containers += 1;
                continue;
            };
            match locked.folder.started()? {
                Some(_) => containers += 1,
                None => self.clear(locked)?,
            }
        }
        self.state.empty_trash();
        if containers == 0 {
            self.host.forget_versions().doing("remove old root folders of the host image")?;
        }
        Ok(())
    }
}

/// How a container is started where a machine cannot do all that it is asked for.
#[derive(Clone)]
struct Terms {
    /// Who its users are.
    user: User,
    /// Why it has no way out, though it should.
    no_way_out: Option<String>,
}

/// What a container is made of.
enum Base<'a> {
    /// A root file system.
    Root(RootFileSystem),
    /// An image that an engine has.
    Engine {
        engine: &'a Engine,
        /// The agent's file.
        agent: &'a Path,
        /// The engine's name for the image.
        image: String,
        /// The engine is not asked to remove it meanwhile.
        _hold: Hold,
    },
}

/// A container's first process, which is the agent now.
struct Made {
    process: OwnedFd,
    listeners: Vec<TcpListener>,
}

/// What those who make a container have told.
#[derive(Default)]
struct Heard {
    helper: Option<OwnedFd>,
    process: Option<OwnedFd>,
    listeners: Vec<TcpListener>,
}

/// Listens to those who make a container until the last of them has done. What they have told is
/// left in `heard`, also when it ends with a fault.
fn hear(makers: &OwnedFd, heard: &mut Heard) -> Result<(), Fault> {
    let mut failed = None;
    // The socket closes as the first process becomes the agent.
    while let Some((told, descriptors)) =
        receive(makers).doing("hear from those who make a container")?
    {
        match told {
            ToService::Helper => heard.helper = descriptors.into_iter().next(),
            ToService::Made => heard.process = descriptors.into_iter().next(),
            ToService::Ready => {
                heard.listeners = descriptors.into_iter().map(TcpListener::from).collect();
            }
            // The first fault is the cause of the others.
            ToService::Failed(fault) => failed = failed.or(Some(fault)),
        }
    }
    failed.map_or(Ok(()), |fault| Err(fault.into()))
}

/// Kills a container's first process, and with it all others, and waits until they are gone.
fn kill(process: &OwnedFd) -> Result<(), Fault> {
    match pidfd_send_signal(process, Signal::KILL) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => {}
        Err(error) => return Err(error).doing("kill a container"),
    }
    let limit = Duration::from_secs(DEATH_SECONDS_MAX);
    if process::wait_for_end(process, limit).doing("wait for a container's end")? {
        return Ok(());
    }
    let reason = format!("it is there {DEATH_SECONDS_MAX} seconds after it was killed");
    Err(Fault::because("end a container", reason))
}

/// What is shown of the host. A container that may mount anything could make writable what is only
/// to be read: it gets a layer of its own over it.
fn mounts(spec: &ContainerSpec) -> Vec<Mount> {
    let shown = |mount: &Mount| match (spec.privileges, mount.kind) {
        (Privileges::Own, MountKind::ReadOnly) => {
            Mount { kind: MountKind::CopyOnWrite, ..mount.clone() }
        }
        _ => mount.clone(),
    };
    spec.mounts.iter().map(shown).collect()
}

/// What a container may take of the disk, and where it does: what it writes over its image, its
/// journal, and the folders that it was given to write to.
fn disk_share(spec: &ContainerSpec, folder: &ContainerFolder) -> DiskShare {
    let given = spec.mounts.iter().filter(|mount| mount.kind == MountKind::ReadWrite);
    let mut places = vec![overlays_folder(folder.path()), spec.journal.clone()];
    places.extend(given.map(|mount| mount.host.clone()));
    DiskShare { bytes_max: spec.limits.disk_bytes, places, ..DiskShare::default() }
}

/// Removes control groups, which the kernel may hold for a moment after the last process is gone.
fn remove_group(group: &Group) -> Result<(), Fault> {
    let (attempts, pause) = (200, Duration::from_millis(5));
    for _ in 1..attempts {
        match group.remove() {
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => std::thread::sleep(pause),
            removed => return removed.doing("remove a control group"),
        }
    }
    group.remove().doing("remove a control group")
}

async fn wait_for_end(process: &OwnedFd) -> io::Result<()> {
    // A handle to a process becomes readable as the process ends.
    syscall::register_readable(process.try_clone()?)?.readable().await.map(drop)
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(path)
}

/// A file that has no place on any disk, to be read from its start.
fn in_memory(name: &str, bytes: &[u8]) -> io::Result<File> {
    let mut file = File::from(memfd_create(name, MemfdFlags::CLOEXEC)?);
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(file)
}

/// What one container may have of the machine's watchers of files: an eighth.
fn watchers() -> Watchers {
    let part = |name: &str, usual: u64| {
        let text = fs::read_to_string(format!("/proc/sys/fs/inotify/{name}")).unwrap_or_default();
        text.trim().parse().unwrap_or(usual) / 8
    };
    Watchers {
        instances_max: part("max_user_instances", 128),
        watches_max: part("max_user_watches", 65_536),
    }
}

/// A short name for a state folder, the same for as long as the folder is.
fn instance(state_dir: &Path) -> Result<String, Fault> {
    let found = rustix::fs::stat(state_dir).doing_to("look at", state_dir)?;
    Ok(format!("{:x}-{:x}", found.st_dev, found.st_ino))
}
