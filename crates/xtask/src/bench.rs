//! Builds the release program, and the package that measures it, and runs that.

use anyhow::{Context, Result};
use std::path::Path;
use std::process::{Command, ExitCode};

/// Measures the program as it is released: each package is built by itself, so that the features
/// that one asks for do not change the other.
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<ExitCode> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let cargo = |words: &[&str]| -> Result<bool> {
        let mut command = Command::new(&cargo);
        command.current_dir(root).args(words);
        if words[0] == "run" {
            command.args(arguments);
        }
        Ok(command.status().context("cargo runs")?.success())
    };
    let built = cargo(&["build", "--release", "--quiet", "--locked", "--bin", "buildyard"])?;
    let program = ["--", "--program", "target/release/buildyard"];
    let words = [&["run", "--release", "--quiet", "--locked", "--package", "bench"][..], &program];
    Ok(ExitCode::from(u8::from(!(built && cargo(&words.concat())?))))
}
