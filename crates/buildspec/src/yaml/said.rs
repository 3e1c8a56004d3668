//! What the library under CodeBuild says about a text that is not YAML, and what helps.

use granit_parser::ErrorKind;

/// The sentence, and advice where there is some.
pub(crate) fn said(kind: &ErrorKind) -> (String, Option<&'static str>) {
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
        | ErrorKind::MismatchedFlowCollectionEnd { open: '[', .. } => (
            "did not find expected ',' or ']'",
            "close the `[`, or put quotes around a text that begins with it",
        ),
        ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::UnexpectedEofImplicitFlowMapping
        | ErrorKind::ExpectedFlowMappingSeparator
        | ErrorKind::UnclosedFlowCollection { .. }
        | ErrorKind::MismatchedFlowCollectionEnd { .. } => (
            "did not find expected ',' or '}'",
            "close the `{`, or put quotes around a text that begins with it",
        ),
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
            "the text goes on behind its closing quote; put quotes around all of it",
        ),
        ErrorKind::ExpectedBlockSequenceEntry
        | ErrorKind::UnexpectedEofBlockSequence
        | ErrorKind::BlockSequenceEntryNotAllowed
        | ErrorKind::BlockEntryInFlowCollection => (
            "did not find expected '-' indicator",
            "every entry of a list begins with `- ` in the same column",
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
        | ErrorKind::TabInIndentation
        | ErrorKind::TabAtBlockScalarStart
        | ErrorKind::TabInPlainScalar => (
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
