//! AWS STS, as much as says who one is.

use wire::{
    Caller, ServiceError,
    sts::{GetCallerIdentityRequest, GetCallerIdentityResponse, Sts},
};

/// What STS's operations work with: nothing but the caller.
pub struct StsService;

impl Sts for StsService {
    async fn get_caller_identity(
        &self,
        caller: &Caller,
        _: GetCallerIdentityRequest,
    ) -> Result<GetCallerIdentityResponse, ServiceError> {
        Ok(GetCallerIdentityResponse {
            user_id: Some(caller.user_id.clone()),
            account: Some(caller.account_id.clone()),
            arn: Some(caller.arn.clone()),
        })
    }
}
