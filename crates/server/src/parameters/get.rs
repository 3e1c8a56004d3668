//! GetParameter, GetParameters, GetParametersByPath, GetParameterHistory.

use super::{
    desk::Desk,
    filter::{self, Filters},
    kept::{Kept, Version},
    names, refusal,
};
use crate::page_token;
use std::collections::HashSet;
use wire::{
    Sensitive, ServiceError, Timestamp,
    ssm::{
        GetParameterHistoryRequest, GetParameterHistoryResult, GetParameterRequest,
        GetParameterResult, GetParametersByPathRequest, GetParametersByPathResult,
        GetParametersRequest, GetParametersResult, Parameter, ParameterHistory, ParameterType,
    },
};

/// The page of a path, which is also the largest. AWS: the same.
const PATH_PAGE: usize = 10;
/// The page of a history, which is also the largest. AWS: the same.
const HISTORY_PAGE: usize = 50;

/// Whether a SecureString is given as it is, or as it is kept.
#[derive(Clone, Copy)]
enum Decryption {
    Yes,
    No,
}

impl From<Option<bool>> for Decryption {
    fn from(asked: Option<bool>) -> Self {
        if asked.unwrap_or_default() { Self::Yes } else { Self::No }
    }
}

/// Gives one parameter.
pub(super) async fn get(
    desk: &Desk<'_>,
    input: &GetParameterRequest,
) -> Result<GetParameterResult, ServiceError> {
    desk.may_read(&input.name, "GetParameter")?;
    let found = desk.find(&input.name).await?;
    let kept = found.ok_or_else(|| refusal::no_parameter(&input.name))?.kept;
    let selector = names::asked(desk.caller, &input.name).selector;
    let version = kept.selected(selector);
    let version =
        version.ok_or_else(|| refusal::no_version(&kept.name, selector.unwrap_or_default()))?;
    let parameter = parameter(desk, &kept, version, selector, input.with_decryption.into()).await?;
    Ok(GetParameterResult {
        parameter: Some(parameter.ok_or_else(|| refusal::no_parameter(&input.name))?),
    })
}

/// Gives many, and the names of those that it cannot give.
pub(super) async fn get_many(
    desk: &Desk<'_>,
    input: GetParametersRequest,
) -> Result<GetParametersResult, ServiceError> {
    let mut seen = HashSet::new();
    if let Some(twice) = input.names.iter().find(|name| !seen.insert(name.as_str())) {
        return Err(refusal::named_twice(twice));
    }
    for name in &input.names {
        desk.may_read(name, "GetParameters")?;
    }
    let decryption = input.with_decryption.into();
    let (mut parameters, mut invalid) = (Vec::new(), Vec::new());
    for name in input.names {
        let selector = names::asked(desk.caller, &name).selector;
        let kept = desk.find(&name).await?.map(|found| found.kept);
        let version = kept.as_ref().and_then(|kept| kept.selected(selector));
        let given = match (&kept, version) {
            (Some(kept), Some(version)) => {
                parameter(desk, kept, version, selector, decryption).await?
            }
            (None, _) | (_, None) => None,
        };
        match given {
            Some(parameter) => parameters.push(parameter),
            None => invalid.push(name),
        }
    }
    let (parameters, invalid_parameters) = (Some(parameters), Some(invalid));
    Ok(GetParametersResult { parameters, invalid_parameters })
}

/// Gives the parameters below a path: those just below it, or all.
pub(super) async fn by_path(
    desk: &Desk<'_>,
    input: GetParametersByPathRequest,
) -> Result<GetParametersByPathResult, ServiceError> {
    if !input.path.starts_with('/') {
        return Err(refusal::path(&input.path));
    }
    let filters = Filters::new(input.parameter_filters.unwrap_or_default(), filter::BY_PATH)?;
    let deep = input.recursive.unwrap_or_default();
    let mut found = desk.all(if input.path == "/" { "" } else { &input.path }).await?;
    found.retain(|kept| {
        filter::is_below(&kept.name, &input.path, deep)
            && filters.fit(kept)
            && desk.is_readable(&kept.name)
    });
    let token = input.next_token.as_deref();
    let (found, next_token) = page(found, token, input.max_results, PATH_PAGE)?;
    let mut parameters = Vec::with_capacity(found.len());
    for kept in &found {
        let version = filters.version(kept);
        let decryption = input.with_decryption.into();
        parameters.extend(parameter(desk, kept, version, None, decryption).await?);
    }
    Ok(GetParametersByPathResult { parameters: Some(parameters), next_token })
}

/// Gives the versions of a parameter, oldest first.
pub(super) async fn history(
    desk: &Desk<'_>,
    input: GetParameterHistoryRequest,
) -> Result<GetParameterHistoryResult, ServiceError> {
    let found = desk.find(&input.name).await?;
    let kept = found.ok_or_else(|| refusal::no_parameter(&input.name))?.kept;
    let token = input.next_token.as_deref();
    let (versions, next_token) =
        page(kept.versions.clone(), token, input.max_results, HISTORY_PAGE)?;
    let mut parameters = Vec::with_capacity(versions.len());
    for version in versions {
        let value = value(desk, &kept.name, &version, input.with_decryption.into()).await?;
        parameters.push(ParameterHistory {
            name: Some(kept.name.clone()),
            r#type: Some(version.kind),
            key_id: version.key_id,
            last_modified_date: Some(Timestamp::from_millis(version.modified_at)),
            last_modified_user: Some(version.modified_by),
            description: version.description,
            value: value.map(Sensitive),
            allowed_pattern: version.allowed_pattern,
            version: Some(version.number),
            labels: Some(version.labels),
            tier: Some(version.tier),
            policies: Some(Vec::new()),
            data_type: Some(version.data_type),
        });
    }
    Ok(GetParameterHistoryResult { parameters: Some(parameters), next_token })
}

/// A page of a list and the token of the next.
pub(super) fn page<T>(
    all: Vec<T>,
    token: Option<&str>,
    entries: Option<i32>,
    entries_default: usize,
) -> Result<(Vec<T>, Option<String>), ServiceError> {
    let entries = entries.and_then(|entries| usize::try_from(entries).ok());
    page_token::page(all, token, entries.unwrap_or(entries_default)).ok_or_else(refusal::next_token)
}

/// A version as answers show it; none when it was deleted a moment ago.
async fn parameter(
    desk: &Desk<'_>,
    kept: &Kept,
    version: &Version,
    selector: Option<&str>,
    decryption: Decryption,
) -> Result<Option<Parameter>, ServiceError> {
    let Some(value) = value(desk, &kept.name, version, decryption).await? else {
        return Ok(None);
    };
    Ok(Some(Parameter {
        name: Some(kept.name.clone()),
        r#type: Some(version.kind.clone()),
        value: Some(Sensitive(value)),
        version: Some(version.number),
        selector: selector.map(|selector| format!(":{selector}")),
        source_result: None,
        last_modified_date: Some(Timestamp::from_millis(version.modified_at)),
        arn: Some(names::arn(desk.caller, &kept.name)),
        data_type: Some(version.data_type.clone()),
    }))
}

async fn value(
    desk: &Desk<'_>,
    name: &str,
    version: &Version,
    decryption: Decryption,
) -> Result<Option<String>, ServiceError> {
    let Some(sealed) = desk.sealed(name, version).await? else { return Ok(None) };
    match (&version.kind, decryption) {
        (ParameterType::SecureString, Decryption::No) => {
            // AWS: the ciphertext in base64, which nobody can use.
            Ok(sealed.rsplit(':').next().map(str::to_owned))
        }
        _ => desk.open(name, version, &sealed).await.map(Some),
    }
}
