//! LabelParameterVersion and UnlabelParameterVersion.

use super::{
    desk::{Desk, Found},
    kept::Version,
    refusal,
};
use store::Expect;
use wire::{
    ServiceError,
    ssm::{
        LabelParameterVersionRequest, LabelParameterVersionResult, UnlabelParameterVersionRequest,
        UnlabelParameterVersionResult,
    },
};

/// The most labels of a version. AWS: the same.
const LABELS_MAX: usize = 10;

/// Puts labels on a version, from which other version they may come; gives those that are none.
pub(super) async fn label(
    desk: &Desk<'_>,
    input: LabelParameterVersionRequest,
) -> Result<LabelParameterVersionResult, ServiceError> {
    let found = desk.find(&input.name).await?;
    let Found { mut kept, version } = found.ok_or_else(|| refusal::no_parameter(&input.name))?;
    let number = input.parameter_version.unwrap_or_else(|| kept.newest().number);
    if kept.numbered(number).is_none() {
        return Err(refusal::no_version(&kept.name, &number.to_string()));
    }
    let (labels, invalid): (Vec<_>, Vec<_>) =
        input.labels.into_iter().partition(|label| is_label(label));
    for label in labels {
        for version in &mut kept.versions {
            version.labels.retain(|known| *known != label);
        }
        if let Some(version) = kept.versions.iter_mut().find(|version| version.number == number) {
            version.labels.push(label);
        }
    }
    let too_many = |version: &Version| version.labels.len() > LABELS_MAX;
    if kept.numbered(number).is_some_and(too_many) {
        return Err(refusal::too_many_labels(LABELS_MAX));
    }
    desk.commit(vec![desk.put(&kept, Expect::Version(version))]).await?;
    Ok(LabelParameterVersionResult {
        invalid_labels: Some(invalid),
        parameter_version: Some(number),
    })
}

/// Takes labels from a version, and gives those that it did not have.
pub(super) async fn unlabel(
    desk: &Desk<'_>,
    input: UnlabelParameterVersionRequest,
) -> Result<UnlabelParameterVersionResult, ServiceError> {
    let found = desk.find(&input.name).await?;
    let Found { mut kept, version } = found.ok_or_else(|| refusal::no_parameter(&input.name))?;
    let number = input.parameter_version;
    let Some(labelled) = kept.versions.iter_mut().find(|version| version.number == number) else {
        return Err(refusal::no_version(&kept.name, &number.to_string()));
    };
    let (removed, invalid): (Vec<_>, Vec<_>) =
        input.labels.into_iter().partition(|label| labelled.has(label));
    labelled.labels.retain(|label| !removed.contains(label));
    desk.commit(vec![desk.put(&kept, Expect::Version(version))]).await?;
    let (removed_labels, invalid_labels) = (Some(removed), Some(invalid));
    Ok(UnlabelParameterVersionResult { removed_labels, invalid_labels })
}

/// AWS: letters, digits, periods, hyphens and underscores; not beginning with a digit or with the
/// names of AWS and Systems Manager.
fn is_label(label: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    let lower = label.to_ascii_lowercase();
    label.bytes().all(plain)
        && !label.starts_with(|first: char| first.is_ascii_digit())
        && !lower.starts_with("aws")
        && !lower.starts_with("ssm")
}
