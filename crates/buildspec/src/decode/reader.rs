//! The shapes that every section is made of. It must not know any section.

use crate::problem::{Problem, Severity, Value};
use crate::problems::Problems;
use crate::yaml::{Entry, Node, NodeValue};
use std::rc::Rc;

/// Reads nodes and notes what is wrong with them.
pub(super) struct Reader<'p> {
    problems: &'p mut Problems,
}

impl<'p> Reader<'p> {
    pub(super) fn new(problems: &'p mut Problems) -> Self {
        Self { problems }
    }

    pub(super) fn problem(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// Whether one more problem of this severity would be kept; if not, it need not be made.
    pub(super) fn has_room(&self, severity: Severity) -> bool {
        self.problems.has_room(severity)
    }

    /// A key that means nothing in the mapping at `path`.
    pub(super) fn unknown_key(&mut self, entry: &Entry, path: &str, known: &[&str]) {
        if self.has_room(Severity::Warning) {
            self.problem(Problem::unknown_key(entry.key_place, &entry.key, path, known));
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
