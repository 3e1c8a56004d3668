//! GetRandomPassword.

use super::{desk::Desk, refusal};
use wire::{
    Sensitive, ServiceError,
    secretsmanager::{GetRandomPasswordRequest, GetRandomPasswordResponse},
};

/// How long a password is unless the caller says otherwise. AWS: the same.
const LENGTH_DEFAULT: usize = 32;

const LOWERCASE: &str = "abcdefghijklmnopqrstuvwxyz";
const UPPERCASE: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const NUMBERS: &str = "0123456789";
const PUNCTUATION: &str = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

/// Draws a password.
pub(super) fn draw(
    desk: &Desk<'_>,
    input: &GetRandomPasswordRequest,
) -> Result<GetRandomPasswordResponse, ServiceError> {
    let length = input.password_length.and_then(|length| usize::try_from(length).ok());
    let length = length.unwrap_or(LENGTH_DEFAULT);
    let excluded = input.exclude_characters.as_deref().unwrap_or_default();
    let kinds: Vec<Vec<char>> = [
        (LOWERCASE, !input.exclude_lowercase.unwrap_or_default()),
        (UPPERCASE, !input.exclude_uppercase.unwrap_or_default()),
        (NUMBERS, !input.exclude_numbers.unwrap_or_default()),
        (PUNCTUATION, !input.exclude_punctuation.unwrap_or_default()),
        (" ", input.include_space.unwrap_or_default()),
    ]
    .into_iter()
    .filter(|(_, included)| *included)
    .map(|(letters, _)| letters.chars().filter(|letter| !excluded.contains(*letter)).collect())
    .filter(|letters: &Vec<char>| !letters.is_empty())
    .collect();
    let all: Vec<char> = kinds.iter().flatten().copied().collect();
    if all.is_empty() {
        return Err(refusal::no_characters());
    }
    let each = input.require_each_included_type.unwrap_or(true);
    if each && length < kinds.len() {
        return Err(refusal::password_length(kinds.len()));
    }
    let password = loop {
        let drawn = (0..length)
            .map(|_| below(all.len()).map(|at| all[at]))
            .collect::<Result<String, _>>()
            .map_err(|error| desk.fault(&error))?;
        // Drawing all of it again leaves every password that fits as likely as any other.
        if !each || kinds.iter().all(|kind| drawn.contains(kind.as_slice())) {
            break drawn;
        }
    };
    Ok(GetRandomPasswordResponse { random_password: Some(Sensitive(password)) })
}

/// A number below `limit`, which is at most 256, each as likely as the other.
fn below(limit: usize) -> Result<usize, getrandom::Error> {
    let fair = 256 - 256 % limit;
    loop {
        let mut byte = [0];
        getrandom::fill(&mut byte)?;
        let drawn = usize::from(byte[0]);
        if drawn < fair {
            return Ok(drawn % limit);
        }
    }
}
