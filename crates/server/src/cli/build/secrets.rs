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
    ssm::{ParameterType, PutParameterRequest, Ssm},
};

/// What a build may ask for, by name.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct KeptValues {
    /// The secrets of Secrets Manager.
    secrets: BTreeMap<String, String>,
    /// The parameters of Parameter Store, each kept as a secure string.
    parameters: BTreeMap<String, String>,
}

impl fmt::Debug for KeptValues {
    /// Shows the names alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeptValues")
            .field("secrets", &self.secrets.keys())
            .field("parameters", &self.parameters.keys())
            .finish()
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
                "failed to understand {}, line {line}: it has tables [secrets] and \
                 [parameters] of names and texts: {}",
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
        for (name, value) in self.parameters {
            let input = PutParameterRequest {
                name: name.clone(),
                value: Sensitive(value),
                r#type: Some(ParameterType::SecureString),
                ..PutParameterRequest::default()
            };
            let made = app.front.parameters.put_parameter(&caller, input).await;
            made.map_err(|error| anyhow::anyhow!("the parameter {name:?}: {}", error.message))?;
        }
        Ok(())
    }
}
