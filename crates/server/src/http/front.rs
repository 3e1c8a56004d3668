//! Tells the services apart: JSON services by their target header, Query services by their form,
//! and all else is S3.

use super::{
    authenticate::authenticate,
    commands, console, expect,
    own::{self, Origin},
    status,
};
use crate::{
    codebuild::CodeBuildService, console as pages, driver::Grounds, identity::Identity,
    logs::LogsService, parameters::ParametersService, permission, s3::S3Service,
    secrets::SecretsService, sts::StsService,
};
use axum::{
    Extension, Router,
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode, header::CONTENT_TYPE},
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use build_core::queue::Capacity;
use std::{path::PathBuf, sync::Arc};
use store::objects::ObjectStore;
use tower::ServiceExt;
use uuid::Uuid;
use wire::{Caller, Service, ServiceError};

/// The largest body of a JSON or form request. AWS: PutLogEvents takes 1 MiB of messages, which
/// JSON's escapes can make six times as large.
const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Everything that answers requests.
pub struct Front {
    /// CodeBuild.
    pub codebuild: CodeBuildService,
    /// CloudWatch Logs.
    pub logs: LogsService,
    /// S3.
    pub s3: S3Service,
    /// Secrets Manager.
    pub secrets: Arc<SecretsService>,
    /// Parameter Store.
    pub parameters: ParametersService,
    /// Whose keys are whose.
    pub identity: Arc<Identity>,
    /// The account, twelve digits.
    pub account_id: String,
    /// The folder of everything that is kept.
    pub data_dir: PathBuf,
    /// What builds stand on.
    pub grounds: Arc<Grounds>,
    /// Where objects are kept.
    pub objects: ObjectStore,
    /// What the machine gives to builds.
    pub capacity: Capacity,
}

/// The routes, for requests that come in at `origin`.
pub fn router(front: Arc<Front>, origin: Origin) -> Router {
    // A build has no browser.
    let has_console = matches!(origin, Origin::Port);
    let services = services(Arc::clone(&front), origin);
    if !has_console {
        return services;
    }
    let pages = pages::routes().with_state(front);
    services.layer(from_fn(move |request: Request, next: Next| {
        let pages = pages.clone();
        async move {
            if !pages::is_for_console(&request) {
                return next.run(request).await;
            }
            match pages.oneshot(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            }
        }
    }))
}

fn services(front: Arc<Front>, origin: Origin) -> Router {
    Router::new()
        .route("/health", get(status::health))
        .route("/metrics", get(status::metrics))
        .route("/v2/credentials/{id}", get(own::credentials))
        .route("/v2/source-credentials/{id}", post(own::source_credentials))
        .route("/v2/source-credentials/{id}/ssh", post(own::source_signatures))
        .route("/-/builds/{id}/commands", get(commands::commands))
        .route("/-/console", post(console::console))
        .fallback(service)
        .layer(Extension(origin))
        .with_state(front)
}

async fn service(State(front): State<Arc<Front>>, request: Request) -> Response {
    let target = request
        .headers()
        .get("x-amz-target")
        .and_then(|target| target.to_str().ok())
        .map(ToOwned::to_owned);
    if let Some(target) = target {
        return front.json(&target, request).await;
    }
    let is_form = *request.method() == Method::POST && is_form(request.headers());
    // AWS: a presigned call of a Query service has its form in the query.
    let query = request.uri().query().unwrap_or_default();
    let is_presigned_form = request.uri().path() == "/" && query.split('&').any(is_action);
    if is_form || is_presigned_form {
        return front.query(request).await;
    }
    expect::answer(request, async |request| front.s3.handle(request).await).await
}

fn is_action(parameter: &str) -> bool {
    parameter.starts_with("Action=")
}

fn is_form(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.starts_with("application/x-www-form-urlencoded"))
}

impl Front {
    async fn json(&self, target: &str, request: Request) -> Response {
        let request_id = Uuid::new_v4().to_string();
        let codebuild = &wire::codebuild::SERVICE;
        let logs = &wire::logs::SERVICE;
        if let Some(operation) = codebuild.operation_of_target(target) {
            return self
                .answer(codebuild, operation, &request_id, request, async |caller, body| {
                    wire::codebuild::call(&self.codebuild, caller, operation, body).await
                })
                .await;
        }
        if let Some(operation) = logs.operation_of_target(target) {
            if operation == "StartLiveTail" {
                return self.live_tail(&request_id, request).await;
            }
            return self
                .answer(logs, operation, &request_id, request, async |caller, body| {
                    wire::logs::call(&self.logs, caller, operation, body).await
                })
                .await;
        }
        let secrets = &wire::secretsmanager::SERVICE;
        if let Some(operation) = secrets.operation_of_target(target) {
            return self
                .answer(secrets, operation, &request_id, request, async |caller, body| {
                    self.secrets.answer(caller, operation, body).await
                })
                .await;
        }
        let parameters = &wire::ssm::SERVICE;
        if let Some(operation) = parameters.operation_of_target(target) {
            return self
                .answer(parameters, operation, &request_id, request, async |caller, body| {
                    self.parameters.answer(caller, operation, body).await
                })
                .await;
        }
        let error = ServiceError::unknown_operation(codebuild, target);
        respond(codebuild, &request_id, Err(error))
    }

    async fn query(&self, request: Request) -> Response {
        let request_id = Uuid::new_v4().to_string();
        let service = &wire::sts::SERVICE;
        let (parts, body) = match whole(service, request).await {
            Ok(whole) => whole,
            Err(error) => return respond(service, &request_id, Err(error)),
        };
        let in_query = parts.uri.query().unwrap_or_default().as_bytes();
        let form = wire::query::Form::parse(if body.is_empty() { in_query } else { &body });
        let operation = form.action().unwrap_or_default().to_owned();
        let request = Request::from_parts(parts, Body::from(body));
        self.answer(service, &operation, &request_id, request, async |caller, body| {
            wire::sts::call(&StsService, caller, &operation, body).await
        })
        .await
    }

    async fn answer<F>(
        &self,
        service: &Service,
        operation: &str,
        request_id: &str,
        request: Request,
        call: F,
    ) -> Response
    where
        F: AsyncFnOnce(&Caller, &[u8]) -> Result<Vec<u8>, ServiceError>,
    {
        let answer = async {
            let (caller, body) = self.admit(service, operation, request_id, request).await?;
            call(&caller, &body).await
        };
        respond(service, request_id, answer.await)
    }

    /// Reads the body, finds out who asks, and whether they may.
    pub(super) async fn admit(
        &self,
        service: &Service,
        operation: &str,
        request_id: &str,
        request: Request,
    ) -> Result<(Caller, Bytes), ServiceError> {
        let (parts, body) = whole(service, request).await?;
        let caller =
            authenticate(&self.identity, &self.account_id, service, (&parts, &body), request_id)?;
        let action = format!("{}:{operation}", service.name);
        if service.knows(operation) && !permission::may(&caller, &action) {
            return Err(ServiceError::access_denied(service, &caller.arn, &action, "*"));
        }
        Ok((caller, body))
    }

    async fn live_tail(&self, request_id: &str, request: Request) -> Response {
        let service = &wire::logs::SERVICE;
        let started = async {
            let (caller, body) = self.admit(service, "StartLiveTail", request_id, request).await?;
            let input = wire::json::request(service, &body)?;
            self.logs.start_live_tail(&caller, input).await
        };
        match started.await {
            Ok(frames) => (
                StatusCode::OK,
                [
                    (CONTENT_TYPE.as_str(), "application/vnd.amazon.eventstream"),
                    ("x-amzn-requestid", request_id),
                ],
                Body::from_stream(frames),
            )
                .into_response(),
            Err(error) => respond(service, request_id, Err(error)),
        }
    }
}

async fn whole(
    service: &Service,
    request: Request,
) -> Result<(http::request::Parts, Bytes), ServiceError> {
    let (parts, body) = request.into_parts();
    match to_bytes(body, BODY_BYTES_MAX).await {
        Ok(body) => Ok((parts, body)),
        Err(_) => Err(ServiceError {
            status: 413,
            ..ServiceError::serialization(
                service,
                format!("The request's body is larger than {BODY_BYTES_MAX} bytes"),
            )
        }),
    }
}

fn respond(service: &Service, request_id: &str, answer: Result<Vec<u8>, ServiceError>) -> Response {
    wire::respond(service, request_id, answer).map(Body::from)
}
