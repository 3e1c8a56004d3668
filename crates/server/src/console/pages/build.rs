//! A build: how it stands, its phases to scale, its commands, its log, and what came out of it.

use super::{
    log::{self, Log},
    shown::{self, Mark},
};
use crate::{
    console::{
        answer::{NoPage, page, see_other},
        form::Sent,
        frame::{Frame, Section},
        session::Visitor,
        words::{self, Moment},
    },
    driver::KeptCommand,
    http::Front,
};
use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    response::Response,
    routing::{get, post},
};
use serde::Serialize;
use std::sync::Arc;
use store::logs::{LogError, LogStore, StreamId};
use wire::{
    Timestamp,
    codebuild::{self, BuildPhase, CodeBuild, RetryBuildInput, StopBuildInput},
};

/// How wide the timeline is, in its own units.
const TRACK_WIDTH: i64 = 10_000;
/// A phase is at least so wide, or it could not be seen.
const BAR_WIDTH_MIN: i64 = 30;
/// How many lines behind a phase's beginning the line that says so is looked for: it is among the
/// first, but as many may have been written in one millisecond.
const ENTERING_WITHIN: [usize; 3] = [8, 64, 512];
/// So many commands have a place in the page's outline of the log.
const COMMANDS_MAX: usize = 2_000;

pub(super) fn routes() -> Router<Arc<Front>> {
    Router::new()
        .route("/console/builds/{project}/{uuid}", get(build))
        .route("/console/builds/{project}/{uuid}/stop", post(stop))
        .route("/console/builds/{project}/{uuid}/retry", post(retry))
}

#[derive(Template)]
#[template(path = "build.html")]
struct BuildPage {
    frame: Frame,
    standing: Standing,
    details: Details,
    path: String,
    lines: String,
    line_count: u64,
    outline: String,
}

/// How a build stands, which changes while it runs.
#[derive(Template)]
#[template(path = "standing.html")]
pub(super) struct Standing {
    form_token: String,
    path: String,
    project: String,
    project_path: String,
    number: i64,
    mark: Mark,
    phase: String,
    version: String,
    commit_link: Option<String>,
    asked_version: String,
    initiator: String,
    started: Moment,
    duration: String,
    is_complete: bool,
    why: Option<Why>,
    bars: Vec<Bar>,
}

/// What a build is made of and has made.
#[derive(Template)]
#[template(path = "details.html")]
struct Details {
    facts: Vec<Fact>,
    artifacts: Vec<Artifact>,
    exported: Vec<(String, String)>,
    variables: Vec<(String, String)>,
    reports: Vec<String>,
}

/// Why a build did not succeed.
struct Why {
    phase: String,
    code: String,
    message: String,
    /// The number, from 1, of the line that shows the command which failed.
    line: Option<u64>,
}

/// A phase in the timeline.
struct Bar {
    name: String,
    mark: Mark,
    x: i64,
    width: i64,
    duration: String,
}

/// Something worth knowing of a build's environment or source.
struct Fact {
    name: &'static str,
    text: String,
    link: Option<String>,
}

struct Artifact {
    name: String,
    link: Option<String>,
}

/// The sections of a log.
#[derive(Serialize)]
struct Outline {
    phases: Vec<PhaseOutline>,
    commands: Vec<CommandOutline>,
}

#[derive(Serialize)]
struct PhaseOutline {
    name: String,
    mark: &'static str,
    took: String,
    /// The number of its first line, from 0.
    line: u64,
}

#[derive(Serialize)]
struct CommandOutline {
    /// The number of the line that shows it, from 0.
    line: u64,
    mark: &'static str,
    took: String,
    exit: Option<i32>,
}

async fn build(
    State(front): State<Arc<Front>>,
    visitor: Visitor,
    Path((project, uuid)): Path<(String, String)>,
) -> Result<Response, NoPage> {
    let ids = vec![format!("{project}:{uuid}")];
    let found = shown::builds(&front, &visitor.caller, ids).await?;
    let Some(build) = found.into_iter().next() else {
        return Err(NoPage::missing(format!("There is no build {uuid} of {project} any more.")));
    };
    let log = Log::of(&front, &visitor, &build).await;
    let commands = commands(&front, &visitor, &build).await;
    let outline = outline(log.as_ref(), &build, &commands).await;
    let standing = Standing::new(&visitor, &build, &commands, &outline);
    let line_count = match &log {
        Some(log) => log.read(|logs, id| logs.line_count(id)).await.unwrap_or_default(),
        None => 0,
    };
    let title = format!("Build {} of {project} {}", standing.number, standing.mark.word());
    let frame = Frame::new(&front, visitor, title, Section::Projects).await;
    let path = standing.path.clone();
    let lines = log::said(line_count);
    let outline = serde_json::to_string(&outline).unwrap_or_default();
    let details = Details::new(&build);
    Ok(page(BuildPage { frame, standing, details, path, lines, line_count, outline }))
}

/// What a page that shows a build is told of it while it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) standing: String,
    pub(super) details: String,
    pub(super) outline: String,
}

/// How a build stands, as the page shows it.
pub(super) async fn told(
    front: &Arc<Front>,
    visitor: &Visitor,
    build: &codebuild::Build,
) -> Option<Told> {
    let log = Log::of(front, visitor, build).await;
    let commands = commands(front, visitor, build).await;
    let outline = outline(log.as_ref(), build, &commands).await;
    let standing = Standing::new(visitor, build, &commands, &outline);
    Some(Told {
        standing: standing.render().ok()?,
        details: Details::new(build).render().ok()?,
        outline: serde_json::to_string(&outline).ok()?,
    })
}

/// What is known of a build's commands, the first of them.
async fn commands(
    front: &Arc<Front>,
    visitor: &Visitor,
    build: &codebuild::Build,
) -> Vec<KeptCommand> {
    let id = build.id.clone().unwrap_or_default();
    let kept = front.codebuild.store.commands(&visitor.caller.region, &id).await;
    let kept = kept.unwrap_or_default();
    kept.iter()
        .take(COMMANDS_MAX)
        .filter_map(|kept| serde_json::from_str(&kept.command).ok())
        .collect()
}

async fn outline(log: Option<&Log>, build: &codebuild::Build, commands: &[KeptCommand]) -> Outline {
    let Some(log) = log else { return Outline { phases: Vec::new(), commands: Vec::new() } };
    let behind: Vec<u64> = commands.iter().map(|command| command.log_behind).collect();
    let begun: Vec<(String, i64)> = build
        .phases
        .iter()
        .flatten()
        .filter(|phase| is_in_log(phase))
        .filter_map(|phase| Some((name(phase), phase.start_time?.millis())))
        .collect();
    let places = log.read(move |logs, id| {
        let mut phases = Vec::new();
        for (name, at) in begun {
            let first = logs.line_at(id, at)?;
            phases.push(match entering(logs, id, first, &name)? {
                Some(line) => line,
                // DOWNLOAD_SOURCE has no such line, and stands at the beginning.
                None if phases.is_empty() => 0,
                None => first,
            });
        }
        Ok((phases, logs.lines_behind(id, &behind)?))
    });
    let (phase_lines, command_lines) = places.await.unwrap_or_default();
    let phases = build.phases.iter().flatten().filter(|phase| is_in_log(phase));
    let phases = phases.zip(phase_lines).map(|(phase, line)| PhaseOutline {
        name: name(phase),
        mark: phase_mark(phase).class(),
        took: took(phase),
        line,
    });
    let commands = commands.iter().zip(command_lines).map(|(command, line)| CommandOutline {
        line,
        mark: match &command.ended {
            Some((_, ended)) if ended.exit_status == 0 => Mark::Succeeded,
            Some(_) => Mark::Failed,
            None if build.build_complete.unwrap_or_default() => Mark::Stopped,
            None => Mark::InProgress,
        }
        .class(),
        took: command.ended.as_ref().map_or_else(String::new, |(at, _)| {
            let micros = at.micros().saturating_sub(command.started_at.micros());
            words::duration(i64::try_from(micros / 1_000).unwrap_or(i64::MAX))
        }),
        exit: command.ended.as_ref().map(|(_, ended)| ended.exit_status),
    });
    Outline { phases: phases.collect(), commands: commands.collect() }
}

/// The number of the line that says that a phase begins, which is not far behind `first`.
fn entering(
    logs: &LogStore,
    id: StreamId,
    first: u64,
    phase: &str,
) -> Result<Option<u64>, LogError> {
    let words = format!("Entering phase {phase}");
    for limit in ENTERING_WITHIN {
        let near = logs.lines(id, first, limit)?;
        let found = near.iter().position(|line| line.message.trim_end().ends_with(&words));
        if found.is_some() || near.len() < limit {
            return Ok(found.map(|at| first + at as u64));
        }
    }
    Ok(None)
}

fn name(phase: &BuildPhase) -> String {
    phase.phase_type.as_ref().map_or("", |kind| kind.as_str()).to_owned()
}

/// Whether a phase is one that the log tells of.
fn is_in_log(phase: &BuildPhase) -> bool {
    !matches!(
        name(phase).as_str(),
        "SUBMITTED" | "QUEUED" | "PROVISIONING" | "FINALIZING" | "COMPLETED"
    )
}

fn phase_mark(phase: &BuildPhase) -> Mark {
    Mark::of(phase.phase_status.as_ref())
}

fn millis(phase: &BuildPhase, now: Timestamp) -> i64 {
    let start = phase.start_time.map_or(0, Timestamp::millis);
    (phase.end_time.unwrap_or(now).millis() - start).max(0)
}

fn took(phase: &BuildPhase) -> String {
    match phase.end_time {
        Some(_) => words::duration(millis(phase, shown::now())),
        None => String::new(),
    }
}

impl Standing {
    fn new(
        visitor: &Visitor,
        build: &codebuild::Build,
        commands: &[KeptCommand],
        outline: &Outline,
    ) -> Self {
        let now = shown::now();
        let start = build.start_time.unwrap_or(now);
        let took = build.end_time.unwrap_or(now).millis() - start.millis();
        let project = build.project_name.clone().unwrap_or_default();
        Self {
            form_token: visitor.form_token.clone(),
            path: shown::build_path(build.id.as_deref().unwrap_or_default()),
            project_path: shown::project_path(&project),
            project,
            number: build.build_number.unwrap_or_default(),
            mark: shown::mark(build),
            phase: build.current_phase.clone().unwrap_or_default(),
            version: shown::version(build),
            commit_link: shown::commit_link(
                build.source.as_ref(),
                build.resolved_source_version.as_deref(),
            ),
            asked_version: build.source_version.clone().unwrap_or_default(),
            initiator: build.initiator.clone().unwrap_or_default(),
            started: words::moment(start, now),
            duration: words::duration(took),
            is_complete: build.build_complete.unwrap_or_default(),
            why: why(build, commands, outline),
            bars: bars(build, now),
        }
    }

    /// The number, from 1, of the line with the command that failed.
    fn failed_line(&self) -> Option<u64> {
        self.why.as_ref()?.line
    }
}

impl Details {
    fn new(build: &codebuild::Build) -> Self {
        let variables = build.environment.iter().flat_map(|environment| {
            let variables = environment.environment_variables.iter().flatten();
            variables.map(|variable| (variable.name.clone(), variable.value.clone()))
        });
        Self {
            facts: facts(build),
            artifacts: artifacts(build),
            exported: build
                .exported_environment_variables
                .iter()
                .flatten()
                .map(|one| {
                    (one.name.clone().unwrap_or_default(), one.value.clone().unwrap_or_default())
                })
                .collect(),
            variables: variables.collect(),
            reports: build.report_arns.clone().unwrap_or_default(),
        }
    }
}

/// The first phase that went wrong, and what it says.
fn why(build: &codebuild::Build, commands: &[KeptCommand], outline: &Outline) -> Option<Why> {
    let failed =
        build.phases.iter().flatten().find(|phase| {
            matches!(phase_mark(phase), Mark::Failed | Mark::Fault | Mark::TimedOut)
        })?;
    let context = failed.contexts.iter().flatten().next()?;
    let phase = name(failed);
    // The command that ended the phase is its last one that failed.
    let command = commands.iter().rposition(|command| {
        let has_failed = command.ended.as_ref().is_some_and(|(_, ended)| ended.exit_status != 0);
        has_failed && command.started.phase.as_str() == phase
    });
    Some(Why {
        line: command.and_then(|at| outline.commands.get(at)).map(|command| command.line + 1),
        phase,
        code: context.status_code.clone().unwrap_or_default(),
        message: context.message.clone().unwrap_or_default(),
    })
}

/// The phases to scale, but none too narrow to be seen.
fn bars(build: &codebuild::Build, now: Timestamp) -> Vec<Bar> {
    let phases: Vec<&BuildPhase> = build
        .phases
        .iter()
        .flatten()
        .filter(|phase| !matches!(name(phase).as_str(), "SUBMITTED" | "COMPLETED"))
        .collect();
    let total: i64 = phases.iter().map(|phase| millis(phase, now)).sum::<i64>().max(1);
    let widths: Vec<i64> = phases
        .iter()
        .map(|phase| (millis(phase, now) * TRACK_WIDTH / total).max(BAR_WIDTH_MIN))
        .collect();
    let sum: i64 = widths.iter().sum::<i64>().max(1);
    let mut x = 0;
    phases
        .into_iter()
        .zip(widths)
        .map(|(phase, width)| {
            let width = width * TRACK_WIDTH / sum;
            let bar = Bar {
                name: name(phase),
                mark: match (name(phase).as_str(), phase_mark(phase)) {
                    ("QUEUED", Mark::Succeeded | Mark::InProgress) => Mark::Queued,
                    (_, mark) => mark,
                },
                x,
                width,
                duration: words::duration(millis(phase, now)),
            };
            x += width;
            bar
        })
        .collect()
}

fn facts(build: &codebuild::Build) -> Vec<Fact> {
    let fact = |name, text: String| Fact { name, text, link: None };
    let mut facts = Vec::new();
    let source = build.source.as_ref();
    facts.push(Fact {
        name: "Source",
        text: shown::place(source),
        link: shown::source_link(source),
    });
    if let Some(version) = build.resolved_source_version.clone().or(build.source_version.clone()) {
        facts.push(fact("Version", version));
    }
    for secondary in build.secondary_sources.iter().flatten() {
        facts.push(Fact {
            name: "Secondary source",
            text: format!(
                "{}: {}",
                secondary.source_identifier.as_deref().unwrap_or_default(),
                shown::place(Some(secondary))
            ),
            link: shown::source_link(Some(secondary)),
        });
    }
    if let Some(environment) = &build.environment {
        facts.push(fact("Image", environment.image.clone()));
        facts.push(fact("Compute type", environment.compute_type.as_str().to_owned()));
        if environment.privileged_mode.unwrap_or_default() {
            facts.push(fact("Privileged", "yes".to_owned()));
        }
    }
    if let Some(minutes) = build.timeout_in_minutes {
        facts.push(fact("Time limit", words::duration(i64::from(minutes) * 60_000)));
    }
    if let Some(cache) = &build.cache {
        let location = cache.location.as_deref().unwrap_or_default();
        facts.push(fact("Cache", format!("{} {location}", cache.r#type).trim().to_owned()));
    }
    facts
}

/// What was uploaded, with links to single objects.
fn artifacts(build: &codebuild::Build) -> Vec<Artifact> {
    let all = build.artifacts.iter().chain(build.secondary_artifacts.iter().flatten());
    all.filter_map(|artifact| {
        let location = artifact.location.as_deref()?.strip_prefix("arn:aws:s3:::")?;
        let (bucket, key) = location.split_once('/')?;
        let link = build.build_complete.unwrap_or_default().then(|| {
            let prefix: String = form_urlencoded::byte_serialize(key.as_bytes()).collect();
            format!("/console/objects/{bucket}?prefix={prefix}")
        });
        let name = match &artifact.artifact_identifier {
            Some(identifier) => format!("{identifier}: {key}"),
            None => key.to_owned(),
        };
        Some(Artifact { name, link })
    })
    .collect()
}

async fn stop(
    State(front): State<Arc<Front>>,
    Path((project, uuid)): Path<(String, String)>,
    Sent { visitor, .. }: Sent,
) -> Result<Response, NoPage> {
    let id = format!("{project}:{uuid}");
    front.codebuild.stop_build(&visitor.caller, StopBuildInput { id: id.clone() }).await?;
    Ok(see_other(&shown::build_path(&id)))
}

async fn retry(
    State(front): State<Arc<Front>>,
    Path((project, uuid)): Path<(String, String)>,
    Sent { visitor, .. }: Sent,
) -> Result<Response, NoPage> {
    let input =
        RetryBuildInput { id: Some(format!("{project}:{uuid}")), ..RetryBuildInput::default() };
    let started = front.codebuild.retry_build(&visitor.caller, input).await?;
    let id = started.build.and_then(|build| build.id).unwrap_or_default();
    Ok(see_other(&shown::build_path(&id)))
}
