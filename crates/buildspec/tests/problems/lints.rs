//! What runs, and is probably not meant.

use crate::check;
use expect_test::expect;

#[test]
fn values_are_not_always_what_they_seem() {
    check(
        r#"version: 0.2
env:
  variables:
    BIN: $HOME/bin
    PRICE: 5$
    RELEASE: 1.10
    NPM_TOKEN: npm_0123456789abcdefghijABCDEFGHIJ012345
phases:
  install:
    runtime-versions:
      python: 3.10
      docker: 20
      nodejs: "18.10"
"#,
        expect![[r#"
            warning[not-expanded]: `$HOME` stays as it is: values are not expanded
             --> buildspec.yml:4:10
              |
            4 |     BIN: $HOME/bin
              |          ^^^^^
              |
              = help: set the variable with `export` in a command, which a shell does expand
            warning[version-loses-zero]: `1.10` without quotes is the number 1.1 to other programs
             --> buildspec.yml:6:14
              |
            6 |     RELEASE: 1.10
              |              ^^^^
              |
              = help: put quotes around it: "1.10"
            warning[secret-in-text]: the value of `NPM_TOKEN` looks like a secret
             --> buildspec.yml:7:5
              |
            7 |     NPM_TOKEN: ***
              |     ^^^^^^^^^
              |
              = help: keep it in Secrets Manager or Parameter Store; change it if others have seen it
            warning[version-loses-zero]: `3.10` without quotes is the number 3.1 to other programs
              --> buildspec.yml:11:15
               |
            11 |       python: 3.10
               |               ^^^^
               |
               = help: put quotes around it: "3.10"
            warning[docker-runtime]: `docker` is no runtime of today's images
              --> buildspec.yml:12:7
               |
            12 |       docker: 20
               |       ^^^^^^
               |
               = help: remove it: Docker is a part of the images
            usable
        "#]],
    );
}

#[test]
fn traps_are_told_before_the_build() {
    check(
        r#"version: 0.2
phases:
  build:
    commands:
      - $(aws ecr get-login --no-include-email)
      - if [[ -f pom.xml ]]; then mvn package; fi
      - make; make test
      - echo start; make all
      - make test | tee log
      - set -e
"#,
        expect![[r#"
            warning[ecr-get-login]: version 2 of the AWS CLI has no `aws ecr get-login`
             --> buildspec.yml:5:11
              |
            5 |       - $(aws ecr get-login --no-include-email)
              |           ^^^^^^^^^^^^^^^^^
              |
              = help: aws ecr get-login-password | docker login -u AWS --password-stdin <registry>
            warning[bash-in-sh]: `[[` is no part of `sh`, which runs this command
             --> buildspec.yml:6:12
              |
            6 |       - if [[ -f pom.xml ]]; then mvn package; fi
              |            ^^
              |
              = help: set `env.shell` to bash, or use `[`
            warning[hidden-status]: a failure of `make` will not be noticed
             --> buildspec.yml:7:9
              |
            7 |       - make; make test
              |         ^^^^
              |
              = help: only the last part of a command counts: begin it with `set -e`, use `&&`, or make it several commands
            warning[pipe-hides-status]: `tee` hides a failure of `make test`
             --> buildspec.yml:9:9
              |
            9 |       - make test | tee log
              |         ^^^^^^^^^
              |
              = help: set `env.shell` to bash and begin the command with `set -o pipefail;`
            warning[does-not-carry-over]: options of the shell do not last longer than their command
              --> buildspec.yml:10:9
               |
            10 |       - set -e
               |         ^^^^^^
               |
               = help: set them at the beginning of the command that they are for, behind `|`
            usable
        "#]],
    );
}

#[test]
fn a_trap_in_a_script_is_told_where_it_stands() {
    check(
        r#"version: 0.2
phases:
  build:
    commands:
      - |
        echo "make is next"
        cat > run.sh <<'EOF'
        make
        EOF
        make
        make test
      - >-
        export A=1;
        make install;
        make test
      - "cd \"a b\"; make"
      - 'cd ''c''; make'
  post_build:
    finally:
      - docker push a
    commands:
      - |
        echo done
        docker push $REPO
"#,
        expect![[r#"
            warning[hidden-status]: a failure of `make` will not be noticed
              --> buildspec.yml:10:9
               |
            10 |         make
               |         ^^^^
               |
               = help: only the last part of a command counts: begin it with `set -e`, use `&&`, or make it several commands
            warning[hidden-status]: a failure of `make install` will not be noticed
              --> buildspec.yml:14:9
               |
            14 |         make install;
               |         ^^^^^^^^^^^^
               |
               = help: only the last part of a command counts: begin it with `set -e`, use `&&`, or make it several commands
            warning[hidden-status]: a failure of `cd "a b"` will not be noticed
              --> buildspec.yml:16:9
               |
            16 |       - "cd \"a b\"; make"
               |         ^^^^^^^^^^^^^^^^^^
               |
               = help: only the last part of a command counts: begin it with `set -e`, use `&&`, or make it several commands
            warning[hidden-status]: a failure of `cd 'c'` will not be noticed
              --> buildspec.yml:17:9
               |
            17 |       - 'cd ''c''; make'
               |         ^^^^^^^^^^^^^^^^
               |
               = help: only the last part of a command counts: begin it with `set -e`, use `&&`, or make it several commands
            warning[deploys-after-failure]: `docker push` in post_build also runs after a failed build phase
              --> buildspec.yml:24:9
               |
            24 |         docker push $REPO
               |         ^^^^^^^^^^^
               |
               = help: set `on-failure: ABORT` in `build`, or ask for CODEBUILD_BUILD_SUCCEEDING first
            usable
        "#]],
    );
}

#[test]
fn version_0_1_carries_nothing_over() {
    check(
        r#"version: 0.1
phases:
  build:
    commands:
      - cd app
      - export A=b
      - cd app && make
"#,
        expect![[r#"
            warning[does-not-carry-over]: in version 0.1 every command begins in the source's folder
             --> buildspec.yml:5:9
              |
            5 |       - cd app
              |         ^^^^^^
              |
              = help: write `cd … && …`, or take version 0.2
            warning[does-not-carry-over]: in version 0.1 no variable lasts longer than its command
             --> buildspec.yml:6:9
              |
            6 |       - export A=b
              |         ^^^^^^^^^^
              |
              = help: write both in one command, or take version 0.2
            usable
        "#]],
    );
}

#[test]
fn who_knows_the_traps_is_left_alone() {
    check(
        r#"version: 0.2
env:
  shell: bash
  exported-variables: [TAG]
phases:
  build:
    commands:
      - if [[ -f pom.xml ]]; then mvn package; fi
      - set -o pipefail; make | tee log
      - export TAG=1
  post_build:
    commands:
      - test "$CODEBUILD_BUILD_SUCCEEDING" = 1
      - docker push $REPO
"#,
        expect![[r#"
            usable
        "#]],
    );
    check(
        r#"version: 0.2
env:
  exported-variables: [TAG]
phases:
  build:
    on-failure: ABORT
    commands: [make, . ./tag.sh]
  post_build:
    commands:
      - docker push $REPO
"#,
        expect![[r#"
            usable
        "#]],
    );
    check(
        r#"version: 0.2
phases:
  pre_build:
    commands: [make]
  post_build:
    commands:
      - docker push $REPO
"#,
        expect![[r#"
            usable
        "#]],
    );
}

#[test]
fn commands_of_windows_are_not_those_of_a_shell() {
    check(
        r#"version: 0.2
phases:
  build:
    commands:
      - $env:A = 'b'; python x.py; make
      - Write-Host a; make
"#,
        expect![[r#"
            usable
        "#]],
    );
    check(
        r#"version: 0.2
env: {shell: powershell.exe}
phases:
  build:
    commands:
      - set -e
      - cd a; make
"#,
        expect![[r#"
            usable
        "#]],
    );
}

#[test]
fn what_is_exported_is_set_somewhere() {
    check(
        r#"version: 0.2
env:
  variables: {A: a}
  exported-variables: [A, B, C, CODEBUILD_BUILD_ID]
phases:
  build:
    commands:
      - export B=b
"#,
        expect![[r#"
            warning[never-set]: `C` is exported, and nothing here sets it
             --> buildspec.yml:4:30
              |
            4 |   exported-variables: [A, B, C, CODEBUILD_BUILD_ID]
              |                              ^
              |
              = help: it will be empty unless the project or the caller gives it a value
            usable
        "#]],
    );
}

#[test]
fn a_comment_switches_a_warning_off() {
    check(
        r#"version: 0.2
phases:
  build: # buildyard: allow(hidden-status)
    commands:
      - make; make test
      - |
        make
        make test
  post_build:
    commands:
      # buildyard: allow(hidden-status, deploys-after-failure)
      - make; docker push a
      - make; make test  # buildyard: allow(bash-in-sh)
      - make; make test  # buildyard: allow(hidden-statsu, missing, no, hidden-status)
"#,
        expect![[r#"
            warning[hidden-status]: a failure of `make` will not be noticed
              --> buildspec.yml:13:9
               |
            13 |       - make; make test  # buildyard: allow(bash-in-sh)
               |         ^^^^
               |
               = help: only the last part of a command counts: begin it with `set -e`, use `&&`, or make it several commands
            warning[unknown-rule]: there is no warning named `hidden-statsu`
              --> buildspec.yml:14:45
               |
            14 |       - make; make test  # buildyard: allow(hidden-statsu, missing, no, hidden-status)
               |                                             ^^^^^^^^^^^^^
               |
               = help: did you mean `hidden-status`?
            warning[unknown-rule]: there is no warning named `missing`
              --> buildspec.yml:14:60
               |
            14 |       - make; make test  # buildyard: allow(hidden-statsu, missing, no, hidden-status)
               |                                                            ^^^^^^^
               |
               = help: it is an error, which cannot be switched off
            warning[unknown-rule]: there is no warning named `no`
              --> buildspec.yml:14:69
               |
            14 |       - make; make test  # buildyard: allow(hidden-statsu, missing, no, hidden-status)
               |                                                                     ^^
               |
               = help: see `buildyard buildspec check --explain`
            usable
        "#]],
    );
}

#[test]
fn a_comment_switches_no_error_off() {
    check(
        r#"version: 0.2
phases:
  deploy: # buildyard: allow(unknown-phase)
    commands: [make]
"#,
        expect![[r#"
            error[unknown-phase]: there is no phase `deploy`
             --> buildspec.yml:3:3
              |
            3 |   deploy: # buildyard: allow(unknown-phase)
              |   ^^^^^^
              |
              = help: the phases are install, pre_build, build, post_build
              aws: Invalid buildspec phase name: deploy. Expecting: build,install,post_build,pre_build
            warning[unknown-rule]: there is no warning named `unknown-phase`
             --> buildspec.yml:3:30
              |
            3 |   deploy: # buildyard: allow(unknown-phase)
              |                              ^^^^^^^^^^^^^
              |
              = help: it is an error, which cannot be switched off
            not usable
        "#]],
    );
}

#[test]
fn a_command_with_a_colon_is_written_right() {
    check(
        r#"version: 0.2
phases:
  build:
    commands:
      - echo "it's: so"
      - {make}
      - echo a:
          b
"#,
        expect![[r#"
            error[command-not-text]: `phases.build.commands[0]` is a mapping, not a command
             --> buildspec.yml:5:19
              |
            5 |       - echo "it's: so"
              |                   ^
              |
              = help: a colon and a blank make a mapping; write: - 'echo "it''s: so"'
              aws: Expected Commands[0] to be of string type: found subkeys instead at line 5, value of the key tag on line 4 might be empty
            error[command-not-text]: `phases.build.commands[1]` is a mapping, not a command
             --> buildspec.yml:6:9
              |
            6 |       - {make}
              |         ^
              |
              = help: braces make a mapping; write: - '{make}'
              aws: Expected Commands[1] to be of string type: found subkeys instead at line 6, value of the key tag on line 5 might be empty
            error[command-not-text]: `phases.build.commands[2]` is a mapping, not a command
             --> buildspec.yml:7:15
              |
            7 |       - echo a:
              |               ^
              |
              = help: a colon and a blank make a mapping: put quotes around the whole command, or write it behind `|`
              aws: Expected Commands[2] to be of string type: found subkeys instead at line 7, value of the key tag on line 6 might be empty
            not usable
        "#]],
    );
}

#[test]
fn keys_that_stand_elsewhere() {
    check(
        r#"version: 0.2
build:
  commands: [a]
files: [a]
shell: bash
env:
  phases: {}
  discard-paths: yes
phases: {}
"#,
        expect![[r#"
            warning[misplaced-key]: `build` means nothing in a buildspec and is ignored
             --> buildspec.yml:2:1
              |
            2 | build:
              | ^^^^^
              |
              = help: it belongs under `phases`
            warning[misplaced-key]: `files` means nothing in a buildspec and is ignored
             --> buildspec.yml:4:1
              |
            4 | files: [a]
              | ^^^^^
              |
              = help: it belongs under `artifacts`
            warning[misplaced-key]: `shell` means nothing in a buildspec and is ignored
             --> buildspec.yml:5:1
              |
            5 | shell: bash
              | ^^^^^
              |
              = help: it belongs under `env`
            warning[misplaced-key]: `phases` means nothing in env and is ignored
             --> buildspec.yml:7:3
              |
            7 |   phases: {}
              |   ^^^^^^
              |
              = help: `phases` is a section of its own: do not indent it
            warning[misplaced-key]: `discard-paths` means nothing in env and is ignored
             --> buildspec.yml:8:3
              |
            8 |   discard-paths: yes
              |   ^^^^^^^^^^^^^
              |
              = help: it belongs under `artifacts`
            warning[empty]: `phases` is empty; no command will run
             --> buildspec.yml:9:1
              |
            9 | phases: {}
              | ^^^^^^
            usable
        "#]],
    );
}

#[test]
fn keys_that_stand_inside_a_phase() {
    check(
        r#"version: 0.2
phases:
  build:
    commands: [make]
    artifacts: {files: [a]}
    comands: [a]
"#,
        expect![[r#"
            warning[misplaced-key]: `artifacts` means nothing in phases.build and is ignored
             --> buildspec.yml:5:5
              |
            5 |     artifacts: {files: [a]}
              |     ^^^^^^^^^
              |
              = help: `artifacts` is a section of its own: do not indent it
            warning[unknown-key]: `comands` means nothing in phases.build and is ignored
             --> buildspec.yml:6:5
              |
            6 |     comands: [a]
              |     ^^^^^^^
              |
              = help: did you mean `commands`?
            usable
        "#]],
    );
}
