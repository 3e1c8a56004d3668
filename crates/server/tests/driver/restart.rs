//! A service that ends in the middle of builds, and one that takes them up.

use crate::{
    journal::Pen,
    world::{REGION, World, container, running, told},
};
use build_core::BuildStatus;
use executor::Script;
use expect_test::expect;
use std::fs;
use store::Change;

const BEGINNING: &[&str] = &["hello", "+DOWNLOAD_SOURCE"];

const REST: &[&str] = &[
    "'fetching'",
    "=4f2a",
    "-DOWNLOAD_SOURCE",
    "+INSTALL",
    "'one'",
    "-INSTALL",
    "+BUILD",
    "'two'",
    "'three'",
    "-BUILD",
    "+UPLOAD_ARTIFACTS",
    "^demo.zip",
    "-UPLOAD_ARTIFACTS",
    "finished",
];

const LINES: [&str; 4] = ["fetching", "one", "two", "three"];

#[test]
fn a_restart_after_each_record_doubles_no_line_and_no_event() {
    let mut world = World::new(4);
    world.script("demo", running(BEGINNING));
    let id = world.start_build("demo");
    world.wait_for(&id, "DOWNLOAD_SOURCE");
    let mut pen = Pen::new();
    pen.write(BEGINNING);
    for record in REST {
        world.append(&id, &pen.write(&[record]));
        // A phase that has begun has been read, and all before it. Else nothing is waited for:
        // the service is ended wherever it has come to.
        if let Some(phase) = record.strip_prefix('+') {
            world.wait_for(&id, phase);
            world.events(&id);
        }
        world.kill();
        world.begin();
    }
    expect![[r#"
        SUBMITTED SUCCEEDED
        QUEUED SUCCEEDED
        PROVISIONING SUCCEEDED
        DOWNLOAD_SOURCE SUCCEEDED
        INSTALL SUCCEEDED
        BUILD SUCCEEDED
        UPLOAD_ARTIFACTS SUCCEEDED
        FINALIZING SUCCEEDED
        COMPLETED
        = SUCCEEDED
    "#]]
    .assert_eq(&told(&world.wait_until_ended(&id)));
    assert_eq!(world.lines(&id), LINES);
    world.events(&id);
    assert_eq!(world.launches(), ["demo"]);
    assert_eq!(world.containers(), []);
}

#[test]
fn what_is_known_already_is_read_again_and_not_told_again() {
    let mut world = World::new(4);
    let mut pen = Pen::new();
    let script = Script::Run { journal: pen.write(&[BEGINNING, &REST[..7]].concat()), end: None };
    world.script("demo", script);
    let id = world.start_build("demo");
    let before = world.wait_for(&id, "BUILD");
    let events = world.events(&id);
    assert_eq!(world.lines(&id), LINES[..2]);

    world.kill();
    // The agent works on while nobody reads.
    world.append(&id, &pen.write(&REST[7..9]));
    world.begin();
    world.append(&id, &pen.write(&REST[9..]));
    let after = world.wait_until_ended(&id);
    assert_eq!(world.lines(&id), LINES);
    assert_eq!(world.events(&id)[..events.len()], events);
    assert_eq!(after.phases[..before.phases.len() - 1], before.phases[..before.phases.len() - 1]);
    assert_eq!(world.launches(), ["demo"]);
}

#[test]
fn a_build_that_waits_still_waits_after_a_restart() {
    let mut world = World::new(1);
    let first = world.start_build("demo");
    world.wait_for(&first, "DOWNLOAD_SOURCE");
    let second = world.start_build("demo");
    world.kill();
    world.begin();
    assert_eq!(world.counts(), (1, 1));

    world.stop(&first);
    world.wait_until_ended(&first);
    world.wait_for(&second, "DOWNLOAD_SOURCE");
    assert_eq!(world.counts(), (0, 1));
}

#[test]
fn a_stop_is_kept_over_a_restart() {
    let mut world = World::new(1);
    let id = world.start_build("demo");
    world.wait_for(&id, "DOWNLOAD_SOURCE");
    world.stop(&id);
    world.kill();
    world.begin();
    let build = world.wait_until_ended(&id);
    assert_eq!(build.status(), Some(BuildStatus::Stopped));
    assert_eq!(world.containers(), []);
    world.events(&id);
}

#[test]
fn what_belongs_to_a_build_that_cannot_be_read_is_left_alone() {
    let mut world = World::new(4);
    let id = world.start_build("demo");
    world.wait_for(&id, "DOWNLOAD_SOURCE");
    let sequence = world.events(&id).len() as u64;
    world.commit(Change::AppendEvents {
        region: REGION.into(),
        id: id.to_string(),
        first_sequence: sequence,
        events: Vec::new(),
        state: "of a program of the future".into(),
        journal_offset: 0,
        live: true,
    });
    world.kill();
    world.begin();
    assert_eq!(world.containers(), [container(&id)]);
    assert!(world.journals().join(id.uuid()).exists());
    let other = world.start_build("other");
    world.wait_for(&other, "DOWNLOAD_SOURCE");
}

#[test]
fn what_belongs_to_no_build_under_way_is_swept() {
    let mut world = World::new(4);
    let id = world.start_build("demo");
    world.wait_for(&id, "DOWNLOAD_SOURCE");
    // A service that ended between a build's deletion and the cleaning leaves this.
    let stray = world.start_build("stray");
    world.wait_for(&stray, "DOWNLOAD_SOURCE");
    world.commit(Change::DeleteBuild { region: REGION.into(), id: stray.to_string() });
    fs::write(world.journals().join("older"), "").unwrap();
    assert_eq!(world.containers(), [container(&id), container(&stray)]);

    world.kill();
    world.begin();
    assert_eq!(world.containers(), [container(&id)]);
    let left: Vec<_> =
        world.journals().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, [id.uuid()]);
}
