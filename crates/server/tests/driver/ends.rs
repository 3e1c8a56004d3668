//! The ways a build can end.

use crate::{
    journal::journal,
    world::{World, running, told},
};
use build_core::BuildStatus;
use executor::{Exit, Script};
use expect_test::{Expect, expect};

const WHOLE: &[&str] = &[
    "hello",
    "+DOWNLOAD_SOURCE",
    "'fetching'",
    "-DOWNLOAD_SOURCE",
    "+INSTALL",
    "-INSTALL",
    "+PRE_BUILD",
    "-PRE_BUILD",
    "+BUILD",
    "'one'",
    "'two'",
    "-BUILD",
    "+POST_BUILD",
    "-POST_BUILD",
    "+UPLOAD_ARTIFACTS",
    "'three'",
    "-UPLOAD_ARTIFACTS",
    "finished",
];

fn check(script: Script, lines: &[&str], expected: &Expect) {
    let mut world = World::new(4);
    world.script("demo", script);
    let id = world.start_build("demo");
    expected.assert_eq(&told(&world.wait_until_ended(&id)));
    assert_eq!(world.lines(&id), lines);
    world.events(&id);
    assert_eq!(world.containers(), []);
    assert_eq!(world.counts(), (0, 0));
    assert_eq!(world.journals().read_dir().unwrap().count(), 0);
}

#[test]
fn a_build_that_goes_well_has_all_its_phases_and_each_line_once() {
    check(
        running(WHOLE),
        &["fetching", "one", "two", "three"],
        &expect![[r#"
            SUBMITTED SUCCEEDED
            QUEUED SUCCEEDED
            PROVISIONING SUCCEEDED
            DOWNLOAD_SOURCE SUCCEEDED
            INSTALL SUCCEEDED
            PRE_BUILD SUCCEEDED
            BUILD SUCCEEDED
            POST_BUILD SUCCEEDED
            UPLOAD_ARTIFACTS SUCCEEDED
            FINALIZING SUCCEEDED
            COMPLETED
            = SUCCEEDED
        "#]],
    );
}

#[test]
fn an_agent_that_has_ended_after_its_last_word_has_said_it() {
    check(
        Script::Run { journal: journal(WHOLE), end: Some(Exit::Exited { code: Some(0) }) },
        &["fetching", "one", "two", "three"],
        &expect![[r#"
            SUBMITTED SUCCEEDED
            QUEUED SUCCEEDED
            PROVISIONING SUCCEEDED
            DOWNLOAD_SOURCE SUCCEEDED
            INSTALL SUCCEEDED
            PRE_BUILD SUCCEEDED
            BUILD SUCCEEDED
            POST_BUILD SUCCEEDED
            UPLOAD_ARTIFACTS SUCCEEDED
            FINALIZING SUCCEEDED
            COMPLETED
            = SUCCEEDED
        "#]],
    );
}

#[test]
fn an_agent_that_dies_without_a_last_word_is_a_fault() {
    let journal =
        journal(&["hello", "+DOWNLOAD_SOURCE", "-DOWNLOAD_SOURCE", "+INSTALL", "'so far'"]);
    check(
        Script::Run { journal, end: Some(Exit::Killed { signal: 9 }) },
        &["so far"],
        &expect![[r#"
            SUBMITTED SUCCEEDED
            QUEUED SUCCEEDED
            PROVISIONING SUCCEEDED
            DOWNLOAD_SOURCE SUCCEEDED
            INSTALL FAULT INTERNAL_SERVER_ERROR: Build container found dead before completing the build. Build container died because it was out of memory, or the Docker image is not supported. ErrorCode: 500
            FINALIZING SUCCEEDED
            COMPLETED
            = FAULT
        "#]],
    );
}

#[test]
fn a_container_that_is_lost_is_a_fault() {
    check(
        Script::Run { journal: Vec::new(), end: Some(Exit::Lost) },
        &[],
        &expect![[r#"
            SUBMITTED SUCCEEDED
            QUEUED SUCCEEDED
            PROVISIONING FAULT INTERNAL_SERVER_ERROR: Build container found dead before completing the build. Build container died because it was out of memory, or the Docker image is not supported. ErrorCode: 500
            FINALIZING SUCCEEDED
            COMPLETED
            = FAULT
        "#]],
    );
}

#[test]
fn memory_that_is_used_up_is_the_builds_failure() {
    let journal = journal(&["hello", "+DOWNLOAD_SOURCE", "-DOWNLOAD_SOURCE", "+BUILD", "'big'"]);
    check(
        Script::Run { journal, end: Some(Exit::OutOfMemory) },
        &["big"],
        &expect![[r#"
            SUBMITTED SUCCEEDED
            QUEUED SUCCEEDED
            PROVISIONING SUCCEEDED
            DOWNLOAD_SOURCE SUCCEEDED
            BUILD FAILED CLIENT_ERROR: Build container found dead before completing the build. Build container died because it was out of memory, or the Docker image is not supported. ErrorCode: 500
            FINALIZING SUCCEEDED
            COMPLETED
            = FAILED
        "#]],
    );
}

#[test]
fn a_container_that_ends_under_a_build_that_is_watched_ends_it() {
    let mut world = World::new(4);
    let script = running(&["hello", "+DOWNLOAD_SOURCE", "'so far'", "-DOWNLOAD_SOURCE", "+BUILD"]);
    world.script("demo", script);
    for (exit, status) in [
        (Exit::OutOfMemory, BuildStatus::Failed),
        (Exit::Exited { code: Some(1) }, BuildStatus::Fault),
    ] {
        let id = world.start_build("demo");
        world.wait_for(&id, "BUILD");
        world.end(&id, exit);
        assert_eq!(world.wait_until_ended(&id).status(), Some(status));
        assert_eq!(world.lines(&id), ["so far"]);
        assert_eq!(world.containers(), []);
        world.events(&id);
    }
}

#[test]
fn an_image_that_cannot_be_used_fails_provisioning() {
    check(
        Script::BadImage("There is no folder /images/demo.".into()),
        &[],
        &expect![[r#"
        SUBMITTED SUCCEEDED
        QUEUED SUCCEEDED
        PROVISIONING FAILED BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE: Unable to pull customer's container image. There is no folder /images/demo.
        FINALIZING SUCCEEDED
        COMPLETED
        = FAILED
    "#]],
    );
}

#[test]
fn a_machine_that_makes_no_container_is_a_fault_without_its_secrets() {
    check(
        Script::Broken("mount: /srv/secret".into()),
        &[],
        &expect![[r#"
        SUBMITTED SUCCEEDED
        QUEUED SUCCEEDED
        PROVISIONING FAULT INTERNAL_SERVER_ERROR: The environment could not be made; the service's log says why.
        FINALIZING SUCCEEDED
        COMPLETED
        = FAULT
    "#]],
    );
}

#[test]
fn a_journal_that_no_agent_wrote_is_a_fault() {
    check(
        Script::Run { journal: b"this is no journal".to_vec(), end: None },
        &[],
        &expect![[r#"
            SUBMITTED SUCCEEDED
            QUEUED SUCCEEDED
            PROVISIONING FAULT INTERNAL_SERVER_ERROR: Build container found dead before completing the build. Build container died because it was out of memory, or the Docker image is not supported. ErrorCode: 500
            FINALIZING SUCCEEDED
            COMPLETED
            = FAULT
        "#]],
    );
}

#[test]
fn a_running_build_that_is_stopped_has_its_log_and_no_container() {
    let mut world = World::new(4);
    world.script(
        "demo",
        running(&["hello", "+DOWNLOAD_SOURCE", "'so far'", "-DOWNLOAD_SOURCE", "+BUILD"]),
    );
    let id = world.start_build("demo");
    world.wait_for(&id, "BUILD");
    world.stop(&id);
    expect![[r#"
        SUBMITTED SUCCEEDED
        QUEUED SUCCEEDED
        PROVISIONING SUCCEEDED
        DOWNLOAD_SOURCE SUCCEEDED
        BUILD STOPPED
        COMPLETED
        = STOPPED
    "#]]
    .assert_eq(&told(&world.wait_until_ended(&id)));
    assert_eq!(world.lines(&id), ["so far"]);
    assert_eq!(world.containers(), []);

    let events = world.events(&id);
    world.stop(&id);
    assert_eq!(world.events(&id), events);
}
