//! `buildyard credentials`.

use super::{DataArguments, root_keys_given};
use crate::{app, identity::Identity};
use anyhow::Context;
use std::{io::Write, process::ExitCode};

#[derive(clap::Args)]
pub(super) struct ShowCredentials {
    #[command(flatten)]
    data: DataArguments,
}

impl ShowCredentials {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let (config, data_dir) = self.data.read()?;
        anyhow::ensure!(
            data_dir.is_dir(),
            "there is no data folder at {}: start \"buildyard serve\" first, or name the folder \
             with --data-dir",
            data_dir.display()
        );
        let identity = Identity::open(&data_dir, root_keys_given()?)
            .with_context(|| format!("failed to read the keys in {}", data_dir.display()))?;
        let lines = [
            ("AWS_ENDPOINT_URL", app::noted_address(&data_dir, &config)),
            ("AWS_ACCESS_KEY_ID", identity.root().access_key_id.clone()),
            ("AWS_SECRET_ACCESS_KEY", identity.root().secret_access_key.clone()),
            ("AWS_DEFAULT_REGION", config.region().to_owned()),
        ];
        let mut out = std::io::stdout().lock();
        for (name, value) in lines {
            writeln!(out, "export {name}='{}'", value.replace('\'', r"'\''"))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
