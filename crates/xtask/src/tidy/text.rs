//! What can be seen line by line.

use super::{Finding, Source};

const LINES_MAX: usize = 1_000;

/// Words that put work off. They are spelled in two halves so that this file may say them.
const PUT_OFF: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];

/// Checks the header, the length, words that put work off, and the marks about AWS.
pub(super) fn check(source: &Source<'_>, compat: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    let first = source.text.lines().next().unwrap_or_default();
    if !first.starts_with("//! ") {
        found.push(source.finding(1, "a file begins with `//!`: what it is for"));
    }
    let lines = source.text.lines().count();
    if lines > LINES_MAX && !source.is_generated() {
        found.push(source.finding(lines, format!("{lines} lines are more than {LINES_MAX}")));
    }
    for (index, line) in source.text.lines().enumerate() {
        let sentence = put_off(line).or_else(|| mark(line, compat));
        found.extend(sentence.map(|sentence| source.finding(index + 1, sentence)));
    }
    found
}

/// A word that stands alone: `TodoList` does not put anything off.
fn put_off(line: &str) -> Option<String> {
    let mut words = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words
        .any(|word| PUT_OFF.contains(&word))
        .then(|| "work is put off; what is not there refuses clearly".to_owned())
}

/// A mark is `// AWS: sentence`; when it names a line of COMPAT.md, that line is there.
fn mark(line: &str, compat: &str) -> Option<String> {
    let comment = line.trim_start().strip_prefix("//")?;
    let text = comment.trim_start();
    let head = text.get(..4)?;
    if !head.eq_ignore_ascii_case("aws:") {
        return None;
    }
    if head != "AWS:" || !comment.starts_with(" AWS: ") || text.len() < "AWS: x".len() {
        return Some("a mark is spelled `// AWS: sentence`".to_owned());
    }
    let (_, anchor) = text.split_once("COMPAT.md#")?;
    let end = anchor.find(|c: char| !c.is_ascii_alphanumeric() && c != '-');
    let anchor = &anchor[..end.unwrap_or(anchor.len())];
    let there = compat.lines().any(|line| {
        line.contains(&format!("id=\"{anchor}\"")) || slug(line.trim_start_matches('#')) == anchor
    });
    (!there).then(|| format!("COMPAT.md has no `{anchor}`"))
}

/// The anchor that a heading gets.
fn slug(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-');
    heading.trim().to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-")
}

#[cfg(test)]
mod tests {
    use super::{Source, check};
    use expect_test::{Expect, expect};

    fn findings(text: &str, expected: &Expect) {
        let compat = "# Differences\n\n## Project not found\n";
        let found = check(&Source { file: "a.rs", text }, compat);
        let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
        expected.assert_eq(&lines.join("\n"));
    }

    #[test]
    fn a_file_says_what_it_is_for() {
        findings("use std::fmt;\n", &expect!["a.rs:1: a file begins with `//!`: what it is for"]);
        findings("//! Everything.\n", &expect![]);
    }

    #[test]
    fn work_is_not_put_off() {
        let text = format!("//! A.\n// {}: later\nstruct TodoList;\n", concat!("TO", "DO"));
        findings(&text, &expect!["a.rs:2: work is put off; what is not there refuses clearly"]);
    }

    #[test]
    fn marks_have_one_spelling_and_lead_somewhere() {
        findings(
            "//! A.\n// AWS: they do; see COMPAT.md#project-not-found.\n//AWS: x\n// aws: x\n\
             \n// AWS:\n// AWS: see COMPAT.md#nowhere\n",
            &expect![[r#"
                a.rs:3: a mark is spelled `// AWS: sentence`
                a.rs:4: a mark is spelled `// AWS: sentence`
                a.rs:6: a mark is spelled `// AWS: sentence`
                a.rs:7: COMPAT.md has no `nowhere`"#]],
        );
    }

    #[test]
    fn a_file_ends_somewhere() {
        findings(
            &format!("//! A.\n{}", "\n".repeat(1_000)),
            &expect!["a.rs:1001: 1001 lines are more than 1000"],
        );
    }
}
