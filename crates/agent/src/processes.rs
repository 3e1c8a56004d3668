//! The environment's processes: waiting for one while every other that ends is cleared away, and
//! ending all that remain.
//!
//! The agent is the parent of every process that lost its own, as the first process of a PID
//! namespace or, without one, as a subreaper.

use crate::fault::{Doing, Fault};
use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitOptions, getpid, kill_process, kill_process_group,
    set_child_subreaper, wait, waitid,
};
use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};
use wait4::Wait4;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// By itself.
    Code(i32),
    /// By a signal.
    Signal {
        /// Its number.
        number: i32,
        /// Whether the kernel wrote the process's memory to a file.
        core_dumped: bool,
    },
}

impl Exit {
    /// What a shell would show as `$?`.
    pub(crate) fn shell_status(self) -> i32 {
        match self {
            Self::Code(code) => code,
            Self::Signal { number, .. } => 128 + number,
        }
    }

    fn of(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Code(code),
            (None, signal) => Self::Signal {
                number: signal.unwrap_or_default(),
                core_dumped: status.core_dumped(),
            },
        }
    }
}

impl fmt::Display for Exit {
    /// AWS: the words that Go has for it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit status {code}"),
            Self::Signal { number, core_dumped } => {
                match signal_words(*number) {
                    Some(words) => write!(f, "signal: {words}")?,
                    None => write!(f, "signal: signal {number}")?,
                }
                f.write_str(if *core_dumped { " (core dumped)" } else { "" })
            }
        }
    }
}

fn signal_words(number: i32) -> Option<&'static str> {
    Some(match Signal::from_named_raw(number)? {
        Signal::HUP => "hangup",
        Signal::INT => "interrupt",
        Signal::QUIT => "quit",
        Signal::ILL => "illegal instruction",
        Signal::TRAP => "trace/breakpoint trap",
        Signal::ABORT => "aborted",
        Signal::BUS => "bus error",
        Signal::FPE => "floating point exception",
        Signal::KILL => "killed",
        Signal::USR1 => "user defined signal 1",
        Signal::SEGV => "segmentation fault",
        Signal::USR2 => "user defined signal 2",
        Signal::PIPE => "broken pipe",
        Signal::ALARM => "alarm clock",
        Signal::TERM => "terminated",
        _ => return None,
    })
}

/// Becomes the parent of every process that loses its own.
pub(crate) fn adopt_orphans() -> Result<(), Fault> {
    if getpid() != Pid::INIT {
        set_child_subreaper(Some(getpid())).doing(|| "become the reaper of orphans".to_owned())?;
    }
    Ok(())
}

/// A child's process id.
pub(crate) fn pid(child: &Child) -> Pid {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a child's id is a process id")
}

/// Waits until a child ends, clearing away whatever else ends before it. Gives as well how many
/// bytes the largest of the processes had that ended with it: itself, or one that it waited for.
pub(crate) fn wait_for(mut child: Child) -> Result<(Exit, u64), Fault> {
    let doing = || "wait for a command".to_owned();
    let pid = pid(&child);
    loop {
        // Who ended is looked at before it is cleared away: only then its size is told.
        let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        match waitid(WaitId::All, ended) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error).doing(doing),
        }
        if let Some(ended) = child.try_wait4().doing(doing)? {
            return Ok((Exit::of(ended.status), ended.rusage.maxrss));
        }
        match wait(WaitOptions::NOHANG) {
            Ok(Some((other, status))) if other == pid => {
                let status = ExitStatus::from_raw(status.as_raw());
                return Ok((Exit::of(status), 0));
            }
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error).doing(doing),
        }
    }
}

/// Ends every process of the environment but the agent.
pub(crate) fn end_all() {
    if getpid() == Pid::INIT {
        // What is left after this ends with the namespace, that is: with us.
        let _ = kill_process_group(Pid::INIT, Signal::KILL);
    } else {
        end_all_and_wait();
    }
}

/// Ends every process of the environment but the agent; when this is back, they are gone.
pub(crate) fn end_all_and_wait() {
    if getpid() == Pid::INIT {
        let _ = kill_process_group(Pid::INIT, Signal::KILL);
    }
    // The children of an ended process become ours, so each round reaches one generation further.
    loop {
        for child in children() {
            let _ = kill_process(child, Signal::KILL);
        }
        match wait(WaitOptions::empty()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => return,
        }
    }
}

fn children() -> Vec<Pid> {
    let path = format!("/proc/self/task/{}/children", getpid().as_raw_nonzero());
    let listed = std::fs::read_to_string(path).unwrap_or_default();
    listed.split_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exit_reads_as_go_would_write_it() {
        for (exit, words, status) in [
            (Exit::Code(127), "exit status 127", 127),
            (Exit::Signal { number: 9, core_dumped: false }, "signal: killed", 137),
            (
                Exit::Signal { number: 11, core_dumped: true },
                "signal: segmentation fault (core dumped)",
                139,
            ),
            (Exit::Signal { number: 40, core_dumped: false }, "signal: signal 40", 168),
        ] {
            assert_eq!((exit.to_string().as_str(), exit.shell_status()), (words, status));
        }
    }
}
