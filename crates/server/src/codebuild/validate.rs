//! What a project must be, beyond what the model's constraints say: the rules between its members.

use super::refusal;
use crate::{
    config::Config,
    executors::{ExecutorName, NotChosen},
    provision::is_inline_buildspec,
    sources::{self, Location, Scheme},
};
use std::collections::HashSet;
use wire::{
    ServiceError,
    codebuild::{
        ArtifactsType, BucketOwnerAccess, CacheType, ComputeType, EnvironmentType,
        ImagePullCredentialsType, Project, ProjectArtifacts, ProjectCache, ProjectEnvironment,
        ProjectSource, SourceAuthType, SourceType, Tag,
    },
};

type Checked = Result<(), ServiceError>;

/// Refuses a project that CodeBuild would refuse.
pub(super) fn project(project: &Project, account_id: &str) -> Checked {
    let source = project.source.clone().unwrap_or_default();
    let artifacts = project.artifacts.clone().unwrap_or_default();
    self::source(&source)?;
    self::artifacts(&artifacts)?;
    let pipelines = (source.r#type == SourceType::Codepipeline)
        .ne(&(artifacts.r#type == ArtifactsType::Codepipeline));
    if pipelines {
        return Err(refusal::codepipeline_sides());
    }
    secondary_sources(project.secondary_sources.as_deref().unwrap_or_default())?;
    secondary_artifacts(project.secondary_artifacts.as_deref().unwrap_or_default())?;
    environment(&project.environment.clone().unwrap_or_default())?;
    cache(project.cache.as_ref())?;
    tags(project.tags.as_deref().unwrap_or_default())?;
    service_role(project.service_role.as_deref().unwrap_or_default(), account_id)?;
    match project.concurrent_build_limit {
        Some(limit) if limit < 1 => Err(refusal::concurrent_build_limit()),
        _ => Ok(()),
    }
}

fn source(source: &ProjectSource) -> Checked {
    let location = source.location.as_deref().unwrap_or_default();
    let reports = source.report_build_status.unwrap_or_default();
    match source.r#type {
        SourceType::Unknown(_) => return Err(refusal::source_type()),
        SourceType::NoSource => {
            if !source.buildspec.as_deref().is_some_and(is_inline_buildspec) {
                return Err(refusal::no_source_buildspec());
            }
        }
        SourceType::Codepipeline => {}
        SourceType::S3 => {
            let place = location.strip_prefix("arn:aws:s3:::").unwrap_or(location);
            if location.is_empty() {
                return Err(refusal::source_location());
            }
            if place.split_once('/').is_none_or(|(bucket, _)| bucket.is_empty()) {
                return Err(refusal::source_location_format(location));
            }
        }
        SourceType::Codecommit
        | SourceType::Github
        | SourceType::Gitlab
        | SourceType::GitlabSelfManaged
        | SourceType::Bitbucket
        | SourceType::GithubEnterprise => {
            if location.is_empty() {
                return Err(refusal::source_location());
            }
            if Location::parse(location).is_none() {
                return Err(refusal::source_location_of(&source.r#type));
            }
        }
    }
    if let Some(auth) = &source.auth
        && auth.r#type == SourceAuthType::SecretsManager
        && auth.resource.as_deref().unwrap_or_default().is_empty()
    {
        return Err(refusal::source_auth_resource());
    }
    let can_report = matches!(
        source.r#type,
        SourceType::Github
            | SourceType::GithubEnterprise
            | SourceType::Bitbucket
            | SourceType::Gitlab
            | SourceType::GitlabSelfManaged
    );
    if reports && !can_report { Err(refusal::report_build_status()) } else { Ok(()) }
}

fn artifacts(artifacts: &ProjectArtifacts) -> Checked {
    let location = artifacts.location.as_deref().unwrap_or_default();
    match artifacts.r#type {
        ArtifactsType::Unknown(_) => return Err(refusal::artifact_type()),
        ArtifactsType::NoArtifacts => {
            // AWS: the API's description says that these are ignored; the service refuses them.
            let members = [
                ("location", artifacts.location.is_some()),
                ("path", artifacts.path.is_some()),
                ("output name", artifacts.name.is_some()),
            ];
            if let Some((member, _)) = members.into_iter().find(|(_, given)| *given) {
                return Err(refusal::no_artifacts_member(member));
            }
        }
        ArtifactsType::Codepipeline => {}
        ArtifactsType::S3 => {
            if location.is_empty() {
                return Err(refusal::artifacts_location());
            }
            if location.strip_prefix("arn:aws:s3:::").unwrap_or(location).contains('/') {
                return Err(refusal::artifacts_bucket(location));
            }
        }
    }
    let s3 = artifacts.r#type == ArtifactsType::S3;
    let owner_access = artifacts
        .bucket_owner_access
        .as_ref()
        .is_some_and(|access| *access != BucketOwnerAccess::None);
    match artifacts.encryption_disabled {
        Some(true) if !s3 => Err(refusal::artifacts_s3_only("encryptionDisabled")),
        _ if owner_access && !s3 => Err(refusal::artifacts_s3_only("bucketOwnerAccess")),
        _ => Ok(()),
    }
}

fn secondary_sources(sources: &[ProjectSource]) -> Checked {
    identifiers(sources.iter().map(|source| source.source_identifier.as_deref()))?;
    for source in sources {
        if matches!(source.r#type, SourceType::Codepipeline | SourceType::NoSource) {
            return Err(refusal::secondary_type("source", source.r#type.as_str()));
        }
        self::source(source)?;
    }
    Ok(())
}

fn secondary_artifacts(artifacts: &[ProjectArtifacts]) -> Checked {
    identifiers(artifacts.iter().map(|artifacts| artifacts.artifact_identifier.as_deref()))?;
    for artifacts in artifacts {
        if artifacts.r#type == ArtifactsType::Codepipeline {
            return Err(refusal::secondary_type("artifact", artifacts.r#type.as_str()));
        }
        self::artifacts(artifacts)?;
    }
    Ok(())
}

fn identifiers<'a>(identifiers: impl Iterator<Item = Option<&'a str>>) -> Checked {
    let mut seen = HashSet::new();
    for identifier in identifiers {
        let identifier = identifier.unwrap_or_default();
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        if identifier.is_empty() || identifier.len() >= 128 || !identifier.bytes().all(plain) {
            return Err(refusal::identifier());
        }
        if !seen.insert(identifier) {
            return Err(refusal::identifier_twice(identifier));
        }
    }
    Ok(())
}

fn environment(environment: &ProjectEnvironment) -> Checked {
    if let EnvironmentType::Unknown(kind) = &environment.r#type {
        return Err(refusal::environment_type(kind));
    }
    if let ComputeType::Unknown(kind) = &environment.compute_type {
        return Err(refusal::compute_type(kind));
    }
    for variable in environment.environment_variables.iter().flatten() {
        if variable.name.contains(['=', '\0']) || variable.value.contains('\0') {
            return Err(refusal::variable_name(&variable.name));
        }
    }
    let service_role =
        environment.image_pull_credentials_type == Some(ImagePullCredentialsType::ServiceRole);
    if environment.registry_credential.is_some() && !service_role {
        return Err(refusal::registry_credential());
    }
    Ok(())
}

fn cache(cache: Option<&ProjectCache>) -> Checked {
    let Some(cache) = cache else { return Ok(()) };
    match cache.r#type {
        CacheType::S3 if cache.location.as_deref().unwrap_or_default().is_empty() => {
            Err(refusal::cache("location"))
        }
        CacheType::Local if cache.modes.as_deref().unwrap_or_default().is_empty() => {
            Err(refusal::cache("modes"))
        }
        _ => Ok(()),
    }
}

fn tags(tags: &[Tag]) -> Checked {
    let mut seen = HashSet::new();
    match tags.iter().find(|tag| !seen.insert(&tag.key)) {
        Some(_) => Err(refusal::tags("a key is given more than once")),
        None => Ok(()),
    }
}

fn service_role(role: &str, account_id: &str) -> Checked {
    // AWS: the role's trust is checked too. There are no roles here: the name of any of the
    // account's roles will do, and it names the build's session.
    let (Some((_, rest)), true) = (role.split_once(":iam::"), role.starts_with("arn:")) else {
        return Err(refusal::service_role());
    };
    match rest.split_once(":role/") {
        Some((account, _)) if account == account_id => Ok(()),
        Some(_) => Err(refusal::service_role_account()),
        None => Err(refusal::service_role()),
    }
}

/// Refuses a build with something that CodeBuild can do and this service cannot do yet.
pub(super) fn buildable(project: &Project, config: &Config) -> Checked {
    let environment = project.environment.clone().unwrap_or_default();
    let sources = project.source.iter().chain(project.secondary_sources.iter().flatten());
    for source in sources {
        buildable_source(source, config)?;
    }
    if environment.r#type != EnvironmentType::LinuxContainer {
        let what = format!("Environment type {}", environment.r#type);
        return Err(refusal::not_here_yet(&what));
    }
    let s3_logs = project.logs_config.as_ref().and_then(|logs| logs.s3_logs.as_ref());
    let fleet = environment.fleet.as_ref().and_then(|fleet| fleet.fleet_arn.as_ref());
    let lacking = [
        ("A fleet", fleet.is_some()),
        ("A Docker server", environment.docker_server.is_some()),
        ("Logs to S3", s3_logs.is_some_and(|logs| logs.status.as_str() == "ENABLED")),
        ("A file system location", project.file_system_locations.iter().flatten().count() > 0),
    ];
    match lacking.into_iter().find(|(_, wanted)| *wanted) {
        Some((what, _)) => Err(refusal::not_here_yet(what)),
        None if environment.privileged_mode.unwrap_or_default() => privileged(project, config),
        None => Ok(()),
    }
}

/// A build in privileged mode needs that the operator allows it, and an executor that can.
fn privileged(project: &Project, config: &Config) -> Checked {
    if !config.builds.privileged {
        return Err(refusal::privileged_mode());
    }
    match executor(project, config)? {
        ExecutorName::Sandbox => Ok(()),
        other => Err(refusal::privileged_executor(other.as_str())),
    }
}

/// The executor that the project's environment chooses.
pub(super) fn executor(project: &Project, config: &Config) -> Result<ExecutorName, ServiceError> {
    let environment = project.environment.as_ref();
    let variables = environment.and_then(|one| one.environment_variables.as_deref());
    config.executors.chosen(variables.unwrap_or_default()).map_err(|problem| match problem {
        NotChosen::NotAllowed { name, allowed } => refusal::executor(&name, &allowed),
        NotChosen::NotPlain => refusal::executor_type(),
    })
}

fn buildable_source(source: &ProjectSource, config: &Config) -> Checked {
    match source.r#type {
        SourceType::S3 | SourceType::NoSource => return Ok(()),
        SourceType::Codepipeline | SourceType::Unknown(_) => {
            let what = format!("A build from source type {}", source.r#type);
            return Err(refusal::not_here_yet(&what));
        }
        SourceType::Codecommit
        | SourceType::Github
        | SourceType::GithubEnterprise
        | SourceType::Gitlab
        | SourceType::GitlabSelfManaged
        | SourceType::Bitbucket => {}
    }
    let location = source.location.as_deref().unwrap_or_default();
    let location =
        Location::parse(location).ok_or_else(|| refusal::source_location_of(&source.r#type))?;
    match location.scheme {
        Scheme::Https | Scheme::Http => Ok(()),
        Scheme::Ssh => match source.r#type {
            SourceType::GithubEnterprise | SourceType::GitlabSelfManaged
                if config.sources.ssh_key_file.is_some() =>
            {
                Ok(())
            }
            _ => Err(refusal::source_ssh()),
        },
        Scheme::File => {
            let submodules = source.git_submodules_config.as_ref();
            let submodules = submodules.is_some_and(|config| config.fetch_submodules);
            match sources::mount(&config.sources.folders, &location, submodules) {
                Some(_) => Ok(()),
                None => Err(refusal::source_folder()),
            }
        }
    }
}
