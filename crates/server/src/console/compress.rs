//! Pages go over the line compressed. Nothing that is secret stands in them as it is: a form's
//! token has a different text on each page.

use axum::{
    body::{Body, HttpBody, to_bytes},
    extract::Request,
    http::{
        HeaderMap, HeaderValue,
        header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, VARY},
    },
    middleware::Next,
    response::Response,
};
use flate2::{Compression, write::GzEncoder};
use std::io::Write;

/// What is smaller fits into a packet as it is.
const BYTES_MIN: u64 = 1_024;
/// Most of what there is to gain, for a fraction of the time.
const LEVEL: Compression = Compression::new(4);
const KINDS: [&str; 3] = ["text/html", "text/csv", "application/json"];

/// Whether whoever asks can read what is compressed.
pub(super) fn is_taken(headers: &HeaderMap) -> bool {
    let encodings = headers.get(ACCEPT_ENCODING).and_then(|encodings| encodings.to_str().ok());
    encodings.is_some_and(|encodings| encodings.contains("gzip"))
}

/// Compresses pages, and leaves alone what is sent bit by bit or is small.
pub(super) async fn compress(request: Request, next: Next) -> Response {
    let is_taken = is_taken(request.headers());
    let response = next.run(request).await;
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let is_page = kind.is_some_and(|kind| KINDS.iter().any(|page| kind.starts_with(page)));
    let is_large = response.body().size_hint().exact().is_some_and(|bytes| bytes >= BYTES_MIN);
    if !is_taken || !is_page || !is_large || response.headers().contains_key(CONTENT_ENCODING) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(body) = to_bytes(body, usize::MAX).await else {
        return Response::from_parts(parts, Body::empty());
    };
    let mut gzip = GzEncoder::new(Vec::with_capacity(body.len() / 4), LEVEL);
    let body =
        gzip.write_all(&body).and_then(|()| gzip.finish()).expect("memory can be written to");
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    parts.headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    Response::from_parts(parts, Body::from(body))
}
