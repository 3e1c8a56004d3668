//! The rows that were measured, kept as JSON, and rendered as a page.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt::Write, fs, path::Path};

/// Everything that was measured, by the name of the row.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Table {
    /// The programs' versions, by name.
    pub(super) versions: BTreeMap<String, String>,
    rows: BTreeMap<String, Row>,
}

/// One measure, ours and the others'.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Row {
    /// Its place in the page.
    pub(super) order: usize,
    /// The name of the group that it is measured in.
    #[serde(default)]
    pub(super) group: String,
    pub(super) title: String,
    pub(super) unit: String,
    pub(super) better: Better,
    /// What the first figure of `ours` must be against a rival.
    pub(super) goal: Option<Goal>,
    /// The machine, and what else it did.
    pub(super) machine: String,
    pub(super) figures: Vec<Figure>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Better {
    Less,
    More,
}

/// How often better than somebody we want to be; for less than twice, how much of it is allowed.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Goal {
    pub(super) against: String,
    /// Ours divided by theirs where more is better, theirs by ours where less is.
    pub(super) times: f64,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Role {
    Ours,
    Peer,
    /// What the machine itself allows.
    Limit,
}

/// What one contestant did.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Figure {
    pub(super) who: String,
    pub(super) role: Role,
    /// In order; none when it could not take part.
    samples: Vec<f64>,
    /// Why it did not take part.
    #[serde(default)]
    pub(super) absent: Option<String>,
}

impl Figure {
    pub(super) fn of(who: &str, role: Role, mut samples: Vec<f64>) -> Self {
        samples.sort_unstable_by(f64::total_cmp);
        Self { who: who.to_owned(), role, samples, absent: None }
    }

    pub(super) fn absent(who: &str, role: Role, why: &str) -> Self {
        let absent = Some(why.to_owned());
        Self { who: who.to_owned(), role, samples: Vec::new(), absent }
    }

    fn percentile(&self, percent: usize) -> Option<f64> {
        let at = self.samples.len().checked_sub(1)? * percent / 100;
        Some(self.samples[at])
    }

    fn median(&self) -> Option<f64> {
        self.percentile(50)
    }
}

impl Row {
    fn find(&self, accept: impl Fn(&Figure) -> bool) -> Option<(&Figure, f64)> {
        self.figures.iter().filter(|figure| accept(figure)).find_map(|f| Some((f, f.median()?)))
    }

    fn ours(&self) -> Option<f64> {
        self.find(|figure| figure.role == Role::Ours).map(|(_, median)| median)
    }

    fn best_peer(&self) -> Option<(&Figure, f64)> {
        let peers = self.figures.iter().filter(|figure| figure.role == Role::Peer);
        let medians = peers.filter_map(|figure| Some((figure, figure.median()?)));
        match self.better {
            Better::Less => medians.min_by(|a, b| a.1.total_cmp(&b.1)),
            Better::More => medians.max_by(|a, b| a.1.total_cmp(&b.1)),
        }
    }

    /// How many times better than somebody's figure ours is.
    fn times(&self, theirs: f64) -> Option<f64> {
        let ours = self.ours()?;
        Some(match self.better {
            Better::Less => theirs / ours,
            Better::More => ours / theirs,
        })
    }

    fn verdict(&self) -> String {
        let best = self.best_peer().and_then(|(peer, theirs)| {
            let times = self.times(theirs)?;
            let place = if times >= 1.0 { "first" } else { "behind" };
            Some(format!("{place}: {} {}", factor(times), peer.who))
        });
        let goal = self.goal.as_ref().and_then(|goal| {
            let (_, theirs) = self.find(|figure| figure.who == goal.against)?;
            let times = self.times(theirs)?;
            let word = if times >= goal.times { "met" } else { "**missed**" };
            Some(format!(
                "; goal {} {} {word}: {}",
                factor(goal.times),
                goal.against,
                factor(times)
            ))
        });
        best.unwrap_or_else(|| "no peer".to_owned()) + &goal.unwrap_or_default()
    }
}

fn factor(times: f64) -> String {
    format!("{}×", number(times))
}

fn number(value: f64) -> String {
    match value {
        _ if value >= 100.0 => format!("{value:.0}"),
        _ if value >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

impl Table {
    /// The table as it was kept; an empty one when none was.
    pub(super) fn read(file: &Path) -> Result<Self> {
        match fs::read(file) {
            Ok(text) => serde_json::from_slice(&text).context("the results"),
            Err(_) => Ok(Self::default()),
        }
    }

    pub(super) fn put(&mut self, name: &str, row: Row) {
        self.rows.insert(name.to_owned(), row);
    }

    /// Keeps the table, and the page of it with what is noted about it.
    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        fs::write(folder.join("results.json"), serde_json::to_string_pretty(self)? + "\n")?;
        let notes = fs::read_to_string(folder.join("NOTES.md")).unwrap_or_default();
        fs::write(folder.join("RESULTS.md"), self.page(&notes)?)?;
        Ok(())
    }

    fn page(&self, notes: &str) -> Result<String> {
        let mut rows: Vec<(&String, &Row)> = self.rows.iter().collect();
        rows.sort_by_key(|(_, row)| row.order);
        let mut page = String::from(
            "# The race\n\nWritten by `bench/race`; do not edit. Contestants run in turn, round by \
             round, in the same run; each figure is the median of its rounds.\n\n",
        );
        page += "| row | Buildyard | best peer | limit of the machine | of the limit | verdict |\n";
        page += "|---|---|---|---|---|---|\n";
        for (_, row) in &rows {
            let shown = |found: Option<(&Figure, f64)>| {
                found.map_or("–".to_owned(), |(f, m)| format!("{} ({})", number(m), f.who))
            };
            let limit = row.find(|figure| figure.role == Role::Limit);
            let of = limit.and_then(|(_, limit)| Some(row.times(limit)?.recip()));
            // What the machine does within its clock's own grain is no measure.
            let of = of.filter(|of| of.is_finite());
            let ours = row.ours().map_or("not measured".to_owned(), number);
            writeln!(
                page,
                "| {}, {} | {ours} | {} | {} | {} | {} |",
                row.title,
                row.unit,
                shown(row.best_peer()),
                shown(limit),
                of.map_or("–".to_owned(), |of| format!("{} of it", factor(of))),
                row.verdict(),
            )?;
        }
        page += "\n\"of the limit\" says how many times as long as the machine itself needs we take, or \
                 how many times as much it could do.\n";
        for (_, row) in &rows {
            writeln!(page, "\n## {}, {} (`--row {}`)\n", row.title, row.unit, row.group)?;
            page += "| | median | p10 | p90 | p99 | rounds |\n|---|---|---|---|---|---|\n";
            for figure in &row.figures {
                let at = |percent| figure.percentile(percent).map_or("–".to_owned(), number);
                let who = match (&figure.absent, figure.role) {
                    (Some(why), _) => format!("{} ({why})", figure.who),
                    (None, Role::Ours) => format!("**{}**", figure.who),
                    (None, Role::Limit) => format!("{} (the limit)", figure.who),
                    (None, Role::Peer) => figure.who.clone(),
                };
                let (p50, p10, p90, p99) = (at(50), at(10), at(90), at(99));
                let rounds = figure.samples.len();
                writeln!(page, "| {who} | {p50} | {p10} | {p90} | {p99} | {rounds} |")?;
            }
            writeln!(page, "\n{}", row.machine)?;
        }
        page += "\n## Versions\n\n";
        for (name, version) in &self.versions {
            writeln!(page, "- {name}: {version}")?;
        }
        if !notes.is_empty() {
            write!(page, "\n{notes}")?;
        }
        Ok(page)
    }
}
