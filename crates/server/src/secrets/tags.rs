//! TagResource and UntagResource.

use super::{
    desk::{Desk, Found},
    refusal,
};
use std::collections::BTreeMap;
use store::Expect;
use wire::{
    ServiceError,
    secretsmanager::{Tag, TagResourceRequest, UntagResourceRequest},
};

/// The most tags of a secret. AWS: the same.
const TAGS_MAX: usize = 50;

/// Adds tags to a secret, or gives those of the same key another value.
pub(super) async fn tag(desk: &Desk<'_>, input: TagResourceRequest) -> Result<(), ServiceError> {
    let Found { mut secret, version } = desk.find_usable(&input.secret_id).await?;
    secret.tags = add(secret.tags, input.tags)?;
    secret.changed_at = desk.now;
    desk.commit(vec![desk.put(&secret, Expect::Version(version))]).await
}

/// Removes tags from a secret; one that is not there is no error.
pub(super) async fn untag(
    desk: &Desk<'_>,
    input: &UntagResourceRequest,
) -> Result<(), ServiceError> {
    let Found { mut secret, version } = desk.find_usable(&input.secret_id).await?;
    for key in &input.tag_keys {
        secret.tags.remove(key);
    }
    secret.changed_at = desk.now;
    desk.commit(vec![desk.put(&secret, Expect::Version(version))]).await
}

/// These tags with those.
pub(super) fn add(
    mut tags: BTreeMap<String, String>,
    more: Vec<Tag>,
) -> Result<BTreeMap<String, String>, ServiceError> {
    for tag in more {
        let key = tag.key.ok_or_else(|| refusal::tag("a key is required"))?;
        if key.starts_with("aws:") {
            return Err(refusal::tag("keys that begin with aws: are reserved"));
        }
        tags.insert(key, tag.value.unwrap_or_default());
    }
    match tags.len() > TAGS_MAX {
        true => Err(refusal::too_many_tags(TAGS_MAX)),
        false => Ok(tags),
    }
}
