//! The service is killed in the middle of a launch, at any moment of it.

#![expect(clippy::print_stderr, reason = "how often a container was found is for a human to judge")]

use crate::world::{World, block_on, config, spec, wait_for_text};
use executor::{ContainerId, ContainerSpec, Executor, Sandbox};
use libtest_mimic::Trial;
use std::{
    fs,
    path::Path,
    process::{Command, ExitCode, Stdio},
    time::Instant,
};

/// The argument that makes this program a service that launches one container.
pub(crate) const LAUNCH_VERB: &str = "__launch";
/// How many moments there are at which the service is killed.
const MOMENTS: u64 = 60;

/// The tests of this file.
pub(crate) fn trials(name: &str) -> Vec<Trial> {
    vec![Trial::test(format!("{name}::a_killed_launch_leaves_one_container_or_none"), || {
        a_killed_launch_leaves_one_container_or_none();
        Ok(())
    })]
}

/// The service that will be killed: a folder and an id are its arguments.
pub(crate) fn launch() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(2).collect();
    let folder = Path::new(&arguments[0]);
    let sandbox = Sandbox::new(config(folder)).expect("a sandbox");
    block_on(sandbox.launch(&once(folder, &arguments[1]))).expect("a container");
    ExitCode::SUCCESS
}

fn once(folder: &Path, id: &str) -> ContainerSpec {
    let mut spec = spec(folder, "say once\nwait");
    spec.id = ContainerId::new(id).expect("an id");
    spec.journal = folder.join(id);
    spec
}

fn a_killed_launch_leaves_one_container_or_none() {
    let world = World::new();
    let folder = world.folder.path();
    block_on(world.shell("true"));
    let service = |id: &str| {
        Command::new("/proc/self/exe")
            .args([LAUNCH_VERB.as_ref(), folder.as_os_str(), id.as_ref()])
            .stderr(Stdio::null())
            .spawn()
            .expect("a service")
    };
    let started = Instant::now();
    service("whole").wait().expect("a service's life");
    let whole = started.elapsed();
    block_on(world.sandbox.destroy(&once(folder, "whole").id)).expect("an end");
    let mut found = 0;
    for moment in 0..MOMENTS {
        let id = format!("crash-{}-{moment}", std::process::id());
        let mut service = service(&id);
        std::thread::sleep(whole.mul_f64(1.5 * moment as f64 / MOMENTS as f64));
        service.kill().expect("a kill");
        service.wait().expect("an end");
        let spec = once(folder, &id);
        let sandbox = Sandbox::new(config(folder)).expect("the next service");
        block_on(async {
            found += sandbox.list().await.expect("a list").len();
            for _ in 0..2 {
                sandbox.launch(&spec).await.expect("the one container");
            }
            wait_for_text(&spec.journal, "once\n").await;
            assert_eq!(sandbox.list().await.expect("a list"), std::slice::from_ref(&spec.id));
            sandbox.destroy(&spec.id).await.expect("an end");
            assert_eq!(sandbox.list().await.expect("a list"), []);
        });
        assert_eq!(fs::read_to_string(&spec.journal).expect("a journal"), "once\n", "{moment}");
    }
    eprintln!("the next service found {found} of {MOMENTS} containers running");
}
