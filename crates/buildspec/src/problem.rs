//! Every sentence about a buildspec that a user can read, each behind a constructor of its own.
//!
//! It must not know how problems are found; only what they are and how they are told.

use crate::limits::{DEPTH_MAX, EXPANDED_BYTES_MAX, NODES_MAX, TEXT_BYTES_MAX};
use crate::model::PhaseName;
use crate::on_failure::OnFailureError;
use crate::secret::SecretReferenceError;
use crate::suggest::likeliest;
use crate::yaml::Place;

/// How much a problem matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The buildspec can be used; something in it may not be what its author meant.
    Warning,
    /// The buildspec cannot be used.
    Error,
}

/// What kind of problem it is, for programs that must tell kinds apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProblemCode {
    /// The text is not YAML.
    Syntax,
    /// The text, or what its aliases stand for, is larger than allowed.
    TooLarge,
    /// Lists and mappings are nested deeper than allowed.
    TooDeep,
    /// An alias without an anchor, or inside its own anchor.
    Alias,
    /// A merge key without a mapping.
    Merge,
    /// The same key twice.
    DuplicateKey,
    /// A tag, which a buildspec has no use for.
    Tag,
    /// A second document.
    ExtraDocument,
    /// There is nothing, or nothing where something must be.
    Missing,
    /// A list where text belongs, and the like.
    WrongType,
    /// A command that YAML made a mapping.
    CommandNotText,
    /// A key that means nothing here.
    UnknownKey,
    /// A phase that does not exist.
    UnknownPhase,
    /// A value out of its range or set.
    BadValue,
    /// Two things that exclude each other.
    Conflict,
    /// Something that has no effect.
    NoEffect,
    /// Something that is probably not meant.
    Suspicious,
}

/// One problem and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// How much it matters.
    pub severity: Severity,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// How many characters of the line are meant, at least 1.
    pub width: usize,
    /// What kind of problem it is.
    pub code: ProblemCode,
    /// What is wrong.
    pub message: String,
    /// What would be right, when that is known.
    pub help: Option<String>,
    aws_message: Option<String>,
}

/// What a node turned out to be, in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Nothing,
    Text,
    List,
    Mapping,
}

impl Found {
    fn words(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Text => "text",
            Self::List => "a list",
            Self::Mapping => "a mapping",
        }
    }
}

impl Problem {
    /// The wording for the phase context `YAML_FILE_ERROR`: CodeBuild's own where it is known.
    pub fn aws_message(&self) -> String {
        match &self.aws_message {
            Some(message) => message.clone(),
            None => format!("{} at line {}", self.message, self.line),
        }
    }

    fn new(severity: Severity, code: ProblemCode, place: Place, message: String) -> Self {
        let Place { line, column, width } = place;
        Self { severity, line, column, width, code, message, help: None, aws_message: None }
    }

    fn error(code: ProblemCode, place: Place, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, place, message.into())
    }

    fn warning(code: ProblemCode, place: Place, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, place, message.into())
    }

    fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    fn aws(self, message: impl Into<String>) -> Self {
        Self { aws_message: Some(message.into()), ..self }
    }
}

/// The text and its YAML.
impl Problem {
    pub(crate) fn text_too_large(bytes: usize) -> Self {
        let message = format!("the buildspec has {bytes} bytes, more than {TEXT_BYTES_MAX}");
        Self::error(ProblemCode::TooLarge, Place::START, message)
    }

    pub(crate) fn too_many_values(place: Place) -> Self {
        let message = format!("the buildspec holds more than {NODES_MAX} values");
        Self::error(ProblemCode::TooLarge, place, message)
            .help("each use of an alias counts as all that its anchor holds")
            .aws("document contains excessive aliasing")
    }

    pub(crate) fn too_much_text(place: Place) -> Self {
        let message = format!(
            "with its aliases written out the buildspec is over {EXPANDED_BYTES_MAX} bytes"
        );
        Self::error(ProblemCode::TooLarge, place, message)
            .aws("document contains excessive aliasing")
    }

    pub(crate) fn too_deep(place: Place) -> Self {
        let message = format!("lists and mappings are nested deeper than {DEPTH_MAX} levels");
        Self::error(ProblemCode::TooDeep, place, message)
    }

    pub(crate) fn control_character(place: Place, char: char) -> Self {
        let message = format!("the character U+{:04X} is not allowed in YAML", u32::from(char));
        Self::error(ProblemCode::Syntax, place, message)
            .help("write it as an escape in double quotes, or remove it")
            .aws("control characters are not allowed")
    }

    /// `said` is the sentence of the YAML library that CodeBuild uses.
    pub(crate) fn syntax(place: Place, said: &str, help: Option<String>) -> Self {
        let problem = Self::error(ProblemCode::Syntax, place, format!("this is not YAML: {said}"))
            .aws(format!("{said} at line {}", place.line));
        Self { help, ..problem }
    }

    pub(crate) fn unknown_alias(place: Place, name: &str) -> Self {
        let name = &*shown(name);
        let message = format!("`*{name}` refers to an anchor that is not defined before it");
        let problem = Self::error(ProblemCode::Alias, place, message).aws(
            match name.starts_with(|char: char| char.is_alphanumeric()) {
                true => format!("unknown anchor '{name}' referenced"),
                false => format!("{NO_ANCHOR_NAME} at line {}", place.line),
            },
        );
        if name.contains(['.', '/', '*']) {
            return problem
                .help(format!("a pattern that begins with a star needs quotes: '*{name}'"));
        }
        problem.help(format!("define it with `&{name}`, or put quotes around a text with a star"))
    }

    pub(crate) fn alias_in_itself(place: Place) -> Self {
        let message = "this alias stands inside the value that it refers to";
        Self::error(ProblemCode::Alias, place, message).aws("anchor value contains itself")
    }

    pub(crate) fn merge_of(place: Place, found: Found) -> Self {
        let message = format!("`<<` merges mappings, but here is {}", found.words());
        Self::error(ProblemCode::Merge, place, message)
            .help("write `<<: *anchor`, or `<<: [*one, *two]`")
            .aws("map merge requires map or sequence of maps as the value")
    }

    pub(crate) fn key_not_text(place: Place, found: Found) -> Self {
        let message = format!("a key must be text, but here is {}", found.words());
        Self::error(ProblemCode::WrongType, place, message)
            .help("a value that begins with `{` or `[` needs quotes to be text")
    }

    pub(crate) fn duplicate_key(place: Place, key: &str, first: Place) -> Self {
        let message = format!("`{}` stands here a second time; this one counts", shown(key));
        Self::warning(ProblemCode::DuplicateKey, place, message)
            .help(format!("the first is in line {}; remove one", first.line))
    }

    pub(crate) fn tag(place: Place, tag: &str) -> Self {
        let message = format!("the tag `{}` has no meaning in a buildspec", shown(tag));
        Self::warning(ProblemCode::Tag, place, message)
            .help("the value is taken as it stands, without being computed")
    }

    pub(crate) fn extra_document(place: Place) -> Self {
        let message = "only the first document is read; a second one begins here";
        Self::warning(ProblemCode::ExtraDocument, place, message)
    }
}

/// Shapes: what kind of value stands where.
impl Problem {
    pub(crate) fn nothing_there() -> Self {
        Self::error(ProblemCode::Missing, Place::START, "the buildspec is empty")
            .help("it begins with `version: 0.2` and has `phases`")
            .aws("wrong number of container tags, expected 1")
    }

    pub(crate) fn not_a_mapping(place: Place, found: Found) -> Self {
        let message = format!("a buildspec is a mapping, but here is {}", found.words());
        Self::error(ProblemCode::WrongType, place, message)
            .help("it begins with `version: 0.2` and has `phases`")
            .aws("wrong number of container tags, expected 1")
    }

    pub(crate) fn expected_mapping(place: Place, path: &str, found: Found) -> Self {
        let message = format!("`{}` must be a mapping, but here is {}", shown(path), found.words());
        Self::error(ProblemCode::WrongType, place, message)
    }

    pub(crate) fn expected_list(place: Place, path: &str, found: Found) -> Self {
        let message = format!("`{}` must be a list, but here is {}", shown(path), found.words());
        Self::error(ProblemCode::WrongType, place, message)
            .help("each entry has a line of its own and begins with `- `")
    }

    pub(crate) fn expected_text(place: Place, path: &str, found: Found) -> Self {
        let message = format!("`{}` must be text, but here is {}", shown(path), found.words());
        Self::error(ProblemCode::WrongType, place, message)
    }

    pub(crate) fn one_for_a_list(place: Place, path: &str) -> Self {
        let message = format!("`{}` is a list; this one value is taken as its only entry", path);
        Self::warning(ProblemCode::WrongType, place, message).help("put `- ` before it")
    }

    /// `line` is the item's own line; CodeBuild names it and the one before.
    pub(crate) fn command_is_mapping(place: Place, item: CommandItem<'_>) -> Self {
        let CommandItem { path, index, line } = item;
        let message = format!("`{path}[{index}]` is a mapping, not a command");
        Self::error(ProblemCode::CommandNotText, place, message)
            .help("a colon and a space make a mapping: put quotes around the whole command")
            .aws(found_subkeys(index, line))
    }

    /// A command that begins with a brace.
    pub(crate) fn command_in_braces(place: Place, item: CommandItem<'_>) -> Self {
        let CommandItem { path, index, line } = item;
        let message = format!("`{path}[{index}]` is a mapping, not a command");
        Self::error(ProblemCode::CommandNotText, place, message)
            .help("a command that begins with `{` needs quotes, or `|` before it")
            .aws(found_subkeys(index, line))
    }

    /// A command written as a list.
    pub(crate) fn command_is_list(place: Place, item: CommandItem<'_>) -> Self {
        let CommandItem { path, index, line } = item;
        let message = format!("`{path}[{index}]` is a list, not a command");
        Self::error(ProblemCode::CommandNotText, place, message)
            .help("write the commands of an inner list as entries of the outer one")
            .aws(found_subkeys(index, line))
    }

    pub(crate) fn command_is_empty(place: Place, path: &str, index: usize) -> Self {
        let message = format!("`{path}[{index}]` is empty");
        Self::warning(ProblemCode::NoEffect, place, message).help("remove the dash")
    }

    pub(crate) fn unknown_key(place: Place, key: &str, path: &str, known: &[&str]) -> Self {
        let inside = if path.is_empty() { "a buildspec" } else { path };
        let message = format!("`{}` means nothing in {} and is ignored", shown(key), shown(inside));
        let problem = Self::warning(ProblemCode::UnknownKey, place, message);
        match likeliest(key, known.iter().copied()) {
            Some(name) => problem.help(format!("did you mean `{name}`?")),
            None => problem.help(format!("known here: {}", known.join(", "))),
        }
    }

    pub(crate) fn misplaced_key(place: Place, key: &str, belongs: &str) -> Self {
        let message = format!("`{key}` means nothing here and is ignored");
        Self::warning(ProblemCode::UnknownKey, place, message)
            .help(format!("it belongs under `{belongs}`"))
    }

    pub(crate) fn unknown_phase(place: Place, name: &str) -> Self {
        let expecting = PhaseName::ALL.map(PhaseName::key);
        let message = format!("there is no phase `{}`", shown(name));
        let problem = Self::error(ProblemCode::UnknownPhase, place, message).aws(format!(
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
        Self::warning(ProblemCode::UnknownPhase, place, message)
            .help("phases are written in lower case")
    }
}

/// What is missing.
impl Problem {
    pub(crate) fn version_missing(place: Place) -> Self {
        Self::error(ProblemCode::Missing, place, "`version` is missing")
            .help("begin with `version: 0.2`")
            .aws("Invalid buildspec version: . Expecting: 0.1,0.2")
    }

    pub(crate) fn version_unknown(place: Place, text: &str) -> Self {
        let message = format!("there is no buildspec version `{}`", shown(text));
        Self::error(ProblemCode::BadValue, place, message)
            .help("the versions are 0.1 and 0.2; take 0.2")
            .aws(format!("Invalid buildspec version: {}. Expecting: 0.1,0.2", shown(text)))
    }

    pub(crate) fn phases_missing(place: Place) -> Self {
        Self::error(ProblemCode::Missing, place, "`phases` is missing")
            .help("add `phases` with at least one of install, pre_build, build, post_build")
            .aws("wrong number of container tags, expected 1")
    }

    pub(crate) fn no_phase(place: Place) -> Self {
        Self::warning(ProblemCode::NoEffect, place, "`phases` is empty; no command will run")
    }

    pub(crate) fn no_commands(place: Place, phase: PhaseName) -> Self {
        let key = phase.key();
        Self::error(ProblemCode::Missing, place, format!("the phase `{key}` has no commands"))
            .help(format!("add `commands` to it, or remove `{key}`"))
            .aws(format!("Commands of phase {key} must not be empty"))
    }

    pub(crate) fn nothing_to_install(place: Place) -> Self {
        let message = "the phase `install` has neither commands nor runtime versions";
        Self::warning(ProblemCode::NoEffect, place, message).help("remove it")
    }

    pub(crate) fn required(place: Place, path: &str, key: &str) -> Self {
        let message = format!("`{}` has no `{key}`", shown(path));
        Self::error(ProblemCode::Missing, place, message).help(format!("add `{key}`"))
    }

    pub(crate) fn files_missing(place: Place) -> Self {
        let message = "`artifacts` has no `files`; the primary artifact will hold nothing";
        Self::warning(ProblemCode::Missing, place, message)
            .help("add `files`, also where only the secondary artifacts are wanted")
    }

    pub(crate) fn section_empty(place: Place, path: &str) -> Self {
        let message = format!("`{}` is empty and has no effect", shown(path));
        Self::warning(ProblemCode::NoEffect, place, message)
    }
}

/// Values.
impl Problem {
    pub(crate) fn not_a_flag(place: Place, path: &str, text: &str) -> Self {
        let message = format!("`{path}` is `yes` or `no`, not `{}`", shown(text));
        Self::error(ProblemCode::BadValue, place, message)
    }

    pub(crate) fn not_a_number(place: Place, path: &str, text: &str) -> Self {
        let message = format!("`{path}` is a whole number from 1 on, not `{}`", shown(text));
        Self::error(ProblemCode::BadValue, place, message)
    }

    pub(crate) fn not_one_of(place: Place, value: Value<'_>, known: &[&str]) -> Self {
        let Value { path, text } = value;
        let message = format!("`{}` cannot be `{}`", shown(path), shown(text));
        let problem = Self::error(ProblemCode::BadValue, place, message);
        match likeliest(text, known.iter().copied()) {
            Some(name) => problem.help(format!("did you mean `{name}`?")),
            None => problem.help(format!("it is one of {}", known.join(", "))),
        }
    }

    pub(crate) fn on_failure(place: Place, value: Value<'_>, error: &OnFailureError) -> Self {
        let Value { path, text } = value;
        let message = format!("`{path}` cannot be `{}`: {error}", shown(text));
        let problem = Self::error(ProblemCode::BadValue, place, message);
        let word = text.split('-').next().unwrap_or_default();
        match likeliest(word, ["ABORT", "CONTINUE", "RETRY"]) {
            Some(name) if *error == OnFailureError::Word && !word.eq_ignore_ascii_case(name) => {
                problem.help(format!("did you mean `{name}`?"))
            }
            _ => problem
                .help("ABORT, CONTINUE, RETRY, RETRY-<0 to 100>, RETRY-<regex>, RETRY-<n>-<regex>"),
        }
    }

    pub(crate) fn secret(place: Place, value: Value<'_>, error: SecretReferenceError) -> Self {
        let Value { path, text } = value;
        let message = format!("`{path}` cannot be `{}`: {error}", shown(text));
        Self::error(ProblemCode::BadValue, place, message)
            .help("it is <secret-id>:<json-key>:<version-stage>:<version-id>, the last three free")
    }

    pub(crate) fn variable_name(place: Place, name: &str) -> Self {
        let message = format!("`{}` cannot be the name of a variable", shown(name));
        Self::error(ProblemCode::BadValue, place, message)
            .help("a name is not empty and holds neither `=` nor a NUL character")
    }

    pub(crate) fn variable_value(place: Place, name: &str) -> Self {
        let message = format!("the value of `{}` holds a NUL character", shown(name));
        Self::error(ProblemCode::BadValue, place, message)
    }

    pub(crate) fn command_with_nul(place: Place, path: &str, index: usize) -> Self {
        let message = format!("`{path}[{index}]` holds a NUL character, which no shell can read");
        Self::error(ProblemCode::BadValue, place, message)
    }

    pub(crate) fn variable_name_unreachable(place: Place, name: &str) -> Self {
        let message = format!("a shell cannot refer to a variable named `{}`", shown(name));
        Self::warning(ProblemCode::Suspicious, place, message)
            .help("use letters, digits and underscores, and no digit first")
    }

    pub(crate) fn variable_reserved(place: Place, name: &str) -> Self {
        let message = format!("`{}`: names that begin with CODEBUILD_ are reserved", shown(name));
        Self::warning(ProblemCode::Suspicious, place, message)
    }

    pub(crate) fn not_exportable(place: Place, name: &str) -> Self {
        let message = format!("`{}` is not exported: its name begins with AWS_", shown(name));
        Self::warning(ProblemCode::NoEffect, place, message).help("export it under another name")
    }

    pub(crate) fn shell_unknown(place: Place, text: &str) -> Self {
        let message = format!("`env.shell` names the program `{}`", shown(text));
        Self::warning(ProblemCode::BadValue, place, message)
            .help("CodeBuild knows bash and /bin/sh, powershell.exe and cmd.exe")
    }

    pub(crate) fn run_as_unusable(place: Place, path: &str, text: &str) -> Self {
        let message = format!("`{path}` cannot be `{}`", shown(text));
        Self::error(ProblemCode::BadValue, place, message)
            .help("it is the name of a user that the image has")
    }

    pub(crate) fn old_variables(place: Place) -> Self {
        let message = "`environment_variables` belongs to version 0.1 and is ignored";
        Self::warning(ProblemCode::NoEffect, place, message).help("in 0.2 it is `env.variables`")
    }

    pub(crate) fn artifact_type(place: Place) -> Self {
        let message = "`artifacts.type` is ignored; the project says where artifacts go";
        Self::warning(ProblemCode::NoEffect, place, message).help("remove it")
    }

    pub(crate) fn runtimes_outside_install(place: Place, phase: PhaseName) -> Self {
        let message = format!("`runtime-versions` means nothing in `{}`", phase.key());
        Self::warning(ProblemCode::NoEffect, place, message)
            .help("move it to `phases.install`; it is ignored here")
    }

    pub(crate) fn too_many_reports(place: Place, max: usize) -> Self {
        let message = format!("a build has at most {max} report groups; this is one more");
        Self::warning(ProblemCode::BadValue, place, message)
    }

    pub(crate) fn too_many_fallback_keys(place: Place, max: usize) -> Self {
        let message = format!("`cache.fallback-keys` has at most {max} entries; this is one more");
        Self::error(ProblemCode::BadValue, place, message).help("remove it")
    }

    pub(crate) fn fallback_without_key(place: Place) -> Self {
        let message = "`cache.fallback-keys` is ignored without `cache.key`";
        Self::warning(ProblemCode::NoEffect, place, message).help("add `key`")
    }
}

/// What runs, and is probably not meant.
impl Problem {
    pub(crate) fn not_expanded(place: Place, reference: &str) -> Self {
        let message = format!("`{}` stays as it is: values are not expanded", shown(reference));
        Self::warning(ProblemCode::Suspicious, place, message)
            .help("set the variable with `export` in a command, which a shell does expand")
    }

    pub(crate) fn zero_lost(place: Place, version: &str) -> Self {
        let short = version.trim_end_matches('0').trim_end_matches('.');
        let message = format!("`{version}` without quotes is the number {short} to other programs");
        Self::warning(ProblemCode::Suspicious, place, message)
            .help(format!("put quotes around it: \"{version}\""))
    }

    pub(crate) fn double_bracket(place: Place) -> Self {
        let message = "`[[` is no part of `sh`, which runs this command";
        Self::warning(ProblemCode::Suspicious, place, message)
            .help("set `env.shell` to bash, or use `[`")
    }

    pub(crate) fn hidden_status(place: Place, hidden: &str) -> Self {
        let message = format!("a failure of `{}` will not be noticed", shown(hidden));
        Self::warning(ProblemCode::Suspicious, place, message)
            .help("only the last command after `;` counts: use `&&`, or an entry for each")
    }

    pub(crate) fn deploys_after_failure(place: Place, deploy: &str) -> Self {
        let message = format!("`{deploy}` in post_build also runs after a failed build phase");
        Self::warning(ProblemCode::Suspicious, place, message)
            .help("set `on-failure: ABORT` in `build`, or ask for CODEBUILD_BUILD_SUCCEEDING first")
    }
}

/// Batches.
impl Problem {
    pub(crate) fn batch_kind_missing(place: Place, kinds: &[&str]) -> Self {
        Self::error(ProblemCode::Missing, place, "`batch` does not say which builds there are")
            .help(format!("add one of {}", kinds.join(", ")))
    }

    pub(crate) fn batch_kind_twice(place: Place, key: &str, first: &str) -> Self {
        let message = format!("`batch` has `{first}` already; `{key}` cannot stand beside it");
        Self::error(ProblemCode::Conflict, place, message).help("keep one of them")
    }

    pub(crate) fn identifier_twice(place: Place, identifier: &str) -> Self {
        let message = format!("the identifier `{}` is taken already", shown(identifier));
        Self::error(ProblemCode::Conflict, place, message)
    }

    pub(crate) fn depends_on_unknown<'k>(
        place: Place,
        name: &str,
        known: impl Iterator<Item = &'k str>,
    ) -> Self {
        let message = format!("no build has the identifier `{}`", shown(name));
        let problem = Self::error(ProblemCode::BadValue, place, message);
        match likeliest(name, known) {
            Some(known) => problem.help(format!("did you mean `{known}`?")),
            None => problem,
        }
    }

    pub(crate) fn depends_on_itself(place: Place, circle: &[&str]) -> Self {
        let message = format!("builds wait for each other: {}", shown(&circle.join(" -> ")));
        Self::error(ProblemCode::Conflict, place, message)
    }

    pub(crate) fn depends_on_in_list(place: Place) -> Self {
        let message = "builds of a `build-list` wait for nothing; `depend-on` is ignored";
        Self::warning(ProblemCode::NoEffect, place, message).help("use `build-graph`")
    }

    pub(crate) fn fleet_and_compute_type(place: Place, path: &str) -> Self {
        let message = format!("`{path}` has both `compute-type` and `fleet`");
        Self::error(ProblemCode::Conflict, place, message).help("remove one of them")
    }
}

/// One entry of a list of commands.
#[derive(Clone, Copy)]
pub(crate) struct CommandItem<'t> {
    /// The list, such as `phases.build.commands`.
    pub(crate) path: &'t str,
    /// The entry's number, from 0.
    pub(crate) index: usize,
    /// The entry's line.
    pub(crate) line: usize,
}

/// A value and the key it belongs to.
#[derive(Clone, Copy)]
pub(crate) struct Value<'t> {
    /// The key, such as `cache.action`.
    pub(crate) path: &'t str,
    /// The value's text.
    pub(crate) text: &'t str,
}

/// The keys that a buildspec has at its top.
pub(crate) const TOP_LEVEL_KEYS: &[&str] =
    &["version", "run-as", "env", "proxy", "batch", "phases", "reports", "artifacts", "cache"];

/// The keys that a phase may have.
pub(crate) const PHASE_KEYS: &[&str] =
    &["commands", "finally", "on-failure", "run-as", "runtime-versions"];

/// What CodeBuild's YAML library says of `*` with something that is no name behind it.
const NO_ANCHOR_NAME: &str = "did not find expected alphabetic or numeric character";

fn found_subkeys(index: usize, line: usize) -> String {
    format!(
        "Expected Commands[{index}] to be of string type: found subkeys instead at line {line}, \
         value of the key tag on line {} might be empty",
        line.saturating_sub(1)
    )
}

/// Text of the user's in a sentence of ours: short, on one line, without control characters.
fn shown(text: &str) -> String {
    const SHOWN_MAX: usize = 60;
    let mut chars = text.chars();
    let mut shown: String = chars
        .by_ref()
        .take(SHOWN_MAX)
        .map(|char| if char.is_control() { ' ' } else { char })
        .collect();
    if chars.next().is_some() {
        shown.push('…');
    }
    shown
}
