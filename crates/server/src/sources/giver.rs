//! Gives a build the credential of one of its sources, when it may have it.

use super::{
    Location, Ssh,
    credential::{self, Credential, Question},
    gate::{Gate, GateError, gate},
    is_git,
    keeper::{Found, KeepError, SourceCredentials},
};
use crate::{build_request::BuildRequest, secrets::SecretsService};
use std::{collections::BTreeMap, path::PathBuf};
use thiserror::Error;
use wire::{
    Caller, Principal, Sensitive,
    codebuild::{ProjectSource, ServerType, SourceAuthType},
    secretsmanager::{GetSecretValueRequest, SecretsManager},
};

/// The source by which a command's question is marked: no source is being fetched.
const ANY: &str = "*";

/// Gives credentials.
pub struct Giver<'a> {
    /// The account's own.
    pub credentials: &'a SourceCredentials,
    /// Those that secrets hold.
    pub secrets: &'a SecretsService,
    /// The secrets that hold what connections stand for, by the connections' ARNs.
    pub connections: &'a BTreeMap<String, String>,
}

/// Why a build gets no credential.
#[derive(Debug, Error)]
pub enum NoCredential {
    /// Its commands run, and it has not asked for a helper.
    #[error("the sources of the build are fetched")]
    Closed,
    /// The secret that should hold one does not.
    #[error("{0}")]
    Secret(String),
    /// No secret stands for the connection any more.
    #[error("no secret is named for the connection {0} under sources.connections")]
    Connection(String),
    /// The journal does not say how far the build is.
    #[error(transparent)]
    Gate(#[from] GateError),
    /// What is kept cannot be had.
    #[error(transparent)]
    Keep(#[from] KeepError),
}

impl Giver<'_> {
    /// The credential for what git asks; none when nobody has one for that host.
    pub async fn give(
        &self,
        request: &BuildRequest,
        journal: PathBuf,
        question: &Question,
    ) -> Result<Option<Credential>, NoCredential> {
        match read_gate(journal).await? {
            Gate::Open | Gate::Helper => {}
            Gate::Closed => return Err(NoCredential::Closed),
        }
        let Some((source, server)) = asked_about(request, question) else { return Ok(None) };
        if let Some(secret) = self.own_secret(source) {
            return self.in_secret(request, secret, &server).await.map(Some);
        }
        let secret = match self.credentials.find(&request.region, &server).await? {
            None => return Ok(None),
            Some(Found::Credential(credential)) => return Ok(Some(credential)),
            Some(Found::Secret(secret)) => secret,
            Some(Found::Connection(arn)) => match self.connections.get(&arn) {
                Some(secret) => secret.clone(),
                None => return Err(NoCredential::Connection(arn)),
            },
        };
        self.in_secret(request, &secret, &server).await.map(Some)
    }

    /// The secret that a source names for itself, or its connection. A connection without one means
    /// the account's own credential, as a source without a connection does.
    fn own_secret<'s>(&'s self, source: &'s ProjectSource) -> Option<&'s str> {
        let auth = source.auth.as_ref()?;
        let resource = auth.resource.as_deref()?;
        match auth.r#type {
            SourceAuthType::SecretsManager => Some(resource),
            SourceAuthType::Codeconnections => self.connections.get(resource).map(String::as_str),
            SourceAuthType::Oauth | SourceAuthType::Unknown(_) => None,
        }
    }

    // AWS: the secret is read with the service role. Here whoever may make projects and import
    // credentials may also read secrets.
    async fn in_secret(
        &self,
        request: &BuildRequest,
        arn: &str,
        server: &ServerType,
    ) -> Result<Credential, NoCredential> {
        let caller = Caller {
            account_id: request.account_id.clone(),
            region: request.region.clone(),
            arn: format!("arn:aws:iam::{}:root", request.account_id),
            user_id: request.account_id.clone(),
            principal: Principal::Root,
            request_id: request.id.uuid().to_owned(),
        };
        let input =
            GetSecretValueRequest { secret_id: arn.to_owned(), ..GetSecretValueRequest::default() };
        let value = self.secrets.get_secret_value(&caller, input).await;
        let value = value.map_err(|error| NoCredential::Secret(error.message))?;
        let Sensitive(text) = value.secret_string.unwrap_or_default();
        credential::from_secret(&text, server).ok_or_else(|| {
            NoCredential::Secret(format!(
                "the secret {arn} must be JSON with ServerType {server}, AuthType \
                 PERSONAL_ACCESS_TOKEN or BASIC_AUTH, Token, and for BASIC_AUTH Username"
            ))
        })
    }
}

/// Answers what a build asks the agent of ssh, while its sources are fetched and at no other time:
/// the key is the operator's, and no project's to offer.
pub async fn sign(ssh: &Ssh, journal: PathBuf, message: &[u8]) -> Result<Vec<u8>, NoCredential> {
    match read_gate(journal).await? {
        Gate::Open => Ok(ssh.answer(message)),
        Gate::Helper | Gate::Closed => Err(NoCredential::Closed),
    }
}

async fn read_gate(journal: PathBuf) -> Result<Gate, GateError> {
    let read = tokio::task::spawn_blocking(move || gate(&journal)).await;
    read.expect("reading a journal does not panic")
}

/// The source that a question is about, and the type of the host that it is on.
fn asked_about<'a>(
    request: &'a BuildRequest,
    question: &Question,
) -> Option<(&'a ProjectSource, ServerType)> {
    let secondary = request.project.secondary_sources.iter().flatten();
    let all = request.project.source.iter().chain(secondary);
    let about = all.filter_map(|source| {
        let location = Location::parse(source.location.as_deref().unwrap_or_default())?;
        let server = credential::server_type(&source.r#type)?;
        let identifier = source.source_identifier.as_deref().unwrap_or_default();
        let is_fetched = question.source == identifier || question.source == ANY;
        (is_git(&source.r#type) && is_fetched && question.is_about(&location))
            .then(|| (source, server, question.is_about_repository(&location)))
    });
    let mut about: Vec<_> = about.collect();
    // A source's own credential before another's on the same host.
    about.sort_by_key(|(_, _, is_itself)| !is_itself);
    about.into_iter().next().map(|(source, server, _)| (source, server))
}
