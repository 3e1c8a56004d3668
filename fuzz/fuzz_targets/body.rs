//! Any body is read as JSON 1.1 and as a form without a panic.
//!
//! `fuzz/run body`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::{codebuild, json, logs, query::Form, secretsmanager, ssm};

fuzz_target!(|bytes: &[u8]| {
    let _ = json::request::<codebuild::CreateProjectInput>(&codebuild::SERVICE, bytes);
    let _ = json::request::<logs::PutLogEventsRequest>(&logs::SERVICE, bytes);
    let _ = json::request::<secretsmanager::PutSecretValueRequest>(&secretsmanager::SERVICE, bytes);
    let _ = json::request::<ssm::PutParameterRequest>(&ssm::SERVICE, bytes);
    let form = Form::parse(bytes);
    let _ = (form.action(), form.get("Version"));
});
