//! Every kind of problem as a user reads it, and what CodeBuild says of it.

use buildspec::{Severity, parse};
use expect_test::{Expect, expect};
use std::fmt::Write;

/// Renders every problem of a text; an error is followed by CodeBuild's wording.
#[expect(clippy::needless_pass_by_value, reason = "expectations are made where they are used")]
fn check(text: &str, expected: Expect) {
    let parsed = parse(text);
    let mut shown = String::new();
    for problem in &parsed.problems {
        shown.push_str(&problem.render("buildspec.yml", text));
        if problem.severity == Severity::Error {
            writeln!(shown, "  aws: {}", problem.aws_message()).expect("a string takes all");
        }
    }
    let usable = if parsed.buildspec.is_some() { "usable" } else { "not usable" };
    expected.assert_eq(&format!("{shown}{usable}\n"));
}

#[test]
fn a_plain_buildspec_has_no_problem() {
    check(
        "version: 0.2\nphases:\n  build:\n    commands:\n      - make\n",
        expect![[r#"
        usable
    "#]],
    );
}

#[test]
fn a_colon_makes_a_command_a_mapping() {
    check(
        r#"version: 0.2

phases:
  build:
    commands:
     - echo "Hello: world"
     - {}
     - [a]
"#,
        expect![[r#"
            buildspec.yml:6:19: error: `phases.build.commands[0]` is a mapping, not a command
              |
            6 |      - echo "Hello: world"
              |                   ^
              = help: a colon and a space make a mapping: put quotes around the whole command
              aws: Expected Commands[0] to be of string type: found subkeys instead at line 6, value of the key tag on line 5 might be empty
            buildspec.yml:7:8: error: `phases.build.commands[1]` is a mapping, not a command
              |
            7 |      - {}
              |        ^
              = help: a command that begins with `{` needs quotes, or `|` before it
              aws: Expected Commands[1] to be of string type: found subkeys instead at line 7, value of the key tag on line 6 might be empty
            buildspec.yml:8:8: error: `phases.build.commands[2]` is a list, not a command
              |
            8 |      - [a]
              |        ^
              = help: write the commands of an inner list as entries of the outer one
              aws: Expected Commands[2] to be of string type: found subkeys instead at line 8, value of the key tag on line 7 might be empty
            not usable
        "#]],
    );
}

#[test]
fn an_unknown_phase_is_an_error() {
    check(
        r#"version: 0.2
phases:
  prebuild:
    commands: [a]
  artifacts:
    files: [b]
  deploy:
  BUILD:
    commands: [c]
"#,
        expect![[r#"
            buildspec.yml:3:3: error: there is no phase `prebuild`
              |
            3 |   prebuild:
              |   ^^^^^^^^
              = help: did you mean `pre_build`?
              aws: Invalid buildspec phase name: prebuild. Expecting: build,install,post_build,pre_build
            buildspec.yml:5:3: error: there is no phase `artifacts`
              |
            5 |   artifacts:
              |   ^^^^^^^^^
              = help: `artifacts` is no phase: indent it as far as `phases` itself
              aws: Invalid buildspec phase name: artifacts. Expecting: build,install,post_build,pre_build
            buildspec.yml:7:3: error: there is no phase `deploy`
              |
            7 |   deploy:
              |   ^^^^^^
              = help: the phases are install, pre_build, build, post_build
              aws: Invalid buildspec phase name: deploy. Expecting: build,install,post_build,pre_build
            buildspec.yml:8:3: warning: `BUILD` is taken for `build`
              |
            8 |   BUILD:
              |   ^^^^^
              = help: phases are written in lower case
            not usable
        "#]],
    );
}

#[test]
fn mistyped_keys_are_warnings_with_their_likeliest_names() {
    check(
        r#"version: 0.2
runas: me
env:
  variable:
    A: b
phases:
  build:
    comands:
      - x
    commands:
      - y
    onFailure: ABORT
artefacts:
  files: x
build:
  commands: [a]
frobnicate: 1
"#,
        expect![[r#"
            buildspec.yml:2:1: warning: `runas` means nothing in a buildspec and is ignored
              |
            2 | runas: me
              | ^^^^^
              = help: did you mean `run-as`?
            buildspec.yml:4:3: warning: `variable` means nothing in env and is ignored
              |
            4 |   variable:
              |   ^^^^^^^^
              = help: did you mean `variables`?
            buildspec.yml:8:5: warning: `comands` means nothing in phases.build and is ignored
              |
            8 |     comands:
              |     ^^^^^^^
              = help: did you mean `commands`?
            buildspec.yml:12:5: warning: `onFailure` means nothing in phases.build and is ignored
               |
            12 |     onFailure: ABORT
               |     ^^^^^^^^^
               = help: did you mean `on-failure`?
            buildspec.yml:13:1: warning: `artefacts` means nothing in a buildspec and is ignored
               |
            13 | artefacts:
               | ^^^^^^^^^
               = help: did you mean `artifacts`?
            buildspec.yml:15:1: warning: `build` means nothing here and is ignored
               |
            15 | build:
               | ^^^^^
               = help: it belongs under `phases`
            buildspec.yml:17:1: warning: `frobnicate` means nothing in a buildspec and is ignored
               |
            17 | frobnicate: 1
               | ^^^^^^^^^^
               = help: known here: version, run-as, env, proxy, batch, phases, reports, artifacts, cache
            usable
        "#]],
    );
}

#[test]
fn nothing_is_no_buildspec() {
    let messages = ["", "   \n", "# only a comment\n", "---\n", "~", "\u{feff}"].map(|text| {
        parse(text).problems.iter().map(|problem| problem.aws_message()).collect::<Vec<_>>()
    });
    for found in messages {
        assert_eq!(found, ["wrong number of container tags, expected 1"]);
    }
}

#[test]
fn a_buildspec_is_a_mapping() {
    check(
        "- version: 0.2\n",
        expect![[r#"
        buildspec.yml:1:1: error: a buildspec is a mapping, but here is a list
          |
        1 | - version: 0.2
          | ^
          = help: it begins with `version: 0.2` and has `phases`
          aws: wrong number of container tags, expected 1
        not usable
    "#]],
    );
    check(
        "just text",
        expect![[r#"
        buildspec.yml:1:1: error: a buildspec is a mapping, but here is text
          |
        1 | just text
          | ^^^^^^^^^
          = help: it begins with `version: 0.2` and has `phases`
          aws: wrong number of container tags, expected 1
        not usable
    "#]],
    );
}

#[test]
fn version_and_phases_are_required() {
    check(
        "env: {}\n",
        expect![[r#"
            buildspec.yml:1:1: error: `phases` is missing
              |
            1 | env: {}
              | ^
              = help: add `phases` with at least one of install, pre_build, build, post_build
              aws: wrong number of container tags, expected 1
            buildspec.yml:1:1: error: `version` is missing
              |
            1 | env: {}
              | ^
              = help: begin with `version: 0.2`
              aws: Invalid buildspec version: . Expecting: 0.1,0.2
            not usable
        "#]],
    );
    check(
        "version: 0.3\nphases:\n  build: {commands: [a]}\n",
        expect![[r#"
        buildspec.yml:1:10: error: there is no buildspec version `0.3`
          |
        1 | version: 0.3
          |          ^^^
          = help: the versions are 0.1 and 0.2; take 0.2
          aws: Invalid buildspec version: 0.3. Expecting: 0.1,0.2
        not usable
    "#]],
    );
}

#[test]
fn phases_need_commands() {
    check(
        r#"version: 0.2
phases:
  install:
  pre_build:
    commands:
  build: {}
  post_build:
    finally: [x]
"#,
        expect![[r#"
            buildspec.yml:3:3: warning: the phase `install` has neither commands nor runtime versions
              |
            3 |   install:
              |   ^^^^^^^
              = help: remove it
            buildspec.yml:4:3: error: the phase `pre_build` has no commands
              |
            4 |   pre_build:
              |   ^^^^^^^^^
              = help: add `commands` to it, or remove `pre_build`
              aws: Commands of phase pre_build must not be empty
            buildspec.yml:6:3: error: the phase `build` has no commands
              |
            6 |   build: {}
              |   ^^^^^
              = help: add `commands` to it, or remove `build`
              aws: Commands of phase build must not be empty
            not usable
        "#]],
    );
    check(
        "version: 0.2\nphases:\n",
        expect![[r#"
        buildspec.yml:2:1: warning: `phases` is empty; no command will run
          |
        2 | phases:
          | ^^^^^^
        usable
    "#]],
    );
    check(
        "version: 0.2\nphases:\n  build: make\n  post_build: [make]\n",
        expect![[r#"
        buildspec.yml:3:10: error: `phases.build` must be a mapping, but here is text
          |
        3 |   build: make
          |          ^^^^
          aws: `phases.build` must be a mapping, but here is text at line 3
        buildspec.yml:4:15: error: `phases.post_build` must be a mapping, but here is a list
          |
        4 |   post_build: [make]
          |               ^
          aws: `phases.post_build` must be a mapping, but here is a list at line 4
        not usable
    "#]],
    );
}

#[test]
fn what_is_no_yaml_is_told_in_the_words_of_codebuild() {
    check(
        "version: 0.2\nphases:\n  build:\n    commands: [make, test\n",
        expect![[r#"
        buildspec.yml:4:15: error: this is not YAML: did not find expected ',' or ']'
          |
        4 |     commands: [make, test
          |               ^
          = help: close the `[`, or put quotes around a text that begins with it
          aws: did not find expected ',' or ']' at line 4
        not usable
    "#]],
    );
    check(
        "version: 0.2\nenv: {a: b\n",
        expect![[r#"
        buildspec.yml:2:6: error: this is not YAML: did not find expected ',' or '}'
          |
        2 | env: {a: b
          |      ^
          = help: close the `{`, or put quotes around a text that begins with it
          aws: did not find expected ',' or '}' at line 2
        not usable
    "#]],
    );
    check(
        "version: 0.2\nphases:\n\tbuild:\n\t\tcommands:\n",
        expect![[r#"
        buildspec.yml:3:2: error: this is not YAML: found character that cannot start any token
          |
        3 |  build:
          |  ^
          = help: indent with spaces; YAML forbids tabs there
          aws: found character that cannot start any token at line 3
        not usable
    "#]],
    );
    check(
        "version: 0.2 phases: build\n",
        expect![[r#"
        buildspec.yml:1:20: error: this is not YAML: mapping values are not allowed in this context
          |
        1 | version: 0.2 phases: build
          |                    ^
          = help: put quotes around a text that holds a colon and a space
          aws: mapping values are not allowed in this context at line 1
        not usable
    "#]],
    );
    check(
        "version: 0.2\nphases:\n  build:\n    commands:\n      - \"echo\n",
        expect![[r#"
        buildspec.yml:5:9: error: this is not YAML: found unexpected end of stream
          |
        5 |       - "echo
          |         ^
          = help: the quote that opens here is never closed
          aws: found unexpected end of stream at line 5
        not usable
    "#]],
    );
    check(
        "version: 0.2\nphases:\n  build:\n    commands:\n      - \"a\" b\n",
        expect![[r#"
        buildspec.yml:5:13: error: this is not YAML: did not find expected key
          |
        5 |       - "a" b
          |             ^
          = help: the text goes on behind its closing quote; put quotes around all of it
          aws: did not find expected key at line 5
        not usable
    "#]],
    );
    check(
        "version: 0.2\nphases:\n  build:\n    commands:\n      - \"\\d\"\n",
        expect![[r#"
        buildspec.yml:5:9: error: this is not YAML: found unknown escape character
          |
        5 |       - "\d"
          |         ^
          = help: double the backslash, or use single quotes, where it means itself
          aws: found unknown escape character at line 5
        not usable
    "#]],
    );
    check(
        "version: 0.2\nphases:\n  build:\n    commands:\n      - @x\n",
        expect![[r#"
        buildspec.yml:5:9: error: this is not YAML: found character that cannot start any token
          |
        5 |       - @x
          |         ^
          = help: put quotes around a text that begins with this character
          aws: found character that cannot start any token at line 5
        not usable
    "#]],
    );
    check(
        r#"version: 0.2
phases:
  build:
    commands:
      - make
     - test
"#,
        expect![[r#"
            buildspec.yml:6:6: error: this is not YAML: did not find expected key
              |
            6 |      - test
              |      ^
              = help: compare the indentation with that of the lines above
              aws: did not find expected key at line 6
            not usable
        "#]],
    );
    check(
        "version: 0.2\nphases:\n  build:\n   commands:\n  - make\n",
        expect![[r#"
        buildspec.yml:5:5: error: this is not YAML: did not find expected key
          |
        5 |   - make
          |     ^
          = help: compare the indentation with that of the lines above
          aws: did not find expected key at line 5
        not usable
    "#]],
    );
    check(
        "version: 0.2\nphases:\n  build\n    commands:\n      - make\n",
        expect![[r#"
        buildspec.yml:4:13: error: this is not YAML: mapping values are not allowed in this context
          |
        4 |     commands:
          |             ^
          = help: put quotes around a text that holds a colon and a space
          aws: mapping values are not allowed in this context at line 4
        not usable
    "#]],
    );
    check(
        "version: 0.2\nphases: \u{1}x\n",
        expect![[r#"
        buildspec.yml:2:9: error: the character U+0001 is not allowed in YAML
          |
        2 | phases:  x
          |         ^
          = help: write it as an escape in double quotes, or remove it
          aws: control characters are not allowed
        not usable
    "#]],
    );
}

#[test]
fn stars_without_quotes_are_explained() {
    let head = "version: 0.2\nphases: {build: {commands: [a]}}\nartifacts:\n  files:\n";
    check(
        &format!("{head}    - *.jar\n"),
        expect![[r#"
        buildspec.yml:5:7: error: `*.jar` refers to an anchor that is not defined before it
          |
        5 |     - *.jar
          |       ^^^^^
          = help: a pattern that begins with a star needs quotes: '*.jar'
          aws: unknown anchor '.jar' referenced
        not usable
    "#]],
    );
    check(
        &format!("{head}    - **/*\n"),
        expect![[r#"
        buildspec.yml:5:7: error: `**/*` refers to an anchor that is not defined before it
          |
        5 |     - **/*
          |       ^^^^
          = help: a pattern that begins with a star needs quotes: '**/*'
          aws: unknown anchor '*/*' referenced
        not usable
    "#]],
    );
    check(
        &format!("{head}    - *common\n"),
        expect![[r#"
        buildspec.yml:5:7: error: `*common` refers to an anchor that is not defined before it
          |
        5 |     - *common
          |       ^^^^^^^
          = help: define it with `&common`, or put quotes around a text with a star
          aws: unknown anchor 'common' referenced
        not usable
    "#]],
    );
    check(
        &format!("{head}    - &x [*x]\n"),
        expect![[r#"
        buildspec.yml:5:11: error: this alias stands inside the value that it refers to
          |
        5 |     - &x [*x]
          |           ^^
          aws: anchor value contains itself
        not usable
    "#]],
    );
}

#[test]
fn what_yaml_allows_and_nobody_means_is_a_warning() {
    check(
        r#"version: 0.2
phases:
  build:
    commands: [a]
  build:
    commands: !Sub b
---
version: 0.2
"#,
        expect![[r#"
            buildspec.yml:5:3: warning: `build` stands here a second time; this one counts
              |
            5 |   build:
              |   ^^^^^
              = help: the first is in line 3; remove one
            buildspec.yml:6:15: warning: the tag `!Sub` has no meaning in a buildspec
              |
            6 |     commands: !Sub b
              |               ^^^^
              = help: the value is taken as it stands, without being computed
            buildspec.yml:6:20: warning: `phases.build.commands` is a list; this one value is taken as its only entry
              |
            6 |     commands: !Sub b
              |                    ^
              = help: put `- ` before it
            buildspec.yml:7:1: warning: only the first document is read; a second one begins here
              |
            7 | ---
              | ^^^
            usable
        "#]],
    );
    check(
        r#"version: 0.2
phases:
  build:
    commands:
      - a
      -
      - [b]
    ? [c]
    : d
"#,
        expect![[r#"
            buildspec.yml:6:8: warning: `phases.build.commands[1]` is empty
              |
            6 |       -
              |        ^
              = help: remove the dash
            buildspec.yml:7:9: error: `phases.build.commands[2]` is a list, not a command
              |
            7 |       - [b]
              |         ^
              = help: write the commands of an inner list as entries of the outer one
              aws: Expected Commands[2] to be of string type: found subkeys instead at line 7, value of the key tag on line 6 might be empty
            buildspec.yml:8:7: error: a key must be text, but here is a list
              |
            8 |     ? [c]
              |       ^
              = help: a value that begins with `{` or `[` needs quotes to be text
              aws: a key must be text, but here is a list at line 8
            not usable
        "#]],
    );
    check(
        "version: 0.2\nphases:\n  <<: text\n",
        expect![[r#"
        buildspec.yml:3:7: error: `<<` merges mappings, but here is text
          |
        3 |   <<: text
          |       ^^^^
          = help: write `<<: *anchor`, or `<<: [*one, *two]`
          aws: map merge requires map or sequence of maps as the value
        not usable
    "#]],
    );
}

#[test]
fn values_out_of_range_are_errors() {
    check(
        r#"version: 0.2
run-as: two words
env:
  shell: fish
  git-credential-helper: maybe
  variables:
    CODEBUILD_X: a
    a-b: c
    "": d
    L: [e]
  secrets-manager:
    S: a:b:c:d
  exported-variables: [AWS_X, Y]
proxy:
  logs: perhaps
phases:
  build:
    on-failure: RETRY-101
    commands: [a]
    runtime-versions: {java: corretto17}
  post_build:
    on-failure: ABROT
    commands: [a]
"#,
        expect![[r#"
            buildspec.yml:2:9: error: `run-as` cannot be `two words`
              |
            2 | run-as: two words
              |         ^^^^^^^^^
              = help: it is the name of a user that the image has
              aws: `run-as` cannot be `two words` at line 2
            buildspec.yml:4:10: warning: `env.shell` names the program `fish`
              |
            4 |   shell: fish
              |          ^^^^
              = help: CodeBuild knows bash and /bin/sh, powershell.exe and cmd.exe
            buildspec.yml:5:26: error: `env.git-credential-helper` is `yes` or `no`, not `maybe`
              |
            5 |   git-credential-helper: maybe
              |                          ^^^^^
              aws: `env.git-credential-helper` is `yes` or `no`, not `maybe` at line 5
            buildspec.yml:7:5: warning: `CODEBUILD_X`: names that begin with CODEBUILD_ are reserved
              |
            7 |     CODEBUILD_X: a
              |     ^^^^^^^^^^^
            buildspec.yml:8:5: warning: a shell cannot refer to a variable named `a-b`
              |
            8 |     a-b: c
              |     ^^^
              = help: use letters, digits and underscores, and no digit first
            buildspec.yml:9:5: error: `` cannot be the name of a variable
              |
            9 |     "": d
              |     ^^
              = help: a name is not empty and holds neither `=` nor a NUL character
              aws: `` cannot be the name of a variable at line 9
            buildspec.yml:10:8: error: `env.variables.L` must be text, but here is a list
               |
            10 |     L: [e]
               |        ^
              aws: `env.variables.L` must be text, but here is a list at line 10
            buildspec.yml:12:8: error: `env.secrets-manager.S` cannot be `a:b:c:d`: a version is chosen by its stage or by its id, not by both
               |
            12 |     S: a:b:c:d
               |        ^^^^^^^
               = help: it is <secret-id>:<json-key>:<version-stage>:<version-id>, the last three free
              aws: `env.secrets-manager.S` cannot be `a:b:c:d`: a version is chosen by its stage or by its id, not by both at line 12
            buildspec.yml:13:24: warning: `AWS_X` is not exported: its name begins with AWS_
               |
            13 |   exported-variables: [AWS_X, Y]
               |                        ^^^^^
               = help: export it under another name
            buildspec.yml:15:9: error: `proxy.logs` is `yes` or `no`, not `perhaps`
               |
            15 |   logs: perhaps
               |         ^^^^^^^
              aws: `proxy.logs` is `yes` or `no`, not `perhaps` at line 15
            buildspec.yml:18:17: error: `phases.build.on-failure` cannot be `RETRY-101`: a build is retried at most 100 times
               |
            18 |     on-failure: RETRY-101
               |                 ^^^^^^^^^
               = help: ABORT, CONTINUE, RETRY, RETRY-<0 to 100>, RETRY-<regex>, RETRY-<n>-<regex>
              aws: `phases.build.on-failure` cannot be `RETRY-101`: a build is retried at most 100 times at line 18
            buildspec.yml:20:5: warning: `runtime-versions` means nothing in `build`
               |
            20 |     runtime-versions: {java: corretto17}
               |     ^^^^^^^^^^^^^^^^
               = help: move it to `phases.install`; it is ignored here
            buildspec.yml:22:17: error: `phases.post_build.on-failure` cannot be `ABROT`: it is none of ABORT, CONTINUE and RETRY
               |
            22 |     on-failure: ABROT
               |                 ^^^^^
               = help: did you mean `ABORT`?
              aws: `phases.post_build.on-failure` cannot be `ABROT`: it is none of ABORT, CONTINUE and RETRY at line 22
            not usable
        "#]],
    );
}

#[test]
fn outputs_are_checked() {
    check(
        r#"version: 0.2
phases: {build: {commands: [a]}}
reports:
  r1: {file-format: junit, files: x}
  r2: {}
artifacts:
  type: zip
  secondary-artifacts:
    one: {name: x}
    two: {files: ['**/*'], secondary-artifacts: {}}
cache:
  action: store
  fallback-keys: [a, b, c, d, e, f]
"#,
        expect![[r#"
            buildspec.yml:4:21: error: `reports.r1.file-format` cannot be `junit`
              |
            4 |   r1: {file-format: junit, files: x}
              |                     ^^^^^
              = help: did you mean `JUNITXML`?
              aws: `reports.r1.file-format` cannot be `junit` at line 4
            buildspec.yml:4:35: warning: `reports.r1.files` is a list; this one value is taken as its only entry
              |
            4 |   r1: {file-format: junit, files: x}
              |                                   ^
              = help: put `- ` before it
            buildspec.yml:5:3: error: `reports.r2` has no `files`
              |
            5 |   r2: {}
              |   ^^
              = help: add `files`
              aws: `reports.r2` has no `files` at line 5
            buildspec.yml:6:1: warning: `artifacts` has no `files`; the primary artifact will hold nothing
              |
            6 | artifacts:
              | ^^^^^^^^^
              = help: add `files`, also where only the secondary artifacts are wanted
            buildspec.yml:7:3: warning: `artifacts.type` is ignored; the project says where artifacts go
              |
            7 |   type: zip
              |   ^^^^
              = help: remove it
            buildspec.yml:9:5: error: `artifacts.secondary-artifacts.one` has no `files`
              |
            9 |     one: {name: x}
              |     ^^^
              = help: add `files`
              aws: `artifacts.secondary-artifacts.one` has no `files` at line 9
            buildspec.yml:10:28: warning: `secondary-artifacts` means nothing in artifacts.secondary-artifacts.two and is ignored
               |
            10 |     two: {files: ['**/*'], secondary-artifacts: {}}
               |                            ^^^^^^^^^^^^^^^^^^^
               = help: known here: files, name, discard-paths, base-directory, exclude-paths, enable-symlinks, s3-prefix
            buildspec.yml:12:11: error: `cache.action` cannot be `store`
               |
            12 |   action: store
               |           ^^^^^
               = help: did you mean `restore`?
              aws: `cache.action` cannot be `store` at line 12
            buildspec.yml:13:3: warning: `cache.fallback-keys` is ignored without `cache.key`
               |
            13 |   fallback-keys: [a, b, c, d, e, f]
               |   ^^^^^^^^^^^^^
               = help: add `key`
            buildspec.yml:13:34: error: `cache.fallback-keys` has at most 5 entries; this is one more
               |
            13 |   fallback-keys: [a, b, c, d, e, f]
               |                                  ^
               = help: remove it
              aws: `cache.fallback-keys` has at most 5 entries; this is one more at line 13
            not usable
        "#]],
    );
    check(
        r#"version: 0.2
phases: {build: {commands: [a]}}
artifacts: {name: x}
"#,
        expect![[r#"
            buildspec.yml:3:1: error: `artifacts` has no `files`
              |
            3 | artifacts: {name: x}
              | ^^^^^^^^^
              = help: add `files`
              aws: `artifacts` has no `files` at line 3
            not usable
        "#]],
    );
    check(
        r#"version: 0.2
phases: {build: {commands: [a]}}
artifacts:
cache:
"#,
        expect![[r#"
            buildspec.yml:3:1: warning: `artifacts` is empty and has no effect
              |
            3 | artifacts:
              | ^^^^^^^^^
            buildspec.yml:4:1: warning: `cache` is empty and has no effect
              |
            4 | cache:
              | ^^^^^
            usable
        "#]],
    );
}

#[test]
fn batches_are_checked() {
    check(
        r#"version: 0.2
batch:
  fast-fail: true
  build-graph:
    - identifier: a
      depend-on: [b]
    - identifier: b
      depend-on: [c]
    - identifier: c
      depend-on: [a, bb]
      env: {fleet: f, compute-type: g, typ: h}
    - identifier: a
    - ignore-failure: true
  build-list: []
"#,
        expect![[r#"
            buildspec.yml:10:22: error: no build has the identifier `bb`
               |
            10 |       depend-on: [a, bb]
               |                      ^^
              aws: no build has the identifier `bb` at line 10
            buildspec.yml:11:7: error: `batch.build-graph[2].env` has both `compute-type` and `fleet`
               |
            11 |       env: {fleet: f, compute-type: g, typ: h}
               |       ^^^
               = help: remove one of them
              aws: `batch.build-graph[2].env` has both `compute-type` and `fleet` at line 11
            buildspec.yml:11:40: warning: `typ` means nothing in batch.build-graph[2].env and is ignored
               |
            11 |       env: {fleet: f, compute-type: g, typ: h}
               |                                        ^^^
               = help: did you mean `type`?
            buildspec.yml:12:19: error: the identifier `a` is taken already
               |
            12 |     - identifier: a
               |                   ^
              aws: the identifier `a` is taken already at line 12
            buildspec.yml:13:7: error: `batch.build-graph[4]` has no `identifier`
               |
            13 |     - ignore-failure: true
               |       ^
               = help: add `identifier`
              aws: `batch.build-graph[4]` has no `identifier` at line 13
            buildspec.yml:14:3: error: `batch` has `build-graph` already; `build-list` cannot stand beside it
               |
            14 |   build-list: []
               |   ^^^^^^^^^^
               = help: keep one of them
              aws: `batch` has `build-graph` already; `build-list` cannot stand beside it at line 14
            not usable
        "#]],
    );
    check(
        "version: 0.2\nbatch:\n  build-fanout:\n    parallelism: none\n",
        expect![[r#"
        buildspec.yml:4:18: error: `batch.build-fanout.parallelism` is a whole number from 1 on, not `none`
          |
        4 |     parallelism: none
          |                  ^^^^
          aws: `batch.build-fanout.parallelism` is a whole number from 1 on, not `none` at line 4
        not usable
    "#]],
    );
    check(
        "version: 0.2\nbatch: {}\n",
        expect![[r#"
            buildspec.yml:2:1: error: `batch` does not say which builds there are
              |
            2 | batch: {}
              | ^^^^^
              = help: add one of build-list, build-matrix, build-graph, build-fanout
              aws: `batch` does not say which builds there are at line 2
            not usable
        "#]],
    );
}

#[test]
fn limits_are_fast_refusals() {
    let anchors: String = (1..9)
        .map(|n| format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 9].join(", ")))
        .collect();
    check(
        &format!("version: 0.2\na0: &a0 [x, x, x, x, x, x, x, x, x]\n{anchors}"),
        expect![[r#"
            buildspec.yml:7:15: error: the buildspec holds more than 100000 values
              |
            7 | a5: &a5 [*a4, *a4, *a4, *a4, *a4, *a4, *a4, *a4, *a4]
              |               ^^^
              = help: each use of an alias counts as all that its anchor holds
              aws: document contains excessive aliasing
            not usable
        "#]],
    );
    check(
        &format!("a: {}", "[".repeat(20_000)),
        expect![[r#"
        buildspec.yml:1:68: error: lists and mappings are nested deeper than 64 levels
          |
        1 | …[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[…
          |                                                              ^
          aws: lists and mappings are nested deeper than 64 levels at line 1
        not usable
    "#]],
    );
    check(
        &" ".repeat(10 * 1024 * 1024),
        expect![[r#"
        buildspec.yml:1:1: error: the buildspec has 10485760 bytes, more than 1048576
          aws: the buildspec has 10485760 bytes, more than 1048576 at line 1
        not usable
    "#]],
    );
}
