//! The race: each row is measured for us and for everybody else who is installed, in turn.
//!
//! Results are kept row by row, so that rows can be measured one at a time.

mod api;
mod contest;
mod crowd;
mod files;
mod lines;
mod load;
mod peer;
mod plain;
mod runs;
mod servers;
mod table;

use crate::{builds, client::Client, service::Service};
use anyhow::{Context, Result};
use clap::ValueEnum;
use contest::Contest;
use peer::{Peer, version};
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};
use table::{Better, Figure, Goal, Row, Table};

/// A group of rows that are measured together.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Group {
    /// One build: until its first output, and as a whole.
    Start,
    /// Many builds at once.
    Crowd,
    /// A real build's time and processor time.
    Compile,
    /// How fast output is taken, and how late it is seen.
    Log,
    /// Calls of the API.
    Api,
    /// Memory.
    Memory,
    /// Sources, artifacts and caches.
    Files,
}

/// What is to be raced, and where things are.
pub(crate) struct Race<'a> {
    pub(crate) program: &'a Path,
    /// Where peers are installed that are no Debian packages.
    pub(crate) peers: PathBuf,
    /// Where the results are kept.
    pub(crate) results: PathBuf,
    pub(crate) groups: Vec<Group>,
    /// What the machine is and how busy, in words.
    pub(crate) machine: String,
}

/// What a row is called, and what it is to be.
struct Spec {
    name: &'static str,
    title: &'static str,
    unit: &'static str,
    better: Better,
    goal: Option<(&'static str, f64)>,
}

impl Spec {
    const fn new(name: &'static str, title: &'static str, unit: &'static str) -> Self {
        Self { name, title, unit, better: Better::Less, goal: None }
    }

    const fn more(self) -> Self {
        Self { better: Better::More, ..self }
    }

    const fn goal(self, against: &'static str, times: f64) -> Self {
        Self { goal: Some((against, times)), ..self }
    }
}

/// What a group is called on the command line.
fn name_of(group: Group) -> String {
    let value = group.to_possible_value().expect("no group is hidden");
    value.get_name().to_owned()
}

/// Measures what is asked for, and keeps it.
pub(crate) fn run(race: &Race<'_>) -> Result<()> {
    fs::create_dir_all(&race.results)?;
    for group in Group::value_variants() {
        if race.groups.is_empty() || race.groups.contains(group) {
            let rows = match group {
                Group::Start => runs::start(race)?,
                Group::Crowd => crowd::measure(race)?,
                Group::Compile => runs::compile(race)?,
                Group::Log => lines::measure(race)?,
                Group::Api => api::measure(race)?,
                Group::Memory => load::measure(race)?,
                Group::Files => files::measure(race)?,
            };
            race.keep(*group, rows)?;
        }
    }
    Ok(())
}

impl Race<'_> {
    fn keep(&self, group: Group, rows: Vec<(Spec, Vec<Figure>)>) -> Result<()> {
        let mut table = Table::read(&self.results.join("results.json"))?;
        for (at, (spec, figures)) in rows.into_iter().enumerate() {
            let goal = |(against, times): (&str, f64)| Goal { against: against.to_owned(), times };
            table.put(
                spec.name,
                Row {
                    order: group as usize * 100 + at,
                    group: name_of(group),
                    title: spec.title.to_owned(),
                    unit: spec.unit.to_owned(),
                    better: spec.better,
                    goal: spec.goal.map(goal),
                    machine: self.machine.clone(),
                    figures,
                },
            );
        }
        for (name, found) in self.versions() {
            let found = found.unwrap_or_else(|| "not here".to_owned());
            table.versions.insert(name.to_owned(), found);
        }
        table.write(&self.results)
    }

    fn versions(&self) -> [(&'static str, Option<String>); 7] {
        let bin = self.peers.join("venv/bin");
        [
            ("Buildyard", version(self.program, &["--version"])),
            ("runc", version("runc", &["--version"])),
            ("runsc", version("runsc", &["--version"])),
            ("podman", version("podman", &["--version"])),
            ("Buildbot", version(bin.join("buildbot"), &["--version"])),
            ("moto", version(bin.join("python"), &["-c", "import moto; print(moto.__version__)"])),
            (
                "gitlab-ci-local",
                version(self.peers.join("npm/node_modules/.bin/gitlab-ci-local"), &["--version"]),
            ),
        ]
    }
}

/// A service with the usual projects.
fn service(race: &Race<'_>, folder: &Path, configuration: &str) -> Result<(Service, Client)> {
    let folder = folder.join("ours");
    fs::create_dir_all(&folder)?;
    let service = Service::start(race.program, &folder, configuration)?;
    let mut client = service.client()?;
    builds::make_projects(&mut client)?;
    Ok((service, client))
}

/// A temporary folder on a disk, where a service's data would be.
fn folder() -> Result<tempfile::TempDir> {
    tempfile::tempdir_in("/var/tmp").context("a temporary folder")
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}
