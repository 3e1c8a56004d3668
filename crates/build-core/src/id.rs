//! The names of things.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A project's name: 2 to 150 letters, digits, hyphens and underscores, the first a letter or digit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ProjectName(String);

impl ProjectName {
    /// The name with this text, if it is one.
    pub fn new(text: impl Into<String>) -> Option<Self> {
        let text = text.into();
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        let fits = (2..=150).contains(&text.len())
            && text.bytes().all(plain)
            && text.as_bytes()[0].is_ascii_alphanumeric();
        fits.then_some(Self(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ProjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for ProjectName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::new(text.clone()).ok_or_else(|| format!("not a project name: {text:?}"))
    }
}

impl From<ProjectName> for String {
    fn from(name: ProjectName) -> Self {
        name.0
    }
}

/// A build's id, written `<project>:<uuid>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BuildId {
    project: ProjectName,
    uuid: String,
}

impl BuildId {
    /// The id of a build of `project`, `uuid` being 36 lower-case characters.
    pub fn new(project: ProjectName, uuid: impl Into<String>) -> Option<Self> {
        let uuid = uuid.into();
        let plain = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b) || b == b'-';
        (uuid.len() == 36 && uuid.bytes().all(plain)).then_some(Self { project, uuid })
    }

    /// Reads `<project>:<uuid>`.
    pub fn parse(text: &str) -> Option<Self> {
        let (project, uuid) = text.split_once(':')?;
        Self::new(ProjectName::new(project)?, uuid)
    }

    /// The project's name as it was when the build started.
    pub fn project(&self) -> &ProjectName {
        &self.project
    }

    /// The part that is the build's alone: also its log stream's name and its container's.
    pub fn uuid(&self) -> &str {
        &self.uuid
    }
}

impl fmt::Display for BuildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.project, self.uuid)
    }
}

impl TryFrom<String> for BuildId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or_else(|| format!("not a build id: {text:?}"))
    }
}

impl From<BuildId> for String {
    fn from(id: BuildId) -> Self {
        id.to_string()
    }
}
