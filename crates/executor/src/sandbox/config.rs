//! What a sandbox is told once, when the service starts.

use super::{netlink::Ipv4Range, opening::Opening};
use crate::Images;
use std::{net::Ipv4Addr, path::PathBuf};

/// What a sandbox is told once.
#[derive(Clone, Debug)]
pub struct SandboxConfig {
    /// The folder for everything about containers, what they write included; made when missing. A
    /// local file system with extended attributes, and one service at a time.
    pub state_dir: PathBuf,
    /// The images that containers are made from.
    pub images: Images,
    /// The program to execute as the helper, which calls [`helper_main`](super::helper_main) when its
    /// first argument is [`HELPER_VERB`](super::HELPER_VERB). `/proc/self/exe` is the service's own
    /// program, even after its file was replaced.
    pub helper: PathBuf,
    /// The program that is every container's first process.
    pub agent: Agent,
    /// What the image `host` is made of.
    pub host_image: HostImage,
    /// How containers with a network reach the outside.
    pub outbound: OutboundNetwork,
    /// Bytes of the state folder's file system that containers leave free: when there are fewer,
    /// the one that has taken most is ended. Zero for none.
    pub disk_reserve_bytes: u64,
}

/// Who containers' users are on the host, when the service is root. An ordinary user's containers
/// know that user alone, as their root.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Users {
    /// Users that the host does not have, others for each container. Where the kernel or a file
    /// system cannot do it, a container starts as with [`Users::Host`], and a warning says so once.
    #[default]
    Apart,
    /// The host's own: root in a container is the host's root, with few of its capabilities.
    Host,
}

/// The agent's program: a static executable, so that it runs in any image.
#[derive(Clone, Debug)]
pub enum Agent {
    /// Its bytes, compressed with zstd.
    Zstd(&'static [u8]),
    /// Its file, read once when the sandbox is made.
    File(PathBuf),
}

/// What of the machine's own file system the image `host` shows, copy-on-write.
///
/// Of `/etc` only files that everybody may read are taken. They are copied when the service starts and
/// has not yet seen them as they are, and again when an entry of the list changes; a file that is
/// changed in place inside a listed folder is noticed at the next start. Users, groups, hosts and the home folder are made fresh.
#[derive(Clone, Debug)]
pub struct HostImage {
    /// Folders that are shown where they are. A link stays a link; what is missing is left out.
    pub folders: Vec<PathBuf>,
    /// Names in `/etc`, of files, links and whole folders; a `*` at the end stands for any text.
    pub etc: Vec<String>,
}

impl Default for HostImage {
    /// The folders that hold tools on a usual Linux machine, and no home folder, no service's data.
    fn default() -> Self {
        let folders = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt"];
        let etc = "alternatives ant* bash.bashrc bash_completion* ca-certificates* containers crypto-policies \
                   debian_version default fonts gai.conf ghc* gradle* groovy* gss host.conf ImageMagick* \
                   inputrc java* ld.so.* locale.* localtime lsb-release magic* maven* mime.types \
                   mono netconfig networks nsswitch.conf opt os-release perl php* pki profile \
                   profile.d protocols python* R redhat-release rpc ruby* sgml shells skel ssl \
                   services system-release terminfo timezone xdg xml";
        Self {
            folders: folders.map(PathBuf::from).to_vec(),
            etc: etc.split_whitespace().map(str::to_owned).collect(),
        }
    }
}

/// How containers with a network reach the outside: through a cable to the host each, behind its
/// address. As root, and where the packet filter's program `nft` is installed; elsewhere they have
/// no way out.
#[derive(Clone, Debug)]
pub struct OutboundNetwork {
    /// Where containers' addresses are from: four for each of them.
    pub range: Ipv4Range,
    /// What containers must not reach, but for asking the resolvers for names.
    pub kept_back: Vec<Ipv4Range>,
    /// What of it they reach all the same.
    pub openings: Vec<Opening>,
    /// Who they ask for names; the host's own resolvers when empty.
    pub resolvers: Vec<Ipv4Addr>,
}

impl Default for OutboundNetwork {
    /// Addresses that are used between providers and their customers only; kept back are networks
    /// that are private, link-local (cloud metadata among them), or for many receivers.
    fn default() -> Self {
        Self {
            range: Ipv4Range::new([100, 96, 0, 0], 14),
            kept_back: vec![
                Ipv4Range::new([10, 0, 0, 0], 8),
                Ipv4Range::new([100, 64, 0, 0], 10),
                Ipv4Range::new([169, 254, 0, 0], 16),
                Ipv4Range::new([172, 16, 0, 0], 12),
                Ipv4Range::new([192, 168, 0, 0], 16),
                Ipv4Range::new([224, 0, 0, 0], 3),
            ],
            openings: Vec::new(),
            resolvers: Vec::new(),
        }
    }
}
