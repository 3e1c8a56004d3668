//! What more than one page shows: builds in a row, marks of how they ended.

use crate::{
    clock,
    console::words::{self, Moment},
    http::Front,
};
use std::{fmt, sync::Arc};
use wire::{
    Caller, ServiceError, Timestamp,
    codebuild::{self, BatchGetBuildsInput, CodeBuild, SourceType, StatusType},
};

/// What a page's link has of a name.
pub(super) fn escaped(name: &str) -> String {
    percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// Now, to the millisecond.
pub(super) fn now() -> Timestamp {
    Timestamp::from_millis(i64::try_from(clock::now().millis()).unwrap_or(i64::MAX))
}

/// How something stands: a colour, a sign and a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// It did what it should.
    Succeeded,
    /// It did not.
    Failed,
    /// The service or the machine is at fault.
    Fault,
    /// Its time was over.
    TimedOut,
    /// Somebody stopped it.
    Stopped,
    /// It runs.
    InProgress,
    /// It waits.
    Queued,
}

impl Mark {
    /// The mark of a build or a phase; without a status it runs.
    pub(super) fn of(status: Option<&StatusType>) -> Self {
        match status {
            Some(StatusType::Succeeded) => Self::Succeeded,
            Some(StatusType::Failed) => Self::Failed,
            Some(StatusType::Fault) => Self::Fault,
            Some(StatusType::TimedOut) => Self::TimedOut,
            Some(StatusType::Stopped) => Self::Stopped,
            Some(StatusType::InProgress | StatusType::Unknown(_)) | None => Self::InProgress,
        }
    }

    /// The word of it, and the style's class.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Fault => "fault",
            Self::TimedOut => "timed-out",
            Self::Stopped => "stopped",
            Self::InProgress => "in-progress",
            Self::Queued => "queued",
        }
    }

    /// The word in a sentence: `Build 3 failed`.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Fault => "ended by a fault of the service",
            Self::TimedOut => "timed out",
            Self::Stopped => "was stopped",
            Self::InProgress => "is running",
            Self::Queued => "is waiting",
        }
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.class())
    }
}

/// A build in a row.
pub(super) struct BuildRow {
    pub(super) path: String,
    pub(super) project: String,
    pub(super) number: i64,
    pub(super) mark: Mark,
    pub(super) version: String,
    pub(super) initiator: String,
    pub(super) started: Moment,
    pub(super) duration: String,
    pub(super) duration_millis: i64,
}

impl BuildRow {
    pub(super) fn new(build: &codebuild::Build, now: Timestamp) -> Self {
        let start = build.start_time.unwrap_or(now);
        let duration_millis = build.end_time.unwrap_or(now).millis() - start.millis();
        Self {
            path: build_path(build.id.as_deref().unwrap_or_default()),
            project: build.project_name.clone().unwrap_or_default(),
            number: build.build_number.unwrap_or_default(),
            mark: mark(build),
            version: version(build),
            initiator: build.initiator.clone().unwrap_or_default(),
            started: words::moment(start, now),
            duration: words::duration(duration_millis),
            duration_millis,
        }
    }
}

/// How a build stands.
pub(super) fn mark(build: &codebuild::Build) -> Mark {
    let waits = matches!(build.current_phase.as_deref(), Some("SUBMITTED" | "QUEUED"));
    match Mark::of(build.build_status.as_ref()) {
        Mark::InProgress if waits => Mark::Queued,
        mark => mark,
    }
}

/// Where a build's page is.
pub(super) fn build_path(id: &str) -> String {
    format!("/console/builds/{}", id.replacen(':', "/", 1))
}

/// Where a project's page is.
pub(super) fn project_path(name: &str) -> String {
    format!("/console/projects/{name}")
}

/// Which version of its source a build has: the short form of a commit, or what was asked for.
pub(super) fn version(build: &codebuild::Build) -> String {
    let resolved = build.resolved_source_version.as_deref().filter(|version| is_commit(version));
    match (resolved, build.source_version.as_deref()) {
        (Some(commit), _) => commit[..8].to_owned(),
        (None, Some(asked)) => asked.to_owned(),
        (None, None) => String::new(),
    }
}

fn is_commit(text: &str) -> bool {
    text.len() >= 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Where a source is, in few words.
pub(super) fn place(source: Option<&codebuild::ProjectSource>) -> String {
    let Some(source) = source else { return String::new() };
    let location = source.location.as_deref().unwrap_or_default();
    match &source.r#type {
        SourceType::NoSource => "no source".to_owned(),
        SourceType::S3 => {
            format!("s3://{}", location.trim_start_matches("arn:aws:s3:::"))
        }
        _ => {
            let location = location.split_once("://").map_or(location, |(_, rest)| rest);
            location.trim_end_matches(".git").to_owned()
        }
    }
}

/// The link of a source that a browser can open.
pub(super) fn source_link(source: Option<&codebuild::ProjectSource>) -> Option<String> {
    let location = source?.location.as_deref()?;
    let is_web = location.starts_with("https://") || location.starts_with("http://");
    is_web.then(|| location.trim_end_matches(".git").to_owned())
}

/// The link of a commit, where its host is known to have pages for them.
pub(super) fn commit_link(
    source: Option<&codebuild::ProjectSource>,
    commit: Option<&str>,
) -> Option<String> {
    let commit = commit.filter(|commit| is_commit(commit))?;
    let page = match source?.r#type {
        SourceType::Github | SourceType::GithubEnterprise => "commit",
        SourceType::Gitlab | SourceType::GitlabSelfManaged => "-/commit",
        SourceType::Bitbucket => "commits",
        _ => return None,
    };
    source_link(source).map(|link| format!("{link}/{page}/{commit}"))
}

/// Builds by their ids, in that order.
pub(super) async fn builds(
    front: &Arc<Front>,
    caller: &Caller,
    ids: Vec<String>,
) -> Result<Vec<codebuild::Build>, ServiceError> {
    let mut found = Vec::with_capacity(ids.len());
    // AWS: a hundred at a time.
    for ids in ids.chunks(100) {
        let input = BatchGetBuildsInput { ids: ids.to_vec() };
        found.extend(
            front.codebuild.batch_get_builds(caller, input).await?.builds.into_iter().flatten(),
        );
    }
    Ok(found)
}
