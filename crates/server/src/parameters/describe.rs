//! DescribeParameters.

use super::{
    desk::Desk,
    filter::{self, Filters},
    get::page,
    kept::Kept,
    names, refusal,
};
use wire::{
    ServiceError, Timestamp,
    ssm::{DescribeParametersRequest, DescribeParametersResult, ParameterMetadata},
};

/// The page without a limit, which is also the largest. AWS: the same.
const PAGE: usize = 50;

/// Says what is known of the parameters that fit every filter, but not their values.
pub(super) async fn describe(
    desk: &Desk<'_>,
    input: DescribeParametersRequest,
) -> Result<DescribeParametersResult, ServiceError> {
    let filters = match (input.filters, input.parameter_filters) {
        (Some(_), Some(_)) => return Err(refusal::two_filters()),
        (Some(older), None) => Filters::of_older(older),
        (None, filters) => Filters::new(filters.unwrap_or_default(), filter::DESCRIBE)?,
    };
    // Nobody shares parameters with this account.
    let mut found = match input.shared.unwrap_or_default() {
        true => Vec::new(),
        false => desk.all("").await?,
    };
    found.retain(|kept| filters.fit(kept));
    let (found, next_token) = page(found, input.next_token.as_deref(), input.max_results, PAGE)?;
    let parameters = found.into_iter().map(|kept| view(desk, kept)).collect();
    Ok(DescribeParametersResult { parameters: Some(parameters), next_token })
}

fn view(desk: &Desk<'_>, kept: Kept) -> ParameterMetadata {
    let arn = Some(names::arn(desk.caller, &kept.name));
    let newest = kept.newest().clone();
    ParameterMetadata {
        name: Some(kept.name),
        arn,
        r#type: Some(newest.kind),
        key_id: newest.key_id,
        last_modified_date: Some(Timestamp::from_millis(newest.modified_at)),
        last_modified_user: Some(newest.modified_by),
        description: newest.description,
        allowed_pattern: newest.allowed_pattern,
        version: Some(newest.number),
        tier: Some(newest.tier),
        policies: Some(Vec::new()),
        data_type: Some(newest.data_type),
    }
}
