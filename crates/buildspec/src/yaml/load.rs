//! Text to tree, in linear time and memory.

use super::mapping::Mapping;
use super::node::{Entry, Node, NodeValue, Place, Style};
use super::patch::{self, Collection, Cut};
use super::said::syntax;
use super::tabs::Tabs;
use crate::limits::{DEPTH_MAX, EXPANDED_BYTES_MAX, NODES_MAX, PROBLEMS_MAX};
use crate::problem::Problem;
use crate::problems::Problems;
use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, Tag};
use std::borrow::Cow;
use std::collections::HashMap;
use std::rc::Rc;

/// How often the text is read again after something was mended that libyaml would have taken.
const PATCHES_MAX: usize = 16;

/// Reads the first document; none when there is none. Problems that leave a tree are noted.
///
/// # Errors
/// The text is no YAML, or more than the limits allow.
pub(crate) fn load(text: &str, problems: &mut Problems) -> Result<Option<Rc<Node>>, Problem> {
    forbidden_character(text).map_or(Ok(()), Err)?;
    let mut patched = Cow::Borrowed(text);
    for _ in 0..PATCHES_MAX {
        let mut found = problems.clone();
        match load_once(&patched, &mut found) {
            Ok(root) => {
                *problems = found;
                return Ok(root);
            }
            Err(Failure::Syntax(cut)) => match patch::mended(&patched, &cut) {
                Some(mended) => patched = Cow::Owned(mended),
                None => return Err(earliest(&patched, &cut)),
            },
            Err(Failure::Problem(problem)) => return Err(problem),
        }
    }
    match load_once(&patched, problems) {
        Ok(root) => Ok(root),
        Err(Failure::Syntax(cut)) => Err(earliest(&patched, &cut)),
        Err(Failure::Problem(problem)) => Err(problem),
    }
}

/// Why a text has no tree.
enum Failure {
    /// It is not YAML from here on.
    Syntax(Box<Cut>),
    /// It is, and cannot be used.
    Problem(Problem),
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

/// A text is read from its beginning: of the mistakes in it the first is told.
fn earliest(text: &str, cut: &Cut) -> Problem {
    let syntax = syntax(text, cut);
    let place = |problem: &Problem| (problem.line, problem.column);
    let tab = cut.tabs.problems(text).next().filter(|tab| place(tab) < place(&syntax));
    // What names nothing is found before what follows from it on the same line.
    let line = text[syntax.bytes.start..].find(['\n', '\r']);
    let line_end = line.map_or(text.len(), |end| syntax.bytes.start + end);
    let name = odd_name(text, cut.tabs.end(), line_end);
    [tab, name].into_iter().flatten().min_by_key(place).unwrap_or(syntax)
}

/// A star or an ampersand that begins a text between two bytes and names nothing.
fn odd_name(text: &str, from: usize, to: usize) -> Option<Problem> {
    let between = text.get(from..to)?;
    let mut found = between.match_indices(['*', '&']).map(|(at, _)| from + at);
    let at = found.find(|at| {
        let begins = text[..*at].ends_with([' ', '\n', '[', '{', ',']);
        begins && !text[at + 1..].starts_with(|char: char| char.is_ascii_alphanumeric())
    })?;
    let word = text[at..].split([' ', '\n', '\r', ',', ']', '}']).next().unwrap_or_default();
    let place = Place::of(text, at..at + word.len());
    Some(match word.strip_prefix('*') {
        Some(name) => Problem::unknown_alias(place, name),
        None => Problem::anchor_name(place),
    })
}

fn load_once(text: &str, problems: &mut Problems) -> Result<Option<Rc<Node>>, Failure> {
    let mut options = granit_parser::options! {
        emit_unresolved_aliases: true,
        emit_anchor_events: true,
        block_scalar_eof_without_line_feed: true,
        flow_nesting_limit: DEPTH_MAX,
        block_nesting_limit: DEPTH_MAX,
    };
    options.set_emit_comments(false);
    let mut loader = Loader {
        text,
        problems,
        open: Vec::new(),
        anchors: HashMap::new(),
        done: None,
        tabs: Tabs::default(),
    };
    for next in Parser::new_from_str_with_options(text, options) {
        match next {
            Ok((event, span)) => match loader.take(event, span)? {
                Step::More => {}
                Step::Enough => break,
            },
            Err(error) => return Err(Failure::Syntax(Box::new(loader.cut(error)))),
        }
    }
    let Loader { problems, tabs, done, .. } = loader;
    tabs.problems(text).take(PROBLEMS_MAX).for_each(|tab| problems.push(tab));
    Ok(done)
}

/// YAML allows few control characters, and the parser must not stop at a NUL.
fn forbidden_character(text: &str) -> Option<Problem> {
    let forbidden = |char: char| {
        char.is_control() && !matches!(char, '\t' | '\n' | '\r' | '\u{85}')
            || matches!(char, '\u{fffe}' | '\u{ffff}')
    };
    let at = text.find(forbidden)?;
    let char = text[at..].chars().next()?;
    Some(Problem::control_character(Place::of(text, at..at + char.len_utf8()), char))
}

struct Loader<'t, 'p> {
    text: &'t str,
    problems: &'p mut Problems,
    open: Vec<Open>,
    /// What each anchor stands for; `None` while it is being read.
    anchors: HashMap<usize, Option<Rc<Node>>>,
    done: Option<Rc<Node>>,
    tabs: Tabs,
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

/// A key and its value, before merges and duplicates are looked at.
pub(super) struct Pair {
    pub(super) key: Rc<Node>,
    pub(super) value: Rc<Node>,
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
                self.tabs.scalar(&span, style, self.indent());
                let value = scalar(text.into_owned(), style, tag.as_deref());
                let bytes = match &value {
                    NodeValue::Text { text, .. } => text.len(),
                    NodeValue::Null | NodeValue::List(_) | NodeValue::Mapping(_) => 0,
                };
                let end = span.end.byte_offset().unwrap_or(place.end);
                let node = Rc::new(Node { place, end, value, nodes: 1, bytes, depth: 0 });
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
            Event::SequenceEnd | Event::MappingEnd => self.end(&span)?,
            Event::Alias(id) => match self.anchors.get(&id).cloned().flatten() {
                Some(node) => self.put(node, place)?,
                None => return Err(Problem::alias_in_itself(place)),
            },
            Event::UnresolvedAlias(name) => return Err(Problem::unknown_alias(place, &name)),
            Event::Anchor(_, name) if !is_anchor_name(&name) => {
                return Err(Problem::anchor_name(place));
            }
            // Marks of the stream, and metadata that was not asked for.
            _ => {}
        }
        Ok(Step::More)
    }

    /// The first line of what a span covers.
    fn place(&self, span: &Span) -> Place {
        let start = span.start.byte_offset().unwrap_or_default();
        let covered = span.slice(self.text).unwrap_or_default();
        let line = covered.split(['\n', '\r']).next().unwrap_or_default().trim_end();
        Place {
            line: span.start.line().max(1),
            column: span.start.col() + 1,
            width: line.chars().count().max(1),
            start,
            end: start + line.len(),
        }
    }

    fn check_tag(&mut self, tag: Option<&Tag>, span: &Span, place: Place) {
        let Some(tag) = tag.filter(|tag| tag.core_suffix().is_none()) else { return };
        let original = tag.original();
        let place = match span.tag_start {
            Some(mark) => {
                let start = mark.byte_offset().unwrap_or(place.start);
                let width = original.chars().count().max(1);
                let (line, column) = (mark.line(), mark.col() + 1);
                Place { line, column, width, start, end: start + original.len() }
            }
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

    /// The column, from 0, that the lines of the innermost list or mapping begin in.
    fn indent(&self) -> Option<usize> {
        self.open.last().map(|open| open.place.column - 1)
    }

    /// Whether a list or mapping is written in brackets.
    fn in_brackets(&self, open: &Open) -> bool {
        self.text[open.place.start..].starts_with(['[', '{'])
    }

    /// Where the text stopped to be YAML.
    fn cut(self, error: ScanError) -> Cut {
        let mut brackets = self.open.iter().filter(|open| self.in_brackets(open));
        let outermost = brackets.next().map(|open| open.place.start);
        let innermost = brackets.next_back().map(|open| open.place.start).or(outermost);
        let inside = self.open.last().map(|open| match open.inside {
            Inside::List(_) => Collection::List,
            Inside::Mapping { .. } => Collection::Mapping,
        });
        Cut {
            error,
            brackets: outermost,
            bracket: innermost,
            inside,
            indent: self.indent(),
            tabs: self.tabs,
        }
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

    fn end(&mut self, span: &Span) -> Result<(), Problem> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        if self.in_brackets(&open) && !self.open.iter().any(|outer| self.in_brackets(outer)) {
            self.tabs.brackets(open.place.start, span);
        }
        let Open { place, anchor, mut nodes, mut bytes, depth, inside } = open;
        let value = match inside {
            Inside::List(items) => NodeValue::List(items),
            Inside::Mapping { entries, .. } => {
                let entries = Mapping::new(self.problems).build(entries)?;
                // What is merged is held here as well; what it cost to merge it stays counted.
                let held = entries.iter().map(|entry| 1 + entry.value.nodes).sum::<usize>();
                nodes = nodes.max(1 + held);
                let text =
                    entries.iter().map(|entry: &Entry| entry.key.len() + entry.value.bytes).sum();
                bytes = bytes.max(text);
                NodeValue::Mapping(entries)
            }
        };
        let node = Rc::new(Node { place, end: place.start, value, nodes, bytes, depth });
        self.define(anchor, &node);
        self.put(node, place)
    }
}

/// AWS: names of anchors are those of YAML 1.1, so that `&& make` names none.
pub(crate) fn is_anchor_name(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    !name.is_empty() && name.bytes().all(is_part)
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
