//! What the agent is told of the build's cache. What is cached only the buildspec can say.

use crate::Timestamp;
use serde::{Deserialize, Serialize};

/// Where a build finds what earlier ones have kept, and where it keeps something itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CacheOrder {
    /// Nowhere.
    #[default]
    NoCache,
    /// In a bucket.
    S3(S3Cache),
    /// In a folder of the machine.
    Local(LocalCache),
    /// In the layers of Docker's images alone, which nothing can keep without privileged mode.
    DockerLayers,
}

/// A cache in a bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct S3Cache {
    /// The bucket's name.
    pub bucket: String,
    /// What the keys of all objects begin with, without slashes at its ends; may be empty.
    pub prefix: String,
    /// The project's region and name, which no other project has.
    pub project: String,
    /// The project's `cacheNamespace`, which others may have.
    pub namespace: Option<String>,
    /// What was saved at this moment or before was invalidated.
    pub invalidated_at: Option<Timestamp>,
}

/// A cache in a folder of the machine, which this build alone has while it runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalCache {
    /// The folder, as the environment sees it.
    pub folder: String,
    /// The id of the project's caches, a part of paths below the folder.
    pub id: String,
    /// Whether the buildspec's `cache.paths` are kept in it.
    pub custom: LocalMode,
    /// Whether the sources' Git metadata is kept in it.
    pub source: LocalMode,
    /// Whether the layers of Docker's images are to be kept, which needs a privileged environment.
    #[serde(default)]
    pub docker_layers: LocalMode,
    /// What the folder is.
    pub state: LocalState,
}

/// Whether a mode of a local cache is on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LocalMode {
    /// It is.
    On,
    /// It is not.
    #[default]
    Off,
}

/// What a local cache's folder is when a build gets it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum LocalState {
    /// As a build has left it.
    Kept {
        /// When that build ended.
        used_at: Timestamp,
    },
    /// Empty: the project has kept nothing yet.
    First,
    /// Empty: other builds of the project have its folders at the moment.
    Busy {
        /// How many have.
        builds: usize,
    },
    /// Empty: the machine's caches had outgrown their limit.
    Evicted {
        /// When it was taken away.
        at: Timestamp,
    },
    /// Empty: somebody has invalidated the project's cache.
    Invalidated {
        /// When.
        at: Timestamp,
    },
    /// Empty: what was there could not be used.
    Broken {
        /// Why.
        reason: String,
    },
}
