//! How fast and how small the service is, measured from outside: a program serves on a loopback port
//! with a temporary data folder, and a plain HTTP client drives it.
//!
//! `cargo xtask bench` builds the release program and runs this, which prints a line for each
//! measure. Beside the builds, in turn with them, run `runc run` of the same root file system and a
//! bare container of our own executor. The numbers mean something on an idle machine only; the
//! ratios mean something on any.

mod alongside;
mod builds;
mod bundles;
mod client;
mod executors;
mod memory;
mod report;
mod service;

use alongside::{Bare, Process, Runc};
use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};
use client::Client;
use report::{Report, Times};
use service::Service;
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// Measures how fast and how small the service is.
#[derive(Parser)]
struct Cli {
    /// What to measure; everything but `bundles` when absent.
    what: Option<What>,
    /// The program to measure.
    #[arg(long, value_name = "FILE")]
    program: PathBuf,
    /// How often everything is measured once, in turn; 200, 50 of `executors` and 5 of `bundles` when absent.
    #[arg(long)]
    rounds: Option<usize>,
    /// MiB of the files that `bundles` measures with.
    #[arg(long, default_value_t = 1_000)]
    mib: u64,
    /// How often many builds are started at once.
    #[arg(long, default_value_t = 5)]
    crowds: usize,
}

/// What is measured by itself.
#[derive(Clone, Copy, ValueEnum)]
enum What {
    /// Sources, artifacts and caches, against the ordinary tools.
    Bundles,
    /// A no-op build by each executor.
    Executors,
}

/// How many of the first rounds do not count: caches are cold, log groups are made.
const WARMING_ROUNDS: usize = 10;
/// How many builds are started at once.
const CROWD: usize = 200;

fn main() -> Result<()> {
    let mut cli = Cli::parse();
    cli.program = cli.program.canonicalize().context("the program to measure")?;
    let mut report = Report;
    report.machine();
    match cli.what {
        Some(What::Bundles) => {
            return bundles::run(&cli.program, cli.rounds.unwrap_or(5), cli.mib, &mut report);
        }
        Some(What::Executors) => {
            return executors::run(&cli.program, cli.rounds.unwrap_or(50), &mut report);
        }
        None => {}
    }
    one_by_one(&cli, &mut report)?;
    memory::running(&cli.program, &mut report)?;
    executors::run(&cli.program, cli.rounds.unwrap_or(50), &mut report)?;
    let size = std::fs::metadata(&cli.program).context("the program's size")?.len();
    report.size("the program on disk", size);
    Ok(())
}

fn one_by_one(cli: &Cli, report: &mut Report) -> Result<()> {
    let folder = tempfile::tempdir().context("a temporary folder")?;
    let service = Service::start(&cli.program, folder.path(), "")?;
    report.size("memory of the service, just started", service.memory()?);
    let mut client = service.client()?;
    builds::make_projects(&mut client)?;
    in_turn(cli, &service, &mut client, folder.path(), report)?;
    let crowds: Vec<Duration> =
        (0..cli.crowds).map(|_| builds::crowd(&service, CROWD)).collect::<Result<_>>()?;
    report.rate(&format!("{CROWD} no-op builds at once"), CROWD, &crowds);
    report.size("memory of the service, idle after them", service.memory()?);
    Ok(())
}

/// Everything that takes a while, one after the other, again and again: what else happens on the
/// machine then happens to all alike.
fn in_turn(
    cli: &Cli,
    service: &Service,
    client: &mut Client,
    folder: &Path,
    report: &mut Report,
) -> Result<()> {
    let runc = Runc::prepare(folder)?;
    let bare = Bare::prepare(&cli.program, folder)?;
    let mut times: [Times; 5] = std::array::from_fn(|_| Times::default());
    for round in 0..WARMING_ROUNDS + cli.rounds.unwrap_or(200) {
        let taken = [
            Some(builds::to_first_output(service, client)?),
            Some(builds::to_success(service, client, builds::NO_OP)?),
            Some(bare.run(round)?),
            runc.as_ref().map(|runc| runc.run(round, Process::True)).transpose()?,
            runc.as_ref().map(|runc| runc.run(round, Process::Shell)).transpose()?,
        ];
        if round >= WARMING_ROUNDS {
            for (times, taken) in times.iter_mut().zip(taken) {
                times.0.extend(taken);
            }
        }
    }
    let [first_output, no_op, bare, runc_true, runc_shell] = times;
    report.times("StartBuild to the first output in GetLogEvents", &first_output);
    report.times("a no-op build, StartBuild to SUCCEEDED", &no_op);
    report.times("bare: namespaces, overlay, exec, removal", &bare);
    report.times("runc run of /bin/true, same root file system", &runc_true);
    report.times("runc run of sh -c :, same root file system", &runc_shell);
    report.ratio("no-op build / runc run of /bin/true", &no_op, &runc_true);
    report.ratio("no-op build / runc run of sh -c :", &no_op, &runc_shell);
    report.ratio("no-op build / bare", &no_op, &bare);
    report.ratio("first output / bare", &first_output, &bare);
    Ok(())
}
