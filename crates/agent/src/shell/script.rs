//! The texts that carry a shell's state: the script of one command, and the variables' file.
//!
//! AWS: the user's text begins at line 4 of the script, which shows in a shell's own messages.

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// What carries over from command to command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carried {
    /// The folder and the exported variables: buildspec 0.2.
    State,
    /// Nothing: buildspec 0.1.
    Nothing,
}

/// What the script of one command is made from.
pub(crate) struct Script<'a> {
    /// The folder it starts in.
    pub(crate) folder: &'a OsStr,
    /// The file with the variables it starts with, where its environment does not have them.
    pub(crate) env_file: Option<&'a Path>,
    /// Variables that are the agent's to say, stronger than all others.
    pub(crate) settled: &'a [(&'static str, &'a OsStr)],
    /// The user's text.
    pub(crate) command: &'a str,
    /// The file that the state is saved to, if it is.
    pub(crate) saved_to: Option<&'a Path>,
}

impl Script<'_> {
    /// The script's text, for any POSIX shell.
    pub(crate) fn text(&self) -> Vec<u8> {
        let mut text = Vec::with_capacity(self.command.len() + 512);
        text.extend_from_slice(b"cd ");
        quote(&mut text, self.folder.as_bytes());
        text.extend_from_slice(b"\nset -a");
        if let Some(file) = self.env_file {
            text.extend_from_slice(b"; . ");
            quote(&mut text, file.as_os_str().as_bytes());
        }
        text.extend_from_slice(b"\nexport");
        for (name, value) in self.settled {
            write!(text, " {name}=").expect("memory takes every write");
            quote(&mut text, value.as_bytes());
        }
        text.push(b'\n');
        text.extend_from_slice(self.command.as_bytes());
        // The second line end is for a command that ends with a backslash.
        text.extend_from_slice(b"\n\n");
        if let Some(file) = self.saved_to {
            // The braces keep `set -x` from showing what is not the user's. The status is kept where
            // no `readonly` reaches, and the quotes are even in number, so that one that the user
            // left open is an error.
            text.extend_from_slice(b"{ set -- \"$?\"; set +exv; ");
            text.extend_from_slice(b"{ command export -p && { command pwd || echo; }; } >| ");
            quote(&mut text, file.as_os_str().as_bytes());
            text.extend_from_slice(b"; } 2>/dev/null\nexit \"$1\"\n");
        }
        text
    }
}

/// The text of a file that sets and exports `variables`, names that a shell cannot have left out.
pub(crate) fn env_file(variables: &[(OsString, OsString)]) -> Vec<u8> {
    let mut text = Vec::new();
    for (name, value) in variables {
        let Some(name) = name.to_str().filter(|name| is_shell_name(name)) else { continue };
        write!(text, "export {name}=").expect("memory takes every write");
        quote(&mut text, value.as_bytes());
        text.push(b'\n');
    }
    text
}

/// Whether a shell variable may have this name.
pub(crate) fn is_shell_name(name: &str) -> bool {
    !name.starts_with(|first: char| first.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn quote(text: &mut Vec<u8>, value: &[u8]) {
    text.push(b'\'');
    for byte in value {
        match byte {
            b'\'' => text.extend_from_slice(br"'\''"),
            byte => text.push(*byte),
        }
    }
    text.push(b'\'');
}
