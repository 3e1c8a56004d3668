//! What the library under CodeBuild says about a text that is not YAML, in which line, and what
//! helps.

use super::node::Place;
use super::patch::{Collection, Cut};
use super::phrase::{phrase, unclosed};
use super::tabs::TabSaid;
use crate::problem::Problem;
use granit_parser::ErrorKind;

/// The problem of a text that is not YAML.
pub(super) fn syntax(text: &str, cut: &Cut) -> Problem {
    let (kind, place) = (cut.error.kind(), marked(text, cut));
    match kind {
        ErrorKind::RecursionLimitExceeded => return Problem::too_deep(place),
        ErrorKind::TabInPlainScalar => return tab_behind(text, place, TabSaid::Violates),
        ErrorKind::TabAtBlockScalarStart => {
            return tab_behind(text, place, TabSaid::WhereASpaceIs);
        }
        ErrorKind::BlockEntryInFlowCollection => {
            if let Some(open) = cut.bracket.or_else(|| bracket_before(text, cut, place)) {
                let (sentence, help) = unclosed(text[open..].starts_with('['));
                let place = Place::of(text, open..open + 1);
                return Problem::syntax(place, sentence, line_of_key(text, place) - 1).help(help);
            }
        }
        ErrorKind::MisplacedFlowCollectionEnd => {
            let bracket = &text[place.start..place.end];
            let help = format!("remove the `{bracket}`, or put quotes around the text");
            return Problem::syntax(place, misplaced(text, cut, place), place.line - 1).help(help);
        }
        _ => {}
    }
    let (mut sentence, help) = phrase(kind);
    if let ErrorKind::InvalidTrailingSingleQuotedScalar
    | ErrorKind::InvalidTrailingDoubleQuotedScalar
    | ErrorKind::InvalidBlockScalarIndent
    | ErrorKind::CommentInterceptedScalar = kind
    {
        sentence = behind_text(text, cut, place);
    }
    let problem = Problem::syntax(place, sentence, aws_line(text, cut, place));
    match help {
        Some(help) => problem.help(help),
        None => problem,
    }
}

fn marked(text: &str, cut: &Cut) -> Place {
    let mark = cut.error.marker();
    let start = mark.byte_offset().unwrap_or(text.len()).min(text.len());
    let char = text[start..].chars().next().filter(|char| !matches!(char, '\n' | '\r'));
    Place {
        line: mark.line().max(1),
        column: mark.col() + 1,
        width: 1,
        start,
        end: start + char.map_or(0, char::len_utf8),
    }
}

/// The tab that stands at the beginning of a later line of a text.
fn tab_behind(text: &str, place: Place, said: TabSaid) -> Problem {
    let from = place.start;
    let leads = |at: usize| {
        let line = text[..at].rfind(['\n', '\r']).map_or(0, |end| end + 1);
        text[line..at].trim().is_empty()
    };
    let tab = text[from..].match_indices('\t').map(|(at, _)| from + at).find(|at| leads(*at));
    Problem::tab(tab.map_or(place, |at| Place::of(text, at..at + 1)), said)
}

/// The bracket that opened last, when what it opens has not been told yet.
fn bracket_before(text: &str, cut: &Cut, place: Place) -> Option<usize> {
    let from = cut.tabs.end();
    let brackets = text.get(from..place.start)?.rmatch_indices(['[', '{']);
    let mut places = brackets.map(|(at, _)| from + at);
    places.find(|at| text[..*at].ends_with([' ', '\n', '[', '{', ',']))
}

/// What libyaml says where a text goes on behind its end, such as its closing quote.
fn behind_text(text: &str, cut: &Cut, place: Place) -> &'static str {
    match (cut.bracket.or_else(|| bracket_before(text, cut, place)), cut.inside) {
        (Some(open), _) => unclosed(text[open..].starts_with('[')).0,
        (None, Some(Collection::List)) => "did not find expected '-' indicator",
        (None, Some(Collection::Mapping)) => "did not find expected key",
        (None, None) => "did not find expected <document start>",
    }
}

/// What libyaml says of a closing bracket that nothing opened.
fn misplaced(text: &str, cut: &Cut, place: Place) -> &'static str {
    let before = text[..place.start].trim_end_matches([' ', '\t', '\n', '\r']);
    match cut.inside {
        _ if before.ends_with(" -") || before.ends_with(':') => {
            "did not find expected node content"
        }
        // Further to the left the list is over, and a mapping around it goes on.
        Some(Collection::List) if cut.indent.is_some_and(|indent| place.column > indent) => {
            "did not find expected '-' indicator"
        }
        Some(Collection::List | Collection::Mapping) => "did not find expected key",
        None => "did not find expected <document start>",
    }
}

/// The line that CodeBuild names: the one in which libyaml stops, counted from 0.
fn aws_line(text: &str, cut: &Cut, place: Place) -> usize {
    match cut.error.kind() {
        // A key is missed when the next thing begins, a quote when nothing is left.
        ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey => {
            line_behind(text, cut.indent, place)
        }
        ErrorKind::UnclosedFlowCollection { open: '[' } => line_of_key(text, place) - 1,
        ErrorKind::UnclosedQuotedScalar
        | ErrorKind::UnexpectedEofFlowSequence
        | ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::UnexpectedEofImplicitFlowMapping
        | ErrorKind::UnclosedFlowCollection { .. }
        | ErrorKind::UnexpectedEof => last_line(text) - 1,
        _ => place.line - 1,
    }
}

fn last_line(text: &str) -> usize {
    Place::of(text, text.len()..text.len()).line
}

/// The line, from 0, in which a text without quotes ends: it goes on until a line has a key or a
/// comment, or is indented less.
fn line_behind(text: &str, indent: Option<usize>, place: Place) -> usize {
    let least = indent.map_or(0, |indent| indent + 1);
    let ends = |line: &str| {
        let words = line.trim_start();
        !words.is_empty()
            && (words.starts_with('#')
                || line.len() - words.len() < least
                || line.contains(": ")
                || line.trim_end().ends_with(':')
                || line.contains(" #"))
    };
    let quoted = text[place.start..].starts_with(['"', '\'']);
    let mut later = text[place.start..].split('\n').skip(1);
    let found = later.position(|line| ends(line) || quoted && !line.trim().is_empty());
    found.map_or(last_line(text) - 1, |skipped| place.line + skipped)
}

/// The line of the first key behind a place: in a list in brackets, libyaml stops there.
fn line_of_key(text: &str, place: Place) -> usize {
    let mut later = text[place.start..].split('\n').skip(1);
    let key = |line: &str| line.contains(": ") || line.trim_end().ends_with(':');
    later.position(key).map_or(last_line(text), |skipped| place.line + 1 + skipped)
}
