//! The kinds of problems, each under a name that never changes: programs match on it, comments
//! switch it off, and `buildyard buildspec check --explain` tells what it means.

use crate::problem::Severity;
use crate::suggest::likeliest;

/// What every rule means, a section for each.
const MEANINGS: &str = include_str!("../../../docs/buildspec-problems.md");

/// A kind of problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rule {
    /// The text is not YAML.
    Yaml,
    /// The text, or what its aliases stand for, is larger than allowed.
    TooLarge,
    /// Lists and mappings are nested deeper than allowed.
    TooDeep,
    /// An alias without an anchor, or inside its own anchor.
    Alias,
    /// A merge key without a mapping.
    Merge,
    /// There is nothing where something must be.
    Missing,
    /// A list where text belongs, and the like.
    WrongType,
    /// A command that YAML made a mapping or a list.
    CommandNotText,
    /// A phase that does not exist.
    UnknownPhase,
    /// A value out of its range or set.
    BadValue,
    /// Two things that exclude each other.
    Conflict,
    /// The same key twice.
    DuplicateKey,
    /// A tag, which a buildspec has no use for.
    Tag,
    /// A second document.
    ExtraDocument,
    /// A key that means nothing here.
    UnknownKey,
    /// A key that belongs elsewhere.
    MisplacedKey,
    /// A key of another version, or one that is no longer read.
    OldKey,
    /// One value where a list is read.
    OneForAList,
    /// A section, a phase or a command that holds nothing.
    Empty,
    /// A phase that is not written in lower case.
    PhaseCase,
    /// No version, in a file that only describes a batch.
    NoVersion,
    /// No files, although there are artifacts.
    NoFiles,
    /// A shell that CodeBuild does not know.
    UnknownShell,
    /// A runtime that images no longer offer.
    DockerRuntime,
    /// A format of report files that nothing reads.
    UnknownFormat,
    /// A version that other programs read as a shorter number.
    VersionLosesZero,
    /// A variable whose name belongs to CodeBuild.
    ReservedVariable,
    /// A variable that no shell can refer to.
    UnreachableVariable,
    /// A reference to a variable in a value, where nothing is expanded.
    NotExpanded,
    /// A secret that stands in the buildspec itself.
    SecretInText,
    /// A variable that cannot be exported.
    NotExportable,
    /// An exported variable that nothing sets.
    NeverSet,
    /// Syntax of bash in a command that `sh` runs.
    BashInSh,
    /// A command whose failure nobody sees.
    HiddenStatus,
    /// A command whose failure a pipe hides.
    PipeHidesStatus,
    /// What does not last longer than its own command.
    DoesNotCarryOver,
    /// A command that is no longer there.
    EcrGetLogin,
    /// A deployment that runs after a failed build phase.
    DeploysAfterFailure,
    /// Fallback keys of a cache without a key.
    FallbackWithoutKey,
    /// More reports or builds than allowed by default.
    TooMany,
    /// A comment that switches off what does not exist.
    UnknownRule,
}

impl Rule {
    /// Every rule: first the errors, then the warnings.
    pub const ALL: [Self; 41] = [
        Self::Yaml,
        Self::TooLarge,
        Self::TooDeep,
        Self::Alias,
        Self::Merge,
        Self::Missing,
        Self::WrongType,
        Self::CommandNotText,
        Self::UnknownPhase,
        Self::BadValue,
        Self::Conflict,
        Self::DuplicateKey,
        Self::Tag,
        Self::ExtraDocument,
        Self::UnknownKey,
        Self::MisplacedKey,
        Self::OldKey,
        Self::OneForAList,
        Self::Empty,
        Self::PhaseCase,
        Self::NoVersion,
        Self::NoFiles,
        Self::UnknownShell,
        Self::DockerRuntime,
        Self::UnknownFormat,
        Self::VersionLosesZero,
        Self::ReservedVariable,
        Self::UnreachableVariable,
        Self::NotExpanded,
        Self::SecretInText,
        Self::NotExportable,
        Self::NeverSet,
        Self::BashInSh,
        Self::HiddenStatus,
        Self::PipeHidesStatus,
        Self::DoesNotCarryOver,
        Self::EcrGetLogin,
        Self::DeploysAfterFailure,
        Self::FallbackWithoutKey,
        Self::TooMany,
        Self::UnknownRule,
    ];

    /// The rule of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.name() == name)
    }

    /// The name that was probably meant by one that no rule has.
    pub fn likeliest(name: &str) -> Option<&'static str> {
        likeliest(name, Self::ALL.map(Self::name))
    }

    /// The name, in lower case with dashes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Yaml => "yaml",
            Self::TooLarge => "too-large",
            Self::TooDeep => "too-deep",
            Self::Alias => "alias",
            Self::Merge => "merge",
            Self::Missing => "missing",
            Self::WrongType => "wrong-type",
            Self::CommandNotText => "command-not-text",
            Self::UnknownPhase => "unknown-phase",
            Self::BadValue => "bad-value",
            Self::Conflict => "conflict",
            Self::DuplicateKey => "duplicate-key",
            Self::Tag => "tag",
            Self::ExtraDocument => "extra-document",
            Self::UnknownKey => "unknown-key",
            Self::MisplacedKey => "misplaced-key",
            Self::OldKey => "old-key",
            Self::OneForAList => "one-for-a-list",
            Self::Empty => "empty",
            Self::PhaseCase => "phase-case",
            Self::NoVersion => "no-version",
            Self::NoFiles => "no-files",
            Self::UnknownShell => "unknown-shell",
            Self::DockerRuntime => "docker-runtime",
            Self::UnknownFormat => "unknown-format",
            Self::VersionLosesZero => "version-loses-zero",
            Self::ReservedVariable => "reserved-variable",
            Self::UnreachableVariable => "unreachable-variable",
            Self::NotExpanded => "not-expanded",
            Self::SecretInText => "secret-in-text",
            Self::NotExportable => "not-exportable",
            Self::NeverSet => "never-set",
            Self::BashInSh => "bash-in-sh",
            Self::HiddenStatus => "hidden-status",
            Self::PipeHidesStatus => "pipe-hides-status",
            Self::DoesNotCarryOver => "does-not-carry-over",
            Self::EcrGetLogin => "ecr-get-login",
            Self::DeploysAfterFailure => "deploys-after-failure",
            Self::FallbackWithoutKey => "fallback-without-key",
            Self::TooMany => "too-many",
            Self::UnknownRule => "unknown-rule",
        }
    }

    /// Whether it makes a buildspec unusable. Only warnings can be switched off.
    pub fn severity(self) -> Severity {
        match self {
            Self::Yaml
            | Self::TooLarge
            | Self::TooDeep
            | Self::Alias
            | Self::Merge
            | Self::Missing
            | Self::WrongType
            | Self::CommandNotText
            | Self::UnknownPhase
            | Self::BadValue
            | Self::Conflict => Severity::Error,
            Self::DuplicateKey
            | Self::Tag
            | Self::ExtraDocument
            | Self::UnknownKey
            | Self::MisplacedKey
            | Self::OldKey
            | Self::OneForAList
            | Self::Empty
            | Self::PhaseCase
            | Self::NoVersion
            | Self::NoFiles
            | Self::UnknownShell
            | Self::DockerRuntime
            | Self::UnknownFormat
            | Self::VersionLosesZero
            | Self::ReservedVariable
            | Self::UnreachableVariable
            | Self::NotExpanded
            | Self::SecretInText
            | Self::NotExportable
            | Self::NeverSet
            | Self::BashInSh
            | Self::HiddenStatus
            | Self::PipeHidesStatus
            | Self::DoesNotCarryOver
            | Self::EcrGetLogin
            | Self::DeploysAfterFailure
            | Self::FallbackWithoutKey
            | Self::TooMany
            | Self::UnknownRule => Severity::Warning,
        }
    }

    pub(crate) fn is_warning(self) -> bool {
        self.severity() == Severity::Warning
    }

    /// What it means and what to do, with an example, in Markdown.
    pub fn explanation(self) -> &'static str {
        let head = format!("\n### {}\n\n", self.name());
        let Some(at) = MEANINGS.find(&head) else { return "" };
        let section = &MEANINGS[at + head.len()..];
        let end = section.find("\n##").map_or(section.len(), |end| end + 1);
        &section[..end]
    }
}

#[cfg(test)]
mod tests {
    use super::{MEANINGS, Rule};
    use crate::problem::Severity;

    #[test]
    fn every_rule_has_a_section_and_every_section_a_rule() {
        let heads = MEANINGS.lines().filter_map(|line| line.strip_prefix("### "));
        assert!(heads.eq(Rule::ALL.map(Rule::name)));
        let (errors, warnings) = MEANINGS.split_once("\n## Warnings\n").expect("two parts");
        for rule in Rule::ALL {
            let part = match rule.severity() {
                Severity::Error => errors,
                Severity::Warning => warnings,
            };
            assert!(part.contains(&format!("\n### {}\n", rule.name())), "{}", rule.name());
            assert_eq!(Rule::named(rule.name()), Some(rule));
        }
    }

    #[test]
    fn an_explanation_is_a_paragraph_and_an_example() {
        for rule in Rule::ALL {
            let explanation = rule.explanation();
            assert!(explanation.contains("\n\n```yaml\n"), "{}", rule.name());
            assert!(explanation.ends_with("\n```\n\n") || explanation.ends_with("\n```\n"));
            assert!(!explanation.contains("\n##"), "{}", rule.name());
        }
    }
}
