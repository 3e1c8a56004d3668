//! `buildyard build`: the service without a port, for one build.
//!
//! The same engine runs it: a data folder of its own, the driver, the sandbox, the agent, and the
//! object store, whose artifacts are copied out at the end. The source folder is the build's source
//! copy-on-write, so that nothing is copied and nothing of it changes.

mod artifacts;
mod cache;
mod request;
mod scratch;
mod secrets;

use super::{console::Keyboard, log_to_stderr, progress::Bar, terminal::Terminal};
use crate::{
    app::{self, App},
    build_request::BuildRequest,
    clock,
    config::{Config, default_data_dir},
    driver::{Observed, Submission},
    executors::ExecutorName,
};
use agent_protocol::AgentPhase;
use anyhow::Context;
use build_core::{Build, BuildId, BuildStatus};
use cache::Caches;
use request::{phase, secondary_source, variable};
use scratch::Scratch;
use secrets::KeptValues;
use std::{
    collections::BTreeMap,
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};
use store::objects::NewBucket;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

pub(super) use scratch::{GUARD_VERB, guard_main};

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
    /// A secondary source; may be given more than once.
    #[arg(long = "secondary-source", value_name = "ID=DIR", value_parser = secondary_source)]
    secondary_sources: Vec<(String, PathBuf)>,
    /// The buildspec: a path below the folder, or the YAML itself.
    #[arg(long, value_name = "FILE")]
    buildspec: Option<String>,
    /// The image: "host", "rootfs:/path", "oci:/path[:tag]", or a name that is pulled, such as
    /// "debian:12".
    #[arg(long, value_name = "IMAGE", default_value = "host")]
    image: String,
    /// What makes the environment: "sandbox", "runc", "crun", "runsc" or "docker".
    ///
    /// Default: the configuration's executors.default, which is "sandbox" unless it says otherwise.
    #[arg(long, value_name = "NAME")]
    executor: Option<ExecutorName>,
    /// A variable of the build; may be given more than once.
    #[arg(long = "env", value_name = "NAME=VALUE", value_parser = variable)]
    variables: Vec<(String, String)>,
    /// A file of variables, NAME=VALUE on each line; may be given more than once.
    ///
    /// Values are taken as they stand, quotes included. A NAME alone takes the value that it has
    /// here. Empty lines and lines that begin with # are skipped; --env wins over a file.
    #[arg(long = "env-file", value_name = "FILE")]
    variable_files: Vec<PathBuf>,
    /// A file of the secrets and parameters that the build may read.
    ///
    /// It is in TOML, with the tables [secrets] and [parameters] of names and texts.
    #[arg(long, value_name = "FILE")]
    secrets: Option<PathBuf>,
    /// The folder that keeps caches from build to build.
    ///
    /// Default: buildyard in the user's folder for caches, ~/.cache.
    #[arg(long, value_name = "DIR", conflicts_with = "no_cache")]
    cache: Option<PathBuf>,
    /// Begins without caches, and keeps none.
    #[arg(long)]
    no_cache: bool,
    /// The folder that the artifacts are copied to; secondary ones go to folders in it.
    #[arg(long, value_name = "DIR", default_value = "artifacts")]
    artifacts: PathBuf,
    /// The first phase whose commands run.
    #[arg(long, value_name = "PHASE", ignore_case = true, value_parser = phase(AgentPhase::Install))]
    from: Option<AgentPhase>,
    /// The last phase that runs.
    #[arg(long, value_name = "PHASE", ignore_case = true, value_parser = phase(AgentPhase::DownloadSource))]
    until: Option<AgentPhase>,
    /// Opens a shell in the environment where a command has failed; the build goes on when it ends.
    #[arg(long)]
    shell_on_failure: bool,
    /// The configuration file, in TOML.
    #[arg(long, value_name = "FILE", env = "BUILDYARD_CONFIG")]
    config: Option<PathBuf>,
}

/// What is known of a build before anything is made for it.
struct Prepared {
    config: Config,
    secrets: Option<KeptValues>,
    request: BuildRequest,
}

/// The configuration that a file gives to builds on the spot.
fn config(file: Option<&Path>) -> anyhow::Result<Config> {
    let mut config = match file {
        Some(file) => Config::read(file)?,
        None => Config::default(),
    };
    if config.images.folder.is_none() {
        // The machine's own, not one that goes with the build.
        let kept = config.data_dir.clone().unwrap_or_else(default_data_dir);
        config.images.folder = Some(kept.join("images"));
    }
    // Whoever starts a build here may have any, but there is no use for more than one.
    config.executors.allowed.clear();
    Ok(config)
}

impl BuildHere {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        log_to_stderr("error,s3s=off");
        let mut prepared = self.prepare()?;
        let caches = self.caches(&prepared.request)?;
        if let Some(caches) = &caches {
            prepared.config.caches.local_folder = Some(caches.folder.clone());
            prepared.request.project.cache = Some(request::local_cache());
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(app::worker_threads())
            .enable_all()
            .build()?;
        let scratch = Scratch::make(&prepared.config, self.config.as_deref());
        let scratch = runtime.block_on(scratch)?;
        let ended = runtime.block_on(self.build(prepared, &scratch.data()));
        // What is left of a build that could not be followed to its end goes when nobody can make
        // anything more for it, and before another build has its caches.
        drop(runtime);
        drop(scratch);
        drop(caches);
        ended
    }

    fn prepare(&self) -> anyhow::Result<Prepared> {
        let mut config = config(self.config.as_deref())?;
        if let Some(executor) = self.executor()? {
            config.executors.default = executor;
        }
        let secrets = self.secrets.as_deref().map(KeptValues::read).transpose()?;
        let request = self.request(&config)?;
        Ok(Prepared { config, secrets, request })
    }

    async fn build(self, prepared: Prepared, data_dir: &Path) -> anyhow::Result<ExitCode> {
        let Prepared { config, secrets, request } = prepared;
        let request = Arc::new(request);
        let keyboard = self.shell_on_failure.then(Keyboard::open).transpose()?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let (observer, observed) = mpsc::unbounded_channel();
        let app = App::open(config, data_dir, None, Some(observer)).await?;
        if let Some(secrets) = secrets {
            secrets.give(&app, &request).await?;
        }
        let bucket = NewBucket {
            name: BUCKET.into(),
            region: request.region.clone(),
            settings: BTreeMap::new(),
        };
        app.objects.create_bucket(bucket).await?;
        let submission =
            Submission { request: Arc::clone(&request), concurrent_max: None, with: Vec::new() };
        app.front.codebuild.driver.submit(submission).await?;
        let terminal = Terminal::new(clock::now());
        let (region, id) = (request.region.clone(), request.id().clone());
        let mut shown = Shown { app: &app, region, id, observed, terminal, bar: None, keyboard };
        let build = loop {
            tokio::select! {
                build = shown.show_to_its_end() => {
                    let build = build?;
                    let Some(next) = build.retried_as.clone() else { break build };
                    shown.terminal = shown.terminal.retry(&build, clock::now())?;
                    shown.id = next;
                    continue;
                }
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            // Once is enough: the loop goes on until the build has stopped.
            app.front.codebuild.driver.stop(shown.id.clone()).await?;
        };
        let mut terminal = shown.terminal;
        let status = build.status().context("the build has no end")?;
        let took = build.ended_at().unwrap_or_default().since(build.submitted.received_at);
        terminal.end(&build, status, took)?;
        for path in artifacts::copy_out(&app, &self.artifacts).await? {
            terminal.artifact(&path)?;
        }
        Ok(ExitCode::from(u8::from(status != BuildStatus::Succeeded)))
    }

    fn caches(&self, request: &BuildRequest) -> anyhow::Result<Option<Caches>> {
        let all = self.cache.clone().or_else(cache::default_folder);
        let (Some(all), Some(local), false) = (all, &request.local, self.no_cache) else {
            return Ok(None);
        };
        let caches = Caches::take(&std::path::absolute(all)?, &local.source)?;
        if caches.is_none() {
            let text = "buildyard: another build of this folder has its caches: none here";
            writeln!(std::io::stderr(), "{text}")?;
        }
        Ok(caches)
    }
}

/// A build as it is being shown.
struct Shown<'a> {
    app: &'a App,
    region: String,
    /// The build that is shown: a failed one may be followed by another.
    id: BuildId,
    observed: mpsc::UnboundedReceiver<Observed>,
    terminal: Terminal,
    /// How far it is with the image, as long as it is pulled.
    bar: Option<Bar>,
    /// For shells in the environment, where they are wanted.
    keyboard: Option<Keyboard>,
}

impl Shown<'_> {
    /// Shows the build until it has ended. May be dropped and called again.
    async fn show_to_its_end(&mut self) -> anyhow::Result<Build> {
        let mut changed = self.app.front.grounds.changed.subscribe();
        loop {
            let build = self.state().await?;
            if build.status().is_some() {
                while let Ok(observed) = self.observed.try_recv() {
                    self.show(observed).await?;
                }
                self.bar = None;
                return Ok(build);
            }
            loop {
                tokio::select! {
                    changed = changed.changed() => break changed?,
                    Some(observed) = self.observed.recv() => self.show(observed).await?,
                }
            }
        }
    }

    async fn show(&mut self, observed: Observed) -> anyhow::Result<()> {
        match (observed, &mut self.keyboard) {
            (Observed::Shell(connection), Some(keyboard)) => {
                self.terminal.shell_opens()?;
                keyboard.use_shell(connection).await?;
                self.terminal.shell_has_ended()?;
            }
            (Observed::Pulling(pulling), _) => {
                self.bar = Some(Bar::show(&pulling.name, pulling.progress));
            }
            (observed, _) => {
                self.bar = None;
                self.terminal.show(&observed)?;
            }
        }
        Ok(())
    }

    async fn state(&self) -> anyhow::Result<Build> {
        let stored = self.app.store.build(&self.region, &self.id.to_string()).await?;
        let stored = stored.context("the build is gone")?;
        Ok(serde_json::from_str(&stored.state)?)
    }
}
