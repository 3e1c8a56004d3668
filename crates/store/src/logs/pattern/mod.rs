//! The language of filter patterns: terms, and comparisons of JSON.

mod json;
mod terms;
mod wildcard;

use json::Condition;
use std::str::FromStr;
use terms::Terms;
use thiserror::Error;

/// What events are to be like.
///
/// - nothing: any event;
/// - `a b`: with both; `?a ?b`: with either; `a -b`: with one and not the other; `"a b"`: with
///   the phrase; `%a+%`: with a match of the regular expression;
/// - `{ $.a.b = "x*" && ($.n > 5 || $.list[0] IS NULL) }`: JSON objects for which that holds.
///
/// Upper and lower case differ.
#[derive(Clone, Debug)]
pub struct Pattern(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Terms(Terms),
    Json(Condition),
}

/// Why a text is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PatternError {
    /// A term has characters that only a quoted one may have.
    #[error("invalid characters in the term {0:?}")]
    Term(String),
    /// It is not written as a pattern is.
    #[error("{0}")]
    Syntax(String),
}

impl Pattern {
    /// The pattern that every event matches.
    pub fn any() -> Self {
        Self(Kind::Terms(Terms::default()))
    }

    /// Says whether an event of this message is meant.
    pub fn matches(&self, message: &str) -> bool {
        match &self.0 {
            Kind::Terms(terms) => terms.match_text(message),
            Kind::Json(condition) => condition.match_text(message),
        }
    }
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let text = text.trim();
        let kind = if text.starts_with('{') {
            Kind::Json(json::parse(text)?)
        } else if text.starts_with('[') {
            let message = "patterns of space-delimited fields are not supported";
            return Err(PatternError::Syntax(message.to_owned()));
        } else {
            Kind::Terms(terms::parse(text)?)
        };
        Ok(Self(kind))
    }
}

/// Compiles the text between two `%`, bounded in the memory that it may take.
fn regular_expression(text: &str) -> Result<regex::Regex, PatternError> {
    const COMPILED_BYTES_MAX: usize = 1 << 20;
    regex::RegexBuilder::new(text)
        .size_limit(COMPILED_BYTES_MAX)
        .build()
        .map_err(|_| PatternError::Syntax(format!("{text:?} is not a regular expression")))
}
