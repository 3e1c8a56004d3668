//! Many files cut into what one thread does at a time: some small files, or a piece of a large one.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// Files that one thread takes at a time, however small they are.
const WHOLE_FILES_MAX: usize = 128;

/// Where a piece stands in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// More follows.
    Before,
    /// Nothing follows.
    Last,
}

/// What one thread does at a time. Files are known by their numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// Takes whole files.
    Whole(Range<usize>),
    /// Takes a piece of one file.
    Piece {
        /// The file.
        file: usize,
        /// Where the piece begins.
        from: u64,
        /// Where it stands.
        place: Place,
    },
}

/// Cuts files of these lengths: no task has more than `piece_bytes`, and all are in the files' order.
pub(crate) fn plan(lengths: impl IntoIterator<Item = u64>, piece_bytes: u64) -> Vec<Task> {
    let mut plan = Vec::new();
    let (mut whole, mut bytes) = (0..0, 0);
    for (number, length) in lengths.into_iter().enumerate() {
        let full = bytes + length > piece_bytes || whole.len() >= WHOLE_FILES_MAX;
        if full && !whole.is_empty() {
            plan.push(Task::Whole(whole));
            (whole, bytes) = (number..number, 0);
        }
        if length <= piece_bytes {
            whole.end = number + 1;
            bytes += length;
            continue;
        }
        let mut from = 0;
        while from < length {
            let last = from + piece_bytes >= length;
            let place = if last { Place::Last } else { Place::Before };
            plan.push(Task::Piece { file: number, from, place });
            from += piece_bytes;
        }
        whole = number + 1..number + 1;
    }
    if !whole.is_empty() {
        plan.push(Task::Whole(whole));
    }
    plan
}

/// A file that is read as it was when it was found: what it has grown since is not read, and where
/// it has become shorter it ends.
pub(crate) struct Steady {
    path: PathBuf,
    length: u64,
    /// The file while its pieces are read, so that all are of one file.
    open: Mutex<Option<Arc<File>>>,
}

impl Steady {
    /// A file that was found with this length.
    pub(crate) fn new(path: PathBuf, length: u64) -> Self {
        Self { path, length, open: Mutex::default() }
    }

    /// How long it was.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Reads all of it, at the end of what `into` holds.
    pub(crate) fn read_whole(&self, into: &mut Vec<u8>) -> io::Result<()> {
        File::open(&self.path)?.take(self.length).read_to_end(into).map(drop)
    }

    /// Reads up to `length` bytes from the middle of it, at the end of what `into` holds.
    pub(crate) fn read_piece(&self, from: u64, length: u64, into: &mut Vec<u8>) -> io::Result<()> {
        let length = length.min(self.length - from);
        let file = self.open()?;
        let begin = into.len();
        into.resize(begin + usize::try_from(length).expect("a piece fits into memory"), 0);
        let mut filled = begin;
        while filled < into.len() {
            match file.read_at(&mut into[filled..], from + (filled - begin) as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        into.truncate(filled);
        Ok(())
    }

    /// Says that no more pieces are read.
    pub(crate) fn close(&self) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn open(&self) -> io::Result<Arc<File>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = open.as_ref() {
            return Ok(Arc::clone(file));
        }
        Ok(Arc::clone(open.insert(Arc::new(File::open(&self.path)?))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_files_go_together_and_large_ones_in_pieces() {
        let piece = |file, from, place| Task::Piece { file, from, place };
        let (before, last) = (Place::Before, Place::Last);
        for (lengths, tasks) in [
            (vec![], vec![]),
            (vec![0, 4, 6], vec![Task::Whole(0..3)]),
            (vec![5, 6, 0], vec![Task::Whole(0..1), Task::Whole(1..3)]),
            (vec![10, 1], vec![Task::Whole(0..1), Task::Whole(1..2)]),
            (
                vec![1, 21, 20, 1],
                vec![
                    Task::Whole(0..1),
                    piece(1, 0, before),
                    piece(1, 10, before),
                    piece(1, 20, last),
                    piece(2, 0, before),
                    piece(2, 10, last),
                    Task::Whole(3..4),
                ],
            ),
        ] {
            assert_eq!(plan(lengths.iter().copied(), 10), tasks, "{lengths:?}");
        }
        let counted = plan(vec![0; 300], 10);
        assert_eq!(counted, [Task::Whole(0..128), Task::Whole(128..256), Task::Whole(256..300)]);
    }
}
