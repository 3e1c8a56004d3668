//! Tabs in the indentation, which libyaml refuses and the parser here takes.
//!
//! A tab may stand between things on a line and anywhere inside brackets and quotes; at the
//! beginning of a line, or behind the dash of an entry, it may not.

use super::node::Place;
use crate::problem::Problem;
use granit_parser::{ScalarStyle, Span};

/// The parts of a text in which tabs are looked at differently, in their order.
#[derive(Debug, Default)]
pub(super) struct Tabs {
    parts: Vec<Part>,
}

#[derive(Debug)]
struct Part {
    start: usize,
    end: usize,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// In brackets or quotes: tabs mean nothing.
    Free,
    /// Text without quotes; its further lines begin in this column, from 0, or later.
    Plain { indent: usize },
    /// Text behind `|` or `>`, in something that begins in this column.
    Block { parent: Option<usize> },
}

/// What libyaml says of a tab.
#[derive(Clone, Copy)]
pub(crate) enum TabSaid {
    /// Nothing can begin with it.
    CannotStart,
    /// It stands before a further line of a text.
    Violates,
    /// It stands where a text behind `|` is indented.
    WhereASpaceIs,
}

impl Tabs {
    /// Notes a scalar that stands in something whose lines begin in column `indent`, from 0.
    pub(super) fn scalar(&mut self, span: &Span, style: ScalarStyle, indent: Option<usize>) {
        let kind = match style {
            ScalarStyle::Plain => Kind::Plain { indent: indent.map_or(0, |indent| indent + 1) },
            ScalarStyle::Literal | ScalarStyle::Folded => Kind::Block { parent: indent },
            _ => Kind::Free,
        };
        let Some(range) = span.byte_range().filter(|range| !range.is_empty()) else { return };
        self.parts.push(Part { start: range.start, end: range.end, kind });
    }

    /// Notes a list or mapping in brackets, which takes the place of all that is in it.
    pub(super) fn brackets(&mut self, start: usize, last: &Span) {
        let inside = self.parts.iter().rposition(|part| part.start < start);
        self.parts.truncate(inside.map_or(0, |before| before + 1));
        let end = last.end.byte_offset().unwrap_or(start);
        self.parts.push(Part { start, end, kind: Kind::Free });
    }

    /// Where the last part ends.
    pub(super) fn end(&self) -> usize {
        self.parts.last().map_or(0, |part| part.end)
    }

    /// Every line whose first tab libyaml would refuse. `text` is what was read, or as much of it
    /// as was.
    pub(super) fn problems<'a>(&'a self, text: &'a str) -> impl Iterator<Item = Problem> + 'a {
        let mut walk = Walk { tabs: self, text, at: 0, part: 0, blank_to: 0 };
        std::iter::from_fn(move || walk.next())
    }
}

struct Walk<'a> {
    tabs: &'a Tabs,
    text: &'a str,
    /// How far the text has been walked: to the beginning of a line.
    at: usize,
    /// How many parts begin before the tab that is looked at.
    part: usize,
    /// How far nothing but blanks follows the part before the tab.
    blank_to: usize,
}

impl Walk<'_> {
    fn next(&mut self) -> Option<Problem> {
        loop {
            let tab = self.at + self.text[self.at..].find('\t')?;
            let start = self.text[..tab].rfind(['\n', '\r']).map_or(0, |end| end + 1);
            let end = self.text[tab..].find(['\n', '\r']).map_or(self.text.len(), |at| tab + at);
            self.at = end;
            if let Some(said) = self.said(start, tab) {
                return Some(Problem::tab(Place::of(self.text, tab..tab + 1), said));
            }
        }
    }

    /// What libyaml says of the first tab of the line that begins at `start`.
    fn said(&mut self, start: usize, tab: usize) -> Option<TabSaid> {
        let parts = &self.tabs.parts;
        let more = parts[self.part..].iter().take_while(|part| part.start <= tab).count();
        if more > 0 {
            self.part += more;
            self.blank_to = parts[self.part - 1].end;
        }
        let prefix = &self.text[start..tab];
        let Some(part) = self.part.checked_sub(1).map(|last| &parts[last]) else {
            return begins_nothing(prefix).then_some(TabSaid::CannotStart);
        };
        if tab < part.end {
            return self.said_inside(part, start, tab);
        }
        let is_blank = |text: &str| text.trim_matches([' ', '\t', '\n', '\r']).is_empty();
        if self.blank_to < tab {
            let blank = is_blank(&self.text[self.blank_to..tab]);
            self.blank_to = if blank { tab } else { usize::MAX };
        }
        match part.kind {
            Kind::Plain { .. } | Kind::Block { .. } if self.blank_to == tab => {
                self.said_inside(part, start, tab)
            }
            Kind::Free | Kind::Plain { .. } | Kind::Block { .. } => {
                begins_nothing(prefix).then_some(TabSaid::CannotStart)
            }
        }
    }

    /// A text goes on, as far as a reader knows, until something else begins.
    fn said_inside(&self, part: &Part, start: usize, tab: usize) -> Option<TabSaid> {
        let is_indentation = start > part.start && self.text[start..tab].trim().is_empty();
        match part.kind {
            Kind::Plain { indent } if is_indentation && tab - start < indent => {
                Some(TabSaid::Violates)
            }
            Kind::Block { parent } if is_indentation => {
                let indent = self.block_indent(part, parent);
                (tab - start < indent).then_some(TabSaid::WhereASpaceIs)
            }
            Kind::Free | Kind::Plain { .. } | Kind::Block { .. } => None,
        }
    }

    /// The column, from 0, in which the lines of a text behind `|` begin.
    fn block_indent(&self, part: &Part, parent: Option<usize>) -> usize {
        let least = parent.map_or(0, |parent| parent + 1);
        let text = &self.text[part.start..part.end];
        let mut lines = text.split(['\n', '\r']);
        let header = lines.next().unwrap_or_default();
        if let Some(digit) = header.chars().take(3).find_map(|char| char.to_digit(10)) {
            return parent.unwrap_or(0) + digit as usize;
        }
        let first = lines.find(|line| !line.trim_matches(' ').is_empty());
        first.map_or(least, |line| (line.len() - line.trim_start_matches(' ').len()).max(least))
    }
}

/// Whether a line has nothing yet but blanks and the dashes of entries.
fn begins_nothing(prefix: &str) -> bool {
    prefix.split([' ', '\t']).all(|word| matches!(word, "" | "-" | "?"))
}
