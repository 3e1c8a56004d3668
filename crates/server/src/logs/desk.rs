//! What one operation has at hand: the store, whose account and region it is about, the present.

use super::refusal;
use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};
use store::logs::{Group, GroupId, LogError, LogStore};
use wire::ServiceError;

/// What one operation has at hand.
pub(super) struct Desk {
    pub(super) store: LogStore,
    pub(super) account_id: Arc<str>,
    pub(super) region: String,
    pub(super) request_id: String,
    /// Milliseconds since 1970.
    pub(super) now: i64,
}

/// The present in milliseconds since 1970.
pub(super) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

impl Desk {
    /// Gives the group of this name.
    pub(super) fn group(&self, name: &str) -> Result<Group, ServiceError> {
        let group = self.store.group(&self.region, name).map_err(|error| self.told(error))?;
        group.ok_or_else(refusal::no_group)
    }

    /// Gives the number of the group of this name.
    pub(super) fn group_id(&self, name: &str) -> Result<GroupId, ServiceError> {
        self.store.group_id(&self.region, name).map_err(|error| self.told(error))
    }

    /// Says to the caller what the store said; a fault goes to our own log instead.
    pub(super) fn told(&self, error: LogError) -> ServiceError {
        match error {
            LogError::GroupExists => refusal::group_exists(),
            LogError::GroupMissing => refusal::no_group(),
            LogError::StreamExists => refusal::stream_exists(),
            LogError::StreamMissing => refusal::no_stream(),
            LogError::TokenInvalid => refusal::token(),
            LogError::Fault(fault) => {
                let error = crate::fault::chain(&fault);
                tracing::error!(request = self.request_id, error, "a request failed");
                ServiceError::internal(&self.request_id)
            }
        }
    }
}
