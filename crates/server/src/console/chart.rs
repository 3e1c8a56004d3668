//! Charts of days: bars, as a picture that the server draws.

use super::{calendar::Day, words};
use askama::Template;
use store::EndedCounts;

/// The picture's height, and how much of its width each day has, in its own units.
const HEIGHT: u64 = 1_000;
const DAY_WIDTH: usize = 20;
const GAP: usize = 4;

/// A bar for each of some days in succession.
#[derive(Template)]
#[template(path = "chart.html")]
pub(super) struct Chart {
    /// What it shows, in words for those who do not see it.
    label: String,
    width: usize,
    bars: Vec<Bar>,
    /// What the upper edge means.
    top: String,
    first: String,
    last: String,
}

/// A day: parts that stand on each other.
struct Bar {
    title: String,
    /// Where it begins, for what shows the title wherever the pointer is above it.
    x: usize,
    parts: Vec<Part>,
}

struct Part {
    class: &'static str,
    y: u64,
    height: u64,
}

impl Chart {
    /// How many builds ended on each day, and how.
    pub(super) fn builds(label: String, days: &[(Day, EndedCounts)]) -> Self {
        let most = days.iter().map(|(_, counts)| counts.builds()).max().unwrap_or_default();
        let top = round_above(most);
        let bars = days.iter().enumerate().map(|(at, (day, counts))| {
            let stacked = [
                ("succeeded", counts.succeeded),
                ("failed", counts.failed),
                ("stopped", counts.stopped),
            ];
            Bar::new(at, builds_title(*day, counts), &stacked, top)
        });
        Self::new(label, bars.collect(), words::count(top), days)
    }

    /// How many of a hundred builds failed on each day.
    pub(super) fn failures(label: String, days: &[(Day, EndedCounts)]) -> Self {
        let percent = |counts: &EndedCounts| counts.failed * 100 / counts.builds().max(1);
        let most = days.iter().map(|(_, counts)| percent(counts)).max().unwrap_or_default();
        let top = [10, 25, 50].into_iter().find(|top| most <= *top).unwrap_or(100);
        let bars = days.iter().enumerate().map(|(at, (day, counts))| {
            let title = match counts.builds() {
                0 => format!("{day}: no builds"),
                builds => format!(
                    "{day}: {} % failed, {} of {}",
                    percent(counts),
                    words::count(counts.failed),
                    words::count(builds)
                ),
            };
            Bar::new(at, title, &[("failed", percent(counts))], top)
        });
        Self::new(label, bars.collect(), format!("{top} %"), days)
    }

    fn new(label: String, bars: Vec<Bar>, top: String, days: &[(Day, EndedCounts)]) -> Self {
        let day = |day: Option<&(Day, EndedCounts)>| {
            day.map_or_else(String::new, |(day, _)| day.to_string())
        };
        let (first, last) = (day(days.first()), day(days.last()));
        Self { label, width: bars.len() * DAY_WIDTH, bars, top, first, last }
    }
}

impl Bar {
    fn new(at: usize, title: String, stacked: &[(&'static str, u64)], top: u64) -> Self {
        let mut below = 0;
        let mut parts = Vec::with_capacity(stacked.len());
        for (class, value) in stacked.iter().filter(|(_, value)| *value > 0) {
            let (from, to) = (below * HEIGHT / top, (below + value) * HEIGHT / top);
            below += value;
            parts.push(Part { class, y: HEIGHT - to.min(HEIGHT), height: to - from });
        }
        Self { title, x: at * DAY_WIDTH, parts }
    }
}

fn builds_title(day: Day, counts: &EndedCounts) -> String {
    let mut title = match counts.builds() {
        0 => return format!("{day}: no builds"),
        1 => format!("{day}: 1 build"),
        builds => format!("{day}: {} builds", words::count(builds)),
    };
    for (number, word) in [(counts.failed, "failed"), (counts.stopped, "stopped")] {
        if number > 0 {
            title.push_str(&format!(", {} {word}", words::count(number)));
        }
    }
    title
}

/// The next number of one digit and zeros, or half of such a one: what an axis ends with.
fn round_above(number: u64) -> u64 {
    let mut step = 1;
    loop {
        for top in [step, 2 * step, 5 * step] {
            if number <= top {
                return top;
            }
        }
        step *= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::{Chart, round_above};
    use crate::console::calendar::Day;
    use store::EndedCounts;

    #[test]
    fn an_axis_ends_with_a_round_number() {
        for (number, top) in [(0, 1), (1, 1), (3, 5), (11, 20), (43, 50), (51, 100), (101, 200)] {
            assert_eq!(round_above(number), top);
        }
    }

    #[test]
    fn bars_are_to_scale_and_stand_on_the_ground() {
        let counts = EndedCounts { succeeded: 30, failed: 10, stopped: 0, millis: 1 };
        let days = [(Day::new(0), counts), (Day::new(1), EndedCounts::default())];
        let chart = Chart::builds("Builds".to_owned(), &days);
        assert_eq!((chart.top.as_str(), chart.width), ("50", 40));
        let parts: Vec<_> =
            chart.bars[0].parts.iter().map(|part| (part.class, part.y, part.height)).collect();
        assert_eq!(parts, [("succeeded", 400, 600), ("failed", 200, 200)]);
        assert_eq!(chart.bars[0].title, "1 Jan: 40 builds, 10 failed");
        assert_eq!(chart.bars[1].title, "2 Jan: no builds");
        let failures = Chart::failures("Failures".to_owned(), &days);
        assert_eq!((failures.top.as_str(), failures.bars[0].parts[0].height), ("25 %", 1_000));
    }
}
