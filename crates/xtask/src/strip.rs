//! `strip-model`: botocore's service models, reduced to what [`crate::model`] keeps.

use crate::model::Model;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const SERVICES: [&str; 5] = ["codebuild", "logs", "secretsmanager", "ssm", "sts"];

/// Writes `models/<service>.json` for every service from botocore's data folder.
pub(crate) fn run(root: &Path, data: &Path) -> Result<()> {
    for service in SERVICES {
        let source = newest(&data.join(service))?.join("service-2.json.gz");
        let model: Model = serde_json::from_slice(&unzip(&source)?)
            .with_context(|| format!("parsing {}", source.display()))?;
        let mut text = serde_json::to_string_pretty(&model)?;
        text.push('\n');
        let target = root.join("models").join(format!("{service}.json"));
        fs::write(&target, text).with_context(|| format!("writing {}", target.display()))?;
    }
    Ok(())
}

/// The folder of the latest API version; their names are dates.
fn newest(service: &Path) -> Result<PathBuf> {
    let entries =
        fs::read_dir(service).with_context(|| format!("reading {}", service.display()))?;
    let mut versions = entries.map(|e| Ok(e?.path())).collect::<Result<Vec<_>>>()?;
    versions.sort();
    versions.pop().with_context(|| format!("{} has no versions", service.display()))
}

fn unzip(file: &Path) -> Result<Vec<u8>> {
    let output = Command::new("gzip").arg("-dc").arg(file).output().context("running gzip")?;
    ensure!(output.status.success(), "gzip could not read {}", file.display());
    Ok(output.stdout)
}
