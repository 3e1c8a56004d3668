//! The tokens of descriptions: where the next page begins, as text that a caller need not
//! understand.

use super::refusal;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use wire::ServiceError;

/// The token for what comes after `place`.
pub(super) fn after(place: &str) -> String {
    URL_SAFE_NO_PAD.encode(place)
}

/// The place that a token stands for.
pub(super) fn place(token: &str) -> Result<String, ServiceError> {
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| refusal::token())?;
    String::from_utf8(bytes).map_err(|_| refusal::token())
}
