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
            warning[misplaced-key]: builds of a `build-list` wait for nothing; `depend-on` is ignored
             --> buildspec.yml:6:7
              |
            6 |       depend-on: [b]
              |       ^^^^^^^^^
              |
              = help: use `build-graph`
            error[conflict]: the identifier `a` is taken already
             --> buildspec.yml:7:19
              |
            7 |     - identifier: a
              |                   ^
              aws: the identifier `a` is taken already at line 7
            error[missing]: `batch.build-list[2]` has no `identifier`
             --> buildspec.yml:8:7
              |
            8 |     - ignore-failure: true
              |       ^
              |
              = help: add `identifier`
              aws: `batch.build-list[2]` has no `identifier` at line 8
            error[wrong-type]: `batch.build-list[3]` must be a mapping, but here is text
             --> buildspec.yml:9:7
              |
            9 |     - text
              |       ^^^^
              aws: `batch.build-list[3]` must be a mapping, but here is text at line 9
            error[missing]: `batch.build-list[4]` has no `identifier`
              --> buildspec.yml:10:6
               |
            10 |     -
               |      ^
               |
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
            error[conflict]: builds wait for each other: second -> fourth -> third -> second
             --> buildspec.yml:8:19
              |
            8 |       depend-on: [second, frist]
              |                   ^^^^^^
              aws: builds wait for each other: second -> fourth -> third -> second at line 8
            error[bad-value]: no build has the identifier `frist`
             --> buildspec.yml:8:27
              |
            8 |       depend-on: [second, frist]
              |                           ^^^^^
              |
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
            error[conflict]: `batch.build-list[0].env` has both `compute-type` and `fleet`
             --> buildspec.yml:5:7
              |
            5 |       env: {fleet: f, compute-type: g, typ: h, privileged-mode: what}
              |       ^^^
              |
              = help: remove one of them
              aws: `batch.build-list[0].env` has both `compute-type` and `fleet` at line 5
            warning[unknown-key]: `typ` means nothing in batch.build-list[0].env and is ignored
             --> buildspec.yml:5:40
              |
            5 |       env: {fleet: f, compute-type: g, typ: h, privileged-mode: what}
              |                                        ^^^
              |
              = help: did you mean `type`?
            error[bad-value]: `batch.build-list[0].env.privileged-mode` is `yes` or `no`, not `what`
             --> buildspec.yml:5:65
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
            error[bad-value]: `batch.build-fanout.parallelism` is a whole number from 1 on, not `none`
             --> buildspec.yml:4:18
              |
            4 |     parallelism: none
              |                  ^^^^
              aws: `batch.build-fanout.parallelism` is a whole number from 1 on, not `none` at line 4
            error[conflict]: `batch` has `build-fanout` already; `build-list` cannot stand beside it
             --> buildspec.yml:5:3
              |
            5 |   build-list: []
              |   ^^^^^^^^^^
              |
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
            error[missing]: `batch` does not say which builds there are
             --> buildspec.yml:2:1
              |
            2 | batch: {}
              | ^^^^^
              |
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
            error[missing]: `batch.build-fanout` has no `parallelism`
             --> buildspec.yml:2:9
              |
            2 | batch: {build-fanout: {}}
              |         ^^^^^^^^^^^^
              |
              = help: add `parallelism`
              aws: `batch.build-fanout` has no `parallelism` at line 2
            not usable
        "#]],
    );
}

#[test]
fn a_batch_is_not_too_large() {
    check(
        r#"version: 0.2
batch:
  build-matrix:
    dynamic:
      buildspec: [a.yml, b.yml]
      env:
        image: [a, b, c, d, e]
        variables: {A: [1, 2, 3], B: [1, 2, 3, 4]}
"#,
        expect![[r#"
            warning[too-many]: the batch has 120 builds
             --> buildspec.yml:2:1
              |
            2 | batch:
              | ^^^^^
              |
              = help: 100 are allowed unless the project's `maximumBuildsAllowed` says more
            usable
        "#]],
    );
    check(
        r#"version: 0.2
batch: {build-fanout: {parallelism: 100}}
"#,
        expect![[r#"
            usable
        "#]],
    );
    check(
        r#"version: 0.2
batch: {build-fanout: {parallelism: 101}}
"#,
        expect![[r#"
            warning[too-many]: the batch has 101 builds
             --> buildspec.yml:2:1
              |
            2 | batch: {build-fanout: {parallelism: 101}}
              | ^^^^^
              |
              = help: 100 are allowed unless the project's `maximumBuildsAllowed` says more
            usable
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
            error[bad-value]: `batch.build-matrix.static.ignore-failure` is `yes` or `no`, not `x`
             --> buildspec.yml:4:30
              |
            4 |     static: {ignore-failure: x, env: {image: y}}
              |                              ^
              aws: `batch.build-matrix.static.ignore-failure` is `yes` or `no`, not `x` at line 4
            warning[unknown-key]: `image` means nothing in batch.build-matrix.static.env and is ignored
             --> buildspec.yml:4:39
              |
            4 |     static: {ignore-failure: x, env: {image: y}}
              |                                       ^^^^^
              |
              = help: known here: privileged-mode, type
            warning[one-for-a-list]: `batch.build-matrix.dynamic.buildspec` is a list; this one value is taken as its only entry
             --> buildspec.yml:5:26
              |
            5 |     dynamic: {buildspec: one.yml, env: {variables: {A: [1, 2], B: [], C: 3}, type: t}}
              |                          ^^^^^^^
              |
              = help: put `- ` before it
            warning[empty]: `batch.build-matrix.dynamic.env.variables.B` is empty and has no effect
             --> buildspec.yml:5:64
              |
            5 |     dynamic: {buildspec: one.yml, env: {variables: {A: [1, 2], B: [], C: 3}, type: t}}
              |                                                                ^
            warning[one-for-a-list]: `batch.build-matrix.dynamic.env.variables.C` is a list; this one value is taken as its only entry
             --> buildspec.yml:5:74
              |
            5 |     dynamic: {buildspec: one.yml, env: {variables: {A: [1, 2], B: [], C: 3}, type: t}}
              |                                                                          ^
              |
              = help: put `- ` before it
            warning[unknown-key]: `type` means nothing in batch.build-matrix.dynamic.env and is ignored
             --> buildspec.yml:5:78
              |
            5 |     dynamic: {buildspec: one.yml, env: {variables: {A: [1, 2], B: [], C: 3}, type: t}}
              |                                                                              ^^^^
              |
              = help: known here: compute-type, image, variables
            warning[unknown-key]: `other` means nothing in batch.build-matrix and is ignored
             --> buildspec.yml:6:5
              |
            6 |     other: 1
              |     ^^^^^
              |
              = help: known here: static, dynamic
            not usable
        "#]],
    );
}
