//! `buildyard backup` and `buildyard restore`.

use super::DataArguments;
use crate::backup::{make, restore};
use anyhow::Context;
use std::{
    fs::{self, File},
    io::{self, BufReader, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

#[derive(clap::Args)]
pub(super) struct Backup {
    /// The file to write, or `-` for standard output.
    file: PathBuf,
    #[command(flatten)]
    data: DataArguments,
}

#[derive(clap::Args)]
pub(super) struct Restore {
    /// The file to read, or `-` for standard input.
    file: PathBuf,
    #[command(flatten)]
    data: DataArguments,
}

impl Backup {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let (_, data_dir) = self.data.read()?;
        let made = if self.file == Path::new("-") {
            make(&data_dir, io::stdout().lock())?
        } else {
            let folder = match self.file.parent() {
                Some(folder) if !folder.as_os_str().is_empty() => folder,
                _ => Path::new("."),
            };
            let place = || format!("failed to write {}", self.file.display());
            let mut new = tempfile::NamedTempFile::new_in(folder).with_context(place)?;
            let made = make(&data_dir, new.as_file_mut())?;
            new.as_file().sync_all().with_context(place)?;
            new.persist(&self.file).with_context(place)?;
            File::open(folder).and_then(|folder| folder.sync_all()).with_context(place)?;
            made
        };
        let mut err = io::stderr().lock();
        writeln!(err, "{} files, {} bytes", made.files, made.bytes)?;
        writeln!(err, "the key that secrets are sealed under is not among them: keep it apart")?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Restore {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let (_, data_dir) = self.data.read()?;
        if self.file == Path::new("-") {
            restore(io::stdin().lock(), &data_dir)?;
        } else {
            let file = File::open(&self.file);
            let file = file.with_context(|| format!("failed to read {}", self.file.display()))?;
            restore(BufReader::new(file), &data_dir)?;
        }
        let key = crate::vault::key_file_beside(&data_dir);
        if let Some(key) = key.filter(|key| fs::metadata(key).is_err()) {
            writeln!(
                io::stderr(),
                "put the key that secrets are sealed under to {}, or set secrets.key_file",
                key.display()
            )?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
