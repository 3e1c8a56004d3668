//! The model's constraints as data, next to the shapes that they constrain.

use crate::validation::{self, Violation};
use regex::Regex;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::OnceLock;

/// A type with its constraints. The values are generated, one static for each named shape.
#[derive(Debug)]
pub enum Schema {
    /// Text with limits.
    Text(Text),
    /// One of these texts.
    Enum(&'static [&'static str]),
    /// A whole number of 32 bits within limits.
    Integer(i64, i64),
    /// A whole number of 64 bits within limits.
    Long(i64, i64),
    /// A number within limits.
    Double(f64, f64),
    /// True or false.
    Boolean,
    /// A moment.
    Timestamp,
    /// Bytes.
    Blob,
    /// Values of one type, at least and at most so many.
    List(&'static Schema, usize, usize),
    /// Values of one type under texts, at least and at most so many.
    Map(&'static Schema, &'static Schema, usize, usize),
    /// Named members.
    Structure(Structure),
}

/// The constraints of a text. Lengths are in characters.
#[derive(Debug)]
pub struct Text {
    /// The least length.
    pub min: usize,
    /// The greatest length.
    pub max: usize,
    /// What the whole text has to match.
    pub pattern: Option<Pattern>,
    /// Whether messages must not repeat the text.
    pub sensitive: bool,
}

/// The members of a structure: name, whether it is required, type.
#[derive(Debug)]
pub struct Structure(pub &'static [(&'static str, bool, &'static Schema)]);

impl Structure {
    /// The type of the member of that name.
    pub fn member(&self, name: &str) -> Option<&'static Schema> {
        self.0.iter().find(|(member, ..)| *member == name).map(|(_, _, schema)| *schema)
    }
}

/// A regular expression, compiled at its first use.
#[derive(Debug)]
pub struct Pattern {
    /// As the model spells it, which is what messages show.
    pub text: &'static str,
    /// The same in this crate's dialect, without anchors.
    expression: &'static str,
    compiled: OnceLock<Regex>,
}

impl Pattern {
    /// A pattern that the model spells `text`, and `regex` spells `expression`.
    pub const fn new(text: &'static str, expression: &'static str) -> Self {
        Self { text, expression, compiled: OnceLock::new() }
    }

    /// Whether the whole of `value` matches.
    pub fn matches(&self, value: &str) -> bool {
        let compile = || {
            Regex::new(&format!(r"\A(?:{})\z", self.expression))
                .expect("codegen writes expressions that compile, and a test compiles them all")
        };
        self.compiled.get_or_init(compile).is_match(value)
    }
}

/// A generated structure.
pub trait Shape: Serialize + DeserializeOwned {
    /// The structure's members and their constraints.
    fn schema() -> &'static Schema;

    /// Every constraint of the model that this value violates.
    ///
    /// Members of a Rust value are never absent when the model requires them, so this finds
    /// everything but those; decoding a request finds those as well.
    fn validate(&self) -> Vec<Violation> {
        let mut tree = serde_json::to_value(self).expect("shapes have text keys only");
        validation::check(Self::schema(), &mut tree).expect("a shape is spelled as its schema says")
    }
}
