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
mod giving;
mod memory;
mod output;
mod pulls;
mod race;
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
    /// The program to measure.
    #[arg(long, value_name = "FILE")]
    program: PathBuf,
    /// How often everything is measured once, in turn; when absent, 200 times for builds one by one,
    /// 50 times for executors, 5 times for what takes seconds.
    #[arg(long)]
    rounds: Option<usize>,
    /// MiB of the files that `bundles` measures with.
    #[arg(long, default_value_t = 1_000)]
    mib: u64,
    /// How often many builds are started at once.
    #[arg(long, default_value_t = 5)]
    crowds: usize,
    /// What is measured; everything, unless some are named.
    #[arg(long, value_enum)]
    measure: Vec<Measure>,
    /// Races with others instead, and writes the results into a folder.
    #[arg(long)]
    race: bool,
    /// What is raced; everything, unless some are named.
    #[arg(long, value_enum)]
    row: Vec<race::Group>,
    /// How many clients call the API at once: as many as a busy team's pipelines are. What others
    /// than these measure belongs into a folder of its own.
    #[arg(long, default_value_t = 16)]
    clients: usize,
    /// Where peers are installed that are no packages of the machine.
    #[arg(long, value_name = "FOLDER", default_value = "target/peers")]
    peers: PathBuf,
    /// Where the race's results are kept.
    #[arg(long, value_name = "FOLDER", default_value = "bench")]
    results: PathBuf,
}

/// Something to measure.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Measure {
    /// How long builds take, one by one and many at once.
    Builds,
    /// Builds with many commands and with much output.
    Output,
    /// How much memory running builds take.
    Memory,
    /// Sources, artifacts and caches, against the ordinary tools.
    Bundles,
    /// A no-op build by each executor.
    Executors,
    /// An image pulled and unpacked, against `podman pull` and `skopeo copy`.
    Pulls,
}

/// How many of the first rounds do not count: caches are cold, log groups are made.
const WARMING_ROUNDS: usize = 10;
/// How many builds are started at once.
const CROWD: usize = 200;

fn main() -> Result<()> {
    let mut cli = Cli::parse();
    cli.program = cli.program.canonicalize().context("the program to measure")?;
    let mut report = Report;
    if cli.race {
        return race(cli);
    }
    report.machine();
    let wanted = |measure| cli.measure.is_empty() || cli.measure.contains(&measure);
    if wanted(Measure::Builds) {
        one_by_one(&cli, &mut report)?;
    }
    if wanted(Measure::Output) {
        output::measure(&cli.program, cli.rounds.unwrap_or(5), &mut report)?;
    }
    if wanted(Measure::Memory) {
        memory::running(&cli.program, &mut report)?;
    }
    if wanted(Measure::Bundles) {
        bundles::run(&cli.program, cli.rounds.unwrap_or(5), cli.mib, &mut report)?;
    }
    if wanted(Measure::Executors) {
        executors::run(&cli.program, cli.rounds.unwrap_or(50), &mut report)?;
    }
    if wanted(Measure::Pulls) {
        pulls::run(&cli.program, cli.rounds.unwrap_or(5), &mut report)?;
    }
    let size = std::fs::metadata(&cli.program).context("the program's size")?.len();
    report.size("the program on disk", size);
    Ok(())
}

fn race(cli: Cli) -> Result<()> {
    race::run(&race::Race {
        program: &cli.program,
        peers: std::path::absolute(cli.peers)?,
        results: cli.results,
        groups: cli.row,
        clients: cli.clients,
        machine: report::machine(),
    })
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
    report.times("StartBuild to the first output, as who follows the log sees it", &first_output);
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
