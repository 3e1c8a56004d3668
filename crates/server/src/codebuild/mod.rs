//! AWS CodeBuild: the table of contents. Each operation is a function in the file of its noun.

mod build;
mod cache;
mod credential;
mod curated;
mod overrides;
mod page;
mod project;
mod refusal;
mod token;
mod validate;
mod view;

pub(crate) use token::past as tokens_past;
pub use view::render;

use crate::{
    clock, config::Config, driver::Driver, fault, images::CuratedImages, sources::SourceCredentials,
};
use std::sync::Arc;
use store::Store;
use uuid::Uuid;
use wire::{
    Caller, ServiceError,
    codebuild::{
        BatchDeleteBuildsInput, BatchDeleteBuildsOutput, BatchGetBuildsInput, BatchGetBuildsOutput,
        BatchGetProjectsInput, BatchGetProjectsOutput, CodeBuild, CreateProjectInput,
        CreateProjectOutput, DeleteProjectInput, DeleteProjectOutput, DeleteSourceCredentialsInput,
        DeleteSourceCredentialsOutput, ImportSourceCredentialsInput, ImportSourceCredentialsOutput,
        InvalidateProjectCacheInput, InvalidateProjectCacheOutput, ListBuildsForProjectInput,
        ListBuildsForProjectOutput, ListBuildsInput, ListBuildsOutput,
        ListCuratedEnvironmentImagesInput, ListCuratedEnvironmentImagesOutput, ListProjectsInput,
        ListProjectsOutput, ListSourceCredentialsInput, ListSourceCredentialsOutput,
        RetryBuildInput, RetryBuildOutput, StartBuildInput, StartBuildOutput, StopBuildInput,
        StopBuildOutput, UpdateProjectInput, UpdateProjectOutput,
    },
};

/// What CodeBuild's operations work with.
pub struct CodeBuildService {
    /// Where projects and builds are kept.
    pub store: Store,
    /// What moves builds on.
    pub driver: Driver,
    /// The account's credentials for Git hosts.
    pub credentials: SourceCredentials,
    /// The images that this machine offers.
    pub images: CuratedImages,
    /// What the operator has decided.
    pub config: Arc<Config>,
}

impl CodeBuildService {
    fn now_millis(&self) -> i64 {
        i64::try_from(clock::now().millis()).unwrap_or(i64::MAX)
    }

    fn new_uuid(&self) -> String {
        Uuid::new_v4().to_string()
    }

    /// Our own fault: the log gets all of it, the caller an id to ask with.
    fn fault(&self, caller: &Caller, error: &dyn std::error::Error) -> ServiceError {
        tracing::error!(request = caller.request_id, error = %fault::chain(error), "a request failed");
        ServiceError::internal(&caller.request_id)
    }
}

impl CodeBuild for CodeBuildService {
    async fn create_project(
        &self,
        caller: &Caller,
        input: CreateProjectInput,
    ) -> Result<CreateProjectOutput, ServiceError> {
        project::create(self, caller, input).await
    }

    async fn update_project(
        &self,
        caller: &Caller,
        input: UpdateProjectInput,
    ) -> Result<UpdateProjectOutput, ServiceError> {
        project::update(self, caller, input).await
    }

    async fn delete_project(
        &self,
        caller: &Caller,
        input: DeleteProjectInput,
    ) -> Result<DeleteProjectOutput, ServiceError> {
        project::delete(self, caller, input).await
    }

    async fn invalidate_project_cache(
        &self,
        caller: &Caller,
        input: InvalidateProjectCacheInput,
    ) -> Result<InvalidateProjectCacheOutput, ServiceError> {
        cache::invalidate(self, caller, input).await
    }

    async fn batch_get_projects(
        &self,
        caller: &Caller,
        input: BatchGetProjectsInput,
    ) -> Result<BatchGetProjectsOutput, ServiceError> {
        project::batch_get(self, caller, input).await
    }

    async fn list_projects(
        &self,
        caller: &Caller,
        input: ListProjectsInput,
    ) -> Result<ListProjectsOutput, ServiceError> {
        project::list(self, caller, input).await
    }

    async fn start_build(
        &self,
        caller: &Caller,
        input: StartBuildInput,
    ) -> Result<StartBuildOutput, ServiceError> {
        build::start(self, caller, input).await
    }

    async fn stop_build(
        &self,
        caller: &Caller,
        input: StopBuildInput,
    ) -> Result<StopBuildOutput, ServiceError> {
        build::stop(self, caller, input).await
    }

    async fn retry_build(
        &self,
        caller: &Caller,
        input: RetryBuildInput,
    ) -> Result<RetryBuildOutput, ServiceError> {
        build::retry(self, caller, input).await
    }

    async fn batch_get_builds(
        &self,
        caller: &Caller,
        input: BatchGetBuildsInput,
    ) -> Result<BatchGetBuildsOutput, ServiceError> {
        build::batch_get(self, caller, input).await
    }

    async fn batch_delete_builds(
        &self,
        caller: &Caller,
        input: BatchDeleteBuildsInput,
    ) -> Result<BatchDeleteBuildsOutput, ServiceError> {
        build::batch_delete(self, caller, input).await
    }

    async fn list_builds(
        &self,
        caller: &Caller,
        input: ListBuildsInput,
    ) -> Result<ListBuildsOutput, ServiceError> {
        build::list(self, caller, input).await
    }

    async fn import_source_credentials(
        &self,
        caller: &Caller,
        input: ImportSourceCredentialsInput,
    ) -> Result<ImportSourceCredentialsOutput, ServiceError> {
        credential::import(self, caller, input).await
    }

    async fn list_curated_environment_images(
        &self,
        caller: &Caller,
        _: ListCuratedEnvironmentImagesInput,
    ) -> Result<ListCuratedEnvironmentImagesOutput, ServiceError> {
        curated::list(self, caller).await
    }

    async fn list_source_credentials(
        &self,
        caller: &Caller,
        input: ListSourceCredentialsInput,
    ) -> Result<ListSourceCredentialsOutput, ServiceError> {
        credential::list(self, caller, input).await
    }

    async fn delete_source_credentials(
        &self,
        caller: &Caller,
        input: DeleteSourceCredentialsInput,
    ) -> Result<DeleteSourceCredentialsOutput, ServiceError> {
        credential::delete(self, caller, input).await
    }

    async fn list_builds_for_project(
        &self,
        caller: &Caller,
        input: ListBuildsForProjectInput,
    ) -> Result<ListBuildsForProjectOutput, ServiceError> {
        build::list_for_project(self, caller, input).await
    }
}
