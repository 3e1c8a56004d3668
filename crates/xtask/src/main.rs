//! The project's automation: `cargo xtask <task>`.
//!
//! Reads the repository and writes generated sources; links none of the product.

mod bench;
mod codegen;
mod model;
mod ordered;
mod strip;
mod tidy;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The project's automation.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Reduces botocore's service models to names, types and constraints, into `models/`.
    StripModel {
        /// The `data` folder of an installed botocore.
        #[arg(long)]
        botocore: PathBuf,
    },
    /// Writes the `wire` crate's generated sources from `models/`.
    Codegen {
        /// Writes nothing, and fails when a generated file is not what the models give.
        #[arg(long)]
        check: bool,
    },
    /// Checks what STYLE.md says and the compiler does not, and prints every finding.
    Tidy,
    /// Builds the release program, measures how fast and how small it is, and prints the results.
    Bench {
        /// What `bench` itself takes, such as `--rounds 50` or `--measure builds`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

fn main() -> Result<ExitCode> {
    let root = root()?;
    match Cli::parse().task {
        Task::StripModel { botocore } => strip::run(&root, &botocore)?,
        Task::Codegen { check: false } => codegen::run(&root, codegen::Mode::Write)?,
        Task::Codegen { check: true } => codegen::run(&root, codegen::Mode::Check)?,
        Task::Tidy => return tidy::run(&root),
        Task::Bench { arguments } => return bench::run(&root, &arguments),
    }
    Ok(ExitCode::SUCCESS)
}

/// The repository's root folder.
fn root() -> Result<PathBuf> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = manifest.ancestors().nth(2).context("xtask is not two folders below the root")?;
    Ok(root.to_path_buf())
}
