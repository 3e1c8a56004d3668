//! Every sentence with which CloudWatch Logs refuses, each behind a name.

use store::logs::PatternError;
use wire::{ServiceError, logs::error};

/// CreateLogGroup found one of the name.
pub(super) fn group_exists() -> ServiceError {
    error::resource_already_exists("The specified log group already exists")
}

/// There is no group of this name in the caller's account and region.
pub(super) fn no_group() -> ServiceError {
    error::resource_not_found("The specified log group does not exist.")
}

/// CreateLogStream found one of the name.
pub(super) fn stream_exists() -> ServiceError {
    error::resource_already_exists("The specified log stream already exists")
}

/// There is no stream of this name in the group.
pub(super) fn no_stream() -> ServiceError {
    error::resource_not_found("The specified log stream does not exist.")
}

/// The name is one of AWS's own.
pub(super) fn reserved_name() -> ServiceError {
    error::invalid_parameter("Log groups starting with AWS/ are reserved for AWS.")
}

/// Keys of KMS are not honoured, and ignoring one would be a lie.
pub(super) fn no_kms() -> ServiceError {
    error::invalid_parameter("kmsKeyId is not supported by this service yet")
}

/// Deletion protection is not honoured, and ignoring it would be a lie.
pub(super) fn no_deletion_protection() -> ServiceError {
    error::invalid_parameter("deletionProtectionEnabled is not supported by this service yet")
}

/// The token of a next page is not one that was given for this.
pub(super) fn token() -> ServiceError {
    error::invalid_parameter("The specified nextToken is invalid.")
}

/// DescribeLogGroups was given both.
pub(super) fn prefix_and_pattern() -> ServiceError {
    error::invalid_parameter(
        "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.",
    )
}

/// DescribeLogStreams was given a prefix and an order that does not go with one.
pub(super) fn prefix_and_last_event() -> ServiceError {
    error::invalid_parameter("Cannot order by LastEventTime with a logStreamNamePrefix.")
}

/// A group is to be named in one of two ways.
pub(super) fn name_or_identifier() -> ServiceError {
    error::invalid_parameter("Exactly one of logGroupName and logGroupIdentifier is required.")
}

/// FilterLogEvents was given both.
pub(super) fn names_and_prefix() -> ServiceError {
    error::invalid_parameter(
        "logStreamNamePrefix and logStreamNames are mutually exclusive parameters.",
    )
}

/// The text is not the ARN of a log group.
pub(super) fn group_arn(arn: &str) -> ServiceError {
    error::invalid_parameter(format!("Invalid log group ARN: {arn}"))
}

/// The number of days is not one of those that there are.
pub(super) fn retention(days: i32, choices: &[u32]) -> ServiceError {
    let choices: Vec<_> = choices.iter().map(u32::to_string).collect();
    error::invalid_parameter(format!(
        "1 validation error detected: Value '{days}' at 'retentionInDays' failed to satisfy \
         constraint: Member must satisfy enum value set: [{}]",
        choices.join(", ")
    ))
}

/// The events of a batch are not sorted.
pub(super) fn not_chronological() -> ServiceError {
    error::invalid_parameter(
        "Log events in a single PutLogEvents request must be in chronological order.",
    )
}

/// The events of a batch are too far apart.
pub(super) fn batch_too_long() -> ServiceError {
    error::invalid_parameter(
        "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.",
    )
}

/// A batch has too many bytes.
pub(super) fn batch_too_large(bytes: usize, max: usize) -> ServiceError {
    error::invalid_parameter(format!("Upload too large: {bytes} bytes exceeds limit of {max}"))
}

/// An event has too many bytes.
pub(super) fn event_too_large(bytes: usize, max: usize) -> ServiceError {
    error::invalid_parameter(format!("Log event too large: {bytes} bytes exceeds limit of {max}"))
}

/// The filter pattern is none.
pub(super) fn pattern(problem: &PatternError) -> ServiceError {
    error::invalid_parameter(match problem {
        PatternError::Term(term) => format!("Invalid character(s) in term '{term}'"),
        PatternError::Syntax(problem) => format!("Invalid filter pattern: {problem}"),
    })
}

/// A group would have too many tags.
pub(super) fn too_many_tags(max: usize) -> ServiceError {
    error::too_many_tags(format!("The maximum number of tags per resource is {max}."))
}

/// A tag's key is one of AWS's own.
pub(super) fn reserved_tag() -> ServiceError {
    error::invalid_parameter("Tag keys starting with aws: are reserved for AWS.")
}

/// There are as many live tails as there may be.
pub(super) fn too_many_live_tails(max: usize) -> ServiceError {
    error::limit_exceeded(format!("There are already {max} live tail sessions in this account."))
}

/// A live tail of several groups was to be of certain streams.
pub(super) fn streams_of_many_groups() -> ServiceError {
    error::invalid_parameter(
        "logStreamNames and logStreamNamePrefixes need exactly one log group identifier.",
    )
}

/// A live tail was given both.
pub(super) fn names_and_prefixes() -> ServiceError {
    error::invalid_parameter(
        "logStreamNames and logStreamNamePrefixes are mutually exclusive parameters.",
    )
}
