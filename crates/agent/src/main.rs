//! The environment's first process: source, phases, artifacts, journal.

mod artifacts;
mod cache;
mod calendar;
mod commands;
mod console;
mod credential_helper;
mod digest;
mod environment;
mod fault;
mod http;
mod inherited;
mod journal;
mod layout;
mod log;
mod mask;
mod new_files;
mod object_store;
mod outcome;
mod output;
mod parallel;
mod patience;
mod pieces;
mod processes;
mod programs;
mod retry;
mod rules;
mod run;
mod runtimes;
mod secrets;
mod session;
mod shell;
mod source;
mod usage;

use crate::layout::Layout;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "usage: agent [--root DIR] [--door SOCKET], \
                     without a door orders on fd 3, journal on fd 4";

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().peekable();
    let name = arguments.next().unwrap_or_default();
    let name = Path::new(&name).file_name().unwrap_or_default().to_string_lossy().into_owned();
    if let Some(code) = programs::run(&name, std::env::args_os().skip(1)) {
        return code;
    }
    if arguments.next_if(|first| first == credential_helper::VERB).is_some() {
        return credential_helper::run(arguments);
    }
    if arguments.next_if(|first| first == console::VERB).is_some() {
        return console::become_shell(arguments);
    }
    let (mut root, mut door) = ("/".into(), None);
    while let Some(flag) = arguments.next() {
        match (flag.to_str(), arguments.next()) {
            // For trying the agent out without a sandbox: its own folders are below the one given.
            (Some("--root"), Some(folder)) => root = folder,
            (Some("--door"), Some(socket)) => door = Some(socket),
            _ => return complain(USAGE),
        }
    }
    match session::run(Layout::below(root), door.as_deref()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => complain(&fault.to_string()),
    }
}

/// Says it to the executor, which is all that is left when there is no journal.
fn complain(text: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "agent: {text}");
    ExitCode::from(70)
}
