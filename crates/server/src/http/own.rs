//! The paths that are ours and no AWS service's, for builds alone: their credentials.

use super::Front;
use crate::{
    build_request::BuildRequest,
    clock, fault,
    sources::{self, Giver, NoCredential, Question},
};
use agent_protocol::Timestamp;
use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;
use std::{sync::Arc, time::Duration};

/// How long the credentials that a build asks for last; it asks again before they end.
const CREDENTIALS_LAST: Duration = Duration::from_secs(3_600);

/// From where a request came in.
#[derive(Clone)]
pub enum Origin {
    /// The service's own port.
    Port,
    /// A socket inside the environment of one build.
    Build {
        /// What was asked for.
        request: Arc<BuildRequest>,
        /// When the build's time is over.
        expires_at: Timestamp,
    },
}

/// The container credentials, as ECS gives them. Only a build's own sockets answer, and only to the
/// path that its environment names.
pub(super) async fn credentials(
    State(front): State<Arc<Front>>,
    axum::Extension(origin): axum::Extension<Origin>,
    Path(id): Path<String>,
) -> Response {
    let Origin::Build { request, expires_at } = origin else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let provision = &front.grounds.provision;
    if provision.credentials_path(&request) != format!("/v2/credentials/{id}") {
        return StatusCode::NOT_FOUND.into_response();
    }
    let expires_at = expires_at.min(clock::now().after(CREDENTIALS_LAST));
    let credentials = provision.credentials(&request, expires_at);
    let expiration = i64::try_from(expires_at.millis() / 1_000)
        .ok()
        .and_then(|seconds| jiff::Timestamp::from_second(seconds).ok())
        .map(|moment| moment.to_string());
    Json(json!({
        "RoleArn": request.project.service_role,
        "AccessKeyId": credentials.access_key_id,
        "SecretAccessKey": credentials.secret_access_key,
        "Token": credentials.session_token,
        "Expiration": expiration,
    }))
    .into_response()
}

/// The credential of one of a build's sources, in the words that git's helpers have for it. Only a
/// build's own sockets answer, and only while its sources are fetched, unless its buildspec asks for
/// more.
pub(super) async fn source_credentials(
    State(front): State<Arc<Front>>,
    axum::Extension(origin): axum::Extension<Origin>,
    Path(id): Path<String>,
    question: String,
) -> Response {
    let Some(request) = asking(&front, origin, &id) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let giver = Giver {
        credentials: &front.codebuild.credentials,
        secrets: &front.secrets,
        connections: &front.codebuild.config.sources.connections,
    };
    let journal = front.grounds.journal(&request.id);
    match giver.give(&request, journal, &Question::parse(&question)).await {
        Ok(credential) => match credential.and_then(|credential| credential.answer()) {
            Some(answer) => answer.into_response(),
            None => StatusCode::NO_CONTENT.into_response(),
        },
        Err(error) => not_given(&request, &error),
    }
}

/// What a build asks the agent of ssh, and its answer.
pub(super) async fn source_signatures(
    State(front): State<Arc<Front>>,
    axum::Extension(origin): axum::Extension<Origin>,
    Path(id): Path<String>,
    message: Bytes,
) -> Response {
    let provision = &front.grounds.provision;
    let Some((request, ssh)) = asking(&front, origin, &id).zip(provision.ssh.as_ref()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    match sources::sign(ssh, front.grounds.journal(&request.id), &message).await {
        Ok(answer) => answer.into_response(),
        Err(error) => not_given(&request, &error),
    }
}

/// The build that asks for its sources' credentials, if it asks where it should.
fn asking(front: &Front, origin: Origin, id: &str) -> Option<Arc<BuildRequest>> {
    let Origin::Build { request, .. } = origin else { return None };
    let path = front.grounds.provision.source_credentials_path(&request);
    (path == format!("/v2/source-credentials/{id}")).then_some(request)
}

fn not_given(request: &BuildRequest, error: &NoCredential) -> Response {
    match error {
        NoCredential::Closed => (StatusCode::FORBIDDEN, error.to_string()).into_response(),
        NoCredential::Secret(_) | NoCredential::Connection(_) => {
            (StatusCode::FAILED_DEPENDENCY, error.to_string()).into_response()
        }
        NoCredential::Gate(_) | NoCredential::Keep(_) => {
            let error = fault::chain(error);
            tracing::error!(build = %request.id, error, "a source's credential is not given");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
