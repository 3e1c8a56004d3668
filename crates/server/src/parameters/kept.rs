//! A parameter as it is kept: what is known of each of its versions. Their values are records of
//! their own, sealed. Pure.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use store::Collection;
use wire::ssm::{ParameterTier, ParameterType};

/// What is known of parameters; the key is the name.
pub(super) const PARAMETERS: Collection = Collection::new("parameter");

/// The sealed values of versions; see [`value_key`].
pub(crate) const VALUES: Collection = Collection::new("parameter-value");

/// How many versions are kept. AWS: the same.
pub(super) const VERSIONS_MAX: usize = 100;

/// What is known of a parameter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Kept {
    /// The name.
    pub(super) name: String,
    /// Keys and values.
    pub(super) tags: BTreeMap<String, String>,
    /// Its versions, oldest first; there is at least one.
    pub(super) versions: Vec<Version>,
}

/// What is known of a version. Times are milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Version {
    /// Its number, from 1.
    pub(super) number: i64,
    /// What its value is.
    pub(super) kind: ParameterType,
    /// The key that a SecureString was put with.
    pub(super) key_id: Option<String>,
    /// The description.
    pub(super) description: Option<String>,
    /// What values must match.
    pub(super) allowed_pattern: Option<String>,
    /// How long its value may be.
    pub(super) tier: ParameterTier,
    /// What its value means.
    pub(super) data_type: String,
    /// Its labels.
    pub(super) labels: Vec<String>,
    /// When it was made.
    pub(super) modified_at: i64,
    /// Who made it.
    pub(super) modified_by: String,
}

/// The key of a version's value among [`VALUES`]. Names have no colon.
pub(super) fn value_key(name: &str, number: i64) -> String {
    format!("{name}:{number}")
}

impl Kept {
    /// The newest version.
    pub(super) fn newest(&self) -> &Version {
        self.versions.last().expect("a parameter has a version")
    }

    /// The version that a selector means: its number, or one of its labels.
    pub(super) fn selected(&self, selector: Option<&str>) -> Option<&Version> {
        let Some(selector) = selector else { return Some(self.newest()) };
        match selector.parse::<i64>() {
            Ok(number) => self.numbered(number),
            Err(_) => self.versions.iter().find(|version| version.has(selector)),
        }
    }

    /// The version of that number.
    pub(super) fn numbered(&self, number: i64) -> Option<&Version> {
        self.versions.iter().find(|version| version.number == number)
    }
}

impl Version {
    /// Whether it has the label.
    pub(super) fn has(&self, label: &str) -> bool {
        self.labels.iter().any(|known| known == label)
    }
}
