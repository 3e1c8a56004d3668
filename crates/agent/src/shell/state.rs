//! What carries over from command to command, and how it reaches the next shell: by its environment,
//! and where that cannot hold it, by a file that the shell reads first.

use crate::fault::{Doing, Fault};
use crate::layout::Layout;
use crate::new_files::{read_itself, write_anew};
use crate::shell::exports::{self, Saved};
use crate::shell::script::{env_file, is_shell_name};
use std::cell::Cell;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::process::Command;

/// Variables longer than this reach the shell by its file alone: the kernel takes no longer ones.
const ENVIRONMENT_VARIABLE_BYTES_MAX: usize = 100 * 1024;
/// As many bytes of variables go by the environment; the rest go by the file alone.
const ENVIRONMENT_BYTES_MAX: usize = 1024 * 1024;

/// Variables that a shell does not take from its environment.
const NOT_TAKEN: [&str; 5] = ["IFS", "PS1", "PS2", "PS4", "MAILCHECK"];
/// Variables that a shell changes as it begins.
const CHANGED: [&str; 2] = ["OLDPWD", "SHLVL"];

/// The folder and the variables between two commands.
pub(super) struct State {
    layout: Layout,
    /// The folder that the next command starts in.
    pub(super) folder: OsString,
    variables: Vec<(OsString, OsString)>,
    /// Variables with names that no shell can carry, for every shell's environment.
    unnameable: Vec<(String, String)>,
    /// The text that sets all variables; none where the environment does.
    text: Option<Vec<u8>>,
    /// Whether that text is in its file.
    is_written: Cell<bool>,
    /// What the last command saved; empty when variables have been set since.
    saved: Vec<u8>,
}

/// Whether a command has changed anything of the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It has.
    Some,
    /// It has not, as most have not.
    None,
}

impl State {
    /// What the first command begins with.
    pub(super) fn new(layout: Layout, folder: &str, variables: Vec<(String, String)>) -> Self {
        let (nameable, unnameable): (Vec<_>, Vec<_>) =
            variables.into_iter().partition(|(name, _)| is_shell_name(name));
        let mut state = Self {
            layout,
            folder: folder.into(),
            variables: nameable.into_iter().map(|(n, v)| (n.into(), v.into())).collect(),
            unnameable,
            text: None,
            is_written: Cell::new(false),
            saved: Vec::new(),
        };
        state.settle(None);
        state
    }

    /// The value of a variable.
    pub(super) fn variable(&self, name: &str) -> Option<&OsStr> {
        self.variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_os_str())
    }

    /// Sets a variable, or removes it, and gives the value that it had.
    pub(super) fn replace(&mut self, name: &str, value: Option<OsString>) -> Option<OsString> {
        let known = self.variables.iter().position(|(known, _)| known == name);
        let before = known.map(|at| self.variables.remove(at).1);
        self.variables.extend(value.map(|value| (name.into(), value)));
        self.saved.clear();
        self.settle(None);
        before
    }

    /// The variables that a shell must be told beside its environment.
    pub(super) fn changed(&self) -> impl Iterator<Item = (&'static str, &OsStr)> {
        let changed = CHANGED.into_iter().filter(|_| self.text.is_none());
        changed.filter_map(|name| Some((name, self.variable(name)?)))
    }

    /// Gives a program the variables that an environment can hold.
    pub(super) fn fill(&self, command: &mut Command) {
        command.env_clear().envs(self.unnameable.iter().map(|(name, value)| (name, value)));
        let mut room = ENVIRONMENT_BYTES_MAX;
        for (name, value) in &self.variables {
            if let Some(left) = room_after(room, name, value) {
                room = left;
                command.env(name, value);
            }
        }
    }

    /// The file that a shell must read first, written; none where its environment says everything.
    pub(super) fn file(&self) -> Result<Option<PathBuf>, Fault> {
        let Some(text) = &self.text else { return Ok(None) };
        let path = self.layout.env_file();
        if !self.is_written.get() {
            write_anew(&path, text).doing(|| "write env.sh".to_owned())?;
            self.is_written.set(true);
        }
        Ok(Some(path))
    }

    /// Takes over what a command saved. One that left its shell early saved nothing.
    pub(super) fn take_over(&mut self) -> Result<Change, Fault> {
        let path = self.layout.saved_state();
        let bytes = match read_itself(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Change::None),
            Err(error) => return Err(error).doing(|| "read the shell's state".to_owned()),
        };
        fs::remove_file(&path).doing(|| "remove the shell's state".to_owned())?;
        if bytes == self.saved {
            self.is_written.set(false);
            return Ok(Change::None);
        }
        let Saved { variables, is_plain, folder, text_bytes } = exports::read(&bytes);
        let Some(folder) = folder else {
            let full = io::Error::from(ErrorKind::StorageFull);
            return Err(full).doing(|| "save the shell's state".to_owned());
        };
        let owned = |(name, value)| (OsString::from_vec(name), OsString::from_vec(value));
        self.variables = variables.into_iter().map(owned).collect();
        // A shell whose folder is gone may not know where it is: the next one begins where it did.
        if !folder.is_empty() {
            self.folder = OsString::from_vec(folder);
        }
        self.settle((!is_plain).then(|| bytes[..text_bytes].to_vec()));
        self.saved = bytes;
        Ok(Change::Some)
    }

    /// Settles how the variables reach the next shell: by `text`, if there is one, or by a text of
    /// their own where the environment does not do.
    fn settle(&mut self, text: Option<Vec<u8>>) {
        self.is_written.set(false);
        let mut room = ENVIRONMENT_BYTES_MAX;
        let mut fits = |(name, value): &(OsString, OsString)| match room_after(room, name, value) {
            Some(left) => {
                room = left;
                !NOT_TAKEN.iter().any(|other| name == other)
            }
            None => false,
        };
        self.text = match text {
            Some(text) => Some(text),
            None if self.variables.iter().all(&mut fits) => None,
            None => Some(env_file(&self.variables)),
        };
    }
}

/// The room that a variable leaves in an environment; none when it does not fit.
fn room_after(room: usize, name: &OsStr, value: &OsStr) -> Option<usize> {
    let size = name.as_bytes().len() + value.as_bytes().len() + 2;
    (size <= ENVIRONMENT_VARIABLE_BYTES_MAX).then(|| room.checked_sub(size)).flatten()
}
