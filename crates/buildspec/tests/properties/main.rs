//! What holds for every text.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod mutations;

use buildspec::{
    FilePatterns, Look, OnFailure, SecretReference, Severity, parse, phases_found,
    unknown_keys_found,
};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::select;
use proptest::{prop_assert, prop_assert_eq, proptest};

/// Pieces that buildspecs are made of, and pieces that break them.
const PIECES: &[&str] = &[
    "version: 0.2\n",
    "phases:\n",
    "  build:\n",
    "    commands:\n",
    "      - make\n",
    "env:\n",
    "  variables:\n",
    "    A: b\n",
    "artifacts:\n",
    "  files:\n",
    "    - '**/*'\n",
    "cache:\n",
    "  paths: [a, b]\n",
    "reports:\n",
    "  r:\n",
    "batch:\n",
    "  build-graph:\n",
    "    - identifier: a\n",
    "      depend-on: [a]\n",
    "    on-failure: RETRY-3-x\n",
    "- ",
    "? ",
    ": ",
    ":",
    " ",
    "  ",
    "\n",
    "\r\n",
    "\r",
    "\t",
    "#",
    "'",
    "\"",
    "\\",
    "|\n",
    ">-\n",
    "&a ",
    "*a",
    "<<: *a\n",
    "!t ",
    "!!str ",
    "[",
    "]",
    "{",
    "}",
    ",",
    "~",
    "---\n",
    "...\n",
    "%YAML 1.2\n",
    "\u{feff}",
    "\0",
    "\u{85}",
    "\u{2028}",
    "é",
    "漢",
    "👩‍💻",
    "$A",
    "${B}",
    ";",
    "[[ ",
    "docker push",
    "post_build:\n",
];

fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        8 => select(PIECES).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
        1 => Just("x".repeat(200)),
    ];
    vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

/// Checks what every parse promises.
fn check(text: &str) {
    let parsed = parse(text);
    let errors = parsed.problems.iter().any(|problem| problem.severity == Severity::Error);
    assert_eq!(parsed.buildspec.is_none(), errors);
    assert_eq!(parsed.first_error().is_some(), errors);
    let lines = text.replace("\r\n", "\n").matches(['\n', '\r']).count() + 1;
    for problem in &parsed.problems {
        assert!(problem.line >= 1 && problem.column >= 1 && problem.width >= 1);
        assert!(problem.line <= lines, "{problem:?} of {lines} lines");
        let rendered = problem.render("f", text, Look::Plain);
        assert!(rendered.chars().all(|char| char == '\n' || !char.is_control()), "{rendered:?}");
        let place = format!(" --> f:{}:{}\n", problem.line, problem.column);
        assert!(rendered.contains(&place), "{rendered}");
        assert!(!problem.aws_message().contains('\n'));
    }
    let remark = unknown_keys_found(&parsed.unknown_keys);
    assert_eq!(remark.is_none(), parsed.unknown_keys.is_empty());
    if let Some(buildspec) = &parsed.buildspec {
        phases_found(buildspec);
    }
    assert_eq!(parse(text), parsed);
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in any::<String>()) {
        check(&text);
    }

    #[test]
    fn no_mixture_of_pieces_makes_it_panic(text in text()) {
        check(&text);
    }

    #[test]
    fn a_command_in_single_quotes_is_kept(command in "[^\\p{C}\u{2028}\u{2029}]{1,60}") {
        let quoted = command.replace('\'', "''");
        let text = format!("version: 0.2\nphases:\n  build:\n    commands:\n      - '{quoted}'\n");
        let buildspec = parse(&text).buildspec.expect("a buildspec");
        let build = buildspec.phases.build.expect("the phase");
        prop_assert_eq!(build.commands, [command]);
    }

    #[test]
    fn a_plain_value_is_kept(value in "[A-Za-z0-9._/+-]{0,10}[A-Za-z0-9]") {
        let text = format!("version: 0.2\nenv: {{variables: {{}}}}\nphases:\n  build:\n    \
                            commands:\n      - {value}\n");
        let parsed = parse(&text);
        let null = ["null", "Null", "NULL"].contains(&value.as_str());
        let commands = parsed.buildspec.and_then(|buildspec| buildspec.phases.build)
            .map(|build| build.commands).unwrap_or_default();
        prop_assert_eq!(commands, if null { vec![] } else { vec![value] });
    }

    #[test]
    fn patterns_and_references_take_every_text(pattern in ".{0,40}", path in ".{0,40}") {
        let patterns = FilePatterns::new(std::slice::from_ref(&pattern));
        let matches = patterns.matches(&path);
        prop_assert_eq!(matches, patterns.matching(&path).next().is_some());
        if let Some((folder, _)) = path.rsplit_once('/').filter(|_| matches && !path.contains("//")) {
            prop_assert!(patterns.may_match_in(folder), "{pattern:?} {path:?}");
        }
        let _ = OnFailure::parse(&pattern);
        if let Ok(reference) = SecretReference::parse(&pattern) {
            prop_assert_eq!(SecretReference::parse(&reference.to_string()), Ok(reference));
        }
    }
}
