//! Which waiting builds may start: capacity, fairness between projects, order within one.

use crate::{BuildId, ProjectName};
use std::collections::BTreeMap;

/// What a build takes of the machine while it runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// Bytes of memory that its limit allows.
    pub memory_bytes: u64,
}

/// What the machine gives to builds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Builds at once, at most.
    pub builds_max: usize,
    /// The sum of the memory limits of the builds that run, at most.
    pub memory_bytes: u64,
}

/// Why a build waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// As many builds run as may at once.
    Builds,
    /// Its memory does not fit beside that of the builds that run.
    Memory,
    /// So many builds of its project were submitted before it and wait, too.
    Behind(usize),
    /// For nothing: it is about to be let in.
    Nothing,
}

/// What runs now.
#[derive(Clone, Debug, Default)]
pub struct Running {
    builds: usize,
    memory_bytes: u64,
    by_project: BTreeMap<ProjectName, usize>,
}

impl Running {
    /// Counts a build in.
    pub fn add(&mut self, project: &ProjectName, share: Share) {
        self.builds += 1;
        self.memory_bytes += share.memory_bytes;
        *self.by_project.entry(project.clone()).or_default() += 1;
    }

    /// Counts a build out.
    pub fn remove(&mut self, project: &ProjectName, share: Share) {
        self.builds = self.builds.saturating_sub(1);
        self.memory_bytes = self.memory_bytes.saturating_sub(share.memory_bytes);
        if let Some(count) = self.by_project.get_mut(project) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.by_project.remove(project);
            }
        }
    }

    /// How many builds run.
    pub fn builds(&self) -> usize {
        self.builds
    }

    /// The sum of the memory limits of the builds that run.
    pub fn memory_bytes(&self) -> u64 {
        self.memory_bytes
    }

    fn fits(&self, share: Share, capacity: Capacity) -> bool {
        // A build larger than the machine runs when it is alone: it is held to what there is.
        self.builds == 0
            || (self.builds < capacity.builds_max
                && self.memory_bytes + share.memory_bytes <= capacity.memory_bytes)
    }
}

/// The waiting builds of every project, each in the order of its submission.
#[derive(Clone, Debug, Default)]
pub struct Waiting {
    by_project: BTreeMap<ProjectName, BTreeMap<u64, (BuildId, Share)>>,
    count: usize,
    /// How many builds have been let in.
    turns: u64,
    /// The turn at which each project was let in last; one number for each project that ever was.
    last_turn: BTreeMap<ProjectName, u64>,
}

impl Waiting {
    /// Puts a build behind the others of its project; `order` is its place in the order
    /// of submissions.
    pub fn push(&mut self, id: BuildId, order: u64, share: Share) {
        let builds = self.by_project.entry(id.project().clone()).or_default();
        if builds.insert(order, (id, share)).is_none() {
            self.count += 1;
        }
    }

    /// Takes a build out, such as a stopped one.
    pub fn remove(&mut self, id: &BuildId, order: u64) {
        if let Some(builds) = self.by_project.get_mut(id.project()) {
            if builds.remove(&order).is_some() {
                self.count -= 1;
            }
            if builds.is_empty() {
                self.by_project.remove(id.project());
            }
        }
    }

    /// How many builds wait.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Gives why each build waits, project by project.
    pub fn reasons(
        &self,
        running: &Running,
        capacity: Capacity,
    ) -> impl Iterator<Item = (&BuildId, Wait)> {
        self.by_project.values().flat_map(move |builds| {
            builds.values().enumerate().map(move |(before, (id, share))| {
                let wait = match before {
                    0 if running.fits(*share, capacity) => Wait::Nothing,
                    0 if running.builds >= capacity.builds_max => Wait::Builds,
                    0 => Wait::Memory,
                    before => Wait::Behind(before),
                };
                (id, wait)
            })
        })
    }

    /// Takes out the build that may start next, if there is room for it: the oldest of the project
    /// that has the fewest running and, of several such projects, was let in the longest ago, so
    /// that one project's thousand builds do not starve another's one, however few run at once. A
    /// build that does not fit keeps its place and holds up nobody of another project.
    pub fn admit(&mut self, running: &Running, capacity: Capacity) -> Option<(BuildId, Share)> {
        let running_of = |project| running.by_project.get(project).copied().unwrap_or_default();
        let last_turn_of = |project| self.last_turn.get(project).copied().unwrap_or_default();
        let (project, number) = self
            .by_project
            .iter()
            .filter_map(|(project, builds)| {
                let (number, (_, share)) = builds.first_key_value()?;
                running.fits(*share, capacity).then_some((project, *number))
            })
            .min_by_key(|(project, number)| (running_of(*project), last_turn_of(*project), *number))
            .map(|(project, number)| (project.clone(), number))?;
        self.turns += 1;
        self.last_turn.insert(project.clone(), self.turns);
        let builds = self.by_project.get_mut(&project)?;
        let admitted = builds.remove(&number);
        self.count -= 1;
        if builds.is_empty() {
            self.by_project.remove(&project);
        }
        admitted
    }
}
