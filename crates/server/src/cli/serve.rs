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
    #[command(flatten)]
    data: DataArguments,
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
        tokio::select! {
            served = serving => served?,
            _ = terminate.recv() => tracing::info!("stopping; builds go on"),
            _ = interrupt.recv() => tracing::info!("stopping; builds go on"),
        }
        Ok(ExitCode::SUCCESS)
    }
}
