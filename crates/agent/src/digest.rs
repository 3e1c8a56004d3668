//! The checksums of a stream, each taken on a thread of its own while the stream is made.

use md5::Md5;
use sha2::{Digest, Sha256};
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

/// Pieces that may wait for a thread, so that none holds the stream up for long.
const WAITING_MAX: usize = 4;

/// The checksums of a stream, in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Checksums {
    /// MD5.
    pub(crate) md5: String,
    /// SHA-256.
    pub(crate) sha256: String,
}

/// Where the stream goes to be summed up.
pub(crate) struct Summing {
    threads: [SyncSender<Arc<Vec<u8>>>; 2],
}

impl Summing {
    /// Takes in the next piece.
    pub(crate) fn take(&self, piece: &Arc<Vec<u8>>) {
        for thread in &self.threads {
            thread.send(Arc::clone(piece)).expect("a summing thread lives as long as its sender");
        }
    }
}

/// Makes a stream, each piece of which `make` also gives to the checksums, and sums it up.
pub(crate) fn summed<T, E: From<io::Error>>(
    make: impl FnOnce(&Summing) -> Result<T, E>,
) -> Result<(T, Checksums), E> {
    thread::scope(|scope| {
        let (md5, for_md5) = sync_channel(WAITING_MAX);
        let (sha256, for_sha256) = sync_channel(WAITING_MAX);
        let sum_md5 = thread::Builder::new().spawn_scoped(scope, move || sum::<Md5>(&for_md5))?;
        let sum_sha256 =
            thread::Builder::new().spawn_scoped(scope, move || sum::<Sha256>(&for_sha256))?;
        let made = make(&Summing { threads: [md5, sha256] })?;
        let done = "summing does not panic";
        let checksums =
            Checksums { md5: sum_md5.join().expect(done), sha256: sum_sha256.join().expect(done) };
        Ok((made, checksums))
    })
}

fn sum<D: Digest>(pieces: &Receiver<Arc<Vec<u8>>>) -> String {
    let mut digest = D::new();
    for piece in pieces {
        digest.update(piece.as_slice());
    }
    hex::encode(digest.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pieces_are_summed_up_as_a_whole() {
        let made = summed(|summing| {
            for piece in ["a", "", "bc"] {
                summing.take(&Arc::new(piece.into()));
            }
            Ok::<_, io::Error>(3)
        });
        let sums = Checksums {
            md5: "900150983cd24fb0d6963f7d28e17f72".to_owned(),
            sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".to_owned(),
        };
        assert_eq!(made.unwrap(), (3, sums));
        let failed: Result<((), _), _> =
            summed(|_| Err::<(), _>(io::Error::other("no stream"))).map_err(|e| e.to_string());
        assert_eq!(failed.unwrap_err(), "no stream");
    }
}
