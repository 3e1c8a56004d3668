//! Which shell a command is written for.

use super::blank::FILLER;
use super::shell::Script;
use crate::model::Buildspec;
use std::ops::Range;

/// A byte of what is quoted or substituted.
const FILLED: u8 = FILLER as u8;

/// Whether a buildspec that names no shell has a command that only bash understands.
pub fn needs_bash(buildspec: &Buildspec) -> bool {
    let mut phases = buildspec.phases.iter();
    buildspec.env.shell.is_none()
        && phases.any(|(_, phase)| {
            let mut commands = phase.commands.iter().chain(&phase.finally);
            commands.any(|command| bashism(&Script::new(command)).is_some())
        })
}

/// The first thing in a command that only bash understands, and a POSIX shell such as dash does not.
pub(crate) fn bashism(script: &Script<'_>) -> Option<Range<usize>> {
    if script.text.trim_start().starts_with("#!") {
        return None;
    }
    let word = script.commands.iter().find_map(|simple| bash_word(script, &simple.words));
    let found = [word, operator(script), expansion(script)];
    found.into_iter().flatten().min_by_key(|bytes| bytes.start)
}

/// A command that only bash has, or an argument that only bash takes.
fn bash_word(script: &Script<'_>, words: &[Range<usize>]) -> Option<Range<usize>> {
    let (program, arguments) = words.split_first()?;
    let is = |word: &Range<usize>, wanted: &str| script.plain[word.clone()] == *wanted;
    match &script.plain[program.clone()] {
        "[[" | "source" | "function" | "pushd" | "popd" | "shopt" | "declare" | "typeset"
        | "mapfile" | "readarray" | "let" => Some(program.clone()),
        "set" => arguments.iter().find(|word| is(word, "pipefail")).cloned(),
        "[" | "test" => {
            let at = arguments.iter().position(|word| is(word, "=="))?;
            // What is compared with may itself be `==`.
            let before = at.checked_sub(1).map(|before| &arguments[before]);
            let is_operand = before.is_some_and(|word| is(word, "=") || is(word, "!="));
            (!is_operand).then(|| arguments[at].clone())
        }
        plain => {
            let (name, _) = plain.split_once('=')?;
            let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            let is_array = script.said(program)[name.len()..].starts_with("=(");
            (is_name && is_array).then(|| program.clone())
        }
    }
}

/// A redirection that only bash has, or a command read or written as if it were a file.
fn operator(script: &Script<'_>) -> Option<Range<usize>> {
    let plain = script.plain.as_bytes();
    let mut starts = plain.iter().enumerate().filter(|(_, byte)| b"<>&|".contains(byte));
    starts.find_map(|(at, _)| {
        let length = match &plain[at..] {
            [b'<', b'<', b'<', ..] => 3,
            [b'&', b'>', ..] | [b'|', b'&', ..] => 2,
            // A parenthesis behind it is filled with what is in it.
            [b'<' | b'>', FILLED, ..] if script.text.as_bytes()[at + 1] == b'(' => 2,
            _ => return None,
        };
        Some(at..at + length)
    })
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
