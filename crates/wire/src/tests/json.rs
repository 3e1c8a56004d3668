//! Spellings of JSON 1.1.

use crate::codebuild::{self, BatchGetBuildsOutput, Build, ComputeType, ProjectEnvironment};
use crate::{Blob, Sensitive, Timestamp, json};
use expect_test::expect;

#[test]
fn a_build_is_spelled_as_aws_spells_it() {
    let environment = ProjectEnvironment {
        compute_type: ComputeType::BuildGeneral1Small,
        image: "host".to_owned(),
        r#type: "LINUX_CONTAINER".into(),
        ..Default::default()
    };
    let build = Build {
        id: Some("p:1".to_owned()),
        build_number: Some(1),
        start_time: Some(Timestamp::from_millis(1_556_905_683_568)),
        end_time: Some(Timestamp::from_millis(1_556_905_684_000)),
        build_status: Some("SUCCEEDED".into()),
        environment: Some(environment),
        ..Default::default()
    };
    let output = BatchGetBuildsOutput { builds: Some(vec![build]), builds_not_found: None };
    let text = String::from_utf8(json::answer(&output)).unwrap();
    expect![[r#"{"builds":[{"id":"p:1","buildNumber":1,"startTime":1556905683.568,"endTime":1556905684,"buildStatus":"SUCCEEDED","environment":{"type":"LINUX_CONTAINER","image":"host","computeType":"BUILD_GENERAL1_SMALL"}}]}"#]].assert_eq(&text);
    assert_eq!(serde_json::from_str::<BatchGetBuildsOutput>(&text).unwrap(), output);
}

#[test]
fn moments_are_read_from_whole_and_broken_numbers() {
    for (text, millis) in [
        ("1556905683", 1_556_905_683_000),
        ("1556905683.568", 1_556_905_683_568),
        ("1.556905683568E9", 1_556_905_683_568),
        ("1556905683.5684", 1_556_905_683_568),
        ("-1.5", -1_500),
        ("0", 0),
    ] {
        let moment: Timestamp = serde_json::from_str(text).unwrap();
        assert_eq!(moment.millis(), millis, "{text}");
    }
    assert!(serde_json::from_str::<Timestamp>("1e300").is_err());
    assert!(serde_json::from_str::<Timestamp>("\"2019-05-03\"").is_err());
    assert_eq!(Timestamp::from_millis(1_556_905_683_568).to_iso8601(), "2019-05-03T17:48:03.568Z");
}

#[test]
fn an_enum_keeps_what_it_does_not_know() {
    let new: ComputeType = serde_json::from_str("\"BUILD_GENERAL9_GALACTIC\"").unwrap();
    assert_eq!(new, ComputeType::Unknown("BUILD_GENERAL9_GALACTIC".to_owned()));
    assert_eq!(serde_json::to_string(&new).unwrap(), "\"BUILD_GENERAL9_GALACTIC\"");
    assert!(ComputeType::VALUES.contains(&ComputeType::BuildGeneral1Small.as_str()));
}

#[test]
fn bytes_are_base64() {
    let blob = Blob(vec![0, 255, 7]);
    assert_eq!(serde_json::to_string(&blob).unwrap(), "\"AP8H\"");
    assert_eq!(serde_json::from_str::<Blob>("\"AP8H\"").unwrap(), blob);
    assert!(serde_json::from_str::<Blob>("\"AP8\"").is_err());
}

#[test]
fn a_secret_is_not_in_debug() {
    let secret = Sensitive("hunter2".to_owned());
    assert_eq!(format!("{secret:?}"), "(sensitive)");
    assert_eq!(serde_json::to_string(&secret).unwrap(), "\"hunter2\"");
}

#[test]
fn absent_members_are_not_written() {
    let project = codebuild::Project {
        logs_config: Some(codebuild::LogsConfig {
            s3_logs: Some(codebuild::S3LogsConfig::default()),
            ..Default::default()
        }),
        ..Default::default()
    };
    expect![[r#"{"logsConfig":{"s3Logs":{"status":""}}}"#]]
        .assert_eq(&String::from_utf8(json::answer(&project)).unwrap());
}
