//! Every sentence about a buildspec that a user can read, each behind a constructor of its own.
//!
//! It must not know how problems are found; only what they are and how they are told.

mod batch;
mod shape;
mod text;
mod trap;
mod value;

use crate::rule::Rule;
use crate::yaml::Place;
use std::ops::Range;

/// How much a problem matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The buildspec can be used; something in it may not be what its author meant.
    Warning,
    /// The buildspec cannot be used.
    Error,
}

/// One problem and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// How much it matters.
    pub severity: Severity,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// How many characters of the line are meant, at least 1.
    pub width: usize,
    /// What kind of problem it is.
    pub rule: Rule,
    /// What is wrong.
    pub message: String,
    /// What would be right, when that is known.
    pub help: Option<String>,
    aws_message: Option<String>,
    /// The bytes that are meant.
    pub(crate) bytes: Range<usize>,
    /// Whether what follows the place must not be shown.
    pub(crate) conceals: bool,
}

/// What a node turned out to be, in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Nothing,
    Text,
    List,
    Mapping,
}

impl Found {
    fn words(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Text => "text",
            Self::List => "a list",
            Self::Mapping => "a mapping",
        }
    }
}

impl Problem {
    /// The wording for the phase context `YAML_FILE_ERROR`: CodeBuild's own where it is known.
    pub fn aws_message(&self) -> String {
        match &self.aws_message {
            Some(message) => message.clone(),
            None => format!("{} at line {}", self.message, self.line),
        }
    }

    fn new(rule: Rule, place: Place, message: impl Into<String>) -> Self {
        let Place { line, column, width, start, end } = place;
        Self {
            severity: rule.severity(),
            line,
            column,
            width,
            rule,
            message: message.into(),
            help: None,
            aws_message: None,
            bytes: start..end,
            conceals: false,
        }
    }

    pub(crate) fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    fn aws(self, message: impl Into<String>) -> Self {
        Self { aws_message: Some(message.into()), ..self }
    }
}

/// One entry of a list of commands.
#[derive(Clone, Copy)]
pub(crate) struct CommandItem<'t> {
    /// The list, such as `phases.build.commands`.
    pub(crate) path: &'t str,
    /// The entry's number, from 0.
    pub(crate) index: usize,
    /// The entry's line.
    pub(crate) line: usize,
}

/// A value and the key it belongs to.
#[derive(Clone, Copy)]
pub(crate) struct Value<'t> {
    /// The key, such as `cache.action`.
    pub(crate) path: &'t str,
    /// The value's text.
    pub(crate) text: &'t str,
}

/// The keys that a buildspec has at its top.
pub(crate) const TOP_LEVEL_KEYS: &[&str] =
    &["version", "run-as", "env", "proxy", "batch", "phases", "reports", "artifacts", "cache"];

/// The keys that a phase may have.
pub(crate) const PHASE_KEYS: &[&str] =
    &["commands", "finally", "on-failure", "run-as", "runtime-versions"];

/// What CodeBuild's YAML library says of `*` with something that is no name behind it.
const NO_ANCHOR_NAME: &str = "did not find expected alphabetic or numeric character";

fn found_subkeys(index: usize, line: usize) -> String {
    format!(
        "Expected Commands[{index}] to be of string type: found subkeys instead at line {line}, \
         value of the key tag on line {} might be empty",
        line.saturating_sub(1)
    )
}

/// Text of the user's in a sentence of ours: short, on one line, without control characters.
fn shown(text: &str) -> String {
    const SHOWN_MAX: usize = 60;
    let mut chars = text.chars();
    let mut shown: String = chars
        .by_ref()
        .take(SHOWN_MAX)
        .map(|char| if char.is_control() { ' ' } else { char })
        .collect();
    if chars.next().is_some() {
        shown.push('…');
    }
    shown
}
