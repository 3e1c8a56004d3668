//! The executor's tests: one contract for every implementation, and attacks on the sandbox.
//!
//! This program is also the sandbox's helper, so it has a `main` of its own. Started as root, it runs
//! the sandbox's tests a second time, each in a process of an ordinary user.

mod agent;
mod attacks;
mod contract;
mod crash;
mod disk;
mod egress;
mod engines;
mod escapes;
mod images;
mod outbound;
mod porters;
mod privileged;
mod rootless;
mod runtimes;
mod world;

use executor::RuntimeKind;
use libtest_mimic::{Arguments, Trial};
use std::process::ExitCode;
use world::{Maker, World};

fn main() -> ExitCode {
    if std::env::args().nth(1).is_some_and(|verb| verb == executor::HELPER_VERB) {
        return executor::helper_main();
    }
    if std::env::args().nth(1).is_some_and(|verb| verb == crash::LAUNCH_VERB) {
        return crash::launch();
    }
    if std::env::args().nth(1).is_some_and(|verb| verb == outbound::HOST_VERB) {
        return outbound::host();
    }
    if std::env::args().nth(1).is_some_and(|verb| verb == porters::HOST_VERB) {
        return porters::host();
    }
    if std::env::args().nth(1).is_some_and(|verb| verb == porters::USER_VERB) {
        return porters::user();
    }
    if std::env::args().nth(1).is_some_and(|verb| verb == porters::SERVICE_VERB) {
        return porters::service();
    }
    if std::env::args().nth(1).is_some_and(|verb| verb == egress::GATE_VERB) {
        return egress::host();
    }
    if std::env::args().nth(1).is_some_and(|verb| verb == disk::SMALL_VERB) {
        return disk::on_small_disk();
    }
    let mut trials: Vec<Trial> = contract::promises::<contract::Fake>("scripted", &Maker::Sandbox);
    let mut local = contract::promises::<World>("sandbox", &Maker::Sandbox);
    local.extend(attacks::trials("sandbox", &Maker::Sandbox));
    local.extend(escapes::trials("sandbox"));
    local.extend(disk::trials("sandbox"));
    local.extend(privileged::trials("sandbox"));
    local.extend(images::trials("sandbox"));
    local.extend(crash::trials("sandbox"));
    local.extend(runtimes::promises(RuntimeKind::Runc));
    trials.extend(rootless::again(&local));
    trials.extend(local);
    trials.extend(runtimes::trials());
    trials.extend(engines::trials());
    trials.extend(outbound::trials("sandbox"));
    trials.extend(egress::trials("sandbox"));
    trials.extend(porters::trials("rootless"));
    trials.push(disk::small("sandbox"));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
