//! From the command line to a build's request.

use super::{BUCKET, BuildHere};
use crate::{
    build_request::{BuildRequest, LocalRun},
    config::Config,
    executors::{ExecutorName, VARIABLE},
    provision::is_inline_buildspec,
};
use agent_protocol::{AgentPhase, Course};
use anyhow::Context;
use build_core::{BuildId, ProjectName, limits};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use std::{
    fs,
    path::{Path, PathBuf},
};
use uuid::Uuid;
use wire::codebuild::{
    ArtifactsType, CacheMode, CacheType, ComputeType, EnvironmentType, EnvironmentVariable,
    Project, ProjectArtifacts, ProjectCache, ProjectEnvironment, ProjectSource, SourceType,
};

/// Reads `NAME=VALUE`.
pub(super) fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("{text:?} is not NAME=VALUE")),
    }
}

/// Reads `ID=DIR`. AWS: identifiers are of letters, digits and underscores.
pub(super) fn secondary_source(text: &str) -> Result<(String, PathBuf), String> {
    let plain = |id: &str| id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    match text.split_once('=') {
        Some((id, folder)) if !id.is_empty() && plain(id) && !folder.is_empty() => {
            Ok((id.to_owned(), folder.into()))
        }
        _ => Err(format!("{text:?} is not ID=DIR, with an ID of letters, digits and underscores")),
    }
}

/// Reads the name of a phase from `first` on.
pub(super) fn phase(first: AgentPhase) -> impl TypedValueParser<Value = AgentPhase> {
    let phases = AgentPhase::ALL.into_iter().filter(move |phase| *phase >= first);
    let names: Vec<&str> = phases.map(AgentPhase::as_str).collect();
    PossibleValuesParser::new(names).map(|name| {
        let named = |phase: &AgentPhase| phase.as_str().eq_ignore_ascii_case(&name);
        AgentPhase::ALL.into_iter().find(named).expect("only names of phases are let in")
    })
}

impl BuildHere {
    /// What the command line asks for.
    pub(super) fn request(&self, config: &Config) -> anyhow::Result<BuildRequest> {
        if let (Some(from), Some(until)) = (self.from, self.until) {
            anyhow::ensure!(
                from <= until,
                "nothing would run: --from {} comes after --until {}",
                from.as_str().to_ascii_lowercase(),
                until.as_str().to_ascii_lowercase()
            );
        }
        let folder = existing(self.source.as_ref().unwrap_or(&self.folder))?;
        let secondary_sources = self.secondary_sources.iter();
        let secondary_sources = secondary_sources
            .map(|(id, folder)| Ok((id.clone(), existing(folder)?)))
            .collect::<anyhow::Result<_>>()?;
        let course =
            Course { from: self.from, until: self.until, shell_on_failure: self.shell_on_failure };
        let name = project_name(&folder);
        let timeout_minutes = match self.shell_on_failure {
            // Whoever looks around should not be hurried.
            true => limits::TIMEOUT_MINUTES_MAX,
            false => limits::TIMEOUT_MINUTES_DEFAULT,
        };
        Ok(BuildRequest {
            account_id: config.account_id.as_str().to_owned(),
            region: config.region().to_owned(),
            initiator: std::env::var("USER").unwrap_or_else(|_| "local".into()),
            project: self.project(&name, &folder)?,
            id: BuildId::new(name, Uuid::new_v4().to_string()).expect("a fresh UUID is one"),
            source_version: None,
            source_commit: None,
            timeout_minutes,
            queued_timeout_minutes: limits::QUEUED_TIMEOUT_MINUTES_DEFAULT,
            debug_session: false,
            retry: None,
            cache_invalidated_at: None,
            executor: config.executors.default,
            local: Some(LocalRun { source: folder, secondary_sources, course }),
        })
    }

    /// The executor that is asked for: by the flag, or as a build of a project does.
    pub(super) fn executor(&self) -> anyhow::Result<Option<ExecutorName>> {
        let chosen = self.variables()?.into_iter().rev().find(|(name, _)| name == VARIABLE);
        match (self.executor, chosen) {
            (Some(name), _) => Ok(Some(name)),
            (None, Some((_, name))) => Ok(Some(name.parse().map_err(anyhow::Error::msg)?)),
            (None, None) => Ok(None),
        }
    }

    fn project(&self, name: &ProjectName, folder: &Path) -> anyhow::Result<Project> {
        let variables = self.variables()?.into_iter();
        let variables =
            variables.map(|(name, value)| EnvironmentVariable { name, value, r#type: None });
        let secondary_artifacts = secondary_artifacts(folder, self.buildspec.as_deref());
        let secondary_sources = self.secondary_sources.iter().map(|(id, folder)| ProjectSource {
            r#type: SourceType::NoSource,
            location: Some(folder.display().to_string()),
            source_identifier: Some(id.clone()),
            ..ProjectSource::default()
        });
        Ok(Project {
            name: Some(name.as_str().to_owned()),
            source: Some(ProjectSource {
                r#type: SourceType::NoSource,
                location: Some(folder.display().to_string()),
                buildspec: self.buildspec.clone(),
                ..ProjectSource::default()
            }),
            secondary_sources: Some(secondary_sources.collect()),
            artifacts: Some(artifact(None)),
            secondary_artifacts: Some(
                secondary_artifacts.into_iter().map(Some).map(artifact).collect(),
            ),
            cache: Some(ProjectCache { r#type: CacheType::NoCache, ..ProjectCache::default() }),
            environment: Some(ProjectEnvironment {
                r#type: EnvironmentType::LinuxContainer,
                image: self.image.clone(),
                compute_type: ComputeType::BuildGeneral12xlarge,
                environment_variables: Some(variables.collect()),
                ..ProjectEnvironment::default()
            }),
            ..Project::default()
        })
    }

    /// All variables, the last of a name being the one that counts.
    fn variables(&self) -> anyhow::Result<Vec<(String, String)>> {
        let mut all: Vec<(String, String)> = Vec::new();
        let mut set = |name: String, value: String| {
            all.retain(|(known, _)| *known != name);
            all.push((name, value));
        };
        for file in &self.variable_files {
            let text = fs::read_to_string(file)
                .with_context(|| format!("failed to read {}", file.display()))?;
            for (name, value) in variables_of(&text, |name| std::env::var(name).ok())
                .with_context(|| format!("failed to understand {}", file.display()))?
            {
                set(name, value);
            }
        }
        for (name, value) in &self.variables {
            set(name.clone(), value.clone());
        }
        Ok(all)
    }
}

/// A cache in a folder of this machine.
pub(super) fn local_cache() -> ProjectCache {
    ProjectCache {
        r#type: CacheType::Local,
        modes: Some(vec![CacheMode::LocalCustomCache]),
        ..ProjectCache::default()
    }
}

fn existing(folder: &Path) -> anyhow::Result<PathBuf> {
    let found = fs::canonicalize(folder)
        .with_context(|| format!("failed to find the folder {}", folder.display()))?;
    anyhow::ensure!(found.is_dir(), "{} is not a folder", found.display());
    Ok(found)
}

/// Reads a file of variables. AWS: its local agent keeps quotes as a part of the value, too.
fn variables_of(
    text: &str,
    own: impl Fn(&str) -> Option<String>,
) -> anyhow::Result<Vec<(String, String)>> {
    let mut variables = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match line.split_once('=') {
            Some(("", _)) => anyhow::bail!("line {number} has no name before the =: {line}"),
            Some((name, value)) => variables.push((name.trim_end().to_owned(), value.to_owned())),
            None => variables
                .extend(own(line.trim_end()).map(|value| (line.trim_end().to_owned(), value))),
        }
    }
    Ok(variables)
}

/// Where an artifact goes: its files themselves, a secondary one's in a folder of its own.
fn artifact(identifier: Option<String>) -> ProjectArtifacts {
    ProjectArtifacts {
        r#type: ArtifactsType::S3,
        location: Some(BUCKET.into()),
        name: Some("/".into()),
        path: identifier.clone(),
        artifact_identifier: identifier,
        ..ProjectArtifacts::default()
    }
}

/// The secondary artifacts that the buildspec defines. What is wrong with it, the build will tell.
fn secondary_artifacts(folder: &Path, given: Option<&str>) -> Vec<String> {
    let text = match given {
        Some(text) if is_inline_buildspec(text) => text.to_owned(),
        path => {
            fs::read_to_string(folder.join(path.unwrap_or("buildspec.yml"))).unwrap_or_default()
        }
    };
    let artifacts = buildspec::parse(&text).buildspec.and_then(|buildspec| buildspec.artifacts);
    let secondary = artifacts.map(|artifacts| artifacts.secondary).unwrap_or_default();
    secondary.into_iter().map(|(identifier, _)| identifier).collect()
}

/// The folder's name, as near as a project's name can be.
fn project_name(folder: &Path) -> ProjectName {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
    let name: String = name.chars().map(plain).take(150).collect();
    ProjectName::new(name.trim_start_matches(['-', '_']))
        .unwrap_or_else(|| ProjectName::new("local").expect("it is a project's name"))
}

#[cfg(test)]
mod tests {
    use super::{project_name, variables_of};
    use std::path::Path;

    #[test]
    fn any_folder_has_a_project_name() {
        for (folder, name) in [("/x/maven-jar", "maven-jar"), ("/x/.é bc", "bc"), ("/", "local")] {
            assert!(project_name(Path::new(folder)).as_str().ends_with(name), "{folder}");
        }
    }

    #[test]
    fn a_file_of_variables_is_taken_as_it_stands() {
        let own = |name: &str| (name == "HERE").then(|| "mine".to_owned());
        let text = "# who\nA=1\r\n\n  B = two words \nC=\"quoted\"\nD=\nHERE\nGONE\nE=a=b\n";
        let read = variables_of(text, own).expect("variables");
        let expected = [
            ("A", "1"),
            ("B", " two words "),
            ("C", "\"quoted\""),
            ("D", ""),
            ("HERE", "mine"),
            ("E", "a=b"),
        ];
        let read: Vec<_> = read.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(read, expected);
        assert!(variables_of("=x\n", |_| None).is_err());
    }
}
