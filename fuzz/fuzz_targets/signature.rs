//! No request has a signature that nobody made, and none makes its reading panic.
//!
//! `fuzz/run signature`. An input is a request's first line, then a header on each line.

#![no_main]

#[path = "../../crates/wire/src/tests/mutations/law.rs"]
#[allow(dead_code, reason = "bodies are another target's")]
mod law;

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use wire::{
    codebuild, json, logs,
    query::{self, Form},
    secretsmanager,
    sigv4::{Payload, Signature},
    ssm, sts,
};

fuzz_target!(|bytes: &[u8]| law::nobody_has_signed(bytes));

fuzz_mutator!(|bytes: &mut [u8], size: usize, size_max: usize, seed: u32| {
    let new = || fuzz::one_of(law::SIGNED, seed);
    fuzz::mutated(bytes, (size, size_max), seed, new, |_| {})
});
