//! What of a secret value is looked for in a text.
//!
//! A value is looked for line by line, without the blanks around each line: a log has lines, and
//! who prints a value may indent it. Of a value that is JSON the texts in it are looked for too,
//! because that is how a build takes such a value apart.

use serde_json::Value;
use std::collections::BTreeSet;

/// Shorter lines are not hidden: a log in which every `1` or `on` is hidden cannot be read, and
/// what can be guessed that fast is no secret.
pub(super) const LINE_BYTES_MIN: usize = 4;

/// Shorter texts within JSON are not hidden: most of them are names of users and hosts.
pub(super) const MEMBER_BYTES_MIN: usize = 8;

/// The texts that stand for a value, without repetition.
pub(super) fn of<'a>(values: impl Iterator<Item = &'a str>) -> BTreeSet<Vec<u8>> {
    let mut pieces = BTreeSet::new();
    for value in values {
        add_lines(value, LINE_BYTES_MIN, &mut pieces);
        if let Ok(tree @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str(value) {
            add_members(&tree, &mut pieces);
        }
    }
    pieces
}

fn add_lines(value: &str, bytes_min: usize, pieces: &mut BTreeSet<Vec<u8>>) {
    let lines = value.lines().map(str::trim).filter(|line| line.len() >= bytes_min);
    pieces.extend(lines.map(|line| line.as_bytes().to_vec()));
}

fn add_members(tree: &Value, pieces: &mut BTreeSet<Vec<u8>>) {
    match tree {
        Value::String(text) => add_lines(text, MEMBER_BYTES_MIN, pieces),
        Value::Array(items) => items.iter().for_each(|item| add_members(item, pieces)),
        Value::Object(members) => members.values().for_each(|value| add_members(value, pieces)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::of;

    fn pieces(value: &str) -> Vec<String> {
        of([value].into_iter()).into_iter().map(|piece| String::from_utf8(piece).unwrap()).collect()
    }

    #[test]
    fn a_value_is_its_lines_without_blanks_around_them() {
        assert_eq!(pieces("hunter2\n"), ["hunter2"]);
        assert_eq!(pieces("one two\r\n\n  three\nsix"), ["one two", "three"]);
        assert_eq!(pieces("abc"), [""; 0]);
    }

    #[test]
    fn the_longer_texts_of_json_are_pieces_too() {
        let value =
            r#"{"user":"admin","password":"correct \"horse\"","n":12345678,"l":["in a list"]}"#;
        assert_eq!(pieces(value), ["correct \"horse\"", "in a list", value]);
        assert_eq!(pieces("\"a text alone\""), ["\"a text alone\""]);
    }
}
