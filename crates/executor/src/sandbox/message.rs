//! What the service, the helper and the container's first process say to each other, and how:
//! whole messages on a socket, with file descriptors beside them.

use crate::{Limits, Mount, MountKind, Privileges, fault::ToldFault};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    net::SocketAddrV4,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
};

/// A message's size at most; longer things travel as files in memory.
const MESSAGE_BYTES_MAX: usize = 16 * 1024;
/// File descriptors of one message at most.
pub(super) const DESCRIPTORS_MAX: usize = 16;

/// Everything the helper needs to know, in a file in memory that comes with [`Delivery`].
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Job {
    /// The container's id, and its host name.
    pub id: String,
    /// The container's own folder in the state folder.
    pub folder: PathBuf,
    /// The root file system.
    pub root: RootFileSystem,
    /// Folders that the spec gives.
    pub mounts: Vec<Mount>,
    /// Folders of the container that are in memory alone.
    pub folders_in_memory: Vec<PathBuf>,
    /// Small files written into the root, each with its absolute path.
    pub files: Vec<(PathBuf, String)>,
    /// What the container may use.
    pub limits: Limits,
    /// What its root may do.
    pub privileges: Privileges,
    /// Where its processes are counted.
    pub cgroup: super::cgroup::Group,
    /// Where sockets listen.
    pub listen: Vec<SocketAddrV4>,
    /// The way to the outside, if there is one.
    pub way_out: Option<super::network::WayOut>,
    /// Whose processes they are.
    pub user: User,
    /// What they may have of the kernel's watchers of files.
    pub watchers: Watchers,
    /// The runtime that makes the inner box, if one does.
    #[serde(default)]
    pub runtime: Option<super::runtime::RuntimeJob>,
    /// The container that an engine has made, if one has.
    #[serde(default)]
    pub engine: Option<super::engine::EngineJob>,
}

impl Job {
    /// All folders of the host that are shown, in the order in which they are mounted.
    pub(super) fn sources(&self) -> impl Iterator<Item = Source<'_>> {
        let root = self.root.layers_folder();
        let copied = |folder| Source { folder, below_as_well: false };
        let folders = self.root.folders.iter().map(PathBuf::as_path);
        let mounts = self.mounts.iter().map(|mount| Source {
            folder: &mount.host,
            below_as_well: mount.kind != MountKind::CopyOnWrite,
        });
        std::iter::once(root).chain(folders).map(copied).chain(mounts)
    }

    /// Whether the first process must wait until the helper has done its part.
    pub(super) fn needs_helper(&self) -> bool {
        self.user != User::HostRoot || self.way_out.is_some()
    }

    /// Whether a porter stands on its way out. The first process is told once more when it is open.
    pub(super) fn needs_porter(&self) -> bool {
        self.way_out.as_ref().is_some_and(|way_out| way_out.outlet.is_some())
    }
}

/// The kernel's watchers of files, of which each of the machine's users has few: all containers that
/// a user makes, and the user's own programs, have them together.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Watchers {
    /// Watchers.
    pub instances_max: u64,
    /// Files that are watched.
    pub watches_max: u64,
}

/// A folder of the host that is shown in the container, as it is or under an overlay.
pub(super) struct Source<'a> {
    /// The folder.
    pub folder: &'a Path,
    /// Whether what is mounted below it is shown as well.
    pub below_as_well: bool,
}

/// What a root file system is put together from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RootFileSystem {
    /// Folders of the host that lie over each other, the uppermost first, and side by side in one.
    pub layers: Vec<PathBuf>,
    /// Folders of the host that are laid into it, writable and with every change thrown away.
    pub folders: Vec<PathBuf>,
}

impl RootFileSystem {
    /// The folder that all layers are in.
    pub(super) fn layers_folder(&self) -> &Path {
        self.layers.first().and_then(|layer| layer.parent()).unwrap_or(Path::new("/"))
    }
}

/// Who the container's root is on the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum User {
    /// The host's root, with few of its capabilities.
    HostRoot,
    /// Nobody: all the container's users are users that the host does not have, and the files that
    /// it is given are shown to it as if they were its own users'.
    Apart {
        /// The host's number for the container's root.
        first: u32,
    },
    /// The service's own user, in a user namespace that knows nobody else.
    Own {
        /// The service's user.
        uid: u32,
        /// The service's group.
        gid: u32,
    },
}

/// The first message to the helper; the descriptors come in this order.
pub(super) const DELIVERY: [&str; 7] = [
    "the lock",
    "the note of the start",
    "the job",
    "the agent, or the door at which it knocks",
    "the orders",
    "the journal",
    "the agent's error output",
];

/// What the service is told while a container is made.
#[derive(Serialize, Deserialize)]
pub(super) enum ToService {
    /// By the helper's origin: there is a helper; a handle to it comes along.
    Helper,
    /// By the helper: there is a first process; a handle to it comes along.
    Made,
    /// By the first process: it is about to become the agent; the listening sockets come along.
    Ready,
    /// By either: something went wrong, and nothing will run.
    Failed(ToldFault),
}

/// Sends one message.
pub(super) fn send(
    socket: impl AsFd,
    message: &impl Serialize,
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let text = serde_json::to_vec(message)?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
    let mut beside = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !beside.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::Error::other("too many file descriptors for a message"));
    }
    sendmsg(socket, &[IoSlice::new(&text)], &mut beside, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Waits for one message; none when the other side is gone.
pub(super) fn receive<M: DeserializeOwned>(
    socket: impl AsFd,
) -> io::Result<Option<(M, Vec<OwnedFd>)>> {
    let mut text = vec![0; MESSAGE_BYTES_MAX];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
    let mut beside = RecvAncillaryBuffer::new(&mut space);
    let received = rustix::io::retry_on_intr(|| {
        recvmsg(&socket, &mut [IoSliceMut::new(&mut text)], &mut beside, RecvFlags::CMSG_CLOEXEC)
    })?;
    if received.bytes == 0 {
        return Ok(None);
    }
    if received.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC) {
        return Err(io::Error::other("a message was cut off"));
    }
    let descriptors = beside
        .drain()
        .filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
            _ => None,
        })
        .flatten()
        .collect();
    Ok(Some((serde_json::from_slice(&text[..received.bytes])?, descriptors)))
}
