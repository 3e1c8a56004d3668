//! The sentences of libyaml, and what helps.

use granit_parser::ErrorKind;

/// The sentence, and advice where there is some.
pub(super) fn phrase(kind: &ErrorKind) -> (&'static str, Option<&'static str>) {
    match flow(kind).or_else(|| block(kind)).or_else(|| scalar(kind)) {
        Some((sentence, help)) => (sentence, Some(help)),
        None => (rare(kind), None),
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
        ErrorKind::InvalidQuotedScalarHexEscape | ErrorKind::InvalidLowSurrogateHexEscape => (
            "did not find expected hexdecimal number",
            "double the backslash, or use single quotes, where it means itself",
        ),
        ErrorKind::InvalidBlockScalarHeader | ErrorKind::ZeroBlockScalarIndent => (
            "did not find expected comment or line break",
            "the text behind `|` or `>` begins on the next line",
        ),
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

/// Tags, directives and what else nobody writes in a buildspec.
fn rare(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::DuplicateVersionDirective => "found duplicate %YAML directive",
        ErrorKind::UnsupportedYamlMajorVersion => "found incompatible YAML document",
        ErrorKind::DuplicateTagDirective => "found duplicate %TAG directive",
        ErrorKind::MissingDocumentEndBeforeDirective | ErrorKind::InvalidDocumentEnd => {
            "did not find expected <document start>"
        }
        ErrorKind::UndeclaredTagHandle => "found undefined tag handle",
        ErrorKind::ExpectedTagBang | ErrorKind::ExpectedTagDirectiveBang => {
            "did not find expected '!'"
        }
        ErrorKind::UnclosedVerbatimTag => "did not find the expected '>'",
        ErrorKind::MissingTagUri | ErrorKind::InvalidGlobalTagCharacter => {
            "did not find expected tag URI"
        }
        ErrorKind::InvalidTagTerminator | ErrorKind::InvalidTagDirectiveTerminator => {
            "did not find expected whitespace or line break"
        }
        ErrorKind::InvalidTagEscape => "did not find URI escaped octet",
        ErrorKind::InvalidDirectiveTerminator
        | ErrorKind::ExpectedWhitespace
        | ErrorKind::CommentNotSeparated => "did not find expected comment or line break",
        ErrorKind::MissingYamlVersionSeparator => "did not find expected digit or '.' character",
        ErrorKind::MissingDirectiveName => "could not find expected directive name",
        ErrorKind::InvalidDirectiveName => "found unexpected non-alphabetical character",
        ErrorKind::YamlVersionTooLong => "found extremely long version number",
        ErrorKind::MissingYamlVersion => "did not find expected version number",
        ErrorKind::InvalidUnicodeEscape
        | ErrorKind::InvalidLowSurrogate
        | ErrorKind::MissingLowSurrogate
        | ErrorKind::UnpairedLowSurrogate => "found invalid Unicode character escape code",
        ErrorKind::DocumentIndicatorInQuotedScalar => "found unexpected document indicator",
        ErrorKind::MappingKeyNotAllowed => "mapping keys are not allowed in this context",
        ErrorKind::CommentInterceptedScalar
        | ErrorKind::InvalidBlockScalarIndent
        | ErrorKind::InvalidFlowScalarIndent
        | ErrorKind::InvalidQuotedScalarIndent => "did not find expected key",
        _ => "did not find expected node content",
    }
}

/// A bracket that opened is not closed where it must be.
pub(super) fn unclosed(is_list: bool) -> (&'static str, &'static str) {
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
