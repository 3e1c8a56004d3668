//! The driver and the core on a simulated machine, in simulated time: histories drawn from seeds, in
//! which builds run, agents die, disks fail, clocks are set, and the service is killed between any
//! two things that it does.
//!
//! `BUILDYARD_SIMULATION_SEEDS=FIRST..END` runs other seeds than those of each run; `./check` runs ten
//! thousand.

mod agent;
mod containers;
mod dice;
mod history;
mod laws;
mod machine;

use agent_protocol::Timestamp;
use build_core::{BuildId, ProjectName, queue::Capacity};
use history::{BUILDS_AT_ONCE, Draws, Step, What};
use laws::Views;
use machine::{Hands, Killer, Lasting, Simulated};
use server::{
    build_request::BuildRequest,
    config::Config,
    driver::{Counts, Driver, Grounds, Submission},
    executors::{ExecutorName, Workshop},
    identity::Identity,
    provision::Provision,
    tally::Tally,
};
use std::{
    collections::VecDeque,
    env,
    ops::Range,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};
use tempfile::TempDir;
use tokio::{runtime, sync::watch, time::sleep_until};
use wire::codebuild::{Project, ProjectEnvironment};

/// The seeds of each run.
const SEEDS: Range<u64> = 0..1_000;

/// Seeds that have found something by the first draws, with what it was.
const FOUND_FIRST: &[(u64, &str)] = &[
    (19, "a container was taken away before it was kept that its agent had finished: it ran again"),
    (25, "the same, in a build that was stopped meanwhile"),
    (32, "a journal that could not be watched ended its build"),
    (82, "a container that could not be taken over at once after a restart ended its build"),
    (102, "a log whose length was not known for a moment was written again from its beginning"),
    (
        106,
        "a build that could not be taken over at once after a restart hung until its time was over",
    ),
    (111, "the same, among others"),
    (
        1861,
        "a build for which room came while its start was committed waited until its time was over",
    ),
];

/// Seeds that have found something by all draws.
const FOUND: &[(u64, &str)] = &[(
    14,
    "who asked for the counts was told of builds that were not kept yet, started in the same turn",
)];

/// When everything must be over, in milliseconds: no build may take longer than an hour, and those
/// before it in the queue may take theirs.
const END_MILLIS: u64 = 24 * 3_600_000;

/// How a service ended.
enum End {
    /// It was killed, or did not start; the next one begins so many milliseconds later.
    Killed(u64),
    /// Nothing is left to do.
    Over,
}

/// One service's life on a machine.
struct Life {
    machine: Arc<Simulated>,
    driver: Driver,
}

#[test]
fn whatever_happens_nothing_is_lost() {
    let seeds = env::var("BUILDYARD_SIMULATION_SEEDS").map_or(SEEDS, |text| {
        let (first, end) = text.split_once("..").expect("FIRST..END");
        first.parse().unwrap()..end.parse().unwrap()
    });
    let folder = folder();
    let (next, threads) = (AtomicU64::new(seeds.start), thread::available_parallelism().unwrap());
    thread::scope(|scope| {
        for _ in 0..threads.get() {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    check(seed, Draws::All, folder.path());
                }
            });
        }
    });
}

#[test]
fn what_was_found_once_is_not_found_again() {
    let folder = folder();
    for (seed, _) in FOUND_FIRST {
        check(*seed, Draws::First, folder.path());
    }
    for (seed, _) in FOUND {
        check(*seed, Draws::All, folder.path());
    }
}

#[test]
fn turns_are_taken_while_others_are_committed() {
    let folder = folder();
    let overlaps = |seed| {
        let lasting = run(seed, Step::history(seed, Draws::All), folder.path()).unwrap();
        lasting.lock().unwrap().overlaps
    };
    let histories = (0..50).filter(|seed| overlaps(*seed) > 0).count();
    assert!(histories > 25, "only {histories} histories of 50");
}

#[test]
fn a_seed_tells_the_same_each_time() {
    let folder = folder();
    for seed in 0..20 {
        let run = || {
            let lasting = run(seed, Step::history(seed, Draws::All), folder.path()).unwrap();
            let lasting = lasting.lock().unwrap();
            let events = lasting.builds.values().map(|stored| stored.events.clone());
            events.collect::<Vec<_>>()
        };
        assert_eq!(run(), run());
    }
}

/// A folder with the keys of the service, which are made before several threads want them.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    Identity::open(folder.path(), None).unwrap();
    folder
}

/// Runs a seed's history. One in which a law is broken is made as short as it can be, and shown.
fn check(seed: u64, draws: Draws, folder: &Path) {
    let mut steps = Step::history(seed, draws);
    let Err(mut law) = run(seed, steps.clone(), folder) else { return };
    let mut at = 0;
    while at < steps.len() {
        let mut fewer = steps.clone();
        fewer.remove(at);
        match run(seed, fewer.clone(), folder) {
            Err(broken) => (steps, law) = (fewer, broken),
            Ok(_) => at += 1,
        }
    }
    let steps: Vec<String> = steps.iter().map(Step::to_string).collect();
    panic!("seed {seed}: {law}\nthe shortest history:\n{}", steps.join("\n"));
}

/// Runs a history to its end; gives what is left on the machine, or the law that was broken.
fn run(seed: u64, steps: Vec<Step>, folder: &Path) -> Result<Arc<Mutex<Lasting>>, String> {
    let lasting = Arc::new(Mutex::new(Lasting::new(seed)));
    let clock_was_set = steps.iter().any(|step| matches!(step.what, What::ClockStep { .. }));
    let mut steps = VecDeque::from(steps);
    loop {
        let runtime = runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let (end, at, killer) = runtime.block_on(async {
            let machine = Arc::new(Simulated::new(Arc::clone(&lasting)));
            let end = live(&machine, &mut steps, folder).await;
            (end, machine.at(), machine.killer())
        });
        drop(runtime);
        let mut lasting_now = lasting.lock().unwrap();
        if let Some(law) = lasting_now.broken.take() {
            return Err(law);
        }
        match end {
            End::Over => break,
            End::Killed(away) => {
                if killer == Killer::Power {
                    lasting_now.lose_power();
                }
                lasting_now.passed = at + away;
                while lasting_now
                    .due
                    .first_key_value()
                    .is_some_and(|((due, _), _)| *due <= at + away)
                {
                    let (_, (id, act)) = lasting_now.due.pop_first().unwrap();
                    lasting_now.act(&id, act);
                }
            }
        }
    }
    let views = if seed.is_multiple_of(16) { Views::Looked } else { Views::NotLooked };
    laws::at_the_end(&lasting.lock().unwrap(), clock_was_set, views)?;
    Ok(lasting)
}

/// A service lives until it is killed or has nothing to do.
async fn live(machine: &Arc<Simulated>, steps: &mut VecDeque<Step>, folder: &Path) -> End {
    let mut away = 1_000;
    let start = Driver::start(grounds(machine, folder), capacity());
    let driver = tokio::select! {
        biased;
        () = machine.killed.notified() => return End::Killed(away),
        started = start => match started {
            Ok(driver) => driver,
            Err(_) => return End::Killed(away),
        },
    };
    let life = Life { machine: Arc::clone(machine), driver };
    loop {
        let due = machine.lock().due.first_key_value().map(|((due, _), _)| *due);
        let step = steps.front().map(|step| step.at);
        let next = due.into_iter().chain(step).min();
        let until = next.unwrap_or_else(|| machine.at() + 60_000);
        tokio::select! {
            biased;
            () = machine.killed.notified() => return End::Killed(away),
            () = sleep_until(machine.instant(until)) => {}
        }
        if machine.lock().broken.is_some() {
            return End::Over;
        }
        match next {
            Some(at) if step == Some(at) => {
                let step = steps.pop_front().unwrap();
                if let What::Kill { away: next_away, .. } = step.what {
                    away = next_away;
                }
                life.take(step.what);
            }
            Some(_) => {
                let popped = machine.lock().due.pop_first();
                let (_, (id, act)) = popped.unwrap();
                machine.act(&id, act);
            }
            None if life.is_over().await => return End::Over,
            None if machine.at() > END_MILLIS => {
                if machine.open() > 0 {
                    machine.lock().breaks("somebody never has an answer".into());
                }
                return End::Over;
            }
            None => {}
        }
    }
}

impl Life {
    fn take(&self, what: What) {
        let (machine, driver) = (Arc::clone(&self.machine), self.driver.clone());
        match what {
            What::Submit { build, project, auto_retry_limit, queued_minutes, bounds } => {
                let id = id(build, project);
                let request = request(id.clone(), auto_retry_limit, queued_minutes, bounds.minutes);
                let concurrent_max = bounds.concurrent_max;
                machine.lock().concurrent_max.extend(concurrent_max.map(|max| (id.clone(), max)));
                tokio::spawn(submit(machine, driver, request, concurrent_max));
            }
            What::Stop { build } => {
                let ids = [id(build, 0), id(build, 1)];
                let id = ids.into_iter().find(|id| machine.lock().builds.contains_key(id));
                let Some(id) = id else { return };
                machine.lock().stop_asked.insert(id.clone());
                tokio::spawn(async move {
                    machine.ask();
                    let stopped = driver.stop(id.clone()).await;
                    let alive = machine.answered();
                    let mut lasting = machine.lock();
                    match stopped {
                        Ok(()) => lasting.holds(|lasting| laws::of_a_stop(lasting, &id)),
                        Err(fault) if alive => {
                            lasting.holds(|lasting| laws::of_a_fault(lasting, &fault));
                        }
                        Err(_) => {}
                    }
                });
            }
            What::Ask => {
                tokio::spawn(ask(machine, driver));
            }
            What::Sweep => machine.lock().sweep(),
            What::Kill { calls, done, .. } => machine.kill_at(calls, done, Killer::Anybody),
            What::PowerLoss { calls, done } => machine.kill_at(calls, done, Killer::Power),
            What::Trouble { in_thousand, lasts } => {
                let until = machine.at() + lasts;
                machine.lock().trouble = Some((in_thousand, until));
            }
            What::ClockStep { seconds } => machine.lock().clock_off += seconds * 1_000,
            What::Stall { lasts } => {
                let until = machine.at() + lasts;
                machine.lock().stalled_until = until;
            }
        }
    }

    /// Whether everybody is answered and every build has ended, and the service knows that nothing
    /// runs.
    async fn is_over(&self) -> bool {
        let live = self.machine.lock().builds.values().any(|stored| stored.row.live);
        if live || self.machine.open() > 0 {
            return false;
        }
        let counts = tokio::select! {
            biased;
            () = self.machine.killed.notified() => {
                self.machine.killed.notify_one();
                return false;
            }
            counts = self.driver.counts() => counts,
        };
        if counts != Counts::default() {
            self.machine.lock().breaks(format!("all is over and there are {counts:?}"));
        }
        true
    }
}

/// Somebody starts a build.
async fn submit(
    machine: Arc<Simulated>,
    driver: Driver,
    request: Arc<BuildRequest>,
    concurrent_max: Option<u32>,
) {
    let id = request.id().clone();
    machine.ask();
    let submission = Submission { request, concurrent_max, with: Vec::new() };
    let submitted = driver.submit(submission).await;
    let alive = machine.answered();
    let mut lasting = machine.lock();
    match submitted {
        Ok(_) => {
            lasting.holds(|lasting| laws::of_an_acceptance(lasting, &id));
            lasting.accepted.insert(id);
        }
        Err(error) if alive => {
            lasting.holds(|lasting| laws::of_a_refusal(lasting, concurrent_max, &error));
        }
        Err(_) => {}
    }
}

/// Somebody asks what is under way.
async fn ask(machine: Arc<Simulated>, driver: Driver) {
    machine.ask();
    let counts = driver.counts().await;
    if machine.answered() {
        machine.lock().holds(|lasting| laws::of_counts(lasting, &counts));
    }
    machine.ask();
    let survey = driver.survey(crate::world::REGION).await;
    if machine.answered() {
        machine.lock().holds(|lasting| laws::of_a_survey(lasting, &survey));
    }
}

fn capacity() -> Capacity {
    Capacity { builds_max: BUILDS_AT_ONCE, memory_bytes: 1 << 50 }
}

fn grounds(machine: &Arc<Simulated>, folder: &Path) -> Arc<Grounds> {
    let hands = Hands(Arc::clone(machine));
    Arc::new(Grounds {
        workshop: Workshop::with(ExecutorName::Sandbox, Arc::new(hands.clone())),
        images: crate::world::images(folder),
        machine: Arc::new(hands),
        provision: Provision {
            config: Arc::new(Config::default()),
            identity: Arc::new(Identity::open(folder, None).unwrap()),
            ssh: None,
            programs: folder.join("programs"),
        },
        serve: Box::new(|_, _| {}),
        tally: Tally::default(),
        changed: watch::Sender::new(0),
        observer: None,
    })
}

fn id(build: u64, project: u64) -> BuildId {
    let project = ProjectName::new(format!("project-{project}")).unwrap();
    BuildId::new(project, format!("00000000-0000-4000-8000-{build:012}")).unwrap()
}

fn request(
    id: BuildId,
    auto_retry_limit: i32,
    queued_timeout_minutes: u32,
    timeout_minutes: u32,
) -> Arc<BuildRequest> {
    let environment = ProjectEnvironment { image: "host".into(), ..Default::default() };
    Arc::new(BuildRequest {
        account_id: "000000000000".into(),
        region: crate::world::REGION.into(),
        id,
        initiator: "tester".into(),
        project: Project {
            environment: Some(environment),
            auto_retry_limit: Some(auto_retry_limit),
            ..Default::default()
        },
        source_version: None,
        source_commit: None,
        timeout_minutes,
        queued_timeout_minutes,
        debug_session: false,
        retry: None,
        cache_invalidated_at: None::<Timestamp>,
        executor: ExecutorName::Sandbox,
        local: None,
    })
}
