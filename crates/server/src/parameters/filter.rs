//! The filters of lists, and what stands below a path. Pure.

use super::{
    kept::{Kept, Version},
    refusal,
};
use wire::{
    ServiceError,
    ssm::{ParameterStringFilter, ParametersFilter, ParametersFilterKey},
};

/// What filters an operation takes: keys, and what an error says of them.
pub(super) type Allowed = &'static [&'static str];

/// GetParametersByPath's.
pub(super) const BY_PATH: Allowed = &["Type", "KeyId", "Label"];

/// DescribeParameters'.
pub(super) const DESCRIBE: Allowed =
    &["Name", "Type", "KeyId", "Path", "Label", "Tier", "DataType", "tag:"];

/// Filters that make sense.
pub(super) struct Filters(Vec<Filter>);

struct Filter {
    key: String,
    how: How,
    values: Vec<String>,
}

#[derive(Clone, Copy)]
enum How {
    Equals,
    BeginsWith,
    Contains,
    OneLevel,
    Recursive,
}

impl Filters {
    /// Reads filters, and refuses those that make no sense.
    pub(super) fn new(
        filters: Vec<ParameterStringFilter>,
        allowed: Allowed,
    ) -> Result<Self, ServiceError> {
        let filters = filters.into_iter().map(|filter| {
            let ParameterStringFilter { key, option, values } = filter;
            let known = allowed.iter().any(|allowed| match allowed.ends_with(':') {
                true => key.starts_with(allowed),
                false => key == *allowed,
            });
            if !known {
                return Err(refusal::filter_key(&key, &allowed.join(", ")));
            }
            let how = how(&key, option.as_deref())?;
            let values = values.unwrap_or_default();
            // AWS: a tag's key alone asks for every value of it.
            if values.is_empty() && !key.starts_with("tag:") {
                return Err(refusal::filter_values(&key));
            }
            Ok(Filter { key, how, values })
        });
        filters.collect::<Result<_, _>>().map(Self)
    }

    /// The older kind: names by their beginning, all else as it is.
    pub(super) fn of_older(filters: Vec<ParametersFilter>) -> Self {
        let filters = filters.into_iter().map(|ParametersFilter { key, values }| Filter {
            how: match key {
                ParametersFilterKey::Name => How::BeginsWith,
                ParametersFilterKey::Type
                | ParametersFilterKey::KeyId
                | ParametersFilterKey::Unknown(_) => How::Equals,
            },
            key: key.as_str().to_owned(),
            values,
        });
        Self(filters.collect())
    }

    /// Whether a parameter fits all of them.
    pub(super) fn fit(&self, kept: &Kept) -> bool {
        self.0.iter().all(|filter| filter.fits(kept))
    }

    /// The version that is shown of a parameter that fits: the one with the label asked for.
    pub(super) fn version<'a>(&self, kept: &'a Kept) -> &'a Version {
        let labels = self.0.iter().filter(|filter| filter.key == "Label");
        let mut labels = labels.flat_map(|filter| &filter.values);
        labels
            .find_map(|label| kept.versions.iter().find(|version| version.has(label)))
            .unwrap_or_else(|| kept.newest())
    }
}

impl Filter {
    fn fits(&self, kept: &Kept) -> bool {
        let newest = kept.newest();
        let any = |text: &str| self.values.iter().any(|value| self.how.fits(text, value));
        match self.key.as_str() {
            "Name" | "Path" => any(&kept.name),
            "Type" => any(newest.kind.as_str()),
            "KeyId" => newest.key_id.as_deref().is_some_and(any),
            "Tier" => any(newest.tier.as_str()),
            "DataType" => any(&newest.data_type),
            "Label" => kept.versions.iter().flat_map(|version| &version.labels).any(|l| any(l)),
            key => {
                let held = key.strip_prefix("tag:").and_then(|tag| kept.tags.get(tag));
                held.is_some_and(|held| self.values.is_empty() || any(held))
            }
        }
    }
}

impl How {
    fn fits(self, text: &str, value: &str) -> bool {
        match self {
            Self::Equals => text == value,
            Self::BeginsWith => text.starts_with(value),
            Self::Contains => text.contains(value),
            Self::OneLevel => is_below(text, value, false),
            Self::Recursive => is_below(text, value, true),
        }
    }
}

fn how(key: &str, option: Option<&str>) -> Result<How, ServiceError> {
    match (key, option) {
        ("Path", None | Some("OneLevel")) => Ok(How::OneLevel),
        ("Path", Some("Recursive")) => Ok(How::Recursive),
        ("Path", Some(other)) => Err(refusal::filter_option(other, "Recursive, OneLevel")),
        (_, None | Some("Equals")) => Ok(How::Equals),
        (_, Some("BeginsWith")) => Ok(How::BeginsWith),
        ("Name", Some("Contains")) => Ok(How::Contains),
        (_, Some(other)) => Err(refusal::filter_option(other, "BeginsWith, Equals")),
    }
}

/// Whether a name stands below a path: just below it, or anywhere.
pub(super) fn is_below(name: &str, path: &str, deep: bool) -> bool {
    let path = path.strip_suffix('/').unwrap_or(path);
    // AWS: a name that is no path stands at the root.
    let rest = match (path.is_empty(), name.strip_prefix('/')) {
        (true, Some(rest)) => Some(rest),
        (true, None) => Some(name),
        (false, _) => name.strip_prefix(path).and_then(|rest| rest.strip_prefix('/')),
    };
    rest.is_some_and(|rest| deep || !rest.contains('/'))
}

#[cfg(test)]
mod tests {
    use super::is_below;

    #[test]
    fn a_path_has_levels() {
        assert!(is_below("/a/b", "/a", false) && is_below("/a/b", "/a/", false));
        assert!(!is_below("/a/b/c", "/a", false) && is_below("/a/b/c", "/a", true));
        assert!(!is_below("/ab/c", "/a", true) && !is_below("/a", "/a", true));
        assert!(is_below("/a", "/", false) && is_below("a", "/", false));
        assert!(!is_below("/a/b", "/", false));
    }
}
