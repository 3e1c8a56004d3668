//! The tokens of lists: where the next page begins, as text that a caller need not understand.

use super::refusal;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use std::{fmt::Display, str::FromStr};
use wire::ServiceError;

/// The token for a place.
pub(super) fn token(place: impl Display) -> String {
    URL_SAFE_NO_PAD.encode(format!("1:{place}"))
}

/// The place that a token stands for.
pub(super) fn place<T: FromStr>(token: &str) -> Result<T, ServiceError> {
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| refusal::next_token())?;
    let text = String::from_utf8(bytes).map_err(|_| refusal::next_token())?;
    let place = text.strip_prefix("1:").ok_or_else(refusal::next_token)?;
    place.parse().map_err(|_| refusal::next_token())
}

/// The position in a sorted list that a token stands for; the beginning without one.
pub(super) fn position(token: Option<&str>) -> Result<usize, ServiceError> {
    token.filter(|token| !token.is_empty()).map_or(Ok(0), place)
}
