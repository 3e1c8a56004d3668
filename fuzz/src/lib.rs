//! What the targets have in common: inputs that are made by code, and are mended after each change
//! so far that what they say is looked at.

use libfuzzer_sys::fuzzer_mutate;

/// One in so many inputs is a new one.
const NEW: u32 = 200;

/// Changes the first bytes, as many as the first of the sizes says, to other ones; there is room for
/// the second. Gives how many there are now.
pub fn mutated(
    bytes: &mut [u8],
    (size, size_max): (usize, usize),
    seed: u32,
    new: impl Fn() -> Vec<u8>,
    mend: impl Fn(&mut [u8]),
) -> usize {
    let new = if seed.is_multiple_of(NEW) || size < 2 { Some(new()) } else { None };
    let size = match new.filter(|new| new.len() <= size_max) {
        Some(new) => {
            bytes[..new.len()].copy_from_slice(&new);
            new.len()
        }
        None => fuzzer_mutate(bytes, size, size_max),
    };
    mend(&mut bytes[..size]);
    size
}

/// Numbers that are not easily foreseen: Marsaglia's xorshift.
pub struct Numbers(u64);

impl From<u32> for Numbers {
    fn from(seed: u32) -> Self {
        Self(u64::from(seed) << 20 | 1)
    }
}

impl Numbers {
    /// The next one, which is below the limit.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// One of some texts.
pub fn one_of(texts: &[&str], seed: u32) -> Vec<u8> {
    texts[(seed / NEW) as usize % texts.len()].as_bytes().to_vec()
}
