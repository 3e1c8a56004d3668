//! The tree: text stays text, and every value knows its place.

use crate::problem::Found;
use std::ops::Range;
use std::rc::Rc;

/// Where something stands in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The line, from 1.
    pub(crate) line: usize,
    /// The column in characters, from 1.
    pub(crate) column: usize,
    /// How many characters of that line it covers, at least 1.
    pub(crate) width: usize,
    /// The bytes of the text that it covers on that line; none at the end of a line.
    pub(crate) start: usize,
    /// Where they end.
    pub(crate) end: usize,
}

impl Place {
    /// The very beginning.
    pub(crate) const START: Self = Self { line: 1, column: 1, width: 1, start: 0, end: 0 };

    /// The place of some bytes of a text, all on one line.
    pub(crate) fn of(text: &str, bytes: Range<usize>) -> Self {
        let before = &text[..bytes.start];
        let breaks = before.bytes().filter(|byte| *byte == b'\n').count()
            + before
                .match_indices('\r')
                .filter(|(at, _)| !text[at + 1..].starts_with('\n'))
                .count();
        let line_start = before.rfind(['\n', '\r']).map_or(0, |end| end + 1);
        Self {
            line: breaks + 1,
            column: before[line_start..].chars().count() + 1,
            width: text[bytes.clone()].chars().count().max(1),
            start: bytes.start,
            end: bytes.end,
        }
    }

    /// Whether both begin with the same character.
    pub(crate) fn begins_with(self, other: Self) -> bool {
        (self.line, self.column) == (other.line, other.column)
    }

    /// The character just behind, on the same line.
    pub(crate) fn just_behind(self) -> Self {
        let (column, start) = (self.column + self.width, self.end);
        Self { column, width: 1, start, end: start + 1, ..self }
    }
}

/// One value. What an alias refers to is shared, not copied.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) place: Place,
    /// Where the last line of a text ends, in bytes; where anything else begins.
    pub(crate) end: usize,
    pub(crate) value: NodeValue,
    /// How many values it holds, itself and every use of an alias included.
    pub(crate) nodes: usize,
    /// How many bytes of text it holds, every use of an alias included.
    pub(crate) bytes: usize,
    /// How many levels of lists and mappings it has.
    pub(crate) depth: usize,
}

#[derive(Debug)]
pub(crate) enum NodeValue {
    /// An absent value, `~` or `null`.
    Null,
    /// A scalar as it was written, escapes and folding applied.
    Text { text: String, style: Style },
    /// A list.
    List(Vec<Rc<Node>>),
    /// A mapping in its order; keys are unique and merges are done.
    Mapping(Vec<Entry>),
}

/// How a scalar was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// Without quotes.
    Plain,
    /// In single or double quotes.
    Quoted,
    /// Behind `|` or `>`.
    Block,
}

/// A key and its value.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: Rc<str>,
    pub(crate) key_place: Place,
    pub(crate) value: Rc<Node>,
}

impl Node {
    pub(crate) fn found(&self) -> Found {
        match self.value {
            NodeValue::Null => Found::Nothing,
            NodeValue::Text { .. } => Found::Text,
            NodeValue::List(_) => Found::List,
            NodeValue::Mapping(_) => Found::Mapping,
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self.value, NodeValue::Null)
    }

    /// Whether it is text without quotes.
    pub(crate) fn is_plain(&self) -> bool {
        matches!(self.value, NodeValue::Text { style: Style::Plain, .. })
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            NodeValue::Text { text, .. } => Some(text),
            NodeValue::Null | NodeValue::List(_) | NodeValue::Mapping(_) => None,
        }
    }

    pub(crate) fn entries(&self) -> Option<&[Entry]> {
        match &self.value {
            NodeValue::Mapping(entries) => Some(entries),
            NodeValue::Null | NodeValue::Text { .. } | NodeValue::List(_) => None,
        }
    }
}
