//! Which shell a command is written for.

use super::shell::{Script, is_filled};
use std::ops::Range;

/// What bash knows and a POSIX shell such as dash does not, as the first word of a command.
const BASH_WORDS: &[&str] =
    &["[[", "source", "function", "pushd", "popd", "shopt", "declare", "typeset", "mapfile"];
/// The same, as operators.
const BASH_OPERATORS: &[&str] = &["<<<", "&>", "|&"];

/// The first thing in a command that only bash understands.
pub(crate) fn bashism(script: &Script<'_>) -> Option<Range<usize>> {
    if script.text.trim_start().starts_with("#!") {
        return None;
    }
    let words = script.commands.iter().filter_map(|simple| simple.words.first());
    let word = words.clone().find(|word| BASH_WORDS.contains(&&script.plain[(*word).clone()]));
    let array = words.filter(|word| {
        let text = script.said(word);
        let is_assigned = text.find("=(").is_some_and(|at| {
            text[..at].bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        });
        is_assigned && is_filled(&script.plain[(*word).clone()])
    });
    let operators = BASH_OPERATORS.iter().filter_map(|operator| {
        let at = script.plain.find(operator)?;
        Some(at..at + operator.len())
    });
    let word = word.cloned();
    let array = array.map(|word| word.start..word.end).next();
    [word, array].into_iter().flatten().chain(operators).min_by_key(|bytes| bytes.start)
}

/// Whether a command is written for PowerShell, which Windows runs without being told to.
pub(crate) fn is_powershell(command: &str) -> bool {
    const VERBS: &[&str] = &[
        "Add", "Compress", "Copy", "Expand", "ForEach", "Get", "Import", "Install", "Invoke",
        "Join", "Move", "New", "Out", "Remove", "Rename", "Select", "Set", "Start", "Stop", "Test",
        "Where", "Write",
    ];
    let is_cmdlet = |word: &str| {
        let Some((verb, noun)) = word.split_once('-') else { return false };
        VERBS.contains(&verb) && noun.starts_with(|char: char| char.is_ascii_uppercase())
    };
    let lower = command.to_ascii_lowercase();
    lower.contains("$env:") || command.split([' ', '\n', '(', ';', '|', '{', '\t']).any(is_cmdlet)
}
