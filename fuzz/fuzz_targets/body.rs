//! Any body is read as JSON 1.1 and as a form without a panic.
//!
//! `fuzz/run body`.

#![no_main]

#[path = "../../crates/wire/src/tests/mutations/law.rs"]
#[allow(dead_code, reason = "signatures are another target's")]
mod law;

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use wire::{
    codebuild, json, logs,
    query::{self, Form},
    secretsmanager,
    sigv4::{Payload, Signature},
    ssm, sts,
};

fuzz_target!(|bytes: &[u8]| law::read_as_anything(bytes));

fuzz_mutator!(|bytes: &mut [u8], size: usize, size_max: usize, seed: u32| {
    let new = || fuzz::one_of(law::BODIES, seed);
    fuzz::mutated(bytes, (size, size_max), seed, new, |_| {})
});
