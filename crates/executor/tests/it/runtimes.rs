//! The sandbox with an OCI runtime in its containers: the same contract, the same attacks.

#![expect(clippy::print_stderr, reason = "a machine that cannot run these tests says so")]

use crate::{
    attacks, contract,
    world::{Maker, World, block_on, config, oci_runtime},
};
use executor::{Executor, LaunchError, OciRuntime, RuntimeKind, Sandbox};
use libtest_mimic::Trial;
use std::{
    error::Error,
    process::{Command, Stdio},
};

/// The attacks that mean the same to gVisor's kernel as to the machine's.
const FOR_GVISOR: [&str; 5] = [
    "tools_of_the_machine_work",
    "a_fork_bomb_hurts_itself_alone",
    "the_network_is_its_own",
    "nothing_is_left_behind",
    "mounts_are_what_they_say",
];

/// The contract's promises for one runtime.
pub(crate) fn promises(kind: RuntimeKind) -> Vec<Trial> {
    where_it_is(kind, contract::promises::<World>(kind.name(), &Maker::Runtime(kind)))
}

/// The tests of this file, and the promises of those that work for root alone or are much alike.
pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = promises(RuntimeKind::Crun);
    let runc = attacks::trials("runc", &Maker::Runtime(RuntimeKind::Runc));
    trials.extend(where_it_is(RuntimeKind::Runc, runc));
    let gvisor = Maker::Runtime(RuntimeKind::Runsc);
    let mut runsc = contract::promises::<World>("runsc", &gvisor);
    let attacks = attacks::trials("runsc", &gvisor).into_iter();
    runsc
        .extend(attacks.filter(|trial| FOR_GVISOR.iter().any(|name| trial.name().ends_with(name))));
    let is_root = rustix::process::geteuid().is_root();
    let runsc = where_it_is(RuntimeKind::Runsc, runsc).into_iter();
    trials.extend(runsc.map(|trial| if is_root { trial } else { trial.with_ignored_flag(true) }));
    trials.push(Trial::test("runtimes::one_that_is_not_there_is_told_at_the_start", || {
        one_that_is_not_there_is_told_at_the_start();
        Ok(())
    }));
    let why = Trial::test("runc::why_it_refuses_is_told", || {
        why_it_refuses_is_told();
        Ok(())
    });
    trials.extend(where_it_is(RuntimeKind::Runc, vec![why]));
    trials
}

/// The tests, ignored where the runtime is not installed.
fn where_it_is(kind: RuntimeKind, trials: Vec<Trial>) -> Vec<Trial> {
    let version = Command::new(kind.name()).arg("--version").stdout(Stdio::null()).status();
    let is_there = version.is_ok_and(|status| status.success());
    if !is_there {
        eprintln!("no test of {kind}: it is not installed");
    }
    trials.into_iter().map(|trial| trial.with_ignored_flag(!is_there)).collect()
}

fn one_that_is_not_there_is_told_at_the_start() {
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let program = folder.path().join("runc");
    let runtime = OciRuntime { program: program.clone(), ..oci_runtime(RuntimeKind::Runc) };
    let refused = Sandbox::with_runtime(config(folder.path()), runtime).expect_err("no runtime");
    assert_eq!(refused.to_string(), format!("failed to run {} --version", program.display()));
}

fn why_it_refuses_is_told() {
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let flags = vec!["--criu=no".to_owned(), "--no-such-flag".to_owned()];
    let runtime = OciRuntime { flags, ..oci_runtime(RuntimeKind::Runc) };
    let sandbox = Sandbox::with_runtime(config(folder.path()), runtime).expect("a runtime");
    let spec = crate::world::spec(folder.path(), "say never");
    let refused = block_on(sandbox.launch(&spec)).expect_err("a flag that there is not");
    let LaunchError::Fault(fault) = refused else { panic!("{refused:?}") };
    assert_eq!(fault.to_string(), "failed to start a container with runc");
    let reason = fault.source().expect("a reason").to_string();
    assert!(reason.contains("no-such-flag"), "{reason}");
    assert_eq!(block_on(sandbox.list()).expect("a list"), []);
}
