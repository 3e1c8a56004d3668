//! A project: its builds, its settings in short, and the question before it is deleted.

use super::{
    projects::{Bar, Trend, last_builds, strip},
    shown::{self, BuildRow, Mark},
};
use crate::{
    console::{
        answer::{NoPage, page, see_other},
        form::Sent,
        frame::{Frame, Section},
        session::Visitor,
        words,
    },
    http::Front,
};
use askama::Template;
use axum::{
    Router,
    extract::{Path, Query, State},
    response::Response,
    routing::get,
};
use serde::Deserialize;
use std::sync::Arc;
use wire::{
    Caller,
    codebuild::{
        BatchGetProjectsInput, CodeBuild, DeleteProjectInput, ListBuildsForProjectInput, Project,
    },
};

/// Builds in the large strip.
const STRIP: usize = 60;

pub(super) fn routes() -> Router<Arc<Front>> {
    Router::new()
        .route("/console/projects/{name}", get(project))
        .route("/console/projects/{name}/delete", get(ask).post(delete))
}

#[derive(Template)]
#[template(path = "project.html")]
struct ProjectPage {
    frame: Frame,
    name: String,
    path: String,
    description: String,
    facts: Vec<(&'static str, String)>,
    strip: Vec<Bar>,
    trend: Trend,
    builds: Vec<BuildRow>,
    next: Option<String>,
    is_first: bool,
}

#[derive(Deserialize)]
struct Wanted {
    after: Option<String>,
}

/// The project of that name.
pub(super) async fn find(front: &Front, caller: &Caller, name: &str) -> Result<Project, NoPage> {
    let input = BatchGetProjectsInput { names: vec![name.to_owned()] };
    let found = front.codebuild.batch_get_projects(caller, input).await?.projects;
    found
        .into_iter()
        .flatten()
        .next()
        .ok_or_else(|| NoPage::missing(format!("There is no project {name} in {}.", caller.region)))
}

async fn project(
    State(front): State<Arc<Front>>,
    visitor: Visitor,
    Path(name): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, NoPage> {
    let caller = visitor.caller.clone();
    let project = find(&front, &caller, &name).await?;
    let is_first = wanted.after.is_none();
    let input = ListBuildsForProjectInput {
        project_name: name.clone(),
        next_token: wanted.after,
        ..ListBuildsForProjectInput::default()
    };
    let listed = front.codebuild.list_builds_for_project(&caller, input).await?;
    let found = shown::builds(&front, &caller, listed.ids.unwrap_or_default()).await?;
    let now = shown::now();
    let builds = found.iter().map(|build| BuildRow::new(build, now)).collect();
    let strip = strip(&last_builds(&front, &caller, &name, STRIP).await?);
    let frame = Frame::new(&front, visitor, name.clone(), Section::Projects).await;
    Ok(page(ProjectPage {
        frame,
        path: shown::project_path(&name),
        name,
        description: project.description.clone().unwrap_or_default(),
        facts: facts(&project),
        trend: Trend::of(&strip),
        strip,
        builds,
        next: listed.next_token.map(|token| shown::escaped(&token)),
        is_first,
    }))
}

fn facts(project: &Project) -> Vec<(&'static str, String)> {
    let mut facts = vec![("Source", shown::place(project.source.as_ref()))];
    let mut fact = |name, text: Option<String>| {
        facts.extend(text.filter(|text| !text.is_empty()).map(|text| (name, text)));
    };
    fact("Version", project.source_version.clone());
    if let Some(environment) = &project.environment {
        fact("Image", Some(environment.image.clone()));
        fact("Compute type", Some(environment.compute_type.as_str().to_owned()));
    }
    if let Some(artifacts) = &project.artifacts {
        let location = artifacts.location.as_deref().unwrap_or_default();
        fact(
            "Artifacts",
            Some(match location {
                "" => "none".to_owned(),
                bucket => format!("s3://{bucket}"),
            }),
        );
    }
    if let Some(cache) = &project.cache {
        fact("Cache", Some(cache.r#type.as_str().to_owned()));
    }
    let minutes = project.timeout_in_minutes.map(|minutes| i64::from(minutes) * 60_000);
    fact("Time limit", minutes.map(words::duration));
    fact("At once at most", project.concurrent_build_limit.map(|limit| limit.to_string()));
    fact("Role", project.service_role.clone());
    facts
}

#[derive(Template)]
#[template(path = "project_delete.html")]
struct Question {
    frame: Frame,
    name: String,
    path: String,
}

async fn ask(
    State(front): State<Arc<Front>>,
    visitor: Visitor,
    Path(name): Path<String>,
) -> Result<Response, NoPage> {
    find(&front, &visitor.caller, &name).await?;
    let title = format!("Delete {name}");
    let frame = Frame::new(&front, visitor, title, Section::Projects).await;
    Ok(page(Question { frame, path: shown::project_path(&name), name }))
}

async fn delete(
    State(front): State<Arc<Front>>,
    Path(name): Path<String>,
    Sent { visitor, .. }: Sent,
) -> Result<Response, NoPage> {
    front.codebuild.delete_project(&visitor.caller, DeleteProjectInput { name }).await?;
    Ok(see_other("/console/projects"))
}
