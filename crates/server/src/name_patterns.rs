//! Patterns that names fit, as an operator writes them.

use serde::Deserialize;

/// Names, with `*` for any characters and `?` for one. Every name, unless told otherwise.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(transparent)]
pub struct NamePatterns(Vec<String>);

impl Default for NamePatterns {
    fn default() -> Self {
        Self::new(["*"])
    }
}

impl NamePatterns {
    /// These patterns.
    pub fn new<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Self {
        Self(patterns.into_iter().map(ToOwned::to_owned).collect())
    }

    /// Whether a pattern fits every name.
    pub fn allow_all(&self) -> bool {
        self.0.iter().any(|pattern| pattern == "*")
    }

    /// Whether a pattern fits the whole name.
    pub fn allow(&self, name: &str) -> bool {
        self.0.iter().any(|pattern| fits(pattern.as_bytes(), name.as_bytes()))
    }
}

/// Whether a pattern fits a whole name. Goes back to the last star only, so it takes no longer than
/// the product of the two lengths.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut from, mut star) = (0, 0, None);
    while from < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, from));
                at += 1;
            }
            Some(byte) if *byte == b'?' || *byte == name[from] => {
                at += 1;
                from += 1;
            }
            Some(_) | None => {
                let Some((star_at, began)) = star else { return false };
                star = Some((star_at, began + 1));
                at = star_at + 1;
                from = began + 1;
            }
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::NamePatterns;

    #[test]
    fn patterns_fit_whole_names() {
        for (pattern, name) in
            [("*", ""), ("ci/*", "ci/a/b"), ("*-key", "a-key-key"), ("a?c", "abc"), ("a*b*", "aab")]
        {
            assert!(NamePatterns::new([pattern]).allow(name), "{pattern} {name}");
        }
        for (pattern, name) in
            [("", "a"), ("ci/*", "prod/ci/a"), ("a?c", "ac"), ("*b", "abc"), ("abc", "ab")]
        {
            assert!(!NamePatterns::new([pattern]).allow(name), "{pattern} {name}");
        }
    }
}
