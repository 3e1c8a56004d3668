//! The names of secrets: what may be one, the ARN, and the ids that callers use.

use super::refusal;
use wire::{Caller, ServiceError, secretsmanager::SERVICE};

/// How many characters AWS puts after a secret's name in its ARN.
const SUFFIX_CHARACTERS: usize = 6;

const SUFFIX_LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Refuses a name that a secret cannot have.
pub(super) fn check(name: &str) -> Result<(), ServiceError> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-/_+=.@!".contains(&byte);
    if name.bytes().all(fits) { Ok(()) } else { Err(refusal::name()) }
}

/// The characters that make the ARN of a new secret unlike that of an older one of its name.
pub(super) fn suffix() -> Result<String, getrandom::Error> {
    let mut text = String::with_capacity(SUFFIX_CHARACTERS);
    while text.len() < SUFFIX_CHARACTERS {
        let mut byte = [0];
        getrandom::fill(&mut byte)?;
        // Bytes beyond the letters are drawn again, so that no letter is likelier than another.
        text.extend(SUFFIX_LETTERS.get(usize::from(byte[0])).map(|letter| char::from(*letter)));
    }
    Ok(text)
}

/// A secret's ARN.
pub(super) fn arn(caller: &Caller, name: &str, suffix: &str) -> String {
    format!("{}{name}-{suffix}", arn_prefix(caller))
}

/// The ARN of a secret that nobody has seen.
pub(super) fn arn_of_unknown(caller: &Caller, name: &str) -> String {
    format!("{}{name}", arn_prefix(caller))
}

fn arn_prefix(caller: &Caller) -> String {
    format!("arn:aws:secretsmanager:{}:{}:secret:", caller.region, caller.account_id)
}

/// A secret as a caller may name it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Candidate<'a> {
    /// The name.
    pub(super) name: &'a str,
    /// What its ARN must end with; any will do when the caller did not say.
    pub(super) suffix: Option<&'a str>,
}

/// Who an id can mean, likeliest first: it is a name, a whole ARN, or an ARN without its suffix.
///
/// The ARNs of other accounts and regions mean nobody.
pub(super) fn candidates<'a>(caller: &Caller, id: &'a str) -> Vec<Candidate<'a>> {
    if !id.starts_with("arn:") {
        return vec![Candidate { name: id, suffix: None }];
    }
    let Some(rest) = id.strip_prefix(&arn_prefix(caller)) else { return Vec::new() };
    let mut candidates = Vec::new();
    if let Some((name, suffix)) = rest.rsplit_once('-')
        && suffix.len() == SUFFIX_CHARACTERS
    {
        candidates.push(Candidate { name, suffix: Some(suffix) });
    }
    candidates.push(Candidate { name: rest, suffix: None });
    candidates
}

/// The name that an id is likeliest to mean, in any account and region.
pub(super) fn likely_name(id: &str) -> &str {
    let name = match id.starts_with("arn:") {
        true => id.splitn(7, ':').nth(6).unwrap_or(id),
        false => return id,
    };
    match name.rsplit_once('-') {
        Some((name, suffix)) if suffix.len() == SUFFIX_CHARACTERS => name,
        _ => name,
    }
}

/// The caller may not do that to the secret.
pub(super) fn denied(caller: &Caller, operation: &str, id: &str) -> ServiceError {
    let action = format!("{}:{operation}", SERVICE.name);
    ServiceError::access_denied(&SERVICE, &caller.arn, &action, id)
}

#[cfg(test)]
mod tests {
    use super::{candidates, check, likely_name, suffix};
    use wire::{Caller, Principal};

    fn names(id: &str) -> Vec<(&str, Option<&str>)> {
        let caller = Caller {
            account_id: "000000000000".into(),
            region: "us-east-1".into(),
            arn: String::new(),
            user_id: String::new(),
            principal: Principal::Root,
            request_id: String::new(),
        };
        candidates(&caller, id).into_iter().map(|one| (one.name, one.suffix)).collect()
    }

    #[test]
    fn an_id_is_a_name_or_an_arn_with_or_without_its_end() {
        let arn = "arn:aws:secretsmanager:us-east-1:000000000000:secret:";
        assert_eq!(names("prod/db"), [("prod/db", None)]);
        assert_eq!(
            names(&format!("{arn}prod/db-AbCdEf")),
            [("prod/db", Some("AbCdEf")), ("prod/db-AbCdEf", None)]
        );
        assert_eq!(names(&format!("{arn}prod/db")), [("prod/db", None)]);
        assert_eq!(names("arn:aws:secretsmanager:eu-west-1:000000000000:secret:db"), []);
        assert_eq!(names("arn:aws:secretsmanager:us-east-1:111111111111:secret:db"), []);
        assert_eq!(likely_name(&format!("{arn}prod/db-AbCdEf")), "prod/db");
        assert_eq!(likely_name("db-AbCdEf"), "db-AbCdEf");
    }

    #[test]
    fn names_have_letters_digits_and_eight_signs() {
        assert!(check("prod/db_1+2=3.4@x-y!z").is_ok());
        assert!(check("a b").is_err() && check("ä").is_err() && check("a:b").is_err());
    }

    #[test]
    fn suffixes_are_six_letters_or_digits() {
        let (one, two) = (suffix().unwrap(), suffix().unwrap());
        assert!(one.len() == 6 && one.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert_ne!(one, two);
    }
}
