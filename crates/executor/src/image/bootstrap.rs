//! `mmdebstrap` at work: its archive read by whoever wants it, its lines told, its errors made one
//! sentence.

use super::{
    Progress,
    recipe::{PROGRAM, Recipe},
};
use rustix::process::{Pid, Signal, geteuid, kill_process_group, set_parent_process_death_signal};
use std::{
    io::{self, BufRead, BufReader, Read},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::Duration,
};

/// How often it is looked whether the image is still wanted.
const EVERY: Duration = Duration::from_millis(100);
/// How long the program has to take away what it has made.
const GRACE: Duration = Duration::from_secs(5);
/// So many of its errors are told at most.
const ERRORS_MAX: usize = 4;
/// Errors that only say that there were others.
const ECHOES: [&str; 3] = ["run_chroot failed", "setup failed", "mmdebstrap failed to run"];

/// Runs a recipe. `take` reads the archive to its end; what it gives counts only when all of the
/// recipe succeeded. The error is a sentence.
pub(super) fn run<T>(
    recipe: &Recipe,
    scratch: &Path,
    (progress, told): (&Progress, &(dyn Fn(&str) + Sync)),
    take: impl FnOnce(&mut dyn Read) -> T,
) -> Result<T, String> {
    let mut child = begin(recipe, scratch).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            format!("{PROGRAM} is not installed; this installs it: apt-get install {PROGRAM}")
        }
        _ => format!("{PROGRAM}: {error}"),
    })?;
    let mut archive = child.stdout.take().expect("its output was asked for");
    let said = child.stderr.take().expect("its errors were asked for");
    let (over, ended) = channel::<()>();
    let pid = Pid::from_child(&child);
    let (taken, errors) = thread::scope(|scope| {
        let listening = scope.spawn(|| listen(said, told));
        scope.spawn(|| end_when_unwanted(pid, progress, ended));
        let taken = take(&mut archive);
        let _ = io::copy(&mut archive, &mut io::sink());
        let errors = listening.join().expect("listening does not panic");
        drop(over);
        (taken, errors)
    });
    let status = child.wait().map_err(|error| format!("{PROGRAM}: {error}"))?;
    if progress.is_cancelled() {
        return Err("it was interrupted".to_owned());
    }
    if status.success() {
        return Ok(taken);
    }
    match errors.is_empty() {
        true => Err(format!("{PROGRAM} failed: {status}")),
        false => Err(errors.join("; ")),
    }
}

fn begin(recipe: &Recipe, scratch: &Path) -> io::Result<Child> {
    let mut command = Command::new(PROGRAM);
    command.args(recipe.arguments());
    command.env("SOURCE_DATE_EPOCH", recipe.date.to_string()).env("LC_ALL", "C.UTF-8");
    // An ordinary user's parts of the image belong to other users of its own, who must come in.
    if geteuid().is_root() && std::env::var_os("TMPDIR").is_none() {
        command.env("TMPDIR", scratch);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // A group of its own: a terminal's Ctrl-C is for this process, which then ends them all.
    command.process_group(0);
    let die = || Ok(set_parent_process_death_signal(Some(Signal::TERM))?);
    // SAFETY: between fork and exec the closure makes one system call and allocates nothing.
    #[expect(unsafe_code, reason = "there is no other way to be ended with this process")]
    unsafe {
        command.pre_exec(die)
    };
    command.spawn()
}

/// Tells each line, and gives what was wrong.
fn listen(said: impl Read, told: &(dyn Fn(&str) + Sync)) -> Vec<String> {
    let mut errors: Vec<String> = Vec::new();
    let mut said = BufReader::new(said);
    let mut line = Vec::new();
    // Not by lines of text: what a package says need not be any.
    while said.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end();
        told(text);
        let error = text.strip_prefix("E: ").or_else(|| text.strip_prefix("dpkg: error "));
        if let Some(error) = error
            && errors.len() < ERRORS_MAX
            && !ECHOES.iter().any(|echo| error.contains(echo))
        {
            errors.push(error.to_owned());
        }
        line.clear();
    }
    errors
}

/// Ends the program, with all that it has started, once its image is not wanted any more.
#[expect(clippy::needless_pass_by_value, reason = "a receiver belongs to one thread")]
fn end_when_unwanted(pid: Pid, progress: &Progress, ended: Receiver<()>) {
    while ended.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
        if progress.is_cancelled() {
            // What is gone already needs no signal.
            let _ = kill_process_group(pid, Signal::TERM);
            if ended.recv_timeout(GRACE) == Err(RecvTimeoutError::Timeout) {
                let _ = kill_process_group(pid, Signal::KILL);
            }
            return;
        }
    }
}
