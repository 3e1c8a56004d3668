//! `buildyard serve`.

use super::{DataArguments, log_to_stderr, root_keys_given};
use crate::{app::App, config::LISTEN_DEFAULT};
use anyhow::Context;
use std::{io::Write, net::SocketAddr, process::ExitCode};
use tokio::signal::unix::{SignalKind, signal};

#[derive(clap::Args)]
pub(super) struct Serve {
    /// The address to listen on. Port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", env = "BUILDYARD_LISTEN")]
    listen: Option<SocketAddr>,
    /// What SIGTERM and Ctrl-C do to builds that run. A second one always leaves them.
    #[arg(
        long,
        value_enum,
        value_name = "WHAT",
        default_value = "leave",
        env = "BUILDYARD_AT_STOP"
    )]
    at_stop: AtStop,
    #[command(flatten)]
    data: DataArguments,
}

/// What becomes of builds that run when the service is told to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum AtStop {
    /// They go on, and the next start takes them up again.
    Leave,
    /// The service starts no more builds, and ends when those that run have ended.
    Wait,
    /// They are stopped, and the service ends when they have ended.
    Stop,
}

impl Serve {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        log_to_stderr("info,s3s=off");
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(crate::app::worker_threads())
            .enable_all()
            .build()?;
        runtime.block_on(self.serve())
    }

    async fn serve(self) -> anyhow::Result<ExitCode> {
        let (config, data_dir) = self.data.read()?;
        let listen = self
            .listen
            .or(config.listen)
            .unwrap_or_else(|| LISTEN_DEFAULT.parse().expect("the default is an address"));
        // Signals are caught before anything is started that would have to be ended.
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let app = App::open(config, &data_dir, root_keys_given()?, None).await?;
        let listener = tokio::net::TcpListener::bind(listen)
            .await
            .with_context(|| format!("failed to listen on {listen}"))?;
        let address = listener.local_addr()?;
        app.note_address(address)?;
        let serving = app.serve(listener);
        writeln!(std::io::stdout(), "listening on http://{address}")?;
        std::io::stdout().flush()?;
        tokio::pin!(serving);
        tokio::select! {
            served = &mut serving => served?,
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        // Those that run ask the service for one thing or another: it answers until they have ended.
        tokio::select! {
            ended = end_builds(&app, self.at_stop) => ended?,
            served = serving => served?,
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        app.leave().await;
        tracing::info!("stopping; what runs goes on");
        Ok(ExitCode::SUCCESS)
    }
}

/// Waits for the builds that run, or stops them; those that wait are left for the next start.
async fn end_builds(app: &App, at_stop: AtStop) -> anyhow::Result<()> {
    let driver = &app.front.codebuild.driver;
    let mut changed = app.front.grounds.changed.subscribe();
    let running = match at_stop {
        AtStop::Leave => return Ok(()),
        AtStop::Wait | AtStop::Stop => driver.drain().await,
    };
    tracing::info!(builds = running.len(), "no more builds are started; those that run end first");
    if at_stop == AtStop::Stop {
        for id in running {
            driver.stop(id).await?;
        }
    }
    while driver.counts().await.running > 0 {
        changed.changed().await?;
    }
    Ok(())
}
