//! Images: from what a spec names to folders that lie over each other.

mod archive;
mod host;
mod layer;
mod layout;
mod store;

pub(crate) use archive::ImageArchive;
pub(crate) use host::HostTemplate;
pub(crate) use store::ImageStore;

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
