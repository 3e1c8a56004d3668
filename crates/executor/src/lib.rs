//! What makes environments: the contract, the built-in sandbox, images, and a scripted fake.
//!
//! It knows containers and nothing of projects, builds, AWS shapes or the store. It is the only
//! package that may touch namespaces, mounts, cgroups and `unsafe` code.

mod allocator;
mod disk_used;
mod egress;
mod fault;
mod free;
mod image;
mod inside;
mod sandbox;
mod scripted;
mod spec;

pub use allocator::give_back_free_memory;
pub use disk_used::{DiskUsed, disk_used};
pub use egress::{Destination, DomainPattern, Effect, Egress, EgressRule};
pub use fault::{Fault, LaunchError};
pub use image::{
    Arrival, Asked, Check, Collected, Credentials, Digest, Engine, ImageSettings, Images,
    ImagesConfig, ImportFrom, ListedImage, NoReference, Origin, Progress, Pulled, Recipe,
    Reference, RegistrySettings, Version,
};
pub use sandbox::{
    Agent, DockerEngine, EngineImagesRemoved, HELPER_VERB, HostImage, Ipv4Range, OciRuntime,
    Opening, OutboundNetwork, RuntimeKind, Sandbox, SandboxConfig, Users, helper_main, remove_tree,
};
pub use scripted::{Script, Scripted};
pub use spec::{
    ContainerId, ContainerSpec, Image, Limits, Mount, MountKind, Network, Privileges, StoredImage,
};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::{net::TcpListener, sync::Arc};
use tokio::sync::mpsc::UnboundedReceiver;

/// Makes containers, says how they end, and takes them away.
///
/// # The contract
///
/// - **A container is known by its id alone.** The executor keeps what it needs to find the
///   container again on disk, so another process of the same service may go on after this one died.
/// - **`launch` is safe to repeat.** For an id that already has a container, running or ended, it
///   gives that container and starts nothing: one id never runs twice. When it fails, nothing is left.
/// - **The agent is the container's first process**, with the spec's orders on file descriptor 3
///   (read to the end, then closed), the journal, opened for appending only, on 4, and the listening
///   sockets from 5 upward. Where a runtime stands between, which passes no files on, it is started
///   as `agent --door SOCKET` instead: it connects to that Unix socket and receives, beside one
///   byte, the orders and the journal, in this order (SCM_RIGHTS). The door opens once; the sockets
///   are kept outside. Its environment is empty, its working folder is `/`, it is root inside. It
///   must keep all of this from what it starts, and make itself undumpable before it does.
/// - **The containers outlive the service.** Nothing in a container ends because the service did.
/// - **`watch` answers when the first process is gone**, with all others of the container, and may
///   be asked any number of times, also for a container that ended long ago: until `destroy`.
/// - **`destroy` ends every process and removes every trace**: mounts, cgroups, folders, interfaces.
///   It is safe for a container that runs, that ended, that never started, and twice.
/// - **Containers see nothing of each other** and nothing of the host that the spec does not give.
#[async_trait]
pub trait Executor: Send + Sync {
    /// Has an image wherever containers are made from it, so that `launch` need not wait until it is
    /// there. May take as long as a pull, and is given up by dropping it.
    async fn provide(&self, _image: &Image, _progress: &Arc<Progress>) -> Result<(), LaunchError> {
        Ok(())
    }

    /// Starts the container, or finds the one that this id already has.
    async fn launch(&self, spec: &ContainerSpec) -> Result<Container, LaunchError>;

    /// Waits until the container has ended, and says why it did.
    async fn watch(&self, id: &ContainerId) -> Exit;

    /// Ends and removes the container.
    async fn destroy(&self, id: &ContainerId) -> Result<(), Fault>;

    /// Ends and removes every container, those that are being made at this moment included. For when
    /// nobody asks for any more: the service that did is gone, and its builds are not to go on.
    async fn destroy_all(&self) -> Result<(), Fault> {
        for id in self.list().await? {
            self.destroy(&id).await?;
        }
        Ok(())
    }

    /// Takes away what was set up for containers in general and none of those that are left needs. For
    /// a service that is about to end, and launches nothing any more.
    async fn leave(&self) -> Result<(), Fault> {
        Ok(())
    }

    /// The environment variables that an image sets for whatever runs in it, in the image's order.
    async fn image_environment(&self, image: &Image) -> Result<Vec<(String, String)>, LaunchError>;

    /// The ids of all containers that have not been destroyed, running or ended.
    async fn list(&self) -> Result<Vec<ContainerId>, Fault>;
}

/// A container that was launched.
#[derive(Debug)]
pub struct Container {
    /// Listening sockets *inside* the container's network, in the order of
    /// [`ContainerSpec::listen`]. Whoever accepts on them serves this one container and nobody else.
    ///
    /// The container's first process holds them too, so they outlive the service: connections made
    /// while it is away wait in the backlog for the next `launch` of the same id. A container that
    /// has ended has none.
    pub listeners: Vec<TcpListener>,
    /// Names that it asked for and that [`ContainerSpec::egress`] denies, each once, for as long as it
    /// runs; none when nothing is denied.
    pub denied: Option<UnboundedReceiver<String>>,
    /// Why it has no way out, which [`ContainerSpec::network`] asks for; told by the launch that starts
    /// it.
    pub no_way_out: Option<String>,
}

impl Container {
    /// A container with these sockets, whose questions for names nobody judges.
    pub fn with(listeners: Vec<TcpListener>) -> Self {
        Self { listeners, denied: None, no_way_out: None }
    }
}

/// Why a container ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exit {
    /// The first process ended by itself. The code is unknown when another service had started it.
    Exited {
        /// Its exit code.
        code: Option<i32>,
    },
    /// A signal ended the first process.
    Killed {
        /// The signal's number.
        signal: i32,
    },
    /// The memory limit ended the first process.
    OutOfMemory,
    /// It took too much of the disk, and was ended.
    OutOfDisk {
        /// The bytes that it took when they were counted.
        used_bytes: u64,
        /// Its limit; none when it was ended because too little was free for anybody.
        bytes_max: Option<u64>,
    },
    /// The container is gone and nobody knows how: the machine was restarted, or state is missing.
    Lost,
    /// No container of this id was ever started.
    NeverStarted,
}
