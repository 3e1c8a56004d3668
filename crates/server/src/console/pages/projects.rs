//! All projects.

use super::shown::{self, BuildRow, Mark};
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
use axum::{
    Router,
    extract::{Query, State},
    response::Response,
    routing::get,
};
use futures::future::try_join_all;
use serde::Deserialize;
use std::sync::Arc;
use wire::{
    Caller, ServiceError,
    codebuild::{
        BatchGetProjectsInput, CodeBuild, ListBuildsForProjectInput, ListProjectsInput, Project,
    },
};

/// Projects of one page.
const SHOWN_MAX: usize = 50;
/// Builds in a project's strip.
const STRIP: usize = 20;

pub(super) fn routes() -> Router<Arc<Front>> {
    Router::new().route("/console/projects", get(projects))
}

#[derive(Template)]
#[template(path = "projects.html")]
struct Projects {
    frame: Frame,
    wanted: String,
    projects: Vec<Row>,
    found: usize,
    all: usize,
    next: Option<String>,
}

/// A project in a row.
pub(super) struct Row {
    pub(super) name: String,
    pub(super) path: String,
    pub(super) place: String,
    pub(super) builds: Vec<Bar>,
    pub(super) last: Option<BuildRow>,
    pub(super) usual: String,
}

/// A build in a strip: its colour says how it ended, its height how long it took.
pub(super) struct Bar {
    pub(super) row: BuildRow,
    /// One of twelve steps, which the style has classes for.
    pub(super) height: i64,
}

#[derive(Deserialize)]
struct Wanted {
    #[serde(default)]
    find: String,
    #[serde(default)]
    after: String,
}

async fn projects(
    State(front): State<Arc<Front>>,
    visitor: Visitor,
    Query(wanted): Query<Wanted>,
) -> Result<Response, NoPage> {
    let caller = visitor.caller.clone();
    let names = names(&front, &caller).await?;
    let all = names.len();
    let find = wanted.find.to_lowercase();
    let found: Vec<String> =
        names.into_iter().filter(|name| name.to_lowercase().contains(&find)).collect();
    let count = found.len();
    let mut rest = found.into_iter().filter(|name| *name > wanted.after).peekable();
    let shown: Vec<String> = rest.by_ref().take(SHOWN_MAX).collect();
    let next = rest.peek().and_then(|_| shown.last().cloned());
    let projects = rows(&front, &caller, shown).await?;
    let frame = Frame::new(&front, visitor, "Projects", Section::Projects).await;
    Ok(page(Projects { frame, wanted: wanted.find, projects, found: count, all, next }))
}

/// The names of all projects, in order.
pub(super) async fn names(front: &Front, caller: &Caller) -> Result<Vec<String>, ServiceError> {
    let mut names = Vec::new();
    let mut token = None;
    loop {
        let input = ListProjectsInput { next_token: token, ..ListProjectsInput::default() };
        let listed = front.codebuild.list_projects(caller, input).await?;
        names.extend(listed.projects.into_iter().flatten());
        token = listed.next_token;
        if token.is_none() {
            names.sort_unstable();
            return Ok(names);
        }
    }
}

async fn rows(
    front: &Arc<Front>,
    caller: &Caller,
    names: Vec<String>,
) -> Result<Vec<Row>, ServiceError> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let input = BatchGetProjectsInput { names };
    let projects = front.codebuild.batch_get_projects(caller, input).await?.projects;
    try_join_all(projects.iter().flatten().map(|project| row(front, caller, project))).await
}

async fn row(front: &Arc<Front>, caller: &Caller, project: &Project) -> Result<Row, ServiceError> {
    let name = project.name.clone().unwrap_or_default();
    let builds = last_builds(front, caller, &name, STRIP).await?;
    let last = builds.first().map(|build| BuildRow::new(build, shown::now()));
    let builds = strip(&builds);
    let usual = usual(&builds);
    Ok(Row {
        path: shown::project_path(&name),
        place: shown::place(project.source.as_ref()),
        last,
        builds,
        usual,
        name,
    })
}

/// A project's last builds, the newest first.
pub(super) async fn last_builds(
    front: &Arc<Front>,
    caller: &Caller,
    name: &str,
    count: usize,
) -> Result<Vec<wire::codebuild::Build>, ServiceError> {
    let input = ListBuildsForProjectInput { project_name: name.to_owned(), ..Default::default() };
    let ids = front.codebuild.list_builds_for_project(caller, input).await?.ids;
    shown::builds(front, caller, ids.into_iter().flatten().take(count).collect()).await
}

/// Makes bars of builds that come newest first; the newest ends up at the right.
pub(super) fn strip(builds: &[wire::codebuild::Build]) -> Vec<Bar> {
    let now = shown::now();
    let rows: Vec<BuildRow> = builds.iter().rev().map(|build| BuildRow::new(build, now)).collect();
    // A build that waits has taken nothing yet.
    let took = |row: &BuildRow| if row.mark == Mark::Queued { 0 } else { row.duration_millis };
    let longest = rows.iter().map(took).max().unwrap_or(0).max(1);
    rows.into_iter().map(|row| Bar { height: 3 + took(&row) * 9 / longest, row }).collect()
}

/// How long the builds that succeeded took: the middle one of them.
fn usual(bars: &[Bar]) -> String {
    middle(&durations(bars)).map_or_else(String::new, words::duration)
}

/// The durations of those that succeeded, the oldest first.
fn durations(bars: &[Bar]) -> Vec<i64> {
    let succeeded = bars.iter().filter(|bar| bar.row.mark == Mark::Succeeded);
    succeeded.map(|bar| bar.row.duration_millis).collect()
}

fn middle(durations: &[i64]) -> Option<i64> {
    let mut sorted = durations.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied()
}

/// Which way a project's builds go.
pub(super) struct Trend {
    /// How long they usually take; empty when none has succeeded.
    pub(super) usual: String,
    /// How the last ones compare to those before; empty when there are too few.
    pub(super) change: String,
    pub(super) failed: usize,
    /// How many have ended.
    pub(super) ended: usize,
}

impl Trend {
    /// The trend of the builds in a strip.
    pub(super) fn of(bars: &[Bar]) -> Self {
        let is = |mark: &Mark| !matches!(mark, Mark::InProgress | Mark::Queued);
        let has_failed = |mark: &Mark| matches!(mark, Mark::Failed | Mark::Fault | Mark::TimedOut);
        let marks = || bars.iter().map(|bar| bar.row.mark);
        Self {
            usual: usual(bars),
            change: change(&durations(bars)),
            failed: marks().filter(has_failed).count(),
            ended: marks().filter(is).count(),
        }
    }
}

/// How the durations of the last builds compare to those before, in words.
fn change(durations: &[i64]) -> String {
    /// So many are the last ones; fewer before them say nothing.
    const LAST: usize = 5;
    /// So many percent are no news.
    const ALIKE: i64 = 10;
    let (before, last) = durations.split_at(durations.len().saturating_sub(LAST));
    let (Some(then), Some(now)) = (middle(before).filter(|_| before.len() >= LAST), middle(last))
    else {
        return String::new();
    };
    match (now - then) * 100 / then.max(1) {
        percent if percent >= ALIKE => format!("{percent} % slower than before"),
        percent if percent <= -ALIKE => format!("{} % faster than before", -percent),
        _ => "as fast as before".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::change;

    #[test]
    fn the_last_builds_are_compared_to_those_before() {
        let durations = |before: i64, last: i64| {
            let mut all = vec![before; 5];
            all.extend([last; 5]);
            change(&all)
        };
        assert_eq!(durations(100, 150), "50 % slower than before");
        assert_eq!(durations(200, 100), "50 % faster than before");
        assert_eq!(durations(100, 109), "as fast as before");
        assert_eq!(durations(0, 0), "as fast as before");
        assert_eq!(change(&[100; 9]), "");
        assert_eq!(change(&[]), "");
    }
}
