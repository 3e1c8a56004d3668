//! Builds that are started again by themselves.

use super::scenario::{at, submitted};
use crate::{AutoRetry, Build, BuildId, BuildStatus, Event, Input, Submitted};
use agent_protocol::{AgentPhase, Fact, PhaseOutcome};

fn id(last: u32) -> BuildId {
    BuildId::parse(&format!("demo:00000000-0000-4000-8000-{last:012}")).unwrap()
}

fn failed(phase: AgentPhase) -> Vec<Input> {
    let outcome = PhaseOutcome::failed("COMMAND_EXECUTION_ERROR", "no");
    vec![
        Input::Admitted,
        Input::Fact(Fact::PhaseStarted { phase }, at(1)),
        Input::Fact(Fact::PhaseFinished { phase, outcome }, at(2)),
    ]
}

/// Runs a build of these settings to its end, as the driver does.
fn run(auto_retry: AutoRetry, inputs: &[Input]) -> (Build, bool) {
    let submitted = Submitted { auto_retry, ..submitted() };
    let mut build = Build::new(submitted.clone());
    let mut history = vec![Event::Submitted(submitted)];
    let mut take = |build: Build, input: &Input| {
        build.decide(input, at(9)).into_iter().fold(build, |build, event| {
            history.push(event.clone());
            build.evolve(&event)
        })
    };
    for input in inputs {
        build = take(build, input);
    }
    let due = build.retry_is_due();
    // Asked for or not, it is offered, and twice: the first offer counts if any does.
    for input in [Input::RetryAs(id(2)), Input::RetryAs(id(3)), Input::Gone, Input::RetryAs(id(4))]
    {
        build = take(build, &input);
    }
    assert_eq!(Build::replay(&history), Some(build.clone()));
    assert!(build.status().is_some());
    assert!(!build.retry_is_due());
    (build, due)
}

fn check(limit: u32, number: u32, inputs: &[Input], expected: bool) {
    let (build, due) = run(AutoRetry { limit, number }, inputs);
    assert_eq!(due, expected, "{limit} {number} {inputs:?}");
    assert_eq!(build.retried_as, expected.then(|| id(2)), "{limit} {number} {inputs:?}");
}

#[test]
fn a_failed_build_is_started_again_as_often_as_its_project_allows() {
    let inputs = [failed(AgentPhase::Build), vec![Input::Fact(Fact::Finished, at(3))]].concat();
    for (limit, number, expected) in [(0, 0, false), (1, 0, true), (2, 1, true), (2, 2, false)] {
        check(limit, number, &inputs, expected);
    }
}

#[test]
fn a_buildspec_may_ask_for_more() {
    let asked = Input::Fact(Fact::RetryAsked { count: 3 }, at(3));
    let inputs =
        [failed(AgentPhase::Install), vec![asked, Input::Fact(Fact::Finished, at(4))]].concat();
    for (limit, number, expected) in [(0, 0, true), (0, 2, true), (0, 3, false), (5, 3, true)] {
        check(limit, number, &inputs, expected);
    }
    assert_eq!(run(AutoRetry { limit: 1, number: 0 }, &inputs).0.auto_retry_limit(), 3);
}

#[test]
fn only_what_failed_is_started_again() {
    let ran = vec![Input::Admitted];
    let good = vec![Input::Admitted, Input::Fact(Fact::Finished, at(2))];
    let stop = || vec![Input::Stop];
    let late = || vec![Input::DeadlinePassed];
    let died = vec![Input::Exited(crate::Exited::Died)];
    let table = [
        (good, None),
        ([ran.clone(), stop()].concat(), None),
        ([failed(AgentPhase::Build), stop()].concat(), None),
        ([ran.clone(), late()].concat(), Some(BuildStatus::TimedOut)),
        ([ran, died].concat(), Some(BuildStatus::Fault)),
        // It has not even begun: it would only wait again.
        (late(), None),
        (stop(), None),
    ];
    for (inputs, expected) in table {
        let (build, due) = run(AutoRetry { limit: 1, number: 0 }, &inputs);
        assert_eq!(due, expected.is_some(), "{inputs:?}");
        assert_eq!(build.retried_as.is_some(), expected.is_some(), "{inputs:?}");
        if expected.is_some() {
            assert_eq!(build.status(), expected);
        }
    }
}
