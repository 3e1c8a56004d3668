//! What runs, and is probably not meant.

use super::{Problem, Rule, shown};
use crate::lint::Lost;
use crate::suggest::likeliest;
use crate::yaml::Place;

/// Values.
impl Problem {
    pub(crate) fn not_expanded(place: Place, reference: &str) -> Self {
        let message = format!("`{}` stays as it is: values are not expanded", shown(reference));
        Self::new(Rule::NotExpanded, place, message)
            .help("set the variable with `export` in a command, which a shell does expand")
    }

    pub(crate) fn zero_lost(place: Place, version: &str) -> Self {
        let short = version.trim_end_matches('0').trim_end_matches('.');
        let message = format!("`{version}` without quotes is the number {short} to other programs");
        Self::new(Rule::VersionLosesZero, place, message)
            .help(format!("put quotes around it: \"{version}\""))
    }

    /// `place` is the name's: the value is not shown.
    pub(crate) fn secret_in_text(place: Place, name: &str) -> Self {
        let message = format!("the value of `{}` looks like a secret", shown(name));
        let problem = Self::new(Rule::SecretInText, place, message).help(
            "keep it in Secrets Manager or Parameter Store; change it if others have seen it",
        );
        Self { conceals: true, ..problem }
    }

    pub(crate) fn never_set(place: Place, name: &str) -> Self {
        let message = format!("`{}` is exported, and nothing here sets it", shown(name));
        Self::new(Rule::NeverSet, place, message)
            .help("it will be empty unless the project or the caller gives it a value")
    }

    pub(crate) fn docker_runtime(place: Place) -> Self {
        Self::new(Rule::DockerRuntime, place, "`docker` is no runtime of today's images")
            .help("remove it: Docker is a part of the images")
    }

    pub(crate) fn unknown_rule(place: Place, name: &str) -> Self {
        let message = format!("there is no warning named `{}`", shown(name));
        let problem = Self::new(Rule::UnknownRule, place, message);
        let known = Rule::ALL.into_iter().filter(|rule| rule.is_warning()).map(Rule::name);
        match (Rule::named(name), likeliest(name, known)) {
            (Some(_), _) => problem.help("it is an error, which cannot be switched off"),
            (None, Some(likely)) => problem.help(format!("did you mean `{likely}`?")),
            (None, None) => problem.help("see `buildyard buildspec check --explain`"),
        }
    }
}

/// Commands.
impl Problem {
    pub(crate) fn bash_in_sh(place: Place, word: &str) -> Self {
        let message = match word {
            "pipefail" => "`sh`, which runs this command, has no option `pipefail`".to_owned(),
            word if word.contains("=(") => {
                "`sh`, which runs this command, knows no arrays".to_owned()
            }
            word => format!("`{}` is no part of `sh`, which runs this command", shown(word)),
        };
        let help = match word {
            "[[" => "set `env.shell` to bash, or use `[`",
            "==" => "set `env.shell` to bash, or write `=` for `==`",
            "source" => "set `env.shell` to bash, or write `.` for `source`",
            _ => "set `env.shell` to bash",
        };
        Self::new(Rule::BashInSh, place, message).help(help)
    }

    pub(crate) fn hidden_status(place: Place, hidden: &str) -> Self {
        let message = format!("a failure of `{}` will not be noticed", shown(hidden));
        Self::new(Rule::HiddenStatus, place, message).help(
            "only the last part of a command counts: begin it with `set -e`, use `&&`, or make it \
             several commands",
        )
    }

    pub(crate) fn hidden_behind_pipe(place: Place, hidden: &str) -> Self {
        let message = format!("`tee` hides a failure of `{}`", shown(hidden));
        Self::new(Rule::PipeHidesStatus, place, message)
            .help("set `env.shell` to bash and begin the command with `set -o pipefail;`")
    }

    pub(crate) fn does_not_carry_over(place: Place, lost: Lost) -> Self {
        let (message, help) = match lost {
            Lost::Options => (
                "options of the shell do not last longer than their command",
                "set them at the beginning of the command that they are for, behind `|`",
            ),
            Lost::Aliases => (
                "an alias does not last longer than its command",
                "write a script, or a variable, which does last",
            ),
            Lost::Traps => (
                "a trap is set off when its command is over",
                "use `finally` for what is to be done at the end of a phase",
            ),
            Lost::Functions => (
                "a function does not last longer than its command",
                "use it in the same command, behind `|`, or write a script",
            ),
            Lost::Folder => (
                "in version 0.1 every command begins in the source's folder",
                "write `cd … && …`, or take version 0.2",
            ),
            Lost::Variables => (
                "in version 0.1 no variable lasts longer than its command",
                "write both in one command, or take version 0.2",
            ),
            Lost::Nvm => (
                "`nvm` is a function of an earlier command, and gone",
                "load `nvm.sh` in the same command, or ask for a runtime version of nodejs",
            ),
        };
        Self::new(Rule::DoesNotCarryOver, place, message).help(help)
    }

    pub(crate) fn ecr_get_login(place: Place) -> Self {
        Self::new(Rule::EcrGetLogin, place, "version 2 of the AWS CLI has no `aws ecr get-login`")
            .help("aws ecr get-login-password | docker login -u AWS --password-stdin <registry>")
    }

    pub(crate) fn deploys_after_failure(place: Place, deploy: &str) -> Self {
        let message = format!("`{deploy}` in post_build also runs after a failed build phase");
        Self::new(Rule::DeploysAfterFailure, place, message)
            .help("set `on-failure: ABORT` in `build`, or ask for CODEBUILD_BUILD_SUCCEEDING first")
    }
}
