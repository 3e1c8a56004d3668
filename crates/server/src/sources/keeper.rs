//! The account's own credentials for Git hosts: one for each type of host in a region, sealed.

use super::credential::Credential;
use crate::vault::{Vault, VaultError};
use serde::{Deserialize, Serialize};
use store::{Change, Collection, CommitError, Expect, Fault, Page, Store};
use thiserror::Error;
use wire::codebuild::{AuthType, ServerType};

/// The collection that the credentials are kept in.
pub const CREDENTIALS: Collection = Collection::new("source-credential");

/// Keeps the credentials.
#[derive(Clone, Debug)]
pub struct SourceCredentials {
    store: Store,
    vault: Vault,
}

/// What is kept for a type of host.
#[derive(Serialize, Deserialize)]
struct Kept {
    auth: AuthType,
    username: Option<String>,
    token: KeptToken,
}

#[derive(Serialize, Deserialize)]
enum KeptToken {
    /// The token itself, sealed.
    Sealed(String),
    /// The ARN of the secret that holds it.
    Secret(String),
    /// The ARN of the connection that stands for it.
    Connection(String),
}

/// A credential as it is handed in.
pub struct Given {
    /// How the host is convinced: by a token, by a password, or by what a secret or connection says.
    pub auth: AuthType,
    /// The user, if one was named.
    pub username: Option<String>,
    /// The token or password; for [`AuthType::SecretsManager`] and [`AuthType::Codeconnections`],
    /// the ARN of the secret or connection.
    pub token: String,
}

/// What may be told of a credential to everybody who may list them.
pub struct Listed {
    /// The type of the hosts.
    pub server: ServerType,
    /// How they are convinced.
    pub auth: AuthType,
    /// The ARN of the secret that holds the token, or of the connection, if there is one.
    pub resource: Option<String>,
}

/// What there is for a type of host.
#[derive(Debug)]
pub enum Found {
    /// The credential.
    Credential(Credential),
    /// The ARN of a secret that holds it.
    Secret(String),
    /// The ARN of a connection that stands for it.
    Connection(String),
}

/// Whether a credential may take the place of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overwrite {
    /// It may.
    Yes,
    /// It may not.
    No,
}

/// Why a credential is not kept, or not found.
#[derive(Debug, Error)]
pub enum KeepError {
    /// There is one already.
    #[error("there is a credential for this type of server already")]
    Exists,
    /// It cannot be sealed or opened.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The store is broken.
    #[error(transparent)]
    Store(#[from] Fault),
    /// What is kept is not what was kept.
    #[error("understand the kept credential")]
    Parse(#[from] serde_json::Error),
    /// The token that was kept is no text.
    #[error("read the kept token")]
    Text(#[from] std::string::FromUtf8Error),
}

impl SourceCredentials {
    /// The credentials in `store`, sealed by `vault`.
    pub fn new(store: Store, vault: Vault) -> Self {
        Self { store, vault }
    }

    /// Keeps a credential for a type of host.
    pub async fn put(
        &self,
        region: &str,
        server: &ServerType,
        given: Given,
        overwrite: Overwrite,
    ) -> Result<(), KeepError> {
        let token = match given.auth {
            AuthType::SecretsManager => KeptToken::Secret(given.token),
            AuthType::Codeconnections => KeptToken::Connection(given.token),
            AuthType::Oauth
            | AuthType::BasicAuth
            | AuthType::PersonalAccessToken
            | AuthType::Unknown(_) => {
                let place = place(region, server);
                KeptToken::Sealed(self.vault.seal(&place, given.token.as_bytes()).await?)
            }
        };
        let kept = Kept { auth: given.auth, username: given.username, token };
        let put = Change::PutRecord {
            collection: CREDENTIALS,
            region: region.to_owned(),
            key: server.as_str().to_owned(),
            document: serde_json::to_string(&kept)?,
            expect: match overwrite {
                Overwrite::Yes => Expect::Anything,
                Overwrite::No => Expect::Absent,
            },
        };
        match self.store.commit(vec![put]).await {
            Ok(()) => Ok(()),
            Err(CommitError::Conflict { .. }) => Err(KeepError::Exists),
            Err(CommitError::Fault(fault)) => Err(fault.into()),
        }
    }

    /// What there is, by type of host.
    pub async fn list(&self, region: &str) -> Result<Vec<Listed>, KeepError> {
        let records = self.store.records(CREDENTIALS, region, Page::all()).await?;
        let listed = records.into_iter().map(|record| {
            let kept: Kept = serde_json::from_str(&record.document)?;
            let resource = match kept.token {
                KeptToken::Sealed(_) => None,
                KeptToken::Secret(arn) | KeptToken::Connection(arn) => Some(arn),
            };
            let server = ServerType::from(record.key.as_str());
            Ok(Listed { server, auth: kept.auth, resource })
        });
        listed.collect()
    }

    /// Forgets what there is for a type of host; whether there was something.
    pub async fn remove(&self, region: &str, server: &ServerType) -> Result<bool, KeepError> {
        let key = server.as_str().to_owned();
        if self.store.record(CREDENTIALS, region, &key).await?.is_none() {
            return Ok(false);
        }
        let delete =
            Change::DeleteRecord { collection: CREDENTIALS, region: region.to_owned(), key };
        match self.store.commit(vec![delete]).await {
            Ok(()) => Ok(true),
            Err(CommitError::Conflict { .. }) => Ok(false),
            Err(CommitError::Fault(fault)) => Err(fault.into()),
        }
    }

    /// What there is for a type of host.
    pub async fn find(
        &self,
        region: &str,
        server: &ServerType,
    ) -> Result<Option<Found>, KeepError> {
        let record = self.store.record(CREDENTIALS, region, server.as_str()).await?;
        let Some(record) = record else { return Ok(None) };
        let kept: Kept = serde_json::from_str(&record.document)?;
        Ok(Some(match kept.token {
            KeptToken::Secret(arn) => Found::Secret(arn),
            KeptToken::Connection(arn) => Found::Connection(arn),
            KeptToken::Sealed(sealed) => {
                let token = self.vault.open(&place(region, server), &sealed).await?;
                let token = String::from_utf8(token)?;
                Found::Credential(Credential::of_token(server, kept.username, token))
            }
        }))
    }
}

fn place<'a>(region: &'a str, server: &'a ServerType) -> [&'a str; 3] {
    ["source-credential", region, server.as_str()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn token(text: &str) -> Given {
        let auth = AuthType::PersonalAccessToken;
        Given { auth, username: None, token: text.to_owned() }
    }

    #[tokio::test]
    async fn a_token_is_kept_sealed_and_once_for_each_region_and_type() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("state.db")).unwrap();
        let vault = Vault::new(folder.path().join("key"), store.clone(), vec![CREDENTIALS]);
        let keeper = SourceCredentials::new(store, vault);
        let github = ServerType::Github;
        let (here, there) = ("eu-west-1", "us-east-1");
        keeper.put(here, &github, token("first-token"), Overwrite::No).await.unwrap();
        let again = keeper.put(here, &github, token("second-token"), Overwrite::No).await;
        assert!(matches!(again, Err(KeepError::Exists)));
        keeper.put(here, &github, token("second-token"), Overwrite::Yes).await.unwrap();
        let secret = "arn:aws:secretsmanager:eu-west-1:000000000000:secret:git-AbCdEf";
        let given = Given { auth: AuthType::SecretsManager, ..token(secret) };
        keeper.put(here, &ServerType::Gitlab, given, Overwrite::No).await.unwrap();

        let found = keeper.find(here, &github).await.unwrap();
        let expected = Credential::of_token(&github, None, "second-token".into());
        assert!(matches!(found, Some(Found::Credential(found)) if found == expected));
        assert!(keeper.find(there, &github).await.unwrap().is_none());
        let listed = keeper.list(here).await.unwrap();
        let listed: Vec<_> = listed.iter().map(|one| (&one.server, one.resource.clone())).collect();
        let gitlab = (&ServerType::Gitlab, Some(secret.to_owned()));
        assert_eq!(listed, [(&github, None), gitlab]);
        for entry in fs::read_dir(folder.path()).unwrap() {
            let bytes = fs::read(entry.unwrap().path()).unwrap();
            assert!(!bytes.windows(12).any(|window| window == b"second-token"));
        }
        assert!(keeper.remove(here, &github).await.unwrap());
        assert!(!keeper.remove(here, &github).await.unwrap());
        assert!(keeper.find(here, &github).await.unwrap().is_none());
    }
}
