//! What the library under CodeBuild says about a text that is not YAML, in which line, and what
//! helps.

use super::node::Place;
use super::patch::{Collection, Cut};
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
    let (mut sentence, help) = said(kind);
    let goes_on = matches!(
        kind,
        ErrorKind::InvalidTrailingSingleQuotedScalar | ErrorKind::InvalidTrailingDoubleQuotedScalar
    );
    if let (true, Some(open)) = (goes_on, cut.bracket) {
        sentence = unclosed(text[open..].starts_with('[')).0.to_owned();
    }
    let problem = Problem::syntax(place, &sentence, aws_line(text, cut, place));
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

fn unclosed(is_list: bool) -> (&'static str, &'static str) {
    match is_list {
        true => (
            "did not find expected ',' or ']'",
            "close the `[`, or put quotes around a text that begins with it",
        ),
        false => (
            "did not find expected ',' or '}'",
            "close the `{`, or put quotes around a text that begins with it",
        ),
    }
}

/// What libyaml says of a closing bracket that nothing opened.
fn misplaced(text: &str, cut: &Cut, place: Place) -> &'static str {
    let before = text[..place.start].trim_end_matches([' ', '\t', '\n', '\r']);
    match cut.inside {
        _ if before.ends_with(" -") || before.ends_with(':') => {
            "did not find expected node content"
        }
        Some(Collection::List) => "did not find expected '-' indicator",
        Some(Collection::Mapping) => "did not find expected key",
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

/// The sentence, and advice where there is some.
fn said(kind: &ErrorKind) -> (String, Option<&'static str>) {
    match flow(kind).or_else(|| block(kind)).or_else(|| scalar(kind)) {
        Some((sentence, help)) => (sentence.to_owned(), Some(help)),
        None => (kind.to_string(), None),
    }
}

type Said = Option<(&'static str, &'static str)>;

/// Brackets and colons.
fn flow(kind: &ErrorKind) -> Said {
    Some(match kind {
        ErrorKind::UnexpectedEofFlowSequence
        | ErrorKind::ExpectedFlowSequenceSeparator
        | ErrorKind::UnclosedFlowCollection { open: '[' }
        | ErrorKind::MismatchedFlowCollectionEnd { open: '[', .. } => unclosed(true),
        ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::UnexpectedEofImplicitFlowMapping
        | ErrorKind::ExpectedFlowMappingSeparator
        | ErrorKind::UnclosedFlowCollection { .. }
        | ErrorKind::MismatchedFlowCollectionEnd { .. } => unclosed(false),
        ErrorKind::MappingValueNotAllowed
        | ErrorKind::InvalidColonPlacement
        | ErrorKind::InvalidMappingValueWhitespace
        | ErrorKind::FlowMappingValueAdjacentCollection => (
            "mapping values are not allowed in this context",
            "put quotes around a text with a colon and a space, or end the key above with a colon",
        ),
        _ => return None,
    })
}

/// Indentation, keys and dashes.
fn block(kind: &ErrorKind) -> Said {
    Some(match kind {
        ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey => (
            "could not find expected ':'",
            "a key needs a colon; a text of many lines needs `|` and deeper indentation",
        ),
        ErrorKind::ExpectedBlockMappingKey
        | ErrorKind::UnexpectedEofBlockMapping
        | ErrorKind::InvalidIndentation => {
            ("did not find expected key", "compare the indentation with that of the lines above")
        }
        ErrorKind::InvalidTrailingSingleQuotedScalar
        | ErrorKind::InvalidTrailingDoubleQuotedScalar => (
            "did not find expected key",
            "the text goes on behind its closing quote: put quotes around all of it, or escape a \
             quote inside",
        ),
        ErrorKind::ExpectedBlockSequenceEntry
        | ErrorKind::UnexpectedEofBlockSequence
        | ErrorKind::BlockEntryInFlowCollection => (
            "did not find expected '-' indicator",
            "every entry of a list begins with `- ` in the same column",
        ),
        ErrorKind::BlockSequenceEntryNotAllowed => (
            "block sequence entries are not allowed in this context",
            "begin the list on a line of its own, indented at least as far as its key",
        ),
        ErrorKind::ExpectedDocumentStart => (
            "did not find expected <document start>",
            "this line is indented less than the text needs, or a colon is missing above",
        ),
        _ => return None,
    })
}

/// Characters and quotes.
fn scalar(kind: &ErrorKind) -> Said {
    Some(match kind {
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation => (
            "found character that cannot start any token",
            "indent with spaces; YAML forbids tabs there",
        ),
        ErrorKind::UnexpectedCharacter { .. } | ErrorKind::BomInsideDocument => (
            "found character that cannot start any token",
            "put quotes around a text that begins with this character",
        ),
        ErrorKind::UnclosedQuotedScalar => {
            ("found unexpected end of stream", "the quote that opens here is never closed")
        }
        ErrorKind::UnknownQuotedScalarEscape => (
            "found unknown escape character",
            "double the backslash, or use single quotes, where it means itself",
        ),
        ErrorKind::MissingAnchorOrAliasName => (
            "did not find expected alphabetic or numeric character",
            "a text that begins with `*` or `&` needs quotes",
        ),
        _ => return None,
    })
}
