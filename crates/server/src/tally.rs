//! What the service has done and what went wrong, in numbers that only grow, for whoever watches it.

use agent_protocol::Timestamp;
use build_core::{BuildId, BuildStatus};
use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// What can go wrong without anybody being told in an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The state was not kept; it is tried again.
    State,
    /// Output is not in the log; it is tried again.
    Log,
    /// A container was not made.
    Launch,
    /// A container was not taken away; it is tried again.
    Destroy,
    /// A journal could not be followed, or is damaged.
    Journal,
    /// What is past its time was not removed.
    Retention,
}

impl Trouble {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::State, Self::Log, Self::Launch, Self::Destroy, Self::Journal, Self::Retention];

    /// Whether the service tries until it goes well, and is in trouble until then.
    const fn is_tried_again(self) -> bool {
        match self {
            Self::State | Self::Log | Self::Destroy => true,
            Self::Launch | Self::Journal | Self::Retention => false,
        }
    }

    /// Its name in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Log => "log",
            Self::Launch => "launch",
            Self::Destroy => "destroy",
            Self::Journal => "journal",
            Self::Retention => "retention",
        }
    }
}

/// The statuses with which builds end.
pub const STATUSES: [BuildStatus; 5] = [
    BuildStatus::Succeeded,
    BuildStatus::Failed,
    BuildStatus::Fault,
    BuildStatus::TimedOut,
    BuildStatus::Stopped,
];

/// The numbers.
#[derive(Debug, Default)]
pub struct Tally {
    ended: [AtomicU64; STATUSES.len()],
    troubles: [AtomicU64; Trouble::ALL.len()],
    /// When each trouble was last, and whether what failed has been done since.
    latest: Mutex<BTreeMap<&'static str, Latest>>,
    /// How far each journal that is followed has been read.
    read: Mutex<BTreeMap<BuildId, u64>>,
}

/// The last time that something went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latest {
    /// When.
    pub at: Timestamp,
    /// Whether it goes wrong still.
    pub lasts: bool,
}

impl Tally {
    /// Counts a build that has ended.
    pub fn ended(&self, status: BuildStatus) {
        let at = STATUSES.iter().position(|known| *known == status);
        self.ended[at.expect("all statuses are there")].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts something that went wrong.
    pub fn trouble(&self, trouble: Trouble, at: Timestamp) {
        self.troubles[index(trouble)].fetch_add(1, Ordering::Relaxed);
        let lasts = trouble.is_tried_again();
        lock(&self.latest).insert(trouble.as_str(), Latest { at, lasts });
    }

    /// Notes that what went wrong goes well again; costs next to nothing when nothing did.
    pub fn well(&self, trouble: Trouble) {
        if self.troubles[index(trouble)].load(Ordering::Relaxed) > 0
            && let Some(latest) = lock(&self.latest).get_mut(trouble.as_str())
        {
            latest.lasts = false;
        }
    }

    /// How many builds have ended so, since the service began.
    pub fn ended_with(&self, status: BuildStatus) -> u64 {
        let at = STATUSES.iter().position(|known| *known == status);
        self.ended[at.expect("all statuses are there")].load(Ordering::Relaxed)
    }

    /// How often this went wrong, since the service began.
    pub fn troubles(&self, trouble: Trouble) -> u64 {
        self.troubles[index(trouble)].load(Ordering::Relaxed)
    }

    /// What goes wrong still.
    pub fn lasting(&self) -> Vec<(&'static str, Timestamp)> {
        let latest = lock(&self.latest);
        latest.iter().filter(|(_, last)| last.lasts).map(|(name, last)| (*name, last.at)).collect()
    }

    /// Notes how far a journal has been read.
    pub fn read_to(&self, build: &BuildId, offset: u64) {
        let mut read = lock(&self.read);
        match read.get_mut(build) {
            Some(known) => *known = offset,
            None => drop(read.insert(build.clone(), offset)),
        }
    }

    /// Forgets a journal that is not there any more.
    pub fn read_out(&self, build: &BuildId) {
        lock(&self.read).remove(build);
    }

    /// The journals that are followed, and how far each has been read.
    pub fn journals(&self) -> BTreeMap<BuildId, u64> {
        lock(&self.read).clone()
    }
}

fn index(trouble: Trouble) -> usize {
    let at = Trouble::ALL.iter().position(|known| *known == trouble);
    at.expect("all troubles are there")
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
