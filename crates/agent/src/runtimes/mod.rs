//! Which versions of runtimes the commands find: what the buildspec's `runtime-versions` ask for, out
//! of what the image offers, or the machine has.
//!
//! AWS: the last part of DOWNLOAD_SOURCE, before INSTALL; the lines are CodeBuild's.

mod machine;
mod usual;

use crate::commands::Commands;
use crate::log;
use crate::outcome::{COMMAND_EXECUTION_ERROR, Stop};
use crate::run::Build;
use crate::shell::{Carried, Shell, Succeeding};
use agent_protocol::{AgentPhase, CommandList, RuntimesOrder};
use buildspec::{PhaseName, Runtimes, Selected, Selection, Unselectable, expand_variables};
use std::fs;
use std::io::{ErrorKind, Read};

/// No `runtimes.yml` has as many bytes.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// CodeBuild's images in which nothing is the default, without their publisher and their dates.
// AWS: later images have defaults.
const IMAGES_WITHOUT_DEFAULTS: [&str; 5] = [
    "standard:2.0",
    "standard:3.0",
    "amazonlinux2-x86_64-standard:1.0",
    "amazonlinux2-x86_64-standard:2.0",
    "amazonlinux2-aarch64-standard:1.0",
];

/// Makes the versions that the buildspec asks for those in use, or says why that fails.
pub(crate) fn prepare(
    build: &Build,
    buildspec: &buildspec::Buildspec,
    shell: &mut Shell,
) -> Result<(), Stop> {
    let install = buildspec.phases.phase(PhaseName::Install);
    let asked = install.map(|phase| phase.runtime_versions.as_slice()).unwrap_or_default();
    match build.orders.runtimes {
        RuntimesOrder::Machine { .. } if asked.iter().all(|(runtime, _)| runtime != "python") => {
            usual::offer(&build.layout, buildspec, shell)?;
        }
        RuntimesOrder::Machine { .. } | RuntimesOrder::Image => {}
    }
    if asked.is_empty() {
        if has_no_defaults(shell) {
            let message = "This build image requires selecting at least one runtime version.";
            return Err(Stop::yaml(message));
        }
        build.journal.line_soon(log::NO_RUNTIME_VERSION);
        return Ok(());
    }
    let expanded = |text: &String| expand_variables(text, |name| shell.variable(name));
    let wanted = asked.iter().map(|(name, text)| (name.clone(), expanded(text).trim().to_owned()));
    let wanted: Vec<_> = wanted.collect();
    let Some(runtimes) = offered(build, &wanted, shell)? else {
        build.journal.line(log::RUNTIMES_SKIPPED);
        return Ok(());
    };
    let Selection { lines, result } = runtimes.select(&wanted);
    build.journal.append(|batch| lines.iter().for_each(|line| batch.line(line)));
    let selected = result.map_err(|refused| {
        let is_of_machine = build.orders.runtimes.is_strict();
        if is_of_machine && matches!(refused, Unselectable::Version(_)) {
            build.journal.line(log::NEAREST_VERSION);
        }
        Stop::yaml(refused.to_string())
    })?;
    // Also in a buildspec whose commands see nothing of each other.
    let carried = shell.carry(Carried::State);
    let done = run(build, shell, selected);
    shell.carry(carried);
    shell.go_to(&build.orders.source_dir);
    done
}

fn run(build: &Build, shell: &mut Shell, selected: Vec<Selected>) -> Result<(), Stop> {
    let mut first = 0;
    for selected in selected {
        let before = selected.version.map(|version| shell.replace("VERSION", Some(version.into())));
        let mut commands = Commands {
            build,
            shell,
            phase: AgentPhase::DownloadSource,
            succeeding: Succeeding::Yes,
            user: None,
        };
        if let Some(message) = commands.run(CommandList::Runtimes, first, &selected.commands)? {
            return Err(Stop::Failure { code: COMMAND_EXECUTION_ERROR, message });
        }
        first += u32::try_from(selected.commands.len()).unwrap_or(u32::MAX);
        if let Some(before) = before {
            shell.replace("VERSION", before);
        }
    }
    Ok(())
}

/// What there is to choose from; none where the image offers no choice.
fn offered(
    build: &Build,
    asked: &[(String, String)],
    shell: &Shell,
) -> Result<Option<Runtimes>, Stop> {
    let path = build.layout.runtimes_file();
    let mut bytes = Vec::new();
    match fs::File::open(&path).and_then(|file| file.take(FILE_BYTES_MAX).read_to_end(&mut bytes)) {
        Ok(_) => {
            let runtimes = Runtimes::parse(&String::from_utf8_lossy(&bytes));
            let told = |message| Stop::yaml(format!("{}: {message}", path.display()));
            return runtimes.map(Some).map_err(told);
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(Stop::yaml(format!("{}: {error}", path.display()))),
    }
    match &build.orders.runtimes {
        RuntimesOrder::Image => Ok(None),
        RuntimesOrder::Machine { folders, takes_nearest } => {
            let search_path = &shell.variable("PATH").unwrap_or_default();
            let (layout, takes_nearest) = (&build.layout, *takes_nearest);
            let search = machine::Search { layout, folders, search_path, takes_nearest };
            Ok(Some(machine::find(&search, asked)))
        }
    }
}

fn has_no_defaults(shell: &Shell) -> bool {
    let image = shell.variable("CODEBUILD_BUILD_IMAGE").unwrap_or_default();
    let curated = image.rsplit_once("codebuild/").map(|(_, name)| name).unwrap_or_default();
    IMAGES_WITHOUT_DEFAULTS.iter().any(|known| {
        curated.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    })
}
