//! What a browser sends with a form.

use super::{answer::NoPage, session::Visitor};
use crate::http::Front;
use axum::{
    body::to_bytes,
    extract::{FromRequest, FromRequestParts, Request},
    http::{StatusCode, header::HOST, header::ORIGIN},
    response::{IntoResponse, Response},
};
use std::sync::Arc;

/// The largest form: a buildspec is its largest field.
const BYTES_MAX: usize = 2 * 1024 * 1024;

/// A form's fields, in the order in which they were sent.
#[derive(Debug, Default)]
pub(super) struct Form {
    fields: Vec<(String, String)>,
}

impl Form {
    /// The form that these bytes are.
    pub(super) fn parse(body: &[u8]) -> Self {
        let fields = form_urlencoded::parse(body)
            // Browsers end lines of texts as HTTP does.
            .map(|(name, value)| (name.into_owned(), value.replace("\r\n", "\n")))
            .collect();
        Self { fields }
    }

    /// A field's text; empty when it was not sent.
    pub(super) fn text(&self, name: &str) -> &str {
        let found = self.fields.iter().find(|(field, _)| field == name);
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    /// A field's text without blanks around it, if anything is left.
    pub(super) fn given(&self, name: &str) -> Option<String> {
        Some(self.text(name).trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// Whether a box is ticked.
    pub(super) fn ticked(&self, name: &str) -> bool {
        self.fields.iter().any(|(field, _)| field == name)
    }

    /// The texts of all fields of this name.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.fields.iter().filter(move |(field, _)| field == name).map(|(_, value)| value.as_str())
    }
}

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = Response;

    async fn from_request(request: Request, _: &S) -> Result<Self, Response> {
        let (parts, body) = request.into_parts();
        // Read whatever is answered: a connection with something unread on it is closed.
        let body = to_bytes(body, BYTES_MAX).await;
        // Browsers say whose page sent a form. The forms' tokens say it again.
        if let Some(origin) = parts.headers.get(ORIGIN) {
            let origin = origin.to_str().unwrap_or_default();
            let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
            let is_ours = origin.split_once("://").is_some_and(|(_, from)| Some(from) == host);
            if !is_ours {
                return Err((StatusCode::FORBIDDEN, "The form is another site's.").into_response());
            }
        }
        match body {
            Ok(body) => Ok(Self::parse(&body)),
            Err(_) => Err(StatusCode::PAYLOAD_TOO_LARGE.into_response()),
        }
    }
}

/// A form that a visitor has sent from a page of the session. As an argument of a handler, it sends
/// others to sign in, and refuses forms that other sites made.
pub(super) struct Sent {
    pub(super) visitor: Visitor,
    pub(super) form: Form,
}

impl FromRequest<Arc<Front>> for Sent {
    type Rejection = Response;

    async fn from_request(request: Request, front: &Arc<Front>) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let visitor = Visitor::from_request_parts(&mut parts, front).await;
        let form = Form::from_request(Request::from_parts(parts, body), front).await;
        let (visitor, form) = (visitor?, form?);
        if visitor.has_made(form.text("form-token")) {
            Ok(Self { visitor, form })
        } else {
            Err(NoPage::old_form().into_response())
        }
    }
}
