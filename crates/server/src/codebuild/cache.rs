//! InvalidateProjectCache: what a project's builds have cached so far counts no more.
//!
//! The moment is kept beside the project; caches that are older are not used. Nothing is deleted:
//! what is in a bucket is the user's.

use super::{CodeBuildService, project, refusal};
use agent_protocol::Timestamp;
use store::{Change, Collection, CommitError, Expect};
use wire::{
    Caller, ServiceError,
    codebuild::{
        CacheType, InvalidateProjectCacheInput, InvalidateProjectCacheOutput, Project, ProjectCache,
    },
};

/// The moments, by the projects' names.
const INVALIDATIONS: Collection = Collection::new("cache-invalidation");

/// Has later builds begin without what was cached until now.
pub(super) async fn invalidate(
    service: &CodeBuildService,
    caller: &Caller,
    input: InvalidateProjectCacheInput,
) -> Result<InvalidateProjectCacheOutput, ServiceError> {
    let name = project::name_of(&input.project_name);
    if project::find(service, caller, name).await?.is_none() {
        return Err(refusal::project_not_found(&project::project_arn(caller, name)));
    }
    let now = crate::clock::now();
    let put = Change::PutRecord {
        collection: INVALIDATIONS,
        region: caller.region.clone(),
        key: name.to_owned(),
        document: serde_json::to_string(&now).expect("a moment is a number"),
        expect: Expect::Anything,
    };
    match service.store.commit(vec![put]).await {
        Ok(()) => Ok(InvalidateProjectCacheOutput::default()),
        Err(CommitError::Conflict { .. }) => Err(refusal::conflict()),
        Err(CommitError::Fault(fault)) => Err(service.fault(caller, &fault)),
    }
}

/// When the project's cache was invalidated last.
pub(super) async fn invalidated_at(
    service: &CodeBuildService,
    caller: &Caller,
    project: &Project,
) -> Result<Option<Timestamp>, ServiceError> {
    let cached = |cache: &ProjectCache| cache.r#type != CacheType::NoCache;
    if !project.cache.as_ref().is_some_and(cached) {
        return Ok(None);
    }
    let name = project.name.as_deref().unwrap_or_default();
    let record = service.store.record(INVALIDATIONS, &caller.region, name).await;
    match record.map_err(|fault| service.fault(caller, &fault))? {
        None => Ok(None),
        Some(record) => match serde_json::from_str(&record.document) {
            Ok(at) => Ok(Some(at)),
            Err(error) => Err(service.fault(caller, &error)),
        },
    }
}
