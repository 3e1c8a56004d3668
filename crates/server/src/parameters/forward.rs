//! What builds read when another Parameter Store answers them.

use super::{ParametersService, desk::Desk};
use crate::{
    fault,
    upstream::{Upstream, answering},
};
use wire::{
    Caller, ServiceError, json,
    ssm::{
        self, GetParameterRequest, GetParametersByPathRequest, GetParametersByPathResult,
        GetParametersRequest, SERVICE,
    },
};

impl ParametersService {
    /// Answers a request: what builds ask, the upstream answers, if there is one.
    pub(crate) async fn answer(
        &self,
        caller: &Caller,
        operation: &str,
        body: &[u8],
    ) -> Result<Vec<u8>, ServiceError> {
        match answering(self.upstream.as_ref(), caller) {
            Some(upstream) => forward(&self.desk(caller), upstream, operation, body).await,
            None => ssm::call(self, caller, operation, body).await,
        }
    }
}

async fn forward(
    desk: &Desk<'_>,
    upstream: &Upstream,
    operation: &str,
    body: &[u8],
) -> Result<Vec<u8>, ServiceError> {
    let ask = || upstream.ask(desk.caller, &SERVICE, operation, body);
    match operation {
        "GetParameter" => {
            let input: GetParameterRequest = json::request(&SERVICE, body)?;
            desk.may_read(&input.name, operation)?;
            ask().await
        }
        "GetParameters" => {
            let input: GetParametersRequest = json::request(&SERVICE, body)?;
            for name in &input.names {
                desk.may_read(name, operation)?;
            }
            ask().await
        }
        "GetParametersByPath" => {
            let _: GetParametersByPathRequest = json::request(&SERVICE, body)?;
            let answer = ask().await?;
            let mut found: GetParametersByPathResult = serde_json::from_slice(&answer)
                .map_err(|error| fault::told(&desk.caller.request_id, &error))?;
            let readable =
                |name: &Option<String>| name.as_deref().is_some_and(|name| desk.is_readable(name));
            found.parameters.iter_mut().for_each(|all| all.retain(|one| readable(&one.name)));
            Ok(json::answer(&found))
        }
        // No build may do anything else.
        _ => Err(ServiceError::no_such_operation(&SERVICE, operation)),
    }
}
