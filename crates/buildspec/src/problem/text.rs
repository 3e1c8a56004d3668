//! Problems of the text and its YAML.

use super::{Found, NO_ANCHOR_NAME, Problem, Rule, shown};
use crate::limits::{DEPTH_MAX, EXPANDED_BYTES_MAX, NODES_MAX, TEXT_BYTES_MAX};
use crate::yaml::{Place, TabSaid, is_anchor_name};

/// The text and its YAML.
impl Problem {
    pub(crate) fn text_too_large() -> Self {
        let message = format!("the buildspec has more than {TEXT_BYTES_MAX} bytes");
        Self::new(Rule::TooLarge, Place::START, message)
    }

    pub(crate) fn not_utf8(place: Place, byte: u8) -> Self {
        let message = format!("the byte 0x{byte:02X} is not UTF-8");
        Self::new(Rule::Yaml, place, message)
            .help("save the file as UTF-8")
            .aws("invalid leading UTF-8 octet")
    }

    pub(crate) fn not_utf16() -> Self {
        Self::new(Rule::Yaml, Place::START, "the text begins as UTF-16 and is not")
            .help("save the file as UTF-8")
            .aws("incomplete UTF-16 character")
    }

    pub(crate) fn too_many_values(place: Place) -> Self {
        let message = format!("the buildspec holds more than {NODES_MAX} values");
        Self::new(Rule::TooLarge, place, message)
            .help("each use of an alias counts as all that its anchor holds")
            .aws("document contains excessive aliasing")
    }

    pub(crate) fn too_much_text(place: Place) -> Self {
        let message = format!(
            "with its aliases written out the buildspec is over {EXPANDED_BYTES_MAX} bytes"
        );
        Self::new(Rule::TooLarge, place, message).aws("document contains excessive aliasing")
    }

    pub(crate) fn too_deep(place: Place) -> Self {
        let message = format!("lists and mappings are nested deeper than {DEPTH_MAX} levels");
        Self::new(Rule::TooDeep, place, message)
    }

    pub(crate) fn control_character(place: Place, char: char) -> Self {
        let message = format!("the character U+{:04X} is not allowed in YAML", u32::from(char));
        Self::new(Rule::Yaml, place, message)
            .help("write it as an escape in double quotes, or remove it")
            .aws("control characters are not allowed")
    }

    /// `said` is the sentence of the YAML library that CodeBuild uses, `aws_line` its line.
    pub(crate) fn syntax(place: Place, said: &str, aws_line: usize) -> Self {
        Self::new(Rule::Yaml, place, format!("this is not YAML: {said}"))
            .aws(format!("{said} at line {aws_line}"))
    }

    pub(crate) fn tab(place: Place, said: TabSaid) -> Self {
        let said = match said {
            TabSaid::CannotStart => "found character that cannot start any token",
            TabSaid::Violates => "found a tab character that violates indentation",
            TabSaid::WhereASpaceIs => {
                "found a tab character where an indentation space is expected"
            }
        };
        Self::new(Rule::Yaml, place, "a tab indents this line, which YAML forbids")
            .help("indent with spaces; a line of blanks alone must have no tab either")
            .aws(format!("{said} at line {}", place.line - 1))
    }

    pub(crate) fn anchor_name(place: Place) -> Self {
        Self::new(Rule::Yaml, place, "`&` begins an anchor, and this is not the name of one")
            .help("a text that begins with `&` needs quotes")
            .aws(format!("{NO_ANCHOR_NAME} at line {}", place.line - 1))
    }

    pub(crate) fn unknown_alias(place: Place, name: &str) -> Self {
        let name = &*shown(name);
        let message = format!("`*{name}` refers to an anchor that is not defined before it");
        let problem = Self::new(Rule::Alias, place, message).aws(match is_anchor_name(name) {
            true => format!("unknown anchor '{name}' referenced"),
            false => format!("{NO_ANCHOR_NAME} at line {}", place.line - 1),
        });
        if name.contains(['.', '/', '*']) {
            return problem
                .help(format!("a pattern that begins with a star needs quotes: '*{name}'"));
        }
        problem.help(format!("define it with `&{name}`, or put quotes around a text with a star"))
    }

    pub(crate) fn alias_in_itself(place: Place) -> Self {
        let message = "this alias stands inside the value that it refers to";
        Self::new(Rule::Alias, place, message).aws("anchor value contains itself")
    }

    pub(crate) fn merge_of(place: Place, found: Found) -> Self {
        let message = format!("`<<` merges mappings, but here is {}", found.words());
        Self::new(Rule::Merge, place, message)
            .help("write `<<: *anchor`, or `<<: [*one, *two]`")
            .aws("map merge requires map or sequence of maps as the value")
    }

    pub(crate) fn key_not_text(place: Place, found: Found) -> Self {
        let message = format!("a key must be text, but here is {}", found.words());
        Self::new(Rule::WrongType, place, message)
            .help("a value that begins with `{` or `[` needs quotes to be text")
    }

    pub(crate) fn duplicate_key(place: Place, key: &str, first: Place) -> Self {
        let message = format!("`{}` stands here a second time; this one counts", shown(key));
        Self::new(Rule::DuplicateKey, place, message)
            .help(format!("the first is in line {}; remove one", first.line))
    }

    pub(crate) fn tag(place: Place, tag: &str) -> Self {
        let message = format!("the tag `{}` has no meaning in a buildspec", shown(tag));
        Self::new(Rule::Tag, place, message)
            .help("the value is taken as it stands, without being computed")
    }

    pub(crate) fn extra_document(place: Place) -> Self {
        let message = "only the first document is read; a second one begins here";
        Self::new(Rule::ExtraDocument, place, message)
    }
}
