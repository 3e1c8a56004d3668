//! DeleteParameter and DeleteParameters.

use super::{desk::Desk, refusal};
use wire::{
    ServiceError,
    ssm::{
        DeleteParameterRequest, DeleteParameterResult, DeleteParametersRequest,
        DeleteParametersResult,
    },
};

/// Deletes a parameter with all its versions.
pub(super) async fn delete(
    desk: &Desk<'_>,
    input: &DeleteParameterRequest,
) -> Result<DeleteParameterResult, ServiceError> {
    let found = desk.find(&input.name).await?;
    let found = found.ok_or_else(|| refusal::no_parameter(&input.name))?;
    desk.commit(desk.remove(&found.kept)).await?;
    Ok(DeleteParameterResult {})
}

/// Deletes many, and gives the names of those that are not there.
pub(super) async fn delete_many(
    desk: &Desk<'_>,
    input: DeleteParametersRequest,
) -> Result<DeleteParametersResult, ServiceError> {
    let (mut deleted, mut invalid, mut changes) = (Vec::new(), Vec::new(), Vec::new());
    for name in input.names {
        match desk.find(&name).await? {
            Some(found) => {
                changes.extend(desk.remove(&found.kept));
                deleted.push(name);
            }
            None => invalid.push(name),
        }
    }
    desk.commit(changes).await?;
    let (deleted_parameters, invalid_parameters) = (Some(deleted), Some(invalid));
    Ok(DeleteParametersResult { deleted_parameters, invalid_parameters })
}
