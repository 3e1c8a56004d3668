//! An executor that makes nothing: it is told in advance how each container behaves.
//!
//! It keeps the contract, so that whatever drives executors can be tested against it, with real
//! journals and real sockets and no process.

use crate::{Container, ContainerId, ContainerSpec, Executor, Exit, Fault, LaunchError};
use async_trait::async_trait;
use std::{
    collections::BTreeMap,
    fs::OpenOptions,
    io::{self, Write},
    net::{SocketAddr, TcpListener},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
};
use tokio::sync::watch;

/// How a container behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Script {
    /// It starts.
    Run {
        /// What it has written to its journal by the time `launch` answers.
        journal: Vec<u8>,
        /// How it has ended by then; without it, it runs until [`Scripted::end`] or `destroy`.
        end: Option<Exit>,
    },
    /// It does not start, for a reason that the user can mend.
    BadImage(String),
    /// It does not start, for a reason that the machine has.
    Broken(String),
}

/// Containers that follow a script.
///
/// Its copies share their containers, as one service and its successor do.
#[derive(Clone)]
pub struct Scripted {
    behaviour: Arc<dyn Fn(&ContainerSpec) -> Script + Send + Sync>,
    containers: Arc<Mutex<BTreeMap<ContainerId, Played>>>,
}

struct Played {
    journal: PathBuf,
    ended: watch::Sender<Option<Exit>>,
    listeners: Vec<TcpListener>,
}

impl Scripted {
    /// An executor whose containers behave as `behaviour` says of their specs.
    pub fn new(behaviour: impl Fn(&ContainerSpec) -> Script + Send + Sync + 'static) -> Self {
        Self { behaviour: Arc::new(behaviour), containers: Arc::default() }
    }

    /// Appends to the journal of a container that runs.
    pub fn append(&self, id: &ContainerId, bytes: &[u8]) -> Result<(), Fault> {
        let containers = self.lock();
        let running = containers.get(id).filter(|played| played.ended.borrow().is_none());
        let played = running.ok_or_else(|| Fault::because("append", "no such container runs"))?;
        append(&played.journal, bytes)
    }

    /// Ends a container that runs; all others keep the end they have.
    pub fn end(&self, id: &ContainerId, exit: Exit) {
        if let Some(played) = self.lock().get(id) {
            played.ended.send_if_modified(|ended| {
                let runs = ended.is_none();
                ended.get_or_insert(exit);
                runs
            });
        }
    }

    /// Where a container's listening sockets really are, in the order of the spec: a test connects to
    /// them as the agent would to the addresses asked for.
    pub fn addresses(&self, id: &ContainerId) -> Vec<SocketAddr> {
        let containers = self.lock();
        let listeners = containers.get(id).map(|played| &played.listeners[..]).unwrap_or_default();
        listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ContainerId, Played>> {
        self.containers.lock().expect("no holder of this lock panics")
    }

    fn play(&self, spec: &ContainerSpec) -> Result<Played, LaunchError> {
        let (journal, end) = match (self.behaviour)(spec) {
            Script::Run { journal, end } => (journal, end),
            Script::BadImage(reason) => return Err(LaunchError::Image(reason)),
            Script::Broken(reason) => return Err(Fault::because("launch", reason).into()),
        };
        let listen = |_| TcpListener::bind("127.0.0.1:0");
        let listeners = spec.listen.iter().map(listen).collect::<io::Result<_>>();
        let listeners = listeners.map_err(|error| Fault::new("listen", error))?;
        append(&spec.journal, &journal)?;
        Ok(Played { journal: spec.journal.clone(), ended: watch::Sender::new(end), listeners })
    }
}

#[async_trait]
impl Executor for Scripted {
    async fn image_environment(
        &self,
        _: &crate::Image,
    ) -> Result<Vec<(String, String)>, LaunchError> {
        Ok(Vec::new())
    }

    async fn launch(&self, spec: &ContainerSpec) -> Result<Container, LaunchError> {
        let mut containers = self.lock();
        if !containers.contains_key(&spec.id) {
            containers.insert(spec.id.clone(), self.play(spec)?);
        }
        let played = &containers[&spec.id];
        if played.ended.borrow().is_some() {
            return Ok(Container::with(Vec::new()));
        }
        let listeners = played.listeners.iter().map(TcpListener::try_clone);
        let listeners = listeners.collect::<io::Result<_>>();
        Ok(Container::with(listeners.map_err(|error| Fault::new("share sockets", error))?))
    }

    async fn watch(&self, id: &ContainerId) -> Exit {
        let Some(mut ended) = self.lock().get(id).map(|played| played.ended.subscribe()) else {
            return Exit::NeverStarted;
        };
        match ended.wait_for(Option::is_some).await {
            Ok(exit) => exit.clone().unwrap_or(Exit::Lost),
            Err(_) => Exit::Lost,
        }
    }

    async fn destroy(&self, id: &ContainerId) -> Result<(), Fault> {
        self.end(id, Exit::Killed { signal: libc::SIGKILL });
        self.lock().remove(id);
        Ok(())
    }

    async fn list(&self) -> Result<Vec<ContainerId>, Fault> {
        Ok(self.lock().keys().cloned().collect())
    }
}

fn append(journal: &Path, bytes: &[u8]) -> Result<(), Fault> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(journal)
        .and_then(|mut file| file.write_all(bytes))
        .map_err(|error| Fault::new("write to the journal", error))
}
