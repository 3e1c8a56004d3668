//! What libyaml takes and the parser here does not: a comment right behind a bracket or quote, and
//! tabs that indent inside brackets. Each is replaced by blanks, byte for byte, so that every
//! place stays where it is.

use super::tabs::Tabs;
use granit_parser::{ErrorKind, ScanError};

/// Where a text stopped to be YAML.
pub(super) struct Cut {
    pub(super) error: ScanError,
    /// Where the outermost bracket that is still open stands.
    pub(super) brackets: Option<usize>,
    /// Where the innermost one stands.
    pub(super) bracket: Option<usize>,
    /// What the text was in the middle of.
    pub(super) inside: Option<Collection>,
    /// The column, from 0, in which its lines begin.
    pub(super) indent: Option<usize>,
    pub(super) tabs: Tabs,
}

/// What holds other values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Collection {
    List,
    Mapping,
}

/// The text without what stopped the parser; none when libyaml would have stopped there too.
pub(super) fn mended(text: &str, cut: &Cut) -> Option<String> {
    match cut.error.kind() {
        ErrorKind::CommentNotSeparated => without_comment(text, &cut.error),
        ErrorKind::TabInBlockIndentation | ErrorKind::TabNotAllowed => {
            without_tabs(text, cut.brackets?)
        }
        _ => None,
    }
}

fn without_comment(text: &str, error: &ScanError) -> Option<String> {
    let from = error.marker().byte_offset()?;
    let line_end = |at: usize| text[at..].find(['\n', '\r']).map_or(text.len(), |end| at + end);
    let start = from + text[from..line_end(from)].find('#')?;
    let before = text[..start].chars().next_back()?;
    if !matches!(before, '\'' | '"' | ']' | '}' | ',' | '[' | '{') {
        return None;
    }
    let mut mended = text.to_owned();
    let end = line_end(start);
    mended.replace_range(start..end, &" ".repeat(end - start));
    Some(mended)
}

fn without_tabs(text: &str, from: usize) -> Option<String> {
    let mut mended = String::with_capacity(text.len());
    mended.push_str(&text[..from]);
    let mut depth = 0_usize;
    let mut quote = None;
    let mut leading = false;
    let mut chars = text[from..].char_indices();
    for (at, char) in chars.by_ref() {
        mended.push(if leading && char == '\t' { ' ' } else { char });
        leading = matches!(char, '\n' | '\r') || leading && matches!(char, ' ' | '\t');
        match (char, quote) {
            (_, Some(open)) if char == open => quote = None,
            (_, Some(_)) => {}
            ('"' | '\'', None) if begins_word(&text[..from + at]) => quote = Some(char),
            ('[' | '{', None) => depth += 1,
            (']' | '}', None) => depth = depth.saturating_sub(1),
            (_, None) => {}
        }
        if depth == 0 {
            break;
        }
    }
    mended.push_str(chars.as_str());
    (mended != text).then_some(mended)
}

/// Whether a quote here opens a text and is not a part of one.
fn begins_word(before: &str) -> bool {
    before.ends_with([' ', '\t', '\n', '\r', '[', '{', ',', ':'])
}
