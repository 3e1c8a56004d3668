//! Exit statuses that nobody sees.

use super::shell::{End, Script, Simple, Statement, is_assignment};
use std::ops::Range;

/// Programs that do the work of a build: when one of them fails on a line of its own in a longer
/// script, the build should hear of it.
const WORKS: &[&str] = &[
    "aws",
    "bash",
    "bundle",
    "cargo",
    "cdk",
    "cmake",
    "composer",
    "ctest",
    "curl",
    "docker",
    "docker-compose",
    "dotnet",
    "git",
    "go",
    "gradle",
    "gradlew",
    "helm",
    "java",
    "kubectl",
    "make",
    "mvn",
    "mvnw",
    "ninja",
    "node",
    "npm",
    "npx",
    "php",
    "phpunit",
    "pip",
    "pip3",
    "pipenv",
    "pnpm",
    "podman",
    "poetry",
    "pytest",
    "python",
    "python3",
    "rake",
    "rspec",
    "rustup",
    "sam",
    "sbt",
    "serverless",
    "sh",
    "sls",
    "tar",
    "terraform",
    "tofu",
    "tox",
    "unzip",
    "uv",
    "wget",
    "yarn",
];

/// Programs that hardly fail, or whose failure means nothing.
const HARMLESS: &[&str] = &[
    "echo", "printf", "export", "true", ":", "unset", "sleep", "date", "pwd", "ls", "env", "set",
    "which", "whoami", "[", "[[", "test", "exit", "return", "local", "readonly", "umask", "shopt",
    "wait", "kill", "break", "continue", "function", "id", "mkdir", "rm", "touch", "clear", "cat",
];

/// The statement of a script whose exit status nobody sees.
///
/// On one line, whatever may fail before a `;` counts; on lines of their own only what does the
/// work of a build, for a script of many lines has many reasons.
pub(crate) fn hidden_status(script: &Script<'_>) -> Option<Range<usize>> {
    if looks_after_itself(script) {
        return None;
    }
    let (_, before) = script.statements.split_last()?;
    let hidden = before.iter().enumerate().find(|(at, statement)| {
        let next = script.said(&script.statements[at + 1].bytes);
        let asked = next.contains("$?") || next.contains("PIPESTATUS");
        !asked && is_hidden(script, statement)
    });
    hidden.map(|(_, statement)| statement.bytes.clone())
}

/// Whether the script ends at its first failure, or is another program's.
fn looks_after_itself(script: &Script<'_>) -> bool {
    let ends_early = script.commands.iter().any(|simple| {
        let words: Vec<_> = script.words(simple).collect();
        let sets = words.first() == Some(&"set");
        let option = |word: &&str| {
            word.starts_with('-') && !word.starts_with("--") && word.contains('e')
                || *word == "errexit"
        };
        sets && words.iter().any(option) || words.first() == Some(&"trap")
    });
    ends_early || script.text.trim_start().starts_with("#!")
}

fn is_hidden(script: &Script<'_>, statement: &Statement) -> bool {
    if statement.is_compound || statement.has_or {
        return false;
    }
    let commands = script.commands_of(statement);
    match statement.end {
        End::Semicolon => commands.iter().any(|simple| can_fail(script, simple)),
        End::Line => commands.iter().any(|simple| works(script, simple)),
        End::Background | End::Text => false,
    }
}

fn can_fail(script: &Script<'_>, simple: &Simple) -> bool {
    let first = script.words(simple).next().unwrap_or_default();
    !is_assignment(first) && !HARMLESS.contains(&first)
}

fn works(script: &Script<'_>, simple: &Simple) -> bool {
    let program = script.program(simple).unwrap_or_default();
    let name = program.rsplit('/').next().unwrap_or_default();
    WORKS.contains(&name) || program.starts_with("./")
}

/// The pipe whose exit status is that of `tee`, and so always good.
pub(crate) fn hidden_behind_pipe(script: &Script<'_>) -> Option<Range<usize>> {
    if script.text.contains("pipefail") || script.text.contains("PIPESTATUS") {
        return None;
    }
    let pairs = script.commands.iter().zip(script.commands.iter().skip(1));
    let found = pairs.filter(|(simple, next)| {
        simple.is_piped && script.program(next) == Some("tee") && can_fail(script, simple)
    });
    let (simple, _) = found.into_iter().next()?;
    let (first, last) = (simple.words.first()?, simple.words.last()?);
    Some(first.start..last.end)
}
