//! The shapes that every section is made of. It must not know any section.

use crate::limits::PROBLEMS_MAX;
use crate::model::PhaseName;
use crate::problem::{Problem, Severity, Value};
use crate::problems::Problems;
use crate::yaml::{Entry, Node, NodeValue, Place};
use std::ops::Range;
use std::rc::Rc;

/// Reads nodes and notes what is wrong with them.
pub(super) struct Reader<'p> {
    text: &'p str,
    problems: &'p mut Problems,
    unknown_keys: Vec<UnknownKey>,
}

/// A key that means nothing, and the section it stands in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownKey {
    /// The section as CodeBuild calls it: a phase's name in upper case, or a key of the buildspec;
    /// empty at the top.
    pub section: String,
    /// The key.
    pub key: String,
}

impl<'p> Reader<'p> {
    /// `text` is what the nodes were made from.
    pub(super) fn new(text: &'p str, problems: &'p mut Problems) -> Self {
        Self { text, problems, unknown_keys: Vec::new() }
    }

    /// The keys that meant nothing, in the order of the text.
    pub(super) fn into_unknown_keys(self) -> Vec<UnknownKey> {
        self.unknown_keys
    }

    /// The place of a part of a node's text: the same words in the source, if they can be found.
    pub(super) fn within(&self, node: &Node, text: &str, part: Range<usize>) -> Place {
        let words = text[part.clone()].lines().next().unwrap_or_default().trim_end();
        let before = text[..part.start].matches(words).count();
        let source = self.text.get(node.place.start..node.end).unwrap_or_default();
        let found = source.match_indices(words).nth(before).filter(|_| !words.is_empty());
        found.map_or(node.place, |(at, _)| {
            let start = node.place.start + at;
            Place::of(self.text, start..start + words.len())
        })
    }

    /// The text of an entry that has a line for itself, behind its dash; else nothing.
    pub(super) fn entry_line(&self, place: Place) -> &'p str {
        let (Some(before), Some(behind)) =
            (self.text.get(..place.start), self.text.get(place.start..))
        else {
            return "";
        };
        let dash = before.rsplit(['\n', '\r']).next().unwrap_or_default();
        let line = behind.split(['\n', '\r']).next().unwrap_or_default();
        if dash.trim() == "-" { line.trim_end() } else { "" }
    }

    pub(super) fn problem(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// Whether one more problem of this severity would be kept; if not, it need not be made.
    pub(super) fn has_room(&mut self, severity: Severity) -> bool {
        self.problems.has_room(severity)
    }

    /// A key that means nothing in the mapping at `path`.
    pub(super) fn unknown_key(&mut self, entry: &Entry, path: &str, known: &[&str]) {
        self.note_unknown(entry, path);
        if self.has_room(Severity::Warning) {
            self.problem(Problem::unknown_key(entry.key_place, &entry.key, path, known));
        }
    }

    /// Notes a key that means nothing for the build's log.
    pub(super) fn note_unknown(&mut self, entry: &Entry, path: &str) {
        if self.unknown_keys.len() < PROBLEMS_MAX {
            let section = section_name(path);
            self.unknown_keys.push(UnknownKey { section, key: entry.key.to_string() });
        }
    }

    /// The entries of a mapping; none, with a warning, where nothing stands.
    pub(super) fn section<'n>(&mut self, entry: &'n Entry, path: &str) -> &'n [Entry] {
        if entry.value.is_null() {
            self.problem(Problem::section_empty(entry.key_place, path));
        }
        self.mapping(&entry.value, path)
    }

    /// The entries of a mapping; none where nothing stands.
    pub(super) fn mapping<'n>(&mut self, node: &'n Node, path: &str) -> &'n [Entry] {
        match &node.value {
            NodeValue::Mapping(entries) => entries,
            NodeValue::Null => &[],
            NodeValue::Text { .. } | NodeValue::List(_) => {
                self.problem(Problem::expected_mapping(node.place, path, node.found()));
                &[]
            }
        }
    }

    /// Text as it was written; the empty text where nothing stands.
    pub(super) fn text(&mut self, node: &Node, path: &str) -> Option<String> {
        match &node.value {
            NodeValue::Text { text, .. } => Some(text.clone()),
            NodeValue::Null => Some(String::new()),
            NodeValue::List(_) | NodeValue::Mapping(_) => {
                self.problem(Problem::expected_text(node.place, path, node.found()));
                None
            }
        }
    }

    /// Text, or nothing where it is empty.
    pub(super) fn optional_text(&mut self, node: &Node, path: &str) -> Option<String> {
        self.text(node, path).filter(|text| !text.is_empty())
    }

    /// `yes` or `no` in any of YAML's spellings; `no` where nothing stands.
    pub(super) fn flag(&mut self, node: &Node, path: &str) -> Option<bool> {
        let text = self.text(node, path)?;
        match text.trim().to_ascii_lowercase().as_str() {
            "yes" | "true" | "on" | "y" => Some(true),
            "no" | "false" | "off" | "n" | "" => Some(false),
            _ => {
                self.problem(Problem::not_a_flag(node.place, path, &text));
                None
            }
        }
    }

    /// A whole number from 1 on.
    pub(super) fn count(&mut self, node: &Node, path: &str) -> Option<u32> {
        let text = self.text(node, path)?;
        let count = text.trim().parse().ok().filter(|count| *count > 0);
        if count.is_none() {
            self.problem(Problem::not_a_number(node.place, path, &text));
        }
        count
    }

    /// The entries of a list; none where nothing stands. One text is taken as a list of one.
    pub(super) fn list<'n>(&mut self, node: &'n Rc<Node>, path: &str) -> &'n [Rc<Node>] {
        match &node.value {
            NodeValue::List(items) => items,
            NodeValue::Null => &[],
            NodeValue::Text { .. } => {
                self.problem(Problem::one_for_a_list(node.place, path));
                std::slice::from_ref(node)
            }
            NodeValue::Mapping(_) => {
                self.problem(Problem::expected_list(node.place, path, node.found()));
                &[]
            }
        }
    }

    /// A list of texts, without those that are nothing.
    pub(super) fn texts(&mut self, node: &Rc<Node>, path: &str) -> Vec<String> {
        let items = self.list(node, path);
        items.iter().filter_map(|item| self.optional_text(item, path)).collect()
    }

    /// Text that must be one of a few, in any case.
    pub(super) fn one_of<T: Copy>(
        &mut self,
        node: &Node,
        path: &str,
        known: &[(&str, T)],
    ) -> Option<T> {
        let text = self.optional_text(node, path)?;
        let found = known.iter().find(|(name, _)| name.eq_ignore_ascii_case(text.trim()));
        if found.is_none() {
            let names: Vec<_> = known.iter().map(|(name, _)| *name).collect();
            let value = Value { path, text: &text };
            self.problem(Problem::not_one_of(node.place, value, &names));
        }
        found.map(|(_, value)| *value)
    }
}

/// What CodeBuild calls the section at a path.
fn section_name(path: &str) -> String {
    let mut parts = path.split('.');
    let first = parts.next().unwrap_or_default();
    let phase = parts.next().filter(|_| first == "phases");
    let phase = phase.and_then(|key| PhaseName::ALL.into_iter().find(|name| name.key() == key));
    match phase {
        Some(phase) => phase.label().to_owned(),
        None => first.to_owned(),
    }
}
