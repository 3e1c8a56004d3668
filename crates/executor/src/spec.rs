//! Everything a container is made from, resolved: no name is left to look up.

use crate::{Egress, image::Digest};
use serde::{Deserialize, Serialize};
use std::{fmt, net::SocketAddrV4, path::PathBuf};

/// A container's name: lower-case letters, digits and hyphens, at most 63 bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ContainerId(String);

impl ContainerId {
    /// The id with this text, or none when the text cannot be a host name and a folder's name.
    pub fn new(text: impl Into<String>) -> Option<Self> {
        let text = text.into();
        let fits = (1..=63).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !text.starts_with('-');
        fits.then_some(Self(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ContainerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for ContainerId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::new(text.clone()).ok_or_else(|| format!("not a container id: {text:?}"))
    }
}

impl From<ContainerId> for String {
    fn from(id: ContainerId) -> Self {
        id.0
    }
}

/// What a container is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerSpec {
    /// Its name, and its host name.
    pub id: ContainerId,
    /// Its root file system.
    pub image: Image,
    /// Host folders that it sees.
    pub mounts: Vec<Mount>,
    /// Absolute folders in the container that are empty at first and in memory alone: what is
    /// written there counts as memory and reaches no disk. Made when missing.
    pub folders_in_memory: Vec<PathBuf>,
    /// What it may use.
    pub limits: Limits,
    /// What its root may do.
    pub privileges: Privileges,
    /// Its network.
    pub network: Network,
    /// What it may reach of what its network leads to.
    pub egress: Egress,
    /// Addresses inside its network on which sockets listen before the agent starts; addresses of
    /// 169.254.0.0/16 are put on its loopback interface first. At most 8.
    pub listen: Vec<SocketAddrV4>,
    /// The host's file that the agent appends to; made when missing, with mode 0600.
    pub journal: PathBuf,
    /// The bytes that the agent reads from file descriptor 3. They may hold secrets: they are never
    /// written to disk.
    pub orders: Vec<u8>,
}

/// Where a root file system comes from. Whatever a container writes to it is gone with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Image {
    /// The machine's own toolchain folders, read from an allow-list.
    Host,
    /// A folder that holds a root file system.
    Rootfs(PathBuf),
    /// A folder in OCI image layout, with the tag to take when it holds several.
    OciLayout {
        /// The folder that holds `oci-layout` and `index.json`.
        folder: PathBuf,
        /// The value of `org.opencontainers.image.ref.name`.
        tag: Option<String>,
    },
    /// An image that this machine has, such as one that was pulled; see [`Images`](crate::Images).
    Stored(StoredImage),
}

/// An image that this machine has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredImage {
    /// The name that it was asked for by.
    pub name: String,
    /// The manifest of this machine's variant, which it is known by.
    pub manifest: Digest,
}

/// A host folder that a container sees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// The folder on the host.
    pub host: PathBuf,
    /// The absolute folder in the container; made when missing.
    pub container: PathBuf,
    /// What the container may do to it.
    pub kind: MountKind,
}

/// What a container may do to a host folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MountKind {
    /// Read it.
    ReadOnly,
    /// Write to it, with every change gone when the container is.
    CopyOnWrite,
    /// Write to it.
    ReadWrite,
}

/// What a container may use at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Processor time, in thousandths of one processor; more than the machine has means all of it.
    pub cpu_millis: u32,
    /// Memory, in bytes; more than the machine has means all of it.
    pub memory_bytes: u64,
    /// Processes and threads together.
    pub processes_max: u32,
    /// Open files of one process.
    pub open_files_max: u64,
    /// Disk, in bytes: what it writes over its image, its journal, and the folders that it may write
    /// to. It is noticed within a second that there is more.
    pub disk_bytes: u64,
}

/// What root in a container may do there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Privileges {
    /// What package managers and builds need.
    #[default]
    Few,
    /// Whatever concerns the container alone, so that it can hold containers of its own: mounts,
    /// namespaces, its network, its control groups. `/var/lib/docker` and `/var/lib/containers` are
    /// folders that containers can be kept in. It has users apart from the host's, or does not start.
    ///
    /// The host's folders are then shown copy-on-write where they would be read-only: whoever may
    /// mount could make them writable.
    Own,
}

/// Which network a container has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Network {
    /// Its own, with nothing in it but loopback and what [`ContainerSpec::listen`] asks for.
    None,
    /// Its own, from which the outside can be reached where the machine allows it; elsewhere the same
    /// as [`Network::None`], with a warning in the service's log.
    Outbound,
}
