//! PutParameter.

use super::{
    desk::{Desk, Found},
    kept::{Kept, VERSIONS_MAX, Version},
    names, refusal, tags,
};
use regex::Regex;
use std::collections::BTreeMap;
use store::{Change, Expect};
use wire::{
    ServiceError,
    ssm::{ParameterTier, ParameterType, PutParameterRequest, PutParameterResult},
};

/// The longest values. AWS: the same.
const STANDARD_BYTES_MAX: usize = 4_096;
const ADVANCED_BYTES_MAX: usize = 8_192;

/// The only key that can be named: AWS's own, in whose place is ours.
const KMS_KEY: &str = "alias/aws/ssm";

/// Makes a parameter, or a new version of one that may be overwritten.
pub(super) async fn put(
    desk: &Desk<'_>,
    input: PutParameterRequest,
) -> Result<PutParameterResult, ServiceError> {
    names::check(&input.name)?;
    let overwrite = input.overwrite.unwrap_or_default();
    if overwrite && input.tags.as_ref().is_some_and(|tags| !tags.is_empty()) {
        return Err(refusal::tags_and_overwrite());
    }
    if input.policies.is_some() {
        return Err(refusal::not_here_yet("Policies"));
    }
    let found = desk.find(&input.name).await?;
    if found.is_some() && !overwrite {
        return Err(refusal::exists());
    }
    let version = version(desk, &input, found.as_ref().map(|found| found.kept.newest()))?;
    let (number, tier) = (version.number, version.tier.clone());
    let mut changes = vec![desk.seal(&input.name, number, &input.value.0).await?];
    match found {
        Some(Found { mut kept, version: record }) => {
            changes.extend(make_room(desk, &mut kept)?);
            kept.versions.push(version);
            changes.push(desk.put(&kept, Expect::Version(record)));
        }
        None => {
            let tags = tags::add(BTreeMap::new(), input.tags.unwrap_or_default())?;
            let kept = Kept { name: input.name, tags, versions: vec![version] };
            changes.push(desk.put(&kept, Expect::Absent));
        }
    }
    desk.commit(changes).await?;
    Ok(PutParameterResult { version: Some(number), tier: Some(tier) })
}

/// The version that a request makes. What it leaves out stays as it was in the one before.
fn version(
    desk: &Desk<'_>,
    input: &PutParameterRequest,
    before: Option<&Version>,
) -> Result<Version, ServiceError> {
    let kind = input.r#type.clone().or_else(|| before.map(|before| before.kind.clone()));
    let kind = kind.ok_or_else(refusal::no_type)?;
    let allowed_pattern = input.allowed_pattern.clone().filter(|pattern| !pattern.is_empty());
    let allowed_pattern =
        allowed_pattern.or_else(|| before.and_then(|before| before.allowed_pattern.clone()));
    check_value(&input.value.0, &kind, allowed_pattern.as_deref())?;
    let data_type = input.data_type.as_deref().filter(|data_type| !data_type.is_empty());
    Ok(Version {
        number: before.map_or(1, |before| before.number + 1),
        key_id: key_id(input.key_id.as_deref(), &kind)?,
        kind,
        description: input
            .description
            .clone()
            .or_else(|| before.and_then(|before| before.description.clone())),
        allowed_pattern,
        tier: tier(input.tier.as_ref(), before, input.value.0.len())?,
        data_type: check_data_type(data_type)?,
        labels: Vec::new(),
        modified_at: desk.now,
        modified_by: desk.caller.arn.clone(),
    })
}

fn check_value(
    value: &str,
    kind: &ParameterType,
    pattern: Option<&str>,
) -> Result<(), ServiceError> {
    if value.is_empty() {
        return Err(refusal::no_value());
    }
    let nests = value.split_once("{{").is_some_and(|(_, rest)| rest.contains("}}"));
    if nests && *kind != ParameterType::SecureString {
        return Err(refusal::nested());
    }
    let Some(pattern) = pattern else { return Ok(()) };
    let whole = Regex::new(&format!(r"\A(?:{pattern})\z")).map_err(|_| refusal::pattern())?;
    if whole.is_match(value) { Ok(()) } else { Err(refusal::pattern_mismatch(pattern)) }
}

fn key_id(given: Option<&str>, kind: &ParameterType) -> Result<Option<String>, ServiceError> {
    match (given, kind) {
        (None, ParameterType::SecureString) => Ok(Some(KMS_KEY.to_owned())),
        (None, _) => Ok(None),
        (Some(_), ParameterType::String | ParameterType::StringList) => {
            Err(refusal::key_without_need())
        }
        (Some(key), _) if key.ends_with(KMS_KEY) => Ok(Some(key.to_owned())),
        (Some(key), _) => Err(refusal::key(key)),
    }
}

fn tier(
    asked: Option<&ParameterTier>,
    before: Option<&Version>,
    value_bytes: usize,
) -> Result<ParameterTier, ServiceError> {
    let was_advanced = before.is_some_and(|before| before.tier == ParameterTier::Advanced);
    let tier = match asked {
        Some(ParameterTier::Standard) if was_advanced => return Err(refusal::downgrade()),
        Some(ParameterTier::Advanced) => ParameterTier::Advanced,
        _ if was_advanced => ParameterTier::Advanced,
        Some(ParameterTier::IntelligentTiering) if value_bytes > STANDARD_BYTES_MAX => {
            ParameterTier::Advanced
        }
        Some(_) | None => ParameterTier::Standard,
    };
    let bytes_max = match tier {
        ParameterTier::Advanced => ADVANCED_BYTES_MAX,
        _ => STANDARD_BYTES_MAX,
    };
    match value_bytes > bytes_max {
        true => Err(refusal::value_length(tier.as_str(), bytes_max)),
        false => Ok(tier),
    }
}

fn check_data_type(given: Option<&str>) -> Result<String, ServiceError> {
    match given {
        None | Some("text") => Ok("text".to_owned()),
        Some(known @ ("aws:ec2:image" | "aws:ssm:integration")) => {
            Err(refusal::not_here_yet(&format!("Data type {known}")))
        }
        Some(other) => Err(refusal::data_type(other)),
    }
}

/// AWS: the oldest version goes when there are too many, unless it has a label.
fn make_room(desk: &Desk<'_>, kept: &mut Kept) -> Result<Option<Change>, ServiceError> {
    if kept.versions.len() < VERSIONS_MAX {
        return Ok(None);
    }
    let oldest = &kept.versions[0];
    if !oldest.labels.is_empty() {
        return Err(refusal::oldest_is_labelled(&kept.name, oldest.number));
    }
    let oldest = kept.versions.remove(0);
    Ok(Some(desk.forget(&kept.name, oldest.number)))
}
