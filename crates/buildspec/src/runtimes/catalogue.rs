//! The file `runtimes.yml` that CodeBuild's own images carry.
//!
//! It is read as a buildspec is: scalars keep their text, so that `3.10` stays what it says, and
//! what is too large or too deep is refused. Keys that mean nothing are passed over.

use crate::limits::TEXT_BYTES_MAX;
use crate::problem::Problem;
use crate::problems::Problems;
use crate::yaml::{Entry, Node, NodeValue, load};

/// All runtimes that there are, in the order of their file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Runtimes(pub Vec<Runtime>);

/// A runtime, such as `java`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Runtime {
    /// Its name.
    pub name: String,
    /// Its versions.
    pub versions: Vec<RuntimeVersion>,
    /// How every version that is not among these is installed; `$VERSION` says which.
    pub other_versions: Option<RuntimeVersion>,
}

/// A version of a runtime.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuntimeVersion {
    /// Its name, such as `corretto17` or `3.10`.
    pub name: String,
    /// Other texts that select it.
    pub aliases: Vec<String>,
    /// The runtimes it needs beside itself, each with the versions that will do.
    pub requires: Vec<(String, Vec<String>)>,
    /// What makes it the version in use, in order.
    pub commands: Vec<String>,
}

impl Runtimes {
    /// Reads the text of `runtimes.yml`.
    ///
    /// # Errors
    /// The first thing that is wrong with it, as a sentence for the build's phase.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut problems = Problems::default();
        let told = |problem: &Problem| problem.aws_message();
        if text.len() > TEXT_BYTES_MAX {
            return Err(told(&Problem::text_too_large()));
        }
        let root = load(text.strip_prefix('\u{feff}').unwrap_or(text), &mut problems);
        let root = root.map_err(|problem| told(&problem))?;
        if problems.has_errors() {
            return Err(problems.into_sorted().first().map(told).unwrap_or_default());
        }
        let found = root.as_deref().and_then(|root| member(root, "runtimes"));
        let entries = found.and_then(Node::entries).unwrap_or_default();
        Ok(Self(entries.iter().map(runtime).collect()))
    }

    /// The runtime of this name.
    pub(super) fn named(&self, name: &str) -> Option<&Runtime> {
        self.0.iter().find(|runtime| runtime.name == name)
    }
}

impl Runtime {
    /// The version that this text names.
    pub(super) fn version(&self, text: &str) -> Option<&RuntimeVersion> {
        let by_name = || self.versions.iter().find(|version| version.name == text);
        let by_alias = || {
            self.versions.iter().find(|version| version.aliases.iter().any(|alias| alias == text))
        };
        by_name().or_else(by_alias)
    }
}

fn runtime(entry: &Entry) -> Runtime {
    let entries = member(&entry.value, "versions").and_then(Node::entries).unwrap_or_default();
    let (other, named): (Vec<&Entry>, Vec<&Entry>) =
        entries.iter().partition(|entry| &*entry.key == "default");
    Runtime {
        name: entry.key.to_string(),
        versions: named.into_iter().map(version).collect(),
        other_versions: other.first().map(|entry| version(entry)),
    }
}

fn version(entry: &Entry) -> RuntimeVersion {
    let requires = member(&entry.value, "requires").and_then(Node::entries).unwrap_or_default();
    RuntimeVersion {
        name: entry.key.to_string(),
        aliases: Vec::new(),
        requires: requires
            .iter()
            .map(|entry| (entry.key.to_string(), texts(&entry.value)))
            .collect(),
        commands: member(&entry.value, "commands").map(texts).unwrap_or_default(),
    }
}

fn member<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    node.entries()?.iter().find(|entry| &*entry.key == key).map(|entry| &*entry.value)
}

/// The texts of a list; one text is taken as a list of one.
fn texts(node: &Node) -> Vec<String> {
    match &node.value {
        NodeValue::List(items) => {
            items.iter().filter_map(|item| item.text().map(str::to_owned)).collect()
        }
        NodeValue::Text { text, .. } => vec![text.clone()],
        NodeValue::Null | NodeValue::Mapping(_) => Vec::new(),
    }
}
