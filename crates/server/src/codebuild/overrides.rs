//! StartBuild's overrides, applied to the project as this one build sees it.

use wire::codebuild::{
    EnvironmentVariable, Project, ProjectArtifacts, ProjectEnvironment, ProjectSource,
    StartBuildInput,
};

/// Applies every override of `input`; what has none stays as the project says.
pub(super) fn apply(project: &mut Project, input: &StartBuildInput) {
    source(project.source.get_or_insert_default(), input);
    environment(project.environment.get_or_insert_default(), input);
    replace(&mut project.secondary_sources, &input.secondary_sources_override);
    replace(&mut project.secondary_source_versions, &input.secondary_sources_version_override);
    if let Some(given) = &input.artifacts_override {
        project.artifacts = Some(artifacts(project.artifacts.take(), given));
    }
    replace(&mut project.secondary_artifacts, &input.secondary_artifacts_override);
    replace(&mut project.cache, &input.cache_override);
    replace(&mut project.service_role, &input.service_role_override);
    replace(&mut project.timeout_in_minutes, &input.timeout_in_minutes_override);
    replace(&mut project.queued_timeout_in_minutes, &input.queued_timeout_in_minutes_override);
    replace(&mut project.encryption_key, &input.encryption_key_override);
    replace(&mut project.logs_config, &input.logs_config_override);
    replace(&mut project.auto_retry_limit, &input.auto_retry_limit_override);
}

fn source(source: &mut ProjectSource, input: &StartBuildInput) {
    if let Some(kind) = &input.source_type_override {
        source.r#type = kind.clone();
        // The project's place belongs to the project's type.
        if input.source_location_override.is_none()
            && *kind == wire::codebuild::SourceType::NoSource
        {
            source.location = None;
        }
    }
    replace(&mut source.location, &input.source_location_override);
    replace(&mut source.auth, &input.source_auth_override);
    replace(&mut source.git_clone_depth, &input.git_clone_depth_override);
    replace(&mut source.git_submodules_config, &input.git_submodules_config_override);
    replace(&mut source.buildspec, &input.buildspec_override);
    replace(&mut source.insecure_ssl, &input.insecure_ssl_override);
    replace(&mut source.report_build_status, &input.report_build_status_override);
    replace(&mut source.build_status_config, &input.build_status_config_override);
}

fn environment(environment: &mut ProjectEnvironment, input: &StartBuildInput) {
    if let Some(kind) = &input.environment_type_override {
        environment.r#type = kind.clone();
    }
    if let Some(image) = &input.image_override {
        environment.image.clone_from(image);
    }
    if let Some(compute_type) = &input.compute_type_override {
        environment.compute_type = compute_type.clone();
    }
    replace(&mut environment.certificate, &input.certificate_override);
    replace(&mut environment.privileged_mode, &input.privileged_mode_override);
    replace(&mut environment.registry_credential, &input.registry_credential_override);
    replace(
        &mut environment.image_pull_credentials_type,
        &input.image_pull_credentials_type_override,
    );
    replace(&mut environment.fleet, &input.fleet_override);
    for given in input.environment_variables_override.iter().flatten() {
        variable(environment.environment_variables.get_or_insert_default(), given);
    }
}

/// AWS: overrides of variables are merged by name, not put in place of the project's list.
fn variable(variables: &mut Vec<EnvironmentVariable>, given: &EnvironmentVariable) {
    match variables.iter_mut().find(|variable| variable.name == given.name) {
        Some(variable) => *variable = given.clone(),
        None => variables.push(given.clone()),
    }
}

/// Members that the override leaves out keep the project's value while the type stays the same.
fn artifacts(project: Option<ProjectArtifacts>, given: &ProjectArtifacts) -> ProjectArtifacts {
    let project = project.unwrap_or_default();
    if project.r#type != given.r#type {
        return given.clone();
    }
    let mut merged = project;
    replace(&mut merged.location, &given.location);
    replace(&mut merged.path, &given.path);
    replace(&mut merged.namespace_type, &given.namespace_type);
    replace(&mut merged.name, &given.name);
    replace(&mut merged.packaging, &given.packaging);
    replace(&mut merged.override_artifact_name, &given.override_artifact_name);
    replace(&mut merged.encryption_disabled, &given.encryption_disabled);
    replace(&mut merged.artifact_identifier, &given.artifact_identifier);
    replace(&mut merged.bucket_owner_access, &given.bucket_owner_access);
    merged
}

fn replace<T: Clone>(member: &mut Option<T>, given: &Option<T>) {
    if given.is_some() {
        member.clone_from(given);
    }
}
