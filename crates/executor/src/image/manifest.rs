//! What images are described by: indexes, manifests and configurations, of OCI and of Docker.

use super::{Digest, ImageSettings};
use crate::LaunchError;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{collections::BTreeMap, io::Read};

/// Documents larger than this are refused.
pub(super) const DOCUMENT_BYTES_MAX: u64 = 4 << 20;
/// Layers of one image at most.
const LAYERS_MAX: usize = 120;

/// The kinds of documents that a registry is asked for.
pub(super) const DOCUMENT_TYPES: [&str; 4] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];

/// A reference to content by its digest.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Blob {
    /// What it is.
    #[serde(default)]
    pub media_type: String,
    /// `sha256:` and its digest.
    pub digest: String,
    /// Its size in bytes.
    pub size: u64,
    /// What else is said of it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    platform: Option<Platform>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Platform {
    architecture: String,
    os: String,
}

/// A list of images.
#[derive(Deserialize)]
pub(super) struct Index {
    /// The images.
    pub manifests: Vec<Blob>,
}

#[derive(Deserialize)]
struct Manifest {
    config: Blob,
    layers: Vec<Blob>,
}

/// What an image says of itself.
#[derive(Deserialize)]
pub(super) struct Configuration {
    architecture: String,
    os: String,
    #[serde(default)]
    config: Option<ProcessConfiguration>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ProcessConfiguration {
    env: Option<Vec<String>>,
    working_dir: Option<String>,
    user: Option<String>,
}

/// An image of a source.
#[derive(Clone, Debug)]
pub(super) struct Contents {
    /// The manifest of this machine's variant.
    pub manifest: Digest,
    /// Its layers, the lowest first.
    pub layers: Vec<Blob>,
    /// Its configuration, as it came.
    pub configuration: Vec<u8>,
}

/// Where an image's documents and layers come from.
pub(super) trait Source: Sync {
    /// A document's bytes, whatever they are.
    fn document(&self, blob: &Blob) -> Result<Vec<u8>, LaunchError>;

    /// The bytes of a layer from an offset on.
    fn layer(&self, blob: &Blob, offset: u64) -> Result<Box<dyn Read + Send + '_>, LaunchError>;

    /// Whether what was read should be kept until the layer is whole, as reading it again is dear.
    fn is_far(&self) -> bool;

    /// An error about the image as a whole.
    fn unusable(&self, reason: &str) -> LaunchError;
}

impl Blob {
    /// A blob of which nothing more is known than this.
    pub(super) fn new(media_type: &str, digest: &Digest, size: u64) -> Self {
        Self {
            media_type: media_type.to_owned(),
            digest: digest.to_string(),
            size,
            annotations: BTreeMap::new(),
            platform: None,
        }
    }

    /// The digest, if it is of a kind that is understood.
    pub(super) fn digest(&self, source: &dyn Source) -> Result<Digest, LaunchError> {
        self.digest.parse().map_err(|error: String| source.unusable(&error))
    }
}

/// Finds the image that a document describes, for this machine.
pub(super) fn resolve(source: &dyn Source, mut chosen: Blob) -> Result<Contents, LaunchError> {
    if is_index(&chosen.media_type) {
        let index: Index = understood(source, &chosen)?;
        chosen = choose_platform(source, index.manifests)?;
    }
    let manifest: Manifest = understood(source, &chosen)?;
    let configuration = verified(source, &manifest.config)?;
    check_platform(source, &parse(source, &manifest.config, &configuration)?)?;
    check_layers(source, &manifest.layers)?;
    let digest = chosen.digest(source)?;
    Ok(Contents { manifest: digest, layers: manifest.layers, configuration })
}

/// Refuses an image for another machine.
pub(super) fn check_platform(
    source: &dyn Source,
    configuration: &Configuration,
) -> Result<(), LaunchError> {
    let made_for = (configuration.os.as_str(), configuration.architecture.as_str());
    if made_for == here() {
        return Ok(());
    }
    Err(source.unusable(&format!(
        "it is made for {}/{}, and this machine is {}/{}",
        made_for.0,
        made_for.1,
        here().0,
        here().1
    )))
}

/// Refuses an image whose layers are not all understood.
pub(super) fn check_layers(source: &dyn Source, layers: &[Blob]) -> Result<(), LaunchError> {
    if layers.len() > LAYERS_MAX {
        return Err(source.unusable(&format!("it has {} layers, over {LAYERS_MAX}", layers.len())));
    }
    for layer in layers {
        layer.digest(source)?;
        let kind = &layer.media_type;
        if !matches!(kind.rsplit(['.', '+']).next(), Some("gzip" | "zstd" | "tar")) {
            return Err(source.unusable(&format!("a layer of type {kind:?} is not understood")));
        }
    }
    Ok(())
}

/// A document that was read, whose bytes are what its digest says.
pub(super) fn verified(source: &dyn Source, blob: &Blob) -> Result<Vec<u8>, LaunchError> {
    let digest = blob.digest(source)?;
    if blob.size > DOCUMENT_BYTES_MAX {
        return Err(source.unusable(&format!("{digest} has {} bytes", blob.size)));
    }
    let bytes = source.document(blob)?;
    if Digest::of(&bytes) != digest {
        return Err(source.unusable(&format!("{digest} is not what its digest says")));
    }
    Ok(bytes)
}

fn understood<T: DeserializeOwned>(source: &dyn Source, blob: &Blob) -> Result<T, LaunchError> {
    parse(source, blob, &verified(source, blob)?)
}

/// Reads a document.
pub(super) fn parse<T: DeserializeOwned>(
    source: &dyn Source,
    blob: &Blob,
    bytes: &[u8],
) -> Result<T, LaunchError> {
    serde_json::from_slice(bytes)
        .map_err(|error| source.unusable(&format!("{}: {error}", blob.digest)))
}

fn choose_platform(source: &dyn Source, manifests: Vec<Blob>) -> Result<Blob, LaunchError> {
    let (os, architecture) = here();
    let fits = |blob: &Blob| {
        blob.platform.as_ref().is_some_and(|p| p.os == os && p.architecture == architecture)
    };
    manifests.into_iter().find(fits).ok_or_else(|| {
        source.unusable(&format!("none of its variants is made for {os}/{architecture}"))
    })
}

fn is_index(media_type: &str) -> bool {
    matches!(
        media_type,
        "application/vnd.oci.image.index.v1+json"
            | "application/vnd.docker.distribution.manifest.list.v2+json"
    )
}

/// This machine's system and architecture, as images name them.
pub(super) fn here() -> (&'static str, &'static str) {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    ("linux", architecture)
}

impl Configuration {
    /// What the image says about the processes that run in it.
    pub(super) fn settings(self) -> ImageSettings {
        let mut settings = ImageSettings::plain();
        let configured = self.config.unwrap_or_default();
        for variable in configured.env.unwrap_or_default() {
            let (name, value) = variable.split_once('=').unwrap_or((&variable, ""));
            settings.environment.retain(|(known, _)| known != name);
            settings.environment.push((name.to_owned(), value.to_owned()));
        }
        if let Some(folder) = configured.working_dir.filter(|folder| folder.starts_with('/')) {
            settings.working_folder = folder.into();
        }
        settings.user = configured.user.unwrap_or_default();
        settings
    }
}
