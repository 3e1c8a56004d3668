//! GetSecretValue, BatchGetSecretValue, PutSecretValue.

use super::{
    desk::{Desk, Found, Value},
    kept::{CURRENT, Secret, Version, day},
    listing, refusal,
};
use store::{Change, Durability, Expect};
use uuid::Uuid;
use wire::{
    ServiceError, Timestamp,
    secretsmanager::{
        APIErrorType, BatchGetSecretValueRequest, BatchGetSecretValueResponse,
        GetSecretValueRequest, GetSecretValueResponse, PutSecretValueRequest,
        PutSecretValueResponse, SecretValueEntry,
    },
};

/// The most labels of a version. AWS: the same.
const STAGES_MAX: usize = 20;

/// How many secrets a batch gives at a time. AWS: the same.
const BATCH_MAX: usize = 20;

/// Gives a value: the current one, unless the caller names a version or a label.
pub(super) async fn get(
    desk: &Desk<'_>,
    input: &GetSecretValueRequest,
) -> Result<GetSecretValueResponse, ServiceError> {
    desk.may_read(&input.secret_id, "GetSecretValue")?;
    let found = desk.find_usable(&input.secret_id).await?;
    let version =
        choose(&found.secret, input.version_id.as_deref(), input.version_stage.as_deref())?;
    let (secret_string, secret_binary) = desk.open(&found.secret, version).await?.into_members();
    let answer = GetSecretValueResponse {
        arn: Some(desk.arn(&found.secret)),
        name: Some(found.secret.name.clone()),
        version_id: Some(version.id.clone()),
        secret_binary,
        secret_string,
        version_stages: Some(version.stages.clone()).filter(|stages| !stages.is_empty()),
        created_date: Some(Timestamp::from_millis(version.created_at)),
    };
    let id = version.id.clone();
    note_access(desk, found, &id).await;
    Ok(answer)
}

/// Gives the current values of many secrets, and says of each that it cannot give why.
pub(super) async fn batch_get(
    desk: &Desk<'_>,
    input: BatchGetSecretValueRequest,
) -> Result<BatchGetSecretValueResponse, ServiceError> {
    let (ids, next_token) = match (input.secret_id_list, input.filters) {
        (Some(_), None) if input.max_results.is_some() => return Err(refusal::page_of_a_list()),
        (Some(ids), None) => (ids, None),
        (None, Some(filters)) => {
            let mut secrets = desk.all().await?;
            secrets.retain(|secret| {
                !secret.is_marked_for_deletion() && listing::fits(secret, &filters, desk.caller)
            });
            let names = secrets.into_iter().map(|secret| secret.name).collect();
            listing::page(names, input.next_token.as_deref(), input.max_results, BATCH_MAX)?
        }
        (Some(_), Some(_)) | (None, None) => return Err(refusal::list_or_filters()),
    };
    let (mut values, mut errors) = (Vec::new(), Vec::new());
    for id in ids {
        let request = GetSecretValueRequest { secret_id: id.clone(), ..Default::default() };
        match get(desk, &request).await {
            Ok(value) => values.push(SecretValueEntry {
                arn: value.arn,
                name: value.name,
                version_id: value.version_id,
                secret_binary: value.secret_binary,
                secret_string: value.secret_string,
                version_stages: value.version_stages,
                created_date: value.created_date,
            }),
            Err(error) => errors.push(APIErrorType {
                secret_id: Some(id),
                error_code: Some(error.code.into_owned()),
                message: Some(error.message),
            }),
        }
    }
    let (secret_values, errors) = (Some(values), Some(errors));
    Ok(BatchGetSecretValueResponse { secret_values, next_token, errors })
}

/// Adds a version.
pub(super) async fn put(
    desk: &Desk<'_>,
    input: PutSecretValueRequest,
) -> Result<PutSecretValueResponse, ServiceError> {
    if input.rotation_token.is_some() {
        return Err(refusal::not_here_yet("RotationToken"));
    }
    let value = Value::given(input.secret_string, input.secret_binary)?;
    let value = value.ok_or_else(refusal::no_value)?;
    let Found { mut secret, version } = desk.find_usable(&input.secret_id).await?;
    let id = version_id(input.client_request_token);
    if is_new(desk, &secret, &id, &value).await? {
        let stages = input.version_stages.unwrap_or_else(|| vec![CURRENT.to_owned()]);
        let mut changes = add(desk, &mut secret, &id, &value, &stages).await?;
        secret.changed_at = desk.now;
        changes.push(desk.put(&secret, Expect::Version(version)));
        desk.commit(changes).await?;
    }
    let stages = secret.version(&id).map(|version| version.stages.clone());
    Ok(PutSecretValueResponse {
        arn: Some(desk.arn(&secret)),
        name: Some(secret.name),
        version_id: Some(id),
        version_stages: stages.filter(|stages| !stages.is_empty()),
    })
}

/// A new version's id. AWS: the request's token.
pub(super) fn version_id(token: Option<String>) -> String {
    token.unwrap_or_else(|| Uuid::new_v4().to_string())
}

/// Whether a version of that id is still to be made: the same value again is no error.
pub(super) async fn is_new(
    desk: &Desk<'_>,
    secret: &Secret,
    id: &str,
    value: &Value,
) -> Result<bool, ServiceError> {
    match secret.version(id) {
        None => Ok(true),
        Some(version) if desk.open(secret, version).await? == *value => Ok(false),
        Some(_) => Err(refusal::token_reused(id, &desk.arn(secret))),
    }
}

/// Adds a version to the secret, and gives the changes that keep its value and drop those of
/// versions that had to go.
pub(super) async fn add(
    desk: &Desk<'_>,
    secret: &mut Secret,
    id: &str,
    value: &Value,
    stages: &[String],
) -> Result<Vec<Change>, ServiceError> {
    let version = Version {
        id: id.to_owned(),
        stages: Vec::new(),
        kind: value.kind(),
        created_at: desk.now,
        accessed_on: None,
    };
    let gone = secret.add_version(version, stages);
    if secret.version(id).is_some_and(|version| version.stages.len() > STAGES_MAX) {
        return Err(refusal::too_many_stages(STAGES_MAX));
    }
    let mut changes = desk.forget(&secret.name, gone.iter().map(String::as_str));
    changes.push(desk.seal(secret, id, value).await?);
    Ok(changes)
}

fn choose<'a>(
    secret: &'a Secret,
    id: Option<&str>,
    stage: Option<&str>,
) -> Result<&'a Version, ServiceError> {
    let Some(id) = id else {
        let stage = stage.unwrap_or(CURRENT);
        return secret.staged(stage).ok_or_else(|| refusal::no_stage(stage));
    };
    let version = secret.version(id).ok_or_else(|| refusal::no_version(id))?;
    match stage {
        Some(stage) if !version.has(stage) => Err(refusal::stage_of_another_version()),
        Some(_) | None => Ok(version),
    }
}

/// Keeps the day on which a value was read. AWS: days alone, so that reading seldom writes.
async fn note_access(desk: &Desk<'_>, found: Found, version_id: &str) {
    // Whoever changes a secret has the turn: a day is not worth waiting for it.
    let Ok(_turn) = desk.service.turn.try_lock() else { return };
    let Found { mut secret, version } = found;
    let today = Some(day(desk.now));
    let Some(read) = secret.versions.iter_mut().find(|version| version.id == version_id) else {
        return;
    };
    if secret.accessed_on == today && read.accessed_on == today {
        return;
    }
    secret.accessed_on = today;
    read.accessed_on = today;
    // If the secret was changed since it was read, the next read notes the day.
    let put = desk.put(&secret, Expect::Version(version));
    let _ = desk.service.store.commit_durably(vec![put], Durability::Process).await;
}
