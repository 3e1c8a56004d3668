//! Runs one command as a process of its own, and keeps the state between commands.

use crate::fault::{Doing, Fault};
use crate::layout::Layout;
use crate::output::Output;
use crate::processes::{Exit, wait_for};
use crate::shell::script::{Carried, Script, env_file, is_shell_name};
use crate::shell::{User, exports};
use std::ffi::OsString;
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

/// Variables longer than this reach the shell by its file alone: the kernel takes no longer ones.
const ENVIRONMENT_VARIABLE_BYTES_MAX: usize = 100 * 1024;
/// As many bytes of variables go by the environment; the rest go by the file alone.
const ENVIRONMENT_BYTES_MAX: usize = 1024 * 1024;

/// The status of a command whose shell is not there.
const NOT_STARTED: i32 = 127;

/// How a command ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It ran.
    Exited(Exit),
    /// Its shell did not start, for the reason given.
    NotStarted(String),
}

/// What came of a command.
#[derive(Debug)]
pub(crate) struct Ran {
    /// How it ended.
    pub(crate) ended: Ended,
    /// The bytes of memory that the largest of its processes had.
    pub(crate) largest_bytes: u64,
}

impl Ended {
    /// The status as a shell shows it, and the signal that ended the command's own shell.
    pub(crate) fn status(&self) -> (i32, Option<i32>) {
        match self {
            Self::Exited(exit @ Exit::Code(_)) => (exit.shell_status(), None),
            Self::Exited(exit @ Exit::Signal { number, .. }) => {
                (exit.shell_status(), Some(*number))
            }
            Self::NotStarted(_) => (NOT_STARTED, None),
        }
    }
}

/// What a shell begins with.
pub(crate) struct Beginning {
    /// The shell's path, or its name to be looked up.
    pub(crate) program: String,
    /// The folder of the first command.
    pub(crate) source_dir: String,
    /// Whether commands see what earlier ones changed.
    pub(crate) carried: Carried,
    /// The variables of the first command.
    pub(crate) variables: Vec<(String, String)>,
}

/// Whether everything went well so far: `CODEBUILD_BUILD_SUCCEEDING`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Succeeding {
    /// Nothing failed.
    Yes,
    /// Something failed.
    No,
}

/// The shell's state between commands.
pub(crate) struct Shell {
    layout: Layout,
    output: Arc<Output>,
    program: String,
    carried: Carried,
    /// The folder that the next command starts in.
    folder: OsString,
    /// What the next shell finds in its environment, before it reads its file.
    environment: Vec<(OsString, OsString)>,
    /// Variables with names that no shell can carry, for every shell's environment.
    unnameable: Vec<(String, String)>,
    last_exit: i32,
    last_user: Option<User>,
}

impl Shell {
    /// A shell that has run nothing yet. Writes the files that carry its state.
    pub(crate) fn begin(
        layout: Layout,
        output: Arc<Output>,
        beginning: Beginning,
    ) -> Result<Self, Fault> {
        let Beginning { program, source_dir, carried, variables } = beginning;
        write_anew(&layout.dir_file(), format!("{source_dir}\n").as_bytes())
            .doing(|| "write dir.txt".to_owned())?;
        let (nameable, unnameable): (Vec<_>, Vec<_>) =
            variables.into_iter().partition(|(name, _)| is_shell_name(name));
        let nameable = nameable.into_iter().map(|(name, value)| (name.into(), value.into()));
        let shell = Self {
            layout,
            output,
            program,
            carried,
            folder: source_dir.into(),
            environment: nameable.collect(),
            unnameable,
            last_exit: 0,
            last_user: None,
        };
        shell.write_env_file()?;
        Ok(shell)
    }

    /// The next command starts in this folder.
    pub(crate) fn go_to(&mut self, folder: &str) -> Result<(), Fault> {
        self.folder = folder.into();
        self.replace("PWD", Some(folder.into())).map(drop)
    }

    /// Says whether later commands see what the next ones change, and gives what held before.
    pub(crate) fn carry(&mut self, carried: Carried) -> Carried {
        std::mem::replace(&mut self.carried, carried)
    }

    /// Sets an exported variable for the commands that follow, or removes it, and gives the value
    /// that it had.
    pub(crate) fn replace(
        &mut self,
        name: &str,
        value: Option<OsString>,
    ) -> Result<Option<OsString>, Fault> {
        let known = self.environment.iter().position(|(known, _)| known == name);
        let before = known.map(|at| self.environment.remove(at).1);
        self.environment.extend(value.map(|value| (name.into(), value)));
        self.write_env_file()?;
        Ok(before)
    }

    fn write_env_file(&self) -> Result<(), Fault> {
        write_anew(&self.layout.env_file(), &env_file(&self.environment))
            .doing(|| "write env.sh".to_owned())
    }

    /// The value of an exported variable, as the last command left it.
    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        let found = self.environment.iter().find(|(known, _)| known == name)?;
        Some(found.1.to_string_lossy().into_owned())
    }

    /// Runs one command to its end, with all that it printed in the journal.
    pub(crate) fn run(
        &mut self,
        command: &str,
        user: Option<&User>,
        succeeding: Succeeding,
    ) -> Result<Ran, Fault> {
        self.write_script(command, user, succeeding)?;
        let child = match self.start(user) {
            Ok(child) => child,
            Err(error) => {
                self.last_exit = NOT_STARTED;
                let ended = Ended::NotStarted(self.start_error(&error));
                return Ok(Ran { ended, largest_bytes: 0 });
            }
        };
        let (exit, largest_bytes) = wait_for(child)?;
        self.output.drain();
        self.last_exit = exit.shell_status();
        self.last_user = user.cloned();
        self.load_state()?;
        Ok(Ran { ended: Ended::Exited(exit), largest_bytes })
    }

    /// What the shell makes of `text`: its variables and substitutions, as in a here-document.
    pub(crate) fn evaluate(&self, text: &str) -> io::Result<String> {
        const END: &str = "CODEBUILD_END_OF_TEXT";
        if !text.contains(['$', '`', '\\']) {
            return Ok(text.to_owned());
        }
        let script = format!("cat <<{END}\n{text}\n{END}\n");
        let mut shell = self.program()?;
        shell.arg("-c").arg(format!("{}\n{script}", self.restore_line()));
        // The last command may have removed the folder that it was in.
        let folder = Path::new(&self.folder);
        let readonly = self.layout.readonly();
        shell.current_dir(if folder.is_dir() { folder } else { &readonly });
        shell.stderr(self.output.stdio().map_err(io::Error::other)?);
        let printed = shell.stdin(Stdio::null()).output()?;
        self.output.drain();
        if !printed.status.success() {
            return Err(io::Error::other(format!("the shell cannot evaluate {text}")));
        }
        let value = String::from_utf8_lossy(&printed.stdout);
        Ok(value.strip_suffix('\n').unwrap_or(&value).to_owned())
    }

    fn restore_line(&self) -> String {
        let quoted = self.layout.env_file().to_string_lossy().replace('\'', r"'\''");
        format!("set -a; . '{quoted}'; set +a")
    }

    fn write_script(
        &self,
        command: &str,
        user: Option<&User>,
        succeeding: Succeeding,
    ) -> Result<(), Fault> {
        let mut settled = vec![
            ("CODEBUILD_LAST_EXIT", self.last_exit.to_string()),
            ("CODEBUILD_BUILD_SUCCEEDING", u8::from(succeeding == Succeeding::Yes).to_string()),
        ];
        settled.extend(self.home_for(user).map(|home| ("HOME", home)));
        let (new_env, new_dir) = (self.new_env_file(), self.new_dir_file());
        let script = Script {
            folder: &self.folder,
            env_file: &self.layout.env_file(),
            settled: &settled,
            command,
            saved_to: match self.carried {
                Carried::State => Some((&new_env, &new_dir)),
                Carried::Nothing => None,
            },
        };
        // A shell in the background may still read the file that is there.
        write_anew(&self.layout.script(), &script.text()).doing(|| "write script.sh".to_owned())?;
        if let Some(user) = user {
            chown(self.layout.tmp(), Some(user.uid), Some(user.gid))
                .doing(|| format!("give the shell's state to {}", user.name))?;
        }
        Ok(())
    }

    /// The home folder to switch to, when the user changes and the build has not set one itself.
    fn home_for(&self, user: Option<&User>) -> Option<String> {
        let home = |user: Option<&User>| user.map_or("/root", |user| &user.home).to_owned();
        let (last, next) = (home(self.last_user.as_ref()), home(user));
        (last != next && self.variable("HOME").is_none_or(|now| now == last)).then_some(next)
    }

    fn start(&self, user: Option<&User>) -> io::Result<Child> {
        let mut shell = self.program()?;
        shell.arg(self.layout.script());
        shell.stdin(Stdio::null());
        shell.stdout(self.output.stdio().map_err(io::Error::other)?);
        shell.stderr(self.output.stdio().map_err(io::Error::other)?);
        // A command that signals its own process group must not reach the agent.
        shell.process_group(0);
        Self::spawn_as(user, &mut shell)
    }

    /// Starts a command as a user; as root without one.
    pub(crate) fn spawn_as(user: Option<&User>, command: &mut Command) -> io::Result<Child> {
        let Some(user) = user else { return command.spawn() };
        // Users are a thread's own: the thread that becomes another never comes back.
        let start = move || user.assume().and_then(|()| command.spawn());
        std::thread::scope(|scope| {
            let starter = std::thread::Builder::new().spawn_scoped(scope, start)?;
            starter.join().unwrap_or_else(|_| Err(io::Error::other("the starting thread died")))
        })
    }

    /// A shell for somebody who types, in the folder and with the variables that the last command
    /// left. `own_program` with `verb` makes the shell the leader of its terminal.
    pub(crate) fn by_hand(
        &self,
        own_program: &Path,
        verb: &str,
        succeeding: Succeeding,
    ) -> io::Result<Command> {
        let mut command = self.in_environment(own_program);
        command.arg(verb).arg(self.program_path()?);
        let folder = Path::new(&self.folder);
        if folder.is_dir() {
            command.current_dir(folder);
        }
        command.env("CODEBUILD_LAST_EXIT", self.last_exit.to_string());
        let succeeding = u8::from(succeeding == Succeeding::Yes).to_string();
        command.env("CODEBUILD_BUILD_SUCCEEDING", succeeding);
        if self.variable("TERM").is_none() {
            command.env("TERM", "xterm-256color");
        }
        Ok(command)
    }

    fn program(&self) -> io::Result<Command> {
        Ok(self.in_environment(&self.program_path()?))
    }

    fn program_path(&self) -> io::Result<PathBuf> {
        let path = self.variable("PATH").unwrap_or_default();
        find_program(&self.program, &path).ok_or_else(|| ErrorKind::NotFound.into())
    }

    fn in_environment(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().envs(self.unnameable.iter().map(|(name, value)| (name, value)));
        let mut room = ENVIRONMENT_BYTES_MAX;
        for (name, value) in &self.environment {
            let size = name.len() + value.len() + 2;
            if size <= ENVIRONMENT_VARIABLE_BYTES_MAX.min(room) {
                room -= size;
                command.env(name, value);
            }
        }
        command
    }

    fn start_error(&self, error: &io::Error) -> String {
        if error.kind() == ErrorKind::NotFound {
            format!("exec: {:?}: executable file not found in $PATH", self.program)
        } else {
            format!("exec: {:?}: {error}", self.program)
        }
    }

    /// Takes over the state that the command saved. One that left its shell early saved none.
    fn load_state(&mut self) -> Result<(), Fault> {
        let (new_env, new_dir) = (self.new_env_file(), self.new_dir_file());
        let folder = match fs::read(&new_dir) {
            Ok(folder) => folder,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return match fs::remove_file(&new_env) {
                    Ok(()) => Err(Fault::new(
                        "save the shell's variables",
                        io::Error::from(ErrorKind::StorageFull),
                    )),
                    Err(_) => Ok(()),
                };
            }
            Err(error) => return Err(Fault::new("read the shell's folder", error)),
        };
        let saved = fs::read(&new_env).doing(|| "read the shell's variables".to_owned())?;
        replace(&new_env, &self.layout.env_file())
            .and_then(|()| replace(&new_dir, &self.layout.dir_file()))
            .doing(|| "keep the shell's state".to_owned())?;
        self.environment = exports::read(&saved)
            .into_iter()
            .map(|(name, value)| (OsString::from_vec(name), OsString::from_vec(value)))
            .collect();
        // A shell whose folder is gone may not know where it is: the next one begins where it did.
        let folder = folder.strip_suffix(b"\n").unwrap_or(&folder);
        if !folder.is_empty() {
            self.folder = OsString::from_vec(folder.to_vec());
        }
        Ok(())
    }

    fn new_env_file(&self) -> PathBuf {
        self.layout.env_file().with_extension("new")
    }

    fn new_dir_file(&self) -> PathBuf {
        self.layout.dir_file().with_extension("new")
    }
}

/// Writes a new file in the place of what is there, and never through a link that a command has
/// put there.
fn write_anew(path: &Path, text: &[u8]) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => fs::File::create_new(path)?.write_all(text),
    }
}

/// Renames a file that may take another's place.
///
/// The other goes first: a file system that finds one file replaced by another writes to the disk
/// before it goes on, which would be most of the time that a short command takes.
fn replace(new: &Path, old: &Path) -> io::Result<()> {
    match fs::remove_file(old) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => fs::rename(new, old),
    }
}

/// The program's path: itself if it is one, else the first of that name in `path`.
pub(crate) fn find_program(program: &str, path: &str) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(program.into());
    }
    path.split(':').chain(["/usr/local/bin", "/bin", "/usr/bin"]).find_map(|folder| {
        let candidate = Path::new(folder).join(program);
        let found = fs::metadata(&candidate).ok()?;
        (found.is_file() && found.permissions().mode() & 0o111 != 0).then_some(candidate)
    })
}
