//! `POST /-/console`: the agent asks for the terminal of whoever watches the build and wants a shell
//! in it. The connection stops being HTTP and becomes the terminal's.

use super::{Front, own::Origin};
use crate::driver::{Observed, ShellConnection};
use axum::{
    extract::{Request, State},
    http::{StatusCode, header::CONNECTION, header::UPGRADE},
    response::{IntoResponse, Response},
};
use hyper_util::rt::TokioIo;
use std::sync::Arc;

/// The protocol's name.
const PROTOCOL: &str = "buildyard-console";

/// Hands the connection to the observer of the build. Only the sockets inside a build whose author
/// has asked for shells answer.
pub(super) async fn console(
    State(front): State<Arc<Front>>,
    axum::Extension(origin): axum::Extension<Origin>,
    request: Request,
) -> Response {
    let wanted = match &origin {
        Origin::Port => false,
        Origin::Build { request, .. } => {
            request.local.as_ref().is_some_and(|local| local.course.shell_on_failure)
        }
    };
    let (true, Some(observer)) = (wanted, front.grounds.observer.clone()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    if request.headers().get(UPGRADE).is_none_or(|protocol| protocol != PROTOCOL) {
        return StatusCode::UPGRADE_REQUIRED.into_response();
    }
    tokio::spawn(async move {
        match hyper::upgrade::on(request).await {
            // Whoever watched may have gone: dropping the connection tells the agent.
            Ok(connection) => {
                let shell = ShellConnection(TokioIo::new(connection));
                drop(observer.send(Observed::Shell(shell)));
            }
            Err(error) => tracing::warn!(%error, "no shell is opened"),
        }
    });
    (StatusCode::SWITCHING_PROTOCOLS, [(CONNECTION, "Upgrade"), (UPGRADE, PROTOCOL)])
        .into_response()
}
