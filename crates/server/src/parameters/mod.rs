//! AWS Systems Manager Parameter Store: the table of contents. Each operation is a function in the
//! file of its verb.

mod delete;
mod describe;
mod desk;
mod filter;
mod forward;
mod get;
mod kept;
mod labels;
mod names;
mod put;
mod refusal;
mod tags;

pub(crate) use kept::VALUES;

use crate::{clock, name_patterns::NamePatterns, upstream::Upstream, vault::Vault};
use desk::Desk;
use store::Store;
use tokio::sync::Mutex;
use wire::{
    Caller, ServiceError,
    ssm::{
        AddTagsToResourceRequest, AddTagsToResourceResult, DeleteParameterRequest,
        DeleteParameterResult, DeleteParametersRequest, DeleteParametersResult,
        DescribeParametersRequest, DescribeParametersResult, GetParameterHistoryRequest,
        GetParameterHistoryResult, GetParameterRequest, GetParameterResult,
        GetParametersByPathRequest, GetParametersByPathResult, GetParametersRequest,
        GetParametersResult, LabelParameterVersionRequest, LabelParameterVersionResult,
        ListTagsForResourceRequest, ListTagsForResourceResult, PutParameterRequest,
        PutParameterResult, RemoveTagsFromResourceRequest, RemoveTagsFromResourceResult, Ssm,
        UnlabelParameterVersionRequest, UnlabelParameterVersionResult,
    },
};

/// What Parameter Store's operations work with.
#[derive(Debug)]
pub struct ParametersService {
    store: Store,
    vault: Vault,
    readable: NamePatterns,
    upstream: Option<Upstream>,
    /// Held by whoever changes a parameter, from reading it to having written it.
    turn: Mutex<()>,
}

impl ParametersService {
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
        let now = i64::try_from(clock::now().millis()).unwrap_or(i64::MAX);
        Desk { service: self, caller, now }
    }
}

impl Ssm for ParametersService {
    async fn put_parameter(
        &self,
        caller: &Caller,
        input: PutParameterRequest,
    ) -> Result<PutParameterResult, ServiceError> {
        let _turn = self.turn.lock().await;
        put::put(&self.desk(caller), input).await
    }

    async fn get_parameter(
        &self,
        caller: &Caller,
        input: GetParameterRequest,
    ) -> Result<GetParameterResult, ServiceError> {
        get::get(&self.desk(caller), &input).await
    }

    async fn get_parameters(
        &self,
        caller: &Caller,
        input: GetParametersRequest,
    ) -> Result<GetParametersResult, ServiceError> {
        get::get_many(&self.desk(caller), input).await
    }

    async fn get_parameters_by_path(
        &self,
        caller: &Caller,
        input: GetParametersByPathRequest,
    ) -> Result<GetParametersByPathResult, ServiceError> {
        get::by_path(&self.desk(caller), input).await
    }

    async fn get_parameter_history(
        &self,
        caller: &Caller,
        input: GetParameterHistoryRequest,
    ) -> Result<GetParameterHistoryResult, ServiceError> {
        get::history(&self.desk(caller), input).await
    }

    async fn describe_parameters(
        &self,
        caller: &Caller,
        input: DescribeParametersRequest,
    ) -> Result<DescribeParametersResult, ServiceError> {
        describe::describe(&self.desk(caller), input).await
    }

    async fn delete_parameter(
        &self,
        caller: &Caller,
        input: DeleteParameterRequest,
    ) -> Result<DeleteParameterResult, ServiceError> {
        let _turn = self.turn.lock().await;
        delete::delete(&self.desk(caller), &input).await
    }

    async fn delete_parameters(
        &self,
        caller: &Caller,
        input: DeleteParametersRequest,
    ) -> Result<DeleteParametersResult, ServiceError> {
        let _turn = self.turn.lock().await;
        delete::delete_many(&self.desk(caller), input).await
    }

    async fn label_parameter_version(
        &self,
        caller: &Caller,
        input: LabelParameterVersionRequest,
    ) -> Result<LabelParameterVersionResult, ServiceError> {
        let _turn = self.turn.lock().await;
        labels::label(&self.desk(caller), input).await
    }

    async fn unlabel_parameter_version(
        &self,
        caller: &Caller,
        input: UnlabelParameterVersionRequest,
    ) -> Result<UnlabelParameterVersionResult, ServiceError> {
        let _turn = self.turn.lock().await;
        labels::unlabel(&self.desk(caller), input).await
    }

    async fn add_tags_to_resource(
        &self,
        caller: &Caller,
        input: AddTagsToResourceRequest,
    ) -> Result<AddTagsToResourceResult, ServiceError> {
        let _turn = self.turn.lock().await;
        tags::add_to(&self.desk(caller), input).await
    }

    async fn remove_tags_from_resource(
        &self,
        caller: &Caller,
        input: RemoveTagsFromResourceRequest,
    ) -> Result<RemoveTagsFromResourceResult, ServiceError> {
        let _turn = self.turn.lock().await;
        tags::remove_from(&self.desk(caller), &input).await
    }

    async fn list_tags_for_resource(
        &self,
        caller: &Caller,
        input: ListTagsForResourceRequest,
    ) -> Result<ListTagsForResourceResult, ServiceError> {
        tags::list(&self.desk(caller), &input).await
    }
}
