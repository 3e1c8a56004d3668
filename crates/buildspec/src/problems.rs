//! The problems of one buildspec while they are being found.

use crate::allow::Allowed;
use crate::limits::PROBLEMS_MAX;
use crate::problem::{Problem, Severity};

/// Collects problems, and no more than anyone would read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Problems {
    allowed: Allowed,
    errors: Vec<Problem>,
    warnings: Vec<Problem>,
    /// How many were too many to be kept.
    untold: usize,
}

impl Problems {
    /// Heeds what comments have switched off.
    pub(crate) fn allow(&mut self, allowed: Allowed) {
        self.allowed = allowed;
    }

    /// Keeps a problem, unless there are [`PROBLEMS_MAX`] of its severity already or a comment has
    /// switched it off.
    pub(crate) fn push(&mut self, problem: Problem) {
        if self.allowed.covers(&problem) {
            return;
        }
        let kept = match problem.severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        };
        if kept.len() < PROBLEMS_MAX {
            kept.push(problem);
        } else {
            self.untold += 1;
        }
    }

    /// How many problems there are beside those that are told; at least, for not all are looked for.
    pub(crate) fn untold(&self) -> usize {
        self.untold
    }

    /// Whether one more problem of this severity would be kept; if not, it counts as untold.
    pub(crate) fn has_room(&mut self, severity: Severity) -> bool {
        let kept = match severity {
            Severity::Error => &self.errors,
            Severity::Warning => &self.warnings,
        };
        let has_room = kept.len() < PROBLEMS_MAX;
        self.untold += usize::from(!has_room);
        has_room
    }

    /// Whether the buildspec cannot be used.
    pub(crate) fn has_errors(&self) -> bool {
        !self.errors.is_empty()
    }

    /// All of them in the order of their places; at the same place errors come first.
    pub(crate) fn into_sorted(self) -> Vec<Problem> {
        let mut all = self.errors;
        all.extend(self.warnings);
        all.sort_by_key(|problem| (problem.line, problem.column));
        all
    }
}
