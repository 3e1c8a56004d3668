//! Problems of values.

use super::{Problem, Rule, Value, shown};
use crate::model::PhaseName;
use crate::on_failure::OnFailureError;
use crate::secret::SecretReferenceError;
use crate::suggest::likeliest;
use crate::yaml::Place;

/// Values.
impl Problem {
    pub(crate) fn not_a_flag(place: Place, path: &str, text: &str) -> Self {
        let message = format!("`{path}` is `yes` or `no`, not `{}`", shown(text));
        Self::new(Rule::BadValue, place, message)
    }

    pub(crate) fn not_a_number(place: Place, path: &str, text: &str) -> Self {
        let message = format!("`{path}` is a whole number from 1 on, not `{}`", shown(text));
        Self::new(Rule::BadValue, place, message)
    }

    pub(crate) fn not_one_of(place: Place, value: Value<'_>, known: &[&str]) -> Self {
        Self::none_of(Rule::BadValue, place, value, known)
    }

    pub(crate) fn unknown_format(place: Place, value: Value<'_>, known: &[&str]) -> Self {
        Self::none_of(Rule::UnknownFormat, place, value, known)
    }

    fn none_of(rule: Rule, place: Place, value: Value<'_>, known: &[&str]) -> Self {
        let Value { path, text } = value;
        let message = format!("`{}` cannot be `{}`", shown(path), shown(text));
        let problem = Self::new(rule, place, message);
        match likeliest(text, known.iter().copied()) {
            Some(name) => problem.help(format!("did you mean `{name}`?")),
            None => problem.help(format!("it is one of {}", known.join(", "))),
        }
    }

    pub(crate) fn on_failure(place: Place, value: Value<'_>, error: &OnFailureError) -> Self {
        let Value { path, text } = value;
        let message = format!("`{path}` cannot be `{}`: {error}", shown(text));
        let problem = Self::new(Rule::BadValue, place, message);
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
        Self::new(Rule::BadValue, place, message)
            .help("it is <secret-id>:<json-key>:<version-stage>:<version-id>, the last three free")
    }

    pub(crate) fn variable_name(place: Place, name: &str) -> Self {
        let message = format!("`{}` cannot be the name of a variable", shown(name));
        Self::new(Rule::BadValue, place, message)
            .help("a name is not empty and holds neither `=` nor a NUL character")
    }

    pub(crate) fn variable_value(place: Place, name: &str) -> Self {
        let message = format!("the value of `{}` holds a NUL character", shown(name));
        Self::new(Rule::BadValue, place, message)
    }

    pub(crate) fn command_with_nul(place: Place, path: &str, index: usize) -> Self {
        let message = format!("`{path}[{index}]` holds a NUL character, which no shell can read");
        Self::new(Rule::BadValue, place, message)
    }

    pub(crate) fn variable_name_unreachable(place: Place, name: &str) -> Self {
        let message = format!("a shell cannot refer to a variable named `{}`", shown(name));
        Self::new(Rule::UnreachableVariable, place, message)
            .help("use letters, digits and underscores, and no digit first")
    }

    pub(crate) fn variable_reserved(place: Place, name: &str) -> Self {
        let message = format!("`{}`: names that begin with CODEBUILD_ are reserved", shown(name));
        Self::new(Rule::ReservedVariable, place, message)
    }

    pub(crate) fn not_exportable(place: Place, name: &str) -> Self {
        let message = format!("`{}` is not exported: its name begins with AWS_", shown(name));
        Self::new(Rule::NotExportable, place, message).help("export it under another name")
    }

    pub(crate) fn shell_unknown(place: Place, text: &str) -> Self {
        let message = format!("`env.shell` names the program `{}`", shown(text));
        Self::new(Rule::UnknownShell, place, message)
            .help("CodeBuild knows bash and /bin/sh, powershell.exe and cmd.exe")
    }

    pub(crate) fn run_as_unusable(place: Place, path: &str, text: &str) -> Self {
        let message = format!("`{path}` cannot be `{}`", shown(text));
        Self::new(Rule::BadValue, place, message)
            .help("it is the name of a user that the image has")
    }

    pub(crate) fn old_variables(place: Place) -> Self {
        let message = "`environment_variables` belongs to version 0.1 and is ignored";
        Self::new(Rule::OldKey, place, message).help("in 0.2 it is `env.variables`")
    }

    pub(crate) fn artifact_type(place: Place) -> Self {
        let message = "`artifacts.type` is ignored; the project says where artifacts go";
        Self::new(Rule::OldKey, place, message).help("remove it")
    }

    pub(crate) fn runtimes_outside_install(place: Place, phase: PhaseName) -> Self {
        let message = format!("`runtime-versions` means nothing in `{}`", phase.key());
        Self::new(Rule::MisplacedKey, place, message)
            .help("move it to `phases.install`; it is ignored here")
    }

    pub(crate) fn too_many_reports(place: Place, max: usize) -> Self {
        let message = format!("a build has at most {max} report groups; this is one more");
        Self::new(Rule::TooMany, place, message)
    }

    pub(crate) fn too_many_fallback_keys(place: Place, max: usize) -> Self {
        let message = format!("`cache.fallback-keys` has at most {max} entries; this is one more");
        Self::new(Rule::BadValue, place, message).help("remove it")
    }

    pub(crate) fn fallback_without_key(place: Place) -> Self {
        let message = "`cache.fallback-keys` is ignored without `cache.key`";
        Self::new(Rule::FallbackWithoutKey, place, message).help("add `key`")
    }
}
