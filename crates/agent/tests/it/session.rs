//! Whole builds: the log to the letter, and the facts.

use crate::agent::{commands, inline};
use agent_protocol::BuildspecLocation;
use expect_test::expect;

#[test]
fn a_build_without_a_source_runs_every_phase() {
    let build =
        inline("version: 0.2\nphases:\n  build:\n    commands:\n      - echo hello\n").run();
    build
        .expect_exit_0()
        .expect_log(expect![[r#"
        [Container] Waiting for agent ping
        [Container] Waiting for DOWNLOAD_SOURCE
        [Container] Phase is DOWNLOAD_SOURCE
        [Container] CODEBUILD_SRC_DIR=/codebuild/output/src42/src
        [Container] YAML location is /codebuild/readonly/buildspec.yml
        [Container] Processing environment variables
        [Container] No runtime version selected in buildspec.
        [Container] Moving to directory /codebuild/output/src42/src
        [Container] Cache is not defined in the buildspec
        [Container] Skip cache due to: no paths specified to be cached
        [Container] Registering with agent
        [Container] Phases found in YAML: 1
        [Container]  BUILD: 1 commands
        [Container] Phase complete: DOWNLOAD_SOURCE State: SUCCEEDED
        [Container] Phase context status code:  Message: 
        [Container] Entering phase INSTALL
        [Container] Phase complete: INSTALL State: SUCCEEDED
        [Container] Phase context status code:  Message: 
        [Container] Entering phase PRE_BUILD
        [Container] Phase complete: PRE_BUILD State: SUCCEEDED
        [Container] Phase context status code:  Message: 
        [Container] Entering phase BUILD
        [Container] Running command echo hello
        hello

        [Container] Phase complete: BUILD State: SUCCEEDED
        [Container] Phase context status code:  Message: 
        [Container] Entering phase POST_BUILD
        [Container] Phase complete: POST_BUILD State: SUCCEEDED
        [Container] Phase context status code:  Message: 
        [Container] Phase complete: UPLOAD_ARTIFACTS State: SUCCEEDED
        [Container] Phase context status code:  Message: 
    "#]])
        .expect_facts(expect![[r#"
        hello 1
        started DOWNLOAD_SOURCE
        ended DOWNLOAD_SOURCE SUCCEEDED
        started INSTALL
        ended INSTALL SUCCEEDED
        started PRE_BUILD
        ended PRE_BUILD SUCCEEDED
        started BUILD
        ended BUILD SUCCEEDED
        started POST_BUILD
        ended POST_BUILD SUCCEEDED
        started UPLOAD_ARTIFACTS
        ended UPLOAD_ARTIFACTS SUCCEEDED
        finished
    "#]]);
}

#[test]
fn a_failed_build_is_followed_by_post_build() {
    let text = "version: 0.2\nphases:\n  build:\n    commands:\n      - |\n        echo making\n        \
                exit 2\n      - echo never\n    finally:\n      - echo at last\n  post_build:\n    \
                commands:\n      - echo $CODEBUILD_BUILD_SUCCEEDING\n";
    inline(text).run().expect_exit_0().expect_log(expect![[r#"
        [Container] Waiting for agent ping
        [Container] Waiting for DOWNLOAD_SOURCE
        [Container] Phase is DOWNLOAD_SOURCE
        [Container] CODEBUILD_SRC_DIR=/codebuild/output/src42/src
        [Container] YAML location is /codebuild/readonly/buildspec.yml
        [Container] Processing environment variables
        [Container] No runtime version selected in buildspec.
        [Container] Moving to directory /codebuild/output/src42/src
        [Container] Cache is not defined in the buildspec
        [Container] Skip cache due to: no paths specified to be cached
        [Container] Registering with agent
        [Container] Phases found in YAML: 2
        [Container]  BUILD: 2 commands
        [Container]  POST_BUILD: 1 commands
        [Container] Phase complete: DOWNLOAD_SOURCE State: SUCCEEDED
        [Container] Phase context status code:  Message: 
        [Container] Entering phase INSTALL
        [Container] Phase complete: INSTALL State: SUCCEEDED
        [Container] Phase context status code:  Message: 
        [Container] Entering phase PRE_BUILD
        [Container] Phase complete: PRE_BUILD State: SUCCEEDED
        [Container] Phase context status code:  Message: 
        [Container] Entering phase BUILD
        [Container] Running command echo making
        exit 2
        making

        [Container] Command did not exit successfully echo making
        exit 2 exit status 2
        [Container] Running command echo at last
        at last

        [Container] Phase complete: BUILD State: FAILED
        [Container] Phase context status code: COMMAND_EXECUTION_ERROR Message: Error while executing command: echo making
        exit 2. Reason: exit status 2
        [Container] Entering phase POST_BUILD
        [Container] Running command echo $CODEBUILD_BUILD_SUCCEEDING
        0

        [Container] Phase complete: POST_BUILD State: SUCCEEDED
        [Container] Phase context status code:  Message: 
        [Container] Phase complete: UPLOAD_ARTIFACTS State: SUCCEEDED
        [Container] Phase context status code:  Message: 
    "#]]);
}

#[test]
fn a_failed_pre_build_ends_the_build() {
    let text = "version: 0.2\nenv: {exported-variables: [A, UNKNOWN, AWS_X]}\nphases:\n  pre_build:\n    \
                commands: [export A=1, exit 7]\n  build:\n    commands: [echo never]\n";
    inline(text).run().expect_exit_0().expect_facts(expect![[r#"
        hello 1
        started DOWNLOAD_SOURCE
        ended DOWNLOAD_SOURCE SUCCEEDED
        started INSTALL
        ended INSTALL SUCCEEDED
        started PRE_BUILD
        ended PRE_BUILD FAILED COMMAND_EXECUTION_ERROR Error while executing command: exit 7. Reason: exit status 7
        exported [("A", "1"), ("UNKNOWN", "")]
        finished
    "#]]);
}

#[test]
fn on_failure_continue_goes_on_and_abort_ends() {
    let text = "version: 0.2\nphases:\n  install:\n    on-failure: CONTINUE\n    commands: [exit 1]\n  \
                build:\n    on-failure: ABORT\n    commands: [exit 2]\n  post_build:\n    \
                commands: [echo never]\n";
    inline(text).run().expect_facts(expect![[r#"
        hello 1
        started DOWNLOAD_SOURCE
        ended DOWNLOAD_SOURCE SUCCEEDED
        started INSTALL
        ended INSTALL FAILED COMMAND_EXECUTION_ERROR Error while executing command: exit 1. Reason: exit status 1
        started PRE_BUILD
        ended PRE_BUILD SUCCEEDED
        started BUILD
        ended BUILD FAILED COMMAND_EXECUTION_ERROR Error while executing command: exit 2. Reason: exit status 2
        finished
    "#]]);
}

#[test]
fn a_failing_finally_fails_its_phase() {
    let text = "version: 0.2\nphases:\n  build:\n    commands: [\"true\"]\n    finally: [exit 4]\n";
    inline(text).run().expect_facts(expect![[r#"
        hello 1
        started DOWNLOAD_SOURCE
        ended DOWNLOAD_SOURCE SUCCEEDED
        started INSTALL
        ended INSTALL SUCCEEDED
        started PRE_BUILD
        ended PRE_BUILD SUCCEEDED
        started BUILD
        ended BUILD FAILED COMMAND_EXECUTION_ERROR Error while executing command: exit 4. Reason: exit status 4
        started POST_BUILD
        ended POST_BUILD SUCCEEDED
        started UPLOAD_ARTIFACTS
        ended UPLOAD_ARTIFACTS SUCCEEDED
        finished
    "#]]);
}

#[test]
fn output_without_a_line_end_is_ended_by_the_empty_line() {
    let build = commands(&["printf no-newline", "true"]).run();
    let log = build.log();
    let from = log.find("Running command printf").unwrap();
    expect![[r#"
        Running command printf no-newline
        no-newline
        [Container] Running command true

        [Container] Phase complete: BUILD State: SUCCEEDED
        [Container] Phase context status code:  Message: 
        [Container] Entering phase POST_BUILD
        [Container] Phase complete: POST_BUILD State: SUCCEEDED
        [Container] Phase context status code:  Message: 
        [Container] Phase complete: UPLOAD_ARTIFACTS State: SUCCEEDED
        [Container] Phase context status code:  Message: 
    "#]]
    .assert_eq(&log[from..]);
}

#[test]
fn exported_variables_have_their_last_values() {
    let text = "version: 0.2\nenv:\n  variables: {A: first, B: stays}\n  exported-variables: [B, A, C]\n\
                phases:\n  build:\n    commands: [A=last]\n  post_build:\n    commands: ['C=\"a b\"']\n";
    let build = inline(text).run();
    let facts = build.facts();
    let exported = facts.lines().find(|line| line.starts_with("exported"));
    assert_eq!(exported, Some(r#"exported [("B", "stays"), ("A", "last"), ("C", "a b")]"#));
}

#[test]
fn a_missing_buildspec_fails_with_go_words() {
    let mut trial = inline("");
    trial.orders.buildspec = BuildspecLocation::Path { path: "ci/build.yaml".to_owned() };
    trial.run().expect_exit_0().expect_facts(expect![[r#"
        hello 1
        started DOWNLOAD_SOURCE
        ended DOWNLOAD_SOURCE FAILED YAML_FILE_ERROR stat /codebuild/output/src42/src/ci/build.yaml: no such file or directory
        finished
    "#]]);
}

#[test]
fn a_broken_buildspec_is_told_with_its_place() {
    let build =
        inline("version: 0.2\nphases:\n  build:\n    commands:\n      - echo: hello\n").run();
    build.expect_exit_0().expect_facts(expect![[r#"
        hello 1
        started DOWNLOAD_SOURCE
        ended DOWNLOAD_SOURCE FAILED YAML_FILE_ERROR Expected Commands[0] to be of string type: found subkeys instead at line 5, value of the key tag on line 4 might be empty
        finished
    "#]]);
    let log = build.log();
    let from = log.find("YAML location").unwrap();
    expect![[r#"
        YAML location is /codebuild/readonly/buildspec.yml
        error[command-not-text]: `phases.build.commands[0]` is a mapping, not a command
         --> buildspec.yml:5:13
          |
        5 |       - echo: hello
          |             ^
          |
          = help: a colon and a blank make a mapping; write: - 'echo: hello'
        [Container] Phase complete: DOWNLOAD_SOURCE State: FAILED
        [Container] Phase context status code: YAML_FILE_ERROR Message: Expected Commands[0] to be of string type: found subkeys instead at line 5, value of the key tag on line 4 might be empty
    "#]].assert_eq(&log[from..]);
}

#[test]
fn a_journal_that_has_begun_goes_on() {
    let trial = inline("");
    let path = trial.root.path().join("journal");
    std::fs::write(&path, agent_protocol::journal::MAGIC).unwrap();
    let build = trial.run_with_orders(b"");
    assert!(build.facts().starts_with("hello"));
}

#[test]
fn an_agent_without_a_journal_says_so() {
    let agent = std::process::Command::new("sh")
        .args(["-c", "exec 3<&- 4<&-; exec \"$0\"", env!("CARGO_BIN_EXE_agent")])
        .output()
        .unwrap();
    assert_eq!(agent.status.code(), Some(70));
    let said = String::from_utf8(agent.stderr).unwrap();
    assert!(said.starts_with("agent: failed to take the orders and the journal: "), "{said}");
}

#[test]
fn orders_that_are_none_are_told_and_run_nothing() {
    let build = inline("").run_with_orders(b"{\"protocol\":");
    assert_eq!(build.process.status.code(), Some(70));
    build
        .expect_log(expect![[r#"
        [Container] failed to understand the orders: EOF while parsing a value at line 1 column 12
    "#]])
        .expect_facts(expect![[r#"
        hello 1
    "#]]);
}

#[test]
fn orders_of_another_version_are_refused() {
    let mut trial = inline("");
    trial.orders.protocol = 999;
    let build = trial.run();
    assert_eq!(build.process.status.code(), Some(70));
    build.expect_log(expect![[r#"
        [Container] failed to follow orders of protocol 999: this agent speaks 1: unsupported
    "#]]);
}
