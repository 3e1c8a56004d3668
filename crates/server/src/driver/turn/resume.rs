//! Taking up the builds that a service before this one has left.

use super::{Live, Staged};
use crate::{
    driver::{
        CONTAINERS, Grounds,
        follower::{Follower, Item},
    },
    fault::chain,
    tally::Trouble,
};
use build_core::{Exited, Input, Stage};
use std::{collections::HashSet, sync::Arc};
use store::{Change, CommitError, Durability, Expect, Fault};

/// The builds that have not ended, as they are stored. Those that do not parse are left alone with
/// all that is theirs, for a program that can read them.
pub(super) async fn found(
    grounds: &Grounds,
    unread: &mut HashSet<String>,
) -> Result<Vec<Live>, Fault> {
    let mut found = Vec::new();
    for stored in grounds.machine.live_builds().await? {
        let mut parse = |what: &str, error: serde_json::Error| {
            grounds.trouble(Trouble::State);
            unread.extend(stored.id.split_once(':').map(|(_, uuid)| uuid.to_owned()));
            tracing::error!(build = stored.id, %error, "the stored {what} does not parse");
        };
        let build = match serde_json::from_str(&stored.state) {
            Ok(build) => build,
            Err(error) => {
                parse("state", error);
                continue;
            }
        };
        let request = match serde_json::from_str(&stored.request) {
            Ok(request) => Arc::new(request),
            Err(error) => {
                parse("request", error);
                continue;
            }
        };
        let journal_offset = stored.journal_offset;
        found.push(Live { build, request, order: 0, journal_offset, ending: None });
    }
    Ok(found)
}

/// Ends the builds that had begun when the containers are not those of this machine any more: it
/// has started anew, or the folder is a copy. None of them may be begun again.
pub(super) async fn end_lost(grounds: &Grounds, found: &mut [Live]) -> Result<(), Fault> {
    let machine = &grounds.machine;
    let here = machine.containers();
    let known = machine.record(CONTAINERS, "", "").await?.map(|record| record.document);
    if known.as_ref() == Some(&here) {
        return Ok(());
    }
    let mut changes = vec![Change::PutRecord {
        collection: CONTAINERS,
        region: String::new(),
        key: String::new(),
        document: here,
        expect: Expect::Anything,
    }];
    // A folder that has never told is one of before there was such a record.
    let begun = |live: &&mut Live| live.build.stage != Stage::Queued && known.is_some();
    for live in found.iter_mut().filter(begun) {
        tracing::warn!(build = %live.build.id(), "its container is lost");
        let mut entry = Staged::of(live.copy());
        lose(grounds, &mut entry);
        changes.extend(entry.changes());
        *live = entry.live;
    }
    machine.commit(changes, Durability::Machine).await.map_err(|error| match error {
        CommitError::Fault(fault) => fault,
        CommitError::Conflict { .. } => Fault::Corrupt { what: error.to_string() },
    })
}

/// What the journal still has is taken in; then the container has died.
fn lose(grounds: &Grounds, entry: &mut Staged) {
    let now = grounds.machine.now();
    let id = entry.live.build.id().clone();
    if let Ok(journal) = grounds.machine.open_journal(&id) {
        let mut follower = Follower::new(journal, 0);
        loop {
            let items = match follower.read() {
                Ok(Some(items)) => items,
                Ok(None) => break,
                Err(error) => {
                    // The machine may have lost the end of it.
                    tracing::warn!(build = %id, error = %chain(&error), "a journal is cut off");
                    break;
                }
            };
            for item in items {
                if let Item::Fact(fact, at, offset) = item
                    && offset > entry.live.journal_offset
                {
                    entry.decide(&Input::Fact(fact, at), now);
                    entry.live.journal_offset = offset;
                }
            }
        }
    }
    entry.decide(&Input::Exited(Exited::Died), now);
}
