//! What is no YAML, and what YAML allows and nobody means.

use crate::check;
use expect_test::expect;

#[test]
fn brackets_must_be_closed() {
    check(
        r#"version: 0.2
phases:
  build:
    commands: [make, test
"#,
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
        r#"version: 0.2
env: {a: b
"#,
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
        r#"version: 0.2
phases: {build: {commands: [a]}}
cache: {paths: [a}}
"#,
        expect![[r#"
            buildspec.yml:3:16: error: this is not YAML: did not find expected ',' or ']'
              |
            3 | cache: {paths: [a}}
              |                ^
              = help: close the `[`, or put quotes around a text that begins with it
              aws: did not find expected ',' or ']' at line 3
            not usable
        "#]],
    );
}

#[test]
fn tabs_do_not_indent() {
    check(
        r#"version: 0.2
phases:
	build:
		commands:
"#,
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
        r#"version: 0.2
phases:
  build:
    commands:
      -	make	all
"#,
        expect![[r#"
            usable
        "#]],
    );
}

#[test]
fn colons_and_quotes_are_explained() {
    check(
        r#"version: 0.2 phases: build
"#,
        expect![[r#"
            buildspec.yml:1:20: error: this is not YAML: mapping values are not allowed in this context
              |
            1 | version: 0.2 phases: build
              |                    ^
              = help: put quotes around a text with a colon and a space, or end the key above with a colon
              aws: mapping values are not allowed in this context at line 1
            not usable
        "#]],
    );
}

#[test]
fn quotes_and_indicators_are_explained() {
    check(
        r#"version: 0.2
phases:
  build:
    commands:
      - "echo
"#,
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
        r#"version: 0.2
phases:
  build:
    commands:
      - "a" b
"#,
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
        r#"version: 0.2
phases:
  build:
    commands:
      - "\d"
"#,
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
}

#[test]
fn characters_and_second_colons_are_explained() {
    check(
        r#"version: 0.2
phases:
  build:
    commands:
      - @x
"#,
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
      - echo a: b: c
"#,
        expect![[r#"
            buildspec.yml:5:18: error: this is not YAML: mapping values are not allowed in this context
              |
            5 |       - echo a: b: c
              |                  ^
              = help: put quotes around a text with a colon and a space, or end the key above with a colon
              aws: mapping values are not allowed in this context at line 5
            not usable
        "#]],
    );
}

#[test]
fn lines_must_be_indented_alike() {
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
        r#"version: 0.2
phases:
  build:
   commands:
  - make
"#,
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
}

#[test]
fn keys_and_blocks_go_on_alike() {
    check(
        r#"version: 0.2
phases:
  build
    commands:
      - make
"#,
        expect![[r#"
            buildspec.yml:4:13: error: this is not YAML: mapping values are not allowed in this context
              |
            4 |     commands:
              |             ^
              = help: put quotes around a text with a colon and a space, or end the key above with a colon
              aws: mapping values are not allowed in this context at line 4
            not usable
        "#]],
    );
    check(
        r#"version: 0.2
phases:
  build:
    commands:
      - |
        one
       two
"#,
        expect![[r#"
            buildspec.yml:7:8: error: this is not YAML: did not find expected '-' indicator
              |
            7 |        two
              |        ^
              = help: every entry of a list begins with `- ` in the same column
              aws: did not find expected '-' indicator at line 7
            not usable
        "#]],
    );
}

#[test]
fn control_characters_are_named() {
    check(
        "version: 0.2\r\nphases: \u{1}x\n",
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
    check(
        "version: 0.2\0\n",
        expect![[r#"
        buildspec.yml:1:13: error: the character U+0000 is not allowed in YAML
          |
        1 | version: 0.2 
          |             ^
          = help: write it as an escape in double quotes, or remove it
          aws: control characters are not allowed
        not usable
    "#]],
    );
}

#[test]
fn stars_without_quotes_are_explained() {
    check(
        r#"version: 0.2
phases: {build: {commands: [a]}}
artifacts:
  files:
    - *.jar
"#,
        expect![[r#"
            buildspec.yml:5:7: error: `*.jar` refers to an anchor that is not defined before it
              |
            5 |     - *.jar
              |       ^^^^^
              = help: a pattern that begins with a star needs quotes: '*.jar'
              aws: did not find expected alphabetic or numeric character at line 5
            not usable
        "#]],
    );
    check(
        r#"version: 0.2
phases: {build: {commands: [a]}}
artifacts:
  files:
    - **/*
"#,
        expect![[r#"
            buildspec.yml:5:7: error: `**/*` refers to an anchor that is not defined before it
              |
            5 |     - **/*
              |       ^^^^
              = help: a pattern that begins with a star needs quotes: '**/*'
              aws: did not find expected alphabetic or numeric character at line 5
            not usable
        "#]],
    );
    check(
        r#"version: 0.2
phases: {build: {commands: [a]}}
artifacts:
  files:
    - *common
"#,
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
        r#"version: 0.2
phases: {build: {commands: [a]}}
artifacts:
  files:
    - &x [*x]
"#,
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
fn a_second_key_wins_with_a_warning() {
    check(
        r#"version: 0.2
phases:
  build:
    commands: [a]
  build:
    commands: [b]
"#,
        expect![[r#"
            buildspec.yml:5:3: warning: `build` stands here a second time; this one counts
              |
            5 |   build:
              |   ^^^^^
              = help: the first is in line 3; remove one
            usable
        "#]],
    );
}

#[test]
fn tags_and_second_documents_are_warnings() {
    check(
        r#"version: 0.2
phases:
  build:
    commands:
      - !Sub b
      - !!str 3.10
---
version: 0.2
"#,
        expect![[r#"
            buildspec.yml:5:9: warning: the tag `!Sub` has no meaning in a buildspec
              |
            5 |       - !Sub b
              |         ^^^^
              = help: the value is taken as it stands, without being computed
            buildspec.yml:7:1: warning: only the first document is read; a second one begins here
              |
            7 | ---
              | ^^^
            usable
        "#]],
    );
}

#[test]
fn merges_and_keys_have_their_shapes() {
    check(
        r#"version: 0.2
phases:
  <<: text
"#,
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
    check(
        r#"version: 0.2
phases:
  <<: [{}, text]
"#,
        expect![[r#"
            buildspec.yml:3:12: error: `<<` merges mappings, but here is text
              |
            3 |   <<: [{}, text]
              |            ^^^^
              = help: write `<<: *anchor`, or `<<: [*one, *two]`
              aws: map merge requires map or sequence of maps as the value
            not usable
        "#]],
    );
    check(
        r#"version: 0.2
phases:
  build:
    commands:
      - a
    ? [c]
    : d
    {{x}}: 1
"#,
        expect![[r#"
            buildspec.yml:6:7: error: a key must be text, but here is a list
              |
            6 |     ? [c]
              |       ^
              = help: a value that begins with `{` or `[` needs quotes to be text
              aws: a key must be text, but here is a list at line 6
            buildspec.yml:8:5: error: a key must be text, but here is a mapping
              |
            8 |     {{x}}: 1
              |     ^
              = help: a value that begins with `{` or `[` needs quotes to be text
              aws: a key must be text, but here is a mapping at line 8
            buildspec.yml:8:6: error: a key must be text, but here is a mapping
              |
            8 |     {{x}}: 1
              |      ^
              = help: a value that begins with `{` or `[` needs quotes to be text
              aws: a key must be text, but here is a mapping at line 8
            not usable
        "#]],
    );
}
