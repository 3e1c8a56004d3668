//! The whole yard: what runs, what waits, and what has ended last.

use super::{
    projects::names,
    shown::{self, BuildRow, Mark},
};
use crate::{
    console::{
        answer::{NoPage, page},
        frame::{Frame, Section},
        session::Visitor,
        words,
    },
    http::Front,
};
use askama::Template;
use axum::{Router, extract::State, response::Response, routing::get};
use std::sync::Arc;
use wire::codebuild::{CodeBuild, ListBuildsInput};

/// Builds that have ended, on this page.
const ENDED_MAX: usize = 12;
/// The last hours that the figures are about.
const HOURS: i64 = 24;

pub(super) fn routes() -> Router<Arc<Front>> {
    Router::new().route("/console", get(yard))
}

#[derive(Template)]
#[template(path = "yard.html")]
struct Yard {
    frame: Frame,
    under_way: Vec<BuildRow>,
    ended: Vec<BuildRow>,
    at_once_max: usize,
    projects: usize,
    /// Of the last day, among the last hundred builds.
    day: Day,
}

#[derive(Default)]
struct Day {
    /// Whether there were more builds than were looked at.
    is_more: bool,
    builds: usize,
    failed: usize,
    percent_failed: usize,
    minutes: String,
}

async fn yard(State(front): State<Arc<Front>>, visitor: Visitor) -> Result<Response, NoPage> {
    let caller = visitor.caller.clone();
    let ids = front.codebuild.list_builds(&caller, ListBuildsInput::default()).await?.ids;
    let ids = ids.unwrap_or_default();
    let is_page_full = ids.len() == 100;
    let found = shown::builds(&front, &caller, ids).await?;
    let now = shown::now();
    let rows: Vec<BuildRow> = found.iter().map(|build| BuildRow::new(build, now)).collect();
    let since = now.millis() - HOURS * 3_600_000;
    let of_day = |build: &&wire::codebuild::Build| {
        build.start_time.is_some_and(|start| start.millis() >= since)
    };
    let builds = found.iter().filter(of_day).count();
    let (mut failed, mut millis) = (0, 0);
    for (build, row) in found.iter().zip(&rows) {
        if of_day(&build) {
            failed += usize::from(matches!(row.mark, Mark::Failed | Mark::Fault | Mark::TimedOut));
            millis += row.duration_millis;
        }
    }
    let day = Day {
        is_more: is_page_full && builds == found.len(),
        builds,
        failed,
        percent_failed: failed * 100 / builds.max(1),
        minutes: words::duration(millis),
    };
    let is_under_way = |row: &BuildRow| matches!(row.mark, Mark::InProgress | Mark::Queued);
    let (under_way, mut ended): (Vec<BuildRow>, Vec<BuildRow>) =
        rows.into_iter().partition(is_under_way);
    ended.truncate(ENDED_MAX);
    let projects = names(&front, &caller).await?.len();
    let at_once_max = front.capacity.builds_max;
    let frame = Frame::new(&front, visitor, "The yard", Section::Yard).await;
    Ok(page(Yard { frame, under_way, ended, at_once_max, projects, day }))
}
