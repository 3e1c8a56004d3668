//! Whatever a layer says, nothing outside of its folder is touched, and nothing panics.
//!
//! `fuzz/run layer`.

#![no_main]
#![allow(dead_code, reason = "the modules are the executor's, of which a part is needed")]

#[path = "../../crates/executor/src/fault.rs"]
mod fault;
#[path = "../../crates/executor/src/free.rs"]
mod free;
#[path = "../../crates/executor/src/inside.rs"]
mod inside;
#[path = "../../crates/executor/src/image/layer/tests/law.rs"]
mod law;
#[path = "../../crates/executor/src/image/layer.rs"]
mod layer;
#[path = "../../crates/executor/src/image/room.rs"]
mod room;

use fault::Fault;
use law::{Dice, check, put_sums_right, wild};
use layer::unpack;
use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use tempfile::TempDir;

fuzz_target!(|bytes: &[u8]| {
    let place = TempDir::new().expect("a folder can be made");
    check(bytes, place.path());
});

fuzz_mutator!(|bytes: &mut [u8], size: usize, size_max: usize, seed: u32| {
    let new = || wild(&mut Dice(u64::from(seed) << 20 | 1));
    fuzz::mutated(bytes, (size, size_max), seed, new, put_sums_right)
});
