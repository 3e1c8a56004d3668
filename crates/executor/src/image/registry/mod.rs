//! Registries: the distribution protocol as far as images are pulled by it.
//!
//! `client` asks, with whatever `authorize` makes of what is known in `credentials`; `repository` is
//! an image's place, in the registry itself or in one that stands for it.

mod authorize;
mod client;
mod credentials;
mod repository;

pub use credentials::Credentials;

pub(super) use client::{Clients, Trouble};
pub(super) use credentials::DockerConfig;
pub(super) use repository::Repository;

use serde::Deserialize;
use std::path::PathBuf;

/// What is said of a registry in the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RegistrySettings {
    /// Registries that are asked before it, in this order, each as a URL.
    pub mirrors: Vec<String>,
    /// Whether it is asked without TLS.
    pub plain_http: bool,
    /// The certificates of the authorities that it is trusted by, in PEM; Mozilla's when absent.
    pub ca_file: Option<PathBuf>,
}
