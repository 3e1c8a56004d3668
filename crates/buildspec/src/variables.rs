//! Which variable has which value, when several levels name it.

use std::collections::HashMap;

/// Puts levels of variables together, from the weakest to the strongest.
///
/// A build has three: what the environment and the service give, then the buildspec's `env`, then
/// what the project and the caller give. A name keeps the place where it first stood and has the
/// value that stood last. Values are literal; nothing is expanded.
pub fn merge_variables<Level>(levels: impl IntoIterator<Item = Level>) -> Vec<(String, String)>
where
    Level: IntoIterator<Item = (String, String)>,
{
    let mut merged: Vec<(String, String)> = Vec::new();
    let mut index: HashMap<String, usize> = HashMap::new();
    for (name, value) in levels.into_iter().flatten() {
        match index.get(&name) {
            Some(at) => merged[*at].1 = value,
            None => {
                index.insert(name.clone(), merged.len());
                merged.push((name, value));
            }
        }
    }
    merged
}

/// Replaces `$NAME` and `${NAME}` by what `variable` says, and by nothing where it says none.
pub fn expand_variables(text: &str, variable: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let braced = after.strip_prefix('{').and_then(|inside| inside.split_once('}'));
        let (name, behind) = braced.unwrap_or_else(|| {
            let is_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
            after.split_at(after.find(|letter| !is_name(letter)).unwrap_or(after.len()))
        });
        if name.is_empty() {
            out.push('$');
        } else {
            out.push_str(&variable(name).unwrap_or_default());
        }
        rest = behind;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::{expand_variables, merge_variables};

    fn level(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_strongest_level_wins_and_the_first_place_stays() {
        let base = level(&[("HOME", "/root"), ("A", "base")]);
        let buildspec = level(&[("A", "buildspec"), ("B", "buildspec"), ("C", "$A")]);
        let caller = level(&[("B", "project"), ("D", "d"), ("B", "caller")]);
        let expected = level(&[
            ("HOME", "/root"),
            ("A", "buildspec"),
            ("B", "caller"),
            ("C", "$A"),
            ("D", "d"),
        ]);
        assert_eq!(merge_variables([base, buildspec, caller]), expected);
    }

    #[test]
    fn an_empty_value_is_a_value() {
        let merged = merge_variables([level(&[("A", "a")]), level(&[("A", "")])]);
        assert_eq!(merged, level(&[("A", "")]));
    }

    #[test]
    fn references_become_values() {
        let variable = |name: &str| (name == "STAGE").then(|| "dev".to_owned());
        for (text, expected) in [
            ("/app/key", "/app/key"),
            ("/$STAGE/key", "/dev/key"),
            ("/${STAGE}/${NOBODY}key", "/dev/key"),
            ("$STAGE_X$STAGE", "dev"),
            ("a$ $", "a$ $"),
            ("${STAGE", "${STAGE"),
        ] {
            assert_eq!(expand_variables(text, variable), expected, "{text}");
        }
    }
}
