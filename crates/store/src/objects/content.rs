//! Reading an object's bytes, which stay readable even when the object is deleted meanwhile.

use super::blob::{self, Extent};
use super::error::{Fault, Result};
use super::files::{Files, Pin};
use bytes::Bytes;
use futures::Stream;
use rusqlite::Connection;
use std::collections::VecDeque;
use std::fs::File;
use std::future::Future as _;
use std::io::{self, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::task::JoinHandle;

/// How many bytes one read of a stream asks for.
const READ: u64 = 512 * 1024;

/// The bytes of one object version, in order.
#[derive(Clone)]
pub struct Content {
    extents: Vec<Extent>,
    pieces: VecDeque<Piece>,
}

#[derive(Clone)]
struct Piece {
    source: Source,
    offset: u64,
    length: u64,
}

#[derive(Clone)]
enum Source {
    Bytes(Bytes),
    File(Arc<Pin>),
}

impl Content {
    /// Finds the blobs of the extents; call it under [`Files::look_up`].
    pub(super) fn load(
        connection: &Connection,
        files: &Arc<Files>,
        extents: &[Extent],
    ) -> Result<Self> {
        let mut statement =
            connection.prepare_cached("SELECT file, bytes FROM blob WHERE id = ?1")?;
        let mut pieces = VecDeque::with_capacity(extents.len());
        for Extent { blob, offset, length } in extents.iter().copied() {
            let (file, bytes): (Option<String>, Option<Vec<u8>>) =
                statement.query_row([blob], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let source = match (file, bytes) {
                (Some(file), None) => Source::File(Arc::new(files.pin(&file))),
                (None, Some(bytes)) => Source::Bytes(bytes.into()),
                (Some(_), Some(_)) | (None, None) => return Err(Fault::Stored("blob").into()),
            };
            pieces.push_back(Piece { source, offset, length });
        }
        Ok(Self { extents: extents.to_vec(), pieces })
    }

    /// How many bytes there are.
    pub fn size(&self) -> u64 {
        self.pieces.iter().map(|piece| piece.length).sum()
    }

    /// The extents, to be shared with another object.
    pub fn extents(&self) -> &[Extent] {
        &self.extents
    }

    /// Returns the bytes of the range, which must lie within the content.
    #[must_use]
    pub fn slice(&self, range: Range<u64>) -> Self {
        let mut at = 0;
        let mut pieces = VecDeque::new();
        for piece in &self.pieces {
            let (from, to) = (at.max(range.start), (at + piece.length).min(range.end));
            if from < to {
                let offset = piece.offset + (from - at);
                pieces.push_back(Piece { offset, length: to - from, source: piece.source.clone() });
            }
            at += piece.length;
        }
        Self { extents: blob::slice(&self.extents, range.start, range.end), pieces }
    }

    /// Writes all bytes to the writer; blocks.
    pub fn copy_to(&self, writer: &mut impl Write) -> io::Result<u64> {
        let mut copied = 0;
        for piece in &self.pieces {
            copied += match &piece.source {
                Source::Bytes(bytes) => {
                    let bytes = piece.of(bytes);
                    writer.write_all(&bytes)?;
                    bytes.len() as u64
                }
                Source::File(pin) => {
                    use io::{Read as _, Seek as _};
                    let mut file = pin.open()?;
                    file.seek(io::SeekFrom::Start(piece.offset))?;
                    io::copy(&mut file.take(piece.length), writer)?
                }
            };
        }
        if copied == self.size() { Ok(copied) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    /// Returns the bytes as a stream of chunks, read one chunk ahead on the runtime's threads.
    pub fn stream(self) -> ContentStream {
        let left = self.size();
        ContentStream {
            pieces: self.pieces,
            file: None,
            is_same_file_next: false,
            reading: None,
            left,
        }
    }
}

impl Piece {
    fn of(&self, bytes: &Bytes) -> Bytes {
        let offset = usize::try_from(self.offset).expect("bytes in memory fit the memory");
        let length = usize::try_from(self.length).expect("bytes in memory fit the memory");
        bytes.slice(offset..offset + length)
    }
}

/// A stream of an object's bytes.
pub struct ContentStream {
    pieces: VecDeque<Piece>,
    file: Option<Arc<File>>,
    is_same_file_next: bool,
    reading: Option<Reading>,
    left: u64,
}

enum Reading {
    Ready(Bytes),
    Running(JoinHandle<io::Result<(Arc<File>, Bytes)>>),
}

impl ContentStream {
    /// How many bytes are still to come.
    pub fn left(&self) -> u64 {
        self.left
    }

    fn start(&mut self) -> Option<Reading> {
        let piece = self.pieces.front_mut()?;
        let pin = match &piece.source {
            Source::Bytes(bytes) => {
                let bytes = piece.of(bytes);
                self.pieces.pop_front();
                return Some(Reading::Ready(bytes));
            }
            Source::File(pin) => Arc::clone(pin),
        };
        let (offset, length) = (piece.offset, piece.length.min(READ));
        piece.offset += length;
        piece.length -= length;
        let file = self.file.take();
        self.is_same_file_next = piece.length > 0;
        if !self.is_same_file_next {
            self.pieces.pop_front();
        }
        Some(Reading::Running(tokio::task::spawn_blocking(move || {
            let file = match file {
                Some(file) => file,
                None => Arc::new(pin.open()?),
            };
            let length = usize::try_from(length).expect("a read is small");
            let mut bytes = vec![0; length];
            file.read_exact_at(&mut bytes, offset)?;
            Ok((file, bytes.into()))
        })))
    }
}

impl Stream for ContentStream {
    type Item = io::Result<Bytes>;

    fn poll_next(
        mut self: pin::Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Bytes>>> {
        let stream = &mut *self;
        if stream.reading.is_none() {
            stream.reading = stream.start();
        }
        let Some(reading) = &mut stream.reading else { return Poll::Ready(None) };
        let bytes = match reading {
            Reading::Ready(bytes) => std::mem::take(bytes),
            Reading::Running(running) => {
                let outcome = ready!(pin::Pin::new(running).poll(context));
                match outcome.unwrap_or_else(|error| Err(io::Error::other(error))) {
                    Ok((file, bytes)) => {
                        stream.file = stream.is_same_file_next.then_some(file);
                        bytes
                    }
                    Err(error) => {
                        stream.reading = None;
                        stream.pieces.clear();
                        return Poll::Ready(Some(Err(error)));
                    }
                }
            }
        };
        stream.left -= bytes.len() as u64;
        stream.reading = stream.start();
        Poll::Ready(Some(Ok(bytes)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (usize::from(self.left > 0), None)
    }
}
