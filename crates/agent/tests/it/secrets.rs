//! Variables whose values services keep, and that they are not seen.

use crate::agent::{Outcome, buildspec, inline};
use crate::keeper::Keeper;
use agent_protocol::{Keeper as KeptBy, Reference};
use expect_test::{Expect, expect};

fn run(keeper: &Keeper, env: &str, commands: &[&str]) -> Outcome {
    run_with(keeper, env, commands, &[])
}

fn run_with(
    keeper: &Keeper,
    env: &str,
    commands: &[&str],
    references: &[(&str, KeptBy, &str)],
) -> Outcome {
    let mut trial = inline(&buildspec(env, commands));
    trial.orders.object_store.endpoint.clone_from(&keeper.endpoint);
    trial.orders.references = references
        .iter()
        .map(|(name, keeper, value)| Reference {
            name: (*name).to_owned(),
            keeper: *keeper,
            value: (*value).to_owned(),
        })
        .collect();
    trial.run()
}

/// How DOWNLOAD_SOURCE ended.
fn check(keeper: &Keeper, env: &str, expected: &Expect) {
    let build = run(keeper, env, &["echo never"]);
    let facts = build.facts();
    assert!(!facts.contains("INSTALL"), "{facts}");
    expected.assert_eq(facts.split("ended DOWNLOAD_SOURCE ").nth(1).unwrap());
}

#[test]
fn values_reach_the_commands_and_no_reader_of_the_log() {
    let keeper = Keeper::start()
        .secret("db", r#"{"password": "correct horse", "port": 5432}"#)
        .secret("db:AWSPREVIOUS", "old battery")
        .parameter("name", "staple-parameter");
    let env = "env:\n  parameter-store: {P: name, Q: 'name:3'}\n  secrets-manager:\n    \
               S: db:password\n    OLD: 'db::AWSPREVIOUS'\n    PORT: db:port\n";
    let build = run(
        &keeper,
        env,
        &[
            "echo $P, $Q, $S, $OLD",
            "printf 'it is corre'; printf 'ct horse\\n'",
            r#"[ "$S" = "correct horse" ] && [ "$PORT" = 5432 ] && [ "$Q" = "staple-parameter 3" ]"#,
            "cat nothing-of-staple-parameter",
        ],
    );
    let log = build.log();
    let from = log.find("[Container] Processing environment").unwrap();
    let to = log.find("[Container] Entering phase POST_BUILD").unwrap();
    expect![[r#"
        [Container] Processing environment variables
        [Container] Decrypting parameter store environment variables
        [Container] No runtime version selected in buildspec.
        [Container] Moving to directory /codebuild/output/src42/src
        [Container] Cache is not defined in the buildspec
        [Container] Skip cache due to: no paths specified to be cached
        [Container] Registering with agent
        [Container] Phases found in YAML: 1
        [Container]  BUILD: 4 commands
        [Container] Phase complete: DOWNLOAD_SOURCE State: SUCCEEDED
        [Container] Phase context status code:  Message: 
        [Container] Entering phase INSTALL
        [Container] Phase complete: INSTALL State: SUCCEEDED
        [Container] Phase context status code:  Message: 
        [Container] Entering phase PRE_BUILD
        [Container] Phase complete: PRE_BUILD State: SUCCEEDED
        [Container] Phase context status code:  Message: 
        [Container] Entering phase BUILD
        [Container] Running command echo $P, $Q, $S, $OLD
        ***, ***, ***, ***

        [Container] Running command printf 'it is corre'; printf 'ct horse\n'
        it is ***

        [Container] Running command [ "$S" = "***" ] && [ "$PORT" = *** ] && [ "$Q" = "***" ]

        [Container] Running command cat nothing-of-***
        cat: nothing-of-***: No such file or directory

        [Container] Command did not exit successfully cat nothing-of-*** exit status 1
        [Container] Phase complete: BUILD State: FAILED
        [Container] Phase context status code: COMMAND_EXECUTION_ERROR Message: Error while executing command: cat nothing-of-***. Reason: exit status 1
    "#]]
    .assert_eq(&log[from..to]);
    let failed = "Error while executing command: cat nothing-of-***. Reason: exit status 1";
    assert!(build.facts().contains(failed), "{}", build.facts());
    let raw = std::fs::read(build.root.path().join("journal")).unwrap();
    for value in ["correct horse", "old battery", "staple-parameter"] {
        assert!(!String::from_utf8_lossy(&raw).contains(value), "{value}");
    }
}

#[test]
fn each_thing_is_asked_for_once_and_what_is_overridden_not_at_all() {
    let keeper = Keeper::start().secret("db", r#"{"a": "1", "b": "2"}"#).parameter("p", "value");
    let env = "env:\n  parameter-store: {A: p, B: p, C: overridden}\n  \
               secrets-manager: {D: db:a, E: db:b}\n";
    let references = [("C", KeptBy::SecretsManager, "db:a"), ("F", KeptBy::ParameterStore, "p")];
    let build = run_with(&keeper, env, &["test $A$B$C$D$E$F = valuevalue112value"], &references);
    assert!(build.facts().contains("ended BUILD SUCCEEDED"), "{}", build.log());
    expect![[r#"
        [
            "AmazonSSM.GetParameters {\"Names\":[\"p\"],\"WithDecryption\":true}",
            "secretsmanager.GetSecretValue {\"SecretId\":\"db\"}",
        ]
    "#]]
    .assert_debug_eq(&keeper.requests());
}

#[test]
fn parameters_are_asked_for_ten_at_a_time() {
    let keeper = (0..11).fold(Keeper::start(), |keeper, n| {
        keeper.parameter(&format!("p{n}"), &format!("value {n}"))
    });
    let names: Vec<String> = (0..11).map(|n| format!("V{n}: p{n}")).collect();
    let env = format!("env:\n  parameter-store: {{{}}}\n", names.join(", "));
    let build = run(&keeper, &env, &[r#"[ "$V10 $V3" = "value 10 value 3" ]"#]);
    assert!(build.facts().contains("ended BUILD SUCCEEDED"), "{}", build.log());
    assert_eq!(keeper.requests().len(), 2);
}

#[test]
fn what_cannot_be_had_fails_the_phase_and_says_why() {
    let keeper = Keeper::start().secret("plain", "hunter2").secret("db", "{}").binary("bytes");
    check(
        &keeper,
        "env:\n  parameter-store: {P: /no/such}\n",
        &expect![[r#"
        FAILED Decrypted Variables Error parameter does not exist: /no/such
        finished
    "#]],
    );
    check(
        &keeper,
        "env:\n  parameter-store: {P: denied}\n",
        &expect![[r#"
        FAILED Decrypted Variables Error AccessDeniedException: User: me is not authorized to perform: ssm:GetParameters on resource: it
        	status code: 400, request id: R1
        finished
    "#]],
    );
    check(
        &keeper,
        "env:\n  secrets-manager: {S: nothing}\n",
        &expect![[r#"
        FAILED Secrets Manager Error ResourceNotFoundException: Secrets Manager can't find the specified secret.
        	status code: 400, request id: R1
        finished
    "#]],
    );
    check(
        &keeper,
        "env:\n  secrets-manager: {S: denied}\n",
        &expect![[r#"
        FAILED Secrets Manager Error AccessDeniedException: User: me is not authorized to perform: secretsmanager:GetSecretValue on resource: it
        	status code: 400, request id: R1
        finished
    "#]],
    );
    check(
        &keeper,
        "env:\n  secrets-manager: {S: plain:key}\n",
        &expect![[r#"
        FAILED Secrets Manager Error secret plain is not a JSON object: it has no key key
        finished
    "#]],
    );
    check(
        &keeper,
        "env:\n  secrets-manager: {S: db:key}\n",
        &expect![[r#"
        FAILED Secrets Manager Error key key does not exist in secret db
        finished
    "#]],
    );
    check(
        &keeper,
        "env:\n  secrets-manager: {S: bytes}\n",
        &expect![[r#"
        FAILED Secrets Manager Error secret bytes is binary, which no variable can be
        finished
    "#]],
    );
}

#[test]
fn a_service_that_restarts_is_waited_for_and_one_that_stays_away_is_a_fault() {
    let keeper = Keeper::start().parameter("p", "value").failing(2);
    let build = run(&keeper, "env:\n  parameter-store: {P: p}\n", &["test $P = value"]);
    assert!(build.facts().contains("ended BUILD SUCCEEDED"), "{}", build.log());
    let keeper = Keeper::start().failing(u32::MAX);
    check(
        &keeper,
        "env:\n  secrets-manager: {S: db}\n",
        &expect![[r#"
        FAULT INTERNAL_SERVER_ERROR InternalFailure: not now
        	status code: 500, request id: R1
        finished
    "#]],
    );
}

#[test]
fn exported_variables_do_not_tell_values_either() {
    let keeper = Keeper::start().secret("db", "hunter2").parameter("p", "parameter");
    let env = "env:\n  exported-variables: [S, P, LONG, PLAIN]\n  secrets-manager: {S: db}\n";
    let commands = ["LONG=-$S-; PLAIN=plain"];
    let build = run_with(&keeper, env, &commands, &[("P", KeptBy::ParameterStore, "p")]);
    let exported =
        build.facts().lines().find(|line| line.starts_with("exported")).unwrap().to_owned();
    expect![[r#"exported [("S", "***"), ("LONG", "-***-"), ("PLAIN", "plain")]"#]]
        .assert_eq(&exported);
}

#[test]
fn the_last_words_of_a_command_are_shown_though_a_value_begins_like_them() {
    let keeper = Keeper::start().secret("db", "hunter2");
    let env = "env:\n  secrets-manager: {S: db}\n";
    let build = run(&keeper, env, &["printf hunt", "printf AKIAIOSFODNN7EXAMPLE", "printf er2"]);
    build.expect_printed(expect![[r#"
        hunt
        ***
        er2
    "#]]);
}
