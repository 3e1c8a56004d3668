//! What is past its time leaves, so that the disk's use levels off: ended builds with their logs, by
//! age, by number and by size, and what was kept of idempotency tokens.
//!
//! Logs that are no build's have a retention of their own, local caches a limit of theirs.

use crate::{
    build_request::BuildRequest, clock, codebuild::tokens_past, config::Retention, driver::Grounds,
    fault::chain, tally::Trouble,
};
use std::{sync::Arc, time::Duration};
use store::{
    Change, CommitError, Ended, Fault, Store,
    logs::{LogError, LogStore},
};
use thiserror::Error;
use tokio::{task::spawn_blocking, time::interval};

/// How often is looked.
const SWEEP_EVERY: Duration = Duration::from_secs(600);
/// How many builds leave with one commit.
const BUILDS_PER_COMMIT: usize = 64;

const DAY_MILLIS: i64 = 24 * 3_600_000;

/// Why something was not removed.
#[derive(Debug, Error)]
pub enum SweepError {
    /// The state refused.
    #[error(transparent)]
    State(#[from] Fault),
    /// The state refused to forget.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// The logs refused.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// Removes what is past its time, by rules.
pub struct Sweeper {
    /// The state.
    pub store: Store,
    /// The logs.
    pub logs: LogStore,
    /// What may stay.
    pub rules: Retention,
}

impl Sweeper {
    /// Sweeps now and every ten minutes, for as long as it is polled.
    pub async fn keep_swept(self, grounds: Arc<Grounds>) {
        let mut moments = interval(SWEEP_EVERY);
        loop {
            moments.tick().await;
            let now = clock::now();
            match self.sweep(i64::try_from(now.millis()).unwrap_or(i64::MAX)).await {
                Ok(0) => {}
                Ok(builds) => tracing::info!(builds, "old builds were removed"),
                Err(error) => {
                    grounds.tally.trouble(Trouble::Retention, now);
                    tracing::error!(error = %chain(&error), "what is old was not removed");
                }
            }
        }
    }

    /// Removes what is past its time at `now`, in milliseconds since 1970; gives how many builds.
    pub async fn sweep(&self, now: i64) -> Result<usize, SweepError> {
        let expired = tokens_past(&self.store, now).await?;
        if !expired.is_empty() {
            self.store.commit(expired).await?;
        }
        let counted = now.saturating_sub(i64::from(self.rules.counts_days) * DAY_MILLIS);
        self.store.commit(vec![Change::ForgetEnded { before: counted }]).await?;
        let mut removed = 0;
        let horizon = now.saturating_sub(i64::from(self.rules.builds_days) * DAY_MILLIS);
        loop {
            let old = self.store.ended_builds(Some(horizon), BUILDS_PER_COMMIT).await?;
            removed += old.len();
            if self.remove(old).await? < BUILDS_PER_COMMIT {
                break;
            }
        }
        let mut surplus =
            self.store.ended_build_count().await?.saturating_sub(self.rules.builds_max);
        while surplus > 0 {
            let count = usize::try_from(surplus).unwrap_or(usize::MAX).min(BUILDS_PER_COMMIT);
            let gone = self.remove(self.store.ended_builds(None, count).await?).await?;
            removed += gone;
            surplus = if gone == 0 { 0 } else { surplus - gone as u64 };
        }
        while self.log_bytes().await? > self.rules.logs_gib_max << 30 {
            match self.remove(self.store.ended_builds(None, BUILDS_PER_COMMIT).await?).await? {
                0 => break,
                gone => removed += gone,
            }
        }
        Ok(removed)
    }

    async fn log_bytes(&self) -> Result<u64, SweepError> {
        let logs = self.logs.clone();
        let bytes = spawn_blocking(move || logs.stored_bytes()).await;
        Ok(bytes.unwrap_or(Err(LogError::Fault(Fault::Stopped)))?)
    }

    /// Removes builds and their logs. The logs go first: who is killed in between finds the builds
    /// again.
    async fn remove(&self, builds: Vec<Ended>) -> Result<usize, SweepError> {
        let count = builds.len();
        let mut changes = Vec::with_capacity(count);
        let mut targets = Vec::with_capacity(count);
        for Ended { region, id, request } in builds {
            let request: Result<BuildRequest, _> = serde_json::from_str(&request);
            targets.extend(request.ok().and_then(|request| request.log_target()));
            changes.push(Change::DeleteBuild { region, id });
        }
        let logs = self.logs.clone();
        let deleted = spawn_blocking(move || {
            for target in targets {
                let group = match logs.group_id(&target.region, &target.group) {
                    Err(LogError::GroupMissing) => continue,
                    group => group?,
                };
                let gone = logs
                    .stream_id(group, &target.stream)
                    .and_then(|stream| logs.delete_stream(stream));
                match gone {
                    Ok(()) | Err(LogError::StreamMissing) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        });
        deleted.await.unwrap_or(Err(LogError::Fault(Fault::Stopped)))?;
        if !changes.is_empty() {
            self.store.commit(changes).await?;
        }
        Ok(count)
    }
}
