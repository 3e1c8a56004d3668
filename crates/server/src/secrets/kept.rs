//! A secret as it is kept: what is known of it, and of its versions. Their values are records of
//! their own, sealed. Pure.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use store::Collection;

/// What is known of secrets; the key is the name.
pub(super) const SECRETS: Collection = Collection::new("secret");

/// The sealed values of versions; see [`value_key`].
pub(crate) const VALUES: Collection = Collection::new("secret-value");

/// The label of the version that is meant when nobody says which.
pub(super) const CURRENT: &str = "AWSCURRENT";
/// The label of the version that was current before.
pub(super) const PREVIOUS: &str = "AWSPREVIOUS";

/// How many versions are kept. AWS: about as many, those without labels being the first to go.
const VERSIONS_MAX: usize = 100;

const DAY_MILLIS: i64 = 24 * 60 * 60 * 1_000;

/// What is known of a secret. Times are milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Secret {
    /// The name.
    pub(super) name: String,
    /// What its ARN ends with.
    pub(super) suffix: String,
    /// The description.
    pub(super) description: Option<String>,
    /// The key that the caller named, which is AWS's own; none when none was named.
    pub(super) kms_key_id: Option<String>,
    /// Keys and values.
    pub(super) tags: BTreeMap<String, String>,
    /// When it was made.
    pub(super) created_at: i64,
    /// When anything of it was changed.
    pub(super) changed_at: i64,
    /// The day on which a value was last read.
    pub(super) accessed_on: Option<i64>,
    /// When it will be gone; none for one that is not to be deleted.
    pub(super) deletion_due_at: Option<i64>,
    /// Its versions, oldest first.
    pub(super) versions: Vec<Version>,
}

/// What is known of a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Version {
    /// The id.
    pub(super) id: String,
    /// The staging labels.
    pub(super) stages: Vec<String>,
    /// What its value is.
    pub(super) kind: ValueKind,
    /// When it was made.
    pub(super) created_at: i64,
    /// The day on which its value was last read.
    pub(super) accessed_on: Option<i64>,
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ValueKind {
    /// Text.
    Text,
    /// Bytes.
    Binary,
}

/// The key of a version's value among [`VALUES`]. Names have no colon.
pub(super) fn value_key(name: &str, version: &str) -> String {
    format!("{name}:{version}")
}

/// The beginning of a moment's day.
pub(super) fn day(at: i64) -> i64 {
    at - at.rem_euclid(DAY_MILLIS)
}

impl Secret {
    /// Whether it is waiting to be deleted.
    pub(super) fn is_marked_for_deletion(&self) -> bool {
        self.deletion_due_at.is_some()
    }

    /// Whether its time is over.
    pub(super) fn is_gone(&self, now: i64) -> bool {
        self.deletion_due_at.is_some_and(|due_at| due_at <= now)
    }

    /// The version of that id.
    pub(super) fn version(&self, id: &str) -> Option<&Version> {
        self.versions.iter().find(|version| version.id == id)
    }

    /// The version that has the label.
    pub(super) fn staged(&self, stage: &str) -> Option<&Version> {
        self.versions.iter().find(|version| version.has(stage))
    }

    /// Puts a label on a version that is there, and takes it from the one that had it. The version
    /// that was current becomes the previous one.
    pub(super) fn move_stage(&mut self, stage: &str, to: &str) {
        let from = self.staged(stage).map(|version| version.id.clone());
        if from.as_deref() == Some(to) {
            return;
        }
        self.remove_stage(stage);
        if let Some(version) = self.versions.iter_mut().find(|version| version.id == to) {
            version.stages.push(stage.to_owned());
        }
        if let (CURRENT, Some(from)) = (stage, from) {
            self.move_stage(PREVIOUS, &from);
            // AWS: what is current again is not the previous one as well.
            if let Some(version) = self.versions.iter_mut().find(|version| version.id == to) {
                version.stages.retain(|stage| stage != PREVIOUS);
            }
        }
    }

    /// Takes a label from whichever version has it.
    pub(super) fn remove_stage(&mut self, stage: &str) {
        for version in &mut self.versions {
            version.stages.retain(|label| label != stage);
        }
    }

    /// Adds a version with labels, and gives the ids of those that have to go for it.
    pub(super) fn add_version(&mut self, mut version: Version, stages: &[String]) -> Vec<String> {
        let id = version.id.clone();
        version.stages.clear();
        // AWS: the first version is the current one, whatever the caller says.
        let first = self.versions.is_empty();
        self.versions.push(version);
        for stage in stages {
            self.move_stage(stage, &id);
        }
        if first {
            self.move_stage(CURRENT, &id);
        }
        let mut gone = Vec::new();
        while self.versions.len() > VERSIONS_MAX {
            let deprecated = self.versions.iter().position(|old| old.stages.is_empty());
            match deprecated {
                Some(at) => gone.push(self.versions.remove(at).id),
                None => break,
            }
        }
        gone
    }
}

impl Version {
    /// Whether it has the label.
    pub(super) fn has(&self, stage: &str) -> bool {
        self.stages.iter().any(|label| label == stage)
    }
}

#[cfg(test)]
mod tests {
    use super::{CURRENT, Secret, ValueKind, Version, day};
    use std::collections::BTreeMap;

    fn version(id: &str) -> Version {
        Version {
            id: id.into(),
            stages: Vec::new(),
            kind: ValueKind::Text,
            created_at: 0,
            accessed_on: None,
        }
    }

    fn secret() -> Secret {
        Secret {
            name: "db".into(),
            suffix: "AbCdEf".into(),
            description: None,
            kms_key_id: None,
            tags: BTreeMap::new(),
            created_at: 0,
            changed_at: 0,
            accessed_on: None,
            deletion_due_at: None,
            versions: Vec::new(),
        }
    }

    fn labels(secret: &Secret) -> String {
        let label = |version: &Version| format!("{}={}", version.id, version.stages.join("+"));
        secret.versions.iter().map(label).collect::<Vec<_>>().join(" ")
    }

    fn add(secret: &mut Secret, id: &str, stages: &[&str]) -> Vec<String> {
        let stages: Vec<String> = stages.iter().map(|stage| (*stage).to_owned()).collect();
        secret.add_version(version(id), &stages)
    }

    #[test]
    fn the_current_version_becomes_the_previous_one() {
        let mut secret = secret();
        add(&mut secret, "1", &[CURRENT]);
        add(&mut secret, "2", &[CURRENT]);
        assert_eq!(labels(&secret), "1=AWSPREVIOUS 2=AWSCURRENT");
        add(&mut secret, "3", &[CURRENT]);
        assert_eq!(labels(&secret), "1= 2=AWSPREVIOUS 3=AWSCURRENT");
        secret.move_stage(CURRENT, "2");
        assert_eq!(labels(&secret), "1= 2=AWSCURRENT 3=AWSPREVIOUS");
    }

    #[test]
    fn a_pending_version_changes_nothing_and_the_first_is_current() {
        let mut secret = secret();
        add(&mut secret, "1", &["AWSPENDING"]);
        assert_eq!(labels(&secret), "1=AWSPENDING+AWSCURRENT");
        add(&mut secret, "2", &["AWSPENDING"]);
        assert_eq!(labels(&secret), "1=AWSCURRENT 2=AWSPENDING");
        secret.move_stage(CURRENT, "2");
        assert_eq!(labels(&secret), "1=AWSPREVIOUS 2=AWSPENDING+AWSCURRENT");
    }

    #[test]
    fn the_oldest_without_a_label_goes_when_there_are_too_many() {
        let mut secret = secret();
        let gone: Vec<_> =
            (0..102).flat_map(|id| add(&mut secret, &id.to_string(), &[CURRENT])).collect();
        assert_eq!(gone, ["0", "1"]);
        assert_eq!(secret.versions.len(), 100);
    }

    #[test]
    fn a_day_begins_at_midnight() {
        assert_eq!(day(1_700_000_000_123), 1_699_920_000_000);
    }
}
