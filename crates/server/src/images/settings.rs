//! What an operator says of images.

use crate::config::Builds;
use executor::{Check, ImagesConfig, RegistrySettings};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

/// Where images come from, and when they are asked for again.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct ImagesSettings {
    /// The folder for images; `images` in the data folder when absent.
    pub folder: Option<PathBuf>,
    /// When a registry is asked about an image that is in place.
    pub check: Check,
    /// A file of credentials, as `docker login` writes it.
    pub docker_config: Option<PathBuf>,
    /// Layers of an image that are brought in at the same time, at most.
    pub layers_at_once_max: usize,
    /// Seconds after which a registry that sends nothing is given up.
    pub stalled_seconds_max: u32,
    /// What is said of single registries, by their hosts.
    pub registries: BTreeMap<String, RegistrySettings>,
    /// What names mean here: other names, `host`, `rootfs:` or `oci:`.
    pub names: BTreeMap<String, String>,
}

impl Default for ImagesSettings {
    fn default() -> Self {
        Self {
            folder: None,
            check: Check::default(),
            docker_config: None,
            layers_at_once_max: 4,
            stalled_seconds_max: 60,
            registries: BTreeMap::new(),
            names: BTreeMap::new(),
        }
    }
}

impl ImagesSettings {
    /// The settings as the executor takes them, for a service with this data folder, whose builds
    /// leave a reserve of its disk free.
    pub fn config(&self, data_dir: &Path, builds: &Builds) -> ImagesConfig {
        ImagesConfig {
            folder: self.folder.clone().unwrap_or_else(|| data_dir.join("images")),
            registries: self.registries.clone(),
            docker_config: self.docker_config.clone(),
            check: self.check,
            layers_at_once_max: self.layers_at_once_max,
            stalled: Duration::from_secs(u64::from(self.stalled_seconds_max.max(1))),
            reserve_bytes: builds.disk_reserve_gib << 30,
        }
    }
}
