//! Compresses a piece of a stream so that pieces made on different threads join to one stream.

use crate::pieces::Place;
use flate2::{Compress, Compression, FlushCompress, Status};
use std::io;
use std::sync::{Mutex, PoisonError};

/// Fast first: most artifacts are compressed already, and the store is near. The level below makes
/// files a quarter larger.
const LEVEL: u32 = 2;
/// What a flush and the heads of blocks add to a short piece.
const GROWTH_MAX: usize = 1_024;

/// Compressors that are not at work; each has some hundred KiB of memory.
#[derive(Default)]
pub(super) struct Compressors(Mutex<Vec<Compress>>);

impl Compressors {
    /// Appends a raw deflate stream's piece to `into`. A piece knows nothing of those before it, and
    /// one that is not the last ends on a whole byte, with an empty block.
    pub(super) fn deflate(&self, piece: &[u8], place: Place, into: &mut Vec<u8>) -> io::Result<()> {
        let idle = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut compress = idle.unwrap_or_else(|| Compress::new(Compression::new(LEVEL), false));
        let flush = match place {
            Place::Before => FlushCompress::Sync,
            Place::Last => FlushCompress::Finish,
        };
        into.reserve(piece.len() + piece.len() / 64 + GROWTH_MAX);
        loop {
            let done = usize::try_from(compress.total_in()).expect("no more than there is");
            let status =
                compress.compress_vec(&piece[done..], into, flush).map_err(io::Error::other)?;
            // Room that is left says that nothing waits to be written.
            let flushed = compress.total_in() == piece.len() as u64 && into.len() < into.capacity();
            match place {
                Place::Before if flushed => break,
                Place::Last if status == Status::StreamEnd => break,
                Place::Before | Place::Last => into.reserve(GROWTH_MAX),
            }
        }
        // Nothing waits to be written: with something left, the library does not begin again.
        compress.reset();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(compress);
        Ok(())
    }
}

/// Appends a raw deflate stream's piece that holds the bytes as they are.
pub(super) fn stored_blocks(piece: &[u8], place: Place, into: &mut Vec<u8>) {
    const BLOCK_BYTES_MAX: usize = 65_535;
    let blocks = piece.chunks(BLOCK_BYTES_MAX);
    let last = blocks.len().checked_sub(1);
    for (number, block) in blocks.enumerate() {
        let is_final = place == Place::Last && Some(number) == last;
        let length = u16::try_from(block.len()).expect("a block has at most 65,535 bytes");
        into.push(u8::from(is_final));
        into.extend_from_slice(&length.to_le_bytes());
        into.extend_from_slice(&(!length).to_le_bytes());
        into.extend_from_slice(block);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::read::DeflateDecoder;
    use std::io::Read;

    /// Bytes that repeat nothing for long.
    fn noise(length: usize) -> Vec<u8> {
        let mut state = 1_u32;
        let next = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        };
        (0..length).map(next).collect()
    }

    fn inflated(stream: &[u8]) -> Vec<u8> {
        let mut read = Vec::new();
        DeflateDecoder::new(stream).read_to_end(&mut read).unwrap();
        read
    }

    #[test]
    fn pieces_join_to_one_stream() {
        let compressors = Compressors::default();
        let text = b"the same again, ".repeat(50_000);
        let pieces = [&text[..], b"", &noise(300_000), b"x", b""];
        let mut stream = Vec::new();
        for (number, piece) in pieces.iter().enumerate() {
            let last = number + 1 == pieces.len();
            let place = if last { Place::Last } else { Place::Before };
            compressors.deflate(piece, place, &mut stream).unwrap();
        }
        assert!(stream.len() < 400_000, "{} bytes", stream.len());
        assert!(inflated(&stream) == pieces.concat());
        // And those that are not worth it, among them and as the last.
        let mut stream = Vec::new();
        stored_blocks(&noise(200_000), Place::Before, &mut stream);
        compressors.deflate(&text, Place::Before, &mut stream).unwrap();
        stored_blocks(&noise(131_070), Place::Last, &mut stream);
        assert!(inflated(&stream) == [&noise(200_000)[..], &text, &noise(131_070)].concat());
    }
}
