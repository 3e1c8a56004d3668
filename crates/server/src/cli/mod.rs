//! The command line.

mod backup;
mod build;
mod buildspec;
mod commands;
mod console;
mod credentials;
mod doctor;
mod image;
mod image_build;
mod progress;
mod serve;
mod terminal;

use crate::{
    config::{self, Config},
    identity::RootKeys,
};
use clap::{CommandFactory, Parser, Subcommand};
use std::{io::Write, path::PathBuf, process::ExitCode};

/// A build service that speaks AWS CodeBuild's language.
#[derive(Parser)]
#[command(name = "buildyard", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the service until it is told to stop.
    ///
    /// Prints "listening on http://…" when it takes requests. SIGTERM and Ctrl-C end the service and
    /// leave the builds running, unless --at-stop says otherwise: the next start goes on with them.
    Serve(serve::Serve),
    /// Runs a folder's buildspec right here, without a service.
    ///
    /// The source is not changed. Exit status: 0 when the build succeeded, 1 when it did not, 2 when
    /// it could not be started.
    Build(build::BuildHere),
    /// Looks at buildspecs without building anything.
    Buildspec(buildspec::BuildspecCommand),
    /// Prints the endpoint and the root user's keys as lines for a shell.
    ///
    /// Use it like this: eval "$(buildyard credentials)"
    Credentials(credentials::ShowCredentials),
    /// Shows a build's commands: when, how they ended, and what they used.
    ///
    /// Asks the service that runs on the data folder.
    Commands(commands::ShowCommands),
    /// Brings in images, shows them and takes them away.
    Image(image::ImageCommand),
    /// Looks at the data folder and the machine, and says what to do.
    ///
    /// Changes nothing, and may be asked while the service runs. Exit status: 0 when builds can run,
    /// 1 when something keeps them from it.
    Doctor(doctor::Doctor),
    /// Writes everything that is kept to a file, while the service serves.
    Backup(backup::Backup),
    /// Makes a data folder of a backup.
    ///
    /// The folder must not be there yet, or be empty. Builds that were under way are over in it.
    Restore(backup::Restore),
    /// Prints a completion script for a shell.
    #[command(visible_alias = "completions")]
    Completion {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// What every command that touches the service's data takes.
#[derive(clap::Args)]
struct DataArguments {
    /// The folder that holds everything the service keeps.
    ///
    /// Default: /var/lib/buildyard for root, ~/.local/share/buildyard for others.
    #[arg(long, value_name = "DIR", env = "BUILDYARD_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// The configuration file, in TOML.
    #[arg(long, value_name = "FILE", env = "BUILDYARD_CONFIG")]
    config: Option<PathBuf>,
}

impl DataArguments {
    /// Reads the configuration, and applies what the command line says.
    fn read(&self) -> anyhow::Result<(Config, PathBuf)> {
        let config = match &self.config {
            Some(file) => Config::read(file)?,
            None => Config::default(),
        };
        let data_dir = self
            .data_dir
            .clone()
            .or_else(|| config.data_dir.clone())
            .unwrap_or_else(config::default_data_dir);
        Ok((config, std::path::absolute(data_dir)?))
    }
}

/// Reads the arguments, does what they say, and gives the exit status.
pub fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == build::GUARD_VERB) {
        return or_two(build::guard_main(arguments));
    }
    let cli = Cli::parse();
    or_two(match cli.command {
        Command::Serve(serve) => serve.run(),
        Command::Build(build) => build.run(),
        Command::Buildspec(buildspec) => buildspec.run(),
        Command::Credentials(credentials) => credentials.run(),
        Command::Commands(commands) => commands.run(),
        Command::Image(image) => image.run(),
        Command::Doctor(doctor) => doctor.run(),
        Command::Backup(backup) => backup.run(),
        Command::Restore(restore) => restore.run(),
        Command::Completion { shell } => print_completion(shell),
    })
}

/// The exit status; what went wrong is said, and is two.
fn or_two(result: anyhow::Result<ExitCode>) -> ExitCode {
    result.unwrap_or_else(|error| {
        // Nobody is left to tell when standard error is closed.
        let _ = writeln!(std::io::stderr(), "buildyard: {error:#}");
        ExitCode::from(2)
    })
}

fn print_completion(shell: clap_complete::Shell) -> anyhow::Result<ExitCode> {
    // In memory first: whoever reads the script may stop early.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "buildyard", &mut script);
    match std::io::stdout().write_all(&script) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        Ok(()) | Err(_) => Ok(ExitCode::SUCCESS),
    }
}

/// The root keys that the environment gives; both or none.
fn root_keys_given() -> anyhow::Result<Option<RootKeys>> {
    let given = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    match (given("BUILDYARD_ROOT_ACCESS_KEY_ID"), given("BUILDYARD_ROOT_SECRET_ACCESS_KEY")) {
        (Some(access_key_id), Some(secret_access_key)) => {
            Ok(Some(RootKeys { access_key_id, secret_access_key }))
        }
        (None, None) => Ok(None),
        _ => anyhow::bail!(
            "BUILDYARD_ROOT_ACCESS_KEY_ID and BUILDYARD_ROOT_SECRET_ACCESS_KEY belong together: \
             set both or none"
        ),
    }
}

/// Sends what happens to standard error, at the level that `BUILDYARD_LOG` asks for.
fn log_to_stderr(default: &str) {
    let filter = tracing_subscriber::EnvFilter::try_from_env("BUILDYARD_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(default));
    // A second call, as in tests, changes nothing.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false)
        .try_init();
}
