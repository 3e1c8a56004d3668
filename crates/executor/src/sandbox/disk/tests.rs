//! When it is counted, and who is ended.

use super::{End, Free, Ledger, SPARED, Taker, written_over_root};
use crate::Exit;
use std::{cell::Cell, collections::BTreeMap, path::Path, rc::Rc, time::Instant};

const GIB: u64 = 1 << 30;

/// A container that takes what it is told to.
#[derive(Clone, Debug, PartialEq)]
struct Container {
    name: &'static str,
    max: u64,
    takes: Rc<Cell<u64>>,
    counted: Rc<Cell<u64>>,
    counts: Rc<Cell<u32>>,
}

impl Container {
    fn new(name: &'static str, max: u64) -> Self {
        let (takes, counted, counts) = Default::default();
        Self { name, max, takes, counted, counts }
    }
}

impl Taker for Container {
    fn bytes_max(&self) -> u64 {
        self.max
    }

    fn counted(&self) -> u64 {
        self.counted.get()
    }

    fn count(&self) -> u64 {
        self.counts.set(self.counts.get() + 1);
        self.counted.set(self.takes.get());
        self.takes.get()
    }
}

fn free(bytes: u64) -> Free {
    Free { bytes, files: 1_000_000, files_in_all: 10_000_000 }
}

fn names(ends: &[End<Container>]) -> Vec<(&'static str, Option<u64>)> {
    let name = |end: &End<Container>| match end.exit {
        Exit::OutOfDisk { bytes_max, .. } => (end.container.name, bytes_max),
        ref other => panic!("{other:?}"),
    };
    ends.iter().map(name).collect()
}

#[test]
fn it_is_counted_seldom_and_the_limit_is_noticed() {
    let (mut ledger, now) = (Ledger::new(GIB), Instant::now());
    let container = Container::new("one", 64 * GIB);
    let running = [container.clone()];
    for written in 0..64 {
        container.takes.set(written * GIB);
        let ends = ledger.look(free((200 - written) * GIB), &running, now);
        assert_eq!(names(&ends), []);
    }
    assert!(container.counts.get() <= 12, "{}", container.counts.get());
    container.takes.set(65 * GIB);
    let ends = ledger.look(free(135 * GIB), &running, now);
    assert_eq!(names(&ends), [("one", Some(64 * GIB))]);
}

#[test]
fn what_becomes_free_hides_nothing() {
    let (mut ledger, now) = (Ledger::new(0), Instant::now());
    let container = Container::new("one", 10 * GIB);
    for round in 0..20 {
        container.takes.set(round * GIB);
        // Somebody else removes as much as it writes.
        assert_eq!(names(&ledger.look(free(50 * GIB), std::slice::from_ref(&container), now)), []);
        let ends = ledger.look(free(49 * GIB), std::slice::from_ref(&container), now);
        if round > 10 {
            assert_eq!(names(&ends), [("one", Some(10 * GIB))]);
            return;
        }
    }
    panic!("it was never noticed");
}

#[test]
fn the_largest_goes_when_the_reserve_is_touched_and_the_next_not_at_once() {
    let (mut ledger, now) = (Ledger::new(2 * GIB), Instant::now());
    let [small, large] = ["small", "large"].map(|name| Container::new(name, u64::MAX));
    small.takes.set(GIB);
    large.takes.set(3 * GIB);
    let running = [small.clone(), large];
    assert_eq!(names(&ledger.look(free(3 * GIB), &running, now)), []);
    assert_eq!(names(&ledger.look(free(GIB), &running, now)), [("large", None)]);
    assert_eq!(names(&ledger.look(free(GIB), std::slice::from_ref(&small), now)), []);
    let later = now + SPARED;
    assert_eq!(names(&ledger.look(free(GIB), &[small], later)), [("small", None)]);
}

#[test]
fn nobody_goes_for_a_disk_that_others_have_filled() {
    let (mut ledger, now) = (Ledger::new(2 * GIB), Instant::now());
    let container = Container::new("one", u64::MAX);
    container.takes.set(1 << 20);
    assert_eq!(names(&ledger.look(free(0), &[container], now)), []);
}

#[test]
fn files_are_counted_too() {
    let (mut ledger, now) = (Ledger::new(GIB), Instant::now());
    let container = Container::new("one", u64::MAX);
    container.takes.set(GIB);
    let few = Free { bytes: 100 * GIB, files: 99_999, files_in_all: 10_000_000 };
    assert_eq!(names(&ledger.look(few, std::slice::from_ref(&container), now)), [("one", None)]);
    // A file system that does not count its files has never too few.
    let uncounted = Free { bytes: 100 * GIB, files: 0, files_in_all: 0 };
    let later = now + SPARED;
    assert_eq!(names(&ledger.look(uncounted, &[container], later)), []);
}

#[test]
fn what_is_written_to_another_disk_is_noticed() {
    let (mut ledger, now) = (Ledger::new(GIB), Instant::now());
    let container = Container::new("one", 10 * GIB);
    let mut looked = 0;
    for written in 0..=11 {
        container.takes.set(written * GIB);
        ledger.look_elsewhere(BTreeMap::from([(7, free((900 - written) * GIB))]));
        let ends = ledger.look(free(50 * GIB), std::slice::from_ref(&container), now);
        looked = container.counts.get();
        let expected = if written > 10 { vec![("one", Some(10 * GIB))] } else { Vec::new() };
        assert_eq!(names(&ends), expected);
    }
    assert!(looked < 12, "{looked}");
    // A disk that is seen for the first time has not fallen.
    let mut ledger = Ledger::new(GIB);
    ledger.look_elsewhere(BTreeMap::from([(7, free(900 * GIB)), (8, free(GIB))]));
    assert_eq!(ledger.fallen, 0);
}

#[test]
fn an_engines_overlay_tells_where_is_written() {
    let mounts =
        |root: &str| format!("1 2 0:30 / /proc rw - proc proc rw\n3 2 0:31 / / rw - {root}\n");
    let written = |root: &str| written_over_root(&mounts(root));
    let overlay = "overlay overlay rw,lowerdir=/d/l/A:/d/l/B,upperdir=/d/1/diff,workdir=/d/1/work";
    assert_eq!(written(overlay).as_deref(), Some(Path::new("/d/1/diff")));
    assert_eq!(written("overlay overlay rw,lowerdir=l/A,upperdir=1/diff,workdir=1/work"), None);
    assert_eq!(written("ext4 /dev/vda rw,upperdir=/d"), None);
    assert_eq!(written_over_root(""), None);
}
