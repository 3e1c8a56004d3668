//! A shell in the environment for whoever watches the build, opened where a command has failed.
//!
//! The agent asks the service for the other end, which is a terminal of the build's author: a
//! connection that is HTTP only until both have agreed. From then on the terminal sends frames, a
//! byte of kind and two of length before each, and is sent plain bytes.

use crate::fault::plain;
use crate::log;
use crate::run::Build;
use crate::shell::{Shell, Succeeding, User};
use rustix::process::{ioctl_tiocsctty, setsid};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::thread;

/// The first argument that makes the agent's program the beginning of such a shell.
pub(crate) const VERB: &str = "console-shell";

/// What the terminal sends.
const KEYS: u8 = 0;
const SIZE: u8 = 1;

/// Opens a shell as the failed command's user, in its folder and with its variables, and waits until
/// it has ended. Without somebody to look the log says so, and the build goes on.
pub(crate) fn open(build: &Build, shell: &Shell, user: Option<&User>) {
    build.journal.line(log::CONSOLE_OPENS);
    let opened = call(&build.orders.object_store.endpoint)
        .and_then(|terminal| serve(terminal, shell, user, &build.layout.own_program()));
    if let Err(error) = opened {
        build.journal.line(&log::no_console(&plain(&error)));
    }
}

/// Calls the service and gives the connection, on which nothing but the terminal is heard.
fn call(endpoint: &str) -> io::Result<BufReader<TcpStream>> {
    let host = endpoint.trim_start_matches("http://").trim_end_matches('/');
    let mut stream = TcpStream::connect(host)?;
    write!(
        stream,
        "POST /-/console HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\n\
         Upgrade: buildyard-console\r\nContent-Length: 0\r\n\r\n"
    )?;
    let mut answer = BufReader::new(stream);
    let mut status = String::new();
    answer.read_line(&mut status)?;
    if !status.starts_with("HTTP/1.1 101 ") {
        return Err(io::Error::other("nobody is there to use it"));
    }
    loop {
        let mut header = String::new();
        if answer.read_line(&mut header)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if header == "\r\n" {
            return Ok(answer);
        }
    }
}

fn serve(
    terminal: BufReader<TcpStream>,
    shell: &Shell,
    user: Option<&User>,
    own_program: &Path,
) -> io::Result<()> {
    let (master, line) = pseudo_terminal(user)?;
    let mut command = shell.by_hand(own_program, VERB, Succeeding::No)?;
    command.stdin(Stdio::from(line.try_clone()?)).stdout(Stdio::from(line.try_clone()?));
    command.stderr(Stdio::from(line));
    let mut child = Shell::spawn_as(user, &mut command)?;
    // The line belongs to the shell alone now: reading from it ends when the last process has gone.
    drop(command);
    let socket = terminal.get_ref().try_clone()?;
    let keys = master.try_clone()?;
    let typed = thread::Builder::new().spawn(move || type_in(terminal, keys))?;
    show(File::from(master), &socket);
    child.wait()?;
    // Whoever types learns that it is over; an error says that they have gone.
    let _ = socket.shutdown(Shutdown::Both);
    let _ = typed.join();
    Ok(())
}

/// A new terminal line: the end that is typed into and read from, and the end that programs have.
fn pseudo_terminal(user: Option<&User>) -> io::Result<(OwnedFd, File)> {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    let path = PathBuf::from(OsString::from_vec(ptsname(&master, Vec::new())?.into_bytes()));
    let flags = rustix::fs::OFlags::NOCTTY.bits();
    let line =
        OpenOptions::new().read(true).write(true).custom_flags(flags.cast_signed()).open(path)?;
    if let Some(user) = user {
        std::os::unix::fs::fchown(&line, Some(user.uid), Some(user.gid))?;
    }
    Ok((master, line))
}

/// Passes on what the shell prints until its last process is gone.
fn show(mut master: File, mut socket: &TcpStream) {
    let mut buffer = [0; 16 * 1024];
    // A line that nobody has open any more is told as an error of input.
    while let Ok(length @ 1..) = master.read(&mut buffer) {
        if socket.write_all(&buffer[..length]).is_err() {
            return;
        }
    }
}

/// Passes on what is typed. When whoever types is gone, so is the shell: its line hangs up.
fn type_in(mut terminal: BufReader<TcpStream>, keys: OwnedFd) {
    let mut keys = File::from(keys);
    let mut head = [0; 3];
    while terminal.read_exact(&mut head).is_ok() {
        let mut body = vec![0; usize::from(u16::from_be_bytes([head[1], head[2]]))];
        if terminal.read_exact(&mut body).is_err() {
            break;
        }
        let taken = match (head[0], body.as_slice()) {
            (KEYS, bytes) => keys.write_all(bytes),
            (SIZE, [a, b, c, d]) => {
                let (rows, columns) = (u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d]));
                let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
                tcsetwinsize(&keys, size).map_err(io::Error::from)
            }
            _ => Ok(()),
        };
        if taken.is_err() {
            break;
        }
    }
    // The end of what is typed, as a terminal tells it; twice, should a line have begun.
    let _ = keys.write_all(&[4, 4]);
}

/// Makes the process the leader of a session on the terminal that its standard input is, and becomes
/// the program that its arguments name.
pub(crate) fn become_shell(mut arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let Some(program) = arguments.next() else { return ExitCode::from(64) };
    let begun = setsid().and_then(|_| ioctl_tiocsctty(io::stdin()));
    let error = match begun {
        Ok(()) => Command::new(&program).args(arguments).exec(),
        Err(error) => error.into(),
    };
    let _ = writeln!(io::stderr(), "{}: {}", program.to_string_lossy(), plain(&error));
    ExitCode::from(127)
}
