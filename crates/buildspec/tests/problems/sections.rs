//! The sections at the top, and `env`.

use crate::check;
use buildspec::parse;
use expect_test::expect;

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
variables: {}
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
            buildspec.yml:17:1: warning: `variables` means nothing here and is ignored
               |
            17 | variables: {}
               | ^^^^^^^^^
               = help: it belongs under `env`
            buildspec.yml:18:1: warning: `frobnicate` means nothing in a buildspec and is ignored
               |
            18 | frobnicate: 1
               | ^^^^^^^^^^
               = help: known here: version, run-as, env, proxy, batch, phases, reports, artifacts, cache
            usable
        "#]],
    );
}

#[test]
fn a_buildspec_is_a_mapping() {
    check(
        r#"- version: 0.2
"#,
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
        r#"just text"#,
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
        r#"env: {}
"#,
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
        r#"version: 0.3
phases:
  build: {commands: [a]}
"#,
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
    check(
        r#"version: [0.2]
phases:
  build: {commands: [a]}
"#,
        expect![[r#"
            buildspec.yml:1:10: error: `version` must be text, but here is a list
              |
            1 | version: [0.2]
              |          ^
              aws: `version` must be text, but here is a list at line 1
            not usable
        "#]],
    );
}

#[test]
fn variables_are_names_and_texts() {
    check(
        r#"version: 0.2
phases: {build: {commands: [a]}}
env:
  variables:
    CODEBUILD_X: a
    CODEBUILD_CONFIG_AUTO_DISCOVER: false
    a-b: c
    "": d
    "A=B": d
    NUL: "\0"
    L: [e]
"#,
        expect![[r#"
            buildspec.yml:5:5: warning: `CODEBUILD_X`: names that begin with CODEBUILD_ are reserved
              |
            5 |     CODEBUILD_X: a
              |     ^^^^^^^^^^^
            buildspec.yml:7:5: warning: a shell cannot refer to a variable named `a-b`
              |
            7 |     a-b: c
              |     ^^^
              = help: use letters, digits and underscores, and no digit first
            buildspec.yml:8:5: error: `` cannot be the name of a variable
              |
            8 |     "": d
              |     ^^
              = help: a name is not empty and holds neither `=` nor a NUL character
              aws: `` cannot be the name of a variable at line 8
            buildspec.yml:9:5: error: `A=B` cannot be the name of a variable
              |
            9 |     "A=B": d
              |     ^^^^^
              = help: a name is not empty and holds neither `=` nor a NUL character
              aws: `A=B` cannot be the name of a variable at line 9
            buildspec.yml:10:10: error: the value of `NUL` holds a NUL character
               |
            10 |     NUL: "\0"
               |          ^^^^
              aws: the value of `NUL` holds a NUL character at line 10
            buildspec.yml:11:8: error: `env.variables.L` must be text, but here is a list
               |
            11 |     L: [e]
               |        ^
              aws: `env.variables.L` must be text, but here is a list at line 11
            not usable
        "#]],
    );
}

#[test]
fn the_rest_of_env_is_checked() {
    check(
        r#"version: 0.2
phases: {build: {commands: [a]}}
run-as: two words
env:
  shell: fish
  git-credential-helper: maybe
  secrets-manager:
    S: a:b:c:d
    T: arn:aws:ssm:x
  exported-variables: [AWS_X, Y]
proxy:
  logs: perhaps
  log: no
"#,
        expect![[r#"
            buildspec.yml:3:9: error: `run-as` cannot be `two words`
              |
            3 | run-as: two words
              |         ^^^^^^^^^
              = help: it is the name of a user that the image has
              aws: `run-as` cannot be `two words` at line 3
            buildspec.yml:5:10: warning: `env.shell` names the program `fish`
              |
            5 |   shell: fish
              |          ^^^^
              = help: CodeBuild knows bash and /bin/sh, powershell.exe and cmd.exe
            buildspec.yml:6:26: error: `env.git-credential-helper` is `yes` or `no`, not `maybe`
              |
            6 |   git-credential-helper: maybe
              |                          ^^^^^
              aws: `env.git-credential-helper` is `yes` or `no`, not `maybe` at line 6
            buildspec.yml:8:8: error: `env.secrets-manager.S` cannot be `a:b:c:d`: a version is chosen by its stage or by its id, not by both
              |
            8 |     S: a:b:c:d
              |        ^^^^^^^
              = help: it is <secret-id>:<json-key>:<version-stage>:<version-id>, the last three free
              aws: `env.secrets-manager.S` cannot be `a:b:c:d`: a version is chosen by its stage or by its id, not by both at line 8
            buildspec.yml:9:8: error: `env.secrets-manager.T` cannot be `arn:aws:ssm:x`: it is not the whole ARN of a secret
              |
            9 |     T: arn:aws:ssm:x
              |        ^^^^^^^^^^^^^
              = help: it is <secret-id>:<json-key>:<version-stage>:<version-id>, the last three free
              aws: `env.secrets-manager.T` cannot be `arn:aws:ssm:x`: it is not the whole ARN of a secret at line 9
            buildspec.yml:10:24: warning: `AWS_X` is not exported: its name begins with AWS_
               |
            10 |   exported-variables: [AWS_X, Y]
               |                        ^^^^^
               = help: export it under another name
            buildspec.yml:12:9: error: `proxy.logs` is `yes` or `no`, not `perhaps`
               |
            12 |   logs: perhaps
               |         ^^^^^^^
              aws: `proxy.logs` is `yes` or `no`, not `perhaps` at line 12
            buildspec.yml:13:3: warning: `log` means nothing in proxy and is ignored
               |
            13 |   log: no
               |   ^^^
               = help: did you mean `logs`?
            not usable
        "#]],
    );
}

#[test]
fn old_keys_have_new_names() {
    check(
        r#"version: 0.2
phases: {build: {commands: [a]}}
environment_variables:
  plaintext: {A: b}
"#,
        expect![[r#"
            buildspec.yml:3:1: warning: `environment_variables` belongs to version 0.1 and is ignored
              |
            3 | environment_variables:
              | ^^^^^^^^^^^^^^^^^^^^^
              = help: in 0.2 it is `env.variables`
            usable
        "#]],
    );
    check(
        r#"version: 0.1
environment_variables:
  plaintext: {A: b}
  plain: {}
phases: {build: {commands: [a]}}
"#,
        expect![[r#"
            buildspec.yml:4:3: warning: `plain` means nothing in environment_variables and is ignored
              |
            4 |   plain: {}
              |   ^^^^^
              = help: known here: plaintext
            usable
        "#]],
    );
}
