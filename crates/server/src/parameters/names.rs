//! The names of parameters: what may be one, the ARN, and the names with a version behind them
//! that callers use.

use super::refusal;
use wire::{Caller, ServiceError};

/// The longest name. AWS: the same.
const NAME_CHARACTERS_MAX: usize = 1_011;

/// How deep a hierarchy is at most. AWS: the same.
const LEVELS_MAX: usize = 15;

/// Refuses a name that a parameter cannot have.
pub(super) fn check(name: &str) -> Result<(), ServiceError> {
    let levels: Vec<&str> = name.strip_prefix('/').unwrap_or(name).split('/').collect();
    let first = levels.first().copied().unwrap_or_default().to_ascii_lowercase();
    if first.starts_with("aws") {
        return Err(refusal::reserved(name));
    }
    if first.starts_with("ssm") {
        return Err(refusal::name());
    }
    if levels.len() > 1 && !name.starts_with('/') {
        return Err(refusal::not_fully_qualified());
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    let is_level = |level: &&str| !level.is_empty() && level.bytes().all(plain);
    if !levels.iter().all(is_level) || name.len() > NAME_CHARACTERS_MAX {
        return Err(refusal::name());
    }
    if levels.len() > LEVELS_MAX {
        return Err(refusal::too_many_levels(LEVELS_MAX));
    }
    Ok(())
}

/// A parameter's ARN.
pub(super) fn arn(caller: &Caller, name: &str) -> String {
    let slash = if name.starts_with('/') { "" } else { "/" };
    format!("{}{slash}{name}", arn_prefix(caller))
}

fn arn_prefix(caller: &Caller) -> String {
    format!("arn:aws:ssm:{}:{}:parameter", caller.region, caller.account_id)
}

/// What a caller means.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked<'a> {
    /// The name, or the ones that it may be.
    pub(super) names: Vec<&'a str>,
    /// A version's number or label; none for the newest.
    pub(super) selector: Option<&'a str>,
}

/// Reads `name`, `name:selector`, `arn` or `arn:selector`. The ARNs of other accounts and regions
/// mean nobody.
pub(super) fn asked<'a>(caller: &Caller, text: &'a str) -> Asked<'a> {
    let is_arn = text.starts_with("arn:");
    let rest = match is_arn {
        true => text.strip_prefix(&arn_prefix(caller)).unwrap_or_default(),
        false => text,
    };
    let (name, selector) = match rest.split_once(':') {
        Some((name, selector)) => (name, Some(selector)),
        None => (rest, None),
    };
    // AWS: the ARNs of `name` and of `/name` are the same.
    let names = match name.strip_prefix('/') {
        _ if name.is_empty() => Vec::new(),
        Some(plain) if is_arn && !plain.contains('/') => vec![name, plain],
        Some(_) | None => vec![name],
    };
    Asked { names, selector }
}

/// The name without a version that a text is about, in any account and region.
pub(super) fn plain(text: &str) -> &str {
    let name = match text.starts_with("arn:") {
        true => text.split_once(":parameter").map_or(text, |(_, name)| name),
        false => text,
    };
    name.split(':').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::{asked, check, plain};
    use wire::{Caller, Principal};

    fn caller() -> Caller {
        Caller {
            account_id: "000000000000".into(),
            region: "us-east-1".into(),
            arn: String::new(),
            user_id: String::new(),
            principal: Principal::Root,
            request_id: String::new(),
        }
    }

    #[test]
    fn names_are_words_or_paths_of_words() {
        for name in ["name", "a_b.c-d", "/ci/db", "/a"] {
            assert!(check(name).is_ok(), "{name}");
        }
        let deep = "/a".repeat(16);
        for name in ["a/b", "/a//b", "/a/", "a b", "awsome", "/AWS/x", "ssm-x", "", "/", &deep] {
            assert!(check(name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_version_stands_behind_a_colon() {
        let caller = caller();
        let read = |text: &str| {
            let asked = asked(&caller, text);
            (asked.names.join(" "), asked.selector.map(str::to_owned))
        };
        let arn = "arn:aws:ssm:us-east-1:000000000000:parameter";
        assert_eq!(read("name"), ("name".into(), None));
        assert_eq!(read("/a/b:3"), ("/a/b".into(), Some("3".into())));
        assert_eq!(read(&format!("{arn}/a/b:blue")), ("/a/b".into(), Some("blue".into())));
        assert_eq!(read(&format!("{arn}/name")), ("/name name".into(), None));
        assert_eq!(read("arn:aws:ssm:eu-west-1:000000000000:parameter/a"), (String::new(), None));
        assert_eq!(plain(&format!("{arn}/a/b:blue")), "/a/b");
    }
}
