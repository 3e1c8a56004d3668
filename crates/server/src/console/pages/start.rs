//! Starting a build, with what is to be other than the project says.

use super::{project::find, shown};
use crate::{
    console::{
        answer::{NoPage, Page, page, see_other},
        form::{Form, Sent},
        frame::{Frame, Section},
        session::Visitor,
    },
    http::Front,
};
use askama::Template;
use axum::{
    Router,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use wire::codebuild::{ComputeType, Project};

pub(super) fn routes() -> Router<Arc<Front>> {
    Router::new().route("/console/projects/{name}/start", get(ask).post(start))
}

#[derive(Template)]
#[template(path = "start.html")]
struct StartPage {
    frame: Frame,
    name: String,
    path: String,
    problem: String,
    version: String,
    /// What the project says, in the place of what is not filled in.
    usual_version: String,
    usual_image: String,
    usual_compute: String,
    usual_timeout: String,
    image: String,
    compute: String,
    compute_types: &'static [&'static str],
    timeout: String,
    buildspec: String,
    variables: Vec<(String, String)>,
}

#[derive(Deserialize)]
struct Wanted {
    /// The page of a build whose version and variables are to be used again.
    #[serde(default)]
    again: String,
}

impl StartPage {
    fn new(frame: Frame, name: &str, project: &Project) -> Self {
        let environment = project.environment.as_ref();
        Self {
            frame,
            name: name.to_owned(),
            path: shown::project_path(name),
            problem: String::new(),
            version: String::new(),
            usual_version: project.source_version.clone().unwrap_or_default(),
            usual_image: environment.map_or_else(String::new, |it| it.image.clone()),
            usual_compute: environment
                .map_or_else(String::new, |it| it.compute_type.as_str().to_owned()),
            usual_timeout: project
                .timeout_in_minutes
                .map_or_else(String::new, |minutes| minutes.to_string()),
            image: String::new(),
            compute: String::new(),
            compute_types: ComputeType::VALUES,
            timeout: String::new(),
            buildspec: String::new(),
            variables: Vec::new(),
        }
    }

    fn fill_in(&mut self, form: &Form) {
        self.version = form.text("version").to_owned();
        self.image = form.text("image").to_owned();
        self.compute = form.text("compute").to_owned();
        self.timeout = form.text("timeout").to_owned();
        self.buildspec = form.text("buildspec").to_owned();
        self.variables = form
            .all("variable-name")
            .zip(form.all("variable-value"))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .filter(|(name, _)| !name.is_empty())
            .collect();
    }
}

async fn ask(
    State(front): State<Arc<Front>>,
    visitor: Visitor,
    Path(name): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, NoPage> {
    let project = find(&front, &visitor.caller, &name).await?;
    let again = wanted.again.strip_prefix("/console/builds/").map(|id| id.replacen('/', ":", 1));
    let built = match again {
        Some(id) => shown::builds(&front, &visitor.caller, vec![id]).await.unwrap_or_default(),
        None => Vec::new(),
    };
    let title = format!("Start a build of {name}");
    let frame = Frame::new(&front, visitor, title, Section::Projects).await;
    let mut start = StartPage::new(frame, &name, &project);
    if let Some(build) = built.first() {
        start.version = build.source_version.clone().unwrap_or_default();
        start.variables = changed_variables(&project, build);
    }
    Ok(page(start))
}

/// The variables of a build that its project does not have, or has with another value.
fn changed_variables(project: &Project, build: &wire::codebuild::Build) -> Vec<(String, String)> {
    let of = |environment: Option<&wire::codebuild::ProjectEnvironment>| {
        let variables = environment.and_then(|it| it.environment_variables.clone());
        variables.unwrap_or_default()
    };
    let usual = of(project.environment.as_ref());
    let built = of(build.environment.as_ref());
    built
        .into_iter()
        .filter(|variable| !usual.contains(variable))
        .map(|variable| (variable.name, variable.value))
        .collect()
}

async fn start(
    State(front): State<Arc<Front>>,
    Path(name): Path<String>,
    Sent { visitor, form }: Sent,
) -> Result<Response, NoPage> {
    let input = request(&name, &form).to_string();
    // As bytes, so that what the model says of each member is checked as for any client.
    let answer =
        wire::codebuild::call(&front.codebuild, &visitor.caller, "StartBuild", input.as_bytes());
    match answer.await {
        Ok(answer) => {
            let started: Value = serde_json::from_slice(&answer).unwrap_or_default();
            let id = started.pointer("/build/id").and_then(Value::as_str).unwrap_or_default();
            Ok(see_other(&shown::build_path(id)))
        }
        Err(error) => {
            let project = find(&front, &visitor.caller, &name).await?;
            let title = format!("Start a build of {name}");
            let frame = Frame::new(&front, visitor, title, Section::Projects).await;
            let mut start = StartPage::new(frame, &name, &project);
            start.fill_in(&form);
            start.problem = error.message;
            Ok(Page(StatusCode::BAD_REQUEST, start).into_response())
        }
    }
}

/// The request of StartBuild that a form asks for.
fn request(name: &str, form: &Form) -> Value {
    let mut request = Map::new();
    request.insert("projectName".to_owned(), json!(name));
    for (field, member) in [
        ("version", "sourceVersion"),
        ("image", "imageOverride"),
        ("compute", "computeTypeOverride"),
        ("buildspec", "buildspecOverride"),
    ] {
        if let Some(text) = form.given(field) {
            request.insert(member.to_owned(), json!(text));
        }
    }
    if let Some(minutes) = form.given("timeout") {
        // What is no number is left to the model to refuse.
        let minutes =
            minutes.parse::<i32>().map_or_else(|_| json!(minutes), |number| json!(number));
        request.insert("timeoutInMinutesOverride".to_owned(), minutes);
    }
    let variables: Vec<Value> = form
        .all("variable-name")
        .zip(form.all("variable-value"))
        .filter(|(name, _)| !name.trim().is_empty())
        .map(|(name, value)| json!({ "name": name.trim(), "value": value, "type": "PLAINTEXT" }))
        .collect();
    if !variables.is_empty() {
        request.insert("environmentVariablesOverride".to_owned(), json!(variables));
    }
    Value::Object(request)
}
