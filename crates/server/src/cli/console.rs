//! The terminal's side of a shell in the environment: keys go there as they are typed, and what the
//! shell prints is shown.

use crate::driver::ShellConnection;
use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr};
use std::{
    io::{self, Read, Stdin, Write, stdin, stdout},
    thread,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split},
    signal::unix::{Signal, SignalKind, signal},
    sync::mpsc,
};

/// What the agent is sent: a byte of kind and two of length before each.
const KEYS: u8 = 0;
const SIZE: u8 = 1;
/// How much is sent at a time.
const FRAME_BYTES_MAX: usize = 4096;

/// Keys, as somebody types them. They are read by one thread for as long as the program lives: what
/// waits for a key cannot be told to stop waiting.
pub(super) struct Keyboard {
    keys: mpsc::Receiver<Vec<u8>>,
    ended: bool,
}

impl Keyboard {
    /// Starts to read the standard input.
    pub(super) fn open() -> io::Result<Self> {
        let (typed, keys) = mpsc::channel(16);
        thread::Builder::new().name("keyboard".to_owned()).spawn(move || {
            let mut buffer = [0; FRAME_BYTES_MAX];
            while let Ok(length @ 1..) = stdin().lock().read(&mut buffer) {
                if typed.blocking_send(buffer[..length].to_vec()).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { keys, ended: false })
    }

    /// Lets the shell be used until it has ended.
    pub(super) async fn use_shell(&mut self, connection: ShellConnection) -> io::Result<()> {
        let raw = Raw::begin(stdin());
        let mut resized = signal(SignalKind::window_change())?;
        let (mut shown, mut typed) = split(connection.0);
        send_size(&mut typed).await?;
        let used = self.pass_on(&mut shown, &mut typed, &mut resized).await;
        drop(raw);
        used
    }

    async fn pass_on<T>(
        &mut self,
        shown: &mut ReadHalf<T>,
        typed: &mut WriteHalf<T>,
        resized: &mut Signal,
    ) -> io::Result<()>
    where
        T: tokio::io::AsyncRead + tokio::io::AsyncWrite,
    {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            tokio::select! {
                length = shown.read(&mut buffer) => match length {
                    // However the connection ended, the shell has.
                    Ok(0) | Err(_) => return Ok(()),
                    Ok(length) => {
                        let mut out = stdout().lock();
                        out.write_all(&buffer[..length])?;
                        out.flush()?;
                    }
                },
                keys = self.keys.recv(), if !self.ended => match keys {
                    Some(keys) => send(typed, KEYS, &keys).await?,
                    None => {
                        self.ended = true;
                        // The end of the input is the end of what is typed.
                        typed.shutdown().await?;
                    }
                },
                _ = resized.recv() => send_size(typed).await?,
            }
        }
    }
}

async fn send_size<T: tokio::io::AsyncWrite>(typed: &mut WriteHalf<T>) -> io::Result<()> {
    let Ok(size) = tcgetwinsize(stdin()) else { return Ok(()) };
    let (rows, columns) = (size.ws_row.to_be_bytes(), size.ws_col.to_be_bytes());
    send(typed, SIZE, &[rows[0], rows[1], columns[0], columns[1]]).await
}

async fn send<T: tokio::io::AsyncWrite>(
    typed: &mut WriteHalf<T>,
    kind: u8,
    bytes: &[u8],
) -> io::Result<()> {
    let length = u16::try_from(bytes.len()).expect("frames are short").to_be_bytes();
    typed.write_all(&[&[kind, length[0], length[1]], bytes].concat()).await
}

/// A terminal that passes every key on; it is as it was before when this is dropped.
struct Raw {
    terminal: Stdin,
    before: Termios,
}

impl Raw {
    /// None where the input is no terminal.
    fn begin(terminal: Stdin) -> Option<Self> {
        if !isatty(&terminal) {
            return None;
        }
        let before = tcgetattr(&terminal).ok()?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(&terminal, OptionalActions::Flush, &raw).ok()?;
        Some(Self { terminal, before })
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // A terminal that has gone needs no repair.
        let _ = tcsetattr(&self.terminal, OptionalActions::Flush, &self.before);
    }
}
