//! The sandbox's tests once more, for an ordinary user.

#![expect(clippy::print_stderr, reason = "a machine that cannot run these tests says so")]

use crate::agent::AGENT;
use libtest_mimic::{Failed, Trial};
use std::{
    os::unix::process::CommandExt,
    process::{Command, Stdio},
};

/// The user that nobody is.
const NOBODY: u32 = 65534;

/// The same tests, each in a process of an ordinary user. There are none when this process is not
/// root's, since then the tests themselves are an ordinary user's.
pub(crate) fn again(trials: &[Trial]) -> Vec<Trial> {
    if !rustix::process::geteuid().is_root() {
        return Vec::new();
    }
    let possible = namespaces_possible();
    let again = |trial: &Trial| {
        let name = trial.name().to_owned();
        let rootless = match name.split_once("::") {
            Some(("sandbox", promise)) => format!("rootless::{promise}"),
            _ => format!("rootless-{name}"),
        };
        let rootless = Trial::test(rootless, move || run(&name));
        rootless.with_ignored_flag(!possible)
    };
    if !possible {
        eprintln!("an ordinary user may not make user namespaces here: no rootless tests");
    }
    trials.iter().map(again).collect()
}

/// Whether an ordinary user may make namespaces here.
pub(crate) fn namespaces_possible() -> bool {
    let done = as_nobody("unshare").args(["--user", "true"]).stderr(Stdio::null()).status();
    done.is_ok_and(|status| status.success())
}

fn run(name: &str) -> Result<(), Failed> {
    let done = as_nobody("/proc/self/exe")
        .args(["--exact", name])
        .env("EXECUTOR_TEST_AGENT", &*AGENT)
        .output()?;
    if done.status.success() {
        return Ok(());
    }
    let said = [done.stdout, done.stderr].concat();
    Err(String::from_utf8_lossy(&said).into_owned().into())
}

/// A program that an ordinary user is to run.
pub(crate) fn as_nobody(program: &str) -> Command {
    let mut command = Command::new(program);
    command.uid(NOBODY).gid(NOBODY).env_remove("TMPDIR");
    command
}
