//! What was asked for when a build was started: settled, kept with the build, and never changed.

use crate::{executors::ExecutorName, sources};
use agent_protocol::{Course, Timestamp};
use build_core::{AutoRetry, Build, BuildId, queue::Share};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, path::PathBuf};
use wire::codebuild::{
    CacheMode, CacheType, ComputeType, LogsConfigStatusType, Project, ProjectArtifacts,
    ProjectEnvironment, ProjectSource,
};

/// A build's settings: its project's, with the caller's overrides applied.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BuildRequest {
    /// The account, twelve digits.
    pub account_id: String,
    /// The region.
    pub region: String,
    /// The build's id.
    pub id: BuildId,
    /// Who started it, as CodeBuild names them.
    pub initiator: String,
    /// The project as this build sees it.
    pub project: Project,
    /// The primary source's version that was asked for.
    pub source_version: Option<String>,
    /// The commit of the primary source, when it is known already: a retry's is the one that the
    /// first build had.
    #[serde(default)]
    pub source_commit: Option<String>,
    /// Minutes the build may run.
    pub timeout_minutes: u32,
    /// Minutes the build may wait.
    pub queued_timeout_minutes: u32,
    /// Whether the caller wants to look into the build while it runs.
    #[serde(default)]
    pub debug_session: bool,
    /// Which automatic retry it is; none for a build that somebody started.
    #[serde(default)]
    pub retry: Option<Retry>,
    /// When somebody last invalidated the project's cache: what is older counts no more.
    #[serde(default)]
    pub cache_invalidated_at: Option<Timestamp>,
    /// What makes its environment.
    #[serde(default)]
    pub executor: ExecutorName,
    /// What of this machine the build is made of, when no project describes it.
    pub local: Option<LocalRun>,
}

/// A build that its author runs on the spot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalRun {
    /// The folder that is the source.
    pub source: PathBuf,
    /// The folders that are the secondary sources, by their identifiers.
    pub secondary_sources: BTreeMap<String, PathBuf>,
    /// How much of the build runs.
    pub course: Course,
}

/// Which automatic retry a build is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// Its number, from 1.
    pub number: u32,
    /// How many there may be.
    pub limit: u32,
    /// The build that failed before it.
    pub previous: BuildId,
}

/// Where a build's output goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogTarget {
    /// The region.
    pub region: String,
    /// The log group's name.
    pub group: String,
    /// The log stream's name.
    pub stream: String,
}

/// What a compute type gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compute {
    /// Processors.
    pub processors: u32,
    /// Memory in GiB.
    pub memory_gib: u64,
    /// Disk in GiB.
    pub disk_gib: u64,
}

/// The sizes of the compute types. AWS: the same, per environment of Linux containers.
pub fn compute(compute_type: &ComputeType) -> Compute {
    let (processors, memory_gib, disk_gib) = match compute_type {
        ComputeType::BuildGeneral1Small => (2, 4, 64),
        ComputeType::BuildGeneral1Medium => (4, 8, 128),
        ComputeType::BuildGeneral1Large => (8, 16, 128),
        ComputeType::BuildGeneral1Xlarge => (36, 72, 256),
        ComputeType::BuildGeneral12xlarge => (72, 144, 824),
        ComputeType::BuildLambda1gb => (1, 1, 10),
        ComputeType::BuildLambda2gb => (1, 2, 10),
        ComputeType::BuildLambda4gb => (2, 4, 10),
        ComputeType::BuildLambda8gb => (4, 8, 10),
        ComputeType::BuildLambda10gb => (6, 10, 10),
        ComputeType::AttributeBasedCompute
        | ComputeType::CustomInstanceType
        | ComputeType::Unknown(_) => (2, 4, 64),
    };
    Compute { processors, memory_gib, disk_gib }
}

/// The compute types of the same kind, the smallest first.
pub fn compute_types_like(compute_type: &ComputeType) -> &'static [ComputeType] {
    const GENERAL: [ComputeType; 5] = [
        ComputeType::BuildGeneral1Small,
        ComputeType::BuildGeneral1Medium,
        ComputeType::BuildGeneral1Large,
        ComputeType::BuildGeneral1Xlarge,
        ComputeType::BuildGeneral12xlarge,
    ];
    const LAMBDA: [ComputeType; 5] = [
        ComputeType::BuildLambda1gb,
        ComputeType::BuildLambda2gb,
        ComputeType::BuildLambda4gb,
        ComputeType::BuildLambda8gb,
        ComputeType::BuildLambda10gb,
    ];
    if LAMBDA.contains(compute_type) { &LAMBDA } else { &GENERAL }
}

impl BuildRequest {
    /// The build's id.
    pub fn id(&self) -> &BuildId {
        &self.id
    }

    /// The same request under another id, for a retry of `build`, which has or had this one.
    pub fn again(&self, id: BuildId, build: &Build) -> Self {
        let mut request = Self { id, retry: None, ..self.clone() };
        if sources::is_git(&self.source().r#type) {
            let resolved = build.resolved_source_version.clone();
            request.source_commit = resolved.or(request.source_commit);
        }
        request
    }

    /// The request of the automatic retry that `build`, which has this one, is followed by.
    pub fn retried(&self, build: &Build) -> Option<Self> {
        let number = build.submitted.auto_retry.number + 1;
        let (limit, previous) = (build.auto_retry_limit(), self.id.clone());
        let retry = Some(Retry { number, limit, previous });
        Some(Self { retry, ..self.again(build.retried_as.clone()?, build) })
    }

    /// Whether and how often the build is started again by itself.
    pub fn auto_retry(&self) -> AutoRetry {
        let limit = self.project.auto_retry_limit.and_then(|limit| u32::try_from(limit).ok());
        AutoRetry {
            limit: limit.unwrap_or_default(),
            number: self.retry.as_ref().map_or(0, |retry| retry.number),
        }
    }

    /// The build's ARN.
    pub fn arn(&self) -> String {
        self.arn_of(&self.id)
    }

    /// The ARN of a build of the same account and region.
    pub fn arn_of(&self, id: &BuildId) -> String {
        format!("arn:aws:codebuild:{}:{}:build/{id}", self.region, self.account_id)
    }

    /// The ARN of the session that the build's credentials are.
    pub fn session_arn(&self) -> String {
        let role = self.project.service_role.as_deref().unwrap_or_default();
        let name = role.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or("codebuild");
        format!("arn:aws:sts::{}:assumed-role/{name}/{}", self.account_id, self.session_name())
    }

    /// The session's name. AWS: the same.
    pub fn session_name(&self) -> String {
        format!("AWSCodeBuild-{}", self.id.uuid())
    }

    /// The environment.
    pub fn environment(&self) -> ProjectEnvironment {
        self.project.environment.clone().unwrap_or_default()
    }

    /// What the local caches of the build's project go by: a project that was made again under its
    /// old name is another one. None for a build that has no use for them.
    pub fn local_cache_id(&self) -> Option<String> {
        let cache = self.project.cache.as_ref().filter(|cache| cache.r#type == CacheType::Local)?;
        let has_use = |mode: &CacheMode| match mode {
            CacheMode::LocalCustomCache | CacheMode::LocalSourceCache => true,
            // AWS: Docker runs in privileged mode alone.
            CacheMode::LocalDockerLayerCache => {
                self.environment().privileged_mode.unwrap_or_default()
            }
            CacheMode::Unknown(_) => false,
        };
        if !cache.modes.iter().flatten().any(has_use) {
            return None;
        }
        let created = self.project.created.map_or(0, wire::Timestamp::millis);
        let name = self.id.project();
        let text = format!("{}/{}/{name}/{created}", self.account_id, self.region);
        Some(hex::encode(Sha256::digest(text)))
    }

    /// The primary source.
    pub fn source(&self) -> ProjectSource {
        self.project.source.clone().unwrap_or_default()
    }

    /// The primary artifact.
    pub fn artifacts(&self) -> ProjectArtifacts {
        self.project.artifacts.clone().unwrap_or_default()
    }

    /// What the build takes of the machine.
    pub fn share(&self) -> Share {
        let size = compute(&self.environment().compute_type);
        Share { memory_bytes: size.memory_gib << 30 }
    }

    /// Where the output goes; nowhere when the project has turned CloudWatch Logs off.
    pub fn log_target(&self) -> Option<LogTarget> {
        let config =
            self.project.logs_config.as_ref().and_then(|logs| logs.cloud_watch_logs.as_ref());
        if config.is_some_and(|config| config.status == LogsConfigStatusType::Disabled) {
            return None;
        }
        let named = |name: Option<&String>| name.filter(|name| !name.is_empty()).cloned();
        let group = named(config.and_then(|config| config.group_name.as_ref()))
            .unwrap_or_else(|| format!("/aws/codebuild/{}", self.id.project()));
        let uuid = self.id.uuid();
        let stream = match named(config.and_then(|config| config.stream_name.as_ref())) {
            Some(prefix) => format!("{prefix}/{uuid}"),
            None => uuid.to_owned(),
        };
        Some(LogTarget { region: self.region.clone(), group, stream })
    }
}
