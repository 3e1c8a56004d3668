//! `tidy`: what STYLE.md says and the compiler does not check.
//!
//! Every finding is printed, as `file:line: sentence`; one is enough to fail.

mod packages;
mod syntax;
mod text;

use anyhow::{Context, Result};
use std::fmt;
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use walkdir::WalkDir;

/// Something that has to be put right.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    file: String,
    line: usize,
    sentence: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.sentence)
    }
}

/// One source file of ours.
pub(crate) struct Source<'a> {
    /// The path from the root, with `/`.
    pub(crate) file: &'a str,
    pub(crate) text: &'a str,
}

impl Source<'_> {
    fn finding(&self, line: usize, sentence: impl Into<String>) -> Finding {
        Finding { file: self.file.to_owned(), line, sentence: sentence.into() }
    }

    /// Whether `cargo xtask codegen` wrote it; the generator is what has to be tidy then.
    fn is_generated(&self) -> bool {
        self.file.ends_with("/generated.rs")
    }

    /// Whether nothing but tests is in it.
    fn is_test(&self) -> bool {
        let mut parts = self.file.split('/');
        parts.any(|part| matches!(part, "tests" | "tests.rs" | "benches" | "fuzz"))
    }
}

/// Looks at every manifest and every source, and prints what it finds; fails when there is any.
pub(crate) fn run(root: &Path) -> Result<ExitCode> {
    let mut found = packages::check(root)?;
    let compat = fs::read_to_string(root.join("COMPAT.md")).unwrap_or_default();
    for entry in WalkDir::new(root.join("crates")).sort_by_file_name() {
        let entry = entry?;
        let path = entry.path();
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let file = path.strip_prefix(root)?.to_string_lossy().replace('\\', "/");
        if file.contains("/target/") {
            continue;
        }
        let text = fs::read_to_string(path).with_context(|| format!("reading {file}"))?;
        let source = Source { file: &file, text: &text };
        found.extend(text::check(&source, &compat));
        found.extend(syntax::check(&source)?);
    }
    found.sort();
    print(&found);
    Ok(if found.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[expect(clippy::print_stdout, reason = "the findings are what the command is for")]
fn print(found: &[Finding]) {
    found.iter().for_each(|finding| println!("{finding}"));
}
