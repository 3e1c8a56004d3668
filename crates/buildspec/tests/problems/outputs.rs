//! Reports, artifacts and caches.

use crate::check;
use expect_test::expect;

#[test]
fn reports_are_checked() {
    check(
        r#"version: 0.2
phases: {build: {commands: [a]}}
reports:
  r1: {file-format: junit, files: x}
  r2: {}
  r3: [a]
  r4: {files: [a], file-format: JunitXml}
  r5: {files: [a], base-dir: x}
  r6: {files: [a]}
"#,
        expect![[r#"
            warning[unknown-format]: `reports.r1.file-format` cannot be `junit`
             --> buildspec.yml:4:21
              |
            4 |   r1: {file-format: junit, files: x}
              |                     ^^^^^
              |
              = help: did you mean `JUNITXML`?
            warning[one-for-a-list]: `reports.r1.files` is a list; this one value is taken as its only entry
             --> buildspec.yml:4:35
              |
            4 |   r1: {file-format: junit, files: x}
              |                                   ^
              |
              = help: put `- ` before it
            error[missing]: `reports.r2` has no `files`
             --> buildspec.yml:5:3
              |
            5 |   r2: {}
              |   ^^
              |
              = help: add `files`
              aws: `reports.r2` has no `files` at line 5
            error[wrong-type]: `reports.r3` must be a mapping, but here is a list
             --> buildspec.yml:6:7
              |
            6 |   r3: [a]
              |       ^
              aws: `reports.r3` must be a mapping, but here is a list at line 6
            warning[unknown-key]: `base-dir` means nothing in reports.r5 and is ignored
             --> buildspec.yml:8:20
              |
            8 |   r5: {files: [a], base-dir: x}
              |                    ^^^^^^^^
              |
              = help: known here: files, file-format, base-directory, discard-paths
            warning[too-many]: a build has at most 5 report groups; this is one more
             --> buildspec.yml:9:3
              |
            9 |   r6: {files: [a]}
              |   ^^
            not usable
        "#]],
    );
}

#[test]
fn artifacts_are_checked() {
    check(
        r#"version: 0.2
phases: {build: {commands: [a]}}
artifacts:
  type: zip
  secondary-artifacts:
    one: {name: x}
    two: {files: ['**/*'], secondary-artifacts: {}}
"#,
        expect![[r#"
            warning[no-files]: `artifacts` has no `files`; the primary artifact will hold nothing
             --> buildspec.yml:3:1
              |
            3 | artifacts:
              | ^^^^^^^^^
              |
              = help: add `files`, also where only the secondary artifacts are wanted
            warning[old-key]: `artifacts.type` is ignored; the project says where artifacts go
             --> buildspec.yml:4:3
              |
            4 |   type: zip
              |   ^^^^
              |
              = help: remove it
            error[missing]: `artifacts.secondary-artifacts.one` has no `files`
             --> buildspec.yml:6:5
              |
            6 |     one: {name: x}
              |     ^^^
              |
              = help: add `files`
              aws: `artifacts.secondary-artifacts.one` has no `files` at line 6
            warning[unknown-key]: `secondary-artifacts` means nothing in artifacts.secondary-artifacts.two and is ignored
             --> buildspec.yml:7:28
              |
            7 |     two: {files: ['**/*'], secondary-artifacts: {}}
              |                            ^^^^^^^^^^^^^^^^^^^
              |
              = help: known here: files, name, discard-paths, base-directory, exclude-paths, enable-symlinks, s3-prefix
            not usable
        "#]],
    );
}

#[test]
fn artifacts_need_files() {
    check(
        r#"version: 0.2
phases: {build: {commands: [a]}}
artifacts: {name: x}
"#,
        expect![[r#"
            error[missing]: `artifacts` has no `files`
             --> buildspec.yml:3:1
              |
            3 | artifacts: {name: x}
              | ^^^^^^^^^
              |
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
            warning[empty]: `artifacts` is empty and has no effect
             --> buildspec.yml:3:1
              |
            3 | artifacts:
              | ^^^^^^^^^
            warning[empty]: `cache` is empty and has no effect
             --> buildspec.yml:4:1
              |
            4 | cache:
              | ^^^^^
            usable
        "#]],
    );
    check(
        r#"version: 0.2
phases: {build: {commands: [a]}}
artifacts:
  files: {a: b}
"#,
        expect![[r#"
            error[wrong-type]: `artifacts.files` must be a list, but here is a mapping
             --> buildspec.yml:4:10
              |
            4 |   files: {a: b}
              |          ^
              |
              = help: each entry has a line of its own and begins with `- `
              aws: `artifacts.files` must be a list, but here is a mapping at line 4
            not usable
        "#]],
    );
}

#[test]
fn caches_are_checked() {
    check(
        r#"version: 0.2
phases: {build: {commands: [a]}}
cache:
  action: store
  fallback-keys: [a, b, c, d, e, f]
"#,
        expect![[r#"
            error[bad-value]: `cache.action` cannot be `store`
             --> buildspec.yml:4:11
              |
            4 |   action: store
              |           ^^^^^
              |
              = help: did you mean `restore`?
              aws: `cache.action` cannot be `store` at line 4
            warning[fallback-without-key]: `cache.fallback-keys` is ignored without `cache.key`
             --> buildspec.yml:5:3
              |
            5 |   fallback-keys: [a, b, c, d, e, f]
              |   ^^^^^^^^^^^^^
              |
              = help: add `key`
            error[bad-value]: `cache.fallback-keys` has at most 5 entries; this is one more
             --> buildspec.yml:5:34
              |
            5 |   fallback-keys: [a, b, c, d, e, f]
              |                                  ^
              |
              = help: remove it
              aws: `cache.fallback-keys` has at most 5 entries; this is one more at line 5
            not usable
        "#]],
    );
}
