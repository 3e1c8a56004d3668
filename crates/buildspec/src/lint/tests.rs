//! What is suspicious, and above all what is not.

use super::{deploys, hidden_status, loses_its_zero, reference, unquoted, uses_double_bracket};

#[test]
fn values_that_refer_to_variables() {
    let table = [
        ("$HOME/bin", Some("$HOME")),
        ("/usr/bin:${PATH}", Some("${PATH}")),
        ("a$b", Some("$b")),
        ("${PATH", None),
        ("${PATH:-x}", None),
        ("costs $5", None),
        ("$", None),
        ("$$", None),
        ("p4$$word", Some("$word")),
        ("plain", None),
    ];
    for (value, expected) in table {
        assert_eq!(reference(value), expected, "{value}");
    }
}

#[test]
fn versions_that_lose_their_zero() {
    for version in ["3.10", "1.20", "8.0"] {
        assert!(loses_its_zero(version), "{version}");
    }
    for version in ["3.11", "latest", "18", "3.x", "corretto17", "3.10.0", ".", "3."] {
        assert!(!loses_its_zero(version), "{version}");
    }
}

#[test]
fn double_brackets_outside_quotes() {
    for command in ["if [[ -f x ]]; then y; fi", "[[ $A == b ]] && c", "a\n[[ b ]]"] {
        assert!(uses_double_bracket(command), "{command}");
    }
    for command in
        ["echo '[[ x ]]'", "bash -c '[[ x ]]'", "[ x ]", "grep [[:alpha:]] f", "# [[ x ]]"]
    {
        assert!(!uses_double_bracket(command), "{command}");
    }
}

#[test]
fn chains_that_hide_a_status() {
    let table = [
        ("make; make test", Some("make")),
        ("cd app; make", Some("cd app")),
        ("echo a; make; echo b", Some("make")),
        ("echo start; make", None),
        ("A=1; B=2; make", None),
        ("make", None),
        ("make;", None),
        ("make && make test", None),
        ("set -e; make; make test", None),
        ("if [ -f x ]; then make; fi", None),
        ("for f in *; do gzip $f; done", None),
        ("test -f x || { echo no; exit 1; }; make", None),
        ("echo 'a; b'", None),
        ("sh -c \"a; b\"", None),
        ("x=$(a; b)", None),
        ("find . -exec rm {} \\;", None),
        ("make || true; echo done", None),
        ("make\nmake test; x", None),
    ];
    for (command, expected) in table {
        assert_eq!(hidden_status(command), expected, "{command}");
    }
}

#[test]
fn commands_that_deploy() {
    let table = [
        ("docker push $REPO:latest", Some("docker push")),
        ("cd x && docker  push a", Some("docker push")),
        ("aws s3 sync dist s3://bucket", Some("aws s3 sync")),
        ("npx cdk deploy --all", Some("cdk deploy")),
        ("./node_modules/.bin/cdk deploy", Some("cdk deploy")),
        ("echo \"docker push comes next\"", None),
        ("docker pushx", None),
        ("docker build .", None),
    ];
    for (command, expected) in table {
        assert_eq!(deploys(command), expected, "{command}");
    }
}

#[test]
fn blanks_take_as_many_bytes() {
    for text in ["'é' ü", "a \\é b", "# ö\nx", "$(ä)", "\"\\\"ß\""] {
        assert_eq!(unquoted(text).len(), text.len(), "{text}");
    }
}
