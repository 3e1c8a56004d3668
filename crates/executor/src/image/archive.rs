//! Images in one file: what `docker save`, `podman save` and `skopeo copy` write, in Docker's form or
//! as an OCI layout. The file is read in place, by the places of what is in it.

use super::{
    Digest,
    import::Found,
    layout::TAG,
    manifest::{self, Blob, Configuration, Contents, DOCUMENT_BYTES_MAX, Index, Source},
};
use crate::{LaunchError, fault::Doing};
use serde::Deserialize;
use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufReader, Read, Seek},
    os::unix::fs::FileExt,
    path::{Component, Path, PathBuf},
};

/// The annotation by which some tools give the whole name.
const WHOLE_NAME: &str = "io.containerd.image.name";
/// How many links lead from one name in an archive to another at most.
const LINKS_MAX: usize = 8;
/// More entries than any image's archive has.
const ENTRIES_MAX: usize = 100_000;

/// An archive of images.
pub(super) struct Archive {
    /// What it is called in errors.
    called: String,
    file: File,
    places: HashMap<PathBuf, Place>,
    blobs: HashMap<Digest, (u64, u64)>,
}

/// Where something is in the archive.
enum Place {
    /// Its first byte, and its length.
    Bytes(u64, u64),
    /// Under another name.
    Link(PathBuf),
}

/// An image in Docker's own form.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DockerImage {
    config: PathBuf,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    layers: Vec<PathBuf>,
}

#[derive(Deserialize)]
struct WithLayers {
    rootfs: Rootfs,
}

#[derive(Deserialize)]
struct Rootfs {
    diff_ids: Vec<String>,
}

impl Archive {
    /// Looks through an archive that is not compressed.
    pub(super) fn open(file: File, called: &str) -> Result<Self, LaunchError> {
        let mut archive =
            Self { called: called.to_owned(), file, places: HashMap::new(), blobs: HashMap::new() };
        archive.places = archive.look()?;
        for (path, place) in &archive.places {
            let digits = path.strip_prefix("blobs/sha256").ok().and_then(Path::to_str);
            let digest = digits.and_then(|digits| format!("sha256:{digits}").parse().ok());
            if let (Some(digest), Place::Bytes(start, length)) = (digest, place) {
                archive.blobs.insert(digest, (*start, *length));
            }
        }
        Ok(archive)
    }

    /// The images in it, with the names that they have there.
    pub(super) fn images(&mut self) -> Result<Vec<Found>, LaunchError> {
        if self.places.contains_key(Path::new("oci-layout")) {
            let index: Index = self.json(Path::new("index.json"))?;
            let found = index.manifests.into_iter().map(|blob| {
                let annotations = [WHOLE_NAME, TAG].map(|name| blob.annotations.get(name).cloned());
                let names = annotations.into_iter().flatten().take(1).collect();
                Ok(Found { names, contents: manifest::resolve(&*self, blob)? })
            });
            return found.collect();
        }
        let images: Vec<DockerImage> = self.json(Path::new("manifest.json"))?;
        images.into_iter().map(|image| self.docker_image(image)).collect()
    }

    /// An image in Docker's form, whose layers are known by what they are when unpacked.
    fn docker_image(&mut self, image: DockerImage) -> Result<Found, LaunchError> {
        let bytes = self.bytes(&image.config)?;
        let (configuration, layers): (Configuration, WithLayers) =
            match (serde_json::from_slice(&bytes), serde_json::from_slice(&bytes)) {
                (Ok(configuration), Ok(layers)) => (configuration, layers),
                (Err(error), _) | (_, Err(error)) => {
                    return Err(self.unusable(&format!("{}: {error}", image.config.display())));
                }
            };
        manifest::check_platform(self, &configuration)?;
        if layers.rootfs.diff_ids.len() != image.layers.len() {
            return Err(self.unusable("its configuration has other layers than its manifest"));
        }
        let mut blobs = Vec::new();
        for (path, diff_id) in image.layers.iter().zip(&layers.rootfs.diff_ids) {
            let digest: Digest = diff_id.parse().map_err(|error: String| self.unusable(&error))?;
            let (start, length) = self.place(path)?;
            self.blobs.insert(digest.clone(), (start, length));
            blobs.push(Blob::new("application/vnd.oci.image.layer.v1.tar", &digest, length));
        }
        manifest::check_layers(self, &blobs)?;
        // There is no manifest in such an archive: the configuration is what the image is known by.
        let contents =
            Contents { manifest: Digest::of(&bytes), layers: blobs, configuration: bytes };
        Ok(Found { names: image.repo_tags.unwrap_or_default(), contents })
    }

    fn look(&self) -> Result<HashMap<PathBuf, Place>, LaunchError> {
        let broken = |error: io::Error| self.unusable(&format!("it is no archive: {error}"));
        let mut file = self.file.try_clone().map_err(broken)?;
        file.rewind().map_err(broken)?;
        let mut places = HashMap::new();
        let mut archive = tar::Archive::new(BufReader::new(file));
        for entry in archive.entries_with_seek().map_err(broken)? {
            let entry = entry.map_err(broken)?;
            let path = plain(&entry.path().map_err(broken)?);
            let kind = entry.header().entry_type();
            let place = if kind.is_file() {
                Place::Bytes(entry.raw_file_position(), entry.size())
            } else if kind.is_symlink() || kind.is_hard_link() {
                let Some(target) = entry.link_name().map_err(broken)? else { continue };
                let folder = path.parent().filter(|_| kind.is_symlink()).unwrap_or(Path::new(""));
                Place::Link(plain(&folder.join(target)))
            } else {
                continue;
            };
            places.insert(path, place);
            if places.len() > ENTRIES_MAX {
                return Err(self.unusable("it has more in it than an image"));
            }
        }
        Ok(places)
    }

    fn place(&self, path: &Path) -> Result<(u64, u64), LaunchError> {
        let mut path = plain(path);
        for _ in 0..LINKS_MAX {
            match self.places.get(&path) {
                Some(Place::Bytes(start, length)) => return Ok((*start, *length)),
                Some(Place::Link(target)) => path.clone_from(target),
                None => break,
            }
        }
        Err(self.unusable(&format!("there is no {} in it", path.display())))
    }

    fn bytes(&self, path: &Path) -> Result<Vec<u8>, LaunchError> {
        let (start, length) = self.place(path)?;
        self.read(start, length)
    }

    fn read(&self, start: u64, length: u64) -> Result<Vec<u8>, LaunchError> {
        if length > DOCUMENT_BYTES_MAX {
            return Err(self.unusable(&format!("a document in it has {length} bytes")));
        }
        let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
        let read = self.file.read_exact_at(&mut bytes, start);
        read.map_err(|error| self.unusable(&error.to_string()))?;
        Ok(bytes)
    }

    fn json<T: serde::de::DeserializeOwned>(&self, path: &Path) -> Result<T, LaunchError> {
        serde_json::from_slice(&self.bytes(path)?)
            .map_err(|error| self.unusable(&format!("{}: {error}", path.display())))
    }

    fn blob(&self, blob: &Blob) -> Result<(u64, u64), LaunchError> {
        let digest = blob.digest(self)?;
        let missing = || self.unusable(&format!("{digest} is not in it"));
        self.blobs.get(&digest).copied().ok_or_else(missing)
    }
}

impl Source for Archive {
    fn document(&self, blob: &Blob) -> Result<Vec<u8>, LaunchError> {
        let (start, length) = self.blob(blob)?;
        self.read(start, length)
    }

    fn layer(&self, blob: &Blob, offset: u64) -> Result<Box<dyn Read + Send + '_>, LaunchError> {
        let (start, length) = self.blob(blob)?;
        let rest = length.saturating_sub(offset);
        Ok(Box::new(Section { file: &self.file, at: start + offset }.take(rest)))
    }

    fn is_far(&self) -> bool {
        false
    }

    fn unusable(&self, reason: &str) -> LaunchError {
        LaunchError::Image(format!("the image in {} cannot be used: {reason}", self.called))
    }
}

/// A file from a place on, which several may read at a time.
struct Section<'a> {
    file: &'a File,
    at: u64,
}

impl Read for Section<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read_at(buffer, self.at)?;
        self.at += length as u64;
        Ok(length)
    }
}

/// A path in an archive as it is looked up: without what leads nowhere else.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => plain.push(name),
            Component::ParentDir => {
                plain.pop();
            }
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    plain
}

/// A file that can be read anywhere: the file itself when it is one and is not compressed, a copy of
/// what comes out of it otherwise. The copy has no name.
pub(super) fn settled(mut from: impl Read, copy: &Path) -> Result<File, LaunchError> {
    let doing = "copy the archive to";
    let mut options = File::options();
    let options = options.read(true).write(true).create(true).truncate(true);
    let mut file = options.open(copy).doing_to(doing, copy)?;
    std::fs::remove_file(copy).doing_to("remove", copy)?;
    let mut start = [0; 4];
    let mut length = 0;
    while length < start.len() {
        match from.read(&mut start[length..]).doing_to(doing, copy)? {
            0 => break,
            more => length += more,
        }
    }
    let mut whole = io::Cursor::new(start[..length].to_vec()).chain(from);
    match start {
        [0x1f, 0x8b, ..] => io::copy(&mut flate2::read::MultiGzDecoder::new(whole), &mut file),
        [0x28, 0xb5, 0x2f, 0xfd] => {
            zstd::Decoder::new(whole).and_then(|mut inflated| io::copy(&mut inflated, &mut file))
        }
        _ => io::copy(&mut whole, &mut file),
    }
    .doing_to(doing, copy)?;
    Ok(file)
}
