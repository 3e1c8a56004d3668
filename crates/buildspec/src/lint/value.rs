//! Values that are not what they seem, and the variables that commands set.

use std::collections::HashSet;

/// The name of a variable that a value refers to, though values are never expanded.
pub(crate) fn reference(value: &str) -> Option<&str> {
    for (at, _) in value.match_indices('$') {
        let rest = &value[at + 1..];
        let name = rest.strip_prefix('{').unwrap_or(rest);
        let end = name.find(|char: char| !is_word(char)).unwrap_or(name.len());
        let closed = name.len() == rest.len() || name[end..].starts_with('}');
        let named = name.starts_with(|char: char| char.is_ascii_alphabetic() || char == '_');
        if named && closed {
            let braces = if name.len() == rest.len() { 0 } else { 2 };
            return Some(&value[at..at + 1 + end + braces]);
        }
    }
    None
}

fn is_word(char: char) -> bool {
    char.is_ascii_alphanumeric() || char == '_'
}

/// Whether a version loses something when it is read as a number: `3.10` is 3.1.
pub(crate) fn loses_its_zero(version: &str) -> bool {
    let Some((whole, part)) = version.split_once('.') else { return false };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits(whole) && digits(part) && part.ends_with('0')
}

/// How the secrets of well-known services begin, and how long the rest is at least.
const TOKENS: &[(&str, usize)] = &[
    ("AKIA", 16),
    ("ASIA", 16),
    ("ghp_", 30),
    ("gho_", 30),
    ("ghs_", 30),
    ("github_pat_", 30),
    ("glpat-", 16),
    ("npm_", 30),
    ("xoxb-", 16),
    ("xoxp-", 16),
    ("sk_live_", 16),
    ("AIza", 30),
    ("dop_v1_", 30),
    ("pypi-", 30),
];
/// How the names of variables end that hold secrets.
const NAMES: &[&str] = &[
    "PASSWORD",
    "PASSWD",
    "SECRET",
    "TOKEN",
    "API_KEY",
    "APIKEY",
    "PRIVATE_KEY",
    "SECRET_KEY",
    "SECRET_ACCESS_KEY",
    "ACCESS_TOKEN",
    "CREDENTIALS",
];
/// How many characters a value has at least that nobody made up.
const RANDOM_LENGTH: usize = 16;

/// Whether a variable's value looks like a secret.
pub(crate) fn is_secret(name: &str, value: &str) -> bool {
    let is_plain = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | '-');
    let is_token = TOKENS.iter().any(|(start, length)| {
        value
            .strip_prefix(start)
            .is_some_and(|rest| rest.len() >= *length && rest.chars().all(is_plain))
    });
    if is_token || value.contains("PRIVATE KEY-----") {
        return true;
    }
    let name = name.to_ascii_uppercase();
    NAMES.iter().any(|end| name.ends_with(end)) && looks_random(value)
}

/// Long, of one piece, of letters and digits, with few of them twice, and no path, address or
/// reference.
fn looks_random(value: &str) -> bool {
    let has = |kind: fn(&char) -> bool| value.chars().any(|char| kind(&char));
    let mut different: Vec<char> = value.chars().collect();
    different.sort_unstable();
    different.dedup();
    value.chars().count() >= RANDOM_LENGTH
        && has(char::is_ascii_digit)
        && has(char::is_ascii_alphabetic)
        && !has(|char| char.is_whitespace() || matches!(char, '$' | '{' | '<' | ':'))
        && value.matches('/').count() <= 2
        && !value.starts_with('/')
        && different.len() >= 10
}

/// Adds the names of the variables that a command may set. Whether these are all: a command that
/// reads another file may set any.
pub(crate) fn names_set<'t>(command: &'t str, names: &mut HashSet<&'t str>) -> bool {
    if command.trim_start().starts_with(['$', '`']) {
        return false;
    }
    let mut before = "";
    for word in command.split([' ', '\t', '\n', '\r', ';', '&', '(', ')', '"', '\'']) {
        if matches!(word, "source" | "." | "eval") {
            return false;
        }
        let end = word.find(|char: char| !is_word(char)).unwrap_or(word.len());
        let name = &word[..end];
        let is_set = word[end..].starts_with(['=', '+'])
            || matches!(before, "export" | "read" | "for" | "-v" | "-r" | "declare");
        if is_set && !name.is_empty() {
            names.insert(name);
        }
        if let Some(name) = word.strip_prefix("$env:").or_else(|| word.strip_prefix("$Env:")) {
            names.insert(name.split('=').next().unwrap_or(name));
        }
        if !word.is_empty() {
            before = word;
        }
    }
    true
}
