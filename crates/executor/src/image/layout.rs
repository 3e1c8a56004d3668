//! The OCI image layout: finding an image's configuration and layers in a folder, by digest.

use super::ImageSettings;
use crate::LaunchError;
use serde::{Deserialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// Metadata documents larger than this are refused.
const DOCUMENT_BYTES_MAX: u64 = 4 << 20;
/// The annotation that holds a tag.
const TAG: &str = "org.opencontainers.image.ref.name";

/// A folder in OCI image layout.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout<'a>(pub(super) &'a Path);

/// An image of a layout.
#[derive(Debug)]
pub(super) struct Contents {
    /// Its configuration.
    pub configuration: Blob,
    /// Its layers, the lowest first.
    pub layers: Vec<Blob>,
    /// What its configuration says.
    pub settings: ImageSettings,
}

/// A reference to content by its digest.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Blob {
    /// What it is.
    #[serde(default)]
    pub media_type: String,
    /// `sha256:` and its digest.
    pub digest: String,
    /// Its size in bytes.
    pub size: u64,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    platform: Option<Platform>,
}

#[derive(Clone, Debug, Deserialize)]
struct Platform {
    architecture: String,
    os: String,
}

#[derive(Deserialize)]
struct Index {
    manifests: Vec<Blob>,
}

#[derive(Deserialize)]
struct Manifest {
    config: Blob,
    layers: Vec<Blob>,
}

#[derive(Deserialize)]
struct Configuration {
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

impl Layout<'_> {
    /// Finds the image with this tag, or the only one, for this machine.
    pub(super) fn find(self, tag: Option<&str>) -> Result<Contents, LaunchError> {
        let index: Index = self.document(&self.0.join("index.json"))?;
        let mut chosen = self.choose(&index.manifests, tag)?;
        if is_index(&chosen.media_type) {
            let index: Index = self.blob_document(&chosen)?;
            chosen = self.choose_platform(index.manifests)?;
        }
        let manifest: Manifest = self.blob_document(&chosen)?;
        let configuration: Configuration = self.blob_document(&manifest.config)?;
        if (configuration.os.as_str(), configuration.architecture.as_str()) != here() {
            return Err(self.unusable(&format!(
                "it is made for {}/{}, and this machine is {}/{}",
                configuration.os,
                configuration.architecture,
                here().0,
                here().1
            )));
        }
        Ok(Contents {
            configuration: manifest.config,
            layers: manifest.layers,
            settings: settings(configuration.config),
        })
    }

    /// The file that holds a blob, and its digest without the algorithm's name.
    pub(super) fn blob(self, blob: &Blob) -> Result<(PathBuf, String), LaunchError> {
        let digest = blob.digest.strip_prefix("sha256:").filter(|digest| {
            let hexadecimal = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
            digest.len() == 64 && digest.bytes().all(hexadecimal)
        });
        match digest {
            Some(digest) => Ok((self.0.join("blobs/sha256").join(digest), digest.to_owned())),
            None => Err(self.unusable(&format!("the digest {:?} is not understood", blob.digest))),
        }
    }

    /// An error about the image as a whole.
    pub(super) fn unusable(self, reason: &str) -> LaunchError {
        LaunchError::Image(format!("the image in {} cannot be used: {reason}", self.0.display()))
    }

    fn choose(self, manifests: &[Blob], tag: Option<&str>) -> Result<Blob, LaunchError> {
        let tags = || {
            let tags = manifests.iter().filter_map(|m| m.annotations.get(TAG));
            tags.map(String::as_str).collect::<Vec<_>>().join(", ")
        };
        match tag {
            Some(tag) => manifests
                .iter()
                .find(|manifest| manifest.annotations.get(TAG).is_some_and(|found| found == tag))
                .cloned()
                .ok_or_else(|| {
                    self.unusable(&format!("there is no tag {tag:?}; there are: {}", tags()))
                }),
            None => match manifests {
                [one] => Ok(one.clone()),
                [] => Err(self.unusable("the layout holds no image")),
                _ => Err(self.unusable(&format!("it needs a tag; there are: {}", tags()))),
            },
        }
    }

    fn choose_platform(self, manifests: Vec<Blob>) -> Result<Blob, LaunchError> {
        let (os, architecture) = here();
        let fits = |blob: &Blob| {
            blob.platform.as_ref().is_some_and(|p| p.os == os && p.architecture == architecture)
        };
        manifests.into_iter().find(fits).ok_or_else(|| {
            self.unusable(&format!("none of its variants is made for {os}/{architecture}"))
        })
    }

    fn blob_document<T: DeserializeOwned>(self, blob: &Blob) -> Result<T, LaunchError> {
        let (file, digest) = self.blob(blob)?;
        let text = self.read(&file)?;
        if hex::encode(Sha256::digest(&text)) != digest {
            return Err(self.unusable(&format!("{} is not what its digest says", file.display())));
        }
        self.understand(&file, &text)
    }

    fn document<T: DeserializeOwned>(self, file: &Path) -> Result<T, LaunchError> {
        let text = self.read(file)?;
        self.understand(file, &text)
    }

    fn understand<T: DeserializeOwned>(self, file: &Path, text: &[u8]) -> Result<T, LaunchError> {
        serde_json::from_slice(text)
            .map_err(|error| self.unusable(&format!("{}: {error}", file.display())))
    }

    fn read(self, file: &Path) -> Result<Vec<u8>, LaunchError> {
        let unreadable = |error| self.unusable(&format!("{}: {error}", file.display()));
        let bytes = fs::metadata(file).map_err(unreadable)?.len();
        if bytes > DOCUMENT_BYTES_MAX {
            return Err(self.unusable(&format!("{} has {bytes} bytes", file.display())));
        }
        fs::read(file).map_err(unreadable)
    }
}

fn is_index(media_type: &str) -> bool {
    matches!(
        media_type,
        "application/vnd.oci.image.index.v1+json"
            | "application/vnd.docker.distribution.manifest.list.v2+json"
    )
}

/// This machine's system and architecture, as images name them.
fn here() -> (&'static str, &'static str) {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    ("linux", architecture)
}

fn settings(configured: Option<ProcessConfiguration>) -> ImageSettings {
    let mut settings = ImageSettings::plain();
    let configured = configured.unwrap_or_default();
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
