//! What is set, as far as one may see it, and how the AWS CLI and SDKs are set up.

use crate::{
    console::{
        answer::page,
        frame::{Frame, Section},
        session::Visitor,
    },
    http::Front,
};
use askama::Template;
use axum::{
    Router,
    extract::State,
    http::{HeaderMap, header::HOST},
    response::Response,
    routing::get,
};
use std::sync::Arc;

pub(super) fn routes() -> Router<Arc<Front>> {
    Router::new().route("/console/settings", get(settings)).route("/console/settings/cli", get(cli))
}

#[derive(Template)]
#[template(path = "settings.html")]
struct Settings {
    frame: Frame,
    groups: Vec<(&'static str, Vec<(&'static str, String)>)>,
}

async fn settings(State(front): State<Arc<Front>>, visitor: Visitor) -> Response {
    let config = &front.codebuild.config;
    let yes = |is: bool| if is { "yes" } else { "no" }.to_owned();
    let groups = vec![
        (
            "Service",
            vec![
                ("Version", env!("CARGO_PKG_VERSION").to_owned()),
                ("Account", front.account_id.clone()),
                ("Region", visitor.caller.region.clone()),
                ("Data folder", front.data_dir.display().to_string()),
            ],
        ),
        (
            "Builds",
            vec![
                ("At once, at most", front.capacity.builds_max.to_string()),
                (
                    "Memory of all, at most",
                    crate::console::words::size(front.capacity.memory_bytes),
                ),
                ("Processes of one, at most", config.builds.processes_max.to_string()),
                ("Open files of a process, at most", config.builds.open_files_max.to_string()),
                ("Reach the network outside", yes(config.builds.network)),
                ("End with advice on compute types", yes(config.builds.compute_advice)),
            ],
        ),
        (
            "Caches and secrets",
            vec![
                ("Local caches, at most", format!("{} GiB", config.caches.local_gib_max)),
                ("Secrets from elsewhere", yes(config.secrets.upstream.is_some())),
                ("Parameters from elsewhere", yes(config.parameters.upstream.is_some())),
            ],
        ),
    ];
    let frame = Frame::new(&front, visitor, "Settings", Section::Settings).await;
    page(Settings { frame, groups })
}

#[derive(Template)]
#[template(path = "cli.html")]
struct Cli {
    frame: Frame,
    endpoint: String,
    key: String,
    region: String,
    credentials: String,
}

async fn cli(State(front): State<Arc<Front>>, visitor: Visitor, headers: HeaderMap) -> Response {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("127.0.0.1:4566");
    let https = headers.get("x-forwarded-proto").is_some_and(|protocol| protocol == "https");
    let scheme = if https { "https" } else { "http" };
    let endpoint = format!("{scheme}://{host}");
    let key = front.identity.root().access_key_id.clone();
    let region = visitor.caller.region.clone();
    let credentials =
        format!("eval \"$(buildyard credentials --data-dir {})\"", front.data_dir.display());
    let frame = Frame::new(&front, visitor, "The AWS CLI", Section::Settings).await;
    page(Cli { frame, endpoint, key, region, credentials })
}
