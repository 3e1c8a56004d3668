//! References to secrets, as `env.secrets-manager` and the API's variables write them.

use std::fmt;

/// Which part of which version of which secret:
/// `<secret-id>[:<json-key>[:<version-stage>[:<version-id>]]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretReference {
    /// The secret's name or its full ARN.
    pub secret_id: String,
    /// The member of the secret's JSON; none for the whole secret.
    pub json_key: Option<String>,
    /// The version's staging label; none for `AWSCURRENT` unless an id is given.
    pub version_stage: Option<String>,
    /// The version's id.
    pub version_id: Option<String>,
}

/// Why a text is no reference to a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretReferenceError {
    /// No secret is named.
    #[error("no secret is named")]
    NoSecret,
    /// An ARN that ends before the secret's name, or is another service's.
    #[error("it is not the whole ARN of a secret")]
    Arn,
    /// More parts than there are.
    #[error("there are more than four parts")]
    TooManyParts,
    /// A stage and an id, which may contradict each other.
    #[error("a version is chosen by its stage or by its id, not by both")]
    StageAndId,
}

/// How many colons stand before the name in a secret's ARN.
const ARN_COLONS: usize = 6;

impl SecretReference {
    /// Reads a reference. Parts may be empty: `name:key::version-id`.
    ///
    /// # Errors
    /// No secret is named, an ARN is not whole, there are too many parts, or both a stage and an
    /// id are given.
    pub fn parse(text: &str) -> Result<Self, SecretReferenceError> {
        let text = text.trim();
        let id_end = id_end(text)?;
        let (secret_id, rest) = text.split_at(id_end);
        let secret_id = secret_id.trim();
        if secret_id.is_empty() {
            return Err(SecretReferenceError::NoSecret);
        }
        let mut parts = rest.split(':').skip(1).map(|part| match part.trim() {
            "" => None,
            part => Some(part.to_owned()),
        });
        let mut part = || parts.next().flatten();
        let (json_key, version_stage, version_id) = (part(), part(), part());
        if parts.next().is_some() {
            return Err(SecretReferenceError::TooManyParts);
        }
        if version_stage.is_some() && version_id.is_some() {
            return Err(SecretReferenceError::StageAndId);
        }
        Ok(Self { secret_id: secret_id.to_owned(), json_key, version_stage, version_id })
    }
}

impl fmt::Display for SecretReference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [&self.json_key, &self.version_stage, &self.version_id];
        let used = parts.iter().rposition(|part| part.is_some()).map_or(0, |last| last + 1);
        out.write_str(&self.secret_id)?;
        parts[..used].iter().try_for_each(|part| write!(out, ":{}", part.as_deref().unwrap_or("")))
    }
}

/// Where the secret's id ends: an ARN has colons of its own.
fn id_end(text: &str) -> Result<usize, SecretReferenceError> {
    if !text.starts_with("arn:") {
        return Ok(text.find(':').unwrap_or(text.len()));
    }
    let mut fields = text.split(':');
    let service = fields.nth(2);
    let name = fields.nth(ARN_COLONS - 3);
    if service != Some("secretsmanager") || name.is_none_or(str::is_empty) {
        return Err(SecretReferenceError::Arn);
    }
    let end = text.match_indices(':').nth(ARN_COLONS).map_or(text.len(), |(at, _)| at);
    Ok(end)
}

#[cfg(test)]
mod tests {
    use super::{SecretReference, SecretReferenceError};

    type Parts<'t> = (&'t str, Option<&'t str>, Option<&'t str>, Option<&'t str>);

    fn check(text: &str, expected: Result<Parts<'_>, SecretReferenceError>) {
        let owned = |part: Option<&str>| part.map(str::to_owned);
        let expected = expected.map(|(id, key, stage, version)| SecretReference {
            secret_id: id.to_owned(),
            json_key: owned(key),
            version_stage: owned(stage),
            version_id: owned(version),
        });
        assert_eq!(SecretReference::parse(text), expected, "{text}");
    }

    #[test]
    fn all_four_parts_are_read() {
        check("db", Ok(("db", None, None, None)));
        check("db:password", Ok(("db", Some("password"), None, None)));
        check("db:password:AWSPREVIOUS", Ok(("db", Some("password"), Some("AWSPREVIOUS"), None)));
        check("prod/db:k::0123-4567", Ok(("prod/db", Some("k"), None, Some("0123-4567"))));
        check("db:::0123", Ok(("db", None, None, Some("0123"))));
        check("db:::", Ok(("db", None, None, None)));
    }

    #[test]
    fn an_arn_keeps_its_colons() {
        let arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf";
        check(arn, Ok((arn, None, None, None)));
        check(&format!("{arn}:user"), Ok((arn, Some("user"), None, None)));
        check(&format!("{arn}:user:LIVE:"), Ok((arn, Some("user"), Some("LIVE"), None)));
        check(&format!("{arn}:::0123"), Ok((arn, None, None, Some("0123"))));
    }

    #[test]
    fn what_is_no_reference_is_refused() {
        check("", Err(SecretReferenceError::NoSecret));
        check(":key", Err(SecretReferenceError::NoSecret));
        check("a:b:c:d:e", Err(SecretReferenceError::TooManyParts));
        check("a:b:c:d", Err(SecretReferenceError::StageAndId));
        check("arn:aws:secretsmanager:eu-west-1:123456789012", Err(SecretReferenceError::Arn));
        check("arn:aws:ssm:eu-west-1:123456789012:parameter:x", Err(SecretReferenceError::Arn));
    }

    #[test]
    fn a_reference_reads_as_it_is_shown() {
        for text in ["db", "db:key", "db:key:stage", "db:key::id", "db:::id"] {
            let reference = SecretReference::parse(text).expect("a reference");
            assert_eq!(reference.to_string(), text);
        }
    }
}
