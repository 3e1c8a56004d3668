//! The entries of a mapping: what is merged into it, and which of equal keys counts.

use super::load::Pair;
use super::node::{Entry, Node, NodeValue, Place, Style};
use crate::limits::NODES_MAX;
use crate::problem::Problem;
use crate::problems::Problems;
use std::collections::HashMap;
use std::rc::Rc;

/// Makes entries of pairs: merges what is to be merged, and keeps the last of equal keys.
pub(super) struct Mapping<'p> {
    problems: &'p mut Problems,
    entries: Vec<Option<Entry>>,
    /// Where each key is, and whether it was merged.
    index: HashMap<Rc<str>, (usize, Origin)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    Written,
    Merged,
}

impl<'p> Mapping<'p> {
    pub(super) fn new(problems: &'p mut Problems) -> Self {
        Self { problems, entries: Vec::new(), index: HashMap::new() }
    }

    pub(super) fn build(mut self, pairs: Vec<Pair>) -> Result<Vec<Entry>, Problem> {
        for Pair { key, value } in pairs {
            match &key.value {
                NodeValue::Text { text, style: Style::Plain } if text == "<<" => {
                    self.merge(&value)?;
                }
                NodeValue::Text { text, .. } => self.write(text, key.place, value),
                NodeValue::Null => self.write("", key.place, value),
                NodeValue::List(_) | NodeValue::Mapping(_) => {
                    self.problems.push(Problem::key_not_text(key.place, key.found()));
                }
            }
        }
        Ok(self.entries.into_iter().flatten().collect())
    }

    fn write(&mut self, key: &str, key_place: Place, value: Rc<Node>) {
        let key: Rc<str> = Rc::from(key);
        if let Some((at, origin)) = self.index.get(&key).copied() {
            let before = self.entries[at].take();
            if let (Some(before), Origin::Written) = (before, origin) {
                let problem = Problem::duplicate_key(key_place, &key, before.key_place);
                self.problems.push(problem);
            }
        }
        self.index.insert(Rc::clone(&key), (self.entries.len(), Origin::Written));
        self.entries.push(Some(Entry { key, key_place, value }));
    }

    fn merge(&mut self, value: &Node) -> Result<(), Problem> {
        match &value.value {
            NodeValue::Mapping(entries) => self.merge_entries(entries, value.place),
            NodeValue::List(items) => items.iter().try_for_each(|item| match &item.value {
                NodeValue::Mapping(entries) => self.merge_entries(entries, item.place),
                NodeValue::Null | NodeValue::Text { .. } | NodeValue::List(_) => {
                    Err(Problem::merge_of(item.place, item.found()))
                }
            }),
            NodeValue::Null | NodeValue::Text { .. } => {
                Err(Problem::merge_of(value.place, value.found()))
            }
        }
    }

    fn merge_entries(&mut self, entries: &[Entry], place: Place) -> Result<(), Problem> {
        for entry in entries {
            if self.index.contains_key(&entry.key) {
                continue;
            }
            if self.entries.len() >= NODES_MAX {
                return Err(Problem::too_many_values(place));
            }
            self.index.insert(Rc::clone(&entry.key), (self.entries.len(), Origin::Merged));
            self.entries.push(Some(entry.clone()));
        }
        Ok(())
    }
}
