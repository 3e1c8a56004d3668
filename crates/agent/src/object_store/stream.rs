//! Objects that are uploaded while they are made, before anybody knows how long they will be.

use super::client::Client;
use super::error::StoreError;
use super::upload::{Destination, Parts};
use rusty_s3::Bucket;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;

/// Parts on their way at once. Each is in memory.
const SENDERS: usize = 2;
/// S3 takes no more than 10,000 parts, each of 5 MiB or more.
const PART_BYTES_MIN: usize = 5 * 1024 * 1024;
const PARTS_MAX: u64 = 9_000;

impl Client {
    /// Uploads what `make` writes, which becomes no longer than `length_max`. The object is there
    /// as a whole or not at all.
    pub(crate) fn upload_stream<E: From<StoreError>>(
        &self,
        to: &Destination<'_>,
        length_max: u64,
        make: impl FnOnce(&mut Stream<'_, '_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let bucket = self.bucket(to.bucket)?;
        let (begun, spare) = (OnceLock::new(), Mutex::default());
        let upload = Sending { client: self, bucket: &bucket, to, begun, spare };
        let failed = Mutex::new(None);
        let part_bytes = usize::try_from(length_max / PARTS_MAX).unwrap_or(usize::MAX);
        let made = thread::scope(|scope| {
            let (sender, waiting) = sync_channel(0);
            let waiting = Arc::new(Mutex::new(waiting));
            for _ in 0..SENDERS {
                let (upload, waiting, failed) = (&upload, Arc::clone(&waiting), &failed);
                thread::Builder::new()
                    .spawn_scoped(scope, move || upload.serve(&waiting, failed))
                    .map_err(StoreError::Local)?;
            }
            drop(waiting);
            let part_bytes = part_bytes.max(PART_BYTES_MIN);
            let mut stream = Stream {
                upload: &upload,
                failed: &failed,
                sender,
                part: Vec::new(),
                part_bytes,
                count: 0,
            };
            make(&mut stream)?;
            Ok(stream.finish()?)
        });
        let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
        let sent = failed.map_or(made, |error| Err(error.into()));
        match (upload.begun.into_inner(), sent) {
            (None, sent) => sent,
            (Some(parts), sent) => parts.finish(|_| sent),
        }
    }
}

/// An upload of parts that are made meanwhile.
struct Sending<'a> {
    client: &'a Client,
    bucket: &'a Bucket,
    to: &'a Destination<'a>,
    /// There when the first part was full.
    begun: OnceLock<Parts<'a>>,
    /// The memory of parts that have been sent.
    spare: Mutex<Vec<Vec<u8>>>,
}

struct Part {
    number: u16,
    bytes: Vec<u8>,
}

type Failed = Mutex<Option<StoreError>>;

impl Sending<'_> {
    /// Sends the parts that come until no more do; after an error it lets them pass.
    fn serve(&self, waiting: &Mutex<Receiver<Part>>, failed: &Failed) {
        loop {
            let next = lock(waiting).recv();
            let Ok(Part { number, mut bytes }) = next else { return };
            if lock(failed).is_some() {
                continue;
            }
            let parts = self.begun.get().expect("an upload begins before its first part is sent");
            if let Err(error) = parts.send(number, bytes.len() as u64, || &bytes[..]) {
                lock(failed).get_or_insert(error);
            }
            bytes.clear();
            lock(&self.spare).push(bytes);
        }
    }
}

/// An object that is being made.
pub(crate) struct Stream<'a, 'b> {
    upload: &'a Sending<'b>,
    failed: &'a Failed,
    sender: SyncSender<Part>,
    part: Vec<u8>,
    part_bytes: usize,
    count: u16,
}

impl Stream<'_, '_> {
    /// Writes the next bytes. An error of an upload that is under way comes here.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let mut rest = bytes;
        while self.part.len() + rest.len() >= self.part_bytes {
            let (now, later) = rest.split_at(self.part_bytes - self.part.len());
            self.part.extend_from_slice(now);
            self.send_part()?;
            rest = later;
        }
        self.part.extend_from_slice(rest);
        Ok(())
    }

    fn send_part(&mut self) -> Result<(), StoreError> {
        if let Some(error) = lock(self.failed).take() {
            return Err(error);
        }
        let Sending { client, bucket, to, begun, spare } = self.upload;
        if begun.get().is_none() {
            let parts = Parts::begin(client, bucket, to)?;
            let _ = begun.set(parts);
        }
        self.count += 1;
        let spare = lock(spare).pop().unwrap_or_default();
        let part = Part { number: self.count, bytes: std::mem::replace(&mut self.part, spare) };
        self.sender.send(part).expect("the senders live as long as the stream");
        Ok(())
    }

    fn finish(mut self) -> Result<(), StoreError> {
        let Sending { client, to, begun, .. } = self.upload;
        match begun.get() {
            None => client.put(to, self.part.len() as u64, || &self.part[..]),
            Some(_) if self.part.is_empty() => Ok(()),
            Some(_) => self.send_part(),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
