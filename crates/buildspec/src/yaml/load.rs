//! Text to tree, in linear time and memory.

use super::node::{Entry, Node, NodeValue, Place, Style};
use super::said::said;
use crate::limits::{DEPTH_MAX, EXPANDED_BYTES_MAX, NODES_MAX};
use crate::problem::Problem;
use crate::problems::Problems;
use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, Span, Tag};
use std::collections::HashMap;
use std::rc::Rc;

/// Reads the first document; none when there is none. Problems that leave a tree are noted.
///
/// # Errors
/// The text is no YAML, or more than the limits allow.
pub(crate) fn load(text: &str, problems: &mut Problems) -> Result<Option<Rc<Node>>, Problem> {
    forbidden_character(text).map_or(Ok(()), Err)?;
    let mut options = granit_parser::options! {
        emit_unresolved_aliases: true,
        flow_nesting_limit: DEPTH_MAX,
        block_nesting_limit: DEPTH_MAX,
    };
    options.set_emit_comments(false);
    let mut loader =
        Loader { text, problems, open: Vec::new(), anchors: HashMap::new(), done: None };
    for next in Parser::new_from_str_with_options(text, options) {
        let (event, span) = next.map_err(|error| syntax(&error))?;
        match loader.take(event, span)? {
            Step::More => {}
            Step::Enough => break,
        }
    }
    Ok(loader.done)
}

/// YAML allows few control characters, and the parser must not stop at a NUL.
fn forbidden_character(text: &str) -> Option<Problem> {
    let forbidden = |char: char| {
        char.is_control() && !matches!(char, '\t' | '\n' | '\r' | '\u{85}')
            || matches!(char, '\u{fffe}' | '\u{ffff}')
    };
    let at = text.find(forbidden)?;
    let char = text[at..].chars().next()?;
    let before = &text[..at];
    let unified = before.replace("\r\n", "\n");
    let line = unified.matches(['\n', '\r']).count() + 1;
    let start = before.rfind(['\n', '\r']).map_or(0, |end| end + 1);
    let column = before[start..].chars().count() + 1;
    Some(Problem::control_character(Place { line, column, width: 1 }, char))
}

fn syntax(error: &ScanError) -> Problem {
    let mark = error.marker();
    let place = Place { line: mark.line().max(1), column: mark.col() + 1, width: 1 };
    match error.kind() {
        ErrorKind::RecursionLimitExceeded => Problem::too_deep(place),
        kind => {
            let (sentence, help) = said(kind);
            Problem::syntax(place, &sentence, help.map(str::to_owned))
        }
    }
}

struct Loader<'t, 'p> {
    text: &'t str,
    problems: &'p mut Problems,
    open: Vec<Open>,
    /// What each anchor stands for; `None` while it is being read.
    anchors: HashMap<usize, Option<Rc<Node>>>,
    done: Option<Rc<Node>>,
}

/// Whether more of the text is of interest.
enum Step {
    More,
    Enough,
}

/// A list or mapping whose end has not come.
struct Open {
    place: Place,
    anchor: usize,
    nodes: usize,
    bytes: usize,
    depth: usize,
    inside: Inside,
}

enum Inside {
    List(Vec<Rc<Node>>),
    Mapping { entries: Vec<Pair>, key: Option<Rc<Node>> },
}

struct Pair {
    key: Rc<Node>,
    value: Rc<Node>,
}

impl Loader<'_, '_> {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<Step, Problem> {
        let place = self.place(&span);
        match event {
            Event::DocumentStart(..) if self.done.is_some() => {
                self.problems.push(Problem::extra_document(place));
                return Ok(Step::Enough);
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.check_tag(tag.as_deref(), &span, place);
                let value = scalar(text.into_owned(), style, tag.as_deref());
                let bytes = match &value {
                    NodeValue::Text { text, .. } => text.len(),
                    NodeValue::Null | NodeValue::List(_) | NodeValue::Mapping(_) => 0,
                };
                let node = Rc::new(Node { place, value, nodes: 1, bytes, depth: 0 });
                self.define(anchor, &node);
                self.put(node, place)?;
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.check_tag(tag.as_deref(), &span, place);
                self.begin(place, anchor, Inside::List(Vec::new()));
            }
            Event::MappingStart(_, anchor, tag) => {
                self.check_tag(tag.as_deref(), &span, place);
                self.begin(place, anchor, Inside::Mapping { entries: Vec::new(), key: None });
            }
            Event::SequenceEnd | Event::MappingEnd => self.end()?,
            Event::Alias(id) => match self.anchors.get(&id).cloned().flatten() {
                Some(node) => self.put(node, place)?,
                None => return Err(Problem::alias_in_itself(place)),
            },
            Event::UnresolvedAlias(name) => return Err(Problem::unknown_alias(place, &name)),
            // Marks of the stream, and metadata that was not asked for.
            _ => {}
        }
        Ok(Step::More)
    }

    /// The first line of what a span covers.
    fn place(&self, span: &Span) -> Place {
        let covered = span.slice(self.text).unwrap_or_default();
        let line = covered.split(['\n', '\r']).next().unwrap_or_default().trim_end();
        Place {
            line: span.start.line().max(1),
            column: span.start.col() + 1,
            width: line.chars().count().max(1),
        }
    }

    fn check_tag(&mut self, tag: Option<&Tag>, span: &Span, place: Place) {
        let Some(tag) = tag.filter(|tag| tag.core_suffix().is_none()) else { return };
        let original = tag.original();
        let place = match span.tag_start {
            Some(mark) => Place {
                line: mark.line(),
                column: mark.col() + 1,
                width: original.chars().count().max(1),
            },
            None => place,
        };
        // A lone `!` only says that the text is text.
        if original != "!" {
            self.problems.push(Problem::tag(place, &original));
        }
    }

    fn define(&mut self, anchor: usize, node: &Rc<Node>) {
        if anchor > 0 {
            self.anchors.insert(anchor, Some(Rc::clone(node)));
        }
    }

    fn begin(&mut self, place: Place, anchor: usize, inside: Inside) {
        if anchor > 0 {
            self.anchors.insert(anchor, None);
        }
        self.open.push(Open { place, anchor, nodes: 1, bytes: 0, depth: 1, inside });
    }

    /// Puts a finished value where it belongs. `place` is that of the value or of its alias.
    fn put(&mut self, node: Rc<Node>, place: Place) -> Result<(), Problem> {
        let Some(parent) = self.open.last_mut() else {
            self.done = Some(node);
            return Ok(());
        };
        parent.nodes += node.nodes;
        parent.bytes += node.bytes;
        parent.depth = parent.depth.max(node.depth + 1);
        if parent.nodes > NODES_MAX {
            return Err(Problem::too_many_values(place));
        }
        if parent.bytes > EXPANDED_BYTES_MAX {
            return Err(Problem::too_much_text(place));
        }
        if parent.depth > DEPTH_MAX {
            return Err(Problem::too_deep(place));
        }
        match &mut parent.inside {
            Inside::List(items) => items.push(node),
            Inside::Mapping { entries, key } => match key.take() {
                Some(key) => entries.push(Pair { key, value: node }),
                None => *key = Some(node),
            },
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), Problem> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let Open { place, anchor, mut nodes, mut bytes, depth, inside } = open;
        let value = match inside {
            Inside::List(items) => NodeValue::List(items),
            Inside::Mapping { entries, .. } => {
                let entries = Mapping::new(self.problems).build(entries)?;
                // What is merged is held here as well; what it cost to merge it stays counted.
                let held = entries.iter().map(|entry| 1 + entry.value.nodes).sum::<usize>();
                nodes = nodes.max(1 + held);
                let text = entries.iter().map(|entry| entry.key.len() + entry.value.bytes).sum();
                bytes = bytes.max(text);
                NodeValue::Mapping(entries)
            }
        };
        let node = Rc::new(Node { place, value, nodes, bytes, depth });
        self.define(anchor, &node);
        self.put(node, place)
    }
}

fn scalar(text: String, style: ScalarStyle, tag: Option<&Tag>) -> NodeValue {
    let style = match style {
        ScalarStyle::Plain => Style::Plain,
        ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
        _ => Style::Quoted,
    };
    let null = match tag.and_then(Tag::core_suffix) {
        Some(suffix) => suffix == "null",
        None => {
            tag.is_none()
                && style == Style::Plain
                && matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL")
        }
    };
    if null { NodeValue::Null } else { NodeValue::Text { text, style } }
}

/// Makes entries of pairs: merges what is to be merged, and keeps the last of equal keys.
struct Mapping<'p> {
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
    fn new(problems: &'p mut Problems) -> Self {
        Self { problems, entries: Vec::new(), index: HashMap::new() }
    }

    fn build(mut self, pairs: Vec<Pair>) -> Result<Vec<Entry>, Problem> {
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
