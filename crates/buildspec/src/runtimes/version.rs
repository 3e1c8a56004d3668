//! How versions are ordered, and what `latest` and `17.x` mean among them.

use super::catalogue::{Runtime, RuntimeVersion};
use std::cmp::Ordering;

/// The version that `latest`, or a text such as `3.x`, means; none where the text is no such thing
/// or nothing fits.
pub(super) fn resolve<'r>(runtime: &'r Runtime, text: &str) -> Option<&'r RuntimeVersion> {
    let all = runtime.versions.iter();
    if text == "latest" {
        return all.max_by(|a, b| compare(&a.name, &b.name));
    }
    let base = text.strip_suffix(".x").filter(|base| !base.is_empty())?;
    let fits = |name: &str| {
        name.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let fitting = all
        .filter(|version| fits(&version.name) || version.aliases.iter().any(|alias| fits(alias)));
    fitting.max_by(|a, b| compare(&a.name, &b.name))
}

/// Compares by the numbers in the texts, and by all of the text where these are the same.
pub(super) fn compare(a: &str, b: &str) -> Ordering {
    numbers(a).cmp(numbers(b)).then_with(|| a.cmp(b))
}

/// The numbers in a text, of any length, each without its leading zeros.
fn numbers(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split(|letter: char| !letter.is_ascii_digit())
        .filter(|digits| !digits.is_empty())
        .map(|digits| digits.trim_start_matches('0'))
        .map(|digits| (digits.len(), digits))
}
