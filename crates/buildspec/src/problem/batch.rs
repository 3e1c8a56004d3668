//! Problems of batches.

use super::{Problem, Rule, shown};
use crate::suggest::likeliest;
use crate::yaml::Place;

/// Batches.
impl Problem {
    pub(crate) fn batch_kind_missing(place: Place, kinds: &[&str]) -> Self {
        Self::new(Rule::Missing, place, "`batch` does not say which builds there are")
            .help(format!("add one of {}", kinds.join(", ")))
    }

    pub(crate) fn many_builds(place: Place, builds: u64) -> Self {
        let message = format!("the batch has {builds} builds");
        Self::new(Rule::TooMany, place, message)
            .help("100 are allowed unless the project's `maximumBuildsAllowed` says more")
    }

    pub(crate) fn batch_kind_twice(place: Place, key: &str, first: &str) -> Self {
        let message = format!("`batch` has `{first}` already; `{key}` cannot stand beside it");
        Self::new(Rule::Conflict, place, message).help("keep one of them")
    }

    pub(crate) fn identifier_twice(place: Place, identifier: &str) -> Self {
        let message = format!("the identifier `{}` is taken already", shown(identifier));
        Self::new(Rule::Conflict, place, message)
    }

    pub(crate) fn depends_on_unknown<'k>(
        place: Place,
        name: &str,
        known: impl Iterator<Item = &'k str>,
    ) -> Self {
        let message = format!("no build has the identifier `{}`", shown(name));
        let problem = Self::new(Rule::BadValue, place, message);
        match likeliest(name, known) {
            Some(known) => problem.help(format!("did you mean `{known}`?")),
            None => problem,
        }
    }

    pub(crate) fn depends_on_itself(place: Place, circle: &[&str]) -> Self {
        let message = format!("builds wait for each other: {}", shown(&circle.join(" -> ")));
        Self::new(Rule::Conflict, place, message)
    }

    pub(crate) fn depends_on_in_list(place: Place) -> Self {
        let message = "builds of a `build-list` wait for nothing; `depend-on` is ignored";
        Self::new(Rule::MisplacedKey, place, message).help("use `build-graph`")
    }

    pub(crate) fn fleet_and_compute_type(place: Place, path: &str) -> Self {
        let message = format!("`{path}` has both `compute-type` and `fleet`");
        Self::new(Rule::Conflict, place, message).help("remove one of them")
    }
}
