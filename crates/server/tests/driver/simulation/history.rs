//! What happens to a service from outside: builds are started and stopped, it is killed, its disk
//! fails for a while, its clock is set. A history is drawn from a seed and can be made shorter.

use super::dice::Dice;
use std::fmt;

/// One thing that happens, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// Milliseconds after the beginning.
    pub(super) at: u64,
    pub(super) what: What,
}

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A build is started.
    Submit { build: u64, project: u64, auto_retry_limit: i32, queued_minutes: u32, bounds: Bounds },
    /// A build is stopped.
    Stop { build: u64 },
    /// The service is killed at the n-th thing that it asks of its machine from then on, before that
    /// is done or after it, and started again some time later.
    Kill { calls: u64, done: bool, away: u64 },
    /// The machine loses its power in the same way, and with it what was not on the disk.
    PowerLoss { calls: u64, done: bool },
    /// Everything that is written fails, with this chance in a thousand, for a while.
    Trouble { in_thousand: u64, lasts: u64 },
    /// The clock is set.
    ClockStep { seconds: i64 },
    /// No commit is made for a while.
    Stall { lasts: u64 },
    /// Somebody asks what is under way.
    Ask,
    /// The builds that have ended leave.
    Sweep,
}

/// What a build may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    /// Minutes, once it has left the queue.
    pub(super) minutes: u32,
    /// Builds of its project at once, this one included.
    pub(super) concurrent_max: Option<u32>,
}

/// Which draws make a history. A seed has found something by those that there were then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Draws {
    /// Starts, stops, kills, losses of power, trouble, a clock that is set.
    First,
    /// These, and stalls, questions, limits, builds whose time is over within a commit, and those that
    /// leave as soon as they have ended.
    All,
}

/// How many of its builds a service runs at once in a history.
pub(super) const BUILDS_AT_ONCE: usize = 3;

/// Within how long the builds of a crowd are started: a commit takes as long.
const CROWD_MILLIS: u64 = 60;

/// When the last step of a history is, but for what happens in a stall.
const LENGTH_MILLIS: u64 = 20_000;

/// For how long commits may stall: longer than the builds of a hurry have.
const STALL_MILLIS: u64 = 120_000;

impl Step {
    /// The history of a seed.
    pub(super) fn history(seed: u64, draws: Draws) -> Vec<Self> {
        let mut dice = Dice::new(seed);
        let mut draw = |end: u64, what| dice.below(end, what, "");
        // A chance in so many, of what was not drawn at first.
        let mut added = Dice::new(seed);
        let mut has = |of, what| draws == Draws::All && added.below(of, what, "") == 0;
        let hurry = has(4, "hurry");
        let limited = has(4, "limited");
        let asked = has(3, "asked");
        let swept = has(4, "swept");
        let builds = 1 + draw(6, "builds");
        // Those who come at once share turns, or come while others' are being committed.
        let crowd = draw(3, "crowd") == 0;
        let mut steps = Vec::new();
        for build in 0..builds {
            let within = if crowd { CROWD_MILLIS } else { LENGTH_MILLIS / 4 };
            let at = draw(within, "submit at");
            let what = What::Submit {
                build,
                project: draw(2, "project"),
                auto_retry_limit: if draw(4, "retries") == 0 { 1 } else { 0 },
                queued_minutes: match draw(8, "queued") {
                    _ if hurry && draw(2, "hurry in the queue") == 0 => 1,
                    0 => 5,
                    _ => 480,
                },
                bounds: Bounds {
                    minutes: if hurry { 1 } else { 60 },
                    concurrent_max: limited.then(|| if draw(2, "limit") == 0 { 1 } else { 2 }),
                },
            };
            steps.push(Self { at, what });
            if draw(5, "stop") == 0 {
                let within = if crowd { 2 * CROWD_MILLIS } else { LENGTH_MILLIS / 2 };
                let at = at + draw(within, "stop at");
                steps.push(Self { at, what: What::Stop { build } });
            }
        }
        Self::disturb(&mut steps, &mut draw);
        if hurry {
            let stall = What::Stall { lasts: draw(STALL_MILLIS, "stall") };
            steps.push(Self { at: draw(LENGTH_MILLIS / 2, "stall at"), what: stall });
        }
        if asked {
            let within = match (hurry, crowd) {
                (true, _) => STALL_MILLIS,
                (false, true) => 2 * CROWD_MILLIS,
                (false, false) => LENGTH_MILLIS,
            };
            for _ in 0..1 + draw(8, "questions") {
                steps.push(Self { at: draw(within, "asked at"), what: What::Ask });
            }
        }
        if swept {
            for _ in 0..1 + draw(8, "sweeps") {
                let at = draw(LENGTH_MILLIS, "swept at");
                steps.push(Self { at, what: What::Sweep });
            }
        }
        steps.sort_by_key(|step| step.at);
        steps
    }

    /// The service is killed, or has trouble.
    fn disturb(steps: &mut Vec<Self>, draw: &mut impl FnMut(u64, &'static str) -> u64) {
        for _ in 0..draw(5, "kills") {
            let what = What::Kill {
                calls: 1 + draw(40, "calls"),
                done: draw(2, "done") == 0,
                away: [0, 10, 1_000, 30_000][usize::try_from(draw(4, "away")).unwrap()],
            };
            steps.push(Self { at: draw(LENGTH_MILLIS, "kill at"), what });
        }
        if draw(5, "power") == 0 {
            let what = What::PowerLoss {
                calls: 1 + draw(80, "calls to it"),
                done: draw(2, "done then") == 0,
            };
            steps.push(Self { at: draw(LENGTH_MILLIS / 2, "power at"), what });
        }
        if draw(3, "trouble") == 0 {
            let what = What::Trouble {
                in_thousand: 100 + draw(900, "how much"),
                lasts: draw(8_000, "how long"),
            };
            steps.push(Self { at: draw(LENGTH_MILLIS, "trouble at"), what });
        }
        if draw(6, "clock") == 0 {
            let seconds = i64::try_from(draw(20_000, "set by")).unwrap() - 10_000;
            steps.push(Self {
                at: draw(LENGTH_MILLIS, "set at"),
                what: What::ClockStep { seconds },
            });
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>6} ms  {:?}", self.at, self.what)
    }
}
