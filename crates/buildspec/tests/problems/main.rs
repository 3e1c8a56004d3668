//! Every kind of problem as a user reads it, and what CodeBuild says of it.

mod batches;
mod limits;
mod lints;
mod outputs;
mod phases;
mod sections;
mod yaml;

use buildspec::{Look, Severity, parse};
use expect_test::Expect;
use std::fmt::Write;

/// Renders every problem of a text; an error is followed by CodeBuild's wording.
#[expect(clippy::needless_pass_by_value, reason = "expectations are made where they are used")]
fn check(text: &str, expected: Expect) {
    let parsed = parse(text);
    let mut shown = String::new();
    for problem in &parsed.problems {
        shown.push_str(&problem.render("buildspec.yml", text, Look::Plain));
        if problem.severity == Severity::Error {
            writeln!(shown, "  aws: {}", problem.aws_message()).expect("a string takes all");
        }
    }
    let usable = if parsed.buildspec.is_some() { "usable" } else { "not usable" };
    expected.assert_eq(&format!("{shown}{usable}\n"));
}
