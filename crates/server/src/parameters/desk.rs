//! What one operation has at hand: the records, the vault, who asks, the present.

use super::{
    ParametersService,
    kept::{Kept, PARAMETERS, VALUES, Version, value_key},
    names, refusal,
};
use crate::{fault, permission, vault::VaultError};
use store::{Change, CommitError, Expect, Page, Record};
use wire::{Caller, ServiceError, ssm::SERVICE};

/// What one operation has at hand.
pub(super) struct Desk<'a> {
    pub(super) service: &'a ParametersService,
    pub(super) caller: &'a Caller,
    /// Milliseconds since 1970.
    pub(super) now: i64,
}

/// A parameter and the version of its record.
pub(super) struct Found {
    pub(super) kept: Kept,
    pub(super) version: u64,
}

impl Desk<'_> {
    /// Finds the parameter of a name or an ARN, without a version.
    pub(super) async fn find(&self, name: &str) -> Result<Option<Found>, ServiceError> {
        for name in names::asked(self.caller, name).names {
            let record = self.service.store.record(PARAMETERS, &self.caller.region, name).await;
            if let Some(record) = record.map_err(|fault| self.fault(&fault))? {
                return Ok(Some(Found { kept: self.read(&record)?, version: record.version }));
            }
        }
        Ok(None)
    }

    /// Every parameter whose name begins so, in the order of the names.
    pub(super) async fn all(&self, prefix: &str) -> Result<Vec<Kept>, ServiceError> {
        let page = Page { prefix: prefix.to_owned(), ..Page::all() };
        let records = self.service.store.records(PARAMETERS, &self.caller.region, page).await;
        let records = records.map_err(|fault| self.fault(&fault))?;
        records.iter().map(|record| self.read(record)).collect()
    }

    fn read(&self, record: &Record) -> Result<Kept, ServiceError> {
        serde_json::from_str(&record.document).map_err(|error| self.fault(&error))
    }

    /// Refuses a build that may not read the parameter.
    pub(super) fn may_read(&self, name: &str, action: &str) -> Result<(), ServiceError> {
        if self.is_readable(name) {
            return Ok(());
        }
        let action = format!("{}:{action}", SERVICE.name);
        let resource = names::arn(self.caller, names::plain(name));
        Err(ServiceError::access_denied(&SERVICE, &self.caller.arn, &action, &resource))
    }

    /// Whether the caller may read the parameter.
    pub(super) fn is_readable(&self, name: &str) -> bool {
        permission::may_read(self.caller, &self.service.readable, names::plain(name))
    }

    /// The change that keeps what is known of a parameter.
    pub(super) fn put(&self, kept: &Kept, expect: Expect) -> Change {
        Change::PutRecord {
            collection: PARAMETERS,
            region: self.caller.region.clone(),
            key: kept.name.clone(),
            document: serde_json::to_string(kept).expect("it has only text keys"),
            expect,
        }
    }

    /// The changes that remove a parameter and all of its values.
    pub(super) fn remove(&self, kept: &Kept) -> Vec<Change> {
        let values = kept.versions.iter().map(|version| self.forget(&kept.name, version.number));
        let parameter = Change::DeleteRecord {
            collection: PARAMETERS,
            region: self.caller.region.clone(),
            key: kept.name.clone(),
        };
        values.chain([parameter]).collect()
    }

    /// The change that removes the value of a version.
    pub(super) fn forget(&self, name: &str, number: i64) -> Change {
        Change::DeleteRecord {
            collection: VALUES,
            region: self.caller.region.clone(),
            key: value_key(name, number),
        }
    }

    /// The change that keeps a version's value, sealed.
    pub(super) async fn seal(
        &self,
        name: &str,
        number: i64,
        value: &str,
    ) -> Result<Change, ServiceError> {
        let place = self.place(name, number);
        let place = place.each_ref().map(String::as_str);
        let sealed = self.service.vault.seal(&place, value.as_bytes());
        Ok(Change::PutRecord {
            collection: VALUES,
            region: self.caller.region.clone(),
            key: value_key(name, number),
            document: sealed.await.map_err(|error| self.vault_fault(&error))?,
            expect: Expect::Anything,
        })
    }

    /// A version's value as it is kept; none when it was deleted a moment ago.
    pub(super) async fn sealed(
        &self,
        name: &str,
        version: &Version,
    ) -> Result<Option<String>, ServiceError> {
        let key = value_key(name, version.number);
        let record = self.service.store.record(VALUES, &self.caller.region, &key).await;
        Ok(record.map_err(|fault| self.fault(&fault))?.map(|record| record.document))
    }

    /// A version's value.
    pub(super) async fn open(
        &self,
        name: &str,
        version: &Version,
        sealed: &str,
    ) -> Result<String, ServiceError> {
        let place = self.place(name, version.number);
        let place = place.each_ref().map(String::as_str);
        let opened = self.service.vault.open(&place, sealed).await;
        let opened = opened.map_err(|error| self.vault_fault(&error))?;
        String::from_utf8(opened).map_err(|error| self.fault(&error.utf8_error()))
    }

    /// Makes all of the changes happen.
    pub(super) async fn commit(&self, changes: Vec<Change>) -> Result<(), ServiceError> {
        self.service.store.commit(changes).await.map_err(|error| match error {
            CommitError::Fault(fault) => self.fault(&fault),
            // Whoever writes holds the service's turn.
            conflict @ CommitError::Conflict { .. } => self.fault(&conflict),
        })
    }

    fn fault(&self, error: &dyn std::error::Error) -> ServiceError {
        fault::told(&self.caller.request_id, error)
    }

    fn vault_fault(&self, error: &VaultError) -> ServiceError {
        let told = self.fault(error);
        match error {
            VaultError::Store(_) | VaultError::Random(_) => told,
            VaultError::Missing { .. }
            | VaultError::KeyFile { .. }
            | VaultError::OtherKey { .. }
            | VaultError::Broken => refusal::no_key(),
        }
    }

    fn place(&self, name: &str, number: i64) -> [String; 3] {
        [VALUES.name().to_owned(), names::arn(self.caller, name), number.to_string()]
    }
}
