//! The model's constraints in AWS's words.

use crate::codebuild::{
    self, BatchGetBuildsInput, BatchGetProjectsInput, CreateProjectInput, ListBuildsInput,
};
use crate::logs::{
    self, CreateLogGroupRequest, DescribeLogGroupsRequest, GetLogEventsRequest,
    PutLogEventsRequest, TagLogGroupRequest,
};
use crate::{Pattern, Schema, Service, Shape, json};
use expect_test::{Expect, expect};

fn check<T: Shape>(service: &Service, body: &str, expected: &Expect) {
    let error = match json::request::<T>(service, body.as_bytes()) {
        Ok(_) => panic!("{body} is accepted"),
        Err(error) => error,
    };
    let lines = error.to_string().replace("; ", ";\n").replace("detected: ", "detected:\n");
    expected.assert_eq(&lines);
}

fn codebuild<T: Shape>(body: &str, expected: &Expect) {
    check::<T>(&codebuild::SERVICE, body, expected);
}

fn logs<T: Shape>(body: &str, expected: &Expect) {
    check::<T>(&logs::SERVICE, body, expected);
}

#[test]
fn required_members_are_missed_whether_absent_or_null() {
    codebuild::<CreateProjectInput>(
        r#"{"source":{"type":"NO_SOURCE"},"environment":{"image":null}}"#,
        &expect![[r#"
            InvalidInputException: 6 validation errors detected:
            Value null at 'name' failed to satisfy constraint: Member must not be null;
            Value null at 'artifacts' failed to satisfy constraint: Member must not be null;
            Value null at 'environment.type' failed to satisfy constraint: Member must not be null;
            Value null at 'environment.image' failed to satisfy constraint: Member must not be null;
            Value null at 'environment.computeType' failed to satisfy constraint: Member must not be null;
            Value null at 'serviceRole' failed to satisfy constraint: Member must not be null"#]],
    );
}

#[test]
fn lengths_and_patterns_of_text() {
    logs::<CreateLogGroupRequest>(
        r#"{"logGroupName":""}"#,
        &expect![[r#"
        InvalidParameterException: 2 validation errors detected:
        Value '' at 'logGroupName' failed to satisfy constraint: Member must have length greater than or equal to 1;
        Value '' at 'logGroupName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\.\-_/#A-Za-z0-9]+"#]],
    );
    logs::<CreateLogGroupRequest>(
        r#"{"logGroupName":"a b"}"#,
        &expect![[r#"
        InvalidParameterException: 1 validation error detected:
        Value 'a b' at 'logGroupName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\.\-_/#A-Za-z0-9]+"#]],
    );
    let long = format!(r#"{{"logGroupName":"{}"}}"#, "é".repeat(513));
    let error = json::request::<CreateLogGroupRequest>(&logs::SERVICE, long.as_bytes());
    let message = error.unwrap_err().message;
    assert!(message.starts_with("2 validation errors detected: Value 'éé"), "{message}");
    assert!(message.contains("Member must have length less than or equal to 512;"), "{message}");
}

#[test]
fn a_pattern_matches_the_whole_text() {
    logs::<CreateLogGroupRequest>(
        "{\"logGroupName\":\"a\\n\"}",
        &expect![[r#"
        InvalidParameterException: 1 validation error detected:
        Value 'a
        ' at 'logGroupName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\.\-_/#A-Za-z0-9]+"#]],
    );
}

#[test]
fn word_characters_are_ascii() {
    logs::<DescribeLogGroupsRequest>(
        r#"{"logGroupIdentifiers":["é"]}"#,
        &expect![[r#"
        InvalidParameterException: 1 validation error detected:
        Value '[é]' at 'logGroupIdentifiers' failed to satisfy constraint: Member must satisfy constraint: [Member must have length less than or equal to 2048, Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: [\w#+=/:,.@-]*]"#]],
    );
}

#[test]
fn values_out_of_range() {
    logs::<GetLogEventsRequest>(
        r#"{"logStreamName":"s","limit":10001,"startTime":-1}"#,
        &expect![[r#"
            InvalidParameterException: 2 validation errors detected:
            Value '-1' at 'startTime' failed to satisfy constraint: Member must have value greater than or equal to 0;
            Value '10001' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 10000"#]],
    );
}

#[test]
fn values_that_are_not_listed() {
    codebuild::<ListBuildsInput>(
        r#"{"sortOrder":"UPWARDS"}"#,
        &expect![[r#"
        InvalidInputException: 1 validation error detected:
        Value 'UPWARDS' at 'sortOrder' failed to satisfy constraint: Member must satisfy enum value set: [ASCENDING, DESCENDING]"#]],
    );
}

#[test]
fn counts_of_lists_and_maps() {
    codebuild::<BatchGetProjectsInput>(
        r#"{"names":[]}"#,
        &expect![[r#"
        InvalidInputException: 1 validation error detected:
        Value '[]' at 'names' failed to satisfy constraint: Member must have length greater than or equal to 1"#]],
    );
    logs::<TagLogGroupRequest>(
        r#"{"logGroupName":"g","tags":{}}"#,
        &expect![[r#"
        InvalidParameterException: 1 validation error detected:
        Value '{}' at 'tags' failed to satisfy constraint: Member must have length greater than or equal to 1"#]],
    );
    logs::<PutLogEventsRequest>(
        r#"{"logGroupName":"g","logStreamName":"s","logEvents":[]}"#,
        &expect![[r#"
            InvalidParameterException: 1 validation error detected:
            Value '[]' at 'logEvents' failed to satisfy constraint: Member must have length greater than or equal to 1"#]],
    );
}

#[test]
fn some_services_refuse_emptiness_themselves() {
    let read = json::request::<BatchGetBuildsInput>(&codebuild::SERVICE, br#"{"ids":[]}"#);
    assert_eq!(read.unwrap(), BatchGetBuildsInput::default());
    codebuild::<BatchGetBuildsInput>(
        "{}",
        &expect![[r#"
        InvalidInputException: 1 validation error detected:
        Value null at 'ids' failed to satisfy constraint: Member must not be null"#]],
    );
}

#[test]
fn plain_elements_are_judged_together() {
    codebuild::<BatchGetProjectsInput>(
        r#"{"names":["fine","",""]}"#,
        &expect![[r#"
        InvalidInputException: 1 validation error detected:
        Value '[fine, , ]' at 'names' failed to satisfy constraint: Member must satisfy constraint: [Member must have length greater than or equal to 1]"#]],
    );
    logs::<TagLogGroupRequest>(
        r#"{"logGroupName":"g","tags":{"":"v","k":"é*"}}"#,
        &expect![[r#"
        InvalidParameterException: 2 validation errors detected:
        Value '{=v, k=é*}' at 'tags' failed to satisfy constraint: Map keys must satisfy constraint: [Member must have length less than or equal to 128, Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: ^([\p{L}\p{Z}\p{N}_.:/=+\-@]+)$];
        Value '{=v, k=é*}' at 'tags' failed to satisfy constraint: Map value must satisfy constraint: [Member must have length less than or equal to 256, Member must satisfy regular expression pattern: ^([\p{L}\p{Z}\p{N}_.:/=+\-@]*)$]"#]],
    );
}

#[test]
fn structures_in_lists_are_judged_one_by_one() {
    codebuild::<CreateProjectInput>(
        r#"{"name":"ok","serviceRole":"r","source":{"type":"NO_SOURCE"},
            "artifacts":{"type":"NO_ARTIFACTS"},
            "environment":{"type":"LINUX_CONTAINER","image":"i","computeType":"HUGE"},
            "tags":[{"key":"fine"},{"key":"","value":"a*b"}]}"#,
        &expect![[r#"
            InvalidInputException: 2 validation errors detected:
            Value '' at 'tags.2.member.key' failed to satisfy constraint: Member must have length greater than or equal to 1;
            Value 'a*b' at 'tags.2.member.value' failed to satisfy constraint: Member must satisfy regular expression pattern: ^([\p{L}\p{Z}\p{N}_.:/=@+\-]*)$"#]],
    );
}

#[test]
fn nothing_is_an_element() {
    codebuild::<BatchGetProjectsInput>(
        r#"{"names":["a",null]}"#,
        &expect![[r#"
        InvalidInputException: 1 validation error detected:
        Value null at 'names.2.member' failed to satisfy constraint: Member must not be null"#]],
    );
}

#[test]
fn values_of_another_type() {
    codebuild::<BatchGetProjectsInput>(
        r#"{"names":"a"}"#,
        &expect!["SerializationException: Expected list or null"],
    );
    codebuild::<BatchGetProjectsInput>(
        r#"{"names":{"a":1}}"#,
        &expect!["SerializationException: Start of structure or map found where not expected."],
    );
    codebuild::<BatchGetProjectsInput>(
        r#"{"names":[1]}"#,
        &expect!["SerializationException: NUMBER_VALUE can not be converted to String"],
    );
    codebuild::<BatchGetProjectsInput>(
        r#"[]"#,
        &expect!["SerializationException: Start of list found where not expected"],
    );
    codebuild::<BatchGetProjectsInput>(
        r#"{"names":"#,
        &expect![
            "SerializationException: Malformed JSON: EOF while parsing a value at line 1 column 9"
        ],
    );
    codebuild::<CreateProjectInput>(
        r#"{"badgeEnabled":"yes"}"#,
        &expect!["SerializationException: STRING_VALUE can not be converted to Boolean"],
    );
    codebuild::<CreateProjectInput>(
        r#"{"timeoutInMinutes":"60"}"#,
        &expect!["SerializationException: STRING_VALUE can not be converted to Integer"],
    );
    codebuild::<CreateProjectInput>(
        r#"{"timeoutInMinutes":60.5}"#,
        &expect!["SerializationException: NUMBER_VALUE can not be converted to Integer"],
    );
    codebuild::<CreateProjectInput>(
        r#"{"timeoutInMinutes":3000000000}"#,
        &expect!["SerializationException: NUMBER_VALUE can not be converted to Integer"],
    );
}

#[test]
fn a_whole_number_may_have_a_fraction_of_zero() {
    let body = br#"{"logStreamName":"s","limit":5.0}"#;
    let input = json::request::<GetLogEventsRequest>(&logs::SERVICE, body).unwrap();
    assert_eq!(input.limit, Some(5));
}

#[test]
fn many_violations_are_counted_and_some_are_listed() {
    let body = format!(r#"{{"tags":[{}{{}}]}}"#, r#"{"key":""},"#.repeat(40));
    let error = json::request::<CreateProjectInput>(&codebuild::SERVICE, body.as_bytes());
    let message = error.unwrap_err().message;
    assert!(message.starts_with("45 validation errors detected: "), "{message}");
    assert_eq!(message.matches("failed to satisfy").count(), 20);
}

#[test]
fn a_value_of_ours_can_be_checked() {
    let input = CreateLogGroupRequest { log_group_name: "a b".to_owned(), ..Default::default() };
    let violations = input.validate();
    assert_eq!(violations.len(), 1);
    assert_eq!(violations[0].path, "logGroupName");
    assert_eq!(ListBuildsInput::default().validate(), []);
}

/// Every expression in the generated sources compiles: it is matched once.
#[test]
fn every_pattern_compiles() {
    fn visit(schema: &Schema, seen: &mut usize) {
        match schema {
            Schema::Structure(structure) => structure.0.iter().for_each(|m| visit(m.2, seen)),
            Schema::List(member, ..) => visit(member, seen),
            Schema::Map(key, value, ..) => {
                visit(key, seen);
                visit(value, seen);
            }
            Schema::Text(text) => {
                let _ = text.pattern.as_ref().map(|p: &Pattern| p.matches(""));
                *seen += usize::from(text.pattern.is_some());
            }
            _ => {}
        }
    }
    let mut seen = 0;
    let schemas = codebuild::SCHEMAS.iter().chain(logs::SCHEMAS).chain(crate::sts::SCHEMAS);
    let schemas = schemas.chain(crate::secretsmanager::SCHEMAS).chain(crate::ssm::SCHEMAS);
    schemas.for_each(|schema| visit(schema, &mut seen));
    assert!(seen > 20, "only {seen} patterns");
}
