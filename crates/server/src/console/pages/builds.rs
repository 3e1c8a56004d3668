//! All builds, the newest first.

use super::shown::{self, BuildRow, Mark};
use crate::{
    console::{
        answer::{NoPage, page},
        frame::{Frame, Section},
        session::Visitor,
    },
    http::Front,
};
use askama::Template;
use axum::{
    Router,
    extract::{Query, State},
    response::Response,
    routing::get,
};
use serde::Deserialize;
use std::sync::Arc;
use wire::codebuild::{CodeBuild, ListBuildsInput};

pub(super) fn routes() -> Router<Arc<Front>> {
    Router::new().route("/console/builds", get(builds))
}

#[derive(Template)]
#[template(path = "builds.html")]
struct Builds {
    frame: Frame,
    builds: Vec<BuildRow>,
    next: Option<String>,
    is_first: bool,
}

#[derive(Deserialize)]
struct Wanted {
    after: Option<String>,
}

async fn builds(
    State(front): State<Arc<Front>>,
    visitor: Visitor,
    Query(wanted): Query<Wanted>,
) -> Result<Response, NoPage> {
    let is_first = wanted.after.is_none();
    let input = ListBuildsInput { next_token: wanted.after, ..ListBuildsInput::default() };
    let listed = front.codebuild.list_builds(&visitor.caller, input).await?;
    let ids = listed.ids.unwrap_or_default();
    let now = shown::now();
    let found = shown::builds(&front, &visitor.caller, ids).await?;
    let builds = found.iter().map(|build| BuildRow::new(build, now)).collect();
    let frame = Frame::new(&front, visitor, "Builds", Section::Builds).await;
    let next = listed.next_token.map(|token| shown::escaped(&token));
    Ok(page(Builds { frame, builds, next, is_first }))
}
