//! ImportSourceCredentials, ListSourceCredentials, DeleteSourceCredentials.
//!
//! One credential for each type of server, for all projects of the account in the region.

use super::{CodeBuildService, refusal};
use crate::sources::{Given, KeepError, Overwrite};
use wire::{
    Caller, Sensitive, ServiceError,
    codebuild::{
        AuthType, DeleteSourceCredentialsInput, DeleteSourceCredentialsOutput,
        ImportSourceCredentialsInput, ImportSourceCredentialsOutput, ListSourceCredentialsInput,
        ListSourceCredentialsOutput, ServerType, SourceCredentialsInfo,
    },
};

/// Keeps a credential.
pub(super) async fn import(
    service: &CodeBuildService,
    caller: &Caller,
    input: ImportSourceCredentialsInput,
) -> Result<ImportSourceCredentialsOutput, ServiceError> {
    let Sensitive(token) = input.token;
    let (server, auth) = (input.server_type, input.auth_type);
    let username = input.username.filter(|name| !name.is_empty());
    check(&server, &auth, username.as_deref(), &token)?;
    let connections = &service.config.sources.connections;
    if auth == AuthType::Codeconnections && !connections.contains_key(&token) {
        return Err(refusal::credential_connection(&token));
    }
    let overwrite = match input.should_overwrite {
        Some(false) => Overwrite::No,
        Some(true) | None => Overwrite::Yes,
    };
    let given = Given { auth, username, token };
    match service.credentials.put(&caller.region, &server, given, overwrite).await {
        Ok(()) => Ok(ImportSourceCredentialsOutput { arn: Some(arn(caller, &server)) }),
        Err(KeepError::Exists) => Err(refusal::credential_exists(&server)),
        Err(error) => Err(service.fault(caller, &error)),
    }
}

fn check(
    server: &ServerType,
    auth: &AuthType,
    username: Option<&str>,
    token: &str,
) -> Result<(), ServiceError> {
    // What git is told is lines of text.
    let odd = |text: &str| text.contains(|letter: char| letter.is_control());
    if odd(token) || username.is_some_and(odd) {
        return Err(refusal::credential_characters());
    }
    match auth {
        AuthType::PersonalAccessToken => Ok(()),
        AuthType::BasicAuth if *server != ServerType::Bitbucket => {
            Err(refusal::credential_auth(server, auth))
        }
        AuthType::BasicAuth if username.is_none() => Err(refusal::credential_username()),
        AuthType::BasicAuth => Ok(()),
        AuthType::SecretsManager if !token.starts_with("arn:aws:secretsmanager:") => {
            Err(refusal::credential_secret())
        }
        AuthType::SecretsManager | AuthType::Codeconnections => Ok(()),
        // AWS: such tokens are made by its console alone.
        AuthType::Oauth | AuthType::Unknown(_) => Err(refusal::credential_auth(server, auth)),
    }
}

/// Lists what is kept, without the tokens.
pub(super) async fn list(
    service: &CodeBuildService,
    caller: &Caller,
    _: ListSourceCredentialsInput,
) -> Result<ListSourceCredentialsOutput, ServiceError> {
    let listed = service.credentials.list(&caller.region).await;
    let listed = listed.map_err(|error| service.fault(caller, &error))?;
    let infos = listed.into_iter().map(|credential| SourceCredentialsInfo {
        arn: Some(arn(caller, &credential.server)),
        server_type: Some(credential.server),
        auth_type: Some(credential.auth),
        resource: credential.resource,
    });
    Ok(ListSourceCredentialsOutput { source_credentials_infos: Some(infos.collect()) })
}

/// Forgets a credential.
pub(super) async fn delete(
    service: &CodeBuildService,
    caller: &Caller,
    input: DeleteSourceCredentialsInput,
) -> Result<DeleteSourceCredentialsOutput, ServiceError> {
    let prefix = format!("arn:aws:codebuild:{}:{}:token/", caller.region, caller.account_id);
    let server = input.arn.strip_prefix(&prefix).map(str::to_ascii_uppercase);
    let server = server.ok_or_else(refusal::credential_arn)?;
    let server = ServerType::from(server.as_str());
    match service.credentials.remove(&caller.region, &server).await {
        Ok(true) => Ok(DeleteSourceCredentialsOutput { arn: Some(input.arn) }),
        Ok(false) => Err(refusal::credential_not_found(&input.arn)),
        Err(error) => Err(service.fault(caller, &error)),
    }
}

// AWS: the type of the server in lower case.
fn arn(caller: &Caller, server: &ServerType) -> String {
    let server = server.as_str().to_ascii_lowercase();
    format!("arn:aws:codebuild:{}:{}:token/{server}", caller.region, caller.account_id)
}
