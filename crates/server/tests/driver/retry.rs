//! Builds that failed and are started again by themselves.

use crate::world::{World, running};
use build_core::{AutoRetry, Build, BuildId, BuildStatus};
use executor::Exit;
use server::build_request::Retry;

const FAILS: &[&str] =
    &["hello", "+DOWNLOAD_SOURCE", "-DOWNLOAD_SOURCE", "+BUILD", "!BUILD", "finished"];
const ASKS: &[&str] =
    &["hello", "+DOWNLOAD_SOURCE", "-DOWNLOAD_SOURCE", "+BUILD", "!BUILD", "?2", "finished"];
const GOES_WELL: &[&str] = &["hello", "+DOWNLOAD_SOURCE", "-DOWNLOAD_SOURCE", "finished"];

/// Waits for a build's end and for that of each build that it is started again as.
fn chain(world: &World, first: &BuildId) -> Vec<Build> {
    let mut builds = vec![world.wait_until_ended(first)];
    while let Some(next) = builds.last().and_then(|build| build.retried_as.clone()) {
        builds.push(world.wait_until_ended(&next));
    }
    for build in &builds {
        world.events(build.id());
    }
    assert_eq!(world.counts(), (0, 0));
    assert_eq!(world.containers(), []);
    builds
}

fn retries(builds: &[Build]) -> Vec<(u64, u32, BuildStatus)> {
    let told = builds.iter().map(|build| {
        let Build { submitted, .. } = build;
        (submitted.number, submitted.auto_retry.number, build.status().unwrap())
    });
    told.collect()
}

#[test]
fn a_project_has_its_failed_builds_started_again() {
    let mut world = World::new(1);
    world.script("demo", running(FAILS));
    let first = world.start_retried_build("demo", 2);
    let builds = chain(&world, &first);
    let failed = BuildStatus::Failed;
    assert_eq!(retries(&builds), [(1, 0, failed), (2, 1, failed), (3, 2, failed)]);
    assert_eq!(builds[2].submitted.auto_retry, AutoRetry { limit: 2, number: 2 });
    let request = world.request(builds[1].id());
    assert_eq!(request.retry, Some(Retry { number: 1, limit: 2, previous: first }));
    assert_eq!(world.launches(), ["demo"; 3]);
}

#[test]
fn a_buildspec_has_a_build_started_again() {
    let mut world = World::new(4);
    world.script("demo", running(ASKS));
    let first = world.start_build("demo");
    let builds = chain(&world, &first);
    assert_eq!(builds.iter().map(Build::auto_retry_limit).collect::<Vec<_>>(), [2, 2, 2]);
    assert_eq!(builds.len(), 3);
}

#[test]
fn a_retry_that_goes_well_is_the_last() {
    let mut world = World::new(1);
    world.script("demo", running(&["hello", "+DOWNLOAD_SOURCE"]));
    let first = world.start_retried_build("demo", 5);
    world.wait_for(&first, "DOWNLOAD_SOURCE");
    world.script("demo", running(GOES_WELL));
    world.end(&first, Exit::Lost);
    let builds = chain(&world, &first);
    assert_eq!(retries(&builds), [(1, 0, BuildStatus::Fault), (2, 1, BuildStatus::Succeeded)]);
}

#[test]
fn a_stopped_build_is_not_started_again() {
    let mut world = World::new(1);
    world.script("demo", running(&["hello", "+DOWNLOAD_SOURCE"]));
    let first = world.start_retried_build("demo", 5);
    world.wait_for(&first, "DOWNLOAD_SOURCE");
    world.stop(&first);
    let builds = chain(&world, &first);
    assert_eq!(retries(&builds), [(1, 0, BuildStatus::Stopped)]);
}

#[test]
fn a_restart_loses_no_retry_and_starts_none_twice() {
    let mut world = World::new(1);
    world.script("demo", running(FAILS));
    let first = world.start_retried_build("demo", 3);
    let mut id = first.clone();
    // The service is ended at every moment at which a build has just been followed by another.
    while let Some(next) = world.wait_until_ended(&id).retried_as {
        world.kill();
        world.begin();
        id = next;
    }
    let builds = chain(&world, &first);
    let numbers: Vec<u64> = builds.iter().map(|build| build.submitted.number).collect();
    assert_eq!(numbers, [1, 2, 3, 4]);
    // A fifth would have a number.
    let another = world.submit("demo", None).unwrap();
    assert_eq!(another.submitted.number, 5);
}

#[test]
fn a_retry_waits_like_any_other_build() {
    let mut world = World::new(1);
    world.script("other", running(&["hello", "+DOWNLOAD_SOURCE"]));
    world.script("demo", running(&["hello", "+DOWNLOAD_SOURCE"]));
    let first = world.start_retried_build("demo", 1);
    world.wait_for(&first, "DOWNLOAD_SOURCE");
    let other = world.start_build("other");
    world.script("demo", running(GOES_WELL));
    world.end(&first, Exit::OutOfMemory);
    world.wait_for(&other, "DOWNLOAD_SOURCE");
    let next = world.wait_until_ended(&first).retried_as.expect("a retry");
    assert_eq!(world.build(&next).status(), None);
    assert_eq!(world.counts(), (1, 1));
    world.stop(&other);
    world.wait_until_ended(&other);
    assert_eq!(world.wait_until_ended(&next).status(), Some(BuildStatus::Succeeded));
}
