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
            error[yaml]: this is not YAML: did not find expected ',' or ']'
             --> buildspec.yml:4:15
              |
            4 |     commands: [make, test
              |               ^
              |
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
            error[yaml]: this is not YAML: did not find expected ',' or '}'
             --> buildspec.yml:2:6
              |
            2 | env: {a: b
              |      ^
              |
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
            error[yaml]: this is not YAML: did not find expected ',' or ']'
             --> buildspec.yml:3:16
              |
            3 | cache: {paths: [a}}
              |                ^
              |
              = help: close the `[`, or put quotes around a text that begins with it
              aws: did not find expected ',' or ']' at line 2
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
            error[yaml]: a tab indents this line, which YAML forbids
             --> buildspec.yml:3:1
              |
            3 |     build:
              | ^^^^
              |
              = help: indent with spaces; a line of blanks alone must have no tab either
              aws: found character that cannot start any token at line 2
            not usable
        "#]],
    );
    check(
        "version: 0.2\nphases:\n  build:\n    commands:\n      -\tmake\tall\n",
        expect![[r#"
            error[yaml]: a tab indents this line, which YAML forbids
             --> buildspec.yml:5:8
              |
            5 |       -    make    all
              |        ^^^^
              |
              = help: indent with spaces; a line of blanks alone must have no tab either
              aws: found character that cannot start any token at line 4
            not usable
        "#]],
    );
    check(
        "version: 0.2\nphases:\n  build:\n    commands:\n      - make\n\t\n      - |\n        a\n \t\n        b\n",
        expect![[r#"
            error[yaml]: a tab indents this line, which YAML forbids
             --> buildspec.yml:6:1
              |
            6 |     
              | ^^^^
              |
              = help: indent with spaces; a line of blanks alone must have no tab either
              aws: found a tab character that violates indentation at line 5
            not usable
        "#]],
    );
}

#[test]
fn tabs_stand_where_they_mean_nothing() {
    check(
        "version:\t0.2\t# the newest\nphases:\n  build:\n    commands: [\n\t\tmake\tall,\n\t\t\"a\tb\"\n\t]\n  \
         post_build:\n    commands:\n      - make\tall \n      - |\n        \tindented\n        all:\n          \tx\n",
        expect![[r#"
            usable
        "#]],
    );
    check(
        "{\n\t\"version\": \"0.2\",\n\t\"phases\": {\"build\": {\"commands\": [\n\t\t\"make\"\n\t]}}\n}\n",
        expect![[r#"
            usable
        "#]],
    );
}

#[test]
fn a_comment_may_follow_a_bracket_or_a_quote_at_once() {
    check(
        "version: '0.2'# newest\nphases: {build: {commands: [make]}}# all\n",
        expect![[r#"
            usable
        "#]],
    );
}

#[test]
fn an_ampersand_begins_no_command() {
    check(
        r#"version: 0.2
phases:
  build:
    commands:
      - cd app
      - && make
"#,
        expect![[r#"
            error[yaml]: `&` begins an anchor, and this is not the name of one
             --> buildspec.yml:6:9
              |
            6 |       - && make
              |         ^^
              |
              = help: a text that begins with `&` needs quotes
              aws: did not find expected alphabetic or numeric character at line 5
            not usable
        "#]],
    );
}

#[test]
fn colons_and_quotes_are_explained() {
    check(
        r#"version: 0.2 phases: build
"#,
        expect![[r#"
            error[yaml]: this is not YAML: mapping values are not allowed in this context
             --> buildspec.yml:1:20
              |
            1 | version: 0.2 phases: build
              |                    ^
              |
              = help: put quotes around a text with a colon and a space, or end the key above with a colon
              aws: mapping values are not allowed in this context at line 0
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
            error[yaml]: this is not YAML: found unexpected end of stream
             --> buildspec.yml:5:9
              |
            5 |       - "echo
              |         ^
              |
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
            error[yaml]: this is not YAML: did not find expected '-' indicator
             --> buildspec.yml:5:13
              |
            5 |       - "a" b
              |             ^
              |
              = help: the text goes on behind its closing quote: put quotes around all of it, or escape a quote inside
              aws: did not find expected '-' indicator at line 4
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
            error[yaml]: this is not YAML: found unknown escape character
             --> buildspec.yml:5:9
              |
            5 |       - "\d"
              |         ^
              |
              = help: double the backslash, or use single quotes, where it means itself
              aws: found unknown escape character at line 4
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
            error[yaml]: this is not YAML: found character that cannot start any token
             --> buildspec.yml:5:9
              |
            5 |       - @x
              |         ^
              |
              = help: put quotes around a text that begins with this character
              aws: found character that cannot start any token at line 4
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
            error[yaml]: this is not YAML: mapping values are not allowed in this context
             --> buildspec.yml:5:18
              |
            5 |       - echo a: b: c
              |                  ^
              |
              = help: put quotes around a text with a colon and a space, or end the key above with a colon
              aws: mapping values are not allowed in this context at line 4
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
            error[yaml]: this is not YAML: did not find expected key
             --> buildspec.yml:6:6
              |
            6 |      - test
              |      ^
              |
              = help: compare the indentation with that of the lines above
              aws: did not find expected key at line 5
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
            error[yaml]: this is not YAML: did not find expected key
             --> buildspec.yml:5:5
              |
            5 |   - make
              |     ^
              |
              = help: compare the indentation with that of the lines above
              aws: did not find expected key at line 4
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
            error[yaml]: this is not YAML: mapping values are not allowed in this context
             --> buildspec.yml:4:13
              |
            4 |     commands:
              |             ^
              |
              = help: put quotes around a text with a colon and a space, or end the key above with a colon
              aws: mapping values are not allowed in this context at line 3
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
            error[yaml]: this is not YAML: did not find expected '-' indicator
             --> buildspec.yml:7:8
              |
            7 |        two
              |        ^
              |
              = help: every entry of a list begins with `- ` in the same column
              aws: did not find expected '-' indicator at line 6
            not usable
        "#]],
    );
}

#[test]
fn control_characters_are_named() {
    check(
        "version: 0.2\r\nphases: \u{1}x\n",
        expect![[r#"
            error[yaml]: the character U+0001 is not allowed in YAML
             --> buildspec.yml:2:9
              |
            2 | phases: ␁x
              |         ^
              |
              = help: write it as an escape in double quotes, or remove it
              aws: control characters are not allowed
            not usable
        "#]],
    );
    check(
        "version: 0.2\0\n",
        expect![[r#"
            error[yaml]: the character U+0000 is not allowed in YAML
             --> buildspec.yml:1:13
              |
            1 | version: 0.2␀
              |             ^
              |
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
            error[alias]: `*.jar` refers to an anchor that is not defined before it
             --> buildspec.yml:5:7
              |
            5 |     - *.jar
              |       ^^^^^
              |
              = help: a pattern that begins with a star needs quotes: '*.jar'
              aws: did not find expected alphabetic or numeric character at line 4
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
            error[alias]: `**/*` refers to an anchor that is not defined before it
             --> buildspec.yml:5:7
              |
            5 |     - **/*
              |       ^^^^
              |
              = help: a pattern that begins with a star needs quotes: '**/*'
              aws: did not find expected alphabetic or numeric character at line 4
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
            error[alias]: `*common` refers to an anchor that is not defined before it
             --> buildspec.yml:5:7
              |
            5 |     - *common
              |       ^^^^^^^
              |
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
            error[alias]: this alias stands inside the value that it refers to
             --> buildspec.yml:5:11
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
            warning[duplicate-key]: `build` stands here a second time; this one counts
             --> buildspec.yml:5:3
              |
            5 |   build:
              |   ^^^^^
              |
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
            warning[tag]: the tag `!Sub` has no meaning in a buildspec
             --> buildspec.yml:5:9
              |
            5 |       - !Sub b
              |         ^^^^
              |
              = help: the value is taken as it stands, without being computed
            warning[extra-document]: only the first document is read; a second one begins here
             --> buildspec.yml:7:1
              |
            7 | ---
              | ^^^
            usable
        "#]],
    );
}

#[test]
fn merges_have_their_shape() {
    check(
        r#"version: 0.2
phases:
  <<: text
"#,
        expect![[r#"
            error[merge]: `<<` merges mappings, but here is text
             --> buildspec.yml:3:7
              |
            3 |   <<: text
              |       ^^^^
              |
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
            error[merge]: `<<` merges mappings, but here is text
             --> buildspec.yml:3:12
              |
            3 |   <<: [{}, text]
              |            ^^^^
              |
              = help: write `<<: *anchor`, or `<<: [*one, *two]`
              aws: map merge requires map or sequence of maps as the value
            not usable
        "#]],
    );
}

#[test]
fn keys_are_text() {
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
            error[wrong-type]: a key must be text, but here is a list
             --> buildspec.yml:6:7
              |
            6 |     ? [c]
              |       ^
              |
              = help: a value that begins with `{` or `[` needs quotes to be text
              aws: a key must be text, but here is a list at line 6
            error[wrong-type]: a key must be text, but here is a mapping
             --> buildspec.yml:8:5
              |
            8 |     {{x}}: 1
              |     ^
              |
              = help: a value that begins with `{` or `[` needs quotes to be text
              aws: a key must be text, but here is a mapping at line 8
            error[wrong-type]: a key must be text, but here is a mapping
             --> buildspec.yml:8:6
              |
            8 |     {{x}}: 1
              |      ^
              |
              = help: a value that begins with `{` or `[` needs quotes to be text
              aws: a key must be text, but here is a mapping at line 8
            not usable
        "#]],
    );
}
