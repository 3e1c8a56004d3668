//! Chance that is the same each time: what happens is drawn from a seed and from what it happens to,
//! so that leaving one thing out of a history changes nothing of the others.

use std::collections::BTreeMap;

/// Draws numbers from a seed.
pub(super) struct Dice {
    seed: u64,
    thrown: BTreeMap<(&'static str, String), u64>,
}

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, thrown: BTreeMap::new() }
    }

    /// The next number for `what` happens to `whom`.
    pub(super) fn throw(&mut self, what: &'static str, whom: &str) -> u64 {
        let count = self.thrown.entry((what, whom.to_owned())).or_default();
        *count += 1;
        let mut number = mix(self.seed ^ *count);
        for byte in what.bytes().chain(whom.bytes()) {
            number = mix(number ^ u64::from(byte));
        }
        number
    }

    /// A number from 0 up to and without `end`.
    pub(super) fn below(&mut self, end: u64, what: &'static str, whom: &str) -> u64 {
        self.throw(what, whom) % end.max(1)
    }

    /// One of some.
    pub(super) fn one<T: Copy>(&mut self, of: &[T], what: &'static str, whom: &str) -> T {
        let at = self.below(of.len() as u64, what, whom);
        of[usize::try_from(at).expect("it is below a length")]
    }

    /// Whether what happens `in_thousand` times of a thousand happens.
    pub(super) fn hits(&mut self, in_thousand: u64, what: &'static str, whom: &str) -> bool {
        self.below(1_000, what, whom) < in_thousand
    }
}

/// Spreads a number's bits over all of it: the finalizer of SplitMix64.
fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
