//! Which shell a command is written for.

use super::shell::{Script, is_filled};
use crate::model::Buildspec;
use std::ops::Range;

/// What bash knows and a POSIX shell such as dash does not, as the first word of a command.
const BASH_WORDS: &[&str] = &[
    "[[",
    "source",
    "function",
    "pushd",
    "popd",
    "shopt",
    "declare",
    "typeset",
    "mapfile",
    "readarray",
    "let",
];
/// The same, as operators.
const BASH_OPERATORS: &[&str] = &["<<<", "&>", "|&"];

/// Whether a buildspec that names no shell has a command that only bash understands.
pub fn needs_bash(buildspec: &Buildspec) -> bool {
    let mut phases = buildspec.phases.iter();
    buildspec.env.shell.is_none()
        && phases.any(|(_, phase)| {
            let mut commands = phase.commands.iter().chain(&phase.finally);
            commands.any(|command| bashism(&Script::new(command)).is_some())
        })
}

/// The first thing in a command that only bash understands.
pub(crate) fn bashism(script: &Script<'_>) -> Option<Range<usize>> {
    if script.text.trim_start().starts_with("#!") {
        return None;
    }
    let words = script.commands.iter().filter_map(|simple| simple.words.first());
    let word = words.clone().find(|word| BASH_WORDS.contains(&&script.plain[(*word).clone()]));
    let mut arrays = words.filter(|word| is_array(script, word));
    let operators = BASH_OPERATORS.iter().filter_map(|operator| {
        let at = script.plain.find(operator)?;
        Some(at..at + operator.len())
    });
    let argument = script.commands.iter().find_map(|simple| bash_argument(script, &simple.words));
    let found = [word.cloned(), arrays.next().cloned(), argument, expansion(script), pipe(script)];
    found.into_iter().flatten().chain(operators).min_by_key(|bytes| bytes.start)
}

/// Whether a word sets an array.
fn is_array(script: &Script<'_>, word: &Range<usize>) -> bool {
    let text = script.said(word);
    let is_assigned = text.find("=(").is_some_and(|at| {
        text[..at].bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    });
    is_assigned && is_filled(&script.plain[word.clone()])
}

/// `==` of a comparison, and the option `pipefail`.
fn bash_argument(script: &Script<'_>, words: &[Range<usize>]) -> Option<Range<usize>> {
    let (program, arguments) = words.split_first()?;
    let wanted = match &script.plain[program.clone()] {
        "[" | "test" => "==",
        "set" => "pipefail",
        _ => return None,
    };
    let is_wanted = |word: &&Range<usize>| script.plain[(*word).clone()] == *wanted;
    // What is compared with may itself be `==`.
    let mut compared = arguments.iter().filter(is_wanted);
    let found = compared.next()?;
    let before = arguments.iter().take_while(|word| *word != found).last();
    let is_operand = before.is_some_and(|word| matches!(script.said(word), "=" | "!="));
    (!is_operand).then(|| found.clone())
}

/// An expansion such as `${SHA:0:7}`.
fn expansion(script: &Script<'_>) -> Option<Range<usize>> {
    script.expansions.iter().find_map(|start| {
        let inside = &script.text[start + 2..];
        let is_name = |char: char| char.is_ascii_alphanumeric() || char == '_';
        let (name, rest) = inside.split_at(inside.find(|char| !is_name(char))?);
        let mut next = rest.chars();
        let is_bash = match (next.next()?, next.next()?) {
            ('!', next) => name.is_empty() && is_name(next),
            _ if name.is_empty() => false,
            (':', next) => !matches!(next, '-' | '=' | '?' | '+'),
            ('/' | '^' | ',' | '@' | '[', _) => true,
            _ => false,
        };
        is_bash.then(|| *start..start + 2 + inside.find('}').map_or(inside.len(), |end| end + 1))
    })
}

/// What reads or writes a command as if it were a file: `<(…)` and `>(…)`.
fn pipe(script: &Script<'_>) -> Option<Range<usize>> {
    let mut starts = script.plain.match_indices(['<', '>']).map(|(at, _)| at..at + 2);
    starts.find(|bytes| {
        let opened = script.text.get(bytes.clone()).is_some_and(|text| text.ends_with('('));
        opened && script.plain.get(bytes.clone()).is_some_and(is_filled)
    })
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
