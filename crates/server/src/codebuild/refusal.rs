//! Every sentence with which CodeBuild refuses, each behind a name.

use crate::executors;
use wire::{
    ServiceError,
    codebuild::{AuthType, ServerType, SourceType},
};

/// The project does not exist in this account and region.
// AWS: StartBuild names the project's ARN.
pub(super) fn project_not_found(arn: &str) -> ServiceError {
    not_found(format!("Project cannot be found: {arn}"))
}

/// ListBuildsForProject was asked about a project that does not exist.
pub(super) fn listed_project_not_found(arn: &str) -> ServiceError {
    not_found(format!("The provided project {arn} does not exist"))
}

/// UpdateProject was asked to change a project that does not exist.
pub(super) fn updated_project_not_found(arn: &str) -> ServiceError {
    not_found(format!("Project does not exist: {arn}"))
}

/// The build does not exist in this account and region.
pub(super) fn build_not_found(arn: &str) -> ServiceError {
    not_found(format!("Build does not exist: {arn}"))
}

/// The name is taken.
pub(super) fn project_exists(arn: &str) -> ServiceError {
    ServiceError::refusal(
        "ResourceAlreadyExistsException",
        format!("Project already exists: {arn}"),
    )
}

/// The project has as many builds under way as it allows.
pub(super) fn concurrent_limit(limit: u32) -> ServiceError {
    ServiceError::refusal(
        "AccountLimitExceededException",
        format!("Cannot have more than {limit} active builds for the project"),
    )
}

/// Somebody else changed the same thing at the same moment.
pub(super) fn conflict() -> ServiceError {
    invalid("The resource was changed by another request at the same time. Try again.")
}

/// The service ends, and takes no more builds. Clients try again by themselves.
pub(super) fn stopping() -> ServiceError {
    let message = "The service is being stopped. Try again when it is back.";
    ServiceError { status: 503, ..ServiceError::refusal("ServiceUnavailableException", message) }
}

/// The text is not a build's id.
pub(super) fn build_id() -> ServiceError {
    invalid("Invalid build ID provided")
}

/// A list of ids is empty.
// AWS: this sentence stands before the model's own check of the list's length.
pub(super) fn no_build_ids() -> ServiceError {
    invalid("The input build ID list cannot be empty.")
}

/// The token of a list's next page is not one that a list gave.
pub(super) fn next_token() -> ServiceError {
    invalid("Invalid next token provided")
}

/// The idempotency token was used for another request within its five minutes.
pub(super) fn token_reused() -> ServiceError {
    invalid("The idempotency token was used with different parameters")
}

/// The project's name has characters that a name may not have.
pub(super) fn project_name() -> ServiceError {
    invalid("Only alphanumeric characters, dash, and underscore are supported")
}

/// A source needs a place.
pub(super) fn source_location() -> ServiceError {
    invalid("Project source location is required")
}

/// An S3 source's place is not a bucket and a key.
pub(super) fn source_location_format(location: &str) -> ServiceError {
    invalid(format!("Invalid project source: location must be a valid S3 source: {location}"))
}

/// A Git source's place is not a repository's URL, or holds a password.
// The location itself is not repeated: it may hold what nobody should see.
pub(super) fn source_location_of(kind: &SourceType) -> ServiceError {
    invalid(format!(
        "Invalid project source: location must be the URL of a {kind} repository, without a password"
    ))
}

/// A Git source's place is a folder of this machine that builds may not see.
// Ours: CodeBuild has no such locations.
pub(super) fn source_folder() -> ServiceError {
    invalid(
        "Invalid project source: location must be below a folder that the configuration's \
         sources.folders names",
    )
}

/// A Git source's place is on a host of ssh, for which nothing is set up.
// Ours: CodeBuild has no such locations.
pub(super) fn source_ssh() -> ServiceError {
    invalid(
        "Invalid project source: a location of ssh needs source type GITHUB_ENTERPRISE or \
         GITLAB_SELF_MANAGED, and sources.ssh_key_file in the configuration",
    )
}

/// A source's authorization by a secret does not say which.
pub(super) fn source_auth_resource() -> ServiceError {
    invalid("Invalid project source: auth resource is required for auth type SECRETS_MANAGER")
}

/// Nothing is known of a connection.
// Ours: AWS keeps connections itself.
pub(super) fn credential_connection(arn: &str) -> ServiceError {
    invalid(format!(
        "Nothing is known of the connection {arn}: name the secret that holds its token for it under \
         sources.connections in the configuration, or import a personal access token"
    ))
}

/// There is a credential for the type of server already, and it is not to be replaced.
pub(super) fn credential_exists(server: &ServerType) -> ServiceError {
    ServiceError::refusal(
        "ResourceAlreadyExistsException",
        format!(
            "Access token with server type {server} already exists. Delete its source credential \
             and try again."
        ),
    )
}

/// The type of server does not take credentials of the type, or not by the API.
pub(super) fn credential_auth(server: &ServerType, auth: &AuthType) -> ServiceError {
    invalid(format!("Invalid auth type {auth} for server type {server}"))
}

/// A password without the user whose it is.
pub(super) fn credential_username() -> ServiceError {
    invalid("Username is required for auth type BASIC_AUTH")
}

/// The token should be the ARN of a secret.
pub(super) fn credential_secret() -> ServiceError {
    invalid("Token must be the ARN of a secret for auth type SECRETS_MANAGER")
}

/// A token or a username that cannot be sent.
pub(super) fn credential_characters() -> ServiceError {
    invalid("Token and username must not hold control characters")
}

/// The text is not the ARN of a source credential.
pub(super) fn credential_arn() -> ServiceError {
    invalid("Invalid source credential ARN provided")
}

/// There is no such source credential.
pub(super) fn credential_not_found(arn: &str) -> ServiceError {
    not_found(format!("Source credential cannot be found: {arn}"))
}

/// A source type that CodeBuild does not have.
pub(super) fn source_type() -> ServiceError {
    invalid("Invalid type provided: Project source type")
}

/// An artifact type that CodeBuild does not have.
pub(super) fn artifact_type() -> ServiceError {
    invalid("Invalid type provided: Artifact type")
}

/// Without a source only inline text can be the buildspec.
pub(super) fn no_source_buildspec() -> ServiceError {
    invalid(
        "Invalid project source: a buildspec must be specified inline for source type NO_SOURCE",
    )
}

/// CodePipeline stands on one side only.
pub(super) fn codepipeline_sides() -> ServiceError {
    invalid(
        "Invalid input: when using CodePipeline both sourceType, and artifactType must be set to: \
         CODEPIPELINE",
    )
}

/// A member of `NO_ARTIFACTS` that must be absent.
pub(super) fn no_artifacts_member(member: &str) -> ServiceError {
    invalid(format!("Invalid artifacts: artifact type NO_ARTIFACTS should have null {member}"))
}

/// S3 artifacts need a bucket.
pub(super) fn artifacts_location() -> ServiceError {
    invalid("Invalid artifacts: artifact location is required for type S3")
}

/// The bucket's name holds a slash.
pub(super) fn artifacts_bucket(location: &str) -> ServiceError {
    invalid(format!(
        "Invalid artifacts: location must be a bucket name without slashes: {location}"
    ))
}

/// `encryptionDisabled` or `bucketOwnerAccess` outside of S3.
pub(super) fn artifacts_s3_only(member: &str) -> ServiceError {
    invalid(format!("Invalid artifacts: {member} is only valid for artifact type S3"))
}

/// A secondary source's or artifact's identifier is missing or has other characters.
pub(super) fn identifier() -> ServiceError {
    invalid(
        "identifier must contain only alphanumeric characters and underscores and be less than \
         128 characters in length",
    )
}

/// Two secondary sources or artifacts have one identifier.
pub(super) fn identifier_twice(identifier: &str) -> ServiceError {
    invalid(format!("Invalid input: identifier {identifier} is used more than once"))
}

/// A kind of secondary source or artifact that there is not.
pub(super) fn secondary_type(what: &str, kind: &str) -> ServiceError {
    invalid(format!("Invalid input: {kind} is not valid for a secondary {what}"))
}

/// An environment type or compute type that CodeBuild does not have.
pub(super) fn environment_type(kind: &str) -> ServiceError {
    invalid(format!("Invalid type provided: {kind}"))
}

/// A compute type that CodeBuild does not have.
pub(super) fn compute_type(kind: &str) -> ServiceError {
    invalid(format!("Invalid compute type provided: {kind}"))
}

/// The service role is a role of another account.
pub(super) fn service_role_account() -> ServiceError {
    invalid("Invalid service role: Service role account ID does not match caller's account")
}

/// An idempotency token is too long.
pub(super) fn token_length() -> ServiceError {
    invalid("Invalid idempotency token: it must have at most 64 characters")
}

/// The service role is not a role's ARN.
pub(super) fn service_role() -> ServiceError {
    invalid("Invalid service role: Service role must be a valid role ARN")
}

/// An environment variable's name is empty or not a name.
pub(super) fn variable_name(name: &str) -> ServiceError {
    invalid(format!("Invalid environment variable name: {name}"))
}

/// An environment chooses an executor that it may not have.
pub(super) fn executor(name: &str, allowed: &str) -> ServiceError {
    let variable = executors::VARIABLE;
    invalid(format!(
        "Invalid environment variable {variable}: no executor {name:?} may be chosen here, only \
         {allowed}"
    ))
}

/// An environment's choice of an executor stands in a secret or a parameter.
pub(super) fn executor_type() -> ServiceError {
    let variable = executors::VARIABLE;
    invalid(format!("Invalid environment variable {variable}: its type must be PLAINTEXT"))
}

/// Registry credentials without the service role.
pub(super) fn registry_credential() -> ServiceError {
    invalid("Invalid input: registryCredential requires imagePullCredentialsType SERVICE_ROLE")
}

/// A cache without what its type needs.
pub(super) fn cache(missing: &str) -> ServiceError {
    invalid(format!("Invalid cache: {missing} is required for this cache type"))
}

/// `reportBuildStatus` for a source whose provider has no build status.
pub(super) fn report_build_status() -> ServiceError {
    invalid("Invalid project source: reportBuildStatus is not supported for this source type")
}

/// Tags repeat a key, or there are too many.
pub(super) fn tags(problem: &str) -> ServiceError {
    invalid(format!("Invalid tags: {problem}"))
}

/// A limit that is no limit.
pub(super) fn concurrent_build_limit() -> ServiceError {
    invalid("Invalid concurrent build limit: it must be at least 1")
}

/// Privileged mode, where the operator has not allowed it.
// Ours: AWS's builds have machines of their own.
pub(super) fn privileged_mode() -> ServiceError {
    invalid(
        "Invalid environment: privilegedMode is not allowed here; builds.privileged = true in the \
         service's configuration allows it",
    )
}

/// Privileged mode with an executor that cannot give it.
// Ours.
pub(super) fn privileged_executor(name: &str) -> ServiceError {
    invalid(format!("Invalid environment: privilegedMode is not there with the executor {name}"))
}

/// Something that CodeBuild has and this service cannot build with yet.
// Ours: a build that silently lacked it would be worse.
pub(super) fn not_here_yet(what: &str) -> ServiceError {
    invalid(format!("{what} is not supported by this service yet"))
}

fn invalid(message: impl Into<String>) -> ServiceError {
    ServiceError::refusal("InvalidInputException", message)
}

fn not_found(message: String) -> ServiceError {
    ServiceError::refusal("ResourceNotFoundException", message)
}
