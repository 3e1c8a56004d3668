//! Who waits for whom.

use crate::{
    journal::Pen,
    world::{World, container, told},
};
use agent_protocol::Timestamp;
use build_core::{BuildId, Phase, queue::Wait};
use expect_test::expect;
use server::driver::SubmitError;

/// The agent of a build that has begun says its last word; what it was given room for may begin.
fn finish(world: &World, id: &BuildId) {
    world.wait_for(id, "DOWNLOAD_SOURCE");
    let mut pen = Pen::new();
    pen.write(&["hello", "+DOWNLOAD_SOURCE"]);
    world.append(id, &pen.write(&["-DOWNLOAD_SOURCE", "finished"]));
    world.wait_until_ended(id);
}

#[test]
fn a_build_stopped_in_the_queue_never_has_a_container() {
    let mut world = World::new(1);
    let first = world.start_build("demo");
    world.wait_for(&first, "DOWNLOAD_SOURCE");
    let second = world.start_build("late");
    assert_eq!(world.counts(), (1, 1));
    world.stop(&second);
    expect![[r#"
        SUBMITTED SUCCEEDED
        QUEUED STOPPED
        COMPLETED
        = STOPPED
    "#]]
    .assert_eq(&told(&world.wait_until_ended(&second)));
    world.events(&second);
    assert_eq!(world.counts(), (0, 1));
    assert_eq!(world.containers(), [container(&first)]);

    finish(&world, &first);
    assert_eq!(world.counts(), (0, 0));
    assert_eq!(world.launches(), ["demo"]);
}

#[test]
fn the_second_build_begins_when_the_first_has_ended() {
    let mut world = World::new(1);
    let first = world.start_build("demo");
    world.wait_for(&first, "DOWNLOAD_SOURCE");
    let second = world.start_build("demo");
    assert_eq!(world.counts(), (1, 1));
    expect![[r#"
        SUBMITTED SUCCEEDED
        QUEUED
        = under way
    "#]]
    .assert_eq(&told(&world.build(&second)));

    finish(&world, &first);
    finish(&world, &second);
    assert_eq!(world.counts(), (0, 0));
    let ended = world.build(&first).ended_at().unwrap();
    let left_queue = world.build(&second).start_of(Phase::Provisioning).unwrap();
    assert!(left_queue >= ended);
}

#[test]
fn projects_take_turns() {
    let mut world = World::new(1);
    let alpha: Vec<BuildId> = (0..3).map(|_| world.start_build("alpha")).collect();
    let beta: Vec<BuildId> = (0..2).map(|_| world.start_build("beta")).collect();
    for id in [&alpha[0], &beta[0], &alpha[1], &beta[1], &alpha[2]] {
        finish(&world, id);
    }
    assert_eq!(world.launches(), ["alpha", "beta", "alpha", "beta", "alpha"]);
}

#[test]
fn a_project_at_its_limit_is_refused_and_another_is_not() {
    let mut world = World::new(1);
    let first = world.submit("demo", Some(2)).unwrap();
    let second = world.submit("demo", Some(2)).unwrap();
    let refused = world.submit("demo", Some(2)).unwrap_err();
    assert!(matches!(refused, SubmitError::ConcurrentLimit(2)), "{refused}");
    world.submit("other", Some(1)).unwrap();

    finish(&world, first.id());
    let third = world.submit("demo", Some(2)).unwrap();
    // Refusals use up no number.
    let numbers = [first, second, third].map(|build| build.submitted.number);
    assert_eq!(numbers, [1, 2, 3]);
}

#[test]
fn the_survey_says_what_runs_and_why_the_rest_waits() {
    let mut world = World::new(1);
    let first = world.start_build("demo");
    world.wait_for(&first, "DOWNLOAD_SOURCE");
    let others = ["demo", "late", "demo"].map(|project| world.start_build(project));
    let survey = world.survey();
    assert_eq!(survey.running, std::slice::from_ref(&first));
    let waits = [Wait::Builds, Wait::Builds, Wait::Behind(1)];
    assert_eq!(survey.waiting, others.clone().into_iter().zip(waits).collect::<Vec<_>>());
    assert_eq!((survey.counts.running, survey.counts.queued), (1, 3));
    assert!(survey.memory_bytes > 0 && !survey.draining);
    finish(&world, &first);
    for other in &others {
        world.stop(other);
        world.wait_until_ended(other);
    }
    assert_eq!(world.survey().running, []);
    assert_eq!(world.survey().memory_bytes, 0);
}

#[test]
fn builds_that_end_are_counted_once_and_the_counts_outlive_the_service() {
    let mut world = World::new(1);
    let first = world.start_build("demo");
    world.wait_for(&first, "DOWNLOAD_SOURCE");
    let second = world.start_build("demo");
    world.stop(&second);
    world.wait_until_ended(&second);
    finish(&world, &first);
    world.kill();
    world.begin();
    let ended = world.ended();
    assert_eq!(ended.len(), 1);
    let counts = ended[0].counts;
    assert_eq!((ended[0].project.as_str(), ended[0].minutes), ("demo", 1));
    assert_eq!((counts.succeeded, counts.failed, counts.stopped), (1, 0, 1));
    let millis = world.build(&first).on_machine(Timestamp::default()).as_millis();
    assert_eq!(u128::from(counts.millis), millis);
}
