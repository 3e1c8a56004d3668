//! What is gone when its command is over.

use super::shell::{Script, Simple, is_assignment};
use crate::model::Version;

/// What does not last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// Options of the shell.
    Options,
    /// Names for commands.
    Aliases,
    /// What is to be done later.
    Traps,
    /// Functions.
    Functions,
    /// The folder, in version 0.1.
    Folder,
    /// Variables, in version 0.1.
    Variables,
    /// A function of an earlier command, `nvm`, is used.
    Nvm,
}

/// What a command does for later ones alone, where none of it arrives.
pub(crate) fn lost(script: &Script<'_>, version: Version) -> Option<Lost> {
    let first = script.commands.first();
    if first.and_then(|simple| script.program(simple)) == Some("nvm")
        && !script.text.contains("nvm.sh")
    {
        return Some(Lost::Nvm);
    }
    let mut found = None;
    for statement in &script.statements {
        if statement.is_function {
            found = found.or(Some(Lost::Functions));
            continue;
        }
        for simple in script.commands_of(statement) {
            let lost = lost_by(script, simple, version)?;
            found = found.or(Some(lost));
        }
    }
    found
}

fn lost_by(script: &Script<'_>, simple: &Simple, version: Version) -> Option<Lost> {
    let mut words = script.words(simple);
    let first = words.next()?;
    match first {
        "set" | "shopt" | "umask" | "ulimit" => Some(Lost::Options),
        "alias" | "unalias" => Some(Lost::Aliases),
        "trap" => Some(Lost::Traps),
        _ if version == Version::V0_2 => None,
        "cd" | "pushd" | "popd" => Some(Lost::Folder),
        "export" | "unset" => Some(Lost::Variables),
        _ if is_assignment(first) && words.all(is_assignment) => Some(Lost::Variables),
        _ => None,
    }
}
