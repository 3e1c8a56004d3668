//! What is set, as far as one may see it, and how the AWS CLI and SDKs are set up.

use crate::{
    config::Retention,
    console::{
        answer::page,
        frame::{Frame, Section},
        session::Visitor,
        words,
    },
    http::Front,
    prices::Prices,
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
    groups: Vec<(&'static str, Vec<(String, String)>)>,
}

fn fact(name: &str, text: String) -> (String, String) {
    (name.to_owned(), text)
}

fn kept(retention: &Retention) -> Vec<(String, String)> {
    let days = |days: u32| format!("{} days", words::count(u64::from(days)));
    vec![
        fact("Ended builds", days(retention.builds_days)),
        fact("Ended builds, at most", words::count(retention.builds_max)),
        fact("Logs, at most", format!("{} GiB", retention.logs_gib_max)),
        fact("Counts of builds and minutes", days(retention.counts_days)),
    ]
}

fn prices(prices: &Prices) -> Vec<(String, String)> {
    let priced = prices.per_minute.iter();
    priced.map(|(name, price)| (name.to_string(), format!("{price} {}", prices.currency))).collect()
}

async fn settings(State(front): State<Arc<Front>>, visitor: Visitor) -> Response {
    let config = &front.codebuild.config;
    let yes = |is: bool| if is { "yes" } else { "no" }.to_owned();
    let groups = vec![
        (
            "Service",
            vec![
                fact("Version", env!("CARGO_PKG_VERSION").to_owned()),
                fact("Account", front.account_id.clone()),
                fact("Region", visitor.caller.region.clone()),
                fact("Data folder", front.data_dir.display().to_string()),
            ],
        ),
        (
            "Builds",
            vec![
                fact("At once, at most", front.capacity.builds_max.to_string()),
                fact("Memory of all, at most", words::size(front.capacity.memory_bytes)),
                fact("Processes of one, at most", words::count(config.builds.processes_max.into())),
                fact(
                    "Open files of a process, at most",
                    words::count(config.builds.open_files_max),
                ),
                fact("Reach the network outside", yes(config.builds.network)),
                fact("End with advice on compute types", yes(config.builds.compute_advice)),
            ],
        ),
        (
            "Caches and secrets",
            vec![
                fact("Local caches, at most", format!("{} GiB", config.caches.local_gib_max)),
                fact("Secrets from elsewhere", yes(config.secrets.upstream.is_some())),
                fact("Parameters from elsewhere", yes(config.parameters.upstream.is_some())),
            ],
        ),
        ("Kept", kept(&config.retention)),
        ("Prices of a minute", prices(&config.prices)),
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
