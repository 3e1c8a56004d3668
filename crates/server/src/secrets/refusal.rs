//! Every sentence with which Secrets Manager refuses, each behind a name.

use super::kept::CURRENT;
use wire::{
    ServiceError,
    secretsmanager::{SERVICE, error},
};

/// The name has a character that names do not have.
pub(super) fn name() -> ServiceError {
    ServiceError::refusal(
        SERVICE.invalid_input,
        "Invalid name. Must be a valid name containing alphanumeric characters, or any of the \
         following: -/_+=.@!",
    )
}

/// There is no such secret in the caller's account and region.
pub(super) fn no_secret() -> ServiceError {
    error::resource_not_found("Secrets Manager can't find the specified secret.")
}

/// No version has the staging label.
pub(super) fn no_stage(stage: &str) -> ServiceError {
    error::resource_not_found(format!(
        "Secrets Manager can't find the specified secret value for staging label: {stage}"
    ))
}

/// There is no version of this id.
pub(super) fn no_version(id: &str) -> ServiceError {
    error::resource_not_found(format!(
        "Secrets Manager can't find the specified secret value for VersionId: {id}"
    ))
}

/// Version and stage were given and do not belong together.
pub(super) fn stage_of_another_version() -> ServiceError {
    error::invalid_request(
        "You provided a VersionStage that is not associated to the provided VersionId.",
    )
}

/// The secret is to be deleted.
pub(super) fn marked_for_deletion() -> ServiceError {
    error::invalid_request(
        "You can't perform this operation on the secret because it was marked for deletion.",
    )
}

/// A secret is made in the place of one that is to be deleted.
pub(super) fn name_marked_for_deletion() -> ServiceError {
    error::invalid_request(
        "You can't create this secret because a secret with this name is already scheduled for \
         deletion.",
    )
}

/// There is a secret of this name.
pub(super) fn exists(name: &str) -> ServiceError {
    error::resource_exists(format!(
        "The operation failed because the secret {name} already exists."
    ))
}

/// The token belongs to a version with another value.
pub(super) fn token_reused(token: &str, arn: &str) -> ServiceError {
    error::resource_exists(format!(
        "You can't use ClientRequestToken {token} because that value is already in use for a \
         version of secret {arn}."
    ))
}

/// Neither kind of value was given.
pub(super) fn no_value() -> ServiceError {
    error::invalid_request("You must provide either SecretString or SecretBinary.")
}

/// Both kinds of value were given.
pub(super) fn two_values() -> ServiceError {
    error::invalid_parameter("You can't specify both a SecretString and a SecretBinary.")
}

/// A binary value is empty or too long.
pub(super) fn binary_length(bytes_max: usize) -> ServiceError {
    ServiceError::refusal(
        SERVICE.invalid_input,
        format!(
            "1 validation error detected: Value at 'secretBinary' failed to satisfy constraint: \
             Member must have length between 1 and {bytes_max}, inclusive"
        ),
    )
}

/// Both ways to delete were asked for.
pub(super) fn window_and_force() -> ServiceError {
    error::invalid_parameter(
        "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.",
    )
}

/// The recovery window is none.
pub(super) fn window() -> ServiceError {
    error::invalid_parameter(
        "The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).",
    )
}

/// A label is to move away from a version that the caller has not named.
pub(super) fn remove_from_missing(stage: &str, version: &str) -> ServiceError {
    error::invalid_parameter(format!(
        "The parameter RemoveFromVersionId can't be empty. Staging label {stage} is currently \
         attached to version {version}, so you must explicitly reference that version in \
         RemoveFromVersionId."
    ))
}

/// A label is to be taken from a version that does not have it.
pub(super) fn remove_from_wrong(stage: &str, version: &str) -> ServiceError {
    error::invalid_parameter(format!(
        "The parameter RemoveFromVersionId isn't valid. Staging label {stage} is not attached to \
         version {version}."
    ))
}

/// The current version would have no successor.
pub(super) fn current_removed() -> ServiceError {
    error::invalid_parameter(format!(
        "You can only move staging label {CURRENT} to a different secret version. It can't be \
         completely removed."
    ))
}

/// A label is to be moved to a version that is not there.
pub(super) fn not_a_version(id: &str) -> ServiceError {
    error::invalid_parameter(format!("Not a valid version: {id}"))
}

/// A label is to be moved neither from nor to anywhere.
pub(super) fn no_version_given() -> ServiceError {
    error::invalid_parameter("You must specify RemoveFromVersionId or MoveToVersionId.")
}

/// A version would have too many labels.
pub(super) fn too_many_stages(max: usize) -> ServiceError {
    error::limit_exceeded(format!("A secret version can have at most {max} staging labels."))
}

/// The token of a next page is not one that was given.
pub(super) fn next_token() -> ServiceError {
    error::invalid_next_token("Invalid NextToken.")
}

/// Something of AWS's that is not here; ignoring it would be a lie.
pub(super) fn not_here_yet(member: &str) -> ServiceError {
    error::invalid_parameter(format!("{member} is not supported by this service yet"))
}

/// A secret would have too many tags.
pub(super) fn too_many_tags(max: usize) -> ServiceError {
    error::invalid_parameter(format!("A secret can have at most {max} tags."))
}

/// A tag is not one.
pub(super) fn tag(problem: &str) -> ServiceError {
    error::invalid_parameter(format!("Invalid tag: {problem}"))
}

/// BatchGetSecretValue was told neither or both.
pub(super) fn list_or_filters() -> ServiceError {
    error::invalid_parameter("You must include Filters or SecretIdList, but not both.")
}

/// A page size goes with filters alone.
pub(super) fn page_of_a_list() -> ServiceError {
    error::invalid_parameter("You can't use MaxResults with SecretIdList.")
}

/// A password cannot be made of what is left.
pub(super) fn no_characters() -> ServiceError {
    error::invalid_parameter("The password can't be made: every character is excluded.")
}

/// A password is too short for one character of each kind.
pub(super) fn password_length(kinds: usize) -> ServiceError {
    error::invalid_parameter(format!(
        "Password length {kinds} or more is required when each included type is required."
    ))
}

/// The key that the value was sealed under is not there.
pub(super) fn cannot_decrypt() -> ServiceError {
    error::decryption_failure(
        "Secrets Manager can't decrypt the protected secret text: the service's own log says why.",
    )
}

/// There is no key to seal the value under.
pub(super) fn cannot_encrypt() -> ServiceError {
    error::encryption_failure(
        "Secrets Manager can't encrypt the protected secret text: the service's own log says why.",
    )
}
