//! The loop over the phases of a buildspec.

use crate::artifacts;
use crate::commands::{Commands, Counts};
use crate::environment::is_exportable;
use crate::journal::Journal;
use crate::layout::Layout;
use crate::log;
use crate::object_store::Client;
use crate::outcome::{self, COMMAND_EXECUTION_ERROR};
use crate::output::Output;
use crate::retry;
use crate::rules::{Next, next};
use crate::shell::{Shell, Succeeding, User};
use crate::source::{self, Prepared};
use crate::usage::{Meter, advice};
use agent_protocol::{AgentPhase, CommandList, Fact, Orders, PhaseOutcome, PhaseStatus};
use buildspec::{Buildspec, Phase, PhaseName};
use std::sync::{Arc, OnceLock};

/// Everything that lives as long as the build.
pub(crate) struct Build {
    /// What the service ordered.
    pub(crate) orders: Orders,
    /// Where things are.
    pub(crate) layout: Layout,
    /// Where everything that happens is told.
    pub(crate) journal: Arc<Journal>,
    /// What the commands print to.
    pub(crate) output: Arc<Output>,
    /// What the build uses.
    pub(crate) meter: Meter,
    /// What is counted over all of its commands.
    pub(crate) counts: Counts,
    store: OnceLock<Client>,
}

impl Build {
    /// A build that has not begun.
    pub(crate) fn new(
        orders: Orders,
        layout: Layout,
        journal: Arc<Journal>,
        output: Arc<Output>,
        meter: Meter,
    ) -> Self {
        let (counts, store) = (Counts::default(), OnceLock::new());
        Self { orders, layout, journal, output, meter, counts, store }
    }

    /// The object store; made when it is first needed, which many builds never do.
    pub(crate) fn store(&self) -> &Client {
        self.store.get_or_init(|| Client::new(&self.orders.object_store))
    }
}

/// Runs the build to its end. How it went is in the journal.
pub(crate) fn run(build: &Build) {
    build.journal.append(|batch| {
        batch.phase_started(AgentPhase::DownloadSource);
        for line in log::GREETING {
            batch.line(line);
        }
    });
    let prepared = match source::prepare(build) {
        Ok(prepared) => prepared,
        Err(stop) => return finish(build, AgentPhase::DownloadSource, stop.into_outcome()),
    };
    finish(build, AgentPhase::DownloadSource, PhaseOutcome::succeeded());
    if build.orders.course.ends_with(AgentPhase::DownloadSource) {
        return;
    }
    let Prepared { buildspec, mut shell, caching } = prepared;
    let (followed, succeeding) = command_phases(build, &buildspec, &mut shell);
    export(build, &buildspec, &shell);
    match followed {
        Next::Following => {
            let phase = AgentPhase::UploadArtifacts;
            build.journal.append(|batch| batch.phase_started(phase));
            let outcome = upload(build, &buildspec, &shell);
            let uploaded = outcome.status == PhaseStatus::Succeeded;
            caching.save(build, if uploaded { succeeding } else { Succeeding::No });
            finish(build, phase, outcome);
        }
        Next::End => {}
    }
}

fn upload(build: &Build, buildspec: &Buildspec, shell: &Shell) -> PhaseOutcome {
    match artifacts::upload(build, buildspec, shell) {
        Ok(()) => PhaseOutcome::succeeded(),
        Err(stop) => stop.into_outcome(),
    }
}

fn finish(build: &Build, phase: AgentPhase, outcome: PhaseOutcome) {
    build.journal.append(|batch| batch.phase_finished(phase, outcome));
}

/// Runs the phases that have commands. What follows them, and whether all of them went well.
fn command_phases(build: &Build, buildspec: &Buildspec, shell: &mut Shell) -> (Next, Succeeding) {
    let mut succeeding = Succeeding::Yes;
    for name in PhaseName::ALL {
        let phase = agent_phase(name);
        if build.orders.course.leaves_out(phase) {
            build.journal.line(&log::left_out(phase));
            continue;
        }
        // What a phase without commands tells is not worth a `write` of its own.
        build.journal.append_soon(|batch| {
            batch.phase_started(phase);
            batch.line(&log::entering(phase));
        });
        let wanted = buildspec.phases.phase(name);
        let outcome = match wanted {
            Some(wanted) => {
                if wanted.run_as.is_some() || buildspec.run_as.is_some() {
                    build.journal.flush();
                }
                retry::prepare(wanted, &build.output);
                let mut commands = Commands { build, shell, phase, succeeding, user: None };
                run_phase(&mut commands, wanted, buildspec.run_as.as_deref())
            }
            None => PhaseOutcome::succeeded(),
        };
        let status = outcome.status;
        if status != PhaseStatus::Succeeded {
            succeeding = Succeeding::No;
        }
        let number = build.orders.auto_retry_number;
        let retry = wanted.and_then(|wanted| retry::asked(wanted, &outcome, &build.output, number));
        match wanted {
            Some(_) => finish(build, phase, outcome),
            None => build.journal.append_soon(|batch| batch.phase_finished(phase, outcome)),
        }
        if let Some(count) = retry {
            build.journal.append(|batch| {
                batch.line(&log::retry_asked(phase, number + 1, count));
                batch.fact(&Fact::RetryAsked { count });
            });
            return (Next::End, succeeding);
        }
        let on_failure = wanted.and_then(|wanted| wanted.on_failure.as_ref());
        if next(phase, status, on_failure) == Next::End || build.orders.course.ends_with(phase) {
            return (Next::End, succeeding);
        }
    }
    (Next::Following, succeeding)
}

/// Tells what the build used, and which compute type would have done.
pub(crate) fn tell_used(build: &Build) {
    let used = build.meter.whole();
    build.journal.append(|batch| {
        let compute = build.orders.compute.as_ref();
        if let Some(compute) = compute.filter(|compute| compute.is_advised) {
            batch.line(&advice(&used, compute, build.counts.memory_kills()));
        }
        batch.fact(&Fact::Used(used));
    });
}

fn agent_phase(name: PhaseName) -> AgentPhase {
    match name {
        PhaseName::Install => AgentPhase::Install,
        PhaseName::PreBuild => AgentPhase::PreBuild,
        PhaseName::Build => AgentPhase::Build,
        PhaseName::PostBuild => AgentPhase::PostBuild,
    }
}

fn export(build: &Build, buildspec: &Buildspec, shell: &Shell) {
    let names = &buildspec.env.exported_variables;
    let variables: Vec<_> = names
        .iter()
        .filter(|name| is_exportable(&build.orders, name))
        .map(|name| {
            let value = shell.variable(name).unwrap_or_default();
            (name.clone(), build.journal.masked(&value))
        })
        .collect();
    if !variables.is_empty() {
        build.journal.append(|batch| batch.fact(&Fact::Exported { variables }));
    }
}

fn run_phase(commands: &mut Commands<'_>, phase: &Phase, run_as: Option<&str>) -> PhaseOutcome {
    if let Some(name) = phase.run_as.as_deref().or(run_as).filter(|name| *name != "root") {
        let Some(user) = User::find(&commands.build.layout, name) else {
            let message = format!("user {name} of run-as does not exist in the image");
            return PhaseOutcome::failed(COMMAND_EXECUTION_ERROR, message);
        };
        if let Err(fault) = source::give(commands.build, &user) {
            return outcome::fault(fault.to_string());
        }
        commands.user = Some(user);
    }
    // AWS: `finally` runs in any case, and what failed first is what the phase says.
    let first = commands.run(CommandList::Commands, 0, &phase.commands);
    if first.as_ref().is_ok_and(|failed| failed.is_some()) {
        commands.succeeding = Succeeding::No;
    }
    let finally = commands.run(CommandList::Finally, 0, &phase.finally);
    match (first, finally) {
        (Ok(None), Ok(None)) => PhaseOutcome::succeeded(),
        (Err(fault), _) | (_, Err(fault)) => outcome::fault(fault.to_string()),
        (Ok(Some(failed)), _) | (_, Ok(Some(failed))) => {
            PhaseOutcome::failed(COMMAND_EXECUTION_ERROR, failed)
        }
    }
}
