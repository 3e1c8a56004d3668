//! What holds for every input.

use crate::codebuild::{self, CreateProjectInput, StartBuildInput};
use crate::logs::{self, PutLogEventsRequest};
use crate::query::Form;
use crate::sts::GetCallerIdentityRequest;
use crate::{Timestamp, json, query, sts};
use proptest::prelude::{Strategy, any, prop, prop_oneof, proptest};
use serde_json::{Map, Value};

/// JSON with the models' names in it often enough to get past the first member.
fn tree() -> impl Strategy<Value = Value> {
    let name = prop_oneof![
        "[a-z]{0,3}",
        prop::sample::select(
            ["name", "source", "type", "tags", "key", "logEvents", "timestamp", "environment"]
                .map(str::to_owned)
                .to_vec()
        ),
    ];
    let leaf = prop_oneof![
        proptest::strategy::Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,4}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((name.clone(), inner), 0..6)
                .prop_map(|members| Value::Object(Map::from_iter(members))),
        ]
    })
}

proptest! {
    #[test]
    fn no_body_brings_decoding_down(tree in tree()) {
        let body = tree.to_string();
        let _ = json::request::<CreateProjectInput>(&codebuild::SERVICE, body.as_bytes());
        let _ = json::request::<StartBuildInput>(&codebuild::SERVICE, body.as_bytes());
        let _ = json::request::<PutLogEventsRequest>(&logs::SERVICE, body.as_bytes());
    }

    #[test]
    fn no_bytes_bring_decoding_down(body in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = json::request::<CreateProjectInput>(&codebuild::SERVICE, &body);
        let _ = query::request::<GetCallerIdentityRequest>(&sts::SERVICE, &body);
        let _ = Form::parse(&body).action();
    }

    #[test]
    fn a_moment_survives(millis in -62_000_000_000_000_i64..253_000_000_000_000) {
        let moment = Timestamp::from_millis(millis);
        let text = serde_json::to_string(&moment).unwrap();
        assert_eq!(serde_json::from_str::<Timestamp>(&text).unwrap(), moment);
        assert!(text.split_once('.').is_none_or(|(_, decimals)| decimals.len() <= 3), "{}", text);
    }

    #[test]
    fn an_event_survives(message in ".{1,20}", timestamp in 0_i64..i64::MAX) {
        let event = logs::InputLogEvent { timestamp, message };
        let input = PutLogEventsRequest {
            log_group_name: "g".to_owned(),
            log_stream_name: "s".to_owned(),
            log_events: vec![event],
            ..Default::default()
        };
        let body = json::answer(&input);
        let read = json::request::<PutLogEventsRequest>(&logs::SERVICE, &body);
        assert_eq!(read.unwrap(), input);
    }
}
