//! AWS JSON 1.1: members by name, absent rather than null, moments as numbers, bytes as base64.

use crate::error::ServiceError;
use crate::schema::Shape;
use crate::service::Service;
use crate::validation;
use serde_json::{Map, Value, json};

/// The content type of requests and answers.
pub const CONTENT_TYPE: &str = "application/x-amz-json-1.1";

/// Reads a request's body, and checks every constraint of the model.
///
/// An empty body is an input without members. Members that the model does not have are ignored.
pub fn request<T: Shape>(service: &Service, body: &[u8]) -> Result<T, ServiceError> {
    let tree = if body.is_empty() {
        Value::Object(Map::new())
    } else {
        serde_json::from_slice(body)
            .map_err(|e| ServiceError::serialization(service, format!("Malformed JSON: {e}")))?
    };
    shape(service, tree)
}

/// Writes the body of an answer.
pub fn answer<T: Shape>(output: &T) -> Vec<u8> {
    serde_json::to_vec(output).expect("shapes have text keys only")
}

/// Writes the body of an error.
pub fn error(error: &ServiceError) -> Vec<u8> {
    json!({ "__type": error.code, "message": error.message }).to_string().into_bytes()
}

/// Checks an untyped tree and makes the typed shape of it.
pub(crate) fn shape<T: Shape>(service: &Service, mut tree: Value) -> Result<T, ServiceError> {
    let violations = validation::check(T::schema(), &mut tree)
        .map_err(|e| ServiceError::serialization(service, e.to_string()))?;
    if !violations.is_empty() {
        return Err(ServiceError::invalid(service, &violations));
    }
    serde_json::from_value(tree)
        .map_err(|e| ServiceError::serialization(service, format!("Malformed input: {e}")))
}
