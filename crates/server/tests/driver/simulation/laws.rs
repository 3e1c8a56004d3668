//! What must hold, whatever happens: after each thing that is kept, and at the end.

use super::{
    agent::TIMEOUT_MINUTES,
    machine::{Lasting, Stored, digest_of},
};
use build_core::{Build, BuildId, BuildStatus, Event, Phase, Stage};
use server::{
    build_request::BuildRequest,
    codebuild,
    driver::{Counts, SubmitError, Survey},
};
use std::collections::{BTreeMap, BTreeSet};
use store::{EndedCounts, Fault};

/// What holds for a build whenever something of it is kept: its last `fresh` events.
pub(super) fn of_a_build(stored: &mut Stored, fresh: usize, was_live: bool) -> Result<(), String> {
    let id = &stored.row.id;
    if !was_live {
        return Err(format!("{id} had ended, and changes"));
    }
    for event in &stored.events[stored.events.len() - fresh..] {
        let event: Event = serde_json::from_str(event).unwrap();
        stored.told = match stored.told.take() {
            Some(build) => Some(build.evolve(&event)),
            None => Build::replay([&event]),
        };
    }
    let Some(build) = &stored.told else { return Err(format!("{id} has no beginning")) };
    if serde_json::to_string(build).unwrap() != stored.row.state {
        return Err(format!("the events of {id} do not tell its state"));
    }
    for pair in build.phases.windows(2) {
        if pair[0].phase >= pair[1].phase {
            return Err(format!("the phases of {id} are not in order"));
        }
        if pair[0].ended.as_ref().map(|end| end.0) != Some(pair[1].started_at) {
            return Err(format!("the phases of {id} have a gap"));
        }
    }
    if stored.row.live != build.status().is_none() {
        return Err(format!("{id} is live and is not"));
    }
    Ok(())
}

/// What clients are shown of a build is a shape that they can read.
fn of_a_view(stored: &Stored, build: &Build) -> Result<(), String> {
    let request: BuildRequest = serde_json::from_str(&stored.row.request).unwrap();
    let events: Vec<Event> =
        stored.events.iter().map(|event| serde_json::from_str(event).unwrap()).collect();
    for length in 1..=events.len() {
        let then = Build::replay(&events[..length]).unwrap();
        let shape = serde_json::to_value(codebuild::render(&request, &then)).unwrap();
        if serde_json::from_value::<wire::codebuild::Build>(shape).is_err() {
            return Err(format!("{} has no shape after {length} events", build.id()));
        }
    }
    Ok(())
}

/// What holds when the start of a build has been acknowledged: no loss of power takes it back.
pub(super) fn of_an_acceptance(lasting: &Lasting, id: &BuildId) -> Result<(), String> {
    match lasting.durable.builds.contains_key(id) || lasting.left.contains_key(id) {
        true => Ok(()),
        false => Err(format!("the start of {id} was acknowledged and is not on the disk")),
    }
}

/// What holds when a build comes to be: its project has no more of them than it allows.
pub(super) fn of_a_limit(lasting: &Lasting, id: &BuildId) -> Result<(), String> {
    let Some(max) = lasting.concurrent_max.get(id) else { return Ok(()) };
    let others = lasting.builds.iter().filter(|(other, stored)| {
        other.project() == id.project() && stored.row.live && *other != id
    });
    match others.count() < *max as usize {
        true => Ok(()),
        false => Err(format!("{id} is one build of its project too many")),
    }
}

/// What holds when somebody is told what is under way: it is what the store has at that moment.
pub(super) fn of_counts(lasting: &Lasting, counts: &Counts) -> Result<(), String> {
    let (queued, running) = queued_and_running(lasting);
    let kept = Counts {
        queued: queued.len(),
        running: running.len(),
        provisioning: running.iter().filter(|build| build.stage == Stage::Provisioning).count(),
        ending: running.iter().filter(|b| matches!(b.stage, Stage::Ending { .. })).count(),
        queued_since: queued.iter().map(|build| build.submitted.received_at).min(),
    };
    match *counts == kept {
        true => Ok(()),
        false => Err(format!("{counts:?} is told and {kept:?} is kept")),
    }
}

/// The same of a survey.
pub(super) fn of_a_survey(lasting: &Lasting, survey: &Survey) -> Result<(), String> {
    of_counts(lasting, &survey.counts)?;
    let (queued, running) = queued_and_running(lasting);
    let ids = |builds: Vec<&Build>| -> BTreeSet<BuildId> {
        builds.into_iter().map(|build| build.id().clone()).collect()
    };
    let told_running: BTreeSet<BuildId> = survey.running.iter().cloned().collect();
    let told_waiting: BTreeSet<BuildId> = survey.waiting.iter().map(|(id, _)| id.clone()).collect();
    if (told_running, told_waiting) != (ids(running), ids(queued)) {
        return Err(format!("{survey:?} is told, which is not what is kept"));
    }
    Ok(())
}

fn queued_and_running(lasting: &Lasting) -> (Vec<&Build>, Vec<&Build>) {
    let builds = lasting.builds.values().filter_map(|stored| stored.told.as_ref());
    let live = builds.filter(|build| build.status().is_none());
    live.partition(|build| build.stage == Stage::Queued)
}

/// What holds when a build was not started: there is a limit, or the disk is in trouble.
pub(super) fn of_a_refusal(
    lasting: &Lasting,
    concurrent_max: Option<u32>,
    error: &SubmitError,
) -> Result<(), String> {
    match error {
        SubmitError::ConcurrentLimit(max) if concurrent_max == Some(*max) => Ok(()),
        SubmitError::Fault(fault) => of_a_fault(lasting, fault),
        SubmitError::ConcurrentLimit(_) | SubmitError::Conflict | SubmitError::Stopping => {
            Err(format!("a build is not started: {error}"))
        }
    }
}

/// What holds when somebody is told of a fault: the disk is, or was, in trouble.
pub(super) fn of_a_fault(lasting: &Lasting, fault: &Fault) -> Result<(), String> {
    match lasting.trouble {
        Some(_) => Ok(()),
        None => Err(format!("a fault of a well machine: {fault}")),
    }
}

/// What holds when a stop has been acknowledged: the build will not go on, whatever happens.
pub(super) fn of_a_stop(lasting: &mut Lasting, id: &BuildId) -> Result<(), String> {
    let Some(stored) = lasting.builds.get(id) else { return Ok(()) };
    let build: Build = serde_json::from_str(&stored.row.state).unwrap();
    match build.stage {
        Stage::Ending { status } | Stage::Finished { status, .. } => {
            if status == BuildStatus::Stopped {
                lasting.stopped.insert(id.clone());
            }
            Ok(())
        }
        Stage::Queued | Stage::Provisioning | Stage::Running => {
            Err(format!("the stop of {id} was acknowledged and is not kept"))
        }
    }
}

/// Whether the views of all states are looked at, which takes longer than all else.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Views {
    Looked,
    NotLooked,
}

/// What holds when nothing is left to do.
pub(super) fn at_the_end(
    lasting: &Lasting,
    clock_was_set: bool,
    views: Views,
) -> Result<(), String> {
    if let Some(id) = lasting.accepted.iter().find(|id| lasting.build(id).is_none()) {
        return Err(format!("{id} was accepted and is not there"));
    }
    if let Some(id) = lasting.containers.keys().next() {
        return Err(format!("the container {id} is left over"));
    }
    if let Some(id) = lasting.journals.keys().next() {
        return Err(format!("the journal of {id} is left over"));
    }
    let mut numbers = BTreeSet::new();
    let mut ended: BTreeMap<String, EndedCounts> = BTreeMap::new();
    for (id, stored) in lasting.all_builds() {
        let build: Build = serde_json::from_str(&stored.row.state).unwrap();
        if !numbers.insert((&stored.row.project, stored.row.number)) {
            return Err(format!("{id} has a number that another one has"));
        }
        of_an_end(lasting, (id, stored), &build, clock_was_set)?;
        ended.entry(stored.row.project.clone()).or_default().add(&counts_of(&build));
        of_a_log(lasting, id, stored)?;
        of_retries(lasting, id, &build)?;
        if views == Views::Looked {
            of_a_view(stored, &build)?;
        }
    }
    if lasting.counts != ended {
        let counts = &lasting.counts;
        return Err(format!("builds ended as {ended:?} and were counted as {counts:?}"));
    }
    Ok(())
}

/// What a build that has ended adds to the counts.
fn counts_of(build: &Build) -> EndedCounts {
    let (succeeded, failed, stopped) = match build.status() {
        Some(BuildStatus::Succeeded) => (1, 0, 0),
        Some(BuildStatus::Failed | BuildStatus::Fault | BuildStatus::TimedOut) => (0, 1, 0),
        Some(BuildStatus::Stopped) => (0, 0, 1),
        None => (0, 0, 0),
    };
    let end = build.ended_at().unwrap_or_default();
    let began = build.phases.iter().find(|record| record.phase == Phase::Provisioning);
    let millis = began.map_or(0, |began| end.since(began.started_at).as_millis());
    EndedCounts { succeeded, failed, stopped, millis: millis.try_into().unwrap() }
}

fn of_an_end(
    lasting: &Lasting,
    (id, stored): (&BuildId, &Stored),
    build: &Build,
    clock_was_set: bool,
) -> Result<(), String> {
    let Some(status) = build.status() else { return Err(format!("{id} never ends")) };
    let ran = lasting.ran.get(id.uuid());
    let may = match status {
        BuildStatus::Stopped => lasting.stop_asked.contains(id),
        _ if lasting.stopped.contains(id) => false,
        BuildStatus::TimedOut if clock_was_set => true,
        BuildStatus::TimedOut if in_a_hurry(stored, build) => true,
        // What it was doing when the power went is lost, unless its journal still says it.
        BuildStatus::Fault if lasting.struck.contains(id.uuid()) => true,
        // It was let in, and the power went before it had a container.
        BuildStatus::Fault if lasting.boots > 0 && ran.is_none() => true,
        BuildStatus::TimedOut if ran.is_none() => build.submitted.queued_timeout_minutes < 60,
        BuildStatus::Fault if lasting.not_launched.contains(id.uuid()) && ran.is_none() => true,
        status => ran.is_some_and(|ran| ran.status == status),
    };
    if may {
        return Ok(());
    }
    let would = ran.map_or("not have run", |ran| ran.status.as_str());
    Err(format!("{id} ended as {} and would {would}", status.as_str()))
}

/// Whether it was decided that a build ends when its time was over, which only those see that have
/// little.
fn in_a_hurry(stored: &Stored, build: &Build) -> bool {
    let minutes = build.submitted.timeout_minutes;
    let Some(began) = build.start_of(Phase::Provisioning) else { return false };
    let due = began.millis() + u64::from(minutes) * 60_000;
    let ends =
        |event: &String| matches!(serde_json::from_str(event).unwrap(), Event::Ending { .. });
    let decided = stored.decided.iter().zip(&stored.events).find(|(_, event)| ends(event));
    minutes < TIMEOUT_MINUTES && decided.is_some_and(|(at, _)| *at >= due.try_into().unwrap())
}

fn of_a_log(lasting: &Lasting, id: &BuildId, stored: &Stored) -> Result<(), String> {
    let log = lasting.streams.get(id.uuid()).and_then(|stream| lasting.logs.get(stream));
    let log = log.map(|log| log.text.as_str()).unwrap_or_default();
    let (printed, commands) = match lasting.ran.get(id.uuid()) {
        Some(ran) => (ran.printed.as_str(), ran.commands),
        None => ("", 0),
    };
    if lasting.struck.contains(id.uuid()) {
        // A machine without power keeps the beginning.
        if !printed.starts_with(log) {
            return Err(format!("{id} printed\n{printed}and its log begins\n{log}"));
        }
        return Ok(());
    }
    if log != printed {
        return Err(format!("{id} printed\n{printed}and its log has\n{log}"));
    }
    let build: Build = serde_json::from_str(&stored.row.state).unwrap();
    if build.log.is_some_and(|digest| digest != digest_of(log)) {
        return Err(format!("{id} is said to have another log than it has"));
    }
    if !stored.commands.keys().copied().eq(0..commands as u64) {
        return Err(format!("{id} began {commands} commands and kept {}", stored.commands.len()));
    }
    Ok(())
}

fn of_retries(lasting: &Lasting, id: &BuildId, build: &Build) -> Result<(), String> {
    let failed = match build.status() {
        Some(BuildStatus::Failed | BuildStatus::Fault | BuildStatus::TimedOut) => true,
        Some(BuildStatus::Succeeded | BuildStatus::Stopped) | None => false,
    };
    let due = failed
        && build.start_of(Phase::Provisioning).is_some()
        && build.submitted.auto_retry.number < build.auto_retry_limit();
    let Some(next) = &build.retried_as else {
        return if due { Err(format!("{id} is not started again")) } else { Ok(()) };
    };
    let Some(stored) = lasting.build(next).filter(|_| due) else {
        return Err(format!("{id} is started again as {next}, which is not there or not due"));
    };
    let request: BuildRequest = serde_json::from_str(&stored.row.request).unwrap();
    if request.retry.as_ref().map(|retry| &retry.previous) != Some(id) {
        return Err(format!("{next} does not know that it is {id} again"));
    }
    Ok(())
}
