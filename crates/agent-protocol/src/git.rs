//! What the agent is told of sources that are Git repositories.

use crate::S3Location;
use serde::{Deserialize, Serialize};

/// A Git repository to clone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GitSource {
    /// Where it is: a URL without a user and without a password, or ssh's `user@host:path`.
    pub url: String,
    /// What to check out.
    pub version: GitVersion,
    /// The version in the words in which it was asked for; empty when nobody asked for one.
    pub asked_version: String,
    /// How many commits of history to fetch; all of it when absent.
    pub depth: Option<u32>,
    /// Whether submodules are fetched too, and theirs.
    pub fetch_submodules: bool,
    /// Whether the server's certificate is taken as it comes.
    pub insecure_tls: bool,
}

/// A version of a repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GitVersion {
    /// Where the version is found.
    pub reference: GitReference,
    /// The exact commit, in full hexadecimal; whatever the reference points to when absent.
    pub commit: Option<String>,
}

/// A name in a repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "name", rename_all = "snake_case")]
pub enum GitReference {
    /// The default branch.
    Default,
    /// A branch, a tag, or the beginning of a commit's id, in this order.
    Named(String),
    /// A full name, such as `refs/heads/main`.
    Full(String),
}

/// What is the same for all Git repositories of a build.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GitSettings {
    /// The service's address where credentials are asked for: while the sources are being fetched,
    /// and afterwards only when the buildspec asks for it.
    pub credentials_url: String,
    /// A certificate authority's certificate that servers may show.
    pub certificate: Option<S3Location>,
    /// Seconds after which a server that sends nothing is given up.
    pub stalled_seconds_max: u32,
    /// Whether URLs of the environment's own file system may be cloned.
    pub allow_file: bool,
    /// The keys that servers of ssh show, as in a `known_hosts` file; none when ssh is not set up.
    pub ssh_known_hosts: Option<String>,
}
