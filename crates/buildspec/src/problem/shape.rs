//! Problems of shape: what stands where, and what is missing.

use super::{CommandItem, Found, PHASE_KEYS, Problem, Rule, TOP_LEVEL_KEYS, found_subkeys, shown};
use crate::model::PhaseName;
use crate::suggest::likeliest;
use crate::yaml::Place;

/// Shapes: what kind of value stands where.
impl Problem {
    pub(crate) fn nothing_there() -> Self {
        Self::new(Rule::Missing, Place::START, "the buildspec is empty")
            .help("it begins with `version: 0.2` and has `phases`")
            .aws("wrong number of container tags, expected 1")
    }

    pub(crate) fn not_a_mapping(place: Place, found: Found) -> Self {
        let message = format!("a buildspec is a mapping, but here is {}", found.words());
        Self::new(Rule::WrongType, place, message)
            .help("it begins with `version: 0.2` and has `phases`")
            .aws("wrong number of container tags, expected 1")
    }

    pub(crate) fn expected_mapping(place: Place, path: &str, found: Found) -> Self {
        let message = format!("`{}` must be a mapping, but here is {}", shown(path), found.words());
        Self::new(Rule::WrongType, place, message)
    }

    pub(crate) fn expected_list(place: Place, path: &str, found: Found) -> Self {
        let message = format!("`{}` must be a list, but here is {}", shown(path), found.words());
        Self::new(Rule::WrongType, place, message)
            .help("each entry has a line of its own and begins with `- `")
    }

    pub(crate) fn expected_text(place: Place, path: &str, found: Found) -> Self {
        let message = format!("`{}` must be text, but here is {}", shown(path), found.words());
        Self::new(Rule::WrongType, place, message)
    }

    pub(crate) fn one_for_a_list(place: Place, path: &str) -> Self {
        let message = format!("`{}` is a list; this one value is taken as its only entry", path);
        Self::new(Rule::OneForAList, place, message).help("put `- ` before it")
    }

    /// CodeBuild names the item's line and the one before. `written` is the command as it stands.
    pub(crate) fn command_is_mapping(place: Place, item: CommandItem<'_>, written: &str) -> Self {
        let CommandItem { path, index, line } = item;
        let message = format!("`{path}[{index}]` is a mapping, not a command");
        Self::new(Rule::CommandNotText, place, message)
            .help(match quoted(written) {
                Some(quoted) => format!("a colon and a blank make a mapping; write: - {quoted}"),
                None => "a colon and a blank make a mapping: put quotes around the whole command, \
                         or write it behind `|`"
                    .to_owned(),
            })
            .aws(found_subkeys(index, line))
    }

    /// A command that begins with a brace.
    pub(crate) fn command_in_braces(place: Place, item: CommandItem<'_>, written: &str) -> Self {
        let CommandItem { path, index, line } = item;
        let message = format!("`{path}[{index}]` is a mapping, not a command");
        let problem =
            Self::new(Rule::CommandNotText, place, message).aws(found_subkeys(index, line));
        match quoted(written) {
            Some(quoted) => problem.help(format!("braces make a mapping; write: - {quoted}")),
            None => problem.help("a command that begins with `{` needs quotes, or `|` before it"),
        }
    }

    /// A command written as a list.
    pub(crate) fn command_is_list(place: Place, item: CommandItem<'_>) -> Self {
        let CommandItem { path, index, line } = item;
        let message = format!("`{path}[{index}]` is a list, not a command");
        Self::new(Rule::CommandNotText, place, message)
            .help("write the commands of an inner list as entries of the outer one")
            .aws(found_subkeys(index, line))
    }

    pub(crate) fn command_is_empty(place: Place, path: &str, index: usize) -> Self {
        let message = format!("`{path}[{index}]` is empty");
        Self::new(Rule::Empty, place, message).help("remove the dash")
    }

    pub(crate) fn unknown_key(place: Place, key: &str, path: &str, known: &[&str]) -> Self {
        let inside = if path.is_empty() { "a buildspec" } else { path };
        let message = format!("`{}` means nothing in {} and is ignored", shown(key), shown(inside));
        let problem = |rule| Self::new(rule, place, message);
        if let Some(belongs) = belongs(key, path) {
            return problem(Rule::MisplacedKey).help(belongs);
        }
        let problem = problem(Rule::UnknownKey);
        match likeliest(key, known.iter().copied()) {
            Some(name) => problem.help(format!("did you mean `{name}`?")),
            None => problem.help(format!("known here: {}", known.join(", "))),
        }
    }

    pub(crate) fn unknown_phase(place: Place, name: &str) -> Self {
        let expecting = PhaseName::ALL.map(PhaseName::key);
        let message = format!("there is no phase `{}`", shown(name));
        let problem = Self::new(Rule::UnknownPhase, place, message).aws(format!(
            "Invalid buildspec phase name: {}. Expecting: build,install,post_build,pre_build",
            shown(name)
        ));
        if PHASE_KEYS.contains(&name) {
            return problem.help(format!("`{name}` belongs to a phase: indent it more than that"));
        }
        if TOP_LEVEL_KEYS.contains(&name) {
            return problem
                .help(format!("`{name}` is no phase: indent it as far as `phases` itself"));
        }
        match likeliest(name, expecting) {
            Some(phase) => problem.help(format!("did you mean `{phase}`?")),
            None => problem.help(format!("the phases are {}", expecting.join(", "))),
        }
    }

    pub(crate) fn phase_case(place: Place, written: &str, phase: PhaseName) -> Self {
        let message = format!("`{written}` is taken for `{}`", phase.key());
        Self::new(Rule::PhaseCase, place, message).help("phases are written in lower case")
    }
}

/// What is missing.
impl Problem {
    pub(crate) fn version_missing(place: Place) -> Self {
        Self::new(Rule::Missing, place, "`version` is missing")
            .help("begin with `version: 0.2`")
            .aws("Invalid buildspec version: . Expecting: 0.1,0.2")
    }

    pub(crate) fn version_missing_in_batch(place: Place) -> Self {
        Self::new(Rule::NoVersion, place, "`version` is missing")
            .help("begin with `version: 0.2`, which AWS's guide asks for")
    }

    pub(crate) fn version_unknown(place: Place, text: &str) -> Self {
        let message = format!("there is no buildspec version `{}`", shown(text));
        Self::new(Rule::BadValue, place, message)
            .help("the versions are 0.1 and 0.2; take 0.2")
            .aws(format!("Invalid buildspec version: {}. Expecting: 0.1,0.2", shown(text)))
    }

    pub(crate) fn phases_missing(place: Place) -> Self {
        Self::new(Rule::Missing, place, "`phases` is missing")
            .help("add `phases` with at least one of install, pre_build, build, post_build")
            .aws("wrong number of container tags, expected 1")
    }

    pub(crate) fn no_phase(place: Place) -> Self {
        Self::new(Rule::Empty, place, "`phases` is empty; no command will run")
    }

    // AWS: a phase without commands is recorded and does nothing, although the guide asks for some.
    pub(crate) fn no_commands(place: Place, phase: PhaseName) -> Self {
        let message = match phase {
            PhaseName::Install => {
                "the phase `install` has neither commands nor runtime versions".to_owned()
            }
            PhaseName::PreBuild | PhaseName::Build | PhaseName::PostBuild => {
                format!("the phase `{}` has no commands; nothing will run", phase.key())
            }
        };
        Self::new(Rule::Empty, place, message).help("add `commands`, or remove it")
    }

    pub(crate) fn required(place: Place, path: &str, key: &str) -> Self {
        let message = format!("`{}` has no `{key}`", shown(path));
        Self::new(Rule::Missing, place, message).help(format!("add `{key}`"))
    }

    pub(crate) fn files_missing(place: Place) -> Self {
        let message = "`artifacts` has no `files`; the primary artifact will hold nothing";
        Self::new(Rule::NoFiles, place, message)
            .help("add `files`, also where only the secondary artifacts are wanted")
    }

    pub(crate) fn section_empty(place: Place, path: &str) -> Self {
        let message = format!("`{}` is empty and has no effect", shown(path));
        Self::new(Rule::Empty, place, message)
    }
}

/// A command in single quotes, if that is short enough to be shown.
fn quoted(written: &str) -> Option<String> {
    const SHOWN_MAX: usize = 100;
    let fits = written.chars().count() <= SHOWN_MAX && !written.is_empty();
    let is_plain = !written.chars().any(char::is_control);
    (fits && is_plain).then(|| format!("'{}'", written.replace('\'', "''")))
}

/// Where a key that a buildspec knows belongs, if it stands elsewhere.
fn belongs(key: &str, path: &str) -> Option<String> {
    let section = match key {
        "install" | "pre_build" | "build" | "post_build" => "phases",
        "shell"
        | "variables"
        | "parameter-store"
        | "secrets-manager"
        | "exported-variables"
        | "git-credential-helper" => "env",
        "secondary-artifacts"
        | "discard-paths"
        | "enable-symlinks"
        | "s3-prefix"
        | "exclude-paths" => "artifacts",
        "files" if path.is_empty() => "artifacts",
        "paths" | "fallback-keys" if path != "cache" => "cache",
        "runtime-versions" => "phases.install",
        "commands" | "finally" | "on-failure" if !path.starts_with("phases.") => "a phase",
        "build-list" | "build-graph" | "build-matrix" | "build-fanout" | "fast-fail" => "batch",
        key if TOP_LEVEL_KEYS.contains(&key) && !path.is_empty() => {
            return Some(format!("`{key}` is a section of its own: do not indent it"));
        }
        _ => return None,
    };
    let root = path.split('.').next().unwrap_or_default();
    (root != section).then(|| match section {
        "a phase" => "it belongs to a phase, such as `phases.build`".to_owned(),
        section => format!("it belongs under `{section}`"),
    })
}
