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
artefacts:
  files: x
frobnicate: 1
phases:
  build:
    comands:
      - x
    commands:
      - y
    onFailure: ABORT
"#,
        expect![[r#"
            warning[unknown-key]: `runas` means nothing in a buildspec and is ignored
             --> buildspec.yml:2:1
              |
            2 | runas: me
              | ^^^^^
              |
              = help: did you mean `run-as`?
            warning[unknown-key]: `artefacts` means nothing in a buildspec and is ignored
             --> buildspec.yml:3:1
              |
            3 | artefacts:
              | ^^^^^^^^^
              |
              = help: did you mean `artifacts`?
            warning[unknown-key]: `frobnicate` means nothing in a buildspec and is ignored
             --> buildspec.yml:5:1
              |
            5 | frobnicate: 1
              | ^^^^^^^^^^
              |
              = help: known here: version, run-as, env, proxy, batch, phases, reports, artifacts, cache
            warning[unknown-key]: `comands` means nothing in phases.build and is ignored
             --> buildspec.yml:8:5
              |
            8 |     comands:
              |     ^^^^^^^
              |
              = help: did you mean `commands`?
            warning[unknown-key]: `onFailure` means nothing in phases.build and is ignored
              --> buildspec.yml:12:5
               |
            12 |     onFailure: ABORT
               |     ^^^^^^^^^
               |
               = help: did you mean `on-failure`?
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
            error[wrong-type]: a buildspec is a mapping, but here is a list
             --> buildspec.yml:1:1
              |
            1 | - version: 0.2
              | ^
              |
              = help: it begins with `version: 0.2` and has `phases`
              aws: wrong number of container tags, expected 1
            not usable
        "#]],
    );
    check(
        r#"just text"#,
        expect![[r#"
            error[wrong-type]: a buildspec is a mapping, but here is text
             --> buildspec.yml:1:1
              |
            1 | just text
              | ^^^^^^^^^
              |
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
            error[missing]: `phases` is missing
             --> buildspec.yml:1:1
              |
            1 | env: {}
              | ^
              |
              = help: add `phases` with at least one of install, pre_build, build, post_build
              aws: wrong number of container tags, expected 1
            error[missing]: `version` is missing
             --> buildspec.yml:1:1
              |
            1 | env: {}
              | ^
              |
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
            error[bad-value]: there is no buildspec version `0.3`
             --> buildspec.yml:1:10
              |
            1 | version: 0.3
              |          ^^^
              |
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
            error[wrong-type]: `version` must be text, but here is a list
             --> buildspec.yml:1:10
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
            warning[reserved-variable]: `CODEBUILD_X`: names that begin with CODEBUILD_ are reserved
             --> buildspec.yml:5:5
              |
            5 |     CODEBUILD_X: a
              |     ^^^^^^^^^^^
            warning[unreachable-variable]: a shell cannot refer to a variable named `a-b`
             --> buildspec.yml:7:5
              |
            7 |     a-b: c
              |     ^^^
              |
              = help: use letters, digits and underscores, and no digit first
            error[bad-value]: `` cannot be the name of a variable
             --> buildspec.yml:8:5
              |
            8 |     "": d
              |     ^^
              |
              = help: a name is not empty and holds neither `=` nor a NUL character
              aws: `` cannot be the name of a variable at line 8
            error[bad-value]: `A=B` cannot be the name of a variable
             --> buildspec.yml:9:5
              |
            9 |     "A=B": d
              |     ^^^^^
              |
              = help: a name is not empty and holds neither `=` nor a NUL character
              aws: `A=B` cannot be the name of a variable at line 9
            error[bad-value]: the value of `NUL` holds a NUL character
              --> buildspec.yml:10:10
               |
            10 |     NUL: "\0"
               |          ^^^^
              aws: the value of `NUL` holds a NUL character at line 10
            error[wrong-type]: `env.variables.L` must be text, but here is a list
              --> buildspec.yml:11:8
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
phases: {build: {commands: [Y=1]}}
run-as: two words
env:
  shell: fish
  git-credential-helper: maybe
  exported-variables: [AWS_X, Y]
"#,
        expect![[r#"
            error[bad-value]: `run-as` cannot be `two words`
             --> buildspec.yml:3:9
              |
            3 | run-as: two words
              |         ^^^^^^^^^
              |
              = help: it is the name of a user that the image has
              aws: `run-as` cannot be `two words` at line 3
            warning[unknown-shell]: `env.shell` names the program `fish`
             --> buildspec.yml:5:10
              |
            5 |   shell: fish
              |          ^^^^
              |
              = help: CodeBuild knows bash and /bin/sh, powershell.exe and cmd.exe
            error[bad-value]: `env.git-credential-helper` is `yes` or `no`, not `maybe`
             --> buildspec.yml:6:26
              |
            6 |   git-credential-helper: maybe
              |                          ^^^^^
              aws: `env.git-credential-helper` is `yes` or `no`, not `maybe` at line 6
            warning[not-exportable]: `AWS_X` is not exported: its name begins with AWS_
             --> buildspec.yml:7:24
              |
            7 |   exported-variables: [AWS_X, Y]
              |                        ^^^^^
              |
              = help: export it under another name
            not usable
        "#]],
    );
    check(
        r#"version: 0.2
phases: {build: {commands: [a]}}
proxy:
  logs: perhaps
  log: no
"#,
        expect![[r#"
            error[bad-value]: `proxy.logs` is `yes` or `no`, not `perhaps`
             --> buildspec.yml:4:9
              |
            4 |   logs: perhaps
              |         ^^^^^^^
              aws: `proxy.logs` is `yes` or `no`, not `perhaps` at line 4
            warning[unknown-key]: `log` means nothing in proxy and is ignored
             --> buildspec.yml:5:3
              |
            5 |   log: no
              |   ^^^
              |
              = help: did you mean `logs`?
            not usable
        "#]],
    );
}

#[test]
fn references_to_secrets_are_checked() {
    check(
        r#"version: 0.2
phases: {build: {commands: [a]}}
env:
  secrets-manager:
    S: a:b:c:d
    T: arn:aws:ssm:x
"#,
        expect![[r#"
            error[bad-value]: `env.secrets-manager.S` cannot be `a:b:c:d`: a version is chosen by its stage or by its id, not by both
             --> buildspec.yml:5:8
              |
            5 |     S: a:b:c:d
              |        ^^^^^^^
              |
              = help: it is <secret-id>:<json-key>:<version-stage>:<version-id>, the last three free
              aws: `env.secrets-manager.S` cannot be `a:b:c:d`: a version is chosen by its stage or by its id, not by both at line 5
            error[bad-value]: `env.secrets-manager.T` cannot be `arn:aws:ssm:x`: it is not the whole ARN of a secret
             --> buildspec.yml:6:8
              |
            6 |     T: arn:aws:ssm:x
              |        ^^^^^^^^^^^^^
              |
              = help: it is <secret-id>:<json-key>:<version-stage>:<version-id>, the last three free
              aws: `env.secrets-manager.T` cannot be `arn:aws:ssm:x`: it is not the whole ARN of a secret at line 6
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
            warning[old-key]: `environment_variables` belongs to version 0.1 and is ignored
             --> buildspec.yml:3:1
              |
            3 | environment_variables:
              | ^^^^^^^^^^^^^^^^^^^^^
              |
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
            warning[unknown-key]: `plain` means nothing in environment_variables and is ignored
             --> buildspec.yml:4:3
              |
            4 |   plain: {}
              |   ^^^^^
              |
              = help: known here: plaintext
            usable
        "#]],
    );
}
