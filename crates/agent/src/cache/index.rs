//! The form of a cache: frames of zstd, and where they are. Pure.
//!
//! Every frame is a stretch of one tar archive that can be read by itself, so that several threads
//! read at once; all of them together are what `zstd -d | tar -t` reads. A last frame, which zstd
//! skips, says where the others are.

use serde::{Deserialize, Serialize};

/// The magic number of a frame that zstd skips.
const SKIPPED: u32 = 0x184d_2a50;
const MAGIC: &[u8; 8] = b"BYCACHE\x01";
/// Magic number and length of a skipped frame.
const HEAD_BYTES: usize = 8;
/// The length of the index, and the magic, at the very end.
const TAIL_BYTES: usize = 4 + MAGIC.len();

/// A frame that says it becomes more was not made by us: memory is for small ones.
const FRAME_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// What of a cache's end is read at first; most indexes fit.
pub(super) const END_BYTES: u64 = 64 * 1024;

/// Where everything in a cache is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Index {
    /// The frames, in their order, without gaps.
    pub(super) frames: Vec<Frame>,
    /// The files that several frames share.
    pub(super) large: Vec<LargeFile>,
    /// How many files there are.
    pub(super) files: u64,
    /// How many bytes they have.
    pub(super) bytes: u64,
}

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Frame {
    /// How many bytes it takes.
    pub(super) stored: u64,
    /// How many bytes it becomes.
    pub(super) length: u64,
    /// What it holds, when that is not whole entries of the tar archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) piece: Option<PieceOf>,
}

/// A frame's part of a large file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PieceOf {
    /// The number of the file.
    pub(super) file: usize,
    /// Where in the file the piece belongs.
    pub(super) from: u64,
    /// The bytes before it, which are the archive's.
    pub(super) skip: usize,
    /// How many bytes it has.
    pub(super) length: usize,
}

/// A file that several frames share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LargeFile {
    /// Its name in the archive, each byte a number.
    pub(super) name: Vec<u8>,
    /// How many bytes it has.
    pub(super) length: u64,
    /// Permissions.
    pub(super) mode: u32,
    /// The user's and the group's number.
    pub(super) owner: (u32, u32),
    /// When it was changed last: seconds since 1970, and billionths of one.
    pub(super) modified: (i64, u32),
}

/// What the end of a cache says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    /// All of it.
    Index(Index),
    /// The index is longer than what was read: so many bytes of the end are needed.
    Longer(u64),
    /// It is no cache of ours, or a damaged one.
    Broken,
}

impl Index {
    /// The frame that stands at the end.
    pub(super) fn to_frame(&self) -> Vec<u8> {
        let index = serde_json::to_vec(self).expect("an index has only text keys");
        let length = |bytes: usize| u32::try_from(bytes).expect("an index is far below 4 GiB");
        let mut frame = Vec::with_capacity(HEAD_BYTES + index.len() + TAIL_BYTES);
        frame.extend_from_slice(&SKIPPED.to_le_bytes());
        frame.extend_from_slice(&length(index.len() + TAIL_BYTES).to_le_bytes());
        frame.extend_from_slice(&index);
        frame.extend_from_slice(&length(index.len()).to_le_bytes());
        frame.extend_from_slice(MAGIC);
        frame
    }

    /// Reads it from the last bytes of a cache, whose whole length is `total`.
    pub(super) fn read(end: &[u8], total: u64) -> End {
        let Some((rest, tail)) = end.split_at_checked(end.len().saturating_sub(TAIL_BYTES)) else {
            return End::Broken;
        };
        let Some((length, magic)) = tail.split_first_chunk() else { return End::Broken };
        if magic != MAGIC {
            return End::Broken;
        }
        let length = usize::try_from(u32::from_le_bytes(*length)).expect("a length in memory");
        let Some(from) = rest.len().checked_sub(length) else {
            let wanted = (length + TAIL_BYTES) as u64;
            return if wanted <= total { End::Longer(wanted) } else { End::Broken };
        };
        let index = serde_json::from_slice::<Self>(&rest[from..]).ok();
        index.filter(|index| index.is_sound(total)).map_or(End::Broken, End::Index)
    }

    /// Whether the frames are where the cache is, and the pieces where the large files are.
    fn is_sound(&self, total: u64) -> bool {
        let stored = self.frames.iter().try_fold(0_u64, |sum, frame| sum.checked_add(frame.stored));
        let piece_fits = |frame: &Frame| {
            frame.piece.is_none_or(|piece| {
                let end = piece.from.checked_add(piece.length as u64);
                let file = self.large.get(piece.file);
                end.zip(file).is_some_and(|(end, file)| end <= file.length)
                    && piece
                        .skip
                        .checked_add(piece.length)
                        .is_some_and(|all| all as u64 <= frame.length)
            })
        };
        let small =
            |frame: &Frame| frame.length <= FRAME_BYTES_MAX && frame.stored <= FRAME_BYTES_MAX;
        stored.is_some_and(|stored| stored <= total)
            && self.frames.iter().all(|frame| small(frame) && piece_fits(frame))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index() -> Index {
        let piece = PieceOf { file: 0, from: 10, skip: 512, length: 5 };
        Index {
            frames: vec![
                Frame { stored: 7, length: 1_024, piece: None },
                Frame { stored: 9, length: 600, piece: Some(piece) },
            ],
            large: vec![LargeFile {
                name: b"caf\xe9".to_vec(),
                length: 15,
                mode: 0o644,
                owner: (0, 0),
                modified: (1, 2),
            }],
            files: 3,
            bytes: 4,
        }
    }

    #[test]
    fn an_index_is_found_at_the_end() {
        let cache = [vec![0; 16], index().to_frame()].concat();
        let total = cache.len() as u64;
        assert_eq!(Index::read(&cache, total), End::Index(index()));
        let wanted = index().to_frame().len() - HEAD_BYTES;
        assert_eq!(Index::read(&cache[cache.len() - 20..], total), End::Longer(wanted as u64));
        assert_eq!(Index::read(&cache[cache.len() - wanted..], total), End::Index(index()));
    }

    #[test]
    fn what_cannot_be_an_index_is_broken() {
        let cache = [vec![0; 16], index().to_frame()].concat();
        let total = cache.len() as u64;
        for (what, end, total) in [
            ("nothing", vec![], 0),
            ("torn", cache[..cache.len() - 1].to_vec(), total - 1),
            ("shorter than its frames", index().to_frame(), 15),
            ("a length beyond the whole", [&[255; 4][..], MAGIC].concat(), 12),
        ] {
            assert_eq!(Index::read(&end, total), End::Broken, "{what}");
        }
        let mut beyond = index();
        beyond.frames[1].piece.as_mut().unwrap().from = 11;
        assert_eq!(Index::read(&[vec![0; 16], beyond.to_frame()].concat(), 1_000), End::Broken);
    }
}
