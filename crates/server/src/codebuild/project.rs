//! CreateProject, UpdateProject, DeleteProject, BatchGetProjects, ListProjects.
//!
//! A project is kept as the shape that it is given back as, with CodeBuild's defaults filled in.

use super::{CodeBuildService, page, refusal, validate};
use build_core::{ProjectName, limits};
use serde::de::DeserializeOwned;
use store::{Change, CommitError, Expect, Record};
use wire::{
    Caller, ServiceError, Timestamp,
    codebuild::{
        ArtifactNamespace, ArtifactPackaging, ArtifactsType, BatchGetProjectsInput,
        BatchGetProjectsOutput, CacheType, CreateProjectInput, CreateProjectOutput,
        DeleteProjectInput, DeleteProjectOutput, ImagePullCredentialsType, ListProjectsInput,
        ListProjectsOutput, Project, ProjectArtifacts, ProjectBadge, ProjectCache,
        ProjectEnvironment, ProjectSortByType, ProjectSource, ProjectVisibilityType, SortOrderType,
        SourceType, UpdateProjectInput, UpdateProjectOutput,
    },
};

/// The collection that projects are kept in.
pub(super) const PROJECTS: store::Collection = store::Collection::new("project");

/// A project and the version it was read at.
pub(super) struct Kept {
    pub(super) project: Project,
    pub(super) version: u64,
}

/// Makes a project.
pub(super) async fn create(
    service: &CodeBuildService,
    caller: &Caller,
    input: CreateProjectInput,
) -> Result<CreateProjectOutput, ServiceError> {
    let name = ProjectName::new(input.name.clone()).ok_or_else(refusal::project_name)?;
    let now = Some(Timestamp::from_millis(service.now_millis()));
    let arn = project_arn(caller, name.as_str());
    let mut project = Project {
        name: Some(input.name),
        arn: Some(arn.clone()),
        description: input.description,
        source: Some(input.source),
        secondary_sources: input.secondary_sources,
        source_version: input.source_version,
        secondary_source_versions: input.secondary_source_versions,
        artifacts: Some(input.artifacts),
        secondary_artifacts: input.secondary_artifacts,
        cache: input.cache,
        environment: Some(input.environment),
        service_role: Some(input.service_role),
        timeout_in_minutes: input.timeout_in_minutes,
        queued_timeout_in_minutes: input.queued_timeout_in_minutes,
        encryption_key: input.encryption_key,
        tags: input.tags,
        created: now,
        last_modified: now,
        vpc_config: input.vpc_config,
        badge: Some(badge(input.badge_enabled)),
        logs_config: input.logs_config,
        file_system_locations: input.file_system_locations,
        build_batch_config: input.build_batch_config,
        concurrent_build_limit: input.concurrent_build_limit.filter(|limit| *limit != -1),
        project_visibility: Some(ProjectVisibilityType::Private),
        auto_retry_limit: input.auto_retry_limit,
        ..Project::default()
    };
    validate::project(&project, &caller.account_id)?;
    fill_in(&mut project, caller);
    let put = put(caller, name.as_str(), &project, Expect::Absent);
    match service.store.commit(vec![put]).await {
        Ok(()) => Ok(CreateProjectOutput { project: Some(project) }),
        Err(CommitError::Conflict { .. }) => Err(refusal::project_exists(&arn)),
        Err(CommitError::Fault(fault)) => Err(service.fault(caller, &fault)),
    }
}

/// Changes the members that are given; an empty list or text clears its member.
pub(super) async fn update(
    service: &CodeBuildService,
    caller: &Caller,
    input: UpdateProjectInput,
) -> Result<UpdateProjectOutput, ServiceError> {
    let name = input.name.clone();
    let arn = project_arn(caller, &name);
    let Some(Kept { mut project, version }) = find(service, caller, &name).await? else {
        return Err(refusal::updated_project_not_found(&arn));
    };
    change(&mut project, input);
    project.last_modified = Some(Timestamp::from_millis(service.now_millis()));
    validate::project(&project, &caller.account_id)?;
    fill_in(&mut project, caller);
    let put = put(caller, &name, &project, Expect::Version(version));
    match service.store.commit(vec![put]).await {
        Ok(()) => Ok(UpdateProjectOutput { project: Some(project) }),
        Err(CommitError::Conflict { .. }) => Err(refusal::conflict()),
        Err(CommitError::Fault(fault)) => Err(service.fault(caller, &fault)),
    }
}

fn change(project: &mut Project, input: UpdateProjectInput) {
    fn replace<T>(member: &mut Option<T>, given: Option<T>) {
        if given.is_some() {
            *member = given;
        }
    }
    replace(&mut project.description, input.description);
    replace(&mut project.source, input.source);
    replace(&mut project.secondary_sources, input.secondary_sources);
    replace(&mut project.source_version, input.source_version);
    replace(&mut project.secondary_source_versions, input.secondary_source_versions);
    replace(&mut project.artifacts, input.artifacts);
    replace(&mut project.secondary_artifacts, input.secondary_artifacts);
    replace(&mut project.cache, input.cache);
    replace(&mut project.environment, input.environment);
    replace(&mut project.service_role, input.service_role);
    replace(&mut project.timeout_in_minutes, input.timeout_in_minutes);
    replace(&mut project.queued_timeout_in_minutes, input.queued_timeout_in_minutes);
    replace(&mut project.encryption_key, input.encryption_key);
    // AWS: the tags given are all the tags that there are.
    replace(&mut project.tags, input.tags);
    replace(&mut project.vpc_config, input.vpc_config);
    replace(&mut project.logs_config, input.logs_config);
    replace(&mut project.file_system_locations, input.file_system_locations);
    replace(&mut project.build_batch_config, input.build_batch_config);
    replace(&mut project.auto_retry_limit, input.auto_retry_limit);
    if input.badge_enabled.is_some() {
        project.badge = Some(badge(input.badge_enabled));
    }
    match input.concurrent_build_limit {
        Some(-1) => project.concurrent_build_limit = None,
        given => replace(&mut project.concurrent_build_limit, given),
    }
}

/// Removes a project; its builds stay.
// AWS: the operation declares no ResourceNotFoundException, so a missing project is no error.
pub(super) async fn delete(
    service: &CodeBuildService,
    caller: &Caller,
    input: DeleteProjectInput,
) -> Result<DeleteProjectOutput, ServiceError> {
    let delete = Change::DeleteRecord {
        collection: PROJECTS,
        region: caller.region.clone(),
        key: name_of(&input.name).to_owned(),
    };
    match service.store.commit(vec![delete]).await {
        Ok(()) => Ok(DeleteProjectOutput::default()),
        Err(CommitError::Conflict { .. }) => Err(refusal::conflict()),
        Err(CommitError::Fault(fault)) => Err(service.fault(caller, &fault)),
    }
}

/// Gives projects by name or ARN, in the order asked for.
pub(super) async fn batch_get(
    service: &CodeBuildService,
    caller: &Caller,
    input: BatchGetProjectsInput,
) -> Result<BatchGetProjectsOutput, ServiceError> {
    let (mut projects, mut not_found) = (Vec::new(), Vec::new());
    for name in input.names {
        match find(service, caller, &name).await? {
            Some(kept) => projects.push(kept.project),
            None => not_found.push(name),
        }
    }
    Ok(BatchGetProjectsOutput { projects: Some(projects), projects_not_found: Some(not_found) })
}

/// Lists project names, a hundred at a time.
pub(super) async fn list(
    service: &CodeBuildService,
    caller: &Caller,
    input: ListProjectsInput,
) -> Result<ListProjectsOutput, ServiceError> {
    let records = service
        .store
        .records(PROJECTS, &caller.region, store::Page::all())
        .await
        .map_err(|fault| service.fault(caller, &fault))?;
    let by = input.sort_by.unwrap_or(ProjectSortByType::Name);
    let mut names = Vec::with_capacity(records.len());
    for record in records {
        let project: Project = parse(service, caller, &record)?;
        let order = match by {
            ProjectSortByType::CreatedTime => project.created.map_or(0, Timestamp::millis),
            ProjectSortByType::LastModifiedTime => {
                project.last_modified.map_or(0, Timestamp::millis)
            }
            ProjectSortByType::Name | ProjectSortByType::Unknown(_) => 0,
        };
        names.push((order, project.name.unwrap_or_default()));
    }
    names.sort();
    if input.sort_order == Some(SortOrderType::Descending) {
        names.reverse();
    }
    let names: Vec<String> = names.into_iter().map(|(_, name)| name).collect();
    let start = page::position(input.next_token.as_deref())?;
    let end = (start + limits::PAGE_ENTRIES).min(names.len());
    Ok(ListProjectsOutput {
        next_token: (end < names.len()).then(|| page::token(end)),
        projects: Some(names.get(start..end).unwrap_or_default().to_vec()),
    })
}

/// Reads a project by name or ARN.
pub(super) async fn find(
    service: &CodeBuildService,
    caller: &Caller,
    name: &str,
) -> Result<Option<Kept>, ServiceError> {
    let record = service
        .store
        .record(PROJECTS, &caller.region, name_of(name))
        .await
        .map_err(|fault| service.fault(caller, &fault))?;
    let Some(record) = record else { return Ok(None) };
    let project = parse(service, caller, &record)?;
    Ok(Some(Kept { project, version: record.version }))
}

fn parse<T: DeserializeOwned>(
    service: &CodeBuildService,
    caller: &Caller,
    record: &Record,
) -> Result<T, ServiceError> {
    serde_json::from_str(&record.document).map_err(|error| service.fault(caller, &error))
}

fn put(caller: &Caller, name: &str, project: &Project, expect: Expect) -> Change {
    Change::PutRecord {
        collection: PROJECTS,
        region: caller.region.clone(),
        key: name.to_owned(),
        document: serde_json::to_string(project).expect("shapes have only text keys"),
        expect,
    }
}

/// A project's ARN.
pub(super) fn project_arn(caller: &Caller, name: &str) -> String {
    let name = name_of(name);
    format!("arn:aws:codebuild:{}:{}:project/{name}", caller.region, caller.account_id)
}

/// The name in a name or an ARN.
pub(super) fn name_of(name_or_arn: &str) -> &str {
    match name_or_arn.starts_with("arn:") {
        true => name_or_arn.rsplit_once(":project/").map_or(name_or_arn, |(_, name)| name),
        false => name_or_arn,
    }
}

fn badge(enabled: Option<bool>) -> ProjectBadge {
    ProjectBadge { badge_enabled: Some(enabled.unwrap_or_default()), badge_request_url: None }
}

/// Fills in what CodeBuild fills in.
pub(super) fn fill_in(project: &mut Project, caller: &Caller) {
    let name = project.name.clone().unwrap_or_default();
    fn or<T>(member: &mut Option<T>, default: T) {
        if member.is_none() {
            *member = Some(default);
        }
    }
    or(&mut project.timeout_in_minutes, default_minutes(limits::TIMEOUT_MINUTES_DEFAULT));
    or(
        &mut project.queued_timeout_in_minutes,
        default_minutes(limits::QUEUED_TIMEOUT_MINUTES_DEFAULT),
    );
    let key = format!("arn:aws:kms:{}:{}:alias/aws/s3", caller.region, caller.account_id);
    or(&mut project.encryption_key, key);
    or(&mut project.cache, ProjectCache { r#type: CacheType::NoCache, ..ProjectCache::default() });
    if let Some(source) = &mut project.source {
        fill_in_source(source);
    }
    project.secondary_sources.iter_mut().flatten().for_each(fill_in_source);
    if let Some(artifacts) = &mut project.artifacts {
        fill_in_artifacts(artifacts, &name);
    }
    for artifacts in project.secondary_artifacts.iter_mut().flatten() {
        fill_in_artifacts(artifacts, &name);
    }
    if let Some(environment) = &mut project.environment {
        fill_in_environment(environment);
    }
}

fn default_minutes(minutes: u32) -> i32 {
    i32::try_from(minutes).unwrap_or(i32::MAX)
}

fn fill_in_source(source: &mut ProjectSource) {
    if source.r#type != SourceType::NoSource {
        source.insecure_ssl.get_or_insert(false);
    }
}

fn fill_in_artifacts(artifacts: &mut ProjectArtifacts, project_name: &str) {
    if artifacts.r#type == ArtifactsType::S3 {
        artifacts.name.get_or_insert_with(|| project_name.to_owned());
        artifacts.namespace_type.get_or_insert(ArtifactNamespace::None);
        artifacts.packaging.get_or_insert(ArtifactPackaging::None);
        artifacts.encryption_disabled.get_or_insert(false);
    }
}

fn fill_in_environment(environment: &mut ProjectEnvironment) {
    environment.environment_variables.get_or_insert_default();
    environment.privileged_mode.get_or_insert(false);
    environment.image_pull_credentials_type.get_or_insert(ImagePullCredentialsType::Codebuild);
    for variable in environment.environment_variables.iter_mut().flatten() {
        variable.r#type.get_or_insert(wire::codebuild::EnvironmentVariableType::Plaintext);
    }
}
