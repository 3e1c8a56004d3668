//! Our state as AWS's `Build` document. The only such place.

use crate::build_request::BuildRequest;
use agent_protocol::{ArtifactUploaded, PhaseOutcome, Timestamp};
use build_core::{Build, Phase, PhaseRecord};
use wire::codebuild::{
    self, ArtifactsType, AutoRetryConfig, BuildArtifacts, BuildPhase, CloudWatchLogsConfig,
    DebugSession, ExportedEnvironmentVariable, LogsConfigStatusType, LogsLocation, PhaseContext,
    ProjectArtifacts, S3LogsConfig, StatusType,
};

/// Renders a build as CodeBuild gives it.
pub fn render(request: &BuildRequest, build: &Build) -> codebuild::Build {
    let project = &request.project;
    let status = build.status().map_or("IN_PROGRESS", |status| status.as_str());
    let minutes = |minutes: u32| i32::try_from(minutes).ok();
    codebuild::Build {
        id: Some(request.id.to_string()),
        arn: Some(request.arn()),
        build_number: i64::try_from(build.submitted.number).ok(),
        start_time: Some(moment(build.submitted.received_at)),
        end_time: build.ended_at().map(moment),
        current_phase: Some(build.current_phase().as_str().to_owned()),
        build_status: Some(StatusType::from(status)),
        source_version: request.source_version.clone(),
        resolved_source_version: build.resolved_source_version.clone(),
        project_name: Some(request.id.project().as_str().to_owned()),
        phases: Some(build.phases.iter().map(phase).collect()),
        source: project.source.clone(),
        secondary_sources: Some(project.secondary_sources.clone().unwrap_or_default()),
        secondary_source_versions: Some(
            project.secondary_source_versions.clone().unwrap_or_default(),
        ),
        artifacts: Some(primary_artifacts(request, build)),
        secondary_artifacts: Some(secondary_artifacts(request, build)),
        cache: project.cache.clone(),
        environment: project.environment.clone(),
        service_role: project.service_role.clone(),
        logs: Some(logs(request, build)),
        timeout_in_minutes: minutes(request.timeout_minutes),
        queued_timeout_in_minutes: minutes(request.queued_timeout_minutes),
        build_complete: Some(build.status().is_some()),
        initiator: Some(request.initiator.clone()),
        vpc_config: project.vpc_config.clone(),
        encryption_key: project.encryption_key.clone(),
        exported_environment_variables: exported(build),
        file_system_locations: project.file_system_locations.clone(),
        debug_session: request
            .debug_session
            .then_some(DebugSession { session_enabled: Some(true), session_target: None }),
        auto_retry_config: auto_retry(request, build),
        ..codebuild::Build::default()
    }
}

fn moment(at: Timestamp) -> wire::Timestamp {
    wire::Timestamp::from_millis(i64::try_from(at.millis()).unwrap_or(i64::MAX))
}

// AWS: a running phase, and COMPLETED for ever, has a type and a start and nothing else.
fn phase(record: &PhaseRecord) -> BuildPhase {
    let mut phase = BuildPhase {
        phase_type: Some(record.phase.as_str().into()),
        start_time: Some(moment(record.started_at)),
        ..BuildPhase::default()
    };
    if let Some((ended_at, outcome)) = &record.ended {
        phase.phase_status = Some(outcome.status.as_str().into());
        phase.end_time = Some(moment(*ended_at));
        // The seconds between the moments as they are shown, rounded down.
        let millis = ended_at.millis().saturating_sub(record.started_at.millis());
        phase.duration_in_seconds = i64::try_from(millis / 1_000).ok();
        phase.contexts = contexts(outcome);
    }
    phase
}

fn contexts(outcome: &PhaseOutcome) -> Option<Vec<PhaseContext>> {
    let shown = outcome.contexts.iter().map(|context| PhaseContext {
        status_code: Some(context.status_code.clone()),
        message: Some(context.message.clone()),
    });
    Some(shown.collect::<Vec<_>>()).filter(|contexts| !contexts.is_empty())
}

fn primary_artifacts(request: &BuildRequest, build: &Build) -> BuildArtifacts {
    let uploaded = build.artifacts.iter().find(|artifact| artifact.identifier.is_none());
    BuildArtifacts {
        artifact_identifier: None,
        ..artifacts(request, &request.artifacts(), uploaded)
    }
}

fn secondary_artifacts(request: &BuildRequest, build: &Build) -> Vec<BuildArtifacts> {
    let all = request.project.secondary_artifacts.iter().flatten();
    all.map(|order| {
        let is_this =
            |artifact: &&ArtifactUploaded| artifact.identifier == order.artifact_identifier;
        artifacts(request, order, build.artifacts.iter().find(is_this))
    })
    .collect()
}

fn artifacts(
    request: &BuildRequest,
    order: &ProjectArtifacts,
    uploaded: Option<&ArtifactUploaded>,
) -> BuildArtifacts {
    if order.r#type != ArtifactsType::S3 {
        return BuildArtifacts { location: Some(String::new()), ..BuildArtifacts::default() };
    }
    let (location, sha256sum, md5sum) = match uploaded {
        Some(uploaded) => (
            format!("arn:aws:s3:::{}/{}", uploaded.bucket, uploaded.key),
            uploaded.sha256.clone(),
            uploaded.md5.clone(),
        ),
        None => (expected_location(request, order), None, None),
    };
    BuildArtifacts {
        location: Some(location),
        sha256sum: Some(sha256sum.unwrap_or_default()),
        md5sum: Some(md5sum.unwrap_or_default()),
        override_artifact_name: Some(order.override_artifact_name.unwrap_or_default()),
        encryption_disabled: order.encryption_disabled,
        artifact_identifier: order.artifact_identifier.clone(),
        bucket_owner_access: order.bucket_owner_access.clone(),
    }
}

/// Where an artifact will be, as far as the project alone can say.
fn expected_location(request: &BuildRequest, order: &ProjectArtifacts) -> String {
    let location = order.location.as_deref().unwrap_or_default();
    let bucket = location.strip_prefix("arn:aws:s3:::").unwrap_or(location);
    let namespace = order.namespace_type.as_ref().map(|kind| kind.as_str());
    let uuid = (namespace == Some("BUILD_ID")).then(|| request.id.uuid());
    let parts = [order.path.as_deref(), uuid, order.name.as_deref()];
    let key: Vec<&str> = parts
        .into_iter()
        .flatten()
        .map(|part| part.trim_matches('/'))
        .filter(|part| !part.is_empty())
        .collect();
    format!("arn:aws:s3:::{bucket}/{}", key.join("/"))
}

/// Which of the builds that follow each other by themselves it is.
fn auto_retry(request: &BuildRequest, build: &Build) -> Option<AutoRetryConfig> {
    let retry = request.retry.as_ref();
    let is_one =
        request.project.auto_retry_limit.is_some() || retry.is_some() || build.retried_as.is_some();
    let number = build.submitted.auto_retry.number;
    let limit = build.auto_retry_limit().max(retry.map_or(0, |retry| retry.limit));
    is_one.then(|| AutoRetryConfig {
        auto_retry_limit: i32::try_from(limit).ok(),
        auto_retry_number: i32::try_from(number).ok(),
        previous_auto_retry: retry.map(|retry| request.arn_of(&retry.previous)),
        next_auto_retry: build.retried_as.as_ref().map(|id| request.arn_of(id)),
    })
}

fn exported(build: &Build) -> Option<Vec<ExportedEnvironmentVariable>> {
    let shown = build.exported_variables.iter().map(|(name, value)| ExportedEnvironmentVariable {
        name: Some(name.clone()),
        value: Some(value.clone()),
    });
    Some(shown.collect::<Vec<_>>()).filter(|variables| !variables.is_empty())
}

fn logs(request: &BuildRequest, build: &Build) -> LogsLocation {
    let configured = request.project.logs_config.clone().unwrap_or_default();
    let target = request.log_target();
    let region = &request.region;
    let shown = target
        .as_ref()
        .filter(|_| build.phases.iter().any(|record| record.phase == Phase::DownloadSource));
    let (group, stream) = match shown {
        Some(target) => (target.group.as_str(), target.stream.as_str()),
        // AWS: before the stream exists the names are the text "null"; clients test for it.
        None => ("null", "null"),
    };
    let deep_link = match shown {
        Some(_) => format!(
            "https://console.aws.amazon.com/cloudwatch/home?region={region}#logsV2:log-groups/log-group/{}/log-events/{}",
            group.replace('/', "$252F"),
            stream.replace('/', "$252F")
        ),
        None => format!(
            "https://console.aws.amazon.com/cloudwatch/home?region={region}#logEvent:group={group};stream={stream}"
        ),
    };
    let enabled = target.is_some();
    LogsLocation {
        group_name: shown.map(|target| target.group.clone()),
        stream_name: shown.map(|target| target.stream.clone()),
        deep_link: enabled.then_some(deep_link),
        cloud_watch_logs_arn: enabled.then(|| {
            format!(
                "arn:aws:logs:{region}:{}:log-group:{group}:log-stream:{stream}",
                request.account_id
            )
        }),
        cloud_watch_logs: Some(configured.cloud_watch_logs.unwrap_or(CloudWatchLogsConfig {
            status: LogsConfigStatusType::Enabled,
            ..CloudWatchLogsConfig::default()
        })),
        s3_logs: Some(configured.s3_logs.unwrap_or(S3LogsConfig {
            status: LogsConfigStatusType::Disabled,
            encryption_disabled: Some(false),
            ..S3LogsConfig::default()
        })),
        ..LogsLocation::default()
    }
}
