//! What a sandbox is told once, when the service starts.

use std::path::PathBuf;

/// What a sandbox is told once.
#[derive(Clone, Debug)]
pub struct SandboxConfig {
    /// The folder for everything about containers, what they write included; made when missing. A
    /// local file system with extended attributes, and one service at a time.
    pub state_dir: PathBuf,
    /// The folder for the layers of images, unpacked once and kept; made when missing. Services of
    /// one user may share it. A local file system with extended attributes.
    pub images_dir: PathBuf,
    /// The program to execute as the helper, which calls [`helper_main`](super::helper_main) when its
    /// first argument is [`HELPER_VERB`](super::HELPER_VERB). `/proc/self/exe` is the service's own
    /// program, even after its file was replaced.
    pub helper: PathBuf,
    /// The program that is every container's first process.
    pub agent: Agent,
    /// What the image `host` is made of.
    pub host_image: HostImage,
}

/// The agent's program: a static executable, so that it runs in any image.
#[derive(Clone, Debug)]
pub enum Agent {
    /// Its bytes.
    Bytes(&'static [u8]),
    /// Its file, read once when the sandbox is made.
    File(PathBuf),
}

/// What of the machine's own file system the image `host` shows, copy-on-write.
///
/// Of `/etc` only files that everybody may read are taken, and they are copied when the service starts
/// and whenever a folder of the list changes. Users, groups, hosts and the home folder are made fresh.
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
        let etc = "alternatives ant* bash.bashrc bash_completion* ca-certificates* crypto-policies \
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
