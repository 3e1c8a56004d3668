//! DOWNLOAD_SOURCE: the sources, the buildspec and the variables, ready for the first command.

mod buildspec_file;
mod git;
mod ownership;
mod s3;
mod tree;
mod unzip;

pub(crate) use ownership::give;
pub(crate) use tree::target_inside;

use crate::cache::{self, Caching};
use crate::environment::{merge, secondary_folder_variable};
use crate::fault::Doing;
use crate::log;
use crate::outcome::Stop;
use crate::run::Build;
use crate::runtimes;
use crate::secrets::{self, Held};
use crate::shell::{Beginning, Carried, Interpreter, Shell};
use agent_protocol::{Fact, RuntimesOrder, Source};
use buildspec::{Buildspec, Version, phases_found};
use std::path::Path;

/// What the commands need.
pub(crate) struct Prepared {
    /// What is to be run.
    pub(crate) buildspec: Buildspec,
    /// What runs it.
    pub(crate) shell: Shell,
    /// What becomes of its cache.
    pub(crate) caching: Caching,
}

/// Prepares everything, or says why the phase fails.
pub(crate) fn prepare(build: &Build) -> Result<Prepared, Stop> {
    let orders = &build.orders;
    let resolved = fetch(build, "", &orders.source, &orders.source_dir)?;
    for secondary in &orders.secondary_sources {
        fetch(build, &secondary.identifier, &secondary.source, &secondary.source_dir)?;
    }
    if uses_git(&orders.source) || orders.secondary_sources.iter().any(|s| uses_git(&s.source)) {
        // From here on the service gives no credentials: a cache's key may run what the user wrote.
        build.journal.append(|batch| batch.fact(&Fact::SourcesFetched));
    }
    if let Some(version) = &resolved {
        let version = version.clone();
        build.journal.append(|batch| batch.fact(&Fact::SourceResolved { version }));
    }
    build.journal.append_soon(|batch| {
        batch.line(&log::variable("CODEBUILD_SRC_DIR", &orders.source_dir));
        for secondary in &orders.secondary_sources {
            let name = secondary_folder_variable(&secondary.identifier);
            batch.line(&log::variable(&name, &secondary.source_dir));
        }
    });
    let buildspec = buildspec_file::read(build)?;
    if buildspec.env.git_credential_helper {
        git::offer(build)?;
    }
    build.journal.append_soon(|batch| {
        if let Some(shell) = &buildspec.env.shell {
            batch.line(&log::selecting_shell(shell.program()));
        }
        if uses_s3(&orders.source) {
            batch.line(log::S3_TIMEOUT);
        }
        batch.line(log::PROCESSING_VARIABLES);
    });
    let held = secrets::fetch(build, &buildspec, resolved.as_deref())?;
    let mut shell = begin_shell(build, &buildspec, &held, resolved.as_deref());
    runtimes::prepare(build, &buildspec, &mut shell)?;
    build.journal.line_soon(&log::moving_to(&build.orders.source_dir));
    let caching = cache::restore(build, &buildspec, &shell);
    build.journal.append_soon(|batch| {
        batch.line(log::REGISTERING);
        for line in phases_found(&buildspec) {
            batch.line(&line);
        }
    });
    Ok(Prepared { buildspec, shell, caching })
}

fn uses_git(source: &Source) -> bool {
    matches!(source, Source::Git(_))
}

/// Fetches a source, and says which version it is where that has a name. `identifier` is the
/// secondary source's; empty for the primary one.
fn fetch(
    build: &Build,
    identifier: &str,
    source: &Source,
    folder: &str,
) -> Result<Option<String>, Stop> {
    std::fs::create_dir_all(folder).doing(|| format!("make the source's folder {folder}"))?;
    let folder = Path::new(folder);
    let whose = match identifier {
        "" => "primary source".to_owned(),
        identifier => format!("secondary source {identifier}"),
    };
    let (fetched, version) = match source {
        Source::NoSource | Source::Mounted => return Ok(None),
        Source::S3Zip(from) => (s3::fetch_zip(build, from, folder).map(|()| None), &from.version),
        Source::S3Folder(from) => (s3::fetch_folder(build, from, folder).map(|()| None), &None),
        Source::Git(from) => {
            let commit = git::fetch(build, identifier, from, folder);
            (commit.map(Some), &Some(from.asked_version.clone()))
        }
    };
    // AWS: an object's version is named when one was asked for, a repository's always.
    let version = version.as_ref().map(|version| format!(" and source version {version}"));
    let place = format!(" for {whose}{}", version.unwrap_or_default());
    fetched.map_err(|stop: Stop| stop.with(&place))
}

fn uses_s3(source: &Source) -> bool {
    match source {
        Source::S3Zip(_) | Source::S3Folder(_) => true,
        Source::NoSource | Source::Mounted | Source::Git(_) => false,
    }
}

fn begin_shell(build: &Build, buildspec: &Buildspec, held: &Held, resolved: Option<&str>) -> Shell {
    let variables = merge(&build.orders, &buildspec.env.variables, held, resolved);
    let beginning = Beginning {
        interpreter: interpreter(build, buildspec, &variables),
        source_dir: build.orders.source_dir.clone(),
        carried: match buildspec.version {
            Version::V0_1 => Carried::Nothing,
            Version::V0_2 => Carried::State,
        },
        variables,
    };
    Shell::begin(build.layout.clone(), build.output.clone(), beginning)
}

/// What runs the commands.
///
/// AWS: `sh` is bash in CodeBuild's Amazon Linux images and dash in its Ubuntu ones. The machine
/// itself stands for either: it runs by bash what was written for it.
fn interpreter(
    build: &Build,
    buildspec: &Buildspec,
    variables: &[(String, String)],
) -> Interpreter {
    if let Some(shell) = &buildspec.env.shell {
        return Interpreter::named(shell.program());
    }
    match build.orders.runtimes {
        RuntimesOrder::Machine { .. } if buildspec::needs_bash(buildspec) => {
            let path = variables.iter().find(|(name, _)| name == "PATH");
            let bash = Interpreter::bash_as_sh(path.map_or("", |(_, path)| path));
            bash.inspect(|_| build.journal.line_soon(log::BASH_AS_SH))
        }
        RuntimesOrder::Machine { .. } | RuntimesOrder::Image => None,
    }
    .unwrap_or_else(|| Interpreter::named("/bin/sh"))
}
