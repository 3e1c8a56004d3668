//! The service as HTTP sees it: `s3s` inside, what every answer of S3 has around it.

use super::access::form_value;
use super::refusal;
use axum::body::Body;
use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The token of temporary credentials, as presigned URLs of the old kind carry it.
const OLD_TOKEN: &str = "x-amz-security-token";

/// The most bytes of an error's document that are looked at.
const ERROR_MAX: usize = 64 * 1024;

/// S3 as a service: give it to `Router::fallback_service`, or call [`S3Service::handle`].
#[derive(Clone)]
pub struct S3Service {
    inner: s3s::service::S3Service,
}

impl S3Service {
    pub(super) fn new(inner: s3s::service::S3Service) -> Self {
        Self { inner }
    }

    /// Answers one request; checks its signature and whether the caller may do what it asks.
    pub async fn handle(&self, request: Request<Body>) -> Response<Body> {
        let resource = request.uri().path().to_owned();
        let expects = request.headers().contains_key(EXPECT);
        let request = with_token_header(request).map(s3s::Body::http_body_unsync);
        let id = uuid::Uuid::new_v4().simple().to_string().to_ascii_uppercase();
        let (request_id, _) = id.split_at(16);
        let response = match self.inner.call(request).await {
            Ok(response) => response.map(Body::new),
            Err(error) => {
                tracing::error!(?error, "S3 request failed");
                let mut response = Response::new(Body::empty());
                *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                response
            }
        };
        let mut response = complete(response, &resource, request_id, &id).await;
        if expects && !response.status().is_success() {
            // AWS: a refusal in place of "100 Continue" ends the connection; botocore would take
            // its status for that of the next response.
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        for (name, value) in [("x-amz-request-id", request_id), ("x-amz-id-2", id.as_str())] {
            let value = HeaderValue::from_str(value).expect("hexadecimal is a header value");
            response.headers_mut().insert(name, value);
        }
        response
    }
}

impl tower::Service<Request<Body>> for S3Service {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move { Ok(service.handle(request).await) })
    }
}

/// Repeats the token of an old presigned URL as the header that it was signed as, which is where
/// `s3s` looks for it.
fn with_token_header(mut request: Request<Body>) -> Request<Body> {
    let query = request.uri().query().unwrap_or_default().as_bytes();
    let Some(token) = form_value(query, OLD_TOKEN) else { return request };
    if form_value(query, "AWSAccessKeyId").is_some()
        && !request.headers().contains_key(OLD_TOKEN)
        && let Ok(token) = HeaderValue::from_str(&token)
    {
        request.headers_mut().insert(OLD_TOKEN, token);
    }
    request
}

/// Gives an error's document what `s3s` leaves out of it.
async fn complete(
    response: Response<Body>,
    resource: &str,
    request_id: &str,
    host_id: &str,
) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    if parts.status == StatusCode::NOT_MODIFIED {
        parts.headers.remove(CONTENT_LENGTH);
        parts.headers.remove(CONTENT_TYPE);
        return Response::from_parts(parts, Body::empty());
    }
    if parts.status.as_u16() < 300 {
        return Response::from_parts(parts, body);
    }
    let limited = http_body_util::Limited::new(body, ERROR_MAX).collect().await;
    let bytes = limited.map(|body| body.to_bytes()).unwrap_or_default();
    let document = String::from_utf8_lossy(&bytes);
    let document = document_with(&document, resource, request_id, host_id);
    parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(document.len()));
    Response::from_parts(parts, Body::from(document))
}

fn document_with(document: &str, resource: &str, request_id: &str, host_id: &str) -> String {
    let inner = |tag: &str| {
        let (_, rest) = document.split_once(&format!("<{tag}>"))?;
        rest.split_once(&format!("</{tag}>")).map(|(text, _)| text)
    };
    let code = inner("Code").unwrap_or("InternalError");
    let message = inner("Message")
        .filter(|message| !message.is_empty())
        .or_else(|| refusal::usual_message(code))
        .unwrap_or(code);
    let resource = quick_xml::escape::escape(resource);
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code>\
         <Message>{message}</Message><Resource>{resource}</Resource>\
         <RequestId>{request_id}</RequestId><HostId>{host_id}</HostId></Error>"
    )
}
