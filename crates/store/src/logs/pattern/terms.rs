//! Patterns of terms: what a message has, has one of, or has not.

use super::{PatternError, regular_expression};
use regex::Regex;

/// The terms of a pattern.
#[derive(Clone, Debug, Default)]
pub(super) struct Terms {
    required: Vec<Term>,
    either: Vec<Term>,
    excluded: Vec<Term>,
}

#[derive(Clone, Debug)]
enum Term {
    Text(String),
    Expression(Regex),
}

impl Terms {
    pub(super) fn match_text(&self, message: &str) -> bool {
        // AWS: alternatives do not count beside terms of another kind.
        let alternatives = self.required.is_empty() && self.excluded.is_empty();
        self.required.iter().all(|term| term.is_in(message))
            && !self.excluded.iter().any(|term| term.is_in(message))
            && (!alternatives
                || self.either.is_empty()
                || self.either.iter().any(|term| term.is_in(message)))
    }
}

impl Term {
    fn is_in(&self, message: &str) -> bool {
        match self {
            Self::Text(text) => message.contains(text),
            Self::Expression(expression) => expression.is_match(message),
        }
    }
}

/// Parses terms that are set apart by space.
pub(super) fn parse(text: &str) -> Result<Terms, PatternError> {
    let mut terms = Terms::default();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (list, after) = match first {
            '?' => (&mut terms.either, &rest[1..]),
            '-' => (&mut terms.excluded, &rest[1..]),
            _ => (&mut terms.required, rest),
        };
        let (term, after) = take_term(after)?;
        list.push(term);
        rest = after.trim_start();
    }
    Ok(terms)
}

fn take_term(text: &str) -> Result<(Term, &str), PatternError> {
    if let Some(quoted) = text.strip_prefix('"') {
        let (phrase, rest) = take_quoted(quoted)?;
        return Ok((Term::Text(phrase), rest));
    }
    if let Some(expression) = text.strip_prefix('%') {
        let Some((expression, rest)) = expression.split_once('%') else {
            return Err(PatternError::Syntax("a regular expression is not closed".to_owned()));
        };
        return Ok((Term::Expression(regular_expression(expression)?), rest));
    }
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    let plain = !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || c == '_');
    if !plain {
        // AWS: a term with any other character has to be quoted.
        return Err(PatternError::Term(word.to_owned()));
    }
    Ok((Term::Text(word.to_owned()), rest))
}

/// Takes what is before the closing quote, in which `\` takes the next character as it is.
pub(super) fn take_quoted(text: &str) -> Result<(String, &str), PatternError> {
    let mut phrase = String::new();
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return Ok((phrase, &text[at + 1..])),
            '\\' => phrase.extend(chars.next().map(|(_, char)| char)),
            char => phrase.push(char),
        }
    }
    Err(PatternError::Syntax("a quote is not closed".to_owned()))
}
