//! Masking: what must not be read in a log shows as `***`. Pure; knows nothing of the journal.
//!
//! Output comes in pieces, cut anywhere. A mask passes on at once what cannot be the beginning of
//! something hidden, and holds back the rest until it is known: the text that comes out does not
//! depend on how what went in was cut. Nothing that is hidden reaches over the end of a line, so a
//! line that has ended is never held back.

mod access_key;
mod pieces;
mod stream;
mod values;

pub(crate) use stream::Mask;

/// What stands in the place of everything that is hidden. AWS: the same.
const MASK: &[u8] = b"***";
