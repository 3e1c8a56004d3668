//! What a container may take of the disk, and what becomes of one that takes more.

#![expect(clippy::print_stderr, reason = "a machine that cannot run these tests says so")]

use crate::world::{World, block_on, config, wait_for_text, watch};
use executor::{ContainerSpec, Executor, Exit, Sandbox};
use libtest_mimic::{Failed, Trial};
use std::{
    fs,
    process::{Command, ExitCode},
};

/// The argument that makes this program run the test on a small file system.
pub(crate) const SMALL_VERB: &str = "__small_disk";
/// The limit of the containers here.
const LIMIT: u64 = 64 << 20;

/// The tests of this file, for the user that the tests run as.
pub(crate) fn trials(name: &str) -> Vec<Trial> {
    let tests: [(&'static str, fn()); 6] = [
        ("what_is_written_has_a_limit", what_is_written_has_a_limit),
        ("files_without_a_name_have_it_too", files_without_a_name_have_it_too),
        ("many_empty_files_have_it_too", many_empty_files_have_it_too),
        ("output_has_it_too", output_has_it_too),
        ("who_stays_within_it_is_left_alone", who_stays_within_it_is_left_alone),
        ("it_holds_after_the_service_was_restarted", it_holds_after_the_service_was_restarted),
    ];
    let trial = |(test, check): (&'static str, fn())| {
        Trial::test(format!("{name}::{test}"), move || {
            check();
            Ok(())
        })
    };
    tests.map(trial).into_iter().collect()
}

/// The test that needs a file system of its own.
pub(crate) fn small(name: &str) -> Trial {
    let possible = rustix::process::geteuid().is_root();
    if !possible {
        eprintln!("no test on a small disk: it needs root, to mount one");
    }
    Trial::test(format!("{name}::the_largest_goes_when_the_reserve_is_touched"), run_small)
        .with_ignored_flag(!possible)
}

fn limited(world: &World, orders: &str) -> ContainerSpec {
    let mut spec = world.spec(orders);
    spec.limits.disk_bytes = LIMIT;
    spec
}

fn assert_ended(exit: &Exit) {
    match exit {
        Exit::OutOfDisk { used_bytes, bytes_max: Some(LIMIT) } => assert!(*used_bytes > LIMIT),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn ends(orders: &str) {
    let world = World::new();
    let (exit, _) = block_on(world.run(&limited(&world, orders)));
    assert_ended(&exit);
}

pub(crate) fn what_is_written_has_a_limit() {
    ends("sh head -c 200m /dev/zero > /var/tmp/big\nwait");
}

fn files_without_a_name_have_it_too() {
    let world = World::new();
    if !world.sandbox.keeps_limits() {
        eprintln!("not tested: without control groups nobody knows a container's processes");
        return;
    }
    let program = "import os, time; f = open(\"/tmp/f\", \"wb\"); os.unlink(\"/tmp/f\"); \
                   [f.write(bytes(1 << 20)) for _ in range(200)]; f.flush(); time.sleep(1000)";
    let (exit, _) = block_on(world.run(&limited(&world, &format!("sh python3 -c '{program}'"))));
    assert_ended(&exit);
}

fn many_empty_files_have_it_too() {
    ends("sh mkdir /tmp/many; cd /tmp/many; seq 30000 | xargs touch\nwait");
}

pub(crate) fn output_has_it_too() {
    ends("sh head -c 200m /dev/zero\nwait");
}

fn who_stays_within_it_is_left_alone() {
    let world = World::new();
    let orders = "sh head -c 40m /dev/zero > /tmp/a; rm /tmp/a; head -c 40m /dev/zero > /tmp/b; \
                  truncate -s 100G /tmp/sparse; sleep 1; rm /tmp/b; head -c 40m /dev/zero > /tmp/c; sleep 1";
    let (exit, said) = block_on(world.run(&limited(&world, orders)));
    assert_eq!((exit, said.as_str()), (Exit::Exited { code: Some(0) }, "status 0\n"));
}

pub(crate) fn it_holds_after_the_service_was_restarted() {
    let world = World::new();
    let orders =
        "sh echo begun; until [ -e /tmp/go ]; do sleep 0.1; head -c 9m /dev/zero >> /tmp/x; done";
    let spec = limited(&world, &format!("say begun\n{orders}"));
    block_on(world.sandbox.launch(&spec)).expect("a container");
    block_on(wait_for_text(&spec.journal, "begun"));
    let world = world.restarted();
    block_on(world.sandbox.launch(&spec)).expect("the same container");
    assert_ended(&block_on(watch(&world.sandbox, &spec.id)));
    // Another service still knows.
    let world = world.restarted();
    assert_ended(&block_on(watch(&world.sandbox, &spec.id)));
    block_on(world.sandbox.destroy(&spec.id)).expect("an end");
}

fn run_small() -> Result<(), Failed> {
    let exe = std::env::current_exe()?;
    // With mounts of its own: whatever becomes of the test, they end with it.
    let done = Command::new("unshare")
        .args(["--mount", "--pid", "--fork", "--mount-proc", "--kill-child"])
        .arg(exe)
        .arg(SMALL_VERB)
        .output()?;
    if done.status.success() {
        return Ok(());
    }
    let said = [done.stdout, done.stderr].concat();
    Err(String::from_utf8_lossy(&said).into_owned().into())
}

/// The test, with mounts of its own.
pub(crate) fn on_small_disk() -> ExitCode {
    let mut world = World::new();
    let folder = world.folder.path().join("small");
    fs::create_dir(&folder).expect("a folder");
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=256m", "none"])
        .arg(&folder)
        .status()
        .expect("mount runs");
    assert!(mounted.success());
    let mut config = config(&folder);
    config.disk_reserve_bytes = 64 << 20;
    world.sandbox = Sandbox::new(config).expect("a sandbox");
    let small = world.spec("sh head -c 8m /dev/zero > /tmp/x\nwait");
    let large = world.spec("sh head -c 100m /dev/zero > /tmp/x\nwait");
    // It touches the reserve, and is not the largest.
    let last = world.spec("sh head -c 90m /dev/zero > /tmp/x; sleep 1; echo alive");
    block_on(async {
        for spec in [&small, &large] {
            world.sandbox.launch(spec).await.expect("a container");
            wait_for_text(&spec.journal, "status 0").await;
        }
        let (exit, said) = world.run(&last).await;
        assert_eq!((exit, said.as_str()), (Exit::Exited { code: Some(0) }, "alive\nstatus 0\n"));
        match watch(&world.sandbox, &large.id).await {
            Exit::OutOfDisk { used_bytes, bytes_max: None } => assert!(used_bytes > 100 << 20),
            other => panic!("{other:?}"),
        }
        for spec in [&small, &large] {
            world.sandbox.destroy(&spec.id).await.expect("an end");
        }
    });
    drop(world.sandbox);
    ExitCode::SUCCESS
}
