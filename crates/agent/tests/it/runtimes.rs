//! `runtime-versions`: images that carry `runtimes.yml`, the machine itself, and neither.

use crate::agent::{Outcome, Trial, inline};
use agent_protocol::{CommandList, Fact, RecordBody, RuntimesOrder};
use expect_test::expect;
use std::fs;

const FILE: &str = r#"
version: 0.1
runtimes:
  nodejs:
    versions:
      22:
        commands:
          - echo "Installing Node.js version 22 ..."
          - export PATH="$NODE_22_HOME/bin:$PATH"; cd /
      default:
        commands:
          - echo "Installing custom Node.js version $VERSION ..."
  broken:
    versions:
      1: {commands: [exit 4, echo never]}
"#;

/// A build that asks for these runtimes and then prints what it has.
fn asking(versions: &str) -> Trial {
    inline(&format!(
        "version: 0.2\nphases:\n  install:\n    runtime-versions: {versions}\n  build:\n    \
         commands:\n      - 'echo ${{VERSION-no version}} $PWD ${{PATH%%:*}}'\n"
    ))
}

fn with_file(trial: Trial, text: &str) -> Trial {
    let folder = trial.root.path().join("codebuild/image/config");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("runtimes.yml"), text).unwrap();
    trial
}

/// The log from the variables on.
fn log(outcome: &Outcome) -> String {
    let log = outcome.log();
    let from = log.find("Processing environment variables").unwrap();
    let until = log.find("[Container] Entering phase INSTALL").unwrap_or(log.len());
    log[from..until].to_owned()
}

#[test]
fn the_images_own_commands_are_run_and_what_they_change_stays() {
    let outcome = with_file(asking("{nodejs: 22}"), FILE).variable("NODE_22_HOME", "/n22").run();
    expect![[r#"
        Processing environment variables
        [Container] Selecting 'nodejs' runtime version '22' based on manual selections...
        [Container] Running command echo "Installing Node.js version 22 ..."
        Installing Node.js version 22 ...

        [Container] Running command export PATH="$NODE_22_HOME/bin:$PATH"; cd /

        [Container] Moving to directory /codebuild/output/src42/src
        [Container] Cache is not defined in the buildspec
        [Container] Skip cache due to: no paths specified to be cached
        [Container] Registering with agent
        [Container] Phases found in YAML: 2
        [Container]  INSTALL: 0 commands
        [Container]  BUILD: 1 commands
        [Container] Phase complete: DOWNLOAD_SOURCE State: SUCCEEDED
        [Container] Phase context status code:  Message: 
    "#]]
    .assert_eq(&log(&outcome));
    let log = outcome.log();
    assert!(log.contains("\nno version /codebuild/output/src42/src /n22/bin\n"), "{log}");
    let told: Vec<_> = outcome
        .records
        .iter()
        .filter_map(|record| match &record.body {
            RecordBody::Fact(Fact::CommandStarted(started)) => {
                Some((started.phase.as_str(), started.list, started.index))
            }
            RecordBody::Fact(_) | RecordBody::Log(_) => None,
        })
        .collect();
    assert_eq!(
        told,
        [
            ("DOWNLOAD_SOURCE", CommandList::Runtimes, 0),
            ("DOWNLOAD_SOURCE", CommandList::Runtimes, 1),
            ("BUILD", CommandList::Commands, 0),
        ]
    );
}

#[test]
fn another_version_is_a_variable_for_its_commands_alone() {
    let outcome = with_file(asking("{nodejs: $WANTED}"), FILE)
        .variable("WANTED", "18.2.0")
        .variable("VERSION", "the project's own")
        .run();
    let log = outcome.log();
    assert!(log.contains("Selecting 'nodejs' runtime version '18.2.0' based on"), "{log}");
    assert!(log.contains("\nInstalling custom Node.js version 18.2.0 ...\n"), "{log}");
    assert!(log.contains("\nthe project's own /codebuild/"), "{log}");
}

#[test]
fn what_is_not_offered_fails_the_download_of_the_source() {
    for (versions, message) in [
        (
            "{nodejs: 22, cobol: 7}",
            "Unknown runtime named 'cobol'. This build image has the following runtimes: broken, nodejs",
        ),
        (
            "{nodejs: 20.x}",
            "Unknown runtime version named '20.x' of nodejs. This build image has the following \
             versions: 22",
        ),
    ] {
        let facts = with_file(asking(versions), FILE).run().facts();
        let ended = format!("ended DOWNLOAD_SOURCE FAILED YAML_FILE_ERROR {message}\n");
        assert!(facts.contains(&ended), "{facts}");
        assert!(!facts.contains("INSTALL"), "{facts}");
    }
}

#[test]
fn a_command_of_the_image_that_fails_is_told() {
    let outcome = with_file(asking("{broken: 1}"), FILE).run();
    expect![[r#"
        Processing environment variables
        [Container] Selecting 'broken' runtime version '1' based on manual selections...
        [Container] Running command exit 4

        [Container] Command did not exit successfully exit 4 exit status 4
        [Container] Phase complete: DOWNLOAD_SOURCE State: FAILED
        [Container] Phase context status code: COMMAND_EXECUTION_ERROR Message: Error while executing command: exit 4. Reason: exit status 4
    "#]]
    .assert_eq(&log(&outcome));
}

#[test]
fn a_broken_file_is_told() {
    let facts = with_file(asking("{nodejs: 22}"), "runtimes: [").run().facts();
    let told = "FAILED YAML_FILE_ERROR /codebuild/image/config/runtimes.yml: ";
    assert!(facts.contains(told), "{facts}");
}

#[test]
fn an_image_without_the_file_skips() {
    let log = asking("{nodejs: 22}").run().log();
    let skipped = "Skipping install of runtimes. Runtime version selection is not supported by this \
                   build image";
    assert!(log.contains(skipped), "{log}");
}

#[test]
fn old_images_want_a_choice() {
    let run = |image: &str| {
        let text = "version: 0.2\nphases:\n  build:\n    commands: [echo ran]\n";
        with_file(inline(text), FILE).variable("CODEBUILD_BUILD_IMAGE", image).run().facts()
    };
    let message = "FAILED YAML_FILE_ERROR This build image requires selecting at least one runtime \
                   version.";
    for image in [
        "aws/codebuild/standard:2.0",
        "aws/codebuild/standard:2.0-19.11.26",
        "public.ecr.aws/codebuild/amazonlinux2-x86_64-standard:1.0",
    ] {
        assert!(run(image).contains(message), "{image}");
    }
    for image in ["aws/codebuild/standard:7.0", "aws/codebuild/standard:2.01", "standard:2.0"] {
        assert!(run(image).contains("ended BUILD SUCCEEDED"), "{image}");
    }
}

#[test]
fn the_machine_offers_what_it_has() {
    let machine = |versions: &str| {
        let mut trial = asking(versions);
        trial.orders.runtimes =
            RuntimesOrder::Machine { folders: vec!["/tools".to_owned()], takes_nearest: false };
        let home = trial.root.path().join("tools/jdk");
        fs::create_dir_all(home.join("bin")).unwrap();
        fs::write(home.join("bin/java"), "").unwrap();
        fs::write(home.join("release"), "JAVA_VERSION=\"17.0.2\"\n").unwrap();
        trial.run()
    };
    let log = machine("{java: corretto17}").log();
    assert!(log.contains("Selecting 'java' runtime version 'corretto17' based on"), "{log}");
    assert!(log.contains("\nUsing Java 17.0.2 in /tools/jdk\n"), "{log}");
    assert!(log.contains("src /tools/jdk/bin\n"), "{log}");
    let facts = machine("{java: corretto21}").facts();
    let message = "FAILED YAML_FILE_ERROR Unknown runtime version named 'corretto21' of java. This \
                   build image has the following versions: openjdk17";
    assert!(facts.contains(message), "{facts}");
}

#[test]
fn the_old_version_of_buildspecs_keeps_its_runtimes() {
    let text = "version: 0.1\nphases:\n  install:\n    runtime-versions: {nodejs: 22}\n    commands: \
                [A=1]\n  build:\n    commands: ['echo \"${PATH%%:*} $A\"']\n";
    let printed = with_file(inline(text), FILE).variable("NODE_22_HOME", "/n22").run().printed();
    assert!(printed.ends_with("\n/n22/bin \n"), "{printed}");
}
