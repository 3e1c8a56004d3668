//! Comments that switch warnings off: `# buildyard: allow(hidden-status)`.
//!
//! It must not know YAML: a comment is one wherever it stands, also inside a script.

use crate::problem::Problem;
use crate::rule::Rule;
use crate::yaml::Place;
use std::ops::RangeInclusive;

/// How many of them are heeded.
const COMMENTS_MAX: usize = 200;

/// Which warnings are switched off where.
#[derive(Clone, Debug, Default)]
pub(crate) struct Allowed {
    entries: Vec<(Rule, RangeInclusive<usize>)>,
}

impl Allowed {
    /// Reads the comments of a text, and says which of them name no warning.
    pub(crate) fn read(text: &str) -> (Self, Vec<Problem>) {
        let (mut allowed, mut problems) = (Self::default(), Vec::new());
        if !text.contains("buildyard:") {
            return (allowed, problems);
        }
        let lines: Vec<&str> = text.split('\n').collect();
        let mut start = 0;
        for (index, line) in lines.iter().enumerate() {
            if let Some((at, names)) = names(line) {
                let comment = line[..at].rfind('#').unwrap_or_default();
                let alone = line[..comment].trim().is_empty();
                let covered = covered(&lines, index, alone);
                for name in names.split(',') {
                    let from = name.as_ptr() as usize - line.as_ptr() as usize;
                    let lead = name.len() - name.trim_start().len();
                    let name = name.trim();
                    let bytes = start + from + lead..start + from + lead + name.len();
                    match Rule::named(name).filter(|rule| rule.is_warning()) {
                        Some(rule) => allowed.entries.push((rule, covered.clone())),
                        None => {
                            problems.push(Problem::unknown_rule(Place::of(text, bytes), name));
                        }
                    }
                }
                if allowed.entries.len() + problems.len() > COMMENTS_MAX {
                    break;
                }
            }
            start += line.len() + 1;
        }
        (allowed, problems)
    }

    /// Whether a problem is one that its author knows about.
    pub(crate) fn covers(&self, problem: &Problem) -> bool {
        self.entries.iter().any(|(rule, lines)| {
            *rule == problem.rule && lines.contains(&problem.line) && rule.is_warning()
        })
    }
}

/// What stands in the parentheses of a comment, and where.
fn names(line: &str) -> Option<(usize, &str)> {
    const COMMENT: &str = "buildyard:";
    let at = line.find(COMMENT)?;
    line[..at].trim_end().ends_with('#').then_some(())?;
    let behind = &line[at + COMMENT.len()..];
    let inside = behind.trim_start().strip_prefix("allow(")?;
    Some((at, inside.split_once(')')?.0))
}

/// The lines, from 1, that a comment in line `index`, from 0, speaks of: its own, or the next one
/// where it stands alone, and all that follows with deeper indentation.
fn covered(lines: &[&str], index: usize, alone: bool) -> RangeInclusive<usize> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let is_empty = |line: &str| line.trim().is_empty();
    let is_said = |line: &str| !is_empty(line) && !line.trim_start().starts_with('#');
    let first = match alone {
        true => index + lines[index..].iter().position(|line| is_said(line)).unwrap_or(0),
        false => index,
    };
    let depth = indent(lines[first]);
    let deeper = |line: &&&str| is_empty(line) || indent(line) > depth;
    let last = first + lines[first + 1..].iter().take_while(deeper).count();
    first + 1..=last + 1
}

#[cfg(test)]
mod tests {
    use super::Allowed;
    use crate::rule::Rule;

    fn check(text: &str, expected: &[(Rule, usize, usize)]) {
        let (allowed, problems) = Allowed::read(text);
        let found: Vec<_> = allowed
            .entries
            .iter()
            .map(|(rule, lines)| (*rule, *lines.start(), *lines.end()))
            .collect();
        assert_eq!(found, expected, "{text}");
        assert!(problems.is_empty(), "{text}");
    }

    #[test]
    fn a_comment_covers_its_line_and_what_is_deeper() {
        check("a: b # buildyard: allow(unknown-key)\nc: d", &[(Rule::UnknownKey, 1, 1)]);
        check(
            "- | # buildyard: allow( hidden-status , bash-in-sh )\n  a\n\n  b\n- c",
            &[(Rule::HiddenStatus, 1, 4), (Rule::BashInSh, 1, 4)],
        );
        check(
            "# buildyard: allow(empty)\n# why\n\nphases:\n  build:\n    commands:\nenv:\n",
            &[(Rule::Empty, 4, 6)],
        );
        check("# buildyard: allow(empty)", &[(Rule::Empty, 1, 1)]);
        check("# buildyard: allow(empty)\n\n", &[(Rule::Empty, 1, 3)]);
    }

    #[test]
    fn other_comments_are_comments() {
        for text in ["# buildyard allow(empty)", "# buildyard: allow", "x: buildyard: allow(empty)"]
        {
            check(text, &[]);
        }
    }
}
