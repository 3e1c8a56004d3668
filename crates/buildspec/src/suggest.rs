//! The likeliest name behind a mistyped one.

/// Longer words are nobody's typing mistake.
const WORD_MAX: usize = 40;

/// Returns the known name that was probably meant.
pub(crate) fn likeliest<'k>(
    word: &str,
    known: impl IntoIterator<Item = &'k str>,
) -> Option<&'k str> {
    if word.is_empty() || word.chars().count() > WORD_MAX {
        return None;
    }
    let plain = simplified(word);
    let scored = known.into_iter().filter_map(|name| {
        let target = simplified(name);
        let distance = distance(&plain, &target);
        let allowed = plain.len().max(target.len()).div_ceil(3);
        (distance <= allowed && distance < target.len()).then_some((distance, name))
    });
    scored.min_by_key(|(distance, _)| *distance).map(|(_, name)| name)
}

/// Lower case, one kind of dash: these are the usual mistakes and cost nothing.
fn simplified(word: &str) -> Vec<char> {
    word.chars()
        .filter(|char| !matches!(char, '-' | '_' | ' '))
        .flat_map(char::to_lowercase)
        .collect()
}

/// Edits between two words; two swapped neighbours count as one.
fn distance(left: &[char], right: &[char]) -> usize {
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=right.len()).collect();
    for (row, l) in left.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, r) in right.iter().enumerate() {
            let replaced = last[column] + usize::from(l != r);
            let mut best = replaced.min(last[column + 1] + 1).min(current[column] + 1);
            let swapped = row > 0 && column > 0 && *l == right[column - 1] && left[row - 1] == *r;
            if swapped {
                best = best.min(before_last[column - 1] + 1);
            }
            current.push(best);
        }
        before_last = std::mem::replace(&mut last, current);
    }
    last[right.len()]
}

#[cfg(test)]
mod tests {
    use super::likeliest;

    #[test]
    fn a_mistyped_key_gets_its_likeliest_name() {
        let known = ["commands", "finally", "on-failure", "run-as", "runtime-versions"];
        let table = [
            ("comands", Some("commands")),
            ("command", Some("commands")),
            ("Commands", Some("commands")),
            ("on_failure", Some("on-failure")),
            ("onFailure", Some("on-failure")),
            ("runtimes-version", Some("runtime-versions")),
            ("finaly", Some("finally")),
            ("runas", Some("run-as")),
            ("environment", None),
            ("", None),
            ("x", None),
        ];
        for (word, expected) in table {
            assert_eq!(likeliest(word, known), expected, "{word}");
        }
    }
}
