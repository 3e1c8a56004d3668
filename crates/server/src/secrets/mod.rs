//! AWS Secrets Manager: the table of contents. Each operation is a function in the file of its
//! noun.

mod desk;
mod forward;
mod kept;
mod listing;
mod names;
mod password;
mod refusal;
mod secret;
mod sweep;
mod tags;
mod value;
mod version;
mod view;

pub(crate) use kept::VALUES;

use crate::{clock, name_patterns::NamePatterns, upstream::Upstream, vault::Vault};
use desk::Desk;
use store::Store;
use tokio::sync::Mutex;
use wire::{
    Caller, ServiceError,
    secretsmanager::{
        BatchGetSecretValueRequest, BatchGetSecretValueResponse, CreateSecretRequest,
        CreateSecretResponse, DeleteSecretRequest, DeleteSecretResponse, DescribeSecretRequest,
        DescribeSecretResponse, GetRandomPasswordRequest, GetRandomPasswordResponse,
        GetSecretValueRequest, GetSecretValueResponse, ListSecretVersionIdsRequest,
        ListSecretVersionIdsResponse, ListSecretsRequest, ListSecretsResponse,
        PutSecretValueRequest, PutSecretValueResponse, RestoreSecretRequest, RestoreSecretResponse,
        SecretsManager, TagResourceRequest, UntagResourceRequest, UpdateSecretRequest,
        UpdateSecretResponse, UpdateSecretVersionStageRequest, UpdateSecretVersionStageResponse,
    },
};

/// What Secrets Manager's operations work with.
#[derive(Debug)]
pub struct SecretsService {
    store: Store,
    vault: Vault,
    readable: NamePatterns,
    upstream: Option<Upstream>,
    /// Held by whoever changes a secret, from reading it to having written it.
    turn: Mutex<()>,
}

impl SecretsService {
    /// The service over `store`. Builds read what is `readable`, from the upstream if there is one.
    pub(crate) fn new(
        store: Store,
        vault: Vault,
        readable: NamePatterns,
        upstream: Option<Upstream>,
    ) -> Self {
        Self { store, vault, readable, upstream, turn: Mutex::new(()) }
    }

    fn desk<'a>(&'a self, caller: &'a Caller) -> Desk<'a> {
        Desk { service: self, caller, now: now() }
    }
}

/// The present in milliseconds since 1970.
fn now() -> i64 {
    i64::try_from(clock::now().millis()).unwrap_or(i64::MAX)
}

impl SecretsManager for SecretsService {
    async fn create_secret(
        &self,
        caller: &Caller,
        input: CreateSecretRequest,
    ) -> Result<CreateSecretResponse, ServiceError> {
        let _turn = self.turn.lock().await;
        secret::create(&self.desk(caller), input).await
    }

    async fn get_secret_value(
        &self,
        caller: &Caller,
        input: GetSecretValueRequest,
    ) -> Result<GetSecretValueResponse, ServiceError> {
        value::get(&self.desk(caller), &input).await
    }

    async fn batch_get_secret_value(
        &self,
        caller: &Caller,
        input: BatchGetSecretValueRequest,
    ) -> Result<BatchGetSecretValueResponse, ServiceError> {
        value::batch_get(&self.desk(caller), input).await
    }

    async fn put_secret_value(
        &self,
        caller: &Caller,
        input: PutSecretValueRequest,
    ) -> Result<PutSecretValueResponse, ServiceError> {
        let _turn = self.turn.lock().await;
        value::put(&self.desk(caller), input).await
    }

    async fn update_secret(
        &self,
        caller: &Caller,
        input: UpdateSecretRequest,
    ) -> Result<UpdateSecretResponse, ServiceError> {
        let _turn = self.turn.lock().await;
        secret::update(&self.desk(caller), input).await
    }

    async fn delete_secret(
        &self,
        caller: &Caller,
        input: DeleteSecretRequest,
    ) -> Result<DeleteSecretResponse, ServiceError> {
        let _turn = self.turn.lock().await;
        secret::delete(&self.desk(caller), &input).await
    }

    async fn restore_secret(
        &self,
        caller: &Caller,
        input: RestoreSecretRequest,
    ) -> Result<RestoreSecretResponse, ServiceError> {
        let _turn = self.turn.lock().await;
        secret::restore(&self.desk(caller), &input).await
    }

    async fn list_secrets(
        &self,
        caller: &Caller,
        input: ListSecretsRequest,
    ) -> Result<ListSecretsResponse, ServiceError> {
        listing::list(&self.desk(caller), input).await
    }

    async fn describe_secret(
        &self,
        caller: &Caller,
        input: DescribeSecretRequest,
    ) -> Result<DescribeSecretResponse, ServiceError> {
        secret::describe(&self.desk(caller), &input).await
    }

    async fn list_secret_version_ids(
        &self,
        caller: &Caller,
        input: ListSecretVersionIdsRequest,
    ) -> Result<ListSecretVersionIdsResponse, ServiceError> {
        version::list(&self.desk(caller), &input).await
    }

    async fn update_secret_version_stage(
        &self,
        caller: &Caller,
        input: UpdateSecretVersionStageRequest,
    ) -> Result<UpdateSecretVersionStageResponse, ServiceError> {
        let _turn = self.turn.lock().await;
        version::update_stage(&self.desk(caller), &input).await
    }

    async fn tag_resource(
        &self,
        caller: &Caller,
        input: TagResourceRequest,
    ) -> Result<(), ServiceError> {
        let _turn = self.turn.lock().await;
        tags::tag(&self.desk(caller), input).await
    }

    async fn untag_resource(
        &self,
        caller: &Caller,
        input: UntagResourceRequest,
    ) -> Result<(), ServiceError> {
        let _turn = self.turn.lock().await;
        tags::untag(&self.desk(caller), &input).await
    }

    async fn get_random_password(
        &self,
        caller: &Caller,
        input: GetRandomPasswordRequest,
    ) -> Result<GetRandomPasswordResponse, ServiceError> {
        password::draw(&self.desk(caller), &input)
    }
}
