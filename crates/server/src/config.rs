//! One configuration, from the command line, the environment and a TOML file.
//!
//! The file holds what an operator decides once; flags and variables override it. Unknown keys are
//! refused, so that a typing error is not silently a default.

use crate::{
    egress::EgressSettings, executors::Executors, images::ImagesSettings,
    name_patterns::NamePatterns, prices::Prices, upstream::UpstreamSettings,
};
use executor::Opening;
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
};
use thiserror::Error;

/// Where the service listens unless told otherwise.
pub const LISTEN_DEFAULT: &str = "127.0.0.1:4566";

/// The whole configuration file.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The address to listen on; [`LISTEN_DEFAULT`] when absent.
    pub listen: Option<SocketAddr>,
    /// The folder that holds everything the service keeps.
    pub data_dir: Option<PathBuf>,
    /// The account that every resource belongs to: twelve digits.
    pub account_id: AccountId,
    /// The region that `buildyard credentials` prints. Any region works.
    pub default_region: Option<String>,
    /// How many builds run at once, and on what.
    pub builds: Builds,
    /// What makes the environments of builds.
    pub executors: Executors,
    /// What the `host` image shows of this machine.
    pub host_image: HostImage,
    /// Secrets Manager, and the key that values are kept under.
    pub secrets: Secrets,
    /// Parameter Store.
    pub parameters: Parameters,
    /// What is kept for later builds.
    pub caches: Caches,
    /// Where images come from.
    pub images: ImagesSettings,
    /// Where the sources of builds come from.
    pub sources: Sources,
    /// What builds reach of the outside.
    pub egress: EgressSettings,
    /// How long, and how much of it, ended builds stay.
    pub retention: Retention,
    /// What a minute of a build costs.
    pub prices: Prices,
}

/// An account's twelve digits.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String")]
pub struct AccountId(String);

impl Default for AccountId {
    fn default() -> Self {
        Self("000000000000".into())
    }
}

impl TryFrom<String> for AccountId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()) {
            Ok(Self(text))
        } else {
            Err(format!("an account id has twelve digits, which {text:?} has not"))
        }
    }
}

impl AccountId {
    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// How many builds run at once, and on what.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct Builds {
    /// Builds at once, at most; eight for each processor when absent.
    pub at_once_max: Option<usize>,
    /// The sum of the memory limits of running builds, in percent of the machine's memory. Limits
    /// are seldom reached all at once, so more than 100 is usual.
    pub memory_percent: u32,
    /// Processes and threads of one build, at most.
    pub processes_max: u32,
    /// Open files of one process of a build, at most.
    pub open_files_max: u64,
    /// GiB of disk of one build, at most, whatever its compute type has.
    pub disk_gib_max: Option<u64>,
    /// GiB of the data folder's disk that builds leave free: when there are fewer, the build that has
    /// taken most is ended, and images are refused that are not there yet.
    pub disk_reserve_gib: u64,
    /// Whether builds may be in privileged mode.
    pub privileged: bool,
    /// Whether builds reach the network outside.
    pub network: bool,
    /// Whether the end of a build's log says which compute type would have done.
    pub compute_advice: bool,
    /// What builds reach of the networks that are kept back from them, such as a company's own.
    pub network_allow: Vec<Opening>,
}

impl Default for Builds {
    fn default() -> Self {
        Self {
            at_once_max: None,
            memory_percent: 400,
            processes_max: 4_096,
            open_files_max: 1_024,
            disk_gib_max: None,
            disk_reserve_gib: 1,
            privileged: false,
            network: true,
            compute_advice: true,
            network_allow: Vec::new(),
        }
    }
}

/// What is kept for later builds.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct Caches {
    /// The folder of `LOCAL` caches; `caches` in the data folder when absent.
    pub local_folder: Option<PathBuf>,
    /// GiB that the `LOCAL` caches of all projects take together, at most, while no build runs.
    pub local_gib_max: u64,
}

impl Default for Caches {
    fn default() -> Self {
        Self { local_folder: None, local_gib_max: 20 }
    }
}

/// How long, and how much of it, ended builds stay. The oldest leave first, with their logs.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// Days after its start for which an ended build stays. AWS: a year.
    pub builds_days: u32,
    /// Ended builds, at most.
    pub builds_max: u64,
    /// GiB of logs, at most; while there are more, builds leave.
    pub logs_gib_max: u64,
    /// Days for which is kept how many builds ended and what they took.
    pub counts_days: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self { builds_days: 365, builds_max: 100_000, logs_gib_max: 50, counts_days: 1_100 }
    }
}

/// What the `host` image shows of this machine, beside its allow-list.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct HostImage {
    /// More folders, at the same place in the environment.
    pub folders: Vec<PathBuf>,
    /// Variables of the environment, such as a longer `PATH`.
    pub variables: BTreeMap<String, String>,
    /// Whether the nearest version of a runtime will do where the machine lacks the one that a
    /// buildspec asks for.
    pub nearest_versions: bool,
}

/// Secrets Manager, and the key that the values of secrets and parameters are kept under.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct Secrets {
    /// The key's file; beside the data folder when absent.
    pub key_file: Option<PathBuf>,
    /// The names of the secrets that builds may read.
    pub readable: NamePatterns,
    /// Who answers what builds read, in the place of the built-in service.
    pub upstream: Option<UpstreamSettings>,
}

/// Parameter Store.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct Parameters {
    /// The names of the parameters that builds may read.
    pub readable: NamePatterns,
    /// Who answers what builds read, in the place of the built-in service.
    pub upstream: Option<UpstreamSettings>,
}

/// Where the sources of builds come from.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct Sources {
    /// Folders of this machine whose Git repositories any build may clone, by `file://` locations.
    pub folders: Vec<PathBuf>,
    /// Seconds after which a Git server that sends nothing is given up.
    pub stalled_seconds_max: u32,
    /// The private key by which builds fetch their sources from hosts of ssh.
    pub ssh_key_file: Option<PathBuf>,
    /// The keys of these hosts, as in a `known_hosts` file; no other host of ssh is spoken to.
    pub ssh_known_hosts_file: Option<PathBuf>,
    /// The secrets that hold what connections stand for, by the connections' ARNs: a credential as
    /// sources of type `SECRETS_MANAGER` have it.
    pub connections: BTreeMap<String, String>,
}

impl Default for Sources {
    fn default() -> Self {
        Self {
            folders: Vec::new(),
            stalled_seconds_max: 60,
            ssh_key_file: None,
            ssh_known_hosts_file: None,
            connections: BTreeMap::new(),
        }
    }
}

/// Why a configuration cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("failed to read {file}")]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("{file}: {problem}")]
    Parse {
        /// The file.
        file: PathBuf,
        /// What is wrong, with its place.
        problem: String,
    },
}

impl Config {
    /// Reads a configuration file.
    pub fn read(file: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(file)
            .map_err(|source| ConfigError::Read { file: file.into(), source })?;
        toml::from_str(&text)
            .map_err(|error| ConfigError::Parse { file: file.into(), problem: error.to_string() })
    }

    /// The region that is meant when nobody names one.
    pub fn region(&self) -> &str {
        self.default_region.as_deref().unwrap_or("us-east-1")
    }
}

/// The data folder when nobody names one: the system's for root, the user's own otherwise.
pub fn default_data_dir() -> PathBuf {
    if rustix::process::geteuid().is_root() {
        return "/var/lib/buildyard".into();
    }
    let home = std::env::var_os("HOME").map_or_else(|| PathBuf::from("."), PathBuf::from);
    std::env::var_os("XDG_DATA_HOME")
        .map_or_else(|| home.join(".local/share"), PathBuf::from)
        .join("buildyard")
}

#[cfg(test)]
mod tests {
    use super::Config;

    #[test]
    fn an_empty_file_is_the_default() {
        assert_eq!(toml::from_str::<Config>("").unwrap(), Config::default());
    }

    #[test]
    fn typing_errors_are_refused() {
        assert!(toml::from_str::<Config>("lisen = '127.0.0.1:1'").is_err());
        assert!(toml::from_str::<Config>("account_id = '12'").is_err());
        assert!(toml::from_str::<Config>("[builds]\nat_once = 3").is_err());
        assert!(toml::from_str::<Config>("[executors]\ndefault = 'rkt'").is_err());
        assert!(toml::from_str::<Config>("[builds]\nnetwork_allow = ['10.0.0.1/8']").is_err());
    }
}
