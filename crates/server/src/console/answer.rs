//! Pages as answers, and errors in words.

use super::frame::{Frame, Section};
use crate::fault::chain;
use askama::Template;
use axum::{
    http::{HeaderValue, StatusCode, header::CONTENT_TYPE, header::LOCATION},
    response::{IntoResponse, Response},
};
use store::Fault;
use wire::ServiceError;

/// A page with its status.
pub(super) struct Page<T>(pub(super) StatusCode, pub(super) T);

impl<T: Template> IntoResponse for Page<T> {
    fn into_response(self) -> Response {
        match self.1.render() {
            Ok(text) => {
                let html = HeaderValue::from_static("text/html; charset=utf-8");
                (self.0, [(CONTENT_TYPE, html)], text).into_response()
            }
            Err(error) => {
                tracing::error!(%error, "a page cannot be shown");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }
}

/// A page that is shown as it should be.
pub(super) fn page<T: Template>(template: T) -> Response {
    Page(StatusCode::OK, template).into_response()
}

/// Sends the browser to another page with GET.
pub(super) fn see_other(to: &str) -> Response {
    let to = HeaderValue::from_str(to).unwrap_or(HeaderValue::from_static("/console"));
    (StatusCode::SEE_OTHER, [(LOCATION, to)]).into_response()
}

#[derive(Template)]
#[template(path = "problem.html")]
struct Problem {
    frame: Frame,
    message: String,
}

/// Why a page cannot be shown.
pub(super) struct NoPage {
    status: StatusCode,
    message: String,
}

impl NoPage {
    /// There is nothing of that name.
    pub(super) fn missing(message: impl Into<String>) -> Self {
        Self { status: StatusCode::NOT_FOUND, message: message.into() }
    }

    /// The form was made in another session, or the session has ended meanwhile.
    pub(super) fn old_form() -> Self {
        let message = "This page is from an earlier session. Load it again, and send it then.";
        Self { status: StatusCode::FORBIDDEN, message: message.to_owned() }
    }
}

impl From<ServiceError> for NoPage {
    fn from(error: ServiceError) -> Self {
        let status = match error.code.as_ref() {
            "ResourceNotFoundException" | "NoSuchBucket" | "NoSuchKey" => StatusCode::NOT_FOUND,
            _ => StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST),
        };
        Self { status, message: error.message }
    }
}

impl From<Fault> for NoPage {
    fn from(fault: Fault) -> Self {
        tracing::error!(error = %chain(&fault), "a page cannot be shown");
        let message = "The state cannot be read. The service's own log says why.".to_owned();
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, message }
    }
}

impl IntoResponse for NoPage {
    fn into_response(self) -> Response {
        let title = match self.status {
            StatusCode::NOT_FOUND => "Not there",
            StatusCode::FORBIDDEN => "Not now",
            status if status.is_server_error() => "Something went wrong",
            _ => "That does not work",
        };
        let frame = Frame::of_nobody(title, Section::None);
        Page(self.status, Problem { frame, message: self.message }).into_response()
    }
}
