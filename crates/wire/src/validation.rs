//! Checks a decoded body against a schema, and says what is wrong as AWS says it.
//!
//! The check runs on the untyped tree, because only there an absent member differs from an empty
//! one. It also brings the tree into the form that the typed shapes expect: null members are
//! taken out, and whole numbers written with a fraction are made whole.

use crate::schema::{Schema, Structure, Text};
use serde_json::{Map, Number, Value};
use std::fmt::{self, Display, Write as _};

/// How many violations a message spells out; it counts all of them.
const LISTED_MAX: usize = 20;

/// One violated constraint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The member, as AWS writes paths: `tags.1.member.key`.
    pub path: String,
    /// The value as messages show it; none for secrets and structures.
    pub value: Option<String>,
    /// The constraint, as a sentence.
    pub constraint: String,
}

impl Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Value ")?;
        if let Some(value) = &self.value {
            write!(f, "{value} ")?;
        }
        write!(f, "at '{}' failed to satisfy constraint: {}", self.path, self.constraint)
    }
}

/// A value of another type than the schema's; its text is for the caller.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Mismatch(String);

/// The message about all violations together.
pub(crate) fn summary(violations: &[Violation]) -> String {
    let count = violations.len();
    let noun = if count == 1 { "error" } else { "errors" };
    let listed: Vec<String> =
        violations.iter().take(LISTED_MAX).map(Violation::to_string).collect();
    format!("{count} validation {noun} detected: {}", listed.join("; "))
}

/// Checks `tree` and makes it fit for typed decoding.
pub(crate) fn check(schema: &Schema, tree: &mut Value) -> Result<Vec<Violation>, Mismatch> {
    let mut found = Vec::new();
    Check { found: &mut found }.value(schema, tree, &Path::Root)?;
    Ok(found)
}

/// Where the check is; spelled out only when something is wrong there.
enum Path<'a> {
    Root,
    Member(&'a Path<'a>, &'a str),
    Element(&'a Path<'a>, &'a dyn Display),
}

impl Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            // AWS: a path begins with a small letter, also where the member does not.
            Self::Member(Self::Root, name) => f.write_str(&uncapitalised(name)),
            Self::Member(parent, name) => write!(f, "{parent}.{name}"),
            Self::Element(parent, position) => write!(f, "{parent}.{position}.member"),
        }
    }
}

fn uncapitalised(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

struct Check<'a> {
    found: &'a mut Vec<Violation>,
}

impl Check<'_> {
    fn value(&mut self, schema: &Schema, value: &mut Value, at: &Path<'_>) -> Result<(), Mismatch> {
        match schema {
            Schema::Structure(structure) => self.structure(structure, object(value)?, at),
            Schema::List(member, min, max) => {
                let Value::Array(items) = value else { return Err(list_expected(value)) };
                self.list(member, items, at)?;
                self.count(value, (*min, *max), at);
                Ok(())
            }
            Schema::Map(key, member, min, max) => {
                self.map((key, member), object(value)?, at)?;
                self.count(value, (*min, *max), at);
                Ok(())
            }
            leaf => {
                let violated = violated(leaf, value)?;
                for constraint in violated {
                    let shown = (!is_secret(leaf)).then(|| format!("'{}'", Shown(value)));
                    self.found.push(Violation { path: at.to_string(), value: shown, constraint });
                }
                Ok(())
            }
        }
    }

    fn structure(
        &mut self,
        structure: &Structure,
        members: &mut Map<String, Value>,
        at: &Path<'_>,
    ) -> Result<(), Mismatch> {
        members.retain(|_, value| !value.is_null());
        for (name, required, schema) in structure.0 {
            let path = Path::Member(at, name);
            match members.get_mut(*name) {
                Some(value) => self.value(schema, value, &path)?,
                None if *required => self.null(&path),
                None => {}
            }
        }
        Ok(())
    }

    /// Elements that are plain values are judged together, as AWS does; others one by one.
    fn list(
        &mut self,
        member: &Schema,
        items: &mut [Value],
        at: &Path<'_>,
    ) -> Result<(), Mismatch> {
        let mut broken = false;
        for (index, item) in items.iter_mut().enumerate() {
            let position = index + 1;
            let path = Path::Element(at, &position);
            if item.is_null() {
                self.null(&path);
            } else if is_leaf(member) {
                broken |= !violated(member, item)?.is_empty();
            } else {
                self.value(member, item, &path)?;
            }
        }
        if broken {
            let shown = (!is_secret(member)).then(|| format!("'{}'", ShownList(items)));
            self.together("Member", member, shown, at);
        }
        // A null has been complained about; it must not reach the typed shape.
        Ok(())
    }

    fn map(
        &mut self,
        (key, member): (&Schema, &Schema),
        entries: &mut Map<String, Value>,
        at: &Path<'_>,
    ) -> Result<(), Mismatch> {
        entries.retain(|_, value| !value.is_null());
        let (mut keys_broken, mut values_broken) = (false, false);
        for (name, value) in entries.iter_mut() {
            keys_broken |= !violated(key, &mut Value::String(name.clone()))?.is_empty();
            if is_leaf(member) {
                values_broken |= !violated(member, value)?.is_empty();
            } else {
                self.value(member, value, &Path::Element(at, name))?;
            }
        }
        let shown = || (!is_secret(member)).then(|| format!("'{}'", ShownMap(entries)));
        if keys_broken {
            self.together("Map keys", key, shown(), at);
        }
        if values_broken {
            self.together("Map value", member, shown(), at);
        }
        Ok(())
    }

    fn together(&mut self, who: &str, member: &Schema, value: Option<String>, at: &Path<'_>) {
        let all = constraints(member).join(", ");
        let constraint = format!("{who} must satisfy constraint: [{all}]");
        self.found.push(Violation { path: at.to_string(), value, constraint });
    }

    fn count(&mut self, value: &Value, (min, max): (usize, usize), at: &Path<'_>) {
        let count = match value {
            Value::Array(items) => items.len(),
            Value::Object(entries) => entries.len(),
            _ => return,
        };
        let constraint = match count {
            n if n > max => at_most(max),
            n if n < min => at_least(min),
            _ => return,
        };
        let value = is_simple(value).then(|| format!("'{}'", Shown(value)));
        self.found.push(Violation { path: at.to_string(), value, constraint });
    }

    fn null(&mut self, at: &Path<'_>) {
        self.found.push(Violation {
            path: at.to_string(),
            value: Some("null".to_owned()),
            constraint: "Member must not be null".to_owned(),
        });
    }
}

fn is_leaf(schema: &Schema) -> bool {
    !matches!(schema, Schema::Structure(_) | Schema::List(..) | Schema::Map(..))
}

fn is_secret(schema: &Schema) -> bool {
    matches!(schema, Schema::Text(Text { sensitive: true, .. }))
}

/// Whether a message may show the whole value: structures are left out.
fn is_simple(value: &Value) -> bool {
    let plain = |item: &Value| !item.is_object() && !item.is_array();
    match value {
        Value::Array(items) => items.iter().all(plain),
        Value::Object(entries) => entries.values().all(plain),
        _ => true,
    }
}

/// The constraints of a plain type that `value` violates.
fn violated(schema: &Schema, value: &mut Value) -> Result<Vec<String>, Mismatch> {
    match schema {
        Schema::Text(text) => Ok(text_violations(text, string(value)?)),
        Schema::Enum(values) => {
            let known = values.contains(&string(value)?);
            Ok(if known { Vec::new() } else { constraints(schema) })
        }
        Schema::Integer(min, max) => {
            let number = whole(value, "Integer")?;
            i32::try_from(number).map_err(|_| mismatch(value, "Integer"))?;
            Ok(range_violations(&number, (min, max)))
        }
        Schema::Long(min, max) => Ok(range_violations(&whole(value, "Long")?, (min, max))),
        Schema::Double(min, max) => {
            let number = value.as_f64().ok_or_else(|| mismatch(value, "Double"))?;
            Ok(range_violations(&number, (min, max)))
        }
        Schema::Boolean => match value {
            Value::Bool(_) => Ok(Vec::new()),
            other => Err(mismatch(other, "Boolean")),
        },
        Schema::Timestamp => match serde_json::from_value::<crate::Timestamp>(value.clone()) {
            Ok(_) => Ok(Vec::new()),
            Err(_) => Err(mismatch(value, "Timestamp")),
        },
        Schema::Blob => match serde_json::from_value::<crate::Blob>(value.clone()) {
            Ok(_) => Ok(Vec::new()),
            Err(_) => Err(mismatch(value, "Blob")),
        },
        Schema::List(..) | Schema::Map(..) | Schema::Structure(_) => Ok(Vec::new()),
    }
}

fn text_violations(text: &Text, value: &str) -> Vec<String> {
    let length = value.chars().count();
    let mut violated = Vec::new();
    if length > text.max {
        violated.push(at_most(text.max));
    }
    if length < text.min {
        violated.push(at_least(text.min));
    }
    if let Some(pattern) = &text.pattern
        && !pattern.matches(value)
    {
        violated.push(matching(pattern.text));
    }
    violated
}

fn range_violations<T: PartialOrd + Display>(number: &T, (min, max): (&T, &T)) -> Vec<String> {
    if number > max {
        vec![no_more(max)]
    } else if number < min {
        vec![no_less(min)]
    } else {
        Vec::new()
    }
}

/// Every constraint of a plain type, violated or not.
fn constraints(schema: &Schema) -> Vec<String> {
    match schema {
        Schema::Text(text) => {
            let max = (text.max < usize::MAX).then(|| at_most(text.max));
            let min = (text.min > 0).then(|| at_least(text.min));
            let pattern = text.pattern.as_ref().map(|pattern| matching(pattern.text));
            [max, min, pattern].into_iter().flatten().collect()
        }
        Schema::Enum(values) => {
            vec![format!("Member must satisfy enum value set: [{}]", values.join(", "))]
        }
        Schema::Integer(min, max) | Schema::Long(min, max) => vec![no_more(max), no_less(min)],
        Schema::Double(min, max) => vec![no_more(max), no_less(min)],
        Schema::Boolean
        | Schema::Timestamp
        | Schema::Blob
        | Schema::List(..)
        | Schema::Map(..)
        | Schema::Structure(_) => Vec::new(),
    }
}

fn at_most(length: usize) -> String {
    format!("Member must have length less than or equal to {length}")
}

fn at_least(length: usize) -> String {
    format!("Member must have length greater than or equal to {length}")
}

fn no_more(max: &impl Display) -> String {
    format!("Member must have value less than or equal to {max}")
}

fn no_less(min: &impl Display) -> String {
    format!("Member must have value greater than or equal to {min}")
}

fn matching(pattern: &str) -> String {
    format!("Member must satisfy regular expression pattern: {pattern}")
}

fn string(value: &Value) -> Result<&str, Mismatch> {
    value.as_str().ok_or_else(|| mismatch(value, "String"))
}

/// The value as a whole number; `5.0` is one, and becomes `5`.
fn whole(value: &mut Value, target: &str) -> Result<i64, Mismatch> {
    if let Some(number) = value.as_i64() {
        return Ok(number);
    }
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    match value.as_f64() {
        Some(number) if number.fract() == 0.0 && number.abs() <= EXACT_MAX => {
            #[expect(clippy::cast_possible_truncation, reason = "whole and in range")]
            let number = number as i64;
            *value = Value::Number(Number::from(number));
            Ok(number)
        }
        Some(_) | None => Err(mismatch(value, target)),
    }
}

fn object(value: &mut Value) -> Result<&mut Map<String, Value>, Mismatch> {
    if let Value::Object(members) = value {
        return Ok(members);
    }
    Err(Mismatch(match value {
        Value::Array(_) => "Start of list found where not expected".to_owned(),
        other => format!("Unexpected {} found where a structure was expected", kind(other)),
    }))
}

fn list_expected(value: &Value) -> Mismatch {
    Mismatch(match value {
        Value::Object(_) => "Start of structure or map found where not expected.".to_owned(),
        _ => "Expected list or null".to_owned(),
    })
}

fn mismatch(value: &Value, target: &str) -> Mismatch {
    Mismatch(match value {
        Value::Object(_) => "Start of structure or map found where not expected.".to_owned(),
        Value::Array(_) => "Start of list found where not expected".to_owned(),
        other => format!("{} can not be converted to {target}", kind(other)),
    })
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "NULL_VALUE",
        Value::Bool(true) => "TRUE_VALUE",
        Value::Bool(false) => "FALSE_VALUE",
        Value::Number(_) => "NUMBER_VALUE",
        Value::String(_) => "STRING_VALUE",
        Value::Array(_) => "START_ARRAY",
        Value::Object(_) => "START_OBJECT",
    }
}

/// A value as messages show it: text bare, lists and maps in brackets.
struct Shown<'a>(&'a Value);
struct ShownList<'a>(&'a [Value]);
struct ShownMap<'a>(&'a Map<String, Value>);

impl Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::String(text) => f.write_str(text),
            Value::Array(items) => ShownList(items).fmt(f),
            Value::Object(entries) => ShownMap(entries).fmt(f),
            other => other.fmt(f),
        }
    }
}

impl Display for ShownList<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('[')?;
        for (index, item) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{}", Shown(item))?;
        }
        f.write_char(']')
    }
}

impl Display for ShownMap<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('{')?;
        for (index, (name, value)) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{name}={}", Shown(value))?;
        }
        f.write_char('}')
    }
}
