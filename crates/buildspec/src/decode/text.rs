//! The whole text: its size, its YAML, its sections.

use super::reader::{Reader, UnknownKey};
use crate::allow::Allowed;
use crate::limits::TEXT_BYTES_MAX;
use crate::model::{Buildspec, Env, Phases, Proxy, Version};
use crate::problem::{Problem, TOP_LEVEL_KEYS};
use crate::problems::Problems;
use crate::yaml::{Entry, Node, Place, load};

/// What [`parse`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// The buildspec, if no problem is an error.
    pub buildspec: Option<Buildspec>,
    /// Every problem in the order of the text.
    pub problems: Vec<Problem>,
    /// How many problems there are, at least, that are too many to be told.
    pub untold: usize,
    /// The keys that mean nothing where they stand, which CodeBuild lists in the build's log.
    pub unknown_keys: Vec<UnknownKey>,
}

impl Parsed {
    /// The problem that a build fails with: the first error.
    pub fn first_error(&self) -> Option<&Problem> {
        self.problems.iter().find(|problem| problem.severity == crate::Severity::Error)
    }
}

/// Reads a buildspec.
///
/// Never panics. Time and memory grow with the text and end at the limits, past which the text is
/// refused with a problem of its own.
pub fn parse(text: &str) -> Parsed {
    let mut problems = Problems::default();
    let found = read(text, &mut problems);
    let usable = !problems.has_errors();
    let (buildspec, unknown_keys) = match found {
        Some((buildspec, keys)) => (Some(buildspec), keys),
        None => (None, Vec::new()),
    };
    let buildspec = buildspec.filter(|_| usable);
    let untold = problems.untold();
    Parsed { buildspec, problems: problems.into_sorted(), untold, unknown_keys }
}

fn read(text: &str, problems: &mut Problems) -> Option<(Buildspec, Vec<UnknownKey>)> {
    if text.len() > TEXT_BYTES_MAX {
        problems.push(Problem::text_too_large());
        return None;
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (allowed, unknown) = Allowed::read(text);
    problems.allow(allowed);
    unknown.into_iter().for_each(|problem| problems.push(problem));
    let root = match load(text, problems) {
        Ok(root) => root.filter(|root| !root.is_null()),
        Err(problem) => {
            problems.push(problem);
            return None;
        }
    };
    let Some(root) = root else {
        problems.push(Problem::nothing_there());
        return None;
    };
    let Some(entries) = root.entries() else {
        problems.push(Problem::not_a_mapping(root.place, root.found()));
        return None;
    };
    let mut reader = Reader::new(text, problems);
    let buildspec = sections(entries, &root, &mut reader);
    Some((buildspec, reader.into_unknown_keys()))
}

/// Where each section is, if it is there.
#[derive(Default)]
struct Sections<'n> {
    version: Option<&'n Entry>,
    run_as: Option<&'n Entry>,
    env: Option<&'n Entry>,
    proxy: Option<&'n Entry>,
    batch: Option<&'n Entry>,
    phases: Option<&'n Entry>,
    reports: Option<&'n Entry>,
    artifacts: Option<&'n Entry>,
    cache: Option<&'n Entry>,
    environment_variables: Option<&'n Entry>,
}

fn sections(entries: &[Entry], root: &Node, reader: &mut Reader<'_>) -> Buildspec {
    let found = find(entries, reader);
    // The builds of a batch may all have buildspecs of their own.
    if found.phases.is_none() && found.batch.is_none() {
        reader.problem(Problem::phases_missing(root.place));
    }
    let version = version(&found, root.place, reader);
    let mut env = found.env.map_or_else(Env::default, |entry| reader.env(entry));
    if let Some(entry) = found.environment_variables {
        match version {
            Version::V0_1 => env.variables.extend(reader.plaintext_variables(entry)),
            Version::V0_2 => {
                reader.note_unknown(entry, "");
                reader.problem(Problem::old_variables(entry.key_place));
            }
        }
    }
    let phases = found.phases.map_or_else(Phases::default, |entry| reader.phases(entry));
    let buildspec = Buildspec {
        version,
        run_as: found.run_as.and_then(|entry| reader.user(&entry.value, "run-as")),
        env,
        proxy: found.proxy.map_or_else(Proxy::default, |entry| reader.proxy(entry)),
        batch: found.batch.and_then(|entry| reader.batch(entry)),
        phases,
        reports: found.reports.map_or_else(Vec::new, |entry| reader.reports(entry)),
        artifacts: found.artifacts.and_then(|entry| reader.artifacts(entry)),
        cache: found.cache.and_then(|entry| reader.cache(entry)),
    };
    if let Some(section) = found.phases {
        reader.traps(section, found.env, &buildspec);
    }
    buildspec
}

fn find<'n>(entries: &'n [Entry], reader: &mut Reader<'_>) -> Sections<'n> {
    let mut found = Sections::default();
    for entry in entries {
        match &*entry.key {
            "version" => found.version = Some(entry),
            "run-as" => found.run_as = Some(entry),
            "env" => found.env = Some(entry),
            "proxy" => found.proxy = Some(entry),
            "batch" => found.batch = Some(entry),
            "phases" => found.phases = Some(entry),
            "reports" => found.reports = Some(entry),
            "artifacts" => found.artifacts = Some(entry),
            "cache" => found.cache = Some(entry),
            "environment_variables" => found.environment_variables = Some(entry),
            _ => reader.unknown_key(entry, "", TOP_LEVEL_KEYS),
        }
    }
    found
}

fn version(found: &Sections<'_>, root: Place, reader: &mut Reader<'_>) -> Version {
    let entry = found.version;
    let Some(node) = entry.map(|entry| &entry.value).filter(|node| !node.is_null()) else {
        reader.problem(match (found.batch, found.phases) {
            (Some(batch), None) => Problem::version_missing_in_batch(batch.key_place),
            _ => Problem::version_missing(root),
        });
        return Version::V0_2;
    };
    let Some(text) = reader.text(node, "version") else { return Version::V0_2 };
    match text.trim() {
        "0.1" | ".1" | "0.10" => Version::V0_1,
        "0.2" | ".2" | "0.20" => Version::V0_2,
        other => {
            reader.problem(Problem::version_unknown(node.place, other));
            Version::V0_2
        }
    }
}
