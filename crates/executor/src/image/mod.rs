//! Images: from what a spec names to folders that lie over each other.
//!
//! A *source* has an image's documents and layers: a registry, a folder, an archive. Its layers are
//! fetched and unpacked into the *store*, once each; *records* say which image is made of which.

mod archive;
mod bootstrap;
mod build;
mod collect;
mod digest;
mod engine_archive;
mod fetch;
mod host;
mod images;
mod import;
mod layer;
mod layout;
mod local_engines;
mod look;
mod manifest;
mod pack;
mod progress;
mod recipe;
mod record;
mod reference;
mod registry;
mod room;
mod store;

pub use collect::{Collected, ListedImage};
pub use digest::Digest;
pub use images::{Arrival, Asked, Check, Images, ImagesConfig, Pulled};
pub use import::ImportFrom;
pub use local_engines::Engine;
pub use progress::Progress;
pub use recipe::Recipe;
pub use record::Origin;
pub use reference::{NoReference, Reference, Version};
pub use registry::{Credentials, RegistrySettings};

pub(crate) use collect::Hold;
pub(crate) use engine_archive::{EngineImage, IMAGE_LABEL, STORE_LABEL};
pub(crate) use host::HostTemplate;

use std::path::PathBuf;

/// What an image says about the processes that run in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageSettings {
    /// Environment variables, in the image's order.
    pub environment: Vec<(String, String)>,
    /// The folder that processes start in; `/` unless the image says otherwise.
    pub working_folder: PathBuf,
    /// The user, as the image names it; empty for root.
    pub user: String,
}

impl ImageSettings {
    /// What an image has that says nothing.
    pub(crate) fn plain() -> Self {
        let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        Self {
            environment: vec![("PATH".to_owned(), path.to_owned())],
            working_folder: PathBuf::from("/"),
            user: String::new(),
        }
    }
}
