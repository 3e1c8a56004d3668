//! Whole builds: the log to the letter, and the facts.

use crate::agent::inline;
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
