//! Memory: of what serves, idle and while ten builds run.

use super::{
    Contest, Race, Spec, folder,
    servers::{Buildbot, Engine, Moto},
    service,
    table::{Figure, Role},
};
use crate::{builds, service::memory_of};
use anyhow::Result;
use serde_json::json;
use std::{thread, time::Duration};

const ROWS: [Spec; 2] = [
    Spec::new("memory", "memory of what serves, idle", "MiB"),
    Spec::new("memory-load", "memory of what serves while 10 builds run", "MiB"),
];
const BUILDS: usize = 10;

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// Measures servers that have just begun, and then with builds.
pub(super) fn measure(race: &Race<'_>) -> Result<Vec<(Spec, Vec<Figure>)>> {
    let mut contest = Contest::of(3, Duration::from_secs(30));
    contest.add("Buildyard, with its agents", Role::Ours, || ours(race));
    if race.peers.join("venv/bin/buildbot").exists() {
        contest.add("Buildbot, with its worker", Role::Peer, || buildbot(race));
    }
    if super::version("podman", &["--version"]).is_some() {
        contest.add("podman's service, idle alone", Role::Peer, || {
            let folder = folder()?;
            Ok(vec![mib(Engine::start(folder.path())?.memory()?)])
        });
    }
    if race.peers.join("venv/bin/moto_server").exists() {
        contest.add("moto, which runs none", Role::Peer, || {
            let moto = Moto::start(&race.peers)?;
            moto.iter().map(|moto| moto.memory().map(mib)).collect()
        });
    }
    let figures = contest.run(2)?;
    Ok(ROWS.into_iter().zip(figures).collect())
}

fn ours(race: &Race<'_>) -> Result<Vec<f64>> {
    let folder = folder()?;
    let configuration = format!("[builds]\nat_once_max = {BUILDS}\nmemory_percent = 100000\n");
    let (service, mut client) = service(race, folder.path(), &configuration)?;
    let idle = service.memory()?;
    let ids = (0..BUILDS)
        .map(|_| builds::start(&mut client, builds::SLEEP))
        .collect::<Result<Vec<_>>>()?;
    while service.agents()?.len() < BUILDS {
        thread::sleep(Duration::from_millis(20));
    }
    thread::sleep(Duration::from_millis(500));
    let mut loaded = service.memory()?;
    for agent in service.agents()? {
        loaded += memory_of(agent, "Pss:")?;
    }
    for id in &ids {
        client.codebuild("StopBuild", &json!({ "id": id }))?;
    }
    service.settle()?;
    Ok(vec![mib(idle), mib(loaded)])
}

fn buildbot(race: &Race<'_>) -> Result<Vec<f64>> {
    let folder = folder()?;
    let Some(buildbot) = Buildbot::start(folder.path(), &race.peers)? else { return Ok(vec![]) };
    let idle = buildbot.memory()?;
    let builds = (0..BUILDS).map(|_| buildbot.force("sleep 2")).collect::<Result<Vec<_>>>()?;
    thread::sleep(Duration::from_millis(1_500));
    let loaded = buildbot.memory()?;
    builds.into_iter().try_for_each(|build| buildbot.wait(build))?;
    Ok(vec![mib(idle), mib(loaded)])
}
