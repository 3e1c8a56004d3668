//! The shell contract in every shell that images have: dash, bash, and the one of BusyBox.

use crate::agent::{Outcome, Trial, buildspec, inline};
use expect_test::{Expect, expect};
use std::os::unix::fs::symlink;
use std::path::Path;

/// A shell that runs commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shell {
    Dash,
    Bash,
    BusyBox,
}

impl Shell {
    const ALL: [Self; 3] = [Self::Dash, Self::Bash, Self::BusyBox];

    /// The program; BusyBox is told by its name which of its programs it is.
    fn program(self) -> &'static str {
        match self {
            Self::Dash => "/usr/bin/dash",
            Self::Bash => "/usr/bin/bash",
            Self::BusyBox => "/usr/bin/busybox",
        }
    }

    /// A build of these commands in this shell; none, and a word about it, where it is missing.
    #[expect(clippy::print_stdout, reason = "a test that is left out says so")]
    fn trial(self, commands: &[&str]) -> Option<Trial> {
        if !Path::new(self.program()).exists() {
            println!("skipped: {} is not installed", self.program());
            return None;
        }
        let mut trial = inline("");
        let link = trial.root.path().join("sh");
        symlink(self.program(), &link).unwrap();
        let head = format!("env: {{shell: {}}}\n", link.display());
        let text = buildspec(&head, commands);
        trial.orders.buildspec = agent_protocol::BuildspecLocation::Inline { text };
        Some(trial)
    }
}

/// The commands print the same in every shell.
fn everywhere(commands: &[&str], expected: Expect) {
    for shell in Shell::ALL {
        if let Some(trial) = shell.trial(commands) {
            expected.assert_eq(&trial.run().expect_exit_0().printed());
        }
    }
}

/// The build ends in the same way in every shell; what is given is how the phase BUILD ended.
fn fails_everywhere(commands: &[&str], reason: &str) {
    for shell in Shell::ALL {
        if let Some(trial) = shell.trial(commands) {
            assert_eq!(build_phase(&trial.run()), reason, "{shell:?}");
        }
    }
}

fn build_phase(outcome: &Outcome) -> String {
    let facts = outcome.facts();
    let ended = facts.lines().find_map(|line| line.strip_prefix("ended BUILD "));
    ended.unwrap_or_default().rsplit_once(" Reason: ").map_or("", |(_, reason)| reason).to_owned()
}

#[test]
fn quotes_of_every_kind() {
    everywhere(
        &[
            r#"echo 'it'"'"'s' "a \"b\" c" \'d\' `echo "e 'f'"` "$(echo "g \"h\"")" '$HOME'"#,
            r#"export A='one "two" '"'"'three'"'"' \four `five` $(six) $seven'"#,
            r#"printf '%s\n' "$A"; sh -c 'printf "%s\n" "$A"'"#,
        ],
        expect![[r#"
            it's a "b" c 'd' e 'f' g "h" $HOME
            one "two" 'three' \four `five` $(six) $seven
            one "two" 'three' \four `five` $(six) $seven
        "#]],
    );
}

#[test]
fn values_of_any_bytes_carry_over() {
    everywhere(
        &[
            r#"A=$(printf 'a\377\376b\001\033c'); export B="$(printf 'two\n\nlines\n.')" C='' D=' '"#,
            r#"printf '%s' "$A" | od -An -tx1; printf '<%s>\n' "$B" "$C" "$D""#,
            r#"sh -c 'printf "%s" "$A"' | od -An -tx1"#,
        ],
        expect![[r#"
             61 ff fe 62 01 1b 63
            <two
            lines
            .>
            <>
            < >
             61 ff fe 62 01 1b 63
        "#]],
    );
}

#[test]
fn a_variable_set_without_export_carries_over_too() {
    everywhere(
        &["PLAIN=too; export SET=yes", "echo $PLAIN $SET; unset SET", "echo ${SET-unset} $PLAIN"],
        expect![[r#"
            too yes
            unset too
        "#]],
    );
}

#[test]
fn a_changed_ifs_and_path_carry_over_and_spoil_nothing() {
    everywhere(
        &[
            "IFS=:; PATH=/nowhere",
            "A=a:b; echo $A; cd /usr",
            "unset IFS; pwd; PATH=/usr/bin:/bin",
            "uname",
        ],
        expect![[r#"
            a b
            /usr
            Linux
        "#]],
    );
}

#[test]
fn options_functions_and_traps_end_with_their_command() {
    everywhere(
        &[
            "f() { echo f; }; set -u -f; trap 'echo trapped' EXIT; f",
            r#"command -v f || echo no function; echo "<${NOWHERE}>"; echo /usr/bin/en[v]"#,
        ],
        expect![[r#"
            f
            trapped
            no function
            <>
            /usr/bin/env
        "#]],
    );
}

#[test]
fn a_function_that_bash_exports_stays_in_its_command() {
    let commands =
        ["f() { echo from f; }; export -f f; bash -c f", "bash -c f 2>/dev/null || echo gone"];
    let Some(trial) = Shell::Bash.trial(&commands) else { return };
    trial.run().expect_printed(expect![[r#"
        from f
        gone
    "#]]);
}

#[test]
fn errexit_and_nounset_save_what_the_end_of_the_command_has() {
    everywhere(
        &["set -eu; A=1; cd /usr", "echo $A $PWD"],
        expect![[r#"
            1 /usr
        "#]],
    );
    fails_everywhere(&["set -e; false; true"], "exit status 1");
}

#[test]
fn a_readonly_variable_keeps_its_value() {
    everywhere(
        &[
            "readonly FIXED=1; export FIXED; readonly CODEBUILD_LAST_EXIT",
            "echo $FIXED",
            "false || echo $FIXED",
        ],
        expect![[r#"
            1
            1
        "#]],
    );
}

#[test]
fn a_folder_that_is_removed_is_left() {
    // Bash looks whether its folder is there, and the next command begins where that one did.
    for (shell, told) in [
        (Shell::Dash, "/codebuild/output/tmp/script.sh: 1: cd: can't cd to "),
        (Shell::Bash, "still here"),
        (Shell::BusyBox, "/codebuild/output/tmp/script.sh: cd: line 1: can't cd to "),
    ] {
        let commands = ["mkdir gone && cd gone && rmdir ../gone", "echo still here", "cd /; pwd"];
        let Some(trial) = shell.trial(&commands) else { continue };
        let printed = trial.run().expect_exit_0().printed();
        assert!(printed.starts_with(told), "{shell:?}: {printed}");
        assert!(printed.ends_with("still here\n/\n"), "{shell:?}: {printed}");
    }
}

#[test]
fn exec_takes_the_shells_place_and_leaves_no_state() {
    everywhere(
        &["A=1; cd /usr", "A=2; cd /; exec echo in place of the shell", "echo $A $PWD"],
        expect![[r#"
            in place of the shell
            1 /usr
        "#]],
    );
    fails_everywhere(&["exec sh -c 'exit 7'"], "exit status 7");
}

#[test]
fn a_command_that_redirects_or_closes_its_outputs_is_no_trouble_to_the_next() {
    everywhere(
        &[
            "exec >file 2>&1; echo in the file; A=1",
            "exec >&- 2>&-; cd /usr; true",
            "echo $A $PWD",
            "cat \"$CODEBUILD_SRC_DIR/file\"",
        ],
        expect![[r#"
            1 /usr
            in the file
        "#]],
    );
}

#[test]
fn noclobber_and_an_unwritable_umask_do_not_keep_the_state_from_being_saved() {
    everywhere(
        &["set -C; umask 777; A=1", "umask 022; A=2", "echo $A"],
        expect![[r#"
            2
        "#]],
    );
}

#[test]
fn an_exit_trap_runs_and_its_status_counts() {
    everywhere(
        &["trap 'echo bye' EXIT; exit 0", "trap 'echo end' 0; echo begin"],
        expect![[r#"
            bye
            begin
            end
        "#]],
    );
    fails_everywhere(&["trap 'exit 5' EXIT; true"], "exit status 5");
}

#[test]
fn a_long_command_runs() {
    let long = format!("A=1\n{}echo $A long", format!(": {}\n", "x".repeat(997)).repeat(300));
    assert!(long.len() > 300_000);
    for shell in Shell::ALL {
        let Some(trial) = shell.trial(&[&long]) else { continue };
        let outcome = trial.run();
        assert!(outcome.log().contains("\n1 long\n"), "{shell:?}");
    }
}

#[test]
fn a_long_line_is_the_fourth_of_its_script() {
    for (shell, shown) in [
        (Shell::Dash, "/codebuild/output/tmp/script.sh: 4: nosuch: not found\n"),
        (Shell::Bash, "/codebuild/output/tmp/script.sh: line 4: nosuch: command not found\n"),
        (Shell::BusyBox, "/codebuild/output/tmp/script.sh: line 4: nosuch: not found\n"),
    ] {
        let Some(trial) = shell.trial(&["nosuch"]) else { continue };
        let outcome = trial.run();
        assert_eq!(build_phase(&outcome), "exit status 127", "{shell:?}");
        assert!(outcome.log().contains(shown), "{shell:?}: {}", outcome.log());
    }
}

#[test]
fn statuses_and_signals_are_told_as_they_are() {
    fails_everywhere(&["exit 3"], "exit status 3");
    fails_everywhere(&["false"], "exit status 1");
    fails_everywhere(&["sh -c 'kill -KILL $$'"], "exit status 137");
    fails_everywhere(&["kill -TERM $$; sleep 5"], "signal: terminated");
    fails_everywhere(&["kill -SEGV $$; sleep 5"], "signal: segmentation fault");
    fails_everywhere(&["/etc/passwd"], "exit status 126");
    fails_everywhere(&["echo 'never closed"], "exit status 2");
    fails_everywhere(&["if true; then echo never"], "exit status 2");
}

#[test]
fn a_background_process_lives_on_and_holds_nothing_up() {
    everywhere(
        &[
            "mkfifo go; { read line <go; echo later; echo >went; } &",
            "(sleep 1000 &) ; nohup sleep 1000 & sleep 0",
            "echo now >go; while [ ! -e went ]; do sleep 0.01; done; echo last",
        ],
        expect![[r#"
            later
            last
        "#]],
    );
}

#[test]
fn standard_input_is_at_its_end() {
    everywhere(
        &["cat; read line || echo nothing; head -c 1 | wc -c"],
        expect![[r#"
            nothing
            0
        "#]],
    );
}

#[test]
fn here_documents_are_whole() {
    everywhere(
        &[
            "A=1; cat <<EOF\n  $A \"q\" 'q' \\$A\nEOF\ncat <<'EOF'\n$A `b`\nEOF\ncat <<-EOF\n\ttab\n\tEOF",
        ],
        expect![[r#"
              $A "q" 'q' \$A
            EOF
            cat <<'EOF'
            $A `b`
            EOF
            cat <<-EOF
            	tab
            	EOF
              1 "q" 'q' $A
            $A `b`
            tab
        "#]],
    );
}

#[test]
fn the_last_status_is_a_variable() {
    everywhere(
        &[
            "exit 0",
            "echo $CODEBUILD_LAST_EXIT; CODEBUILD_LAST_EXIT=9",
            "echo $CODEBUILD_LAST_EXIT $CODEBUILD_BUILD_SUCCEEDING",
        ],
        expect![[r#"
            0
            0 1
        "#]],
    );
}

#[test]
fn colours_and_progress_bars_pass_through() {
    for shell in Shell::ALL {
        let commands = [r"printf '\033[31mred\033[0m\n 10%%\r 50%%\r100%%\n'"];
        let Some(trial) = shell.trial(&commands) else { continue };
        let log = trial.run().log();
        assert!(log.contains("\u{1b}[31mred\u{1b}[0m\n 10%\r 50%\r100%\n"), "{shell:?}: {log}");
    }
}

#[test]
fn a_million_lines_come_in_order() {
    let Some(trial) = Shell::Dash.trial(&["seq 1000000; echo done >&2"]) else { return };
    let printed = trial.run().printed();
    let mut lines = printed.lines().skip_while(|line| *line != "1");
    for number in 1..=1_000_000 {
        assert_eq!(lines.next(), Some(number.to_string().as_str()));
    }
    assert_eq!(lines.next(), Some("done"));
}

#[test]
fn a_shells_level_and_last_folder_stay() {
    everywhere(
        &[
            "cd /usr; cd /tmp; true",
            "true",
            "cd - >/dev/null; pwd; LEVEL=${SHLVL:-none}",
            "true",
            "[ ${SHLVL:-none} = $LEVEL ] && echo the same level",
        ],
        expect![[r#"
            /usr
            the same level
        "#]],
    );
}

#[test]
fn what_an_environment_cannot_hold_comes_and_goes() {
    everywhere(
        &[
            "BIG=$(head -c 200000 /dev/zero | tr '\\0' x); IFS=,; SMALL=1,2",
            "echo ${#BIG} $SMALL; unset BIG; unset IFS",
            "echo ${BIG-gone} $SMALL; cd /usr",
            "pwd; sh -c 'echo $SMALL'",
        ],
        expect![[r#"
            200000 1 2
            gone 1,2
            /usr
            1,2
        "#]],
    );
}

#[test]
fn what_bash_knows_of_a_variable_stays() {
    let commands = [
        "declare -i NUMBER=1; declare -r FIXED=yes",
        "NUMBER+=41; printf '%s\\n' $NUMBER; (FIXED=no) 2>/dev/null || printf '%s\\n' $FIXED",
        "env | grep '^NUMBER='",
    ];
    // By its own name: as `sh`, bash does not tell what it knows.
    let text = buildspec("env: {shell: bash}\n", &commands);
    inline(&text).run().expect_exit_0().expect_printed(expect![[r#"
        42
        yes
        NUMBER=42
    "#]]);
}

#[test]
fn a_value_that_looks_like_the_end_of_the_state_is_a_value() {
    everywhere(
        &["A=\"$(printf 'one\\n/usr\\n\\n/tmp')\"; cd /etc", "echo \"$A\"; pwd"],
        expect![[r#"
            one
            /usr
            /tmp
            /etc
        "#]],
    );
}

#[test]
fn a_folder_of_any_name_is_found_again() {
    everywhere(
        &[
            "D=\"$(printf \"it's a \\\"new\\n/line\\\"\")\"; mkdir -p \"$D\"; cd \"$D\"",
            "basename \"$PWD\"; cd ..",
            "ls",
        ],
        expect![[r#"
            line"
            line"
        "#]],
    );
}
