//! CreateLogGroup, DeleteLogGroup, DescribeLogGroups, PutRetentionPolicy, DeleteRetentionPolicy.

use super::{desk::Desk, names, refusal, tags, token};
use store::logs::{Group, GroupClass, GroupsPage, NewGroup};
use wire::{
    ServiceError,
    logs::{
        CreateLogGroupRequest, DeleteLogGroupRequest, DeleteRetentionPolicyRequest,
        DescribeLogGroupsRequest, DescribeLogGroupsResponse, LogGroup, LogGroupClass,
        PutRetentionPolicyRequest,
    },
};

/// The page of a description without a limit, which is also the largest.
const PAGE_DEFAULT: usize = 50;

/// How many days events can be kept.
const RETENTION_DAYS: [u32; 22] = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
];

/// Makes a group.
pub(super) fn create(desk: &Desk, input: CreateLogGroupRequest) -> Result<(), ServiceError> {
    let reserved = input.log_group_name.get(..4).is_some_and(|s| s.eq_ignore_ascii_case("aws/"));
    if reserved {
        return Err(refusal::reserved_name());
    }
    if input.kms_key_id.is_some() {
        return Err(refusal::no_kms());
    }
    if input.deletion_protection_enabled == Some(true) {
        return Err(refusal::no_deletion_protection());
    }
    let tags = input.tags.unwrap_or_default();
    tags::check(tags.keys())?;
    let group = NewGroup {
        region: desk.region.clone(),
        name: input.log_group_name,
        class: input.log_group_class.as_ref().map_or(GroupClass::Standard, class),
        tags,
        created_at: desk.now,
    };
    desk.store.create_group(&group).map(drop).map_err(|error| desk.told(error))
}

/// Deletes a group and all that is in it.
pub(super) fn delete(desk: &Desk, input: &DeleteLogGroupRequest) -> Result<(), ServiceError> {
    let id = desk.group_id(&input.log_group_name)?;
    desk.store.delete_group(id).map_err(|error| desk.told(error))
}

/// Describes a page of groups in the order of their names.
pub(super) fn describe(
    desk: &Desk,
    input: DescribeLogGroupsRequest,
) -> Result<DescribeLogGroupsResponse, ServiceError> {
    if input.log_group_name_prefix.is_some() && input.log_group_name_pattern.is_some() {
        return Err(refusal::prefix_and_pattern());
    }
    if let Some(identifiers) = &input.log_group_identifiers {
        return describe_these(desk, identifiers);
    }
    let limit = page_size(input.limit);
    let page = GroupsPage {
        prefix: input.log_group_name_prefix.unwrap_or_default(),
        pattern: input.log_group_name_pattern.unwrap_or_default(),
        class: input.log_group_class.as_ref().map(class),
        after: input.next_token.as_deref().map(token::place).transpose()?,
        // One more says whether there is a next page.
        limit: limit + 1,
    };
    let mut groups = desk.store.groups(&desk.region, &page).map_err(|error| desk.told(error))?;
    let more = groups.len() > limit;
    groups.truncate(limit);
    let next_token = groups.last().filter(|_| more).map(|last| token::after(&last.name));
    let log_groups = groups.into_iter().map(|group| view(desk, group)).collect();
    Ok(DescribeLogGroupsResponse { log_groups: Some(log_groups), next_token })
}

/// Sets how long a group's events are kept.
pub(super) fn put_retention(
    desk: &Desk,
    input: &PutRetentionPolicyRequest,
) -> Result<(), ServiceError> {
    let days = u32::try_from(input.retention_in_days).ok();
    let days = days.filter(|days| RETENTION_DAYS.contains(days));
    let days = days.ok_or_else(|| refusal::retention(input.retention_in_days, &RETENTION_DAYS))?;
    let id = desk.group_id(&input.log_group_name)?;
    desk.store.set_retention(id, Some(days)).map_err(|error| desk.told(error))
}

/// Lets a group's events be kept for ever.
pub(super) fn delete_retention(
    desk: &Desk,
    input: &DeleteRetentionPolicyRequest,
) -> Result<(), ServiceError> {
    let id = desk.group_id(&input.log_group_name)?;
    desk.store.set_retention(id, None).map_err(|error| desk.told(error))
}

/// The number of a page's entries that a request asks for.
pub(super) fn page_size(limit: Option<i32>) -> usize {
    limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(PAGE_DEFAULT)
}

fn describe_these(
    desk: &Desk,
    identifiers: &[String],
) -> Result<DescribeLogGroupsResponse, ServiceError> {
    let mut log_groups = Vec::new();
    for identifier in identifiers {
        let name = names::of_identifier(desk, identifier)?;
        let group = desk.store.group(&desk.region, name).map_err(|error| desk.told(error))?;
        log_groups.extend(group.map(|group| view(desk, group)));
    }
    Ok(DescribeLogGroupsResponse { log_groups: Some(log_groups), next_token: None })
}

fn view(desk: &Desk, group: Group) -> LogGroup {
    let arn = names::group_arn(desk, &group.name);
    LogGroup {
        log_group_name: Some(group.name),
        creation_time: Some(group.created_at),
        retention_in_days: group.retention_days.and_then(|days| i32::try_from(days).ok()),
        metric_filter_count: Some(0),
        arn: Some(format!("{arn}:*")),
        stored_bytes: i64::try_from(group.stored_bytes).ok(),
        log_group_class: Some(match group.class {
            GroupClass::Standard => LogGroupClass::Standard,
            GroupClass::InfrequentAccess => LogGroupClass::InfrequentAccess,
            GroupClass::Delivery => LogGroupClass::Delivery,
        }),
        log_group_arn: Some(arn),
        ..LogGroup::default()
    }
}

fn class(class: &LogGroupClass) -> GroupClass {
    match class {
        LogGroupClass::InfrequentAccess => GroupClass::InfrequentAccess,
        LogGroupClass::Delivery => GroupClass::Delivery,
        // The model's check lets no other through.
        _ => GroupClass::Standard,
    }
}
