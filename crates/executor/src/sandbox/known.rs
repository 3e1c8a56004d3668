//! The containers whose first processes this service has handles to.

use super::{cgroup::Group, disk::DiskShare, egress::Gate, keeper::SIGNAL_BASE, process};
use crate::{ContainerId, Exit};
use std::{
    collections::HashMap,
    os::fd::OwnedFd,
    sync::{
        Arc, Condvar, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

/// Who a container's first process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum First {
    /// The agent.
    Agent,
    /// The keeper of an inner box, which tells how the agent has ended.
    Keeper,
}

/// A container whose first process this service has a handle to.
#[derive(Debug)]
pub(super) struct Known {
    /// The handle.
    pub process: OwnedFd,
    first: First,
    /// Where its processes are counted.
    pub group: Group,
    /// What it may take of the disk.
    pub share: DiskShare,
    /// What it took of it when that was counted last, in bytes.
    counted: AtomicU64,
    /// How it ends for having taken too much.
    overrun: Mutex<Option<Exit>>,
    /// The gate on its way out, which is open to what it may reach for as long as it is known.
    gate: Mutex<Option<Gate>>,
    ended: Mutex<Option<Exit>>,
}

impl Known {
    /// A container that runs or has just ended.
    pub(super) fn new(process: OwnedFd, first: First, group: Group, share: DiskShare) -> Self {
        let (overrun, gate, ended) = Default::default();
        Self { process, first, group, share, counted: AtomicU64::new(0), overrun, gate, ended }
    }

    /// How the container ended, whose first process has.
    pub(super) fn conclude(&self) -> Exit {
        self.conclude_by(|| match self.told(process::reap(&self.process)) {
            Exit::Killed { signal: libc::SIGKILL } if self.group.memory_kills() > 0 => {
                Exit::OutOfMemory
            }
            exit => exit,
        })
    }

    /// The same by what somebody else tells, who is asked once.
    pub(super) fn conclude_by(&self, told: impl FnOnce() -> Exit) -> Exit {
        let overrun = self.overrun.lock().expect("no holder of this lock panics").clone();
        let mut ended = self.ended.lock().expect("no holder of this lock panics");
        let exit = || match (told(), overrun) {
            (Exit::Killed { .. }, Some(overrun)) => overrun,
            (exit, _) => exit,
        };
        ended.get_or_insert_with(exit).clone()
    }

    /// How the agent ended, by the end of the process that tells it.
    fn told(&self, exit: Exit) -> Exit {
        match exit {
            Exit::Exited { code: Some(code) }
                if self.first == First::Keeper && code > SIGNAL_BASE =>
            {
                Exit::Killed { signal: code - SIGNAL_BASE }
            }
            exit => exit,
        }
    }

    /// It is about to be killed for this.
    pub(super) fn overran(&self, exit: Exit) {
        *self.overrun.lock().expect("no holder of this lock panics") = Some(exit);
    }

    /// Keeps the gate on its way out, in the place of another.
    pub(super) fn keep_gate(&self, gate: Gate) {
        *self.gate.lock().expect("no holder of this lock panics") = Some(gate);
    }

    fn has_ended(&self) -> bool {
        self.ended.lock().expect("no holder of this lock panics").is_some()
            || self.overrun.lock().expect("no holder of this lock panics").is_some()
    }

    /// Bytes of the disk that it took when they were counted last.
    pub(super) fn counted(&self) -> u64 {
        self.counted.load(Ordering::Relaxed)
    }

    /// Notes what it takes of the disk.
    pub(super) fn set_counted(&self, bytes: u64) {
        self.counted.store(bytes, Ordering::Relaxed);
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct KnownContainers {
    all: Mutex<HashMap<ContainerId, Arc<Known>>>,
    /// Told when there is one where there was none, and when the service ends.
    is_some: Condvar,
    /// Told when the service ends.
    is_closed: Condvar,
    closed: AtomicBool,
}

impl KnownContainers {
    /// Keeps a container, unless it is known already; gives the one that is.
    pub(super) fn remember(&self, id: &ContainerId, known: Known) -> Arc<Known> {
        let mut all = self.all();
        let known = Arc::clone(all.entry(id.clone()).or_insert_with(|| Arc::new(known)));
        if all.len() == 1 {
            self.is_some.notify_all();
        }
        known
    }

    /// The container, if it is known.
    pub(super) fn get(&self, id: &ContainerId) -> Option<Arc<Known>> {
        self.all().get(id).cloned()
    }

    /// Forgets a container that is gone.
    pub(super) fn forget(&self, id: &ContainerId) {
        self.all().remove(id);
    }

    /// Waits for a while, and until there is a container; gives those that run. None when the
    /// service ends.
    pub(super) fn next_look(&self, pause: Duration) -> Option<Vec<(ContainerId, Arc<Known>)>> {
        let is_open = || !self.closed.load(Ordering::Acquire);
        let held = "no holder of this lock panics";
        let mut all = self.all();
        if !all.is_empty() && is_open() {
            all = self.is_closed.wait_timeout(all, pause).expect(held).0;
        }
        all = self.is_some.wait_while(all, |all| all.is_empty() && is_open()).expect(held);
        let running = all.iter().filter(|(_, known)| !known.has_ended());
        is_open().then(|| running.map(|(id, known)| (id.clone(), Arc::clone(known))).collect())
    }

    /// Lets whoever waits go.
    pub(super) fn close(&self) {
        let _all = self.all();
        self.closed.store(true, Ordering::Release);
        self.is_some.notify_all();
        self.is_closed.notify_all();
    }

    fn all(&self) -> MutexGuard<'_, HashMap<ContainerId, Arc<Known>>> {
        self.all.lock().expect("no holder of this lock panics")
    }
}
