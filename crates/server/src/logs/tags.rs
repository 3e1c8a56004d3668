//! TagResource, UntagResource, ListTagsForResource, and the three older ones that name a group.

use super::{desk::Desk, names, refusal};
use std::collections::BTreeMap;
use wire::{
    ServiceError,
    logs::{
        ListTagsForResourceRequest, ListTagsForResourceResponse, ListTagsLogGroupRequest,
        ListTagsLogGroupResponse, TagLogGroupRequest, TagResourceRequest, UntagLogGroupRequest,
        UntagResourceRequest,
    },
};

/// The most tags of a group.
const TAGS_MAX: usize = 50;

/// Adds tags to the group of this ARN.
pub(super) fn tag_resource(desk: &Desk, input: &TagResourceRequest) -> Result<(), ServiceError> {
    add(desk, names::of_arn(desk, &input.resource_arn)?, &input.tags)
}

/// Removes tags from the group of this ARN.
pub(super) fn untag_resource(
    desk: &Desk,
    input: &UntagResourceRequest,
) -> Result<(), ServiceError> {
    remove(desk, names::of_arn(desk, &input.resource_arn)?, &input.tag_keys)
}

/// Lists the tags of the group of this ARN.
pub(super) fn list_of_resource(
    desk: &Desk,
    input: &ListTagsForResourceRequest,
) -> Result<ListTagsForResourceResponse, ServiceError> {
    let tags = list(desk, names::of_arn(desk, &input.resource_arn)?)?;
    Ok(ListTagsForResourceResponse { tags: Some(tags) })
}

/// Adds tags to the group of this name.
pub(super) fn tag_group(desk: &Desk, input: &TagLogGroupRequest) -> Result<(), ServiceError> {
    add(desk, &input.log_group_name, &input.tags)
}

/// Removes tags from the group of this name.
pub(super) fn untag_group(desk: &Desk, input: &UntagLogGroupRequest) -> Result<(), ServiceError> {
    remove(desk, &input.log_group_name, &input.tags)
}

/// Lists the tags of the group of this name.
pub(super) fn list_of_group(
    desk: &Desk,
    input: &ListTagsLogGroupRequest,
) -> Result<ListTagsLogGroupResponse, ServiceError> {
    Ok(ListTagsLogGroupResponse { tags: Some(list(desk, &input.log_group_name)?) })
}

/// Refuses keys that are AWS's own.
pub(super) fn check<'a>(mut keys: impl Iterator<Item = &'a String>) -> Result<(), ServiceError> {
    if keys.any(|key| key.starts_with("aws:")) { Err(refusal::reserved_tag()) } else { Ok(()) }
}

fn add(desk: &Desk, group: &str, tags: &BTreeMap<String, String>) -> Result<(), ServiceError> {
    check(tags.keys())?;
    let id = desk.group_id(group)?;
    let mut all = desk.store.tags(id).map_err(|error| desk.told(error))?;
    all.extend(tags.clone());
    if all.len() > TAGS_MAX {
        return Err(refusal::too_many_tags(TAGS_MAX));
    }
    desk.store.put_tags(id, tags).map_err(|error| desk.told(error))
}

fn remove(desk: &Desk, group: &str, keys: &[String]) -> Result<(), ServiceError> {
    let id = desk.group_id(group)?;
    desk.store.remove_tags(id, keys).map_err(|error| desk.told(error))
}

fn list(desk: &Desk, group: &str) -> Result<BTreeMap<String, String>, ServiceError> {
    let id = desk.group_id(group)?;
    desk.store.tags(id).map_err(|error| desk.told(error))
}
