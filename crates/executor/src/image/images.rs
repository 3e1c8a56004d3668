//! The images of this machine: found by name, brought in when they are not there or when their
//! registry has others by now, and laid over each other for containers.

use super::{
    Digest, ImageSettings, Progress, Reference,
    collect::Uses,
    fetch::Failed,
    layout::Layout,
    manifest::{self, Blob, Contents, Source},
    record::{self, Kept, Named, Origin, Records},
    reference::Version,
    registry::{Clients, Credentials, DockerConfig, RegistrySettings, Repository, Trouble},
    store::LayerStore,
};
use crate::{Fault, LaunchError, fault::Doing, sandbox::RootFileSystem, spec::StoredImage};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// What is said of images in the configuration.
#[derive(Clone, Debug)]
pub struct ImagesConfig {
    /// The folder for images, unpacked once and kept; made when missing. Services of one user may
    /// share it. A local file system with extended attributes.
    pub folder: PathBuf,
    /// What is said of single registries, by their hosts.
    pub registries: BTreeMap<String, RegistrySettings>,
    /// A file of credentials, as `docker login` writes it.
    pub docker_config: Option<PathBuf>,
    /// When a registry is asked for an image that is in place.
    pub check: Check,
    /// Layers of an image that are brought in at the same time, at most.
    pub layers_at_once_max: usize,
    /// How long a registry may send nothing before it is given up.
    pub stalled: Duration,
    /// What images leave free of the folder's disk, in bytes: one that would take more is refused.
    pub reserve_bytes: u64,
}

/// When a registry is asked whether a tag points to something else than what is in place. What has a
/// digest for its name is never asked for twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Check {
    /// Each time.
    #[default]
    Always,
    /// Never: what is in place is used.
    Missing,
}

impl ImagesConfig {
    /// The configuration of somebody who says nothing but the folder.
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            registries: BTreeMap::new(),
            docker_config: None,
            check: Check::default(),
            layers_at_once_max: 4,
            stalled: Duration::from_secs(60),
            reserve_bytes: 0,
        }
    }
}

/// Who asks for an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Whoever needs it: what is in place will do when there is no better.
    ForUse,
    /// Somebody who wants to have what the registry has now.
    ForRefreshing,
}

/// The images of this machine. All copies are the same.
#[derive(Clone, Debug)]
pub struct Images {
    pub(super) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) layers: LayerStore,
    pub(super) records: Records,
    pub(super) uses: Uses,
    clients: Clients,
    docker: DockerConfig,
    check: Check,
}

/// An image that was asked for, in place.
#[derive(Debug)]
pub struct Pulled {
    /// The image.
    pub image: StoredImage,
    /// How it came to be there.
    pub arrival: Arrival,
}

/// How an image came to be in place.
#[derive(Debug, PartialEq, Eq)]
pub enum Arrival {
    /// It was there, and is what its name means.
    InPlace,
    /// It was there, and its registry cannot be asked whether its name means another by now.
    Unchecked {
        /// Why not.
        because: String,
    },
    /// It was brought in.
    Fetched {
        /// Bytes of layers that were not there before, as they travel.
        bytes: u64,
    },
}

impl Images {
    /// The images in a folder.
    pub fn open(config: ImagesConfig) -> Result<Self, Fault> {
        let folder = &config.folder;
        fs::create_dir_all(folder).doing_to("make the folder", folder)?;
        let folder = folder.canonicalize().doing_to("find the folder", folder)?;
        let inner = Inner {
            layers: LayerStore::open(&folder, config.layers_at_once_max, config.reserve_bytes)?,
            records: Records::open(&folder)?,
            uses: Uses::open(&folder)?,
            clients: Clients::new(config.registries, config.stalled),
            docker: DockerConfig(config.docker_config),
            check: config.check,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Finds an image by its name, and brings it in when it is not there or when its registry has
    /// another by now. Blocks. Two who want one image bring it in once.
    pub fn pull(
        &self,
        reference: &Reference,
        asked: Asked,
        credentials: Option<&Credentials>,
        progress: &Progress,
    ) -> Result<Pulled, LaunchError> {
        self.cleanly(self.inner.pull(reference, asked, credentials, progress))
    }

    /// Leaves nothing of an image behind that will never be whole, unless something else is brought
    /// in at this moment.
    pub(super) fn cleanly<T>(&self, brought: Result<T, Failed>) -> Result<T, LaunchError> {
        if let Err(Failed::ForGood(_)) = &brought
            && let Err(fault) = self.try_collect()
        {
            tracing::warn!(error = %fault.source, "{fault}");
        }
        brought.map_err(Failed::error)
    }

    /// The image with this name, if it is in place; no registry is asked.
    pub fn in_place(&self, reference: &Reference) -> Result<Option<StoredImage>, Fault> {
        let Some(named) = self.inner.records.name(&reference.to_string())? else { return Ok(None) };
        Ok(self.inner.is_whole(&named.manifest)?.then(|| stored(&named)))
    }

    /// What an image says about its processes.
    pub fn settings(&self, image: &StoredImage) -> Result<ImageSettings, LaunchError> {
        match self.inner.records.image(&image.manifest)? {
            Some(kept) => Ok(kept.settings()?),
            None => Err(gone(image)),
        }
    }

    /// The file system of an image, for the container with this folder.
    pub(crate) fn file_system(
        &self,
        image: &StoredImage,
        container: &Path,
    ) -> Result<RootFileSystem, LaunchError> {
        let _hold = self.inner.uses.hold()?;
        let kept = self.inner.records.image(&image.manifest)?.ok_or_else(|| gone(image))?;
        let layers = self.inner.layers.folders(&kept.digests()?)?.ok_or_else(|| gone(image))?;
        self.inner.uses.claim(container, &layers)?;
        self.inner.records.touch(&image.manifest);
        Ok(RootFileSystem { layers, folders: Vec::new() })
    }

    /// The file system of an image in a folder of OCI layout, unpacked when it is not yet.
    pub(crate) fn file_system_of_layout(
        &self,
        folder: &Path,
        tag: Option<&str>,
        container: &Path,
    ) -> Result<RootFileSystem, LaunchError> {
        let _hold = self.inner.uses.hold()?;
        let layout = Layout(folder);
        let contents = layout.find(tag)?;
        let brought = self.inner.layers.bring(&layout, &contents.layers, &Progress::default());
        brought.map_err(Failed::error)?;
        let digests: Result<Vec<_>, _> =
            contents.layers.iter().map(|layer| layer.digest(&layout)).collect();
        let layers = self.inner.layers.folders(&digests?)?;
        let layers = layers.ok_or_else(|| layout.unusable("a layer was removed meanwhile"))?;
        self.inner.uses.claim(container, &layers)?;
        Ok(RootFileSystem { layers, folders: Vec::new() })
    }

    /// Gives up what the container with this folder was made from.
    pub(crate) fn release(&self, container: &Path) {
        self.inner.uses.release(container);
    }

    /// What an image in a folder of OCI layout says about its processes.
    pub(crate) fn settings_of_layout(
        folder: &Path,
        tag: Option<&str>,
    ) -> Result<ImageSettings, LaunchError> {
        let layout = Layout(folder);
        let contents = layout.find(tag)?;
        let blob = Blob::new("", &contents.manifest, 0);
        let configuration: manifest::Configuration =
            manifest::parse(&layout, &blob, &contents.configuration)?;
        Ok(configuration.settings())
    }
}

impl Inner {
    fn pull(
        &self,
        reference: &Reference,
        asked: Asked,
        credentials: Option<&Credentials>,
        progress: &Progress,
    ) -> Result<Pulled, Failed> {
        let name = reference.to_string();
        let repository = Repository::new(&self.clients, &self.docker, reference, credentials);
        let repository = repository.map_err(Failed::Interrupted)?;
        let known = self.records.name(&name)?;
        let known = match known {
            Some(known) if self.is_whole(&known.manifest)? => Some(known),
            _ => None,
        };
        if let Some(recipe) = reference.recipe() {
            let known = known.ok_or_else(|| {
                Failed::ForGood(LaunchError::Image(format!(
                    "CannotPullContainerError: {name} is made here, and was not yet: \
                     buildyard image build {recipe}"
                )))
            })?;
            return Ok(Pulled { image: stored(&known), arrival: Arrival::InPlace });
        }
        if let Some(known) = &known
            && let Some(arrival) = self
                .is_current(known, asked, &repository, credentials)
                .map_err(Failed::Interrupted)?
        {
            return Ok(Pulled { image: stored(known), arrival });
        }
        let _hold = self.uses.hold()?;
        let found = repository.top().and_then(|top| {
            let pointed_to = top.digest(&repository)?;
            Ok((pointed_to, manifest::resolve(&repository, top)?))
        });
        let (pointed_to, contents) = found.map_err(Failed::Interrupted)?;
        self.layers.bring(&repository, &contents.layers, progress)?;
        let manifest = contents.manifest.clone();
        self.keep(&repository, &contents).map_err(Failed::ForGood)?;
        let named = Named {
            name,
            manifest,
            origin: Origin::Registry,
            at: record::now(),
            keys: keys(known.filter(|known| known.pointed_to == pointed_to), credentials),
            pointed_to,
        };
        self.records.keep_name(&named)?;
        let arrival = Arrival::Fetched { bytes: progress.fetched_bytes() };
        Ok(Pulled { image: stored(&named), arrival })
    }

    /// Whether an image that is in place is what its name means, and may be used by whoever asks.
    fn is_current(
        &self,
        known: &Named,
        asked: Asked,
        repository: &Repository<'_>,
        credentials: Option<&Credentials>,
    ) -> Result<Option<Arrival>, LaunchError> {
        let refreshing = asked == Asked::ForRefreshing;
        if known.origin != Origin::Registry && !refreshing {
            return Ok(Some(Arrival::InPlace));
        }
        let fingerprint = credentials.map(Credentials::fingerprint);
        let let_in = known.keys.is_empty()
            || fingerprint.as_ref().is_some_and(|key| known.keys.contains(key));
        let fixed = matches!(repository.version(), Version::Digest(_));
        if let_in && (fixed || (self.check == Check::Missing && !refreshing)) {
            return Ok(Some(Arrival::InPlace));
        }
        let will_do = let_in && !refreshing;
        let looked = match will_do && repository.is_away() {
            true => Err(Trouble::Away("it did not answer a moment ago".to_owned())),
            false => repository.look(),
        };
        match looked {
            Ok(pointer) if pointer.digest != known.pointed_to => Ok(None),
            Ok(_) => {
                if !let_in {
                    let keys = keys(Some(known.clone()), credentials);
                    self.records.keep_name(&Named { keys, ..known.clone() })?;
                }
                Ok(Some(Arrival::InPlace))
            }
            Err(Trouble::Away(because)) if will_do => Ok(Some(Arrival::Unchecked { because })),
            // A registry that does not answer such a question is asked for all of it.
            Err(Trouble::Refused(_)) => Ok(None),
            Err(trouble) => Err(repository.told(&trouble)),
        }
    }

    fn is_whole(&self, manifest: &Digest) -> Result<bool, Fault> {
        match self.records.image(manifest)? {
            Some(kept) => Ok(self.layers.folders(&kept.digests()?)?.is_some()),
            None => Ok(false),
        }
    }

    pub(super) fn keep(&self, source: &dyn Source, contents: &Contents) -> Result<(), LaunchError> {
        let configuration = String::from_utf8(contents.configuration.clone())
            .map_err(|_| source.unusable("its configuration is no text"))?;
        let Contents { manifest, layers, .. } = contents.clone();
        let kept = Kept { manifest, layers, configuration };
        Ok(self.records.keep_image(&kept)?)
    }
}

/// Who may have an image from now on: everybody, once it was had without anybody's credentials.
fn keys(known: Option<Named>, credentials: Option<&Credentials>) -> Vec<String> {
    let Some(key) = credentials.map(Credentials::fingerprint) else { return Vec::new() };
    match known {
        None => vec![key],
        Some(known) if known.keys.is_empty() => Vec::new(),
        Some(known) => {
            let mut keys = known.keys;
            if !keys.contains(&key) {
                keys.push(key);
            }
            keys
        }
    }
}

fn stored(named: &Named) -> StoredImage {
    StoredImage { name: named.name.clone(), manifest: named.manifest.clone() }
}

pub(super) fn gone(image: &StoredImage) -> LaunchError {
    LaunchError::Image(format!("CannotPullContainerError: {}: it was removed", image.name))
}
