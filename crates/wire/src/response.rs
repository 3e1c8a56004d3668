//! What a service answered, as an HTTP response in its dialect.

use crate::codec::{json, query};
use crate::error::ServiceError;
use crate::service::{Protocol, Service};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};

/// The response to one request: the answer's bytes, or the error spelled out.
pub fn respond(
    service: &Service,
    request_id: &str,
    answer: Result<Vec<u8>, ServiceError>,
) -> Response<Bytes> {
    let (status, body) = match answer {
        Ok(body) => (StatusCode::OK, body),
        Err(error) => {
            let status = StatusCode::from_u16(error.status);
            let body = match service.protocol {
                Protocol::Json11 { .. } => json::error(&error),
                Protocol::Query { .. } => query::error(service, &error, request_id),
            };
            (status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), body)
        }
    };
    let content_type = match service.protocol {
        Protocol::Json11 { .. } => json::CONTENT_TYPE,
        Protocol::Query { .. } => query::CONTENT_TYPE,
    };
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    if let Ok(id) = HeaderValue::from_str(request_id) {
        response.headers_mut().insert("x-amzn-requestid", id);
    }
    response
}
