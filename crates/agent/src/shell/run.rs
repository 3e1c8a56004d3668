//! Runs one command as a process of its own, and keeps the state between commands.

use crate::fault::{Doing, Fault};
use crate::layout::Layout;
use crate::new_files::write_anew;
use crate::output::Output;
use crate::processes::{Exit, wait_for};
use crate::shell::User;
use crate::shell::script::{Carried, Script};
use crate::shell::state::{Change, State};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

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
    /// Whether it did what it should.
    pub(crate) fn is_success(&self) -> bool {
        self.status() == (0, None)
    }

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

/// A command that was started.
#[derive(Debug)]
pub(crate) enum Started {
    /// It runs, or has ended.
    Running(Child),
    /// Its shell did not start, for the reason given.
    Not(String),
}

/// What a shell begins with.
pub(crate) struct Beginning {
    /// What runs the commands.
    pub(crate) interpreter: Interpreter,
    /// The folder of the first command.
    pub(crate) source_dir: String,
    /// Whether commands see what earlier ones changed.
    pub(crate) carried: Carried,
    /// The variables of the first command.
    pub(crate) variables: Vec<(String, String)>,
}

/// A program that runs commands.
pub(crate) struct Interpreter {
    /// Its path, or its name to be looked up.
    program: String,
    /// What it is told that its name is; none for its own.
    called: Option<&'static str>,
}

impl Interpreter {
    /// The program with this path or name.
    pub(crate) fn named(program: &str) -> Self {
        Self { program: program.to_owned(), called: None }
    }

    /// The bash in `path`, as the `sh` that it can be; none where there is none, or `sh` is one.
    pub(crate) fn bash_as_sh(path: &str) -> Option<Self> {
        let sh = fs::canonicalize("/bin/sh").ok()?;
        let bash = find_program("bash", path)?.to_str()?.to_owned();
        let is_bash = sh.file_name().is_some_and(|name| name == "bash");
        (!is_bash).then_some(Self { program: bash, called: Some("sh") })
    }
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
    interpreter: Interpreter,
    carried: Carried,
    state: State,
    /// What starts the next shell; none when the variables have changed since it was made.
    spawner: Option<Command>,
    last_exit: i32,
    last_user: Option<User>,
}

impl Shell {
    /// A shell that has run nothing yet.
    pub(crate) fn begin(layout: Layout, output: Arc<Output>, beginning: Beginning) -> Self {
        let Beginning { interpreter, source_dir, carried, variables } = beginning;
        let state = State::new(layout.clone(), &source_dir, variables);
        Self {
            layout,
            output,
            interpreter,
            carried,
            state,
            spawner: None,
            last_exit: 0,
            last_user: None,
        }
    }

    /// The next command starts in this folder.
    pub(crate) fn go_to(&mut self, folder: &str) {
        self.state.folder = folder.into();
        self.replace("PWD", Some(folder.into()));
    }

    /// Says whether later commands see what the next ones change, and gives what held before.
    pub(crate) fn carry(&mut self, carried: Carried) -> Carried {
        std::mem::replace(&mut self.carried, carried)
    }

    /// Sets an exported variable for the commands that follow, or removes it, and gives the value
    /// that it had.
    pub(crate) fn replace(&mut self, name: &str, value: Option<OsString>) -> Option<OsString> {
        self.spawner = None;
        self.state.replace(name, value)
    }

    /// The value of an exported variable, as the last command left it.
    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        Some(self.state.variable(name)?.to_string_lossy().into_owned())
    }

    /// Starts a command. It must be waited for before the next one is started.
    pub(crate) fn start(
        &mut self,
        command: &str,
        user: Option<&User>,
        succeeding: Succeeding,
    ) -> Result<Started, Fault> {
        self.write_script(command, user, succeeding)?;
        self.last_user = user.cloned();
        self.output.begin_command();
        Ok(match self.spawn(user) {
            Ok(child) => Started::Running(child),
            Err(error) => Started::Not(self.start_error(&error)),
        })
    }

    /// Waits until a command has ended. What it printed may not be in the journal yet.
    pub(crate) fn wait(&mut self, started: Started) -> Result<Ran, Fault> {
        let (ended, largest_bytes) = match started {
            Started::Running(child) => {
                let (exit, largest_bytes) = wait_for(child)?;
                if self.state.take_over()? == Change::Some {
                    self.spawner = None;
                }
                (Ended::Exited(exit), largest_bytes)
            }
            Started::Not(reason) => (Ended::NotStarted(reason), 0),
        };
        self.last_exit = ended.status().0;
        Ok(Ran { ended, largest_bytes })
    }

    /// What the shell makes of `text`: its variables and substitutions, as in a here-document.
    pub(crate) fn evaluate(&self, text: &str) -> io::Result<String> {
        const END: &str = "CODEBUILD_END_OF_TEXT";
        if !text.contains(['$', '`', '\\']) {
            return Ok(text.to_owned());
        }
        let script = format!("cat <<{END}\n{text}\n{END}\n");
        let mut shell = self.program()?;
        let restore = match self.state.file().map_err(io::Error::other)? {
            Some(file) => {
                let quoted = file.to_string_lossy().replace('\'', r"'\''");
                format!("set -a; . '{quoted}'; set +a")
            }
            None => String::new(),
        };
        shell.arg("-c").arg(format!("{restore}\n{script}"));
        // The last command may have removed the folder that it was in.
        let folder = Path::new(&self.state.folder);
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

    fn write_script(
        &self,
        command: &str,
        user: Option<&User>,
        succeeding: Succeeding,
    ) -> Result<(), Fault> {
        let last_exit = self.last_exit.to_string();
        let succeeding = u8::from(succeeding == Succeeding::Yes).to_string();
        let home = self.home_for(user);
        let mut settled: Vec<(&str, &OsStr)> = self.state.changed().collect();
        settled.extend([
            ("CODEBUILD_LAST_EXIT", last_exit.as_ref()),
            ("CODEBUILD_BUILD_SUCCEEDING", succeeding.as_ref()),
        ]);
        settled.extend(home.iter().map(|home| ("HOME", home.as_ref())));
        let (env_file, saved_state) = (self.state.file()?, self.layout.saved_state());
        let script = Script {
            folder: &self.state.folder,
            env_file: env_file.as_deref(),
            settled: &settled,
            command,
            saved_to: match self.carried {
                Carried::State => Some(&saved_state),
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

    fn spawn(&mut self, user: Option<&User>) -> io::Result<Child> {
        let mut spawner = match self.spawner.take() {
            Some(spawner) => spawner,
            None => self.spawner()?,
        };
        let child = Self::spawn_as(user, &mut spawner)?;
        self.spawner = Some(spawner);
        Ok(child)
    }

    /// What starts shells as long as the variables stay as they are.
    fn spawner(&self) -> io::Result<Command> {
        let mut shell = self.program()?;
        shell.arg(self.layout.script());
        shell.stdin(fs::File::open("/dev/null")?);
        shell.stdout(self.output.stdio().map_err(io::Error::other)?);
        shell.stderr(self.output.stdio().map_err(io::Error::other)?);
        // A command that signals its own process group must not reach the agent.
        shell.process_group(0);
        Ok(shell)
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
        let folder = Path::new(&self.state.folder);
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
        let mut program = self.in_environment(&self.program_path()?);
        if let Some(name) = self.interpreter.called {
            program.arg0(name);
        }
        Ok(program)
    }

    fn program_path(&self) -> io::Result<PathBuf> {
        let path = self.variable("PATH").unwrap_or_default();
        find_program(&self.interpreter.program, &path).ok_or_else(|| ErrorKind::NotFound.into())
    }

    fn in_environment(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        self.state.fill(&mut command);
        command
    }

    fn start_error(&self, error: &io::Error) -> String {
        if error.kind() == ErrorKind::NotFound {
            format!("exec: {:?}: executable file not found in $PATH", self.interpreter.program)
        } else {
            format!("exec: {:?}: {error}", self.interpreter.program)
        }
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
