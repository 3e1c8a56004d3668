//! Batches.

use crate::check;
use expect_test::expect;

#[test]
fn identifiers_are_there_once() {
    check(
        r#"version: 0.2
batch:
  fast-fail: true
  build-list:
    - identifier: a
      depend-on: [b]
    - identifier: a
    - ignore-failure: true
    - text
    -
"#,
        expect![[r#"
            buildspec.yml:6:7: warning: builds of a `build-list` wait for nothing; `depend-on` is ignored
              |
            6 |       depend-on: [b]
              |       ^^^^^^^^^
              = help: use `build-graph`
            buildspec.yml:7:19: error: the identifier `a` is taken already
              |
            7 |     - identifier: a
              |                   ^
              aws: the identifier `a` is taken already at line 7
            buildspec.yml:8:7: error: `batch.build-list[2]` has no `identifier`
              |
            8 |     - ignore-failure: true
              |       ^
              = help: add `identifier`
              aws: `batch.build-list[2]` has no `identifier` at line 8
            buildspec.yml:9:7: error: `batch.build-list[3]` must be a mapping, but here is text
              |
            9 |     - text
              |       ^^^^
              aws: `batch.build-list[3]` must be a mapping, but here is text at line 9
            buildspec.yml:10:6: error: `batch.build-list[4]` has no `identifier`
               |
            10 |     -
               |      ^
               = help: add `identifier`
              aws: `batch.build-list[4]` has no `identifier` at line 10
            not usable
        "#]],
    );
}

#[test]
fn graphs_have_no_circles_and_no_unknown_names() {
    check(
        r#"version: 0.2
batch:
  build-graph:
    - identifier: first
    - identifier: second
      depend-on: [first, fourth]
    - identifier: third
      depend-on: [second, frist]
    - identifier: fourth
      depend-on: [third]
"#,
        expect![[r#"
            buildspec.yml:8:19: error: builds wait for each other: second -> fourth -> third -> second
              |
            8 |       depend-on: [second, frist]
              |                   ^^^^^^
              aws: builds wait for each other: second -> fourth -> third -> second at line 8
            buildspec.yml:8:27: error: no build has the identifier `frist`
              |
            8 |       depend-on: [second, frist]
              |                           ^^^^^
              = help: did you mean `first`?
              aws: no build has the identifier `frist` at line 8
            not usable
        "#]],
    );
}

#[test]
fn environments_are_checked() {
    check(
        r#"version: 0.2
batch:
  build-list:
    - identifier: a
      env: {fleet: f, compute-type: g, typ: h, privileged-mode: what}
"#,
        expect![[r#"
            buildspec.yml:5:7: error: `batch.build-list[0].env` has both `compute-type` and `fleet`
              |
            5 |       env: {fleet: f, compute-type: g, typ: h, privileged-mode: what}
              |       ^^^
              = help: remove one of them
              aws: `batch.build-list[0].env` has both `compute-type` and `fleet` at line 5
            buildspec.yml:5:40: warning: `typ` means nothing in batch.build-list[0].env and is ignored
              |
            5 |       env: {fleet: f, compute-type: g, typ: h, privileged-mode: what}
              |                                        ^^^
              = help: did you mean `type`?
            buildspec.yml:5:65: error: `batch.build-list[0].env.privileged-mode` is `yes` or `no`, not `what`
              |
            5 |       env: {fleet: f, compute-type: g, typ: h, privileged-mode: what}
              |                                                                 ^^^^
              aws: `batch.build-list[0].env.privileged-mode` is `yes` or `no`, not `what` at line 5
            not usable
        "#]],
    );
}

#[test]
fn a_batch_is_of_one_kind() {
    check(
        r#"version: 0.2
batch:
  build-fanout:
    parallelism: none
  build-list: []
"#,
        expect![[r#"
            buildspec.yml:4:18: error: `batch.build-fanout.parallelism` is a whole number from 1 on, not `none`
              |
            4 |     parallelism: none
              |                  ^^^^
              aws: `batch.build-fanout.parallelism` is a whole number from 1 on, not `none` at line 4
            buildspec.yml:5:3: error: `batch` has `build-fanout` already; `build-list` cannot stand beside it
              |
            5 |   build-list: []
              |   ^^^^^^^^^^
              = help: keep one of them
              aws: `batch` has `build-fanout` already; `build-list` cannot stand beside it at line 5
            not usable
        "#]],
    );
    check(
        r#"version: 0.2
batch: {}
"#,
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
    check(
        r#"version: 0.2
batch: {build-fanout: {}}
"#,
        expect![[r#"
            buildspec.yml:2:9: error: `batch.build-fanout` has no `parallelism`
              |
            2 | batch: {build-fanout: {}}
              |         ^^^^^^^^^^^^
              = help: add `parallelism`
              aws: `batch.build-fanout` has no `parallelism` at line 2
            not usable
        "#]],
    );
}

#[test]
fn a_matrix_is_checked() {
    check(
        r#"version: 0.2
batch:
  build-matrix:
    static: {ignore-failure: x, env: {image: y}}
    dynamic: {buildspec: one.yml, env: {variables: {A: [1, 2], B: [], C: 3}, type: t}}
    other: 1
"#,
        expect![[r#"
            buildspec.yml:4:30: error: `batch.build-matrix.static.ignore-failure` is `yes` or `no`, not `x`
              |
            4 |     static: {ignore-failure: x, env: {image: y}}
              |                              ^
              aws: `batch.build-matrix.static.ignore-failure` is `yes` or `no`, not `x` at line 4
            buildspec.yml:4:39: warning: `image` means nothing in batch.build-matrix.static.env and is ignored
              |
            4 |     static: {ignore-failure: x, env: {image: y}}
              |                                       ^^^^^
              = help: known here: privileged-mode, type
            buildspec.yml:5:26: warning: `batch.build-matrix.dynamic.buildspec` is a list; this one value is taken as its only entry
              |
            5 |     dynamic: {buildspec: one.yml, env: {variables: {A: [1, 2], B: [], C: 3}, type: t}}
              |                          ^^^^^^^
              = help: put `- ` before it
            buildspec.yml:5:64: warning: `batch.build-matrix.dynamic.env.variables.B` is empty and has no effect
              |
            5 |     dynamic: {buildspec: one.yml, env: {variables: {A: [1, 2], B: [], C: 3}, type: t}}
              |                                                                ^
            buildspec.yml:5:74: warning: `batch.build-matrix.dynamic.env.variables.C` is a list; this one value is taken as its only entry
              |
            5 |     dynamic: {buildspec: one.yml, env: {variables: {A: [1, 2], B: [], C: 3}, type: t}}
              |                                                                          ^
              = help: put `- ` before it
            buildspec.yml:5:78: warning: `type` means nothing in batch.build-matrix.dynamic.env and is ignored
              |
            5 |     dynamic: {buildspec: one.yml, env: {variables: {A: [1, 2], B: [], C: 3}, type: t}}
              |                                                                              ^^^^
              = help: known here: compute-type, image, variables
            buildspec.yml:6:5: warning: `other` means nothing in batch.build-matrix and is ignored
              |
            6 |     other: 1
              |     ^^^^^
              = help: known here: static, dynamic
            not usable
        "#]],
    );
}
