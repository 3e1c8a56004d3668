//! What builds read when another Secrets Manager answers them.

use super::{SecretsService, desk::Desk, names};
use crate::upstream::{Upstream, answering};
use wire::{
    Caller, ServiceError, json,
    secretsmanager::{
        self, BatchGetSecretValueRequest, DescribeSecretRequest, GetSecretValueRequest, SERVICE,
    },
};

impl SecretsService {
    /// Answers a request: what builds ask, the upstream answers, if there is one.
    pub(crate) async fn answer(
        &self,
        caller: &Caller,
        operation: &str,
        body: &[u8],
    ) -> Result<Vec<u8>, ServiceError> {
        match answering(self.upstream.as_ref(), caller) {
            Some(upstream) => forward(&self.desk(caller), upstream, operation, body).await,
            None => secretsmanager::call(self, caller, operation, body).await,
        }
    }
}

async fn forward(
    desk: &Desk<'_>,
    upstream: &Upstream,
    operation: &str,
    body: &[u8],
) -> Result<Vec<u8>, ServiceError> {
    match operation {
        "GetSecretValue" => {
            let input: GetSecretValueRequest = json::request(&SERVICE, body)?;
            desk.may_read(&input.secret_id, operation)?;
        }
        "DescribeSecret" => {
            let input: DescribeSecretRequest = json::request(&SERVICE, body)?;
            desk.may_read(&input.secret_id, operation)?;
        }
        "BatchGetSecretValue" => {
            let input: BatchGetSecretValueRequest = json::request(&SERVICE, body)?;
            for id in input.secret_id_list.iter().flatten() {
                desk.may_read(id, operation)?;
            }
            // What filters find is not known here.
            if input.filters.is_some() && !desk.service.readable.allow_all() {
                return Err(names::denied(desk.caller, operation, "*"));
            }
        }
        // No build may do anything else.
        _ => return Err(ServiceError::no_such_operation(&SERVICE, operation)),
    }
    upstream.ask(desk.caller, &SERVICE, operation, body).await
}
