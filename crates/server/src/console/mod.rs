//! The console: the service in a browser.
//!
//! Pages are made here from what the API's own functions answer, so they show what a client would
//! be told. A page is a struct, a handler and a template. Scripts are few and our own; nothing is
//! loaded from elsewhere, which the pages' policy forbids.

mod ansi;
mod answer;
mod assets;
mod calendar;
mod chart;
mod compress;
mod form;
mod frame;
mod pages;
mod session;
mod words;

use crate::http::Front;
use axum::{
    Router,
    extract::Request,
    http::HeaderValue,
    http::header::{
        AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY,
        X_CONTENT_TYPE_OPTIONS,
    },
    middleware::{Next, from_fn},
    response::Response,
    routing::get,
};
use std::sync::Arc;

/// Where the console is.
const PATH: &str = "/console";

/// All that a page may load comes from here, no script stands in a page, and no other page may show
/// it in a frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The console's routes.
pub(crate) fn routes() -> Router<Arc<Front>> {
    Router::new()
        .route("/console/assets/{version}/{name}", get(assets::asset))
        .merge(session::routes())
        .merge(pages::routes())
        .layer(from_fn(compress::compress))
        .layer(from_fn(guard))
}

/// Whether a request is for the console, and not of S3 for a bucket called `console`: those are
/// signed.
pub(crate) fn is_for_console(request: &Request) -> bool {
    let path = request.uri().path();
    let is_path = path == PATH || path.strip_prefix(PATH).is_some_and(|rest| rest.starts_with('/'));
    let query = request.uri().query().unwrap_or_default();
    let is_signed = request.headers().contains_key(AUTHORIZATION)
        || query.contains("X-Amz-Signature=")
        || query.contains("Signature=");
    is_path && !is_signed
}

/// Puts on each answer what browsers are to be strict about.
async fn guard(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    set(CONTENT_SECURITY_POLICY, POLICY);
    set(X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(REFERRER_POLICY, "same-origin");
    set(CACHE_CONTROL, "no-store");
    set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    response
}
