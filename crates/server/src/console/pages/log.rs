//! A build's log: lines by their numbers, a search, the whole of it as a file, and what arrives.
//!
//! The browser has only the lines that are seen. It asks for others by their numbers, and is told
//! of new ones as they are written.

use super::{
    build::{self, Told},
    shown,
};
use crate::{
    console::{ansi, answer::NoPage, session::Visitor, words},
    fault::chain,
    http::Front,
};
use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{Path, Query, State},
    http::header::{CONTENT_DISPOSITION, CONTENT_TYPE},
    response::{
        IntoResponse, Response, Sse,
        sse::{Event, KeepAlive},
    },
    routing::get,
};
use futures::{Stream, StreamExt, stream};
use serde::{Deserialize, Serialize};
use std::{
    convert::Infallible,
    io,
    sync::Arc,
    time::{Duration, Instant},
};
use store::logs::{LogError, LogEvent, LogStore, StreamId, Subscription, TailFilter};
use tokio::{sync::watch, task::spawn_blocking, time::timeout};
use wire::codebuild;

/// Lines of one answer.
const LINES_MAX: usize = 500;
/// Lines that a search gives.
const FOUND_MAX: usize = 5_000;
/// Lines that are sent with the news that there are new ones.
const NEWS_LINES_MAX: u64 = 200;
/// News are not sent more often, so that a fast log does not fill the line with them.
const NEWS_EVERY: Duration = Duration::from_millis(40);
/// How a build stands is not told more often, until it ends.
const TOLD_EVERY: Duration = Duration::from_millis(150);
/// How often a page looks by itself whether its build has gone on.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Lines of a log that are read at a time for the file.
const FILE_LINES: usize = 5_000;

pub(super) fn routes() -> Router<Arc<Front>> {
    Router::new()
        .route("/console/builds/{project}/{uuid}/lines", get(lines))
        .route("/console/builds/{project}/{uuid}/find", get(find))
        .route("/console/builds/{project}/{uuid}/log.txt", get(file))
        .route("/console/builds/{project}/{uuid}/news", get(news))
}

/// A log that exists.
#[derive(Clone)]
pub(super) struct Log {
    pub(super) logs: LogStore,
    pub(super) id: StreamId,
}

impl Log {
    /// The log of a build, once it has one.
    pub(super) async fn of(
        front: &Front,
        visitor: &Visitor,
        build: &codebuild::Build,
    ) -> Option<Self> {
        let location = build.logs.as_ref()?;
        let (group, name) = (location.group_name.clone()?, location.stream_name.clone()?);
        let (logs, region) = (front.logs.store().clone(), visitor.caller.region.clone());
        let found = spawn_blocking(move || {
            let group = logs.group_id(&region, &group)?;
            let id = logs.stream_id(group, &name)?;
            Ok::<_, LogError>(Self { logs, id })
        });
        found.await.ok()?.ok()
    }

    /// Runs what reads files on a thread that may block.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&LogStore, StreamId) -> Result<T, LogError> + Send + 'static,
    ) -> Result<T, NoPage> {
        let (logs, id) = (self.logs.clone(), self.id);
        match spawn_blocking(move || read(&logs, id)).await {
            Ok(Ok(read)) => Ok(read),
            Ok(Err(LogError::GroupMissing | LogError::StreamMissing)) => Err(gone()),
            Ok(Err(error)) => {
                tracing::error!(error = %chain(&error), "a log cannot be read");
                Err(NoPage::missing("The log cannot be read. The service's own log says why."))
            }
            Err(_) => Err(gone()),
        }
    }

    fn subscribe(&self, stream_name: &str, group: &str, region: &str) -> Option<Subscription> {
        let group = self.logs.group_id(region, group).ok()?;
        let streams = vec![stream_name.to_owned()];
        let filter = TailFilter { groups: [group].into(), streams, ..TailFilter::default() };
        Some(self.logs.subscribe(filter))
    }
}

fn gone() -> NoPage {
    NoPage::missing("There is no log: nothing was written yet, or somebody has deleted it.")
}

/// A line as the page shows it.
#[derive(Serialize)]
pub(super) struct Line {
    /// What kind of line it is: a command, CodeBuild's own words, or output.
    kind: &'static str,
    html: String,
}

/// Lines of a log.
#[derive(Serialize)]
pub(super) struct Lines {
    first: u64,
    count: u64,
    lines: Vec<Line>,
}

fn shown_line(event: &LogEvent) -> Line {
    let message = event.message.trim_end_matches(['\n', '\r']);
    let Some(said) = container_words(message) else {
        return Line { kind: "", html: ansi::html(message) };
    };
    match said.strip_prefix("Running command ") {
        Some(command) => Line { kind: "command", html: ansi::html(command) },
        None => Line { kind: "meta", html: ansi::html(said) },
    }
}

/// What CodeBuild itself says in a line: the text behind `[Container] DATE TIME `.
fn container_words(message: &str) -> Option<&str> {
    let rest = message.strip_prefix("[Container] ")?;
    let (_date, rest) = rest.split_once(' ')?;
    rest.split_once(' ').map(|(_time, said)| said)
}

/// A page of a log, and how many lines it has.
pub(super) fn read_lines(
    logs: &LogStore,
    id: StreamId,
    first: u64,
    limit: usize,
) -> Result<Lines, LogError> {
    let lines = logs.lines(id, first, limit)?.iter().map(shown_line).collect();
    Ok(Lines { first, count: logs.line_count(id)?, lines })
}

#[derive(Deserialize)]
struct Place {
    #[serde(default)]
    first: u64,
    #[serde(default)]
    limit: usize,
}

async fn build_of(
    front: &Arc<Front>,
    visitor: &Visitor,
    (project, uuid): (String, String),
) -> Result<codebuild::Build, NoPage> {
    let ids = vec![format!("{project}:{uuid}")];
    let found = shown::builds(front, &visitor.caller, ids).await?;
    found.into_iter().next().ok_or_else(|| NoPage::missing("There is no such build."))
}

async fn lines(
    State(front): State<Arc<Front>>,
    visitor: Visitor,
    Path(id): Path<(String, String)>,
    Query(place): Query<Place>,
) -> Result<Response, NoPage> {
    let build = build_of(&front, &visitor, id).await?;
    let log = Log::of(&front, &visitor, &build).await.ok_or_else(gone)?;
    let limit = place.limit.clamp(1, LINES_MAX);
    let lines = log.read(move |logs, id| read_lines(logs, id, place.first, limit)).await?;
    Ok(Json(lines).into_response())
}

#[derive(Deserialize)]
struct Wanted {
    #[serde(default)]
    text: String,
}

#[derive(Serialize)]
struct Found {
    lines: Vec<u64>,
    is_all: bool,
}

async fn find(
    State(front): State<Arc<Front>>,
    visitor: Visitor,
    Path(id): Path<(String, String)>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, NoPage> {
    if wanted.text.is_empty() {
        return Ok(Json(Found { lines: Vec::new(), is_all: true }).into_response());
    }
    let build = build_of(&front, &visitor, id).await?;
    let log = Log::of(&front, &visitor, &build).await.ok_or_else(gone)?;
    let found = log.read(move |logs, id| logs.find_lines(id, &wanted.text, FOUND_MAX)).await?;
    Ok(Json(Found { lines: found.numbers, is_all: found.is_all }).into_response())
}

async fn file(
    State(front): State<Arc<Front>>,
    visitor: Visitor,
    Path(id): Path<(String, String)>,
) -> Result<Response, NoPage> {
    let name = format!("{}-{}.log", id.0, id.1);
    let build = build_of(&front, &visitor, id).await?;
    let log = Log::of(&front, &visitor, &build).await.ok_or_else(gone)?;
    let pieces = stream::try_unfold((log, 0_u64), |(log, first)| async move {
        let read = log.read(move |logs, id| logs.lines(id, first, FILE_LINES)).await;
        let events = read.map_err(|_| io::Error::other("the log cannot be read"))?;
        if events.is_empty() {
            return Ok::<_, io::Error>(None);
        }
        let count = events.len() as u64;
        let mut text = String::new();
        for event in events {
            text.push_str(&event.message);
            if !event.message.ends_with('\n') {
                text.push('\n');
            }
        }
        Ok(Some((Bytes::from(text), (log, first + count))))
    });
    let attachment = format!("attachment; filename=\"{name}\"");
    let kind = "text/plain; charset=utf-8".to_owned();
    let headers = [(CONTENT_TYPE, kind), (CONTENT_DISPOSITION, attachment)];
    Ok((headers, Body::from_stream(pieces)).into_response())
}

/// What is new: lines, and how the build stands.
struct Feed {
    front: Arc<Front>,
    visitor: Visitor,
    id: (String, String),
    log: Option<Log>,
    tail: Option<Subscription>,
    /// Changes when any build has.
    changed: watch::Receiver<u64>,
    /// Lines that the page knows of.
    known: u64,
    /// What the page was told last of how the build stands, and when.
    told: Option<(Told, Instant)>,
    ended: bool,
}

#[derive(Serialize)]
struct Standing {
    mark: &'static str,
    title: String,
    html: String,
    details: String,
    outline: String,
    ended: bool,
}

async fn news(
    State(front): State<Arc<Front>>,
    visitor: Visitor,
    Path(id): Path<(String, String)>,
    Query(place): Query<Place>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, NoPage> {
    build_of(&front, &visitor, id.clone()).await?;
    let known = place.first;
    let changed = front.grounds.changed.subscribe();
    let (log, tail, told) = (None, None, None);
    let feed = Feed { front, visitor, id, log, tail, changed, known, told, ended: false };
    let events = stream::unfold(feed, |mut feed| async move {
        let events = feed.next().await?;
        Some((stream::iter(events.into_iter().map(Ok)), feed))
    });
    Ok(Sse::new(events.flatten()).keep_alive(KeepAlive::default()))
}

impl Feed {
    /// Waits for news; none when there can be no more.
    async fn next(&mut self) -> Option<Vec<Event>> {
        loop {
            if self.ended {
                return None;
            }
            let build = build_of(&self.front, &self.visitor, self.id.clone()).await.ok()?;
            if self.log.is_none() {
                self.log = Log::of(&self.front, &self.visitor, &build).await;
                self.tail = self.log.as_ref().and_then(|log| {
                    let location = build.logs.as_ref()?;
                    let (group, name) =
                        (location.group_name.as_ref()?, location.stream_name.as_ref()?);
                    log.subscribe(name, group, &self.visitor.caller.region)
                });
            }
            let mut events = Vec::new();
            events.extend(self.lines().await);
            events.extend(self.standing(&build).await);
            if !events.is_empty() {
                return Some(events);
            }
            self.wait().await;
        }
    }

    async fn standing(&mut self, build: &codebuild::Build) -> Option<Event> {
        let ended = build.build_complete.unwrap_or_default();
        let soon = self.told.as_ref().is_some_and(|(_, at)| at.elapsed() < TOLD_EVERY);
        if soon && !ended {
            return None;
        }
        let told = build::told(&self.front, &self.visitor, build).await?;
        if self.told.as_ref().is_some_and(|(before, _)| *before == told) && !ended {
            return None;
        }
        self.told = Some((told.clone(), Instant::now()));
        let Told { standing: html, details, outline } = told;
        self.ended = ended;
        let (mark, number) = (shown::mark(build), build.build_number.unwrap_or_default());
        let project = build.project_name.as_deref().unwrap_or_default();
        let title = format!("Build {number} of {project} {} · Buildyard", mark.word());
        let mark = mark.class();
        let news = Standing { mark, title, html, details, outline, ended };
        Event::default().event("standing").json_data(news).ok()
    }

    async fn lines(&mut self) -> Option<Event> {
        let log = self.log.as_ref()?;
        let known = self.known;
        let lines = log
            .read(move |logs, id| {
                let count = logs.line_count(id)?;
                let first = known.max(count.saturating_sub(NEWS_LINES_MAX));
                if count > known {
                    read_lines(logs, id, first, LINES_MAX).map(Some)
                } else {
                    Ok(None)
                }
            })
            .await
            .ok()??;
        self.known = lines.first + lines.lines.len() as u64;
        Event::default().event("lines").json_data(lines).ok()
    }

    /// Waits until something may be new: a line, or a step of a build.
    async fn wait(&mut self) {
        let Self { tail, changed, .. } = self;
        let line = async {
            match tail {
                Some(tail) => drop(tail.next().await),
                None => std::future::pending().await,
            }
        };
        let news = async {
            tokio::select! { () = line => {}, _ = changed.changed() => {} }
        };
        // Without any, it is looked whether the page should know that time has passed.
        let _ = timeout(LOOK_EVERY, news).await;
        // What comes in the same moment is told together.
        tokio::time::sleep(NEWS_EVERY).await;
        while self.tail.as_mut().is_some_and(|tail| tail.try_next().is_some()) {}
    }
}

/// How many lines, in words.
pub(super) fn said(count: u64) -> String {
    match count {
        1 => "1 line".to_owned(),
        _ => format!("{} lines", words::count(count)),
    }
}

#[cfg(test)]
mod tests {
    use super::container_words;

    #[test]
    fn what_codebuild_says_itself_is_told_from_output() {
        let line = "[Container] 2026/11/26 21:59:58.077505 Running command echo a";
        assert_eq!(container_words(line), Some("Running command echo a"));
        for output in ["[Container] x", "", "[Other] 1 2 3", "Running command x"] {
            assert_eq!(container_words(output), None);
        }
    }
}
