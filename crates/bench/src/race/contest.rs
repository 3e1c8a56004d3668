//! Contestants take turns, so that what else happens on the machine happens to all alike.

use super::table::{Figure, Role};
use anyhow::{Context, Result};
use std::time::{Duration, Instant};

/// What one turn gives: a figure for each row of the group.
pub(super) type Figures = Vec<f64>;

/// One who takes part.
pub(super) struct Contestant<'a> {
    who: String,
    role: Role,
    turn: Box<dyn FnMut() -> Result<Figures> + 'a>,
}

/// Those who take part, and how long it may last.
pub(super) struct Contest<'a> {
    contestants: Vec<Contestant<'a>>,
    rounds: usize,
    /// How long each may take with all of its turns: it has no other once it has taken so long.
    budget: Duration,
}

/// Who has so many turns in its budget has one more, at the beginning, that does not count.
const ROUNDS_MIN: u32 = 3;

impl<'a> Contest<'a> {
    pub(super) fn of(rounds: usize, budget: Duration) -> Self {
        Self { contestants: Vec::new(), rounds, budget }
    }

    pub(super) fn add(
        &mut self,
        who: &str,
        role: Role,
        turn: impl FnMut() -> Result<Figures> + 'a,
    ) {
        self.contestants.push(Contestant { who: who.to_owned(), role, turn: Box::new(turn) });
    }

    /// Runs all rounds; gives the figures of each of `rows` rows. The first round does not count for
    /// those who have the time for others.
    pub(super) fn run(self, rows: usize) -> Result<Vec<Vec<Figure>>> {
        let Self { mut contestants, rounds, budget } = self;
        let mut taken = vec![Duration::ZERO; contestants.len()];
        let mut samples = vec![vec![Vec::new(); rows]; contestants.len()];
        let mut failed: Vec<Option<String>> = vec![None; contestants.len()];
        for round in 0..=rounds {
            for (at, contestant) in contestants.iter_mut().enumerate() {
                if taken[at] > budget || failed[at].is_some() {
                    continue;
                }
                let began = Instant::now();
                let turn = (contestant.turn)();
                taken[at] += began.elapsed();
                match turn {
                    Ok(figures) if round > 0 || taken[at] * ROUNDS_MIN > budget => {
                        for (row, figure) in samples[at].iter_mut().zip(figures) {
                            row.push(figure);
                        }
                    }
                    Ok(_) => {}
                    Err(error) if contestant.role == Role::Peer => {
                        failed[at] = Some(format!("failed: {error:#}").replace('\n', " "));
                    }
                    Err(error) => return Err(error).context(contestant.who.clone()),
                }
            }
        }
        let mut found = vec![Vec::new(); rows];
        for ((contestant, samples), failed) in contestants.iter().zip(samples).zip(failed) {
            for (row, samples) in found.iter_mut().zip(samples) {
                row.push(match &failed {
                    Some(why) => Figure::absent(&contestant.who, contestant.role, why),
                    None => Figure::of(&contestant.who, contestant.role, samples),
                });
            }
        }
        Ok(found)
    }
}
