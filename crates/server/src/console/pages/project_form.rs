//! Making and changing a project: a form over the project's document.
//!
//! A field's name is the place of its value in the document, so a table says all that the form, its
//! reading and its filling in need to know. Members without a field stand in the last one, as JSON.

mod fields;

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
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use buildspec::Severity;
use fields::{Field, Group, Kind, REST};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use wire::codebuild::EnvironmentVariableType;

pub(super) fn routes() -> Router<Arc<Front>> {
    Router::new()
        .route("/console/projects/new", get(new).post(create))
        .route("/console/projects/{name}/edit", get(edit).post(update))
        .route("/console/check", post(check))
}

#[derive(Template)]
#[template(path = "project_form.html")]
struct FormPage {
    frame: Frame,
    /// Empty for a project that is to be made.
    name: String,
    problem: String,
    groups: Vec<ShownGroup>,
    rest: String,
    variables: Vec<Variable>,
    variable_kinds: &'static [&'static str],
}

struct ShownGroup {
    title: &'static str,
    fields: Vec<ShownField>,
}

struct ShownField {
    field: &'static Field,
    text: String,
}

struct Variable {
    name: String,
    value: String,
    kind: String,
}

impl FormPage {
    fn new(frame: Frame, name: &str, project: &Value) -> Self {
        let groups = fields::GROUPS.iter().map(|group: &'static Group| ShownGroup {
            title: group.title,
            fields: group
                .fields
                .iter()
                .filter(|field| name.is_empty() || field.place != "/name")
                .map(|field| ShownField { text: said(project.pointer(field.place)), field })
                .collect(),
        });
        let variables = project.pointer("/environment/environmentVariables");
        let variables = variables.and_then(Value::as_array).into_iter().flatten().map(|variable| {
            let member = |name: &str| said(variable.get(name));
            Variable { name: member("name"), value: member("value"), kind: member("type") }
        });
        let rest: Map<String, Value> = REST
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), project.get(name)?.clone())))
            .filter(|(_, value)| !value.as_array().is_some_and(Vec::is_empty))
            .collect();
        Self {
            frame,
            name: name.to_owned(),
            problem: String::new(),
            groups: groups.collect(),
            rest: if rest.is_empty() {
                String::new()
            } else {
                serde_json::to_string_pretty(&rest).unwrap_or_default()
            },
            variables: variables.collect(),
            variable_kinds: EnvironmentVariableType::VALUES,
        }
    }
}

/// A value as a field shows it.
fn said(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(all)) => {
            all.iter().map(|one| said(Some(one))).collect::<Vec<_>>().join(", ")
        }
        Some(other) => other.to_string(),
    }
}

/// What a new project begins with.
fn beginning(account_id: &str) -> Value {
    json!({
        "source": { "type": "S3" },
        "environment": {
            "type": "LINUX_CONTAINER",
            "computeType": "BUILD_GENERAL1_SMALL",
            "image": "host",
        },
        "artifacts": { "type": "NO_ARTIFACTS" },
        "cache": { "type": "NO_CACHE" },
        "logsConfig": { "cloudWatchLogs": { "status": "ENABLED" } },
        "serviceRole": format!("arn:aws:iam::{account_id}:role/builds"),
    })
}

async fn new(State(front): State<Arc<Front>>, visitor: Visitor) -> Response {
    let frame = Frame::new(&front, visitor, "New project", Section::Projects).await;
    page(FormPage::new(frame, "", &beginning(&front.account_id)))
}

async fn edit(
    State(front): State<Arc<Front>>,
    visitor: Visitor,
    Path(name): Path<String>,
) -> Result<Response, NoPage> {
    let project = find(&front, &visitor.caller, &name).await?;
    let project = serde_json::to_value(&project).unwrap_or_default();
    let title = format!("Settings of {name}");
    let frame = Frame::new(&front, visitor, title, Section::Projects).await;
    Ok(page(FormPage::new(frame, &name, &project)))
}

async fn create(
    State(front): State<Arc<Front>>,
    Sent { visitor, form }: Sent,
) -> Result<Response, NoPage> {
    save(&front, visitor, "", &form, Value::Object(Map::new())).await
}

async fn update(
    State(front): State<Arc<Front>>,
    Path(name): Path<String>,
    Sent { visitor, form }: Sent,
) -> Result<Response, NoPage> {
    let project = find(&front, &visitor.caller, &name).await?;
    let project = serde_json::to_value(&project).unwrap_or_default();
    save(&front, visitor, &name, &form, project).await
}

/// Saves what a form says over what the project was.
async fn save(
    front: &Arc<Front>,
    visitor: Visitor,
    name: &str,
    form: &Form,
    before: Value,
) -> Result<Response, NoPage> {
    let document = document(form, &before, !name.is_empty());
    let problem = match &document {
        Err(problem) => problem.clone(),
        Ok(document) => {
            let mut document = document.clone();
            if !name.is_empty() {
                document["name"] = json!(name);
            }
            let operation = if name.is_empty() { "CreateProject" } else { "UpdateProject" };
            let body = document.to_string();
            // As bytes, so that what the model says of each member is checked as for any client.
            let caller = &visitor.caller;
            match wire::codebuild::call(&front.codebuild, caller, operation, body.as_bytes()).await
            {
                Ok(_) => {
                    let name = said(document.get("name"));
                    return Ok(see_other(&shown::project_path(&name)));
                }
                Err(error) => error.message,
            }
        }
    };
    let title = if name.is_empty() { "New project" } else { "Settings" };
    let frame = Frame::new(front, visitor, title, Section::Projects).await;
    let mut again = FormPage::new(frame, name, &document.unwrap_or_default());
    again.problem = problem;
    for shown in again.groups.iter_mut().flat_map(|group| &mut group.fields) {
        // What could not be read is shown as it was written.
        if !matches!(shown.field.kind, Kind::Tick) {
            form.text(shown.field.place).clone_into(&mut shown.text);
        }
    }
    form.text("rest").clone_into(&mut again.rest);
    Ok(Page(StatusCode::BAD_REQUEST, again).into_response())
}

/// The document that a form asks for.
fn document(form: &Form, before: &Value, is_change: bool) -> Result<Value, String> {
    let mut document = Map::new();
    for name in fields::OBJECTS {
        if let Some(object) = before.get(name).filter(|object| object.is_object()) {
            document.insert((*name).to_owned(), object.clone());
        }
    }
    let mut document = Value::Object(document);
    for field in fields::GROUPS.iter().flat_map(|group| group.fields) {
        let text = form.text(field.place);
        let value = match field.kind {
            Kind::Tick => Some(json!(form.ticked(field.place))),
            _ if text.trim().is_empty() => field.cleared(before, is_change),
            Kind::Number => {
                Some(text.trim().parse::<i64>().map_or_else(|_| json!(text), Value::from))
            }
            Kind::List => {
                Some(text.split([',', '\n']).map(str::trim).filter(|one| !one.is_empty()).collect())
            }
            Kind::Text | Kind::Choice(_) => Some(json!(text.trim())),
            Kind::Buildspec => Some(json!(text)),
        };
        place(&mut document, field.place, value);
    }
    let variables: Vec<Value> = form
        .all("variable-name")
        .zip(form.all("variable-value"))
        .zip(form.all("variable-type"))
        .filter(|((name, _), _)| !name.trim().is_empty())
        .map(|((name, value), kind)| json!({ "name": name.trim(), "value": value, "type": kind }))
        .collect();
    place(&mut document, "/environment/environmentVariables", Some(json!(variables)));
    let rest = form.text("rest").trim();
    let given: Map<String, Value> = match rest {
        "" => Map::new(),
        text => serde_json::from_str(text)
            .map_err(|error| format!("Everything else is not a JSON object: {error}"))?,
    };
    if let Some(unknown) = given.keys().find(|name| !REST.contains(&name.as_str())) {
        let known = REST.join(", ");
        return Err(format!("Everything else has a member {unknown}; it may have {known}."));
    }
    for name in REST {
        match given.get(*name) {
            Some(value) => place(&mut document, &format!("/{name}"), Some(value.clone())),
            None if before.get(name).is_some_and(Value::is_array) => {
                place(&mut document, &format!("/{name}"), Some(json!([])));
            }
            None => {}
        }
    }
    Ok(document)
}

/// Puts a value at its place, or takes away what is there.
fn place(document: &mut Value, place: &str, value: Option<Value>) {
    let mut here = document;
    let mut names = place.split('/').skip(1).peekable();
    while let Some(name) = names.next() {
        if !here.is_object() {
            *here = Value::Object(Map::new());
        }
        let Value::Object(members) = here else { return };
        if names.peek().is_some() {
            if value.is_none() && !members.contains_key(name) {
                return;
            }
            here = members.entry(name).or_insert_with(|| Value::Object(Map::new()));
            continue;
        }
        match value {
            Some(value) => drop(members.insert(name.to_owned(), value)),
            None => drop(members.remove(name)),
        }
        return;
    }
}

#[derive(Serialize)]
struct Found {
    line: usize,
    column: usize,
    width: usize,
    is_error: bool,
    message: String,
    help: Option<String>,
}

/// What `buildspec check` says of a buildspec that is being written.
async fn check(Sent { form, .. }: Sent) -> Response {
    let text = form.text("buildspec");
    // A path is not a buildspec.
    let problems = if text.contains('\n') { buildspec::parse(text).problems } else { Vec::new() };
    let found: Vec<Found> = problems
        .into_iter()
        .map(|problem| Found {
            line: problem.line,
            column: problem.column,
            width: problem.width,
            is_error: problem.severity == Severity::Error,
            message: problem.message,
            help: problem.help,
        })
        .collect();
    Json(found).into_response()
}
