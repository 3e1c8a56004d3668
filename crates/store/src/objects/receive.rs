//! Receiving bytes: digested as they come, kept in memory while few, in a file once many.

use super::digest::{Algorithm, Checksum, Digests};
use super::error::Fault;
use super::files::Files;
use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use std::fs::File;
use std::io::Write as _;
use std::sync::Arc;
use tokio::task::JoinHandle;

/// The most bytes that are kept in the database rather than in a file of their own.
pub(super) const INLINE_MAX: usize = 16 * 1024;

/// How many bytes are gathered before a thread is asked to digest and write them.
const GATHER: usize = 512 * 1024;

/// Why bytes could not be received.
#[derive(Debug)]
pub enum ReceiveError<E> {
    /// Their source failed.
    Source(E),
    /// The store failed.
    Fault(Fault),
}

/// Bytes on their way in. Dropping it forgets them.
pub struct Receiving {
    files: Arc<Files>,
    digests: Digests,
    buffer: Vec<u8>,
    file: Option<(String, File)>,
}

impl Receiving {
    pub(super) fn new(files: &Arc<Files>, algorithms: &[Algorithm]) -> Self {
        let digests = Digests::new(algorithms);
        Self { files: Arc::clone(files), digests, buffer: Vec::new(), file: None }
    }

    /// Takes in the next bytes; may write to the disk.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.digests.update(bytes);
        if self.file.is_none() && self.buffer.len() + bytes.len() <= INLINE_MAX {
            self.buffer.extend_from_slice(bytes);
            return Ok(());
        }
        if self.file.is_none() {
            self.file = Some(self.files.create()?);
        }
        let (name, file) = self.file.as_mut().expect("the file was made above");
        let buffered = std::mem::take(&mut self.buffer);
        file.write_all(&buffered)
            .and_then(|()| file.write_all(bytes))
            .map_err(Fault::file("write", name.as_str()))
    }

    /// Makes the bytes durable, under a name that nothing refers to yet.
    pub fn finish(mut self) -> Result<Received, Fault> {
        let size = self.digests.size();
        let held = match &self.file {
            None => Held::Bytes(std::mem::take(&mut self.buffer)),
            Some((name, file)) => {
                self.files.sync(name, file)?;
                Held::File { name: name.clone(), size }
            }
        };
        self.file = None;
        let digests = std::mem::replace(&mut self.digests, Digests::new(&[]));
        let (md5, checksums) = digests.finish();
        Ok(Received { files: Arc::clone(&self.files), held: Some(held), size, md5, checksums })
    }

    fn is_small_with(&self, more: usize) -> bool {
        self.file.is_none() && self.buffer.len() + more <= INLINE_MAX
    }
}

impl Drop for Receiving {
    fn drop(&mut self) {
        if let Some((name, _)) = self.file.take() {
            self.files.discard(&name);
        }
    }
}

/// What holds received bytes.
pub(super) enum Held {
    Bytes(Vec<u8>),
    File { name: String, size: u64 },
}

/// Bytes that are durable and wait for a row to name them. Dropping it forgets them.
pub struct Received {
    files: Arc<Files>,
    held: Option<Held>,
    /// How many bytes there are.
    pub size: u64,
    /// Their MD5 in hexadecimal.
    pub md5: String,
    /// Their checksums, in the order of the algorithms that were asked for.
    pub checksums: Vec<Checksum>,
}

impl Received {
    /// Hands the bytes over; what takes them must name them or discard them.
    pub(super) fn take(mut self) -> Held {
        self.held.take().expect("received bytes are taken once, by value")
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        if let Some(Held::File { name, .. }) = self.held.take() {
            self.files.discard(&name);
        }
    }
}

/// Receives a whole stream. Digesting and writing go on while the next bytes arrive; the memory in
/// use does not grow with the stream.
pub(super) async fn receive<S, E>(
    receiving: Receiving,
    mut stream: S,
) -> Result<Received, ReceiveError<E>>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
{
    let mut pump = Pump::Idle(receiving);
    let mut gathered = Vec::new();
    let mut size = 0;
    while let Some(chunk) = stream.next().await {
        let chunk = match chunk {
            Ok(chunk) => chunk,
            Err(error) => {
                // The file under way is gone before the caller hears of it.
                drop(pump.rest().await);
                return Err(ReceiveError::Source(error));
            }
        };
        size += chunk.len();
        gathered.push(chunk);
        match &mut pump {
            Pump::Idle(receiving) if receiving.is_small_with(size) => {
                for chunk in gathered.drain(..) {
                    receiving.write(&chunk).map_err(ReceiveError::Fault)?;
                }
                size = 0;
            }
            Pump::Idle(_) | Pump::Busy(_) if size >= GATHER => {
                let receiving = pump.rest().await.map_err(ReceiveError::Fault)?;
                pump = Pump::busy(receiving, std::mem::take(&mut gathered));
                size = 0;
            }
            Pump::Idle(_) | Pump::Busy(_) => {}
        }
    }
    let mut receiving = pump.rest().await.map_err(ReceiveError::Fault)?;
    if receiving.file.is_none() && gathered.is_empty() {
        return receiving.finish().map_err(ReceiveError::Fault);
    }
    let finish = move || {
        gathered.iter().try_for_each(|chunk| receiving.write(chunk))?;
        receiving.finish()
    };
    blocking(finish).await.map_err(ReceiveError::Fault)
}

enum Pump {
    Idle(Receiving),
    Busy(JoinHandle<Result<Receiving, Fault>>),
}

impl Pump {
    fn busy(mut receiving: Receiving, chunks: Vec<Bytes>) -> Self {
        Pump::Busy(tokio::task::spawn_blocking(move || {
            chunks.iter().try_for_each(|chunk| receiving.write(chunk))?;
            Ok(receiving)
        }))
    }

    async fn rest(self) -> Result<Receiving, Fault> {
        match self {
            Pump::Idle(receiving) => Ok(receiving),
            Pump::Busy(running) => running.await.unwrap_or(Err(Fault::Closed)),
        }
    }
}

/// Runs what may block on a thread for it.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(Fault::Closed))
}
