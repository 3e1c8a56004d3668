//! `buildyard build`: the service without a port, for one build.
//!
//! The same engine runs it: a data folder of its own, the driver, the sandbox, the agent, and the
//! object store, whose artifacts are copied out at the end. The source folder is the build's source
//! copy-on-write, so that nothing is copied and nothing of it changes.

use super::{log_to_stderr, terminal::Terminal};
use crate::{
    app::{self, App},
    build_request::BuildRequest,
    clock,
    config::Config,
    driver::{Observed, Submission},
};
use anyhow::Context;
use build_core::{Build, BuildId, BuildStatus, ProjectName, limits};
use std::{
    collections::BTreeMap,
    fs,
    path::{Component, Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};
use store::objects::{ListingItem, ListingQuery, NewBucket, Target};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};
use uuid::Uuid;
use wire::codebuild::{
    ArtifactsType, CacheType, ComputeType, EnvironmentType, EnvironmentVariable, Project,
    ProjectArtifacts, ProjectCache, ProjectEnvironment, ProjectSource, SourceType,
};

/// The bucket that the artifacts go through.
const BUCKET: &str = "artifacts";

#[derive(clap::Args)]
pub(super) struct BuildHere {
    /// The folder to build.
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
    /// The folder to build, for those who like to name it.
    #[arg(long, value_name = "DIR", conflicts_with = "folder")]
    source: Option<PathBuf>,
    /// The buildspec: a path below the folder, or the YAML itself.
    #[arg(long, value_name = "FILE")]
    buildspec: Option<String>,
    /// The image: "host", "rootfs:/path" or "oci:/path[:tag]".
    #[arg(long, value_name = "IMAGE", default_value = "host")]
    image: String,
    /// A variable of the build; may be given more than once.
    #[arg(long = "env", value_name = "NAME=VALUE", value_parser = variable)]
    variables: Vec<(String, String)>,
    /// The folder that the artifacts are copied to.
    #[arg(long, value_name = "DIR", default_value = "artifacts")]
    artifacts: PathBuf,
    /// The configuration file, in TOML.
    #[arg(long, value_name = "FILE", env = "BUILDYARD_CONFIG")]
    config: Option<PathBuf>,
}

fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("{text:?} is not NAME=VALUE")),
    }
}

impl BuildHere {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        log_to_stderr("error,s3s=off");
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(app::worker_threads())
            .enable_all()
            .build()?;
        runtime.block_on(self.build())
    }

    async fn build(self) -> anyhow::Result<ExitCode> {
        let config = match &self.config {
            Some(file) => Config::read(file)?,
            None => Config::default(),
        };
        let named = self.source.as_ref().unwrap_or(&self.folder);
        let folder = fs::canonicalize(named)
            .with_context(|| format!("failed to find the folder {}", named.display()))?;
        anyhow::ensure!(folder.is_dir(), "{} is not a folder", folder.display());
        let request = Arc::new(self.request(&config, &folder));
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let (observer, observed) = mpsc::unbounded_channel();
        let data = tempfile::Builder::new().prefix("buildyard-").tempdir()?;
        let app = App::open(config, data.path(), None, Some(observer)).await?;
        let bucket = NewBucket {
            name: BUCKET.into(),
            region: request.region.clone(),
            settings: BTreeMap::new(),
        };
        app.objects.create_bucket(bucket).await?;
        let submission =
            Submission { request: Arc::clone(&request), concurrent_max: None, with: Vec::new() };
        app.front.codebuild.driver.submit(submission).await?;
        let mut shown =
            Shown { app: &app, request: &request, observed, terminal: Terminal::new(clock::now()) };
        let build = loop {
            tokio::select! {
                build = shown.show_to_its_end() => break build?,
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            // Once is enough: the loop goes on until the build has stopped.
            app.front.codebuild.driver.stop(request.id().clone()).await;
        };
        let mut terminal = shown.terminal;
        let status = build.status().context("the build has no end")?;
        let took = build.ended_at().unwrap_or_default().since(build.submitted.received_at);
        terminal.end(&build, status, took)?;
        for path in copy_out(&app, &self.artifacts).await? {
            terminal.artifact(&path)?;
        }
        Ok(ExitCode::from(u8::from(status != BuildStatus::Succeeded)))
    }

    fn request(&self, config: &Config, folder: &Path) -> BuildRequest {
        let name = project_name(folder);
        let variables = self.variables.iter().map(|(name, value)| EnvironmentVariable {
            name: name.clone(),
            value: value.clone(),
            r#type: None,
        });
        let project = Project {
            name: Some(name.as_str().to_owned()),
            source: Some(ProjectSource {
                r#type: SourceType::NoSource,
                location: Some(folder.display().to_string()),
                buildspec: self.buildspec.clone(),
                ..ProjectSource::default()
            }),
            artifacts: Some(ProjectArtifacts {
                r#type: ArtifactsType::S3,
                location: Some(BUCKET.into()),
                // The files themselves, at the root of the folder.
                name: Some("/".into()),
                ..ProjectArtifacts::default()
            }),
            cache: Some(ProjectCache { r#type: CacheType::NoCache, ..ProjectCache::default() }),
            environment: Some(ProjectEnvironment {
                r#type: EnvironmentType::LinuxContainer,
                image: self.image.clone(),
                compute_type: ComputeType::BuildGeneral12xlarge,
                environment_variables: Some(variables.collect()),
                ..ProjectEnvironment::default()
            }),
            ..Project::default()
        };
        BuildRequest {
            account_id: config.account_id.as_str().to_owned(),
            region: config.region().to_owned(),
            id: BuildId::new(name, Uuid::new_v4().to_string()).expect("a fresh UUID is one"),
            initiator: std::env::var("USER").unwrap_or_else(|_| "local".into()),
            project,
            source_version: None,
            source_commit: None,
            timeout_minutes: limits::TIMEOUT_MINUTES_DEFAULT,
            queued_timeout_minutes: limits::QUEUED_TIMEOUT_MINUTES_DEFAULT,
            debug_session: false,
            cache_invalidated_at: None,
            local_source: Some(folder.to_path_buf()),
        }
    }
}

/// The folder's name, as near as a project's name can be.
fn project_name(folder: &Path) -> ProjectName {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
    let name: String = name.chars().map(plain).take(150).collect();
    ProjectName::new(name.trim_start_matches(['-', '_']))
        .unwrap_or_else(|| ProjectName::new("local").expect("it is a project's name"))
}

/// A build as it is being shown.
struct Shown<'a> {
    app: &'a App,
    request: &'a BuildRequest,
    observed: mpsc::UnboundedReceiver<Observed>,
    terminal: Terminal,
}

impl Shown<'_> {
    /// Shows the build until it has ended. May be dropped and called again.
    async fn show_to_its_end(&mut self) -> anyhow::Result<Build> {
        let mut changed = self.app.front.grounds.changed.subscribe();
        loop {
            let build = self.state().await?;
            if build.status().is_some() {
                while let Ok(observed) = self.observed.try_recv() {
                    self.terminal.show(&observed)?;
                }
                return Ok(build);
            }
            loop {
                tokio::select! {
                    changed = changed.changed() => break changed?,
                    Some(observed) = self.observed.recv() => self.terminal.show(&observed)?,
                }
            }
        }
    }

    async fn state(&self) -> anyhow::Result<Build> {
        let id = self.request.id().to_string();
        let stored = self.app.store.build(&self.request.region, &id).await?;
        let stored = stored.context("the build is gone")?;
        Ok(serde_json::from_str(&stored.state)?)
    }
}

/// Copies the artifacts into a folder, and says which files there are.
async fn copy_out(app: &App, folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let (mut paths, mut after) = (Vec::new(), None);
    loop {
        let query = ListingQuery { prefix: String::new(), delimiter: None, limit: 1_000 };
        let listing = app.objects.list(BUCKET, query, after).await?;
        for item in &listing.items {
            let ListingItem::Entry(listed) = item else { continue };
            // A build may put what it likes into its bucket: nothing leaves the folder.
            let Some(path) = below(folder, &listed.key) else { continue };
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            let file = fs::File::create(&path)
                .with_context(|| format!("failed to write {}", path.display()))?;
            app.objects.copy_to(Target::newest(BUCKET, listed.key.clone()), file).await?;
            paths.push(path);
        }
        let last = listing.items.last().and_then(|item| match item {
            ListingItem::Entry(listed) => Some(store::objects::After::Key(listed.key.clone())),
            _ => None,
        });
        match last.filter(|_| listing.is_truncated) {
            Some(last) => after = Some(last),
            None => return Ok(paths),
        }
    }
}

/// The path of a key below a folder; none for a key that would lead out of it.
fn below(folder: &Path, key: &str) -> Option<PathBuf> {
    let relative = Path::new(key);
    let plain = relative.components().all(|part| matches!(part, Component::Normal(_)));
    (plain && !key.is_empty()).then(|| folder.join(relative))
}

#[cfg(test)]
mod tests {
    use super::{below, project_name};
    use std::path::Path;

    #[test]
    fn artifacts_stay_in_their_folder() {
        let folder = Path::new("/out");
        assert_eq!(below(folder, "a/b.jar").as_deref(), Some(Path::new("/out/a/b.jar")));
        for key in ["../x", "/etc/passwd", "a/../../x", ""] {
            assert_eq!(below(folder, key), None, "{key}");
        }
    }

    #[test]
    fn any_folder_has_a_project_name() {
        for (folder, name) in [("/x/maven-jar", "maven-jar"), ("/x/.é bc", "bc"), ("/", "local")] {
            assert!(project_name(Path::new(folder)).as_str().ends_with(name), "{folder}");
        }
    }
}
