//! ListSecrets, its filters, and pages.

use super::{desk::Desk, kept::Secret, refusal, view};
use crate::page_token;
use wire::{
    Caller, ServiceError,
    secretsmanager::{
        Filter, FilterNameStringType, ListSecretsRequest, ListSecretsResponse, SortByType,
        SortOrderType,
    },
};

/// The page of a list without a limit, which is also the largest. AWS: the same.
const PAGE_DEFAULT: usize = 100;

/// Lists the secrets that fit every filter.
pub(super) async fn list(
    desk: &Desk<'_>,
    input: ListSecretsRequest,
) -> Result<ListSecretsResponse, ServiceError> {
    let filters = input.filters.unwrap_or_default();
    let deleted = input.include_planned_deletion.unwrap_or_default();
    let mut secrets = desk.all().await?;
    secrets.retain(|secret| {
        (deleted || !secret.is_marked_for_deletion()) && fits(secret, &filters, desk.caller)
    });
    match input.sort_by {
        None | Some(SortByType::CreatedDate | SortByType::Unknown(_)) => {
            secrets.sort_by_key(|secret| secret.created_at);
        }
        Some(SortByType::LastAccessedDate) => secrets.sort_by_key(|secret| secret.accessed_on),
        Some(SortByType::LastChangedDate) => secrets.sort_by_key(|secret| secret.changed_at),
        // They come in the order of the names.
        Some(SortByType::Name) => {}
    }
    if input.sort_order == Some(SortOrderType::Desc) {
        secrets.reverse();
    }
    let (secrets, next_token) =
        page(secrets, input.next_token.as_deref(), input.max_results, PAGE_DEFAULT)?;
    let entries = secrets.into_iter().map(|secret| view::entry(desk.arn(&secret), secret));
    Ok(ListSecretsResponse { secret_list: Some(entries.collect()), next_token })
}

/// A page of a list and the token of the next.
pub(super) fn page<T>(
    all: Vec<T>,
    token: Option<&str>,
    entries: Option<i32>,
    entries_default: usize,
) -> Result<(Vec<T>, Option<String>), ServiceError> {
    let entries = entries.and_then(|entries| usize::try_from(entries).ok());
    page_token::page(all, token, entries.unwrap_or(entries_default)).ok_or_else(refusal::next_token)
}

/// Whether a secret fits every filter; a filter's values are alternatives.
pub(super) fn fits(secret: &Secret, filters: &[Filter], caller: &Caller) -> bool {
    filters.iter().all(|filter| {
        let values = filter.values.as_deref().unwrap_or_default();
        values.iter().any(|value| match value.strip_prefix('!') {
            Some(value) => !matches(secret, filter.key.as_ref(), value, caller),
            None => matches(secret, filter.key.as_ref(), value, caller),
        })
    })
}

// AWS: a value is the beginning of what it stands for; case counts for names and tags alone.
fn matches(
    secret: &Secret,
    key: Option<&FilterNameStringType>,
    value: &str,
    caller: &Caller,
) -> bool {
    let description = secret.description.as_deref().unwrap_or_default();
    match key {
        Some(FilterNameStringType::Name) => secret.name.starts_with(value),
        Some(FilterNameStringType::Description) => {
            description.to_lowercase().starts_with(&value.to_lowercase())
        }
        Some(FilterNameStringType::TagKey) => secret.tags.keys().any(|key| key.starts_with(value)),
        Some(FilterNameStringType::TagValue) => {
            secret.tags.values().any(|held| held.starts_with(value))
        }
        Some(FilterNameStringType::PrimaryRegion) => caller.region.starts_with(value),
        // No other service owns a secret here.
        Some(FilterNameStringType::OwningService) => false,
        Some(FilterNameStringType::All | FilterNameStringType::Unknown(_)) | None => {
            let texts = [secret.name.as_str(), description].into_iter();
            let tags = secret.tags.iter().flat_map(|(key, value)| [key.as_str(), value.as_str()]);
            let texts: Vec<String> = texts.chain(tags).map(str::to_lowercase).collect();
            let mut words = value.split_whitespace().map(str::to_lowercase);
            words.any(|word| texts.iter().any(|text| has_word(text, &word)))
        }
    }
}

/// Whether a text has a word that begins so.
fn has_word(text: &str, beginning: &str) -> bool {
    text.match_indices(beginning).any(|(at, _)| {
        text[..at].chars().next_back().is_none_or(|before| !before.is_alphanumeric())
    })
}

#[cfg(test)]
mod tests {
    use super::has_word;

    #[test]
    fn a_word_is_found_where_it_begins() {
        assert!(has_word("prod/database", "data") && has_word("prod/database", "prod"));
        assert!(!has_word("prod/database", "base"));
    }
}
