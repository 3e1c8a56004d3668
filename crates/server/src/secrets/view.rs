//! Secrets as answers show them.

use super::kept::{Secret, Version};
use std::collections::BTreeMap;
use wire::{
    Timestamp,
    secretsmanager::{DescribeSecretResponse, SecretListEntry, SecretVersionsListEntry, Tag},
};

/// A secret as DescribeSecret shows it.
pub(super) fn description(arn: String, secret: Secret) -> DescribeSecretResponse {
    DescribeSecretResponse {
        arn: Some(arn),
        version_ids_to_stages: stages(&secret),
        tags: tags(secret.tags),
        name: Some(secret.name),
        description: secret.description,
        kms_key_id: secret.kms_key_id,
        last_changed_date: Some(Timestamp::from_millis(secret.changed_at)),
        last_accessed_date: secret.accessed_on.map(Timestamp::from_millis),
        deleted_date: secret.deletion_due_at.map(Timestamp::from_millis),
        created_date: Some(Timestamp::from_millis(secret.created_at)),
        ..DescribeSecretResponse::default()
    }
}

/// A secret as ListSecrets shows it.
pub(super) fn entry(arn: String, secret: Secret) -> SecretListEntry {
    SecretListEntry {
        arn: Some(arn),
        secret_versions_to_stages: stages(&secret),
        tags: tags(secret.tags),
        name: Some(secret.name),
        description: secret.description,
        kms_key_id: secret.kms_key_id,
        last_changed_date: Some(Timestamp::from_millis(secret.changed_at)),
        last_accessed_date: secret.accessed_on.map(Timestamp::from_millis),
        deleted_date: secret.deletion_due_at.map(Timestamp::from_millis),
        created_date: Some(Timestamp::from_millis(secret.created_at)),
        ..SecretListEntry::default()
    }
}

/// A version as ListSecretVersionIds shows it.
pub(super) fn version(version: Version) -> SecretVersionsListEntry {
    SecretVersionsListEntry {
        version_id: Some(version.id),
        version_stages: Some(version.stages).filter(|stages| !stages.is_empty()),
        last_accessed_date: version.accessed_on.map(Timestamp::from_millis),
        created_date: Some(Timestamp::from_millis(version.created_at)),
        kms_key_ids: Some(vec!["DefaultEncryptionKey".to_owned()]),
    }
}

fn tags(tags: BTreeMap<String, String>) -> Option<Vec<Tag>> {
    let tags = tags.into_iter().map(|(key, value)| Tag { key: Some(key), value: Some(value) });
    Some(tags.collect::<Vec<_>>()).filter(|tags| !tags.is_empty())
}

/// The labelled versions; those without a label are not shown.
fn stages(secret: &Secret) -> Option<BTreeMap<String, Vec<String>>> {
    let labelled = secret.versions.iter().filter(|version| !version.stages.is_empty());
    let stages: BTreeMap<_, _> =
        labelled.map(|version| (version.id.clone(), version.stages.clone())).collect();
    Some(stages).filter(|stages| !stages.is_empty())
}
