//! Phases and their commands.

use crate::check;
use expect_test::expect;

#[test]
fn a_plain_buildspec_has_no_problem() {
    check(
        r#"version: 0.2
phases:
  build:
    commands:
      - make
"#,
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
     - { make; }
     - [a]
"#,
        expect![[r#"
            error[command-not-text]: `phases.build.commands[0]` is a mapping, not a command
             --> buildspec.yml:6:19
              |
            6 |      - echo "Hello: world"
              |                   ^
              |
              = help: a colon and a blank make a mapping; write: - 'echo "Hello: world"'
              aws: Expected Commands[0] to be of string type: found subkeys instead at line 6, value of the key tag on line 5 might be empty
            error[command-not-text]: `phases.build.commands[1]` is a mapping, not a command
             --> buildspec.yml:7:8
              |
            7 |      - { make; }
              |        ^
              |
              = help: braces make a mapping; write: - '{ make; }'
              aws: Expected Commands[1] to be of string type: found subkeys instead at line 7, value of the key tag on line 6 might be empty
            error[command-not-text]: `phases.build.commands[2]` is a list, not a command
             --> buildspec.yml:8:8
              |
            8 |      - [a]
              |        ^
              |
              = help: write the commands of an inner list as entries of the outer one
              aws: Expected Commands[2] to be of string type: found subkeys instead at line 8, value of the key tag on line 7 might be empty
            not usable
        "#]],
    );
}

#[test]
fn a_command_is_never_nothing() {
    check(
        r#"version: 0.2
phases:
  build:
    commands:
      - a
      -
      - ~
      - ""
"#,
        expect![[r#"
            warning[empty]: `phases.build.commands[1]` is empty
             --> buildspec.yml:6:8
              |
            6 |       -
              |        ^
              |
              = help: remove the dash
            warning[empty]: `phases.build.commands[2]` is empty
             --> buildspec.yml:7:9
              |
            7 |       - ~
              |         ^
              |
              = help: remove the dash
            usable
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
            error[unknown-phase]: there is no phase `prebuild`
             --> buildspec.yml:3:3
              |
            3 |   prebuild:
              |   ^^^^^^^^
              |
              = help: did you mean `pre_build`?
              aws: Invalid buildspec phase name: prebuild. Expecting: build,install,post_build,pre_build
            error[unknown-phase]: there is no phase `artifacts`
             --> buildspec.yml:5:3
              |
            5 |   artifacts:
              |   ^^^^^^^^^
              |
              = help: `artifacts` is no phase: indent it as far as `phases` itself
              aws: Invalid buildspec phase name: artifacts. Expecting: build,install,post_build,pre_build
            error[unknown-phase]: there is no phase `deploy`
             --> buildspec.yml:7:3
              |
            7 |   deploy:
              |   ^^^^^^
              |
              = help: the phases are install, pre_build, build, post_build
              aws: Invalid buildspec phase name: deploy. Expecting: build,install,post_build,pre_build
            warning[phase-case]: `BUILD` is taken for `build`
             --> buildspec.yml:8:3
              |
            8 |   BUILD:
              |   ^^^^^
              |
              = help: phases are written in lower case
            not usable
        "#]],
    );
}

#[test]
fn phases_without_commands_do_nothing() {
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
            warning[empty]: the phase `install` has neither commands nor runtime versions
             --> buildspec.yml:3:3
              |
            3 |   install:
              |   ^^^^^^^
              |
              = help: add `commands`, or remove it
            warning[empty]: the phase `pre_build` has no commands; nothing will run
             --> buildspec.yml:4:3
              |
            4 |   pre_build:
              |   ^^^^^^^^^
              |
              = help: add `commands`, or remove it
            warning[empty]: the phase `build` has no commands; nothing will run
             --> buildspec.yml:6:3
              |
            6 |   build: {}
              |   ^^^^^
              |
              = help: add `commands`, or remove it
            usable
        "#]],
    );
}

#[test]
fn phases_need_to_be_mappings() {
    check(
        r#"version: 0.2
phases:
  build: make
  post_build: [make]
"#,
        expect![[r#"
            error[wrong-type]: `phases.build` must be a mapping, but here is text
             --> buildspec.yml:3:10
              |
            3 |   build: make
              |          ^^^^
              aws: `phases.build` must be a mapping, but here is text at line 3
            error[wrong-type]: `phases.post_build` must be a mapping, but here is a list
             --> buildspec.yml:4:15
              |
            4 |   post_build: [make]
              |               ^
              aws: `phases.post_build` must be a mapping, but here is a list at line 4
            not usable
        "#]],
    );
    check(
        r#"version: 0.2
phases: [build]
"#,
        expect![[r#"
            error[wrong-type]: `phases` must be a mapping, but here is a list
             --> buildspec.yml:2:9
              |
            2 | phases: [build]
              |         ^
              aws: `phases` must be a mapping, but here is a list at line 2
            not usable
        "#]],
    );
    check(
        r#"version: 0.2
phases:
"#,
        expect![[r#"
            warning[empty]: `phases` is empty; no command will run
             --> buildspec.yml:2:1
              |
            2 | phases:
              | ^^^^^^
            usable
        "#]],
    );
}

#[test]
fn what_a_phase_does_on_failure_is_checked() {
    check(
        r#"version: 0.2
phases:
  install:
    on-failure: RETRY-3-(
    commands: [a]
  pre_build:
    on-failure: ABROT
    commands: [a]
  build:
    on-failure: RETRY-101
    run-as: two words
    commands: [a]
    runtime-versions: {java: corretto17}
"#,
        expect![[r#"
            error[bad-value]: `phases.install.on-failure` cannot be `RETRY-3-(`: the pattern is not a regular expression: unclosed group
             --> buildspec.yml:4:17
              |
            4 |     on-failure: RETRY-3-(
              |                 ^^^^^^^^^
              |
              = help: ABORT, CONTINUE, RETRY, RETRY-<0 to 100>, RETRY-<regex>, RETRY-<n>-<regex>
              aws: `phases.install.on-failure` cannot be `RETRY-3-(`: the pattern is not a regular expression: unclosed group at line 4
            error[bad-value]: `phases.pre_build.on-failure` cannot be `ABROT`: it is none of ABORT, CONTINUE and RETRY
             --> buildspec.yml:7:17
              |
            7 |     on-failure: ABROT
              |                 ^^^^^
              |
              = help: did you mean `ABORT`?
              aws: `phases.pre_build.on-failure` cannot be `ABROT`: it is none of ABORT, CONTINUE and RETRY at line 7
            error[bad-value]: `phases.build.on-failure` cannot be `RETRY-101`: a build is retried at most 100 times
              --> buildspec.yml:10:17
               |
            10 |     on-failure: RETRY-101
               |                 ^^^^^^^^^
               |
               = help: ABORT, CONTINUE, RETRY, RETRY-<0 to 100>, RETRY-<regex>, RETRY-<n>-<regex>
              aws: `phases.build.on-failure` cannot be `RETRY-101`: a build is retried at most 100 times at line 10
            error[bad-value]: `phases.build.run-as` cannot be `two words`
              --> buildspec.yml:11:13
               |
            11 |     run-as: two words
               |             ^^^^^^^^^
               |
               = help: it is the name of a user that the image has
              aws: `phases.build.run-as` cannot be `two words` at line 11
            warning[misplaced-key]: `runtime-versions` means nothing in `build`
              --> buildspec.yml:13:5
               |
            13 |     runtime-versions: {java: corretto17}
               |     ^^^^^^^^^^^^^^^^
               |
               = help: move it to `phases.install`; it is ignored here
            not usable
        "#]],
    );
}
