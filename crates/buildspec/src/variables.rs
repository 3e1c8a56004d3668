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

#[cfg(test)]
mod tests {
    use super::merge_variables;

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
}
