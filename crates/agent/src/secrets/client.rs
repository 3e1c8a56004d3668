//! A client of the JSON services that keep values.

use super::sigv4::{ToSign, sign};
use crate::http;
use crate::outcome::Stop;
use crate::patience::{Hopeful, persist};
use agent_protocol::{ObjectStore, Timestamp};
use serde_json::Value;
use std::time::SystemTime;
use thiserror::Error;
use ureq::Agent;
use ureq::http::{HeaderMap, Request, Uri};

const CONTENT_TYPE: &str = "application/x-amz-json-1.1";

/// Ten parameters, or a secret, are far smaller.
const ANSWER_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// A service that keeps values.
#[derive(Clone, Copy)]
pub(super) enum Service {
    /// Systems Manager, whose part Parameter Store is.
    Parameters,
    /// Secrets Manager.
    Secrets,
}

impl Service {
    /// The name in a signature, and what stands before the operation in the target header.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Parameters => ("ssm", "AmazonSSM"),
            Self::Secrets => ("secretsmanager", "secretsmanager"),
        }
    }
}

/// Why a service did not do what was asked.
#[derive(Debug, Error)]
pub(super) enum CallError {
    /// It said no.
    // AWS: CodeBuild's messages are those of the SDK for Go, over two lines.
    #[error("{code}: {message}\n\tstatus code: {status}, request id: {request_id}")]
    Refused {
        /// The error's code.
        code: String,
        /// The service's own sentence.
        message: String,
        /// The HTTP status.
        status: u16,
        /// The request's id.
        request_id: String,
    },
    /// It did not answer, or answered with something that cannot be understood.
    #[error("the service does not answer: {0}")]
    Unreachable(String),
}

impl CallError {
    /// Why the phase cannot go on, with `code` when it is not our own fault.
    pub(super) fn stop(&self, code: &'static str) -> Stop {
        let message = self.to_string();
        match self {
            Self::Refused { status, .. } if *status < 500 => Stop::Failure { code, message },
            Self::Refused { .. } | Self::Unreachable(_) => Stop::Unavailable(message),
        }
    }
}

impl Hopeful for CallError {
    fn is_worth_another_attempt(&self) -> bool {
        match self {
            Self::Refused { status, .. } => *status >= 500,
            Self::Unreachable(_) => true,
        }
    }
}

/// A client with the build's own credentials.
pub(super) struct Client<'a> {
    access: &'a ObjectStore,
    http: Agent,
}

impl<'a> Client<'a> {
    /// A client that has not said anything yet.
    pub(super) fn new(access: &'a ObjectStore) -> Self {
        Self { access, http: http::client() }
    }

    /// Asks a service for something.
    pub(super) fn call(
        &self,
        service: Service,
        operation: &str,
        request: &Value,
    ) -> Result<Value, CallError> {
        let body = request.to_string();
        persist(|| self.try_call(service, operation, &body))
    }

    fn try_call(&self, service: Service, operation: &str, body: &str) -> Result<Value, CallError> {
        let uri: Uri = self.access.endpoint.parse().map_err(not_understood)?;
        let (name, prefix) = service.names();
        let target = format!("{prefix}.{operation}");
        let headers = [("content-type", CONTENT_TYPE), ("x-amz-target", target.as_str())];
        let to_sign = ToSign {
            host: uri.authority().map(|authority| authority.as_str()).unwrap_or_default(),
            service: name,
            region: &self.access.region,
            headers: &headers,
            body: body.as_bytes(),
        };
        let now = Timestamp::from_system(SystemTime::now());
        let mut request = Request::post(&uri);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        for (name, value) in sign(&to_sign, &self.access.credentials, now) {
            request = request.header(name, value);
        }
        let request = request.body(body).map_err(not_understood)?;
        let (parts, mut body) = self.http.run(request).map_err(not_understood)?.into_parts();
        let text = body.with_config().limit(ANSWER_BYTES_MAX).read_to_string();
        let answer: Value =
            serde_json::from_str(&text.map_err(not_understood)?).unwrap_or_default();
        if parts.status.is_success() {
            return Ok(answer);
        }
        Err(refused(parts.status.as_u16(), &answer, &parts.headers))
    }
}

fn refused(status: u16, answer: &Value, headers: &HeaderMap) -> CallError {
    let code = answer["__type"].as_str().unwrap_or("UnknownError");
    // AWS: some services put a namespace before the code, and some spell the member in capitals.
    let message = answer["message"].as_str().or(answer["Message"].as_str());
    let request_id = headers.get("x-amzn-requestid").and_then(|id| id.to_str().ok());
    CallError::Refused {
        code: code.rsplit('#').next().unwrap_or(code).to_owned(),
        message: message.unwrap_or_default().to_owned(),
        status,
        request_id: request_id.unwrap_or_default().to_owned(),
    }
}

fn not_understood(error: impl std::fmt::Display) -> CallError {
    CallError::Unreachable(error.to_string())
}
