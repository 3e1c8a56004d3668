//! What is too large is refused at once.

use crate::check;
use buildspec::{Look, PROBLEMS_MAX, parse};
use expect_test::expect;
use std::time::{Duration, Instant};

#[test]
fn aliases_count_as_what_they_stand_for() {
    let anchors: String = (1..9)
        .map(|n| format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 9].join(", ")))
        .collect();
    let bomb = format!("version: 0.2\na0: &a0 [x, x, x, x, x, x, x, x, x]\n{anchors}");
    check(
        &bomb,
        expect![[r#"
            error[too-large]: the buildspec holds more than 100000 values
             --> buildspec.yml:7:15
              |
            7 | a5: &a5 [*a4, *a4, *a4, *a4, *a4, *a4, *a4, *a4, *a4]
              |               ^^^
              |
              = help: each use of an alias counts as all that its anchor holds
              aws: document contains excessive aliasing
            not usable
        "#]],
    );
    let long = "x".repeat(100_000);
    let uses = "*long, ".repeat(100);
    check(
        &format!("a: &long {long}\nb: [{uses}]\n"),
        expect![[r#"
            error[too-large]: with its aliases written out the buildspec is over 8388608 bytes
             --> buildspec.yml:2:586
              |
            2 | ...g, *long, *long, *long, *long, *long, *long, *long, *long, *long, *long, *long, *long, *long, *long, *long, *l...
              |                                                        ^^^^^
              aws: document contains excessive aliasing
            not usable
        "#]],
    );
}

#[test]
fn aliases_cannot_nest_without_end() {
    let anchors: String = (1..100).map(|n| format!("a{n}: &a{n} [*a{}]\n", n - 1)).collect();
    check(
        &format!("a0: &a0 x\n{anchors}"),
        expect![[r#"
            error[too-deep]: lists and mappings are nested deeper than 64 levels
              --> buildspec.yml:65:11
               |
            65 | a64: &a64 [*a63]
               |           ^
              aws: lists and mappings are nested deeper than 64 levels at line 65
            not usable
        "#]],
    );
}

#[test]
fn nesting_and_size_have_limits() {
    check(
        &format!("a: {}", "[".repeat(20_000)),
        expect![[r#"
            error[too-deep]: lists and mappings are nested deeper than 64 levels
             --> buildspec.yml:1:68
              |
            1 | a: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[...
              |                                                                    ^
              aws: lists and mappings are nested deeper than 64 levels at line 1
            not usable
        "#]],
    );
    check(
        &" ".repeat(10 * 1024 * 1024),
        expect![[r#"
            error[too-large]: the buildspec has more than 1048576 bytes
             --> buildspec.yml:1:1
              |
            1 |                                                                                                                  ...
              | ^
              aws: the buildspec has more than 1048576 bytes at line 1
            not usable
        "#]],
    );
}

/// How many bytes the smaller of two texts has.
const SIZE: usize = 24 * 1024;
/// How many times as long the larger one is.
const FACTOR: u32 = 8;
/// How much longer than that it may take: machines are not exact, and squares are far above.
const TOLERANCE: u32 = 3;
/// What no measurement is exact to.
const NOISE: Duration = Duration::from_millis(20);

/// `head`, then `unit` as often as it fits into so many bytes.
fn repeated(head: &str, unit: &str, bytes: usize) -> String {
    format!("{head}{}", unit.repeat((bytes - head.len()) / unit.len()))
}

/// Parses, and shows what there is to be shown.
fn took(text: &str) -> Duration {
    let start = Instant::now();
    let parsed = parse(text);
    assert!(parsed.problems.len() <= 200);
    for problem in &parsed.problems {
        problem.render("buildspec.yml", text, Look::Plain);
        problem.aws_message();
    }
    start.elapsed()
}

/// Checks that a text that is eight times as long takes not much more than eight times as long.
fn check_growth(head: &str, unit: &str) {
    let (small, large) = (repeated(head, unit, SIZE), repeated(head, unit, SIZE * FACTOR as usize));
    let mut last = (Duration::ZERO, Duration::ZERO);
    // What else the machine does may be in the way once, or twice.
    for _ in 0..4 {
        last = (took(&small), took(&large));
        if last.1 <= (last.0 + NOISE) * FACTOR * TOLERANCE {
            return;
        }
    }
    panic!(
        "{head:?} and {unit:?}: {:?} for a text, {:?} for {FACTOR} times as much",
        last.0, last.1
    );
}

#[test]
fn no_shape_of_yaml_takes_more_than_linear_time() {
    for (head, unit) in [
        ("", "["),
        ("", "{"),
        ("", "- "),
        ("", "? "),
        ("", "a: "),
        ("", "&a "),
        ("", "!t "),
        ("", "'"),
        ("", "\""),
        ("", "\\"),
        ("", "\n"),
        ("", "\r"),
        ("", "\t\n"),
        ("a: b\n", "\t\n"),
        ("a: [\n", "\tb,\n"),
        ("a:\n", "- 'b'#c\n"),
        ("", "---\n"),
        ("", "# comment\n"),
        ("", "%TAG ! x\n"),
        ("", "%TAG !é! x\n"),
        ("", "key: value\n"),
        ("", "- *\n"),
        ("", "- &a x\n- *a\n"),
        ("", "&a : "),
        ("a: |\n", "  line\n"),
        ("a: >\n", "  line\n\n"),
        ("a: \"", "line\n  "),
        ("a: ", "word\n  "),
        ("a: [", "b, "),
        ("a: [", "{}, "),
        ("a: &a {<<: {b: c}}\nb:\n", "- {<<: [*a, *a, *a]}\n"),
        ("a: &a {", "b: &b c, <<: *a, "),
        ("a: ", "é漢"),
    ] {
        check_growth(head, unit);
    }
}

#[test]
fn no_shape_of_a_buildspec_takes_more_than_linear_time() {
    for (head, unit) in [
        ("phases:\n", "  fase: {}\n"),
        ("reports:\n", "  x: {file-formt: junot}\n"),
        ("version: 0.2\nbatch:\n  build-graph:\n", "  - {identifier: a, depend-on: [b]}\n"),
        ("version: 0.2\nenv:\n  exported-variables:\n", "  - A\n"),
        ("version: 0.2\nenv:\n  variables:\n    A: ", "$A "),
        ("", "# buildyard: allow(x)\n"),
        ("", "  # buildyard: allow(empty)\n"),
        ("# buildyard: allow(", "x,"),
    ] {
        check_growth(head, unit);
    }
}

#[test]
fn no_shape_of_a_command_takes_more_than_linear_time() {
    let list = "version: 0.2\nphases:\n  build:\n    commands:\n";
    let script = format!("{list}      - |\n        ");
    for unit in ["      - make; make test\n", "      - a: b\n", "      - set -e\n", "      -\n"] {
        check_growth(list, unit);
    }
    for unit in [
        "make; ",
        "make\n        ",
        "make | tee x; ",
        "(",
        "{ ",
        "$(",
        "${",
        "`",
        "\"",
        "'",
        "<<E ",
        "<<E\n        ",
        "<<'",
        "if x; then\n        ",
        "case x in\n        ",
        "x() {\n        ",
        "\\\n        ",
        "&& ",
        "a && \n        ",
        "[[ ",
        "x=(",
        "echo aws ecr get-login\n        ",
        "# aws ecr get-login\n        ",
        "docker push ",
        "$? ",
        "\n        ",
    ] {
        check_growth(&script, unit);
    }
}

#[test]
fn problems_are_told_up_to_a_number_and_the_rest_is_counted() {
    let text = format!("version: 0.2\nphases:\n{}", "  fase: {}\n".repeat(1_000));
    let parsed = parse(&text);
    // The keys are equal: each is a warning, and the last of them an error as well.
    assert_eq!(parsed.problems.len(), PROBLEMS_MAX + 1);
    assert_eq!(parsed.untold, 999 - PROBLEMS_MAX);
}
