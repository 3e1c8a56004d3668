//! What one operation has at hand: the records, the vault, who asks, the present.

use super::{
    SecretsService,
    kept::{SECRETS, Secret, VALUES, ValueKind, Version, value_key},
    names, refusal,
};
use crate::{fault, permission, vault::VaultError};
use store::{Change, CommitError, Expect, Page};
use wire::{Blob, Caller, Sensitive, ServiceError};

/// The longest value. AWS: the same.
const VALUE_BYTES_MAX: usize = 65_536;

/// What one operation has at hand.
pub(super) struct Desk<'a> {
    pub(super) service: &'a SecretsService,
    pub(super) caller: &'a Caller,
    /// Milliseconds since 1970.
    pub(super) now: i64,
}

/// A secret and the version of its record.
pub(super) struct Found {
    pub(super) secret: Secret,
    pub(super) version: u64,
}

/// A value as a caller gave it or gets it.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// Text.
    Text(String),
    /// Bytes.
    Binary(Vec<u8>),
}

impl Value {
    /// The value that a request gives, if it gives one.
    pub(super) fn given(
        text: Option<Sensitive>,
        binary: Option<Blob>,
    ) -> Result<Option<Self>, ServiceError> {
        match (text, binary) {
            (None, None) => Ok(None),
            (Some(Sensitive(text)), None) => Ok(Some(Self::Text(text))),
            (None, Some(Blob(bytes))) if (1..=VALUE_BYTES_MAX).contains(&bytes.len()) => {
                Ok(Some(Self::Binary(bytes)))
            }
            (None, Some(_)) => Err(refusal::binary_length(VALUE_BYTES_MAX)),
            (Some(_), Some(_)) => Err(refusal::two_values()),
        }
    }

    /// What it is.
    pub(super) fn kind(&self) -> ValueKind {
        match self {
            Self::Text(_) => ValueKind::Text,
            Self::Binary(_) => ValueKind::Binary,
        }
    }

    /// The two members of an answer that hold a value, of which one is empty.
    pub(super) fn into_members(self) -> (Option<Sensitive>, Option<Blob>) {
        match self {
            Self::Text(text) => (Some(Sensitive(text)), None),
            Self::Binary(bytes) => (None, Some(Blob(bytes))),
        }
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }
}

impl Desk<'_> {
    /// Finds the secret that an id means.
    pub(super) async fn find(&self, id: &str) -> Result<Found, ServiceError> {
        for candidate in names::candidates(self.caller, id) {
            let fits = |secret: &Secret| candidate.suffix.is_none_or(|end| end == secret.suffix);
            if let Some(found) = self.named(candidate.name).await?
                && fits(&found.secret)
                && !found.secret.is_gone(self.now)
            {
                return Ok(found);
            }
        }
        Err(refusal::no_secret())
    }

    /// Finds a secret that is not to be deleted.
    pub(super) async fn find_usable(&self, id: &str) -> Result<Found, ServiceError> {
        let found = self.find(id).await?;
        match found.secret.is_marked_for_deletion() {
            true => Err(refusal::marked_for_deletion()),
            false => Ok(found),
        }
    }

    /// The record of that name, also one whose time is over.
    pub(super) async fn named(&self, name: &str) -> Result<Option<Found>, ServiceError> {
        let record = self.service.store.record(SECRETS, &self.caller.region, name).await;
        let Some(record) = record.map_err(|fault| self.fault(&fault))? else { return Ok(None) };
        let secret = serde_json::from_str(&record.document).map_err(|error| self.fault(&error))?;
        Ok(Some(Found { secret, version: record.version }))
    }

    /// Every secret of the region whose time is not over, in the order of the names.
    pub(super) async fn all(&self) -> Result<Vec<Secret>, ServiceError> {
        let records = self.service.store.records(SECRETS, &self.caller.region, Page::all()).await;
        let mut secrets: Vec<Secret> = Vec::new();
        for record in records.map_err(|fault| self.fault(&fault))? {
            let secret = serde_json::from_str(&record.document);
            secrets.push(secret.map_err(|error| self.fault(&error))?);
        }
        secrets.retain(|secret| !secret.is_gone(self.now));
        Ok(secrets)
    }

    /// Refuses a build that may not read the secret.
    pub(super) fn may_read(&self, id: &str, action: &str) -> Result<(), ServiceError> {
        let (readable, name) = (&self.service.readable, names::likely_name(id));
        if permission::may_read(self.caller, readable, name) {
            return Ok(());
        }
        Err(names::denied(self.caller, action, id))
    }

    /// The secret's ARN.
    pub(super) fn arn(&self, secret: &Secret) -> String {
        names::arn(self.caller, &secret.name, &secret.suffix)
    }

    /// The change that keeps what is known of a secret.
    pub(super) fn put(&self, secret: &Secret, expect: Expect) -> Change {
        Change::PutRecord {
            collection: SECRETS,
            region: self.caller.region.clone(),
            key: secret.name.clone(),
            document: serde_json::to_string(secret).expect("it has only text keys"),
            expect,
        }
    }

    /// The changes that remove the values of these versions.
    pub(super) fn forget<'b>(
        &self,
        name: &str,
        versions: impl Iterator<Item = &'b str>,
    ) -> Vec<Change> {
        forget(&self.caller.region, name, versions)
    }

    /// The change that keeps a version's value, sealed.
    pub(super) async fn seal(
        &self,
        secret: &Secret,
        version: &str,
        value: &Value,
    ) -> Result<Change, ServiceError> {
        let place = self.place(secret, version);
        let place = place.each_ref().map(String::as_str);
        let sealed = self.service.vault.seal(&place, value.bytes());
        Ok(Change::PutRecord {
            collection: VALUES,
            region: self.caller.region.clone(),
            key: value_key(&secret.name, version),
            document: sealed
                .await
                .map_err(|error| self.vault_fault(&error, refusal::cannot_encrypt))?,
            expect: Expect::Anything,
        })
    }

    /// A version's value.
    pub(super) async fn open(
        &self,
        secret: &Secret,
        version: &Version,
    ) -> Result<Value, ServiceError> {
        let key = value_key(&secret.name, &version.id);
        let record = self.service.store.record(VALUES, &self.caller.region, &key).await;
        let record = record.map_err(|fault| self.fault(&fault))?;
        // It was deleted between the two reads.
        let record = record.ok_or_else(refusal::no_secret)?;
        let place = self.place(secret, &version.id);
        let place = place.each_ref().map(String::as_str);
        let opened = self.service.vault.open(&place, &record.document);
        let opened =
            opened.await.map_err(|error| self.vault_fault(&error, refusal::cannot_decrypt))?;
        match version.kind {
            ValueKind::Binary => Ok(Value::Binary(opened)),
            ValueKind::Text => String::from_utf8(opened)
                .map(Value::Text)
                .map_err(|error| self.fault(&error.utf8_error())),
        }
    }

    /// Makes all of the changes happen.
    pub(super) async fn commit(&self, changes: Vec<Change>) -> Result<(), ServiceError> {
        self.service.store.commit(changes).await.map_err(|error| match error {
            CommitError::Fault(fault) => self.fault(&fault),
            // Whoever writes holds the service's turn.
            conflict @ CommitError::Conflict { .. } => self.fault(&conflict),
        })
    }

    /// Our own fault: the log gets all of it, the caller an id to ask with.
    pub(super) fn fault(&self, error: &dyn std::error::Error) -> ServiceError {
        fault::told(&self.caller.request_id, error)
    }

    fn vault_fault(&self, error: &VaultError, refusal: fn() -> ServiceError) -> ServiceError {
        let told = self.fault(error);
        match error {
            VaultError::Store(_) | VaultError::Random(_) => told,
            VaultError::Missing { .. }
            | VaultError::KeyFile { .. }
            | VaultError::OtherKey { .. }
            | VaultError::Broken => refusal(),
        }
    }

    fn place(&self, secret: &Secret, version: &str) -> [String; 3] {
        [VALUES.name().to_owned(), self.arn(secret), version.to_owned()]
    }
}

/// The changes that remove the values of these versions.
pub(super) fn forget<'a>(
    region: &str,
    name: &str,
    versions: impl Iterator<Item = &'a str>,
) -> Vec<Change> {
    versions
        .map(|version| Change::DeleteRecord {
            collection: VALUES,
            region: region.to_owned(),
            key: value_key(name, version),
        })
        .collect()
}
