//! Buckets and what is in them.

use super::shown::{self, escaped};
use crate::{
    console::{
        answer::{NoPage, page},
        frame::{Frame, Section},
        session::Visitor,
        words::{self, Moment},
    },
    http::Front,
};
use askama::Template;
use axum::{
    Router,
    body::Body,
    extract::{Path, Query, State},
    http::{
        HeaderValue,
        header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Deserialize;
use std::sync::Arc;
use store::objects::{After, ListingItem, ListingQuery, ObjectError, Target};
use wire::Timestamp;

/// Entries of a page.
const SHOWN_MAX: usize = 200;

pub(super) fn routes() -> Router<Arc<Front>> {
    Router::new()
        .route("/console/objects", get(buckets))
        .route("/console/objects/{bucket}", get(objects))
        .route("/console/objects/{bucket}/get", get(object))
}

impl From<ObjectError> for NoPage {
    fn from(error: ObjectError) -> Self {
        match error {
            ObjectError::NoSuchBucket => Self::missing("There is no bucket of that name."),
            ObjectError::NoSuchKey => Self::missing("There is no such object any more."),
            error => {
                tracing::error!(%error, "objects cannot be shown");
                Self::missing("The objects cannot be read. The service's own log says why.")
            }
        }
    }
}

#[derive(Template)]
#[template(path = "buckets.html")]
struct Buckets {
    frame: Frame,
    buckets: Vec<Bucket>,
}

struct Bucket {
    name: String,
    region: String,
    made: Moment,
}

async fn buckets(State(front): State<Arc<Front>>, visitor: Visitor) -> Result<Response, NoPage> {
    let now = shown::now();
    let buckets = front.objects.buckets().await?.into_iter().map(|bucket| Bucket {
        made: words::moment(Timestamp::from_millis(bucket.created_ms), now),
        name: bucket.name,
        region: bucket.region,
    });
    let buckets = buckets.collect();
    let frame = Frame::new(&front, visitor, "Buckets", Section::Objects).await;
    Ok(page(Buckets { frame, buckets }))
}

#[derive(Template)]
#[template(path = "objects.html")]
struct Objects {
    frame: Frame,
    bucket: String,
    path: String,
    parts: Vec<(String, String)>,
    entries: Vec<Entry>,
    next: Option<String>,
}

/// A folder, or an object.
struct Entry {
    name: String,
    link: String,
    object: Option<(String, Moment)>,
}

#[derive(Deserialize)]
struct Wanted {
    #[serde(default)]
    prefix: String,
    after: Option<String>,
}

async fn objects(
    State(front): State<Arc<Front>>,
    visitor: Visitor,
    Path(bucket): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, NoPage> {
    let prefix = wanted.prefix;
    let query =
        ListingQuery { prefix: prefix.clone(), delimiter: Some("/".to_owned()), limit: SHOWN_MAX };
    let after = wanted.after.map(|marker| After::marker(marker, &query));
    let listing = front.objects.list(&bucket, query, after).await?;
    let now = shown::now();
    let path = format!("/console/objects/{}", escaped(&bucket));
    // What stands before the last slash is where the reader is; a prefix may name a single object.
    let folder = prefix.rfind('/').map_or("", |at| &prefix[..=at]);
    let mut last = None;
    let mut entries = Vec::with_capacity(listing.items.len());
    for item in listing.items {
        entries.push(match item {
            ListingItem::Prefix(prefix) => {
                last = Some(prefix.clone());
                Entry {
                    name: prefix[folder.len()..].to_owned(),
                    link: format!("{path}?prefix={}", escaped(&prefix)),
                    object: None,
                }
            }
            ListingItem::Entry(object) => {
                last = Some(object.key.clone());
                let made = words::moment(Timestamp::from_millis(object.modified_ms), now);
                Entry {
                    name: object.key[folder.len()..].to_owned(),
                    link: format!("{path}/get?key={}", escaped(&object.key)),
                    object: Some((words::size(object.size), made)),
                }
            }
        });
    }
    let next = last.filter(|_| listing.is_truncated);
    let next =
        next.map(|key| format!("{path}?prefix={}&after={}", escaped(&prefix), escaped(&key)));
    let parts = parts(&path, folder);
    let title = format!("{bucket}/{prefix}");
    let frame = Frame::new(&front, visitor, title, Section::Objects).await;
    Ok(page(Objects { frame, bucket, path, parts, entries, next }))
}

/// The folders that lead to one, each with its link.
fn parts(path: &str, folder: &str) -> Vec<(String, String)> {
    let mut so_far = String::new();
    folder
        .split_inclusive('/')
        .map(|part| {
            so_far.push_str(part);
            let name = part.trim_end_matches('/').to_owned();
            (name, format!("{path}?prefix={}", escaped(&so_far)))
        })
        .collect()
}

#[derive(Deserialize)]
struct Key {
    key: String,
}

/// An object's bytes, always as a file to keep: what a build made is not to run in the console.
async fn object(
    State(front): State<Arc<Front>>,
    _: Visitor,
    Path(bucket): Path<String>,
    Query(Key { key }): Query<Key>,
) -> Result<Response, NoPage> {
    let (_, _, content) = front.objects.open_object(Target::newest(bucket, &*key)).await?;
    let name = key.rsplit('/').next().unwrap_or_default();
    let attachment = format!("attachment; filename*=UTF-8''{}", escaped(name));
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(CONTENT_LENGTH, HeaderValue::from(content.size()));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    if let Ok(attachment) = HeaderValue::from_str(&attachment) {
        headers.insert(CONTENT_DISPOSITION, attachment);
    }
    *response.body_mut() = Body::from_stream(content.stream());
    Ok(response.into_response())
}
