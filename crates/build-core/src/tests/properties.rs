//! What holds for every history, however odd its inputs.

use super::scenario::{at, submitted};
use crate::{Build, Event, Exited, Input, Presence, Stage};
use agent_protocol::{AgentPhase, Fact, PhaseContext, PhaseOutcome, PhaseStatus};
use proptest::prelude::*;

fn inputs() -> impl Strategy<Value = Vec<(Input, u64)>> {
    let phase = prop::sample::select(AgentPhase::ALL.to_vec());
    let outcome = prop::sample::select(vec![
        PhaseOutcome::succeeded(),
        PhaseOutcome::failed("COMMAND_EXECUTION_ERROR", "no"),
    ]);
    let input = prop_oneof![
        Just(Input::Admitted),
        Just(Input::Gone),
        Just(Input::Stop),
        Just(Input::DeadlinePassed),
        Just(Input::Exited(Exited::Died)),
        Just(Input::Exited(Exited::OutOfMemory)),
        Just(Input::NotLaunched { status: PhaseStatus::Fault, context: PhaseContext::default() }),
        Just(Input::Fact(Fact::Finished, at(9))),
        Just(Input::Fact(Fact::RetryAsked { count: 2 }, at(8))),
        Just(Input::RetryAs(submitted().id)),
        phase.clone().prop_map(|phase| Input::Fact(Fact::PhaseStarted { phase }, at(5))),
        (phase, outcome).prop_map(|(phase, outcome)| Input::Fact(
            Fact::PhaseFinished { phase, outcome },
            at(3)
        )),
    ];
    prop::collection::vec((input, 0u64..100), 0..30)
}

proptest! {
    #[test]
    fn every_history_keeps_the_invariants(inputs in inputs()) {
        let mut build = Build::new(submitted());
        let mut history = vec![Event::Submitted(submitted())];
        for (input, second) in inputs {
            let before = build.clone();
            for event in build.decide(&input, at(second)) {
                build = build.evolve(&event);
                history.push(event);
            }
            if matches!(before.stage, Stage::Finished { .. }) {
                prop_assert_eq!(&before, &build, "nothing that ended changes");
            }
            for pair in build.phases.windows(2) {
                prop_assert!(pair[0].phase < pair[1].phase, "phases are in order");
                let ended = pair[0].ended.as_ref().map(|end| end.0);
                prop_assert_eq!(ended, Some(pair[1].started_at), "phases are contiguous");
            }
            if build.wanted().container == Presence::Present {
                prop_assert!(build.wanted().deadline.is_some(), "whatever runs has a deadline");
            }
        }
        prop_assert_eq!(Build::replay(&history), Some(build.clone()));
        let json = serde_json::to_string(&build).unwrap();
        let read: Build = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(&read, &build);

        // Time and the world alone bring every build to its end.
        for input in [Input::DeadlinePassed, Input::Gone] {
            for event in build.decide(&input, at(1_000)) {
                build = build.evolve(&event);
            }
        }
        prop_assert!(build.status().is_some());
        prop_assert_eq!(build.phases.last().map(|record| record.started_at), build.ended_at());
    }
}
