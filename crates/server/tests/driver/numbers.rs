//! The numbers of builds.

use crate::world::{REGION, World};
use build_core::BuildId;
use store::Change;

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
