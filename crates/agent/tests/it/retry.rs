//! Phases that ask that the whole build be started again.

use crate::agent::{Trial, inline};
use expect_test::expect;

/// A build whose BUILD phase fails with a message on its output, as retry `number`.
fn failing(on_failure: &str, number: u32) -> Trial {
    let mut trial = inline(&format!(
        "version: 0.2\nphases:\n  build:\n    on-failure: {on_failure}\n    commands:\n      \
         - echo 'connection timed out'\n      - exit 3\n    finally:\n      - echo cleaned up\n  \
         post_build:\n    commands: [echo after]\n"
    ));
    trial.orders.auto_retry_number = number;
    trial
}

fn check(on_failure: &str, number: u32, asked: bool) {
    let build = failing(on_failure, number).run();
    let (log, facts) = (build.log(), build.facts());
    assert_eq!(facts.contains("retry asked"), asked, "{on_failure} {number}: {facts}");
    // A build that is started again has no later phase; otherwise it goes on as if nothing was said.
    assert_eq!(log.contains("echo after"), !asked, "{on_failure} {number}: {log}");
    assert!(log.contains("cleaned up"), "{on_failure} {number}: {log}");
}

#[test]
fn an_error_that_matches_asks_for_a_retry() {
    check("RETRY", 0, true);
    check("RETRY", 2, true);
    check("retry-1", 0, true);
    check("RETRY-.*timed out.*", 0, true);
    check("RETRY-2-exit status 3", 1, true);
}

#[test]
fn another_error_or_the_last_retry_goes_on_as_without() {
    check("RETRY", 3, false);
    check("RETRY-0", 0, false);
    check("RETRY-1-timed out", 1, false);
    check("RETRY-refused", 0, false);
    check("RETRY-5-^timed", 0, false);
}

#[test]
fn only_the_failed_phase_is_searched() {
    let build = inline(
        "version: 0.2\nphases:\n  pre_build:\n    commands: [echo flaky]\n  build:\n    \
         on-failure: RETRY-flaky\n    commands: [exit 1]\n",
    )
    .run();
    assert!(!build.facts().contains("retry asked"));
}

#[test]
fn the_end_of_much_output_is_searched() {
    let build = inline(
        "version: 0.2\nphases:\n  build:\n    on-failure: RETRY-2-flaky$\n    commands:\n      \
         - yes | head -c 3000000; printf flaky; exit 1\n",
    )
    .run();
    assert!(build.facts().contains("retry asked 2"));
}

#[test]
fn a_build_that_is_started_again_says_so() {
    let build = failing("RETRY-4", 1).run();
    build.expect_facts(expect![[r#"
        hello 1
        started DOWNLOAD_SOURCE
        ended DOWNLOAD_SOURCE SUCCEEDED
        started INSTALL
        ended INSTALL SUCCEEDED
        started PRE_BUILD
        ended PRE_BUILD SUCCEEDED
        started BUILD
        ended BUILD FAILED COMMAND_EXECUTION_ERROR Error while executing command: exit 3. Reason: exit status 3
        retry asked 4
        finished
    "#]]);
    let log = build.log();
    let from = log.find("Phase context status code: COMMAND").unwrap();
    expect![[r#"
        Phase context status code: COMMAND_EXECUTION_ERROR Message: Error while executing command: exit 3. Reason: exit status 3
        [Container] Phase BUILD failed: retry 2 of 4 of the build
    "#]].assert_eq(&log[from..]);
}
