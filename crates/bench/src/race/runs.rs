//! One build at a time: until its first output, as a whole, and a real one.

use super::{
    Contest, Peer, Race, Spec, folder, millis,
    servers::{Buildbot, Engine},
    service,
    table::{Figure, Role},
};
use crate::builds;
use anyhow::{Context, Result, ensure};
use serde_json::json;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

/// Prints what everybody looks for; written so that the command itself does not hold it.
pub(super) const HELLO: &str = "echo he''llo";
const START: [Spec; 2] = [
    Spec::new("start", "start to first output", "ms").goal("`podman run`", 8.0),
    Spec::new("no-op", "a no-op build, end to end", "ms"),
];
const COMPILE: [Spec; 2] = [
    Spec::new("compile", "a crate compiled, as a whole", "s").goal("bare `sh`", 0.98),
    Spec::new("compile-cpu", "a crate compiled, processor time", "s").goal("bare `sh`", 0.98),
];

/// From asking until the first output is readable, and until the end is told.
pub(super) fn start(race: &Race<'_>) -> Result<Vec<(Spec, Vec<Figure>)>> {
    let folder = folder()?;
    let peers = Peer::all(folder.path(), &race.peers, &[])?;
    let (service, mut client) = service(race, folder.path(), "")?;
    let buildbot = Buildbot::start(folder.path(), &race.peers)?;
    let has_podman = peers.iter().any(|peer| matches!(peer, Peer::Podman { .. }));
    let engine = has_podman.then(|| Engine::start(folder.path())).transpose()?;
    let mut contest = Contest::of(60, Duration::from_secs(15));
    contest.add("Buildyard", Role::Ours, || {
        let first = builds::to_first_output(&service, &mut client)?;
        let whole = builds::to_success(&service, &mut client, builds::NO_OP)?;
        Ok(vec![millis(first), millis(whole)])
    });
    for peer in &peers {
        contest.add(peer.name(), peer.role(), || {
            let taken = peer.run(HELLO)?;
            ensure!(super::peer::contains(&taken.printed, b"hello\n"), "no greeting");
            Ok(vec![millis(taken.first), millis(taken.whole)])
        });
    }
    if let Some(engine) = &engine {
        contest.add("podman by Docker's API", Role::Peer, || {
            let (first, whole) = engine.run(HELLO)?;
            Ok(vec![millis(first), millis(whole)])
        });
    }
    if let Some(buildbot) = &buildbot {
        contest.add("Buildbot", Role::Peer, || {
            let (first, whole) = buildbot.run(HELLO)?;
            Ok(vec![millis(first), millis(whole)])
        });
    }
    let figures = contest.run(2)?;
    Ok(START.into_iter().zip(figures).collect())
}

impl Peer {
    pub(super) fn role(&self) -> Role {
        match self {
            Self::Bare => Role::Limit,
            Self::Runc(_) | Self::Runsc(_) | Self::Podman { .. } | Self::GitlabCiLocal { .. } => {
                Role::Peer
            }
        }
    }
}

/// What is compiled: a crate of middle size with what it needs, fetched beforehand.
struct Crate {
    folder: PathBuf,
    tools: PathBuf,
}

impl Crate {
    fn fetch(folder: &Path) -> Result<Self> {
        let folder = folder.join("crate");
        fs::create_dir_all(folder.join("src"))?;
        let manifest = "[package]\nname = \"raced\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\
                        [dependencies]\nregex = \"=1.11.1\"\n[workspace]\n";
        fs::write(folder.join("Cargo.toml"), manifest)?;
        let main = "fn main() { assert!(regex::Regex::new(\"^a+$\").unwrap().is_match(\"aa\")) }\n";
        fs::write(folder.join("src/main.rs"), main)?;
        let done = Command::new("rustc").args(["--print", "sysroot"]).output()?;
        let tools = PathBuf::from(String::from_utf8(done.stdout)?.trim());
        let done = Command::new(tools.join("bin/cargo"))
            // Without `--quiet`, which would also keep the configuration to itself.
            .arg("vendor")
            .current_dir(&folder)
            .output()?;
        ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        fs::create_dir_all(folder.join(".cargo"))?;
        fs::write(folder.join(".cargo/config.toml"), done.stdout)?;
        Ok(Self { folder, tools })
    }

    /// The commands that compile it anew.
    fn script(&self) -> String {
        let (folder, tools) = (self.folder.display(), self.tools.display());
        format!(
            "export CARGO_TARGET_DIR=$(mktemp -d) PATH={tools}/bin:$PATH && \
             export CARGO_HOME=$CARGO_TARGET_DIR/home && \
             cp -r {folder} $CARGO_TARGET_DIR/raced && cd $CARGO_TARGET_DIR/raced && \
             cargo build --quiet --offline && cd / && rm -r $CARGO_TARGET_DIR"
        )
    }
}

/// A real build, wall clock and processor time, against the shell alone.
pub(super) fn compile(race: &Race<'_>) -> Result<Vec<(Spec, Vec<Figure>)>> {
    let folder = folder()?;
    let made = Crate::fetch(folder.path())?;
    let more = [made.folder.clone(), made.tools.clone()];
    let script = made.script();
    // Where `cc` is a link to; the image `host` has it by itself.
    let seen = [&more[..], &["/etc/alternatives".into()]].concat();
    let peers = Peer::all(folder.path(), &race.peers, &seen)?;
    let configuration = format!("[host_image]\nfolders = {}\n", json!(more));
    let (service, mut client) = service(race, folder.path(), &configuration)?;
    let buildspec = json!({ "version": "0.2", "phases": { "build": { "commands": [script] } } });
    let mut contest = Contest::of(12, Duration::from_secs(60));
    contest.add("Buildyard", Role::Ours, || {
        let mut tail = builds::follow(&client, builds::NO_OP)?;
        let used = service.processor_time()?;
        let began = Instant::now();
        let asked = json!({
            "projectName": builds::NO_OP, "buildspecOverride": buildspec.to_string(),
        });
        let started = client.codebuild("StartBuild", &asked)?;
        let id = started["build"]["id"].as_str().context("a build's id")?;
        builds::wait_following(&mut client, &mut tail, id)?;
        let whole = began.elapsed();
        service.settle()?;
        let used = service.processor_time()?.saturating_sub(used);
        Ok(vec![whole.as_secs_f64(), used.as_secs_f64()])
    });
    for peer in &peers {
        contest.add(peer.name(), peer.role(), || {
            let taken = peer.run(&script)?;
            let mut figures = vec![taken.whole.as_secs_f64(), taken.processor.as_secs_f64()];
            if matches!(peer, Peer::Podman { .. } | Peer::Runsc(_)) {
                // What they start is no child of theirs that they wait for.
                figures.truncate(1);
            }
            Ok(figures)
        });
    }
    let figures = contest.run(2)?;
    Ok(COMPILE.into_iter().zip(figures).collect())
}
