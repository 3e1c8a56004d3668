//! What is too large is refused at once.

use crate::check;
use buildspec::parse;
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

#[test]
fn no_text_takes_long() {
    // Enough that anything worse than linear would take minutes.
    const SIZE: usize = 256 * 1024;
    let repeated = |head: &str, unit: &str| {
        let count = (SIZE - head.len()) / unit.len();
        format!("{head}{}", unit.repeat(count))
    };
    let texts = [
        repeated("", "["),
        repeated("", "{"),
        repeated("", "- "),
        repeated("", "? "),
        repeated("", "a: "),
        repeated("", "&a "),
        repeated("", "!t "),
        repeated("", "'"),
        repeated("", "\""),
        repeated("", "\\"),
        repeated("", "\n"),
        repeated("", "\r"),
        repeated("", "---\n"),
        repeated("", "# comment\n"),
        repeated("", "%TAG ! x\n"),
        repeated("", "key: value\n"),
        repeated("", "- *\n"),
        repeated("a: |\n", "  line\n"),
        repeated("a: >\n", "  line\n\n"),
        repeated("a: \"", "line\n  "),
        repeated("a: ", "word\n  "),
        repeated("a: [", "b, "),
        repeated("a: [", "{}, "),
        repeated("phases:\n", "  fase: {}\n"),
        repeated("reports:\n", "  x: {file-formt: junot}\n"),
        repeated("version: 0.2\nbatch:\n  build-graph:\n", "  - {identifier: a, depend-on: [b]}\n"),
        repeated("a: &a {<<: {b: c}}\nb:\n", "- {<<: [*a, *a, *a]}\n"),
    ];
    for text in texts {
        let start = Instant::now();
        let parsed = parse(&text);
        let took = start.elapsed();
        let head: String = text.chars().take(20).collect();
        assert!(took < Duration::from_secs(30), "{head:?} took {took:?}");
        assert!(parsed.problems.len() <= 200, "{head:?}");
    }
}
