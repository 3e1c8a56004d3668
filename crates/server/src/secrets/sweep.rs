//! Removes the secrets whose recovery window has passed.

use super::{
    SecretsService, desk,
    kept::{SECRETS, Secret},
    now,
};
use crate::fault;
use std::time::Duration;
use store::{Change, CommitError, Fault, Page};

/// How often is looked. A secret whose time is over is not given out meanwhile.
const SWEEP_EVERY: Duration = Duration::from_secs(60 * 60);

impl SecretsService {
    /// Removes secrets whose time is over, now and every hour, for as long as it is polled.
    pub async fn keep_swept(&self) {
        let mut hours = tokio::time::interval(SWEEP_EVERY);
        loop {
            hours.tick().await;
            if let Err(error) = self.sweep().await {
                let error = fault::chain(&error);
                tracing::error!(error, "deleted secrets were not removed");
            }
        }
    }

    async fn sweep(&self) -> Result<(), Fault> {
        let _turn = self.turn.lock().await;
        for region in self.store.regions(SECRETS).await? {
            for record in self.store.records(SECRETS, &region, Page::all()).await? {
                let secret: Secret = serde_json::from_str(&record.document)
                    .map_err(|_| Fault::Corrupt { what: format!("the secret {}", record.key) })?;
                if !secret.is_gone(now()) {
                    continue;
                }
                let versions = secret.versions.iter().map(|version| version.id.as_str());
                let mut changes = desk::forget(&region, &secret.name, versions);
                changes.push(Change::DeleteRecord {
                    collection: SECRETS,
                    region: region.clone(),
                    key: secret.name.clone(),
                });
                match self.store.commit(changes).await {
                    Ok(()) | Err(CommitError::Conflict { .. }) => {}
                    Err(CommitError::Fault(fault)) => return Err(fault),
                }
            }
        }
        Ok(())
    }
}
