//! The shell contract, row by row.

use crate::agent::{buildspec, commands, inline};
use expect_test::{Expect, expect};

fn check(list: &[&str], expected: Expect) {
    commands(list).run().expect_printed(expected);
}

fn check_bash(list: &[&str], expected: Expect) {
    inline(&buildspec("env: {shell: bash}\n", list)).run().expect_printed(expected);
}

#[test]
fn the_folder_and_variables_carry_over() {
    let list =
        ["mkdir -p deep/er && cd deep/er", "export A=\"it's\"", "B=plain", "echo $PWD $A $B"];
    check(
        &list,
        expect![[r#"
        /codebuild/output/src42/src/deep/er it's plain
    "#]],
    );
    check_bash(
        &list,
        expect![[r#"
        /codebuild/output/src42/src/deep/er it's plain
    "#]],
    );
}

#[test]
fn values_keep_every_byte() {
    let list = [
        "export A='two\nlines' B='quotes \"double\" '\"'\"'single'\"'\"'' C='$HOME `id` \\ back'",
        "export D=\"$(printf 'tab\\there')\" E='' F='  spaces  '",
        "printf '<%s>\\n' \"$A\" \"$B\" \"$C\" \"$D\" \"$E\" \"$F\"",
        "sh -c 'printf \"<%s>\\n\" \"$A\" \"$B\" \"$C\" \"$D\" \"$E\" \"$F\"'",
    ];
    check(
        &list,
        expect![[r#"
        lines' B='quotes "double" '"'"'single'"'"'' C='$HOME `id` \ back'
        <two
        lines>
        <quotes "double" 'single'>
        <$HOME `id` \ back>
        <tab	here>
        <>
        <  spaces  >
        <two
        lines>
        <quotes "double" 'single'>
        <$HOME `id` \ back>
        <tab	here>
        <>
        <  spaces  >
    "#]],
    );
    check_bash(
        &list,
        expect![[r#"
        lines' B='quotes "double" '"'"'single'"'"'' C='$HOME `id` \ back'
        <two
        lines>
        <quotes "double" 'single'>
        <$HOME `id` \ back>
        <tab	here>
        <>
        <  spaces  >
        <two
        lines>
        <quotes "double" 'single'>
        <$HOME `id` \ back>
        <tab	here>
        <>
        <  spaces  >
    "#]],
    );
}

#[test]
fn a_variable_that_was_unset_stays_unset() {
    commands(&["echo ${A-unset}", "unset A", "echo ${A-unset}"])
        .variable("A", "set")
        .run()
        .expect_printed(expect![[r#"
            set
            unset
        "#]]);
}

#[test]
fn the_way_back_carries_over() {
    check(
        &["mkdir a b", "cd a", "cd ../b", "cd - >/dev/null", "pwd"],
        expect![[r#"
        /codebuild/output/src42/src/a
    "#]],
    );
}

#[test]
fn a_shells_own_messages_show_its_script_and_line_4() {
    check(
        &["nosuchcommand || true"],
        expect![[r#"
        /codebuild/output/tmp/script.sh: 4: nosuchcommand: not found
    "#]],
    );
    check_bash(
        &["true\nnosuchcommand || true"],
        expect![[r#"
        nosuchcommand || true
        /codebuild/output/tmp/script.sh: line 5: nosuchcommand: command not found
    "#]],
    );
}

#[test]
fn functions_options_and_traps_end_with_their_command() {
    let list = [
        "f() { echo f; }; f; set -u; trap 'echo trapped' EXIT",
        "command -v f || echo no f; echo \"${UNSET_VARIABLE}\"",
    ];
    check(
        &list,
        expect![[r#"
        f
        trapped
        no f
    "#]],
    );
}

#[test]
fn exit_ends_its_command_alone() {
    check(
        &["export A=1", "export A=2; exit 0; echo never", "echo $A"],
        expect![[r#"
        1
    "#]],
    );
}

#[test]
fn set_e_and_set_x_leave_no_trace() {
    check(
        &["set -ex; cd /; A=1", "pwd; echo $A; false; true"],
        expect![[r#"
        + cd /
        + A=1
        /
        1
    "#]],
    );
}

#[test]
fn here_documents_and_many_lines() {
    let list = [
        "cat <<EOF\none $((1 + 1))\n  two\nEOF",
        "for i in 1 2; do\n  echo $i\ndone",
        "echo ends with a backslash \\",
        "echo ends with a comment # so",
        "cat <<EOF\nnever ends",
    ];
    check(
        &list,
        expect![[r#"
        one $((1 + 1))
          two
        EOF
        one 2
          two
          echo $i
        done
        1
        2
        ends with a backslash
        ends with a comment
        never ends
        never ends
        { set -- "0"; set +exv; { command export -p && { command pwd || echo; }; } >| '/codebuild/output/tmp/state'; } 2>/dev/null
        exit ""
    "#]],
    );
}

#[test]
fn stdin_is_empty() {
    check(
        &["cat; read line || echo nothing to read"],
        expect![[r#"
        nothing to read
    "#]],
    );
}

#[test]
fn stdout_and_stderr_keep_their_order() {
    check(
        &["for i in 1 2 3; do echo out $i; echo err $i >&2; done"],
        expect![[r#"
        out 1
        err 1
        out 2
        err 2
        out 3
        err 3
    "#]],
    );
}

#[test]
fn the_last_exit_status_is_known() {
    let text = "version: 0.2\nphases:\n  build:\n    commands:\n      - exit 3\n    finally:\n      \
                - echo $CODEBUILD_LAST_EXIT $CODEBUILD_BUILD_SUCCEEDING\n      \
                - echo $CODEBUILD_LAST_EXIT\n";
    inline(text).run().expect_printed(expect![[r#"
        3 0
        0
    "#]]);
}

#[test]
fn a_big_environment_reaches_the_shell() {
    let list = [
        "export BIG=$(head -c 300000 /dev/zero | tr '\\0' x)",
        "echo ${#BIG}",
        "i=0; while [ $i -lt 2000 ]; do export V$i=0123456789012345678901234567890123456789; \
         i=$((i+1)); done",
        "unset BIG",
        "echo $V1999; sh -c 'echo $V1999'",
    ];
    check_bash(
        &list,
        expect![[r#"
        300000
        0123456789012345678901234567890123456789
        0123456789012345678901234567890123456789
    "#]],
    );
}

#[test]
fn the_old_version_carries_nothing_over() {
    let text = "version: 0.1\nphases:\n  build:\n    commands:\n      - mkdir a; cd a; export A=1\n      \
                - echo \"$(basename $PWD) <$A>\"\n";
    inline(text).run().expect_printed(expect![[r#"
        src <>
    "#]]);
}

#[test]
fn the_environment_file_of_bash_is_read_before_a_command() {
    let list = ["echo 'greet() { echo hello from a function; }' > $HOME/functions", "greet"];
    let trial = inline(&buildspec("env: {shell: bash}\n", &list));
    let home = trial.root.path().to_str().unwrap().to_owned();
    trial
        .variable("HOME", &home)
        .variable("BASH_ENV", &format!("{home}/functions"))
        .run()
        .expect_printed(expect![[r#"
            hello from a function
        "#]]);
}

#[test]
fn names_that_no_shell_can_carry_reach_programs() {
    inline(&buildspec("env: {shell: bash}\n", &["env | grep '^a[.]b'"]))
        .variable("a.b", "dots")
        .run()
        .expect_printed(expect![[r#"
            a.b=dots
        "#]]);
}
