//! Which versions are used, what the log says about it, and what is run for it.
//!
//! AWS: the lines of the log and the sentences about what is not there are CodeBuild's; those about
//! dependencies only as far as they are known.

use super::catalogue::{Runtime, RuntimeVersion, Runtimes};
use super::version::{compare, resolve};
use thiserror::Error;

/// What came of a buildspec's `runtime-versions`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// What the log says, in order, also when it failed.
    pub lines: Vec<String>,
    /// What is run, in order; or why the phase fails.
    pub result: Result<Vec<Selected>, Unselectable>,
}

/// Why versions are not to be had, as the sentence with which the phase fails.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unselectable {
    /// There is no runtime of that name.
    #[error("{0}")]
    Runtime(String),
    /// The runtime is there, and not in that version.
    #[error("{0}")]
    Version(String),
    /// One runtime needs another version of another one than the one that is asked for.
    #[error("{0}")]
    Conflict(String),
}

/// A version that was selected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selected {
    /// The runtime's name.
    pub runtime: String,
    /// The value of `$VERSION` for the commands; none where they do not need it.
    pub version: Option<String>,
    /// What makes it the version in use, in order.
    pub commands: Vec<String>,
}

/// A runtime that was asked for, by the buildspec or by another runtime.
struct Wanted {
    runtime: String,
    version: String,
}

impl Runtimes {
    /// Selects what a buildspec asks for: names of runtimes with texts for versions, in which
    /// variables have been replaced.
    pub fn select(&self, asked: &[(String, String)]) -> Selection {
        let mut lines = Vec::new();
        let mut wanted = Vec::new();
        for (runtime, text) in asked {
            let resolved = self.named(runtime).and_then(|runtime| resolve(runtime, text));
            let version = match resolved {
                Some(version) => {
                    let to = &version.name;
                    lines.push(format!("Resolved '{runtime}' runtime alias '{text}' to '{to}'."));
                    to.clone()
                }
                None => text.clone(),
            };
            lines.push(format!(
                "Selecting '{runtime}' runtime version '{version}' based on manual selections..."
            ));
            wanted.push(Wanted { runtime: runtime.clone(), version });
        }
        let result = self.complete(wanted, &mut lines);
        Selection { lines, result }
    }

    /// Adds what is needed beside what was asked for; what others need comes before them.
    fn complete(
        &self,
        mut wanted: Vec<Wanted>,
        lines: &mut Vec<String>,
    ) -> Result<Vec<Selected>, Unselectable> {
        let manual = wanted.len();
        let mut selected = Vec::new();
        let mut at = 0;
        while let Some(Wanted { runtime, version }) = wanted.get(at) {
            let found = self.find(runtime, version)?;
            let (runtime, version) = (runtime.clone(), version.clone());
            for (needed, versions) in &found.0.requires {
                let chosen = wanted.iter().position(|other| other.runtime == *needed);
                let Some(chosen) = chosen else {
                    let dependency = self.dependency(needed, versions)?;
                    lines.push(format!(
                        "Selecting '{needed}' runtime version '{dependency}' based on the \
                         dependencies of runtime '{runtime}' version '{version}'..."
                    ));
                    wanted.push(Wanted { runtime: needed.clone(), version: dependency });
                    continue;
                };
                let other = &wanted[chosen].version;
                if versions.contains(other) {
                    continue;
                }
                if chosen < manual {
                    lines.push(format!(
                        "Runtime '{runtime}' version '{version}' has a dependency on runtime \
                         '{needed}', but '{needed}' version '{other}' has already been manually \
                         selected. Not attempting to override."
                    ));
                }
                return Err(Unselectable::Conflict(format!(
                    "Runtime '{runtime}' version '{version}' cannot be used with version '{other}' \
                     of {needed}. It requires one of the following versions: {}",
                    versions.join(", ")
                )));
            }
            selected.push(found.1);
            at += 1;
        }
        let mut ordered = selected.split_off(manual);
        ordered.reverse();
        ordered.append(&mut selected);
        Ok(ordered)
    }

    /// The first of the versions that will do and is there.
    fn dependency(&self, needed: &str, versions: &[String]) -> Result<String, Unselectable> {
        let runtime = self.named(needed).ok_or_else(|| self.unknown_runtime(needed))?;
        let there = versions.iter().find(|version| runtime.version(version).is_some());
        there.cloned().ok_or_else(|| unknown_version(runtime, &versions.join(", ")))
    }

    fn find(
        &self,
        runtime: &str,
        version: &str,
    ) -> Result<(&RuntimeVersion, Selected), Unselectable> {
        let found = self.named(runtime).ok_or_else(|| self.unknown_runtime(runtime))?;
        let selected = |with: &RuntimeVersion, version: Option<String>| Selected {
            runtime: runtime.to_owned(),
            version,
            commands: with.commands.clone(),
        };
        if let Some(known) = found.version(version) {
            return Ok((known, selected(known, None)));
        }
        let other = found.other_versions.as_ref().zip(plain_version(version));
        let (other, plain) = other.ok_or_else(|| unknown_version(found, version))?;
        Ok((other, selected(other, Some(plain))))
    }

    fn unknown_runtime(&self, name: &str) -> Unselectable {
        let mut names: Vec<&str> = self.0.iter().map(|runtime| runtime.name.as_str()).collect();
        names.sort_unstable();
        let names = names.join(", ");
        Unselectable::Runtime(format!(
            "Unknown runtime named '{name}'. This build image has the following runtimes: {names}"
        ))
    }
}

fn unknown_version(runtime: &Runtime, text: &str) -> Unselectable {
    let mut names: Vec<&str> = runtime.versions.iter().map(|version| &*version.name).collect();
    names.sort_unstable_by(|a, b| compare(a, b));
    names.dedup();
    Unselectable::Version(format!(
        "Unknown runtime version named '{text}' of {}. This build image has the following \
         versions: {}",
        runtime.name,
        names.join(", ")
    ))
}

/// The number of a version that has no entry of its own, without a vendor's name: `corretto15` is
/// 15. None for what is no version, such as `99.x`.
fn plain_version(text: &str) -> Option<String> {
    let number = text.trim_start_matches(|letter: char| letter.is_ascii_alphabetic());
    let is_version = number.starts_with(|first: char| first.is_ascii_digit())
        && number.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_+".contains(&byte))
        && !number.ends_with(".x");
    is_version.then(|| number.to_owned())
}
