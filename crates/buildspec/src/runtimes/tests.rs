//! What an image offers and what is taken of it.

use super::{Runtimes, Selection};
use expect_test::{Expect, expect};

/// The form of the files that CodeBuild's images carry, old and new.
const FILE: &str = r#"
version: 0.1
runtimes:
  android:
    versions:
      28:
        requires:
          java: ["openjdk8"]
        commands:
          - echo "Installing Android version 28 ..."
  java:
    versions:
      corretto25: {commands: [echo 25]}
      corretto8: {commands: [echo 8]}
      openjdk8: {commands: [echo open 8]}
  python:
    versions:
      3.9: {commands: [echo 3.9]}
      3.10:
        commands:
          - echo "Installing Python version 3.10 ..."
          - pyenv global $PYTHON_310_VERSION
      default:
        commands:
          - echo "Installing custom Python version $VERSION ..."
"#;

fn select(asked: &[(&str, &str)]) -> Selection {
    let asked: Vec<_> =
        asked.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    Runtimes::parse(FILE).unwrap().select(&asked)
}

fn check(asked: &[(&str, &str)], expected: &Expect) {
    let Selection { lines, result } = select(asked);
    let mut text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    match result {
        Ok(selected) => {
            for selected in selected {
                let version = selected.version.unwrap_or_default();
                text += &format!("{} {version}: {}\n", selected.runtime, selected.commands[0]);
            }
        }
        Err(message) => text += &format!("fails: {message}\n"),
    }
    expected.assert_eq(&text);
}

#[test]
fn a_version_is_taken_by_its_name() {
    check(
        &[("python", "3.10"), ("java", "corretto8")],
        &expect![[r#"
            Selecting 'python' runtime version '3.10' based on manual selections...
            Selecting 'java' runtime version 'corretto8' based on manual selections...
            python : echo "Installing Python version 3.10 ..."
            java : echo 8
        "#]],
    );
}

#[test]
fn the_latest_is_the_greatest_by_number() {
    check(
        &[("python", "latest"), ("java", "latest")],
        &expect![[r#"
            Resolved 'python' runtime alias 'latest' to '3.10'.
            Selecting 'python' runtime version '3.10' based on manual selections...
            Resolved 'java' runtime alias 'latest' to 'corretto25'.
            Selecting 'java' runtime version 'corretto25' based on manual selections...
            python : echo "Installing Python version 3.10 ..."
            java : echo 25
        "#]],
    );
}

#[test]
fn an_x_stands_for_the_greatest_of_its_major_version() {
    check(
        &[("python", "3.x"), ("java", "corretto8.x")],
        &expect![[r#"
            Resolved 'python' runtime alias '3.x' to '3.10'.
            Selecting 'python' runtime version '3.10' based on manual selections...
            Resolved 'java' runtime alias 'corretto8.x' to 'corretto8'.
            Selecting 'java' runtime version 'corretto8' based on manual selections...
            python : echo "Installing Python version 3.10 ..."
            java : echo 8
        "#]],
    );
}

#[test]
fn another_version_is_installed_where_the_image_says_how() {
    check(
        &[("python", "3.7.2"), ("java", "corretto15")],
        &expect![[r#"
            Selecting 'python' runtime version '3.7.2' based on manual selections...
            Selecting 'java' runtime version 'corretto15' based on manual selections...
            fails: Unknown runtime version named 'corretto15' of java. This build image has the following versions: corretto8, openjdk8, corretto25
        "#]],
    );
    check(
        &[("python", "3.7.2")],
        &expect![[r#"
            Selecting 'python' runtime version '3.7.2' based on manual selections...
            python 3.7.2: echo "Installing custom Python version $VERSION ..."
        "#]],
    );
    for no_version in ["2.x", "three", "3; rm -rf /", "3 4", ""] {
        assert!(select(&[("python", no_version)]).result.is_err(), "{no_version}");
    }
}

#[test]
fn a_runtime_that_is_not_there_is_named_with_those_that_are() {
    check(
        &[("python", "3.9"), ("docker", "20")],
        &expect![[r#"
            Selecting 'python' runtime version '3.9' based on manual selections...
            Selecting 'docker' runtime version '20' based on manual selections...
            fails: Unknown runtime named 'docker'. This build image has the following runtimes: android, java, python
        "#]],
    );
}

#[test]
fn what_a_runtime_needs_is_selected_before_it() {
    check(
        &[("android", "28"), ("python", "3.9")],
        &expect![[r#"
            Selecting 'android' runtime version '28' based on manual selections...
            Selecting 'python' runtime version '3.9' based on manual selections...
            Selecting 'java' runtime version 'openjdk8' based on the dependencies of runtime 'android' version '28'...
            java : echo open 8
            android : echo "Installing Android version 28 ..."
            python : echo 3.9
        "#]],
    );
    check(
        &[("android", "28"), ("java", "openjdk8")],
        &expect![[r#"
            Selecting 'android' runtime version '28' based on manual selections...
            Selecting 'java' runtime version 'openjdk8' based on manual selections...
            android : echo "Installing Android version 28 ..."
            java : echo open 8
        "#]],
    );
}

#[test]
fn a_selection_that_does_not_go_together_fails() {
    check(
        &[("android", "28"), ("java", "corretto25")],
        &expect![[r#"
            Selecting 'android' runtime version '28' based on manual selections...
            Selecting 'java' runtime version 'corretto25' based on manual selections...
            Runtime 'android' version '28' has a dependency on runtime 'java', but 'java' version 'corretto25' has already been manually selected. Not attempting to override.
            fails: Runtime 'android' version '28' cannot be used with version 'corretto25' of java. It requires one of the following versions: openjdk8
        "#]],
    );
}

#[test]
fn a_broken_file_is_told_and_an_empty_one_offers_nothing() {
    assert!(Runtimes::parse("runtimes: [").unwrap_err().contains("line 0"));
    assert!(Runtimes::parse(&"[".repeat(100)).is_err());
    for nothing in ["", "~", "runtimes:", "runtimes: 3", "other: {}", "runtimes: {java: {}}"] {
        let found = Runtimes::parse(nothing).unwrap();
        assert!(found.0.iter().all(|runtime| runtime.versions.is_empty()), "{nothing}");
    }
}
