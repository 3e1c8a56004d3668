//! `buildyard image`: the images of this machine, brought in, looked at and taken away without a
//! service; one that runs on the data folder finds them at once.

use super::{DataArguments, image_build::BuildImage, log_to_stderr, progress::Bar};
use crate::{
    clock,
    config::Config,
    fault,
    images::{ImageName, Names},
};
use anyhow::Context;
use executor::{
    Arrival, Asked, Collected, Engine, Images, ImportFrom, LaunchError, ListedImage, Origin,
    Progress, Reference,
};
use std::{io::Write, path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(clap::Args)]
pub(super) struct ImageCommand {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    /// Pulls an image from a registry.
    ///
    /// What is there is not fetched again, nor what a pull has brought in that was cut off.
    Pull(Pull),
    /// Imports images from an archive, a folder in OCI layout, or the store of Docker or Podman.
    Import(Import),
    /// Makes an image of Debian's packages, by a recipe.
    ///
    /// The recipes `base` and `standard` come with the program; docs/images.md says how to write one.
    /// It is then there as buildyard/RECIPE. Needs the program mmdebstrap.
    Build(BuildImage),
    /// Lists the images.
    #[command(visible_alias = "ls")]
    List(List),
    /// Shows an image and its configuration, in JSON.
    Inspect(Inspect),
    /// Removes images, with those of their layers that nothing else needs.
    #[command(visible_alias = "remove")]
    Rm(Remove),
    /// Removes what no image and no build needs.
    Prune(Prune),
}

#[derive(clap::Args)]
struct Pull {
    /// The image's name, such as debian:12 or registry.example.org/tool:1.
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    data: DataArguments,
}

#[derive(clap::Args)]
struct Import {
    /// A file or a folder, docker:NAME, podman:NAME, or - for standard input.
    ///
    /// Files are what `docker save`, `podman save` and `skopeo copy` write, packed by gzip or zstd
    /// or as they are.
    #[arg(value_name = "FROM")]
    from: String,
    /// What the image is called here. Default: the names that it has there.
    #[arg(long, value_name = "NAME")]
    name: Option<Reference>,
    #[command(flatten)]
    data: DataArguments,
}

#[derive(clap::Args)]
struct List {
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    data: DataArguments,
}

#[derive(clap::Args)]
struct Inspect {
    /// The image's name.
    #[arg(value_name = "NAME")]
    name: Reference,
    #[command(flatten)]
    data: DataArguments,
}

#[derive(clap::Args)]
struct Remove {
    /// The images' names.
    #[arg(value_name = "NAME", required = true)]
    names: Vec<Reference>,
    #[command(flatten)]
    data: DataArguments,
}

#[derive(clap::Args)]
struct Prune {
    /// Removes images, too, that no build has used for so many days.
    #[arg(long, value_name = "DAYS")]
    unused_days: Option<u32>,
    #[command(flatten)]
    data: DataArguments,
}

impl ImageCommand {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        log_to_stderr("warn");
        match &self.verb {
            Verb::Pull(pull) => pull.run(),
            Verb::Import(import) => import.run(),
            Verb::Build(build) => build.run(),
            Verb::List(list) => list.run(),
            Verb::Inspect(inspect) => inspect.run(),
            Verb::Rm(remove) => remove.run(),
            Verb::Prune(prune) => prune.run(),
        }
    }
}

/// The images that a service on the data folder has, or would have.
pub(super) fn images(data: &DataArguments) -> anyhow::Result<Images> {
    let (config, data_dir) = data.read()?;
    Ok(Images::open(config.images.config(&data_dir, &config.builds))?)
}

pub(super) fn say(text: &str) -> anyhow::Result<ExitCode> {
    writeln!(std::io::stdout(), "{text}")?;
    Ok(ExitCode::SUCCESS)
}

/// An image that cannot be had is told, and is no fault.
pub(super) fn or_refused<T>(had: Result<T, LaunchError>) -> anyhow::Result<Result<T, ExitCode>> {
    match had {
        Ok(had) => Ok(Ok(had)),
        Err(LaunchError::Image(why)) => {
            writeln!(std::io::stderr(), "buildyard: {why}")?;
            Ok(Err(ExitCode::FAILURE))
        }
        Err(LaunchError::Fault(error)) => anyhow::bail!("{}", fault::chain(&error)),
    }
}

impl Pull {
    fn run(&self) -> anyhow::Result<ExitCode> {
        let (config, data_dir) = self.data.read()?;
        let images = Images::open(config.images.config(&data_dir, &config.builds))?;
        let asked = match Names::new(config.images.names).meaning(&self.name) {
            Ok(ImageName::Named(asked)) => asked,
            Ok(ImageName::Here(_)) => anyhow::bail!("{} is this machine's own", self.name),
            Err(why) => anyhow::bail!("{why}"),
        };
        let progress = Arc::new(Progress::default());
        let bar = Bar::show(&asked.to_string(), Arc::clone(&progress));
        let pulled = images.pull(&asked, Asked::ForRefreshing, None, &progress);
        drop(bar);
        let pulled = match or_refused(pulled)? {
            Ok(pulled) => pulled,
            Err(status) => return Ok(status),
        };
        let name = &pulled.image.name;
        say(&match pulled.arrival {
            Arrival::Fetched { bytes } => format!("{name}: pulled, {}", size(bytes)),
            Arrival::InPlace => format!("{name}: in place"),
            Arrival::Unchecked { because } => format!("{name}: in place; {because}"),
        })
    }
}

impl Import {
    fn run(&self) -> anyhow::Result<ExitCode> {
        let images = images(&self.data)?;
        let from = match self.from.split_once(':') {
            _ if self.from == "-" => ImportFrom::StandardInput,
            Some(("docker", name)) => ImportFrom::Engine(Engine::Docker, name.to_owned()),
            Some(("podman", name)) => ImportFrom::Engine(Engine::Podman, name.to_owned()),
            _ => ImportFrom::Path(PathBuf::from(&self.from)),
        };
        let progress = Arc::new(Progress::default());
        let bar = Bar::show(&self.from, Arc::clone(&progress));
        let imported = images.import(&from, self.name.as_ref(), Origin::Import, &progress);
        drop(bar);
        let imported = match or_refused(imported)? {
            Ok(imported) => imported,
            Err(status) => return Ok(status),
        };
        for image in imported {
            say(&format!("{}: imported", image.name))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl List {
    fn run(&self) -> anyhow::Result<ExitCode> {
        let listed = images(&self.data)?.list()?;
        if self.json {
            return say(&serde_json::to_string_pretty(&listed)?);
        }
        let now = clock::now().millis() / 1_000;
        let mut rows = vec![["NAME", "DIGEST", "SIZE", "FROM", "USED"].map(str::to_owned)];
        rows.extend(listed.iter().map(|image| row(image, now)));
        let mut widths = [0; 4];
        for row in &rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.len().max(*width);
            }
        }
        let mut out = std::io::stdout().lock();
        for [name, digest, bytes, from, used] in rows {
            let [a, b, c, d] = widths;
            writeln!(out, "{name:<a$}  {digest:<b$}  {bytes:>c$}  {from:<d$}  {used}")?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn row(image: &ListedImage, now: u64) -> [String; 5] {
    let from = match image.origin {
        Origin::Registry => "registry",
        Origin::Import => "import",
        Origin::Recipe => "recipe",
    };
    let digest = image.manifest.digits().get(..12).unwrap_or_default().to_owned();
    let used = ago(Duration::from_secs(now.saturating_sub(image.used_at)));
    [image.name.clone(), digest, size(image.bytes), from.to_owned(), used]
}

impl Inspect {
    fn run(&self) -> anyhow::Result<ExitCode> {
        let Some((image, configuration)) = images(&self.data)?.inspect(&self.name.to_string())?
        else {
            return unknown(&self.name);
        };
        let mut document = serde_json::to_value(&image)?;
        document["configuration"] = serde_json::from_str(&configuration)
            .context("failed to understand the image's configuration")?;
        say(&serde_json::to_string_pretty(&document)?)
    }
}

impl Remove {
    fn run(&self) -> anyhow::Result<ExitCode> {
        let (config, data_dir) = self.data.read()?;
        let images = Images::open(config.images.config(&data_dir, &config.builds))?;
        let mut status = ExitCode::SUCCESS;
        for name in &self.names {
            match images.remove(&name.to_string())? {
                Some(collected) => say(&gone(&collected))?,
                None => {
                    status = unknown(name)?;
                    status
                }
            };
        }
        collect_in_engine(&config, &images)?;
        Ok(status)
    }
}

impl Prune {
    fn run(&self) -> anyhow::Result<ExitCode> {
        let (config, data_dir) = self.data.read()?;
        let images = Images::open(config.images.config(&data_dir, &config.builds))?;
        let unused_for = self.unused_days.map(|days| DAY * days);
        let said = say(&gone(&images.prune(unused_for)?));
        collect_in_engine(&config, &images)?;
        said
    }
}

/// Removes what a container engine was given and no image needs, where builds may have one.
fn collect_in_engine(config: &Config, images: &Images) -> anyhow::Result<()> {
    let Some(engine) = config.executors.engine() else { return Ok(()) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match runtime.block_on(engine.collect(images)) {
        Ok(removed) if removed.count > 0 => {
            let (bytes, count) = (size(removed.bytes), removed.count);
            say(&format!("freed {bytes} in {count} images of the container engine"))?;
        }
        Ok(_) => {}
        Err(error) => {
            let why = fault::chain(&error);
            writeln!(std::io::stderr(), "buildyard: the container engine keeps its images: {why}")?;
        }
    }
    Ok(())
}

fn unknown(name: &Reference) -> anyhow::Result<ExitCode> {
    writeln!(std::io::stderr(), "buildyard: there is no image {name} here")?;
    Ok(ExitCode::FAILURE)
}

fn gone(collected: &Collected) -> String {
    let names = collected.names.iter().map(|name| format!("removed {name}\n")).collect::<String>();
    format!("{names}freed {} in {} layers", size(collected.bytes), collected.layers)
}

pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{} kB", bytes / 1_000),
        1_000_000..1_000_000_000 => format!("{} MB", bytes / 1_000_000),
        _ => format!("{}.{} GB", bytes / 1_000_000_000, bytes / 100_000_000 % 10),
    }
}

fn ago(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..120 => format!("{seconds} s ago"),
        seconds @ 120..7_200 => format!("{} min ago", seconds / 60),
        seconds @ 7_200..172_800 => format!("{} h ago", seconds / 3_600),
        seconds => format!("{} days ago", seconds / 86_400),
    }
}
