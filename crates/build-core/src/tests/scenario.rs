//! Inputs in, the phases that an API client would see out.

use crate::{AutoRetry, Build, BuildId, Event, Exited, Input, Submitted};
use agent_protocol::{AgentPhase, Fact, PhaseContext, PhaseOutcome, PhaseStatus, Timestamp};
use expect_test::{Expect, expect};
use std::fmt::Write;

pub(super) fn submitted() -> Submitted {
    Submitted {
        id: BuildId::parse("demo:00000000-0000-4000-8000-000000000001").unwrap(),
        number: 1,
        timeout_minutes: 60,
        queued_timeout_minutes: 480,
        received_at: at(0),
        auto_retry: AutoRetry::default(),
    }
}

pub(super) fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + seconds * 1_000)
}

fn started(phase: AgentPhase, seconds: u64) -> Input {
    Input::Fact(Fact::PhaseStarted { phase }, at(seconds))
}

fn finished(phase: AgentPhase, outcome: PhaseOutcome, seconds: u64) -> Input {
    Input::Fact(Fact::PhaseFinished { phase, outcome }, at(seconds))
}

fn said_all(seconds: u64) -> Input {
    Input::Fact(Fact::Finished, at(seconds))
}

/// Feeds the inputs one second apart and shows what became of the build.
fn check(inputs: &[Input], expected: &Expect) {
    let mut build = Build::new(submitted());
    let mut history = vec![Event::Submitted(submitted())];
    for (second, input) in inputs.iter().enumerate() {
        for event in build.decide(input, at(second as u64 + 1)) {
            build = build.evolve(&event);
            history.push(event);
        }
    }
    assert_eq!(Build::replay(&history).as_ref(), Some(&build), "replaying gives the same build");
    expected.assert_eq(&render(&build));
}

fn render(build: &Build) -> String {
    let mut out = String::new();
    let second = |time: Timestamp| time.since(at(0)).as_secs();
    for record in &build.phases {
        write!(out, "{} {}", record.phase.as_str(), second(record.started_at)).unwrap();
        if let Some((ended_at, outcome)) = &record.ended {
            write!(out, "..{} {}", second(*ended_at), outcome.status.as_str()).unwrap();
            for context in &outcome.contexts {
                write!(out, " [{}: {}]", context.status_code, context.message).unwrap();
            }
        }
        out.push('\n');
    }
    let status = build.status().map_or("IN_PROGRESS", |status| status.as_str());
    let end = build.ended_at().map(second);
    writeln!(out, "{status} {end:?} {:?}", build.wanted().container).unwrap();
    out
}

#[test]
fn a_build_that_goes_well() {
    let mut inputs = vec![Input::Admitted, Input::Fact(Fact::Hello { protocol: 1 }, at(2))];
    for (index, phase) in AgentPhase::ALL.into_iter().enumerate() {
        let second = 3 + 2 * index as u64;
        inputs.push(started(phase, second));
        inputs.push(finished(phase, PhaseOutcome::succeeded(), second + 1));
    }
    inputs.extend([said_all(15), Input::Exited(Exited::Died), Input::Gone]);
    check(
        &inputs,
        &expect![[r#"
        SUBMITTED 0..0 SUCCEEDED
        QUEUED 0..1 SUCCEEDED
        PROVISIONING 1..3 SUCCEEDED [: ]
        DOWNLOAD_SOURCE 3..4 SUCCEEDED [: ]
        INSTALL 4..6 SUCCEEDED [: ]
        PRE_BUILD 6..8 SUCCEEDED [: ]
        BUILD 8..10 SUCCEEDED [: ]
        POST_BUILD 10..12 SUCCEEDED [: ]
        UPLOAD_ARTIFACTS 12..14 SUCCEEDED [: ]
        FINALIZING 14..17 SUCCEEDED [: ]
        COMPLETED 17
        SUCCEEDED Some(17) Absent
    "#]],
    );
}

#[test]
fn a_failed_build_phase_fails_the_build_and_not_the_phases_after_it() {
    let inputs = [
        Input::Admitted,
        started(AgentPhase::DownloadSource, 2),
        finished(AgentPhase::DownloadSource, PhaseOutcome::succeeded(), 3),
        started(AgentPhase::Build, 4),
        finished(AgentPhase::Build, PhaseOutcome::failed("COMMAND_EXECUTION_ERROR", "no"), 5),
        started(AgentPhase::PostBuild, 6),
        finished(AgentPhase::PostBuild, PhaseOutcome::succeeded(), 7),
        said_all(8),
        Input::Gone,
    ];
    check(
        &inputs,
        &expect![[r#"
        SUBMITTED 0..0 SUCCEEDED
        QUEUED 0..1 SUCCEEDED
        PROVISIONING 1..2 SUCCEEDED [: ]
        DOWNLOAD_SOURCE 2..3 SUCCEEDED [: ]
        BUILD 3..5 FAILED [COMMAND_EXECUTION_ERROR: no]
        POST_BUILD 5..7 SUCCEEDED [: ]
        FINALIZING 7..9 SUCCEEDED [: ]
        COMPLETED 9
        FAILED Some(9) Absent
    "#]],
    );
}

#[test]
fn a_stopped_build_goes_from_its_open_phase_to_completed() {
    let inputs = [
        Input::Admitted,
        started(AgentPhase::DownloadSource, 2),
        Input::Stop,
        finished(AgentPhase::DownloadSource, PhaseOutcome::succeeded(), 4),
        Input::Stop,
        Input::Gone,
    ];
    check(
        &inputs,
        &expect![[r#"
        SUBMITTED 0..0 SUCCEEDED
        QUEUED 0..1 SUCCEEDED
        PROVISIONING 1..2 SUCCEEDED [: ]
        DOWNLOAD_SOURCE 2..6 STOPPED
        COMPLETED 6
        STOPPED Some(6) Absent
    "#]],
    );
}

#[test]
fn a_build_stopped_in_the_queue_never_has_a_container() {
    check(
        &[Input::Stop, Input::Gone],
        &expect![[r#"
        SUBMITTED 0..0 SUCCEEDED
        QUEUED 0..2 STOPPED
        COMPLETED 2
        STOPPED Some(2) Absent
    "#]],
    );
}

#[test]
fn a_build_that_runs_out_of_time() {
    let inputs = [
        Input::Admitted,
        started(AgentPhase::DownloadSource, 2),
        Input::DeadlinePassed,
        Input::Exited(Exited::Died),
        Input::Gone,
    ];
    check(
        &inputs,
        &expect![[r#"
        SUBMITTED 0..0 SUCCEEDED
        QUEUED 0..1 SUCCEEDED
        PROVISIONING 1..2 SUCCEEDED [: ]
        DOWNLOAD_SOURCE 2..5 TIMED_OUT [BUILD_TIMED_OUT: Build has timed out. ]
        COMPLETED 5
        TIMED_OUT Some(5) Absent
    "#]],
    );
}

#[test]
fn a_build_that_waits_too_long() {
    check(
        &[Input::DeadlinePassed, Input::Gone, Input::Admitted],
        &expect![[r#"
        SUBMITTED 0..0 SUCCEEDED
        QUEUED 0..2 TIMED_OUT [BUILD_TIMED_OUT: Build has timed out. ]
        COMPLETED 2
        TIMED_OUT Some(2) Absent
    "#]],
    );
}

#[test]
fn an_image_that_cannot_be_used() {
    let context = PhaseContext {
        status_code: "BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE".into(),
        message: "Unable to pull".into(),
    };
    let not_launched = Input::NotLaunched { status: PhaseStatus::Failed, context };
    check(
        &[Input::Admitted, not_launched, Input::Gone],
        &expect![[r#"
        SUBMITTED 0..0 SUCCEEDED
        QUEUED 0..1 SUCCEEDED
        PROVISIONING 1..2 FAILED [BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE: Unable to pull]
        FINALIZING 2..3 SUCCEEDED [: ]
        COMPLETED 3
        FAILED Some(3) Absent
    "#]],
    );
}

#[test]
fn a_container_that_dies() {
    let run =
        |exited| [Input::Admitted, started(AgentPhase::DownloadSource, 2), exited, Input::Gone];
    check(
        &run(Input::Exited(Exited::Died)),
        &expect![[r#"
        SUBMITTED 0..0 SUCCEEDED
        QUEUED 0..1 SUCCEEDED
        PROVISIONING 1..2 SUCCEEDED [: ]
        DOWNLOAD_SOURCE 2..3 FAULT [INTERNAL_SERVER_ERROR: Build container found dead before completing the build. Build container died because it was out of memory, or the Docker image is not supported. ErrorCode: 500]
        FINALIZING 3..4 SUCCEEDED [: ]
        COMPLETED 4
        FAULT Some(4) Absent
    "#]],
    );
    check(
        &run(Input::Exited(Exited::OutOfMemory)),
        &expect![[r#"
        SUBMITTED 0..0 SUCCEEDED
        QUEUED 0..1 SUCCEEDED
        PROVISIONING 1..2 SUCCEEDED [: ]
        DOWNLOAD_SOURCE 2..3 FAILED [CLIENT_ERROR: Build container found dead before completing the build. Build container died because it was out of memory, or the Docker image is not supported. ErrorCode: 500]
        FINALIZING 3..4 SUCCEEDED [: ]
        COMPLETED 4
        FAILED Some(4) Absent
    "#]],
    );
}
