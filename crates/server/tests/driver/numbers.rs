//! The numbers of builds.

use crate::world::{REGION, World};
use build_core::BuildId;
use expect_test::expect;
use server::driver::{BUILD_NUMBERS, SubmitError};
use store::{Change, Expect};

fn stop_and_delete(world: &World, id: &BuildId) {
    world.stop(id);
    world.wait_until_ended(id);
    world.commit(Change::DeleteBuild { region: REGION.into(), id: id.to_string() });
}

#[test]
fn the_numbers_of_deleted_builds_are_not_used_again() {
    let mut world = World::new(4);
    let first = world.submit("demo", None).unwrap().submitted;
    stop_and_delete(&world, &first.id);
    let second = world.submit("demo", None).unwrap().submitted;
    stop_and_delete(&world, &second.id);
    world.kill();
    world.begin();
    let third = world.submit("demo", None).unwrap().submitted;
    assert_eq!([first.number, second.number, third.number], [1, 2, 3]);
    assert_eq!(world.submit("other", None).unwrap().submitted.number, 1);
}

#[test]
fn a_number_that_does_not_parse_is_a_fault_and_starts_nothing() {
    let mut world = World::new(4);
    let put = |document: &str| Change::PutRecord {
        collection: BUILD_NUMBERS,
        region: REGION.into(),
        key: "demo".into(),
        document: document.into(),
        expect: Expect::Anything,
    };
    world.commit(put("seven"));
    let error = world.submit("demo", None).unwrap_err();
    assert!(matches!(error, SubmitError::Fault(store::Fault::Corrupt { .. })));
    expect![[r#"read the number of demo's last build in us-east-1: "seven""#]]
        .assert_eq(&error.to_string());
    assert_eq!(world.counts(), (0, 0));
    assert_eq!(world.launches(), [""; 0]);

    // Mended, it is the number that counts.
    world.commit(put("7"));
    assert_eq!(world.submit("demo", None).unwrap().submitted.number, 8);
}
