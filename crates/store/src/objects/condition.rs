//! Conditions on the object that a change is about to replace, checked in the change's transaction.

use super::error::{ObjectError, Result};
use super::version::Version;

/// What must be true of a key's current object for a change to happen. The default asks nothing.
#[derive(Debug, Clone, Default)]
pub struct Condition {
    /// It exists, whatever it is.
    pub exists: bool,
    /// Its ETag, without quotes, is this one.
    pub etag: Option<String>,
    /// It does not exist.
    pub is_absent: bool,
    /// Its size in bytes is this one.
    pub size: Option<u64>,
    /// The second of its last modification, since 1970, is this one.
    pub modified_seconds: Option<i64>,
}

impl Condition {
    /// Checks the condition; a delete marker counts as nothing.
    pub fn check(&self, current: Option<&Version>) -> Result<()> {
        let current = current.filter(|version| !version.is_marker);
        if self.is_absent && current.is_some() {
            return Err(ObjectError::PreconditionFailed("If-None-Match"));
        }
        let asks = self.exists
            || self.etag.is_some()
            || self.size.is_some()
            || self.modified_seconds.is_some();
        if !asks {
            return Ok(());
        }
        let current = current.ok_or(ObjectError::NoSuchKey)?;
        let fails = |holds: bool, name| {
            if holds { Ok(()) } else { Err(ObjectError::PreconditionFailed(name)) }
        };
        fails(self.etag.as_ref().is_none_or(|etag| *etag == current.etag), "If-Match")?;
        fails(self.size.is_none_or(|size| size == current.size), "x-amz-if-match-size")?;
        let modified = current.modified_ms.div_euclid(1000);
        fails(
            self.modified_seconds.is_none_or(|seconds| seconds == modified),
            "x-amz-if-match-last-modified-time",
        )
    }

    /// Says whether the condition asks anything at all.
    pub fn is_none(&self) -> bool {
        !self.exists
            && !self.is_absent
            && self.etag.is_none()
            && self.size.is_none()
            && self.modified_seconds.is_none()
    }
}
