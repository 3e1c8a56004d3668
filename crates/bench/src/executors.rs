//! The same no-op build by each of the executors that a machine may have beside the sandbox.

use super::{
    WARMING_ROUNDS, builds,
    report::{Report, Times},
    service::Service,
};
use anyhow::{Context, Result};
use std::{
    path::Path,
    process::{Command, Stdio},
};

/// The executors, the sandbox to compare with.
const NAMES: [&str; 4] = ["sandbox", "runc", "crun", "runsc"];

/// Measures them in turn; those that are not installed are said not to be measured.
pub(crate) fn run(program: &Path, rounds: usize, report: &mut Report) -> Result<()> {
    for name in NAMES {
        let mut times = Times::default();
        if name == "sandbox" || is_installed(name) {
            measure(program, name, rounds, &mut times)?;
        }
        report.times(&format!("a no-op build by {name}, StartBuild to SUCCEEDED"), &times);
    }
    Ok(())
}

fn is_installed(name: &str) -> bool {
    let version = Command::new(name).arg("--version").stdout(Stdio::null()).status();
    version.is_ok_and(|status| status.success())
}

fn measure(program: &Path, name: &str, rounds: usize, times: &mut Times) -> Result<()> {
    let folder = tempfile::tempdir().context("a temporary folder")?;
    let configuration = format!("[executors]\ndefault = {name:?}\n");
    let service = Service::start(program, folder.path(), &configuration)?;
    let mut client = service.client()?;
    builds::make_projects(&mut client)?;
    for round in 0..WARMING_ROUNDS + rounds {
        let taken = builds::to_success(&service, &mut client, builds::NO_OP)?;
        if round >= WARMING_ROUNDS {
            times.0.push(taken);
        }
    }
    Ok(())
}
