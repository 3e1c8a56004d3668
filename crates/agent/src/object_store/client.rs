//! How the store is spoken to: plain HTTP with presigned requests, repeated while there is hope.

use super::error::{StoreError, not_understood, refusal};
use crate::http;
use crate::patience::persist;
use agent_protocol::ObjectStore;
use rusty_s3::actions::ListObjectsV2;
use rusty_s3::{Bucket, Credentials, Method, S3Action, UrlStyle};
use std::time::Duration;
use ureq::http::{Request, Response};
use ureq::{Agent, Body, SendBody};

/// How long a request may wait between being signed and being taken.
const SIGNATURE_LIFE: Duration = Duration::from_secs(12 * 60 * 60);
/// Answers that are not objects are small.
const ANSWER_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// An object in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    /// Its key.
    pub(crate) key: String,
    /// When it was made, as the store writes it: later moments are greater texts.
    pub(crate) modified: String,
}

/// A client of the store, to be shared by threads.
pub(crate) struct Client {
    endpoint: String,
    region: String,
    pub(super) credentials: Credentials,
    http: Agent,
}

impl Client {
    /// A client that has not said anything yet.
    pub(crate) fn new(store: &ObjectStore) -> Self {
        let credentials = Credentials::new_with_token(
            &store.credentials.access_key_id,
            &store.credentials.secret_access_key,
            &store.credentials.session_token,
        );
        Self {
            endpoint: store.endpoint.clone(),
            region: store.region.clone(),
            credentials,
            http: http::client(),
        }
    }

    /// All objects whose keys begin with a prefix, in the store's order.
    pub(crate) fn list(&self, bucket: &str, prefix: &str) -> Result<Vec<Listed>, StoreError> {
        let bucket = self.bucket(bucket)?;
        let mut found = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let page = persist(|| {
                let mut action = bucket.list_objects_v2(Some(&self.credentials));
                action.with_prefix(prefix);
                if let Some(token) = &token {
                    action.with_continuation_token(token.as_str());
                }
                let text = text_of(self.send(&mut action, SendBody::none())?)?;
                ListObjectsV2::parse_response(&text).map_err(not_understood)
            })?;
            found.extend(page.contents.into_iter().map(|object| Listed {
                key: object.key,
                modified: object.last_modified.unwrap_or_default(),
            }));
            match page.next_continuation_token {
                Some(next) => token = Some(next),
                None => return Ok(found),
            }
        }
    }

    /// The bucket of a name, to be asked for actions.
    pub(super) fn bucket(&self, name: &str) -> Result<Bucket, StoreError> {
        let endpoint = self.endpoint.parse().map_err(not_understood)?;
        Bucket::new(endpoint, UrlStyle::Path, name.to_owned(), self.region.clone())
            .map_err(|error| StoreError::Unreachable(format!("{}: {error}", self.endpoint)))
    }

    /// Sends a request once; an answer that is no success is an error.
    pub(super) fn send<'a, A: S3Action<'a>>(
        &self,
        action: &mut A,
        body: SendBody<'_>,
    ) -> Result<Response<Body>, StoreError> {
        let url = action.sign(SIGNATURE_LIFE);
        let method = match A::METHOD {
            Method::Head => "HEAD",
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Delete => "DELETE",
        };
        let mut request = Request::builder().method(method).uri(url.as_str());
        for (name, value) in action.headers_mut().iter() {
            request = request.header(name, value);
        }
        let request = request.body(body).map_err(not_understood)?;
        let answer = self.http.run(request)?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let (parts, mut body) = answer.into_parts();
        let text = read_text(&mut body).unwrap_or_default();
        Err(refusal(parts.status.as_u16(), &text, &parts.headers))
    }
}

/// The text of a small answer.
pub(super) fn text_of(answer: Response<Body>) -> Result<String, StoreError> {
    read_text(&mut answer.into_body())
}

/// The same, of a body alone.
pub(super) fn read_text(body: &mut Body) -> Result<String, StoreError> {
    Ok(body.with_config().limit(ANSWER_BYTES_MAX).lossy_utf8(true).read_to_string()?)
}
