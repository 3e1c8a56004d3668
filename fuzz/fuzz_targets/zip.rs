//! Whatever a ZIP says, nothing outside of its folder is touched, and nothing panics.
//!
//! `fuzz/run zip`.

#![no_main]
#![allow(dead_code, reason = "the modules are the agent's, of which a part is needed")]

#[path = "../../crates/agent/src/calendar.rs"]
mod calendar;
#[path = "../../crates/agent/src/fault.rs"]
mod fault;
#[path = "../../crates/agent/src/new_files.rs"]
mod new_files;
#[path = "../../crates/agent/src/outcome.rs"]
mod outcome;
#[path = "../../crates/agent/src/parallel.rs"]
mod parallel;
#[path = "../../crates/agent/src/source"]
mod source {
    #[path = "unzip/tests/law.rs"]
    pub(crate) mod law;
    mod tree;
    mod unzip;

    use self::unzip::unzip;
}

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use source::law::{Dice, check, whole};
use tempfile::TempDir;

fuzz_target!(|bytes: &[u8]| {
    let place = TempDir::new().expect("a folder can be made");
    check(bytes, place.path());
});

fuzz_mutator!(|bytes: &mut [u8], size: usize, size_max: usize, seed: u32| {
    let new = || whole(&mut Dice(u64::from(seed) << 20 | 1));
    fuzz::mutated(bytes, (size, size_max), seed, new, |_| {})
});
