//! Who is let in, and who waits.

use crate::{
    BuildId,
    queue::{Capacity, Running, Share, Wait, Waiting},
};

const SMALL: Share = Share { memory_bytes: 4 };

fn build(project: &str, number: u64) -> BuildId {
    BuildId::parse(&format!("{project}:00000000-0000-4000-8000-{number:012}")).unwrap()
}

fn admitted(waiting: &mut Waiting, running: &mut Running, capacity: Capacity) -> Vec<String> {
    let mut out = Vec::new();
    while let Some((id, share)) = waiting.admit(running, capacity) {
        running.add(id.project(), share);
        out.push(format!(
            "{} {}",
            id.project(),
            id.uuid().trim_start_matches(['0', '-', '4', '8'])
        ));
    }
    out
}

#[test]
fn projects_take_turns_and_builds_of_one_keep_their_order() {
    let mut waiting = Waiting::default();
    for number in 1..=3 {
        waiting.push(build("many", number), number, SMALL);
    }
    waiting.push(build("one", 1), 1, SMALL);
    let capacity = Capacity { builds_max: 3, memory_bytes: 100 };
    let mut running = Running::default();
    assert_eq!(admitted(&mut waiting, &mut running, capacity), ["many 1", "one 1", "many 2"]);
    assert_eq!(waiting.len(), 1);
    running.remove(build("many", 1).project(), SMALL);
    assert_eq!(admitted(&mut waiting, &mut running, capacity), ["many 3"]);
    assert!(waiting.is_empty());
}

#[test]
fn projects_take_turns_when_one_build_runs_at_once() {
    let mut waiting = Waiting::default();
    for number in 1..=3 {
        waiting.push(build("alpha", number), number, SMALL);
    }
    for number in 1..=2 {
        waiting.push(build("beta", number), 3 + number, SMALL);
    }
    let capacity = Capacity { builds_max: 1, memory_bytes: 100 };
    let mut out = Vec::new();
    while !waiting.is_empty() {
        // What ran has ended by each next turn.
        out.extend(admitted(&mut waiting, &mut Running::default(), capacity));
    }
    assert_eq!(out, ["alpha 1", "beta 1", "alpha 2", "beta 2", "alpha 3"]);
}

#[test]
fn memory_limits_how_many_run() {
    let mut waiting = Waiting::default();
    for number in 1..=3 {
        waiting.push(build("demo", number), number, SMALL);
    }
    let capacity = Capacity { builds_max: 10, memory_bytes: 9 };
    let mut running = Running::default();
    assert_eq!(admitted(&mut waiting, &mut running, capacity).len(), 2);
}

#[test]
fn a_build_larger_than_the_machine_runs_alone() {
    let capacity = Capacity { builds_max: 10, memory_bytes: 9 };
    let mut waiting = Waiting::default();
    waiting.push(build("huge", 1), 1, Share { memory_bytes: 1_000 });
    let mut running = Running::default();
    running.add(build("demo", 1).project(), SMALL);
    assert!(waiting.admit(&running, capacity).is_none());
    running.remove(build("demo", 1).project(), SMALL);
    assert_eq!(running.builds(), 0);
    assert!(waiting.admit(&running, capacity).is_some());
}

#[test]
fn a_build_that_left_the_queue_is_not_admitted() {
    let mut waiting = Waiting::default();
    waiting.push(build("demo", 1), 1, SMALL);
    waiting.remove(&build("demo", 1), 1);
    let capacity = Capacity { builds_max: 1, memory_bytes: 9 };
    assert!(waiting.admit(&Running::default(), capacity).is_none());
}

#[test]
fn each_build_that_waits_has_a_reason() {
    let mut waiting = Waiting::default();
    waiting.push(build("many", 1), 1, SMALL);
    waiting.push(build("many", 2), 2, SMALL);
    waiting.push(build("large", 1), 3, Share { memory_bytes: 90 });
    let mut running = Running::default();
    let reasons = |running: &Running, builds_max| {
        let capacity = Capacity { builds_max, memory_bytes: 100 };
        let reasons = waiting.reasons(running, capacity);
        reasons.map(|(id, wait)| (id.project().as_str(), wait)).collect::<Vec<_>>()
    };
    let first = [("large", Wait::Nothing), ("many", Wait::Nothing), ("many", Wait::Behind(1))];
    assert_eq!(reasons(&running, 2), first);
    for number in 1..=3 {
        running.add(build("other", number).project(), SMALL);
    }
    let full = [("large", Wait::Builds), ("many", Wait::Builds), ("many", Wait::Behind(1))];
    assert_eq!(reasons(&running, 3), full);
    let memory = [("large", Wait::Memory), ("many", Wait::Nothing), ("many", Wait::Behind(1))];
    assert_eq!(reasons(&running, 4), memory);
}
