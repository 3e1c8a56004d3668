//! Idempotency tokens: the same request with the same token gives the same build again.

use super::{CodeBuildService, refusal};
use build_core::limits::IDEMPOTENCY_TOKEN_MINUTES;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use store::{Change, Expect, Fault, Page, Store};
use wire::{Caller, ServiceError};

/// The longest token. AWS: the same.
const TOKEN_CHARACTERS_MAX: usize = 64;

const TOKENS: store::Collection = store::Collection::new("idempotency-token");

/// What is kept for a token.
#[derive(Serialize, Deserialize)]
struct Used {
    /// A digest of the request's parameters.
    parameters: String,
    /// The build that the request started.
    build_id: String,
    /// When, in milliseconds.
    at: i64,
}

/// What a token means for a request.
pub(super) enum Meaning {
    /// The request is new. The change, if there is a token, belongs into its transaction.
    New(Option<Change>),
    /// The request was made already and started this build.
    Repeated(String),
}

/// Looks a token up. `build_id` is the build that will be started if the request is new.
pub(super) async fn look_up(
    service: &CodeBuildService,
    caller: &Caller,
    (operation, token): (&str, Option<&str>),
    parameters: &impl Serialize,
    build_id: &str,
) -> Result<Meaning, ServiceError> {
    let Some(token) = token.filter(|token| !token.is_empty()) else {
        return Ok(Meaning::New(None));
    };
    // AWS: the limit is in the description of the member, not in the model.
    if token.chars().count() > TOKEN_CHARACTERS_MAX {
        return Err(refusal::token_length());
    }
    let key = format!("{operation}:{token}");
    let parameters = digest(parameters);
    let now = service.now_millis();
    let record = service
        .store
        .record(TOKENS, &caller.region, &key)
        .await
        .map_err(|fault| service.fault(caller, &fault))?;
    let mut expect = Expect::Absent;
    if let Some(record) = record {
        let used: Used = serde_json::from_str(&record.document)
            .map_err(|error| service.fault(caller, &error))?;
        let age_minutes = u64::try_from((now - used.at) / 60_000).unwrap_or_default();
        if age_minutes < IDEMPOTENCY_TOKEN_MINUTES {
            return if used.parameters == parameters {
                Ok(Meaning::Repeated(used.build_id))
            } else {
                Err(refusal::token_reused())
            };
        }
        expect = Expect::Version(record.version);
    }
    let used = Used { parameters, build_id: build_id.to_owned(), at: now };
    Ok(Meaning::New(Some(Change::PutRecord {
        collection: TOKENS,
        region: caller.region.clone(),
        key,
        document: serde_json::to_string(&used).expect("it holds only text and numbers"),
        expect,
    })))
}

/// The changes that forget the tokens which mean nothing any more.
pub(crate) async fn past(store: &Store, now: i64) -> Result<Vec<Change>, Fault> {
    let mut changes = Vec::new();
    for region in store.regions(TOKENS).await? {
        for record in store.records(TOKENS, &region, Page::all()).await? {
            let used: Option<Used> = serde_json::from_str(&record.document).ok();
            // Twice the time: a request may have looked it up just now.
            let minutes = used.map_or(i64::MAX, |used| (now - used.at) / 60_000);
            if minutes > 2 * i64::try_from(IDEMPOTENCY_TOKEN_MINUTES).unwrap_or(i64::MAX) {
                let (collection, region, key) = (TOKENS, region.clone(), record.key);
                changes.push(Change::DeleteRecord { collection, region, key });
            }
        }
    }
    Ok(changes)
}

fn digest(parameters: &impl Serialize) -> String {
    let json = serde_json::to_vec(parameters).expect("shapes have only text keys");
    hex::encode(Sha256::digest(json))
}
