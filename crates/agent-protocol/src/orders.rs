//! What the service tells the agent, once, before the build starts.
//!
//! Everything here is settled: overrides are applied, precedence among the API's own levels is
//! decided, images are chosen. What only the buildspec can say is left to the agent.

use crate::{CacheOrder, Course, GitSettings, GitSource, Reference};
use serde::{Deserialize, Serialize};

/// The whole build, as the agent needs to know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orders {
    /// The protocol's version; see [`crate::PROTOCOL_VERSION`].
    pub protocol: u32,
    /// The build's ARN, written into the metadata of every uploaded object.
    pub build_arn: String,
    /// The build's UUID, without the project's name; a part of artifact keys.
    pub build_uuid: String,
    /// Where the primary source comes from.
    pub source: Source,
    /// The absolute folder of the primary source, `CODEBUILD_SRC_DIR`.
    pub source_dir: String,
    /// The other sources.
    pub secondary_sources: Vec<SecondarySource>,
    /// What is the same for all of them that are Git repositories.
    pub git: GitSettings,
    /// Where the buildspec is.
    pub buildspec: BuildspecLocation,
    /// The variables of the environment itself: the image's, and the service's `CODEBUILD_*`.
    /// Weaker than the buildspec's `env`.
    pub base_variables: Vec<Variable>,
    /// The project's and the caller's variables. Stronger than the buildspec's `env`.
    pub variables: Vec<Variable>,
    /// The project's and the caller's variables whose values a service keeps, as strong as
    /// `variables`; no name is in both.
    #[serde(default)]
    pub references: Vec<Reference>,
    /// Where runtimes come from when the image has no file of its own that says so.
    pub runtimes: RuntimesOrder,
    /// What the build may use, and what else there is; none where that is not known.
    pub compute: Option<ComputeOrder>,
    /// Which automatic retry the build is; 0 for the first try.
    #[serde(default)]
    pub auto_retry_number: u32,
    /// How much of the build runs.
    #[serde(default)]
    pub course: Course,
    /// Where the primary artifact goes; none for `NO_ARTIFACTS`.
    pub artifacts: Option<ArtifactsOrder>,
    /// Where the secondary artifacts go.
    pub secondary_artifacts: Vec<ArtifactsOrder>,
    /// Where the build's cache is.
    #[serde(default)]
    pub cache: CacheOrder,
    /// The service that keeps sources, artifacts, secrets and parameters.
    pub object_store: ObjectStore,
}

/// An environment variable with its literal value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variable {
    /// The name.
    pub name: String,
    /// The value; never expanded.
    pub value: String,
}

/// Where runtimes come from, for an image that has no `runtimes.yml`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum RuntimesOrder {
    /// From nowhere: the image offers no choice.
    Image,
    /// From the toolchains that are found: the image is the machine itself.
    Machine {
        /// Folders to look in beside the usual ones.
        folders: Vec<String>,
        /// Whether the nearest version will do where the one that was asked for is not there.
        #[serde(default)]
        takes_nearest: bool,
    },
}

impl RuntimesOrder {
    /// Whether the machine's own toolchains are used, and each only for its own version.
    pub fn is_strict(&self) -> bool {
        match self {
            Self::Machine { takes_nearest, .. } => !takes_nearest,
            Self::Image => false,
        }
    }
}

/// The build's compute type, and those that it could have had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComputeOrder {
    /// The name of the build's own.
    pub name: String,
    /// All of its kind, the smallest first.
    pub types: Vec<ComputeType>,
    /// Whether the end of the log says which of them would have done.
    pub is_advised: bool,
}

/// A compute type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComputeType {
    /// Its name, such as `BUILD_GENERAL1_SMALL`.
    pub name: String,
    /// Its processors.
    pub processors: u32,
    /// Its memory, in bytes.
    pub memory_bytes: u64,
}

/// Where a source comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Source {
    /// Nothing is fetched; the folder exists and is empty.
    NoSource,
    /// A ZIP that is unpacked into the folder.
    S3Zip(S3Location),
    /// Every object under a prefix, copied into the folder.
    S3Folder(S3Location),
    /// A Git repository that is cloned into the folder.
    Git(GitSource),
    /// The executor has put the source into its folder already.
    Mounted,
}

/// A source that is not the primary one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecondarySource {
    /// The project's `sourceIdentifier`, in its own case.
    pub identifier: String,
    /// Where it comes from.
    pub source: Source,
    /// Its absolute folder, `CODEBUILD_SRC_DIR_<identifier>`.
    pub source_dir: String,
}

/// An object, or a prefix of objects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct S3Location {
    /// The bucket's name.
    pub bucket: String,
    /// The key, or the prefix with its trailing slash.
    pub key: String,
    /// The object's version; none for the newest.
    pub version: Option<String>,
}

/// Where the buildspec is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum BuildspecLocation {
    /// A path relative to the primary source's folder.
    Path {
        /// The path, `buildspec.yml` by default.
        path: String,
    },
    /// The text itself, shown to the build as `/codebuild/readonly/buildspec.yml`.
    Inline {
        /// The YAML.
        text: String,
    },
    /// An object in a bucket.
    S3(S3Location),
}

/// Where an artifact goes: the project's side of it, its buildspec side being the agent's to read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactsOrder {
    /// The secondary artifact's identifier; none for the primary artifact.
    pub identifier: Option<String>,
    /// The bucket's name.
    pub bucket: String,
    /// The project's `path`; may be empty.
    pub path: String,
    /// Whether the build's UUID is a part of the key.
    pub namespace_type: NamespaceType,
    /// The project's `name`, which is the project's own name by default.
    pub name: String,
    /// One ZIP, or loose files.
    pub packaging: Packaging,
    /// Whether the buildspec's `name` takes the place of the project's.
    pub override_artifact_name: bool,
}

/// Whether the build's UUID is a part of the artifact's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum NamespaceType {
    /// It is not.
    None,
    /// It is.
    BuildId,
}

/// How an artifact's files are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Packaging {
    /// As loose objects.
    None,
    /// As one ZIP.
    Zip,
}

/// How to reach the service that keeps objects and secrets from inside the environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectStore {
    /// The endpoint, such as `http://127.0.0.1:4566`; buckets are addressed by path.
    pub endpoint: String,
    /// The region to sign for.
    pub region: String,
    /// The build's own credentials, the same that its commands may ask for.
    pub credentials: Credentials,
}

/// Credentials of a session.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    /// The access key's id.
    pub access_key_id: String,
    /// The secret.
    pub secret_access_key: String,
    /// The session's token.
    pub session_token: String,
}

impl std::fmt::Debug for Credentials {
    /// Shows whose they are and keeps the secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials")
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}
