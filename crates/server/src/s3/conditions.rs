//! Conditional requests: when the object is what the caller has, or is not.

use super::{bucket::timestamp, refusal};
use http::HeaderMap;
use http::header::{ETAG, HeaderName, HeaderValue, LAST_MODIFIED};
use s3s::dto::{ETag, ETagCondition, Timestamp, TimestampFormat};
use s3s::{S3Error, S3Result};
use store::objects::{Condition, Version};

/// The conditions of a read, or of a copy on its source.
pub(super) struct Conditions<'a> {
    pub(super) if_match: Option<&'a ETagCondition>,
    pub(super) if_none_match: Option<&'a ETagCondition>,
    pub(super) if_modified_since: Option<&'a Timestamp>,
    pub(super) if_unmodified_since: Option<&'a Timestamp>,
}

/// Why a condition does not hold.
pub(super) enum Unmet {
    /// The caller's copy is still good.
    NotModified,
    /// The object is not what the caller takes it for; the condition's name.
    Failed(&'static str),
}

/// Collects the four conditions of an input.
macro_rules! conditions {
    ($input:expr) => {
        $crate::s3::conditions::Conditions {
            if_match: $input.if_match.as_ref(),
            if_none_match: $input.if_none_match.as_ref(),
            if_modified_since: $input.if_modified_since.as_ref(),
            if_unmodified_since: $input.if_unmodified_since.as_ref(),
        }
    };
}
pub(super) use conditions;

impl Conditions<'_> {
    /// Checks the conditions in the order of HTTP: an ETag is stronger than a time.
    pub(super) fn check(&self, version: &Version) -> Result<(), Unmet> {
        let modified = timestamp(version.modified_ms);
        match (self.if_match, self.if_unmodified_since) {
            (Some(condition), _) if !matches(condition, version) => {
                return Err(Unmet::Failed("If-Match"));
            }
            (None, Some(since)) if modified > *since => {
                return Err(Unmet::Failed("If-Unmodified-Since"));
            }
            _ => {}
        }
        match (self.if_none_match, self.if_modified_since) {
            (Some(condition), _) if matches(condition, version) => Err(Unmet::NotModified),
            (None, Some(since)) if modified <= *since => Err(Unmet::NotModified),
            _ => Ok(()),
        }
    }

    /// Checks the conditions of a read.
    pub(super) fn check_read(&self, version: &Version) -> S3Result<()> {
        self.check(version).map_err(|unmet| match unmet {
            Unmet::Failed(condition) => refusal::precondition_failed(condition),
            Unmet::NotModified => {
                let mut error = refusal::not_modified();
                error.set_headers(validators(version));
                error
            }
        })
    }

    /// Checks the conditions of a copy; there nothing is ever "not modified".
    pub(super) fn check_copy(&self, version: &Version) -> S3Result<()> {
        self.check(version).map_err(|unmet| match unmet {
            Unmet::Failed(condition) => refusal::precondition_failed(condition),
            Unmet::NotModified => refusal::precondition_failed("x-amz-copy-source-If-None-Match"),
        })
    }
}

/// The condition of a write.
pub(super) fn write(
    if_match: Option<&ETagCondition>,
    if_none_match: Option<&ETagCondition>,
) -> S3Result<Condition> {
    let mut condition = Condition::default();
    match if_match {
        None => {}
        Some(ETagCondition::Any) => condition.exists = true,
        Some(ETagCondition::ETag(etag)) => condition.etag = Some(etag.value().to_owned()),
    }
    match if_none_match {
        None => {}
        Some(ETagCondition::Any) => condition.is_absent = true,
        // AWS: a write takes no other If-None-Match.
        Some(ETagCondition::ETag(_)) => return Err(refusal::not_implemented()),
    }
    Ok(condition)
}

/// An ETag as it is sent.
pub(super) fn etag(version: &str) -> ETag {
    ETag::Strong(version.to_owned())
}

/// A time as an HTTP header has it.
pub(super) fn http_date(time: &Timestamp) -> String {
    let mut text = Vec::new();
    // Writing to memory cannot fail, and every time in whole seconds has this form.
    let _ = time.format(TimestampFormat::HttpDate, &mut text);
    String::from_utf8(text).unwrap_or_default()
}

/// Marks an error with the delete marker that is its cause.
pub(super) fn with_marker(mut error: S3Error, version: &Version, id: Option<String>) -> S3Error {
    let mut headers = HeaderMap::new();
    headers.insert("x-amz-delete-marker", HeaderValue::from_static("true"));
    insert(&mut headers, LAST_MODIFIED, &http_date(&timestamp(version.modified_ms)));
    if let Some(id) = id {
        insert(&mut headers, HeaderName::from_static("x-amz-version-id"), &id);
    }
    error.set_headers(headers);
    error
}

fn validators(version: &Version) -> HeaderMap {
    let mut headers = HeaderMap::new();
    insert(&mut headers, ETAG, &format!("\"{}\"", version.etag));
    insert(&mut headers, LAST_MODIFIED, &http_date(&timestamp(version.modified_ms)));
    headers
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

fn matches(condition: &ETagCondition, version: &Version) -> bool {
    match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(etag) => etag.value() == version.etag,
    }
}
