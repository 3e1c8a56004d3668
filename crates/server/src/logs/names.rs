//! The names that things have in requests and answers: ARNs, and names that may be ARNs.

use super::{desk::Desk, refusal};
use wire::ServiceError;

/// The ARN of a group, without what stands for its streams.
pub(super) fn group_arn(desk: &Desk, group: &str) -> String {
    format!("arn:aws:logs:{}:{}:log-group:{group}", desk.region, desk.account_id)
}

/// The ARN of a stream.
pub(super) fn stream_arn(desk: &Desk, group: &str, stream: &str) -> String {
    format!("{}:log-stream:{stream}", group_arn(desk, group))
}

/// The name of the group that a request names in one of two ways.
pub(super) fn one_of<'a>(
    desk: &Desk,
    name: Option<&'a str>,
    identifier: Option<&'a str>,
) -> Result<&'a str, ServiceError> {
    match (name, identifier) {
        (Some(name), None) => Ok(name),
        (None, Some(identifier)) => of_identifier(desk, identifier),
        (Some(_), Some(_)) | (None, None) => Err(refusal::name_or_identifier()),
    }
}

/// The name of the group that is meant by a name or an ARN.
pub(super) fn of_identifier<'a>(desk: &Desk, identifier: &'a str) -> Result<&'a str, ServiceError> {
    if identifier.starts_with("arn:") { of_arn(desk, identifier) } else { Ok(identifier) }
}

/// The name of the group that an ARN means, with or without `:*` at its end.
pub(super) fn of_arn<'a>(desk: &Desk, arn: &'a str) -> Result<&'a str, ServiceError> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", _partition, "logs", region, account, resource] = parts[..] else {
        return Err(refusal::group_arn(arn));
    };
    let name = resource.strip_prefix("log-group:").ok_or_else(|| refusal::group_arn(arn))?;
    let name = name.strip_suffix(":*").unwrap_or(name);
    if name.is_empty() || name.contains(':') {
        return Err(refusal::group_arn(arn));
    }
    if region != desk.region || account != &*desk.account_id {
        return Err(refusal::no_group());
    }
    Ok(name)
}
