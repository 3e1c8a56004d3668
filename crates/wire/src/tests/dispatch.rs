//! From a body through a trait to a body.

use super::{caller, ready};
use crate::codebuild::{self, CodeBuild, ListProjectsInput, ListProjectsOutput};
use crate::logs::{self, CreateLogGroupRequest, Logs};
use crate::sts::{self, GetCallerIdentityRequest, GetCallerIdentityResponse, Sts};
use crate::{Caller, Service, ServiceError, respond};
use expect_test::{Expect, expect};

/// Honours one operation of each service.
struct Server;

impl CodeBuild for Server {
    async fn list_projects(
        &self,
        caller: &Caller,
        _: ListProjectsInput,
    ) -> Result<ListProjectsOutput, ServiceError> {
        let projects = Some(vec![format!("of-{}", caller.account_id)]);
        Ok(ListProjectsOutput { projects, next_token: None })
    }
}

impl Logs for Server {
    async fn create_log_group(
        &self,
        _: &Caller,
        input: CreateLogGroupRequest,
    ) -> Result<(), ServiceError> {
        match input.log_group_name.as_str() {
            "there" => Err(logs::error::resource_already_exists("It is there.")),
            _ => Ok(()),
        }
    }
}

impl Sts for Server {
    async fn get_caller_identity(
        &self,
        caller: &Caller,
        _: GetCallerIdentityRequest,
    ) -> Result<GetCallerIdentityResponse, ServiceError> {
        Ok(GetCallerIdentityResponse {
            user_id: Some(caller.user_id.clone()),
            account: Some(caller.account_id.clone()),
            arn: Some(format!("{}<&>", caller.arn)),
        })
    }
}

fn check(service: &Service, operation: &str, body: &str, expected: &Expect) {
    let (caller, body) = (caller(), body.as_bytes());
    let answer = match service.name {
        "codebuild" => ready(codebuild::call(&Server, &caller, operation, body)),
        "logs" => ready(logs::call(&Server, &caller, operation, body)),
        _ => ready(sts::call(&Server, &caller, operation, body)),
    };
    let response = respond(service, &caller.request_id, answer);
    let content_type = response.headers()["content-type"].to_str().unwrap();
    assert_eq!(response.headers()["x-amzn-requestid"], caller.request_id);
    let body = std::str::from_utf8(response.body()).unwrap();
    expected.assert_eq(&format!("{} {content_type}\n{body}", response.status().as_u16()));
}

#[test]
fn an_operation_answers_in_json() {
    check(
        &codebuild::SERVICE,
        "ListProjects",
        r#"{"sortBy":"NAME","notAMember":{"a":[1]},"nextToken":null}"#,
        &expect![[r#"
            200 application/x-amz-json-1.1
            {"projects":["of-123456789012"]}"#]],
    );
}

#[test]
fn an_empty_body_is_an_input_without_members() {
    check(
        &codebuild::SERVICE,
        "ListProjects",
        "",
        &expect![[r#"
            200 application/x-amz-json-1.1
            {"projects":["of-123456789012"]}"#]],
    );
}

#[test]
fn an_operation_without_output_answers_nothing() {
    check(
        &logs::SERVICE,
        "CreateLogGroup",
        r#"{"logGroupName":"new"}"#,
        &expect![[r#"
            200 application/x-amz-json-1.1
        "#]],
    );
}

#[test]
fn a_declared_error_carries_its_code() {
    check(
        &logs::SERVICE,
        "CreateLogGroup",
        r#"{"logGroupName":"there"}"#,
        &expect![[r#"
            400 application/x-amz-json-1.1
            {"__type":"ResourceAlreadyExistsException","message":"It is there."}"#]],
    );
}

#[test]
fn an_operation_that_the_server_leaves_out_is_not_supported() {
    check(
        &codebuild::SERVICE,
        "StartBuild",
        r#"{"projectName":"p1"}"#,
        &expect![[r#"
            400 application/x-amz-json-1.1
            {"__type":"InvalidInputException","message":"StartBuild is not supported by this service yet"}"#]],
    );
}

#[test]
fn an_operation_without_shapes_is_not_supported() {
    check(
        &logs::SERVICE,
        "StartQuery",
        "not even JSON",
        &expect![[r#"
            400 application/x-amz-json-1.1
            {"__type":"InvalidParameterException","message":"StartQuery is not supported by this service yet"}"#]],
    );
}

#[test]
fn an_operation_that_aws_does_not_have_is_unknown() {
    check(
        &codebuild::SERVICE,
        "MakeCoffee",
        "{}",
        &expect![[r#"
            400 application/x-amz-json-1.1
            {"__type":"UnknownOperationException","message":"The requested operation is not recognized by the service."}"#]],
    );
    check(
        &sts::SERVICE,
        "MakeCoffee",
        "",
        &expect![[r#"
            400 text/xml
            <ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>InvalidAction</Code><Message>Could not find operation MakeCoffee for version 2011-06-15</Message></Error><RequestId>c0ffee00-0000-4000-8000-000000000000</RequestId></ErrorResponse>"#]],
    );
}

#[test]
fn the_identity_answers_in_xml() {
    check(
        &sts::SERVICE,
        "GetCallerIdentity",
        "Action=GetCallerIdentity&Version=2011-06-15",
        &expect![[r#"
            200 text/xml
            <GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><UserId>123456789012</UserId><Account>123456789012</Account><Arn>arn:aws:iam::123456789012:root&lt;&amp;&gt;</Arn></GetCallerIdentityResult><ResponseMetadata><RequestId>c0ffee00-0000-4000-8000-000000000000</RequestId></ResponseMetadata></GetCallerIdentityResponse>"#]],
    );
}

#[test]
fn the_target_names_the_operation() {
    let service = &codebuild::SERVICE;
    assert_eq!(service.operation_of_target("CodeBuild_20161006.StartBuild"), Some("StartBuild"));
    assert_eq!(service.operation_of_target("CodeBuild_20161006StartBuild"), None);
    assert_eq!(service.operation_of_target("Logs_20140328.GetLogEvents"), None);
    assert_eq!(sts::SERVICE.operation_of_target("CodeBuild_20161006.StartBuild"), None);
}

#[test]
fn denial_names_who_what_and_where() {
    let denied = ServiceError::access_denied(
        &codebuild::SERVICE,
        "arn:aws:sts::123456789012:assumed-role/r/s",
        "codebuild:StartBuild",
        "arn:aws:codebuild:eu-west-1:123456789012:project/p",
    );
    expect!["AccessDeniedException: User: arn:aws:sts::123456789012:assumed-role/r/s is not authorized to perform: codebuild:StartBuild on resource: arn:aws:codebuild:eu-west-1:123456789012:project/p"]
        .assert_eq(&denied.to_string());
}

#[test]
fn our_own_fault_tells_only_the_request() {
    let fault = ServiceError::internal("abc");
    assert!(!fault.is_refusal());
    assert_eq!(fault.status, 500);
    expect!["InternalFailure: An internal error occurred. Request ID: abc"]
        .assert_eq(&fault.to_string());
}
