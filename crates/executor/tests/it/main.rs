//! The executor's tests: one contract for every implementation, and attacks on the sandbox.
//!
//! This program is also the sandbox's helper, so it has a `main` of its own.

mod agent;
mod attacks;
mod contract;
mod world;

use libtest_mimic::{Arguments, Trial};
use std::process::ExitCode;

fn main() -> ExitCode {
    if std::env::args().nth(1).is_some_and(|verb| verb == executor::HELPER_VERB) {
        return executor::helper_main();
    }
    let mut trials: Vec<Trial> = contract::promises::<contract::Fake>("scripted");
    trials.extend(contract::promises::<world::World>("sandbox"));
    trials.extend(attacks::trials("sandbox"));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
