//! One layer on its way: read, hashed, and kept until it is whole, while another thread unpacks it.

use super::{
    Digest, Progress,
    layer::{self, Unpacking},
    manifest::{Blob, Source},
    room::Room,
};
use crate::{Fault, LaunchError, fault::Doing};
use sha2::{Digest as _, Sha256};
use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write},
    path::Path,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
    time::Duration,
};

/// How much is read at a time.
const PIECE_BYTES: usize = 256 << 10;
/// How many pieces wait to be unpacked at most.
const PIECES_AHEAD: usize = 32;
/// How often in a row a source may end without having given anything.
const VAIN_MAX: u32 = 5;
/// How long it is waited after the first of these; then longer.
const PAUSE: Duration = Duration::from_millis(100);

/// A layer on its way.
pub(super) struct Fetch<'a> {
    /// Where it comes from.
    pub source: &'a dyn Source,
    /// What it is.
    pub blob: &'a Blob,
    /// Its digest.
    pub digest: &'a Digest,
    /// Where it is kept until it is whole.
    pub part: &'a File,
    /// What stays free of the disk, in bytes.
    pub reserve_bytes: u64,
    /// Who is told how far it is.
    pub progress: &'a Progress,
}

/// Why a layer is not there.
pub(super) enum Failed {
    /// It may go on where it stopped.
    Interrupted(LaunchError),
    /// The layer, or the machine, is not good for it.
    ForGood(LaunchError),
}

impl From<Fault> for Failed {
    fn from(fault: Fault) -> Self {
        Self::ForGood(fault.into())
    }
}

impl Failed {
    /// What the user is told.
    pub(super) fn error(self) -> LaunchError {
        match self {
            Self::Interrupted(error) | Self::ForGood(error) => error,
        }
    }
}

/// Whether the bytes were what their digest says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrival {
    /// They were.
    Whole,
    /// They were not, though the first of them were kept from another time.
    Stale,
}

impl Fetch<'_> {
    /// Reads the layer to its end and unpacks it into a new folder.
    pub(super) fn unpack(&self, into: &Path) -> Result<Arrival, Failed> {
        let (send, pieces) = sync_channel(PIECES_AHEAD);
        let (read, unpacked) = thread::scope(|scope| {
            let unpacking = scope.spawn(|| unpack(Pieces::new(pieces), into, self.reserve_bytes));
            let read = self.read(send, into.parent().unwrap_or(into));
            (read, unpacking.join().expect("unpacking does not panic"))
        });
        let arrived = match (read, unpacked) {
            (_, Err(Unpacking::Machine(fault))) => return Err(self.machine(fault)),
            (Err(error), _) => return Err(error),
            (Ok(arrived), Err(Unpacking::Layer(reason))) => (arrived, Some(reason)),
            (Ok(arrived), Ok(())) => (arrived, None),
        };
        match arrived {
            // A layer that was tampered with is called so whatever it made the unpacking say.
            (Arrived { digest, kept: 0 }, _) if digest != *self.digest => {
                Err(self.bad(&format!("{} is not what its digest says", self.digest)))
            }
            (Arrived { digest, .. }, _) if digest != *self.digest => Ok(Arrival::Stale),
            (_, Some(reason)) => Err(self.bad(&format!("the layer {}: {reason}", self.digest))),
            (_, None) => Ok(Arrival::Whole),
        }
    }

    fn bad(&self, reason: &str) -> Failed {
        Failed::ForGood(self.source.unusable(reason))
    }

    fn interrupted(&self, reason: &str) -> Failed {
        Failed::Interrupted(self.source.unusable(reason))
    }

    /// A fault of the machine, which is the image's error where the user can mend it.
    fn machine(&self, fault: Fault) -> Failed {
        match fault.source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                self.bad(&format!("{fault}: {}", fault.source))
            }
            _ => fault.into(),
        }
    }

    /// Reads what is kept and then what is missing, which is kept in a folder.
    fn read(&self, send: SyncSender<Vec<u8>>, folder: &Path) -> Result<Arrived, Failed> {
        let room = Room::new(folder, self.reserve_bytes);
        let (send, hash) = (Some(send), Sha256::new());
        let mut reading = Reading { fetch: self, send, hash, at: 0, room };
        let kept = if self.source.is_far() { reading.read_kept()? } else { 0 };
        let mut vain = 0;
        while reading.at < self.blob.size {
            let (before, ended) = (reading.at, reading.read_on()?);
            if reading.at < self.blob.size {
                vain = if reading.at > before { 0 } else { vain + 1 };
                if !self.source.is_far() {
                    break;
                }
                if vain > VAIN_MAX {
                    let (at, size) = (reading.at, self.blob.size);
                    let why = ended.map_or_else(String::new, |error| format!(": {error}"));
                    let digest = self.digest;
                    return Err(self.interrupted(&format!(
                        "the layer {digest} ended after {at} of {size} bytes{why}"
                    )));
                }
                thread::sleep(PAUSE * vain * vain);
            }
        }
        Ok(Arrived { digest: Digest::finished(reading.hash), kept })
    }
}

/// What was read of a layer.
struct Arrived {
    digest: Digest,
    /// How much of it was there before.
    kept: u64,
}

/// The reading side.
struct Reading<'a> {
    fetch: &'a Fetch<'a>,
    send: Option<SyncSender<Vec<u8>>>,
    hash: Sha256,
    at: u64,
    room: Room,
}

impl Reading<'_> {
    fn read_kept(&mut self) -> Result<u64, Failed> {
        let (mut part, doing) = (self.fetch.part, "read a layer that is not whole yet");
        let length = part.metadata().doing(doing)?.len().min(self.fetch.blob.size);
        part.seek(SeekFrom::Start(0)).doing(doing)?;
        while self.at < length {
            let mut piece =
                vec![0; PIECE_BYTES.min(usize::try_from(length - self.at).unwrap_or(PIECE_BYTES))];
            part.read_exact(&mut piece).doing(doing)?;
            self.fetch.progress.found(piece.len() as u64);
            self.pass_on(piece)?;
        }
        part.set_len(length).doing(doing)?;
        Ok(length)
    }

    /// Reads until the source ends or fails; with its error when it did.
    fn read_on(&mut self) -> Result<Option<io::Error>, Failed> {
        let Fetch { source, blob, part, progress, .. } = *self.fetch;
        let mut part = part;
        let mut from = source.layer(blob, self.at).map_err(Failed::Interrupted)?;
        while self.at < blob.size {
            let missing = usize::try_from(blob.size - self.at).unwrap_or(PIECE_BYTES);
            let mut piece = vec![0; PIECE_BYTES.min(missing)];
            let length = match from.read(&mut piece) {
                Ok(0) => return Ok(None),
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Ok(Some(error)),
            };
            piece.truncate(length);
            if source.is_far() {
                self.room
                    .take(length as u64)
                    .and_then(|()| {
                        part.write_all(&piece).doing("keep a layer that is not whole yet")
                    })
                    .map_err(|fault| self.fetch.machine(fault))?;
            }
            progress.fetched(length as u64);
            self.pass_on(piece)?;
        }
        Ok(None)
    }

    fn pass_on(&mut self, piece: Vec<u8>) -> Result<(), Failed> {
        if self.fetch.progress.is_cancelled() {
            return Err(self.fetch.interrupted("it is not wanted any more"));
        }
        self.hash.update(&piece);
        self.at += piece.len() as u64;
        // Nobody receives any more only after the machine has failed, which is told by the other side.
        match self.send.as_ref().is_some_and(|send| send.send(piece).is_ok()) {
            true => Ok(()),
            false => Err(self.fetch.bad("it could not be unpacked")),
        }
    }
}

/// The unpacking side: what was sent, as a stream.
struct Pieces {
    pieces: Receiver<Vec<u8>>,
    piece: Vec<u8>,
    at: usize,
}

impl Pieces {
    fn new(pieces: Receiver<Vec<u8>>) -> Self {
        Self { pieces, piece: Vec::new(), at: 0 }
    }
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let given = self.fill_buf()?.read(buffer)?;
        self.consume(given);
        Ok(given)
    }
}

impl BufRead for Pieces {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.at == self.piece.len() {
            match self.pieces.recv() {
                Ok(piece) => (self.piece, self.at) = (piece, 0),
                Err(_) => return Ok(&[]),
            }
        }
        Ok(&self.piece[self.at..])
    }

    fn consume(&mut self, length: usize) {
        self.at += length;
    }
}

/// Unpacks what comes, and takes what comes behind the archive's end.
fn unpack(mut pieces: Pieces, into: &Path, reserve_bytes: u64) -> Result<(), Unpacking> {
    let broken = |error: io::Error| Unpacking::Layer(error.to_string());
    let start = pieces.fill_buf().map_err(broken)?;
    let unpacked = match start {
        [0x1f, 0x8b, ..] => {
            let inflated = flate2::bufread::MultiGzDecoder::new(&mut pieces);
            layer::unpack(BufReader::with_capacity(PIECE_BYTES, inflated), into, reserve_bytes)
        }
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => {
            match zstd::Decoder::with_buffer(&mut pieces) {
                Ok(inflated) => layer::unpack(
                    BufReader::with_capacity(PIECE_BYTES, inflated),
                    into,
                    reserve_bytes,
                ),
                Err(error) => Err(broken(error)),
            }
        }
        _ => layer::unpack(&mut pieces, into, reserve_bytes),
    };
    if !matches!(unpacked, Err(Unpacking::Machine(_))) {
        io::copy(&mut pieces, &mut io::sink()).map_err(broken)?;
    }
    unpacked
}
