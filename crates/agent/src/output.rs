//! What the build prints, on its way into the journal.
//!
//! One pipe serves the whole build as stdout and stderr of every command, so that the order of what
//! is printed is kept and a background process may print for as long as it lives. A thread moves
//! bytes on as they come; [`Output::drain_soon`] moves what is there before the agent says anything
//! about a command that ended.
//!
//! Most commands of a list are over in a moment, and a thread that is woken for each of their lines
//! would take longer than they do. So it lets a command have its first moment: what was printed in it
//! is moved when the command ends or the moment does.

use crate::fault::{Doing, Fault};
use crate::journal::Journal;
use agent_protocol::journal::LOG_BYTES_MAX;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::io::{Errno, ioctl_fionread, read};
use rustix::pipe::{PipeFlags, fcntl_setpipe_size, pipe_with};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_gettime,
    timerfd_settime,
};
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// More than the default, so that a command that prints a lot seldom waits for us.
const PIPE_BYTES: usize = 256 * 1024;

/// A command's first moment.
const MOMENT: Itimerspec = Itimerspec {
    it_interval: Timespec { tv_sec: 0, tv_nsec: 0 },
    it_value: Timespec { tv_sec: 0, tv_nsec: 2_000_000 },
};

/// How much of what was printed last can be asked for, at least.
const TAIL_BYTES: usize = 64 * 1024;
/// How long the beginning of something hidden waits for the rest of it. A line that has ended does
/// not wait, and the service shows one that has not only after as long.
const HELD_BACK_AT_MOST: Timespec = Timespec { tv_sec: 0, tv_nsec: 500_000_000 };

/// While somebody has this, nothing is moved into the journal.
pub(crate) struct Stillness<'a> {
    _buffer: MutexGuard<'a, Vec<u8>>,
}

/// The pipe that every command prints to.
pub(crate) struct Output {
    reader: OwnedFd,
    writer: OwnedFd,
    /// A timer that ends the first moment of the last command.
    moment: OwnedFd,
    journal: Arc<Journal>,
    /// Held by whoever reads from the pipe, until what was read is in the journal.
    buffer: Mutex<Vec<u8>>,
    /// The end of what was printed, while somebody will ask for it.
    tail: Mutex<Option<Vec<u8>>>,
    /// Passed on the way to the buffer: whoever waits for the buffer holds it, so that a process
    /// that never stops printing cannot keep the buffer from [`Output::drain_soon`].
    gate: Mutex<()>,
}

impl Output {
    /// Opens the pipe and starts the thread.
    pub(crate) fn start(journal: Arc<Journal>) -> Result<Arc<Self>, Fault> {
        let (reader, writer) =
            pipe_with(PipeFlags::CLOEXEC).doing(|| "open the output's pipe".to_owned())?;
        fcntl_setfl(&reader, OFlags::NONBLOCK).doing(|| "set up the output's pipe".to_owned())?;
        // The size is a matter of speed alone, and the machine may forbid it.
        let _ = fcntl_setpipe_size(&writer, PIPE_BYTES);
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let moment = timerfd_create(TimerfdClockId::Monotonic, flags)
            .doing(|| "make the output's timer".to_owned())?;
        let buffer = Mutex::new(vec![0; LOG_BYTES_MAX]);
        let (tail, gate) = (Mutex::new(None), Mutex::new(()));
        let output = Arc::new(Self { reader, writer, moment, journal, buffer, tail, gate });
        let pump = Arc::clone(&output);
        std::thread::Builder::new()
            .name("output".to_owned())
            .stack_size(64 * 1024)
            .spawn(move || pump.pump())
            .doing(|| "start the output's thread".to_owned())?;
        Ok(output)
    }

    /// A copy of the pipe's end that commands print to.
    pub(crate) fn stdio(&self) -> Result<Stdio, Fault> {
        let copy = self.writer.try_clone().doing(|| "share the output's pipe".to_owned())?;
        Ok(Stdio::from(copy))
    }

    /// A command begins, and has its first moment.
    pub(crate) fn begin_command(&self) {
        // A timer that could not be set would only have the thread move what was printed at once.
        let _ = timerfd_settime(&self.moment, TimerfdTimerFlags::empty(), &MOMENT);
    }

    /// Moves into the journal what was printed until now.
    pub(crate) fn drain(&self) {
        drop(self.drain_soon());
        self.journal.flush();
    }

    /// The same, but what was moved may wait in the journal for what follows. What is printed later
    /// is not moved as long as somebody has what this gives.
    pub(crate) fn drain_soon(&self) -> Stillness<'_> {
        let mut buffer = {
            let _gate = lock(&self.gate);
            lock(&self.buffer)
        };
        let mut there = ioctl_fionread(&self.reader).unwrap_or(0);
        while there > 0 {
            let moved = self.take(&mut buffer);
            if moved == 0 {
                break;
            }
            there = there.saturating_sub(moved as u64);
        }
        self.journal.append_soon(|batch| batch.settle());
        Stillness { _buffer: buffer }
    }

    /// Moves what was printed until now, and nothing that is printed later.
    pub(crate) fn close(&self) {
        std::mem::forget(self.drain_soon());
        self.journal.flush();
    }

    /// Keeps the end of what is printed from now on.
    pub(crate) fn keep_tail(&self) {
        *lock(&self.tail) = Some(Vec::new());
    }

    /// The end of what was printed since [`Output::keep_tail`], of which no more is kept.
    pub(crate) fn take_tail(&self) -> Vec<u8> {
        lock(&self.tail).take().unwrap_or_default()
    }

    fn pump(&self) {
        let mut watches_pipe = true;
        loop {
            let [moment, pipe] = [&self.moment, &self.reader];
            let mut ready = [moment, pipe].map(|source| PollFd::new(source, PollFlags::IN));
            let sources = if watches_pipe { &mut ready[..] } else { &mut ready[..1] };
            let patience = self.journal.holds_back().then_some(&HELD_BACK_AT_MOST);
            match poll(sources, patience) {
                Ok(0) => self.journal.settle(),
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => panic!("the output's pipe cannot be watched: {error}"),
            }
            watches_pipe = !self.is_in_first_moment();
            if watches_pipe {
                drop(lock(&self.gate));
                self.take(&mut lock(&self.buffer));
                self.journal.flush();
            }
        }
    }

    /// Whether a command has just begun.
    fn is_in_first_moment(&self) -> bool {
        // The end of a moment is told once; the beginning of another one takes it back.
        let _ = read(&self.moment, &mut [0; 8]);
        timerfd_gettime(&self.moment).is_ok_and(|left| left.it_value != Timespec::default())
    }

    /// Moves one piece into the journal and says how long it was.
    fn take(&self, buffer: &mut [u8]) -> usize {
        match read(&self.reader, &mut *buffer) {
            Ok(length) => {
                self.journal.append_soon(|batch| batch.output(&buffer[..length]));
                if let Some(tail) = &mut *lock(&self.tail) {
                    keep_end(tail, &buffer[..length]);
                }
                length
            }
            Err(Errno::AGAIN | Errno::INTR) => 0,
            Err(error) => panic!("the output's pipe cannot be read: {error}"),
        }
    }
}

/// Adds to a tail, and lets it grow to twice its length before it is cut.
fn keep_end(tail: &mut Vec<u8>, bytes: &[u8]) {
    tail.extend_from_slice(&bytes[bytes.len().saturating_sub(TAIL_BYTES)..]);
    if tail.len() > 2 * TAIL_BYTES {
        tail.drain(..tail.len() - TAIL_BYTES);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
