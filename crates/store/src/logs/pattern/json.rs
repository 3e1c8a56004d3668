//! Patterns of JSON: `{ $.selector = value && … }`.

use super::{PatternError, regular_expression, terms::take_quoted, wildcard::Wildcard};
use regex::Regex;
use serde_json::Value;

/// How deep parentheses may stand.
const DEPTH_MAX: usize = 32;

/// What must hold for an object.
#[derive(Clone, Debug)]
pub(super) enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Holds { selector: Vec<Step>, test: Test },
}

/// One step from a value into it.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Member(String),
    Item(usize),
}

/// What must hold for the value that a selector finds.
#[derive(Clone, Debug)]
pub(super) enum Test {
    Number(Comparison, f64),
    Text { equal: bool, text: Wildcard },
    Expression { equal: bool, expression: Regex },
    Null,
    Boolean(bool),
    Absent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Condition {
    pub(super) fn match_text(&self, message: &str) -> bool {
        // Output that is no JSON is common: it is not worth a parser's start.
        message.trim_start().starts_with('{')
            && serde_json::from_str(message).is_ok_and(|value| self.holds(&value))
    }

    fn holds(&self, root: &Value) -> bool {
        match self {
            Self::All(all) => all.iter().all(|condition| condition.holds(root)),
            Self::Any(any) => any.iter().any(|condition| condition.holds(root)),
            Self::Holds { selector, test } => {
                let found = selector.iter().try_fold(root, |value, step| match step {
                    Step::Member(name) => value.get(name),
                    Step::Item(at) => value.get(at),
                });
                test.holds(found)
            }
        }
    }
}

impl Test {
    fn holds(&self, found: Option<&Value>) -> bool {
        let Some(value) = found else { return matches!(self, Self::Absent) };
        match self {
            Self::Number(comparison, number) => {
                let found = match value {
                    Value::Number(found) => found.as_f64(),
                    Value::String(text) => text.parse().ok(),
                    _ => None,
                };
                found.is_some_and(|found| comparison.holds(found, *number))
            }
            Self::Text { equal, text } => {
                scalar(value).is_some_and(|value| text.matches(&value) == *equal)
            }
            Self::Expression { equal, expression } => {
                scalar(value).is_some_and(|value| expression.is_match(&value) == *equal)
            }
            Self::Null => value.is_null(),
            Self::Boolean(wanted) => value.as_bool() == Some(*wanted),
            Self::Absent => false,
        }
    }
}

impl Comparison {
    fn holds(self, found: f64, number: f64) -> bool {
        match self {
            Self::Equal => found == number,
            Self::Unequal => found != number,
            Self::Less => found < number,
            Self::LessOrEqual => found <= number,
            Self::Greater => found > number,
            Self::GreaterOrEqual => found >= number,
        }
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(boolean) => Some(boolean.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Parses a pattern that begins with a brace.
pub(super) fn parse(text: &str) -> Result<Condition, PatternError> {
    let mut parser = Parser { rest: text, depth: 0 };
    parser.expect("{")?;
    let condition = parser.any()?;
    parser.expect("}")?;
    if parser.rest.trim_start().is_empty() {
        Ok(condition)
    } else {
        Err(syntax("nothing may follow the closing brace"))
    }
}

struct Parser<'a> {
    rest: &'a str,
    depth: usize,
}

impl Parser<'_> {
    fn any(&mut self) -> Result<Condition, PatternError> {
        let mut any = vec![self.all()?];
        while self.take("||") {
            any.push(self.all()?);
        }
        Ok(if any.len() == 1 { any.remove(0) } else { Condition::Any(any) })
    }

    fn all(&mut self) -> Result<Condition, PatternError> {
        let mut all = vec![self.one()?];
        while self.take("&&") {
            all.push(self.one()?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Condition::All(all) })
    }

    fn one(&mut self) -> Result<Condition, PatternError> {
        if !self.take("(") {
            return Ok(Condition::Holds { selector: self.selector()?, test: self.test()? });
        }
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(syntax("the parentheses stand too deep"));
        }
        let condition = self.any()?;
        self.depth -= 1;
        self.expect(")")?;
        Ok(condition)
    }

    fn selector(&mut self) -> Result<Vec<Step>, PatternError> {
        self.expect("$")?;
        let mut steps = Vec::new();
        loop {
            if let Some(rest) = self.rest.strip_prefix('.') {
                self.rest = rest;
                let name = self.word(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '@'));
                if !name.is_empty() {
                    steps.push(Step::Member(name));
                } else if !self.rest.starts_with('[') {
                    return Err(syntax("a name is missing after a dot"));
                }
            } else if let Some(rest) = self.rest.strip_prefix('[') {
                self.rest = rest;
                steps.push(self.bracket()?);
                self.expect("]")?;
            } else if steps.is_empty() {
                return Err(syntax("a selector has to name something"));
            } else {
                return Ok(steps);
            }
        }
    }

    fn bracket(&mut self) -> Result<Step, PatternError> {
        for quote in ['\'', '"'] {
            if let Some(rest) = self.rest.strip_prefix(quote) {
                let Some((name, rest)) = rest.split_once(quote) else {
                    return Err(syntax("a quote is not closed"));
                };
                self.rest = rest;
                return Ok(Step::Member(name.to_owned()));
            }
        }
        let digits = self.word(|c| c.is_ascii_digit());
        digits.parse().map(Step::Item).map_err(|_| syntax("an index has to be a number"))
    }

    fn test(&mut self) -> Result<Test, PatternError> {
        if self.take_word("IS") {
            return if self.take_word("NULL") {
                Ok(Test::Null)
            } else if self.take_word("TRUE") {
                Ok(Test::Boolean(true))
            } else if self.take_word("FALSE") {
                Ok(Test::Boolean(false))
            } else {
                Err(syntax("IS has to be followed by NULL, TRUE or FALSE"))
            };
        }
        if self.take_word("NOT") {
            return if self.take_word("EXISTS") {
                Ok(Test::Absent)
            } else {
                Err(syntax("NOT has to be followed by EXISTS"))
            };
        }
        let comparison = self.comparison()?;
        self.value(comparison)
    }

    fn comparison(&mut self) -> Result<Comparison, PatternError> {
        let spellings = [
            ("!=", Comparison::Unequal),
            ("<=", Comparison::LessOrEqual),
            (">=", Comparison::GreaterOrEqual),
            ("<", Comparison::Less),
            (">", Comparison::Greater),
            ("=", Comparison::Equal),
        ];
        let found = spellings.into_iter().find(|(spelling, _)| self.take(spelling));
        found.map(|(_, comparison)| comparison).ok_or_else(|| syntax("a comparison is missing"))
    }

    fn value(&mut self, comparison: Comparison) -> Result<Test, PatternError> {
        self.rest = self.rest.trim_start();
        let equal = match comparison {
            Comparison::Equal => Some(true),
            Comparison::Unequal => Some(false),
            Comparison::Less
            | Comparison::LessOrEqual
            | Comparison::Greater
            | Comparison::GreaterOrEqual => None,
        };
        let equal = |what: &str| equal.ok_or_else(|| syntax(&format!("{what} has no order")));
        if let Some(rest) = self.rest.strip_prefix('%') {
            let equal = equal("a regular expression")?;
            let Some((expression, rest)) = rest.split_once('%') else {
                return Err(syntax("a regular expression is not closed"));
            };
            self.rest = rest;
            return Ok(Test::Expression { equal, expression: regular_expression(expression)? });
        }
        if let Some(rest) = self.rest.strip_prefix('"') {
            let equal = equal("a text")?;
            let (text, rest) = take_quoted(rest)?;
            self.rest = rest;
            return Ok(Test::Text { equal, text: Wildcard::new(text) });
        }
        let word = self.word(|c| !c.is_whitespace() && !"&|(){}\"".contains(c));
        if word.is_empty() {
            return Err(syntax("a value is missing"));
        }
        match word.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Test::Number(comparison, number)),
            _ => Ok(Test::Text { equal: equal("a text")?, text: Wildcard::new(word) }),
        }
    }

    fn expect(&mut self, token: &str) -> Result<(), PatternError> {
        if self.take(token) { Ok(()) } else { Err(syntax(&format!("{token:?} is missing"))) }
    }

    fn take(&mut self, token: &str) -> bool {
        let rest = self.rest.trim_start().strip_prefix(token);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// Takes a keyword, in any case, that no letter follows.
    fn take_word(&mut self, word: &str) -> bool {
        let text = self.rest.trim_start();
        let Some((head, rest)) = text.split_at_checked(word.len()) else { return false };
        if !head.eq_ignore_ascii_case(word) || rest.starts_with(char::is_alphanumeric) {
            return false;
        }
        self.rest = rest;
        true
    }

    fn word(&mut self, belongs: impl Fn(char) -> bool) -> String {
        let end = self.rest.find(|c| !belongs(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word.to_owned()
    }
}

fn syntax(message: &str) -> PatternError {
    PatternError::Syntax(message.to_owned())
}
