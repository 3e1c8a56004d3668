//! `GET /-/builds/{id}/commands`: what is known of a build's commands and of what they used.
//!
//! A path of our own, for which AWS has nothing: no bucket can be called `-`. It is signed as a call
//! of CodeBuild is, and whoever may read the build may read it.

use super::Front;
use crate::{build_request::BuildRequest, driver::KeptCommand, fault::chain};
use agent_protocol::{BuildUsed, Timestamp, Used};
use axum::{
    Json,
    body::Body,
    extract::{Path, Request, State},
    response::{IntoResponse, Response},
};
use build_core::{Build, LogDigest};
use serde::Serialize;
use std::sync::Arc;
use store::logs::{LogError, LogStore, Token};
use tokio::task::spawn_blocking;
use uuid::Uuid;
use wire::ServiceError;

/// What is answered.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    build_id: String,
    build_complete: bool,
    /// None while the build has not come to its end by itself.
    used: Option<WholeView>,
    /// None while the log may grow, and for a build without one.
    log: Option<LogDigest>,
    commands: Vec<CommandView>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CommandView {
    phase_type: &'static str,
    /// `runtimes`, `commands` or `finally`.
    list: &'static str,
    /// The place in the list, from 0.
    index: u32,
    command: String,
    /// Whether `command` is the beginning only.
    is_cut: bool,
    start_time: f64,
    #[serde(flatten)]
    ended: Option<EndedView>,
    log: Option<LogView>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EndedView {
    end_time: f64,
    exit_status: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    signal: Option<i32>,
    processes_ended_for_memory: u64,
    used: UsedView,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UsedView {
    cpu_user_seconds: f64,
    cpu_system_seconds: f64,
    memory_peak_bytes: u64,
    disk_read_bytes: u64,
    disk_written_bytes: u64,
    network_received_bytes: u64,
    network_sent_bytes: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WholeView {
    processors_peak: f64,
    #[serde(flatten)]
    used: UsedView,
}

/// The arguments of GetLogEvents that begin with the line which shows the command.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogView {
    log_group_name: String,
    log_stream_name: String,
    next_token: String,
}

/// Answers the request.
pub(super) async fn commands(
    State(front): State<Arc<Front>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let service = &wire::codebuild::SERVICE;
    let request_id = Uuid::new_v4().to_string();
    let answer = async {
        let (caller, _) = front.admit(service, "BatchGetBuilds", &request_id, request).await?;
        let internal = |error: &dyn std::error::Error| {
            tracing::error!(request_id, error = %chain(error), "commands cannot be read");
            ServiceError::internal(&request_id)
        };
        let store = &front.codebuild.store;
        let stored = store.build(&caller.region, &id).await.map_err(|fault| internal(&fault))?;
        let stored = stored.ok_or_else(|| build_not_found(&id))?;
        let build: Build = serde_json::from_str(&stored.state).map_err(|error| internal(&error))?;
        let request: BuildRequest =
            serde_json::from_str(&stored.request).map_err(|error| internal(&error))?;
        let kept = store.commands(&caller.region, &id).await.map_err(|fault| internal(&fault))?;
        let kept: Vec<KeptCommand> = kept
            .iter()
            .map(|kept| serde_json::from_str(&kept.command))
            .collect::<Result<_, _>>()
            .map_err(|error| internal(&error))?;
        let logs = front.logs.store().clone();
        let shown = spawn_blocking(move || show(&logs, &request, &build, kept)).await;
        shown.map_err(|error| internal(&error))?.map_err(|fault| internal(&fault))
    };
    match answer.await {
        Ok(answer) => Json(answer).into_response(),
        Err(error) => wire::respond(service, &request_id, Err(error)).map(Body::from),
    }
}

fn build_not_found(id: &str) -> ServiceError {
    let message = format!("Build does not exist: {id}");
    ServiceError { status: 404, ..ServiceError::refusal("ResourceNotFoundException", message) }
}

fn show(
    logs: &LogStore,
    request: &BuildRequest,
    build: &Build,
    kept: Vec<KeptCommand>,
) -> Result<Answer, LogError> {
    let behind: Vec<u64> = kept.iter().map(|command| command.log_behind).collect();
    let places = match tokens(logs, request, &behind) {
        Ok(places) => places,
        // Somebody has deleted the log.
        Err(LogError::GroupMissing | LogError::StreamMissing) => Vec::new(),
        Err(error) => return Err(error),
    };
    let target = request.log_target();
    let mut places = places.into_iter();
    let commands = kept.into_iter().map(|command| {
        let log = target.as_ref().zip(places.next()).map(|(target, token)| LogView {
            log_group_name: target.group.clone(),
            log_stream_name: target.stream.clone(),
            next_token: token.to_string(),
        });
        command_view(command, log)
    });
    Ok(Answer {
        build_id: request.id.to_string(),
        build_complete: build.status().is_some(),
        used: build.used.as_ref().map(whole_view),
        log: build.log.clone(),
        commands: commands.collect(),
    })
}

fn tokens(logs: &LogStore, request: &BuildRequest, behind: &[u64]) -> Result<Vec<Token>, LogError> {
    let Some(target) = request.log_target() else { return Ok(Vec::new()) };
    let group = logs.group_id(&target.region, &target.group)?;
    logs.tokens_behind(logs.stream_id(group, &target.stream)?, behind)
}

fn command_view(command: KeptCommand, log: Option<LogView>) -> CommandView {
    let started = command.started;
    CommandView {
        phase_type: started.phase.as_str(),
        list: started.list.as_str(),
        index: started.index,
        is_cut: started.text_bytes > started.text.len() as u64,
        command: started.text,
        start_time: moment(command.started_at),
        ended: command.ended.map(|(at, ended)| EndedView {
            end_time: moment(at),
            exit_status: ended.exit_status,
            signal: ended.signal,
            processes_ended_for_memory: ended.memory_kills,
            used: used_view(&ended.used),
        }),
        log,
    }
}

fn whole_view(whole: &BuildUsed) -> WholeView {
    WholeView {
        processors_peak: f64::from(whole.processors_peak_millis) / 1_000.0,
        used: used_view(&whole.used),
    }
}

fn used_view(used: &Used) -> UsedView {
    UsedView {
        cpu_user_seconds: seconds(used.cpu_user_micros),
        cpu_system_seconds: seconds(used.cpu_system_micros),
        memory_peak_bytes: used.memory_peak_bytes,
        disk_read_bytes: used.disk_read_bytes,
        disk_written_bytes: used.disk_written_bytes,
        network_received_bytes: used.network_received_bytes,
        network_sent_bytes: used.network_sent_bytes,
    }
}

/// Seconds since 1970, as CodeBuild's documents have them, to the microsecond.
fn moment(at: Timestamp) -> f64 {
    seconds(at.micros())
}

fn seconds(micros: u64) -> f64 {
    micros as f64 / 1_000_000.0
}
