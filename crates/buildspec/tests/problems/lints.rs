//! What runs, and is probably not meant.

use crate::check;
use expect_test::expect;

#[test]
fn traps_are_told_before_the_build() {
    check(
        r#"version: 0.2
env:
  variables:
    BIN: $HOME/bin
    PRICE: 5$
phases:
  install:
    runtime-versions:
      python: 3.10
      nodejs: "18.10"
  build:
    commands:
      - if [[ -f pom.xml ]]; then mvn package; fi
      - make; make test
      - echo start; make all
  post_build:
    commands:
      - echo done
      - docker push $REPO
"#,
        expect![[r#"
            warning[not-expanded]: `$HOME` stays as it is: values are not expanded
             --> buildspec.yml:4:10
              |
            4 |     BIN: $HOME/bin
              |          ^^^^^^^^^
              |
              = help: set the variable with `export` in a command, which a shell does expand
            warning[version-loses-zero]: `3.10` without quotes is the number 3.1 to other programs
             --> buildspec.yml:9:15
              |
            9 |       python: 3.10
              |               ^^^^
              |
              = help: put quotes around it: "3.10"
            warning[bash-in-sh]: `[[` is no part of `sh`, which runs this command
              --> buildspec.yml:13:9
               |
            13 |       - if [[ -f pom.xml ]]; then mvn package; fi
               |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
               |
               = help: set `env.shell` to bash, or use `[`
            warning[hidden-status]: a failure of `make` will not be noticed
              --> buildspec.yml:14:9
               |
            14 |       - make; make test
               |         ^^^^^^^^^^^^^^^
               |
               = help: only the last command after `;` counts: use `&&`, or an entry for each
            warning[deploys-after-failure]: `docker push` in post_build also runs after a failed build phase
              --> buildspec.yml:19:9
               |
            19 |       - docker push $REPO
               |         ^^^^^^^^^^^^^^^^^
               |
               = help: set `on-failure: ABORT` in `build`, or ask for CODEBUILD_BUILD_SUCCEEDING first
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
phases:
  build:
    commands:
      - if [[ -f pom.xml ]]; then mvn package; fi
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
phases:
  build:
    on-failure: ABORT
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
