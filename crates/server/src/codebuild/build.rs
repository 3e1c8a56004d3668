//! StartBuild, StopBuild, RetryBuild, BatchGetBuilds, BatchDeleteBuilds, ListBuilds,
//! ListBuildsForProject.
//!
//! Turns requests into inputs for the driver, and states into views. Knows nothing of containers.

use super::{
    CodeBuildService, cache, overrides, page,
    project::{self, Kept},
    refusal,
    token::{self, Meaning},
    validate, view,
};
use crate::{
    build_request::BuildRequest,
    driver::{Submission, SubmitError},
};
use build_core::{Build, BuildId, ProjectName, limits};
use std::sync::Arc;
use store::{BuildListed, Change, Order};
use wire::{
    Caller, Principal, ServiceError,
    codebuild::{
        self, BatchDeleteBuildsInput, BatchDeleteBuildsOutput, BatchGetBuildsInput,
        BatchGetBuildsOutput, BuildNotDeleted, ListBuildsForProjectInput,
        ListBuildsForProjectOutput, ListBuildsInput, ListBuildsOutput, RetryBuildInput,
        RetryBuildOutput, SortOrderType, StartBuildInput, StartBuildOutput, StopBuildInput,
        StopBuildOutput,
    },
};

/// Starts a build of the named project with the caller's overrides applied.
pub(super) async fn start(
    service: &CodeBuildService,
    caller: &Caller,
    input: StartBuildInput,
) -> Result<StartBuildOutput, ServiceError> {
    let arn = project::project_arn(caller, &input.project_name);
    let Some(Kept { mut project, .. }) =
        project::find(service, caller, &input.project_name).await?
    else {
        return Err(refusal::project_not_found(&arn));
    };
    overrides::apply(&mut project, &input);
    validate::project(&project, &caller.account_id)?;
    validate::buildable(&project, &service.config)?;
    project::fill_in(&mut project, caller);
    let name = project.name.clone().and_then(ProjectName::new).ok_or_else(refusal::project_name)?;
    let id = BuildId::new(name, service.new_uuid()).expect("a fresh UUID is one");
    let minutes = |given: Option<i32>| given.and_then(|minutes| u32::try_from(minutes).ok());
    let request = BuildRequest {
        account_id: caller.account_id.clone(),
        region: caller.region.clone(),
        initiator: initiator(caller),
        source_version: input.source_version.clone().or_else(|| project.source_version.clone()),
        source_commit: None,
        timeout_minutes: minutes(project.timeout_in_minutes)
            .unwrap_or(limits::TIMEOUT_MINUTES_DEFAULT),
        queued_timeout_minutes: minutes(project.queued_timeout_in_minutes)
            .unwrap_or(limits::QUEUED_TIMEOUT_MINUTES_DEFAULT),
        retry: None,
        local: None,
        cache_invalidated_at: cache::invalidated_at(service, caller, &project).await?,
        debug_session: input.debug_session_enabled.unwrap_or_default(),
        executor: validate::executor(&project, &service.config)?,
        id,
        project,
    };
    let token = ("StartBuild", input.idempotency_token.as_deref());
    let build = submit(service, caller, request, token, &input).await?;
    Ok(StartBuildOutput { build: Some(build) })
}

/// Starts a new build with the settings of an old one.
pub(super) async fn retry(
    service: &CodeBuildService,
    caller: &Caller,
    input: RetryBuildInput,
) -> Result<RetryBuildOutput, ServiceError> {
    let id = parse_id(input.id.as_deref().unwrap_or_default())?;
    let stored = stored(service, caller, &id).await?;
    let request: BuildRequest = parse(service, caller, &stored.request)?;
    let failed: Build = parse(service, caller, &stored.state)?;
    let id = BuildId::new(id.project().clone(), service.new_uuid()).expect("a fresh UUID is one");
    let request = BuildRequest {
        initiator: initiator(caller),
        cache_invalidated_at: cache::invalidated_at(service, caller, &request.project).await?,
        ..request.again(id, &failed)
    };
    let token = ("RetryBuild", input.idempotency_token.as_deref());
    let build = submit(service, caller, request, token, &input).await?;
    Ok(RetryBuildOutput { build: Some(build) })
}

async fn submit(
    service: &CodeBuildService,
    caller: &Caller,
    request: BuildRequest,
    token: (&str, Option<&str>),
    parameters: &impl serde::Serialize,
) -> Result<codebuild::Build, ServiceError> {
    let id = request.id.to_string();
    let with = match token::look_up(service, caller, token, parameters, &id).await? {
        Meaning::New(change) => change.into_iter().collect(),
        Meaning::Repeated(id) => {
            let id = parse_id(&id)?;
            return view_of(service, caller, &stored(service, caller, &id).await?);
        }
    };
    let concurrent_max =
        request.project.concurrent_build_limit.and_then(|limit| u32::try_from(limit).ok());
    let request = Arc::new(request);
    let submission = Submission { request: Arc::clone(&request), concurrent_max, with };
    match service.driver.submit(submission).await {
        Ok(build) => Ok(view::render(&request, &build)),
        Err(SubmitError::ConcurrentLimit(limit)) => Err(refusal::concurrent_limit(limit)),
        Err(SubmitError::Conflict) => Err(refusal::conflict()),
        Err(SubmitError::Stopping) => Err(refusal::stopping()),
        Err(SubmitError::Fault(fault)) => Err(service.fault(caller, &fault)),
    }
}

/// Asks a build to stop; one that has ended is given as it is.
pub(super) async fn stop(
    service: &CodeBuildService,
    caller: &Caller,
    input: StopBuildInput,
) -> Result<StopBuildOutput, ServiceError> {
    let id = parse_id(&input.id)?;
    stored(service, caller, &id).await?;
    service.driver.stop(id.clone()).await.map_err(|fault| service.fault(caller, &fault))?;
    let build = view_of(service, caller, &stored(service, caller, &id).await?)?;
    Ok(StopBuildOutput { build: Some(build) })
}

/// Gives builds by id or ARN, in the order asked for.
pub(super) async fn batch_get(
    service: &CodeBuildService,
    caller: &Caller,
    input: BatchGetBuildsInput,
) -> Result<BatchGetBuildsOutput, ServiceError> {
    if input.ids.is_empty() {
        return Err(refusal::no_build_ids());
    }
    let (mut builds, mut not_found) = (Vec::new(), Vec::new());
    let mut known = Vec::with_capacity(input.ids.len());
    for text in input.ids {
        if !text.contains(':') {
            return Err(refusal::build_id());
        }
        match parse_id(&text) {
            Ok(id) => known.push((id.to_string(), text)),
            Err(_) => not_found.push(text),
        }
    }
    let ids: Vec<String> = known.iter().map(|(id, _)| id.clone()).collect();
    let found = service
        .store
        .builds(&caller.region, &ids)
        .await
        .map_err(|fault| service.fault(caller, &fault))?;
    let mut found = found.into_iter().peekable();
    for (id, text) in known {
        match found.next_if(|stored| stored.id == id) {
            Some(stored) => builds.push(view_of(service, caller, &stored)?),
            None => not_found.push(text),
        }
    }
    Ok(BatchGetBuildsOutput { builds: Some(builds), builds_not_found: Some(not_found) })
}

/// Removes builds that have ended.
pub(super) async fn batch_delete(
    service: &CodeBuildService,
    caller: &Caller,
    input: BatchDeleteBuildsInput,
) -> Result<BatchDeleteBuildsOutput, ServiceError> {
    if input.ids.is_empty() {
        return Err(refusal::no_build_ids());
    }
    let (mut deleted, mut not_deleted) = (Vec::new(), Vec::new());
    let mut changes = Vec::new();
    for text in input.ids {
        let refuse = |code: &str| BuildNotDeleted {
            id: Some(text.clone()),
            status_code: Some(code.to_owned()),
        };
        let Ok(id) = parse_id(&text) else {
            not_deleted.push(refuse("BUILD_NOT_FOUND"));
            continue;
        };
        let stored = service
            .store
            .build(&caller.region, &id.to_string())
            .await
            .map_err(|fault| service.fault(caller, &fault))?;
        match stored {
            None => not_deleted.push(refuse("BUILD_NOT_FOUND")),
            Some(stored) if stored.live => not_deleted.push(refuse("BUILD_IN_PROGRESS")),
            Some(_) => {
                // AWS: the request names ids, the answer ARNs.
                deleted.push(build_arn(caller, &id));
                let region = caller.region.clone();
                changes.push(Change::DeleteBuild { region, id: id.to_string() });
            }
        }
    }
    if let Err(error) = service.store.commit(changes).await {
        return Err(service.fault(caller, &error));
    }
    Ok(BatchDeleteBuildsOutput {
        builds_deleted: Some(deleted),
        builds_not_deleted: Some(not_deleted),
    })
}

/// Lists the ids of all builds, newest first unless asked otherwise.
pub(super) async fn list(
    service: &CodeBuildService,
    caller: &Caller,
    input: ListBuildsInput,
) -> Result<ListBuildsOutput, ServiceError> {
    let after = input.next_token.as_deref().filter(|token| !token.is_empty());
    let after = after.map(page::place).transpose()?;
    let listed = service
        .store
        .build_ids(
            &caller.region,
            order(input.sort_order.as_ref()),
            after,
            limits::PAGE_ENTRIES + 1,
        )
        .await
        .map_err(|fault| service.fault(caller, &fault))?;
    let (ids, next_token) = one_page(listed);
    Ok(ListBuildsOutput { ids: Some(ids), next_token })
}

/// Lists the ids of a project's builds by number, newest first unless asked otherwise.
pub(super) async fn list_for_project(
    service: &CodeBuildService,
    caller: &Caller,
    input: ListBuildsForProjectInput,
) -> Result<ListBuildsForProjectOutput, ServiceError> {
    let arn = project::project_arn(caller, &input.project_name);
    let name = arn.rsplit('/').next().unwrap_or_default();
    let after = input.next_token.as_deref().filter(|token| !token.is_empty());
    let after = after.map(page::place).transpose()?;
    let (order, limit) = (order(input.sort_order.as_ref()), limits::PAGE_ENTRIES + 1);
    let listed = service
        .store
        .build_ids_of_project(&caller.region, name, order, after, limit)
        .await
        .map_err(|fault| service.fault(caller, &fault))?;
    // The builds of a deleted project can still be listed.
    if listed.is_empty() && project::find(service, caller, name).await?.is_none() {
        return Err(refusal::listed_project_not_found(&arn));
    }
    let (ids, next_token) = one_page(listed);
    Ok(ListBuildsForProjectOutput { ids: Some(ids), next_token })
}

/// Cuts a listing that is one entry longer than a page.
fn one_page(mut listed: Vec<BuildListed>) -> (Vec<String>, Option<String>) {
    let more = listed.len() > limits::PAGE_ENTRIES;
    listed.truncate(limits::PAGE_ENTRIES);
    let next = listed.last().filter(|_| more).map(|last| page::token(last.cursor));
    (listed.into_iter().map(|entry| entry.id).collect(), next)
}

fn order(asked: Option<&SortOrderType>) -> Order {
    match asked {
        Some(SortOrderType::Ascending) => Order::Ascending,
        Some(SortOrderType::Descending | SortOrderType::Unknown(_)) | None => Order::Descending,
    }
}

async fn stored(
    service: &CodeBuildService,
    caller: &Caller,
    id: &BuildId,
) -> Result<store::Build, ServiceError> {
    service
        .store
        .build(&caller.region, &id.to_string())
        .await
        .map_err(|fault| service.fault(caller, &fault))?
        .ok_or_else(|| refusal::build_not_found(&build_arn(caller, id)))
}

fn view_of(
    service: &CodeBuildService,
    caller: &Caller,
    stored: &store::Build,
) -> Result<codebuild::Build, ServiceError> {
    let request: BuildRequest = parse(service, caller, &stored.request)?;
    let build: Build = parse(service, caller, &stored.state)?;
    Ok(view::render(&request, &build))
}

fn parse<T: serde::de::DeserializeOwned>(
    service: &CodeBuildService,
    caller: &Caller,
    document: &str,
) -> Result<T, ServiceError> {
    serde_json::from_str(document).map_err(|error| service.fault(caller, &error))
}

/// Reads a build's id, or its ARN.
fn parse_id(text: &str) -> Result<BuildId, ServiceError> {
    let id = match text.starts_with("arn:") {
        true => text.split_once(":build/").map_or("", |(_, id)| id),
        false => text,
    };
    BuildId::parse(id).ok_or_else(refusal::build_id)
}

fn build_arn(caller: &Caller, id: &BuildId) -> String {
    format!("arn:aws:codebuild:{}:{}:build/{id}", caller.region, caller.account_id)
}

/// Who started a build. AWS: the user's name, or the role's and the session's.
fn initiator(caller: &Caller) -> String {
    match &caller.principal {
        Principal::Root => "root".into(),
        Principal::Build { .. } => caller
            .arn
            .split_once(":assumed-role/")
            .map_or_else(|| caller.arn.clone(), |(_, session)| session.to_owned()),
    }
}
