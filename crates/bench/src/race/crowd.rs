//! Many builds at once, as builds per second.

use super::{
    Contest, Peer, Race, Spec, folder,
    runs::HELLO,
    servers::{Buildbot, Engine},
    service,
    table::{Figure, Role},
};
use crate::{builds, service::Service};
use anyhow::{Result, ensure};
use std::{
    thread,
    time::{Duration, Instant},
};

const ROWS: [(usize, Spec); 3] = [
    (1, Spec::new("crowd-1", "builds, one after the other", "per second").more()),
    (10, Spec::new("crowd-10", "builds, 10 at once", "per second").more()),
    (100, Spec::new("crowd-100", "builds, 100 at once", "per second").more()),
];
/// How many builds one after the other make a turn.
const ONE_BY_ONE: usize = 5;
/// How many are started at once of those that take a hundred MiB each.
const LARGE_MAX: usize = 10;
/// How many are started at once of those that take more than a second each.
const SLOW_MAX: usize = 10;

/// Measures every size.
pub(super) fn measure(race: &Race<'_>) -> Result<Vec<(Spec, Vec<Figure>)>> {
    let folder = folder()?;
    let peers = Peer::all(folder.path(), &race.peers, &[])?;
    let (service, _) = service(race, folder.path(), "")?;
    let buildbot = Buildbot::start(folder.path(), &race.peers)?;
    let has_podman = peers.iter().any(|peer| matches!(peer, Peer::Podman { .. }));
    let engine = has_podman.then(|| Engine::start(folder.path())).transpose()?;
    let mut rows = Vec::new();
    for (count, spec) in ROWS {
        let mut contest = Contest::of(9, Duration::from_secs(10));
        contest.add("Buildyard", Role::Ours, || {
            if count == 1 {
                return one_by_one(&service);
            }
            let taken = builds::crowd(&service, count)?;
            Ok(vec![count as f64 / taken.as_secs_f64()])
        });
        for peer in &peers {
            contest.add(peer.name(), peer.role(), || {
                let is_large = matches!(peer, Peer::GitlabCiLocal { .. });
                ensure!(!is_large || count <= LARGE_MAX, "so many do not fit the memory");
                at_once(count, || peer.run(HELLO).map(drop))
            });
        }
        if let Some(engine) = &engine {
            contest.add("podman by Docker's API", Role::Peer, || {
                at_once(count, || engine.run(HELLO).map(drop))
            });
        }
        if let Some(buildbot) = &buildbot {
            contest.add("Buildbot", Role::Peer, || {
                // A hundred take it more than two minutes, and those after it would be measured
                // beside what is left of them.
                ensure!(count <= SLOW_MAX, "so many last too long");
                at_once(count, || buildbot.force(":").and_then(|build| buildbot.wait(build)))
            });
        }
        let mut figures = contest.run(1)?;
        rows.push((spec, figures.remove(0)));
    }
    Ok(rows)
}

fn one_by_one(service: &Service) -> Result<Vec<f64>> {
    let mut client = service.client()?;
    let began = Instant::now();
    for _ in 0..ONE_BY_ONE {
        builds::to_success(service, &mut client, builds::NO_OP)?;
    }
    Ok(vec![ONE_BY_ONE as f64 / began.elapsed().as_secs_f64()])
}

/// Runs so many, all begun at once.
fn at_once(count: usize, run: impl Fn() -> Result<()> + Sync) -> Result<Vec<f64>> {
    let began = Instant::now();
    thread::scope(|scope| {
        let runs: Vec<_> = (0..count).map(|_| scope.spawn(&run)).collect();
        runs.into_iter().try_for_each(|run| run.join().expect("a run does not panic"))
    })?;
    Ok(vec![count as f64 / began.elapsed().as_secs_f64()])
}
