//! AddTagsToResource, RemoveTagsFromResource and ListTagsForResource.

use super::{
    desk::{Desk, Found},
    refusal,
};
use std::collections::BTreeMap;
use store::Expect;
use wire::{
    ServiceError,
    ssm::{
        AddTagsToResourceRequest, AddTagsToResourceResult, ListTagsForResourceRequest,
        ListTagsForResourceResult, RemoveTagsFromResourceRequest, RemoveTagsFromResourceResult,
        ResourceTypeForTagging, Tag,
    },
};

/// The most tags of a parameter. AWS: the same.
const TAGS_MAX: usize = 50;

/// Adds tags to a parameter, or gives those of the same key another value.
pub(super) async fn add_to(
    desk: &Desk<'_>,
    input: AddTagsToResourceRequest,
) -> Result<AddTagsToResourceResult, ServiceError> {
    let Found { mut kept, version } = find(desk, &input.resource_type, &input.resource_id).await?;
    kept.tags = add(kept.tags, input.tags)?;
    desk.commit(vec![desk.put(&kept, Expect::Version(version))]).await?;
    Ok(AddTagsToResourceResult {})
}

/// Removes tags from a parameter; one that is not there is no error.
pub(super) async fn remove_from(
    desk: &Desk<'_>,
    input: &RemoveTagsFromResourceRequest,
) -> Result<RemoveTagsFromResourceResult, ServiceError> {
    let Found { mut kept, version } = find(desk, &input.resource_type, &input.resource_id).await?;
    for key in &input.tag_keys {
        kept.tags.remove(key);
    }
    desk.commit(vec![desk.put(&kept, Expect::Version(version))]).await?;
    Ok(RemoveTagsFromResourceResult {})
}

/// Lists the tags of a parameter.
pub(super) async fn list(
    desk: &Desk<'_>,
    input: &ListTagsForResourceRequest,
) -> Result<ListTagsForResourceResult, ServiceError> {
    let Found { kept, .. } = find(desk, &input.resource_type, &input.resource_id).await?;
    let tags = kept.tags.into_iter().map(|(key, value)| Tag { key, value }).collect();
    Ok(ListTagsForResourceResult { tag_list: Some(tags) })
}

/// These tags with those.
pub(super) fn add(
    mut tags: BTreeMap<String, String>,
    more: Vec<Tag>,
) -> Result<BTreeMap<String, String>, ServiceError> {
    for Tag { key, value } in more {
        if key.starts_with("aws:") {
            return Err(refusal::reserved_tag());
        }
        tags.insert(key, value);
    }
    match tags.len() > TAGS_MAX {
        true => Err(refusal::too_many_tags(TAGS_MAX)),
        false => Ok(tags),
    }
}

async fn find(
    desk: &Desk<'_>,
    kind: &ResourceTypeForTagging,
    id: &str,
) -> Result<Found, ServiceError> {
    if *kind != ResourceTypeForTagging::Parameter {
        return Err(refusal::resource_type(kind.as_str()));
    }
    desk.find(id).await?.ok_or_else(refusal::no_resource)
}
