//! Secrets and parameters for a build on the spot: out of a file, and into the services that the
//! build asks for them.

use crate::{app::App, build_request::BuildRequest};
use anyhow::Context;
use serde::Deserialize;
use std::{collections::BTreeMap, fmt, fs, path::Path};
use uuid::Uuid;
use wire::{
    Caller, Principal, Sensitive,
    secretsmanager::{CreateSecretRequest, SecretsManager},
};

/// What a build may ask for, by name.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct KeptValues {
    /// The secrets of Secrets Manager.
    secrets: BTreeMap<String, String>,
}

impl fmt::Debug for KeptValues {
    /// Shows the names alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeptValues").field("secrets", &self.secrets.keys()).finish()
    }
}

impl KeptValues {
    /// Reads a file, in TOML.
    pub(super) fn read(file: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(file)
            .with_context(|| format!("failed to read {}", file.display()))?;
        // What the parser says would show the line that it is about, value and all.
        toml::from_str(&text).map_err(|error: toml::de::Error| {
            let line = error.span().map_or(0, |span| text[..span.start].lines().count().max(1));
            anyhow::anyhow!(
                "failed to understand {}, line {line}: it has a table [secrets] of names and \
                 texts: {}",
                file.display(),
                error.message()
            )
        })
    }

    /// Gives them to the services.
    pub(super) async fn give(self, app: &App, request: &BuildRequest) -> anyhow::Result<()> {
        let caller = Caller {
            account_id: request.account_id.clone(),
            region: request.region.clone(),
            arn: format!("arn:aws:iam::{}:root", request.account_id),
            user_id: request.account_id.clone(),
            principal: Principal::Root,
            request_id: Uuid::new_v4().to_string(),
        };
        for (name, value) in self.secrets {
            let input = CreateSecretRequest {
                name: name.clone(),
                secret_string: Some(Sensitive(value)),
                ..CreateSecretRequest::default()
            };
            let made = app.front.secrets.create_secret(&caller, input).await;
            made.map_err(|error| anyhow::anyhow!("the secret {name:?}: {}", error.message))?;
        }
        Ok(())
    }
}
