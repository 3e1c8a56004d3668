//! Output: how much a second is taken, and how late a line is seen.

use super::{
    Contest, Peer, Race, Spec, folder,
    peer::{self, RUN_MAX},
    servers::Buildbot,
    service,
    table::{Figure, Role},
};
use crate::{builds, client::Client, service::Service};
use anyhow::{Context, Result, ensure};
use serde_json::json;
use std::{
    path::Path,
    thread,
    time::{Duration, Instant, SystemTime},
};

const ROWS: [Spec; 2] = [
    Spec::new("log", "a build that prints, until its log is on the disk", "MB/s").more(),
    Spec::new("log-delay", "a line, from its printing until it is read", "ms"),
];
/// Each line is told when it was printed, twenty milliseconds apart.
const STAMPS: &str = "for n in 1 2 3 4 5 6 7 8 9 10; do sleep 0.02; date +at=%s%N; done";
/// What is printed by those who take much.
const MANY: u64 = 200_000_000;
/// What is printed by those for whom that would last too long.
const FEW: u64 = 10_000_000;

fn print(bytes: u64) -> String {
    format!(
        "yes '[INFO] a line as compilers and test runners print them, ninety-nine letters and its \
         end: 0123456789' | head -c {bytes}"
    )
}

fn rate(bytes: u64, taken: Duration) -> f64 {
    bytes as f64 / 1e6 / taken.as_secs_f64()
}

/// Measures both.
pub(super) fn measure(race: &Race<'_>) -> Result<Vec<(Spec, Vec<Figure>)>> {
    let folder = folder()?;
    let peers = Peer::all(folder.path(), &race.peers, &[])?;
    let (service, mut client) = service(race, folder.path(), "")?;
    let buildbot = Buildbot::start(folder.path(), &race.peers)?;
    let mut contest = Contest::of(9, Duration::from_secs(15));
    contest.add("Buildyard", Role::Ours, || {
        let printed = printed(&service, &mut client)?;
        let delay = delay(&service, &mut client)?;
        Ok(vec![rate(MANY, printed), delay])
    });
    for peer in &peers {
        contest.add(peer.name(), peer.role(), || {
            let bytes = if matches!(peer, Peer::GitlabCiLocal { .. }) { FEW } else { MANY };
            let taken = kept(peer, folder.path(), bytes)?;
            Ok(vec![rate(bytes, taken), delay_of(peer)?])
        });
    }
    if let Some(buildbot) = &buildbot {
        contest.add("Buildbot", Role::Peer, || {
            let began = Instant::now();
            buildbot.wait(buildbot.force(&print(FEW))?)?;
            Ok(vec![rate(FEW, began.elapsed()), delay_by(buildbot)?])
        });
    }
    let figures = contest.run(2)?;
    Ok(ROWS.into_iter().zip(figures).collect())
}

fn start(client: &mut Client, command: &str) -> Result<String> {
    let buildspec = json!({ "version": "0.2", "phases": { "build": { "commands": [command] } } });
    let asked = json!({ "projectName": builds::NO_OP, "buildspecOverride": buildspec.to_string() });
    let started = client.codebuild("StartBuild", &asked)?;
    Ok(started["build"]["id"].as_str().context("a build's id")?.to_owned())
}

fn printed(service: &Service, client: &mut Client) -> Result<Duration> {
    rustix::fs::sync();
    let began = Instant::now();
    let id = start(client, &print(MANY))?;
    while !builds::succeeded(client, &id)? {
        ensure!(began.elapsed() < RUN_MAX, "it had not ended after {RUN_MAX:?}");
        thread::sleep(Duration::from_millis(5));
    }
    let taken = began.elapsed();
    service.settle()?;
    Ok(taken)
}

/// A peer's output to a file, or where the peer itself keeps it, on the disk as ours is when a build
/// has ended.
fn kept(peer: &Peer, folder: &Path, bytes: u64) -> Result<Duration> {
    let file = folder.join("printed");
    let mut command = peer.command(&print(bytes))?;
    command.stdout(std::fs::File::create(&file)?).stderr(std::process::Stdio::null());
    rustix::fs::sync();
    let ended = peer::ended(&mut command)?;
    let began = Instant::now();
    rustix::fs::syncfs(std::fs::File::open(folder)?)?;
    let taken = ended + began.elapsed();
    ensure!(std::fs::metadata(&file)?.len() >= bytes, "its output is not whole");
    std::fs::remove_file(file)?;
    Ok(taken)
}

/// The stamps in a text, each in nanoseconds, as far as their lines have ended.
fn stamps(text: &[u8]) -> Vec<u128> {
    let text = String::from_utf8_lossy(text);
    let stamp = |after: &str| {
        let end = after.find(|letter: char| !letter.is_ascii_digit())?;
        after[..end].parse().ok()
    };
    text.split("at=").skip(1).filter_map(stamp).collect()
}

fn now() -> Result<u128> {
    Ok(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_nanos())
}

/// The median of what a reader was behind.
fn median(mut delays: Vec<u128>) -> Result<f64> {
    ensure!(delays.len() == 10, "{} lines of ten", delays.len());
    delays.sort_unstable();
    Ok(delays[5] as f64 / 1e6)
}

/// A client that follows the log, as `aws logs start-live-tail` does.
fn delay(service: &Service, client: &mut Client) -> Result<f64> {
    let mut tail = builds::follow(client, builds::NO_OP)?;
    let id = start(client, STAMPS)?;
    let mut delays = Vec::new();
    while delays.len() < 10 {
        let found = stamps(tail.more()?);
        let read = now()?;
        let new = found.iter().skip(delays.len());
        delays.extend(new.map(|stamp| read.saturating_sub(*stamp)).collect::<Vec<_>>());
    }
    builds::ended(client, &id)?;
    service.settle()?;
    median(delays)
}

fn delay_of(peer: &Peer) -> Result<f64> {
    let began = now()?;
    let taken = peer.run(STAMPS)?;
    let mut delays = Vec::new();
    let mut seen = 0;
    for (at, length) in &taken.marks {
        let read = began + at.as_nanos();
        let found = stamps(&taken.printed[..*length]);
        delays.extend(found.iter().skip(seen).map(|stamp| read.saturating_sub(*stamp)));
        seen = found.len();
    }
    median(delays)
}

fn delay_by(buildbot: &Buildbot) -> Result<f64> {
    let request = buildbot.force(STAMPS)?;
    let mut delays = Vec::new();
    while delays.len() < 10 {
        let found = stamps(&buildbot.log(request)?);
        let read = now()?;
        let new: Vec<u128> = found.iter().skip(delays.len()).copied().collect();
        delays.extend(new.into_iter().map(|stamp| read.saturating_sub(stamp)));
        thread::sleep(Duration::from_millis(1));
    }
    buildbot.wait(request)?;
    median(delays)
}
