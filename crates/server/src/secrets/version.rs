//! ListSecretVersionIds and UpdateSecretVersionStage.

use super::{
    desk::{Desk, Found},
    kept::CURRENT,
    listing, refusal, view,
};
use store::Expect;
use wire::{
    ServiceError,
    secretsmanager::{
        ListSecretVersionIdsRequest, ListSecretVersionIdsResponse, UpdateSecretVersionStageRequest,
        UpdateSecretVersionStageResponse,
    },
};

/// The page of a list without a limit, which is also the largest. AWS: the same.
const PAGE_DEFAULT: usize = 100;

/// Lists a secret's versions; those without a label only when asked for.
pub(super) async fn list(
    desk: &Desk<'_>,
    input: &ListSecretVersionIdsRequest,
) -> Result<ListSecretVersionIdsResponse, ServiceError> {
    let Found { mut secret, .. } = desk.find(&input.secret_id).await?;
    let deprecated = input.include_deprecated.unwrap_or_default();
    let mut versions = std::mem::take(&mut secret.versions);
    versions.retain(|version| deprecated || !version.stages.is_empty());
    let token = input.next_token.as_deref();
    let (versions, next_token) = listing::page(versions, token, input.max_results, PAGE_DEFAULT)?;
    Ok(ListSecretVersionIdsResponse {
        versions: Some(versions.into_iter().map(view::version).collect()),
        next_token,
        arn: Some(desk.arn(&secret)),
        name: Some(secret.name),
    })
}

/// Moves a label from one version to another.
pub(super) async fn update_stage(
    desk: &Desk<'_>,
    input: &UpdateSecretVersionStageRequest,
) -> Result<UpdateSecretVersionStageResponse, ServiceError> {
    let Found { mut secret, version } = desk.find_usable(&input.secret_id).await?;
    let stage = input.version_stage.as_str();
    let holder = secret.staged(stage).map(|version| version.id.as_str());
    let from = input.remove_from_version_id.as_deref();
    match (holder, from, input.move_to_version_id.as_deref()) {
        (_, None, None) => return Err(refusal::no_version_given()),
        (_, _, Some(to)) if secret.version(to).is_none() => {
            return Err(refusal::not_a_version(to));
        }
        (holder, Some(from), _) if holder != Some(from) => {
            return Err(refusal::remove_from_wrong(stage, from));
        }
        (Some(holder), None, Some(to)) if holder != to => {
            return Err(refusal::remove_from_missing(stage, holder));
        }
        (_, Some(_), None) if stage == CURRENT => return Err(refusal::current_removed()),
        (_, Some(_), None) => secret.remove_stage(stage),
        (_, _, Some(to)) => secret.move_stage(stage, to),
    }
    secret.changed_at = desk.now;
    desk.commit(vec![desk.put(&secret, Expect::Version(version))]).await?;
    Ok(UpdateSecretVersionStageResponse { arn: Some(desk.arn(&secret)), name: Some(secret.name) })
}
