//! CreateSecret, UpdateSecret, DescribeSecret, DeleteSecret, RestoreSecret.

use super::{
    desk::{Desk, Found, Value},
    kept::{CURRENT, SECRETS, Secret},
    names, refusal, tags, value, view,
};
use std::collections::BTreeMap;
use store::{Change, Expect};
use wire::{
    ServiceError, Timestamp,
    secretsmanager::{
        CreateSecretRequest, CreateSecretResponse, DeleteSecretRequest, DeleteSecretResponse,
        DescribeSecretRequest, DescribeSecretResponse, RestoreSecretRequest, RestoreSecretResponse,
        UpdateSecretRequest, UpdateSecretResponse,
    },
};

/// Days until a secret is gone, unless the caller says otherwise. AWS: the same.
const RECOVERY_DAYS_DEFAULT: i64 = 30;
const DAY_MILLIS: i64 = 24 * 60 * 60 * 1_000;

/// The only key that can be named: AWS's own, in whose place is ours.
const KMS_KEY: &str = "alias/aws/secretsmanager";

/// Makes a secret, with a first version when a value is given.
pub(super) async fn create(
    desk: &Desk<'_>,
    input: CreateSecretRequest,
) -> Result<CreateSecretResponse, ServiceError> {
    names::check(&input.name)?;
    check_key(input.kms_key_id.as_deref())?;
    refuse_type(input.r#type.as_deref())?;
    if input.add_replica_regions.is_some() {
        return Err(refusal::not_here_yet("AddReplicaRegions"));
    }
    let value = Value::given(input.secret_string, input.secret_binary)?;
    let mut changes = Vec::new();
    let mut expect = Expect::Absent;
    if let Some(found) = desk.named(&input.name).await? {
        if !found.secret.is_gone(desk.now) {
            let token = input.client_request_token.as_deref();
            return repeated(desk, &found, token, value).await;
        }
        let versions = found.secret.versions.iter().map(|version| version.id.as_str());
        changes.extend(desk.forget(&found.secret.name, versions));
        expect = Expect::Version(found.version);
    }
    let mut secret = Secret {
        suffix: names::suffix().map_err(|error| desk.fault(&error))?,
        name: input.name,
        description: input.description,
        kms_key_id: input.kms_key_id,
        tags: tags::add(BTreeMap::new(), input.tags.unwrap_or_default())?,
        created_at: desk.now,
        changed_at: desk.now,
        accessed_on: None,
        deletion_due_at: None,
        versions: Vec::new(),
    };
    let mut version_id = None;
    if let Some(value) = value {
        let id = value::version_id(input.client_request_token);
        changes.extend(value::add(desk, &mut secret, &id, &value, &[CURRENT.to_owned()]).await?);
        version_id = Some(id);
    }
    changes.push(desk.put(&secret, expect));
    desk.commit(changes).await?;
    let arn = Some(desk.arn(&secret));
    Ok(CreateSecretResponse { arn, name: Some(secret.name), version_id, replication_status: None })
}

/// AWS: the same request with the same token made this secret already.
async fn repeated(
    desk: &Desk<'_>,
    found: &Found,
    token: Option<&str>,
    value: Option<Value>,
) -> Result<CreateSecretResponse, ServiceError> {
    let secret = &found.secret;
    if secret.is_marked_for_deletion() {
        return Err(refusal::name_marked_for_deletion());
    }
    let version = token.and_then(|token| secret.version(token));
    match (version, value) {
        (Some(version), Some(value)) if desk.open(secret, version).await? == value => {
            Ok(CreateSecretResponse {
                arn: Some(desk.arn(secret)),
                name: Some(secret.name.clone()),
                version_id: Some(version.id.clone()),
                replication_status: None,
            })
        }
        _ => Err(refusal::exists(&secret.name)),
    }
}

/// Changes what the request names; a value becomes the current version.
pub(super) async fn update(
    desk: &Desk<'_>,
    input: UpdateSecretRequest,
) -> Result<UpdateSecretResponse, ServiceError> {
    check_key(input.kms_key_id.as_deref())?;
    refuse_type(input.r#type.as_deref())?;
    let value = Value::given(input.secret_string, input.secret_binary)?;
    let Found { mut secret, version } = desk.find_usable(&input.secret_id).await?;
    let mut changes = Vec::new();
    let mut version_id = None;
    if let Some(value) = value {
        let id = value::version_id(input.client_request_token);
        if value::is_new(desk, &secret, &id, &value).await? {
            let stages = [CURRENT.to_owned()];
            changes.extend(value::add(desk, &mut secret, &id, &value, &stages).await?);
        }
        version_id = Some(id);
    }
    if let Some(description) = input.description {
        secret.description = Some(description);
    }
    if let Some(key) = input.kms_key_id {
        secret.kms_key_id = Some(key);
    }
    secret.changed_at = desk.now;
    changes.push(desk.put(&secret, Expect::Version(version)));
    desk.commit(changes).await?;
    let arn = Some(desk.arn(&secret));
    Ok(UpdateSecretResponse { arn, name: Some(secret.name), version_id })
}

/// Says what is known of a secret, but not its value.
pub(super) async fn describe(
    desk: &Desk<'_>,
    input: &DescribeSecretRequest,
) -> Result<DescribeSecretResponse, ServiceError> {
    let Found { secret, .. } = desk.find(&input.secret_id).await?;
    Ok(view::description(desk.arn(&secret), secret))
}

/// Marks a secret for deletion, or deletes it at once.
pub(super) async fn delete(
    desk: &Desk<'_>,
    input: &DeleteSecretRequest,
) -> Result<DeleteSecretResponse, ServiceError> {
    let at_once = input.force_delete_without_recovery.unwrap_or_default();
    if at_once && input.recovery_window_in_days.is_some() {
        return Err(refusal::window_and_force());
    }
    let days = input.recovery_window_in_days.unwrap_or(RECOVERY_DAYS_DEFAULT);
    if !(7..=30).contains(&days) {
        return Err(refusal::window());
    }
    if at_once {
        return delete_at_once(desk, &input.secret_id).await;
    }
    let Found { mut secret, version } = desk.find_usable(&input.secret_id).await?;
    let due_at = desk.now + days * DAY_MILLIS;
    secret.deletion_due_at = Some(due_at);
    desk.commit(vec![desk.put(&secret, Expect::Version(version))]).await?;
    Ok(DeleteSecretResponse {
        arn: Some(desk.arn(&secret)),
        name: Some(secret.name),
        deletion_date: Some(Timestamp::from_millis(due_at)),
    })
}

async fn delete_at_once(desk: &Desk<'_>, id: &str) -> Result<DeleteSecretResponse, ServiceError> {
    let deletion_date = Some(Timestamp::from_millis(desk.now));
    match desk.find(id).await {
        Ok(Found { secret, .. }) => {
            let versions = secret.versions.iter().map(|version| version.id.as_str());
            let mut changes = desk.forget(&secret.name, versions);
            changes.push(Change::DeleteRecord {
                collection: SECRETS,
                region: desk.caller.region.clone(),
                key: secret.name.clone(),
            });
            desk.commit(changes).await?;
            let arn = Some(desk.arn(&secret));
            Ok(DeleteSecretResponse { arn, name: Some(secret.name), deletion_date })
        }
        // AWS: what is not there cannot be deleted any more than this.
        Err(refusal) if refusal == refusal::no_secret() => {
            let name = names::likely_name(id);
            let arn = Some(names::arn_of_unknown(desk.caller, name));
            Ok(DeleteSecretResponse { arn, name: Some(name.to_owned()), deletion_date })
        }
        Err(error) => Err(error),
    }
}

/// Lets a secret stay that was to be deleted.
pub(super) async fn restore(
    desk: &Desk<'_>,
    input: &RestoreSecretRequest,
) -> Result<RestoreSecretResponse, ServiceError> {
    let Found { mut secret, version } = desk.find(&input.secret_id).await?;
    if secret.deletion_due_at.take().is_some() {
        desk.commit(vec![desk.put(&secret, Expect::Version(version))]).await?;
    }
    Ok(RestoreSecretResponse { arn: Some(desk.arn(&secret)), name: Some(secret.name) })
}

/// There is one key; to take another's name and not its protection would be a lie.
fn check_key(key: Option<&str>) -> Result<(), ServiceError> {
    match key {
        Some(key) if !key.is_empty() && !key.ends_with(KMS_KEY) => {
            Err(refusal::not_here_yet("A KmsKeyId other than alias/aws/secretsmanager"))
        }
        Some(_) | None => Ok(()),
    }
}

fn refuse_type(kind: Option<&str>) -> Result<(), ServiceError> {
    match kind {
        Some(kind) if !kind.is_empty() => Err(refusal::not_here_yet("Type")),
        Some(_) | None => Ok(()),
    }
}
