//! The tokens of lists: where the next page begins, as text that a caller need not understand.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use std::{fmt::Display, str::FromStr};

/// The token for a place.
pub(crate) fn token(place: impl Display) -> String {
    URL_SAFE_NO_PAD.encode(format!("1:{place}"))
}

/// The place that a token stands for; none when it is not one of [`token`]'s.
pub(crate) fn place<T: FromStr>(token: &str) -> Option<T> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    text.strip_prefix("1:")?.parse().ok()
}

/// A page of a whole list: what stands on it, and the token of the next.
///
/// None when the token is not one of [`token`]'s.
pub(crate) fn page<T>(
    mut all: Vec<T>,
    token: Option<&str>,
    entries_max: usize,
) -> Option<(Vec<T>, Option<String>)> {
    let start = token.filter(|token| !token.is_empty()).map_or(Some(0), place::<usize>)?;
    let end = start.saturating_add(entries_max).min(all.len());
    let next = (end < all.len()).then(|| self::token(end));
    all.truncate(end);
    let page = all.into_iter().skip(start).collect();
    Some((page, next))
}

#[cfg(test)]
mod tests {
    use super::page;

    #[test]
    fn pages_follow_each_other_to_the_end() {
        let all: Vec<u32> = (0..5).collect();
        let (first, token) = page(all.clone(), None, 2).unwrap();
        let (second, token) = page(all.clone(), token.as_deref(), 2).unwrap();
        let (last, token) = page(all.clone(), token.as_deref(), 2).unwrap();
        assert_eq!((first, second, last, token), (vec![0, 1], vec![2, 3], vec![4], None));
        assert_eq!(page(all, Some("nonsense"), 2), None);
    }
}
