//! A problem as a person reads it: with its source line, a caret, and what would be right.

use crate::problem::{Problem, Severity};
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

/// Lines longer than this, in bytes, are cut to a window around the place.
const LINE_BYTES_MAX: usize = 600;
/// How much of a cut line is kept on either side of the place, in bytes.
const KEPT_BYTES: usize = 120;
/// How wide a source line may be shown, in columns.
const WIDTH: usize = 120;

/// Whether there may be colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Text alone.
    Plain,
    /// With the escape sequences of a terminal.
    Coloured,
}

impl Problem {
    /// The problem with its source line, a caret under the place, and what would be right.
    /// `text` is what was parsed.
    pub fn render(&self, file_name: &str, text: &str, look: Look) -> String {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let shown = Shown::new(self, text);
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let source = Snippet::source(shown.line.as_str())
            .line_start(self.line)
            .path(file_name)
            .annotation(AnnotationKind::Primary.span(shown.start..shown.end));
        let title = level.primary_title(self.message.as_str()).id(self.rule.name());
        let mut group = Group::with_title(title).element(source);
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        let renderer = match look {
            Look::Plain => Renderer::plain(),
            Look::Coloured => Renderer::styled(),
        };
        let rendered = renderer.term_width(WIDTH).render(&[group]);
        // The renderer counts the column in what it is shown, which may be a part of the line.
        let counted = format!("{file_name}:{}:{}\n", self.line, shown.column);
        let meant = format!("{file_name}:{}:{}\n", self.line, self.column);
        let mut out = rendered.replacen(&counted, &meant, 1);
        out.push('\n');
        out
    }
}

/// The source line of a problem, or the part of it that is shown.
struct Shown {
    line: String,
    start: usize,
    end: usize,
    /// The column, from 1, of the place in `line`.
    column: usize,
}

impl Shown {
    fn new(problem: &Problem, text: &str) -> Self {
        let at = floor(text, problem.bytes.start);
        let line_start = text[..at].rfind(['\n', '\r']).map_or(0, |end| end + 1);
        let line_end = text[at..].find(['\n', '\r']).map_or(text.len(), |end| at + end);
        let end = floor(text, problem.bytes.end.clamp(at, line_end));
        let (mut from, mut to) = (line_start, line_end);
        let (mut lead, mut tail) = ("", "");
        if line_end - line_start > LINE_BYTES_MAX {
            from = floor(text, line_start.max(at.saturating_sub(KEPT_BYTES)));
            to = floor(text, line_end.min(end.min(at + KEPT_BYTES) + KEPT_BYTES));
            lead = if from > line_start { "…" } else { "" };
            tail = if to < line_end { "…" } else { "" };
        }
        // The renderer shows control characters as pictures, but not these, of two bytes each.
        let mut line = format!("{lead}{}{tail}", &text[from..to])
            .replace(|char| matches!(char, '\u{80}'..='\u{9f}'), "·");
        let offset = lead.len();
        let (start, end) = (offset + at - from, offset + end.min(to) - from);
        if problem.conceals {
            line.truncate(end);
            line.push_str(": ***");
        }
        let column = line[..start].chars().count() + 1;
        Self { line, start, end, column }
    }
}

/// The beginning of the character that a byte belongs to.
fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
