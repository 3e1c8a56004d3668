//! What the service says of itself: `GET /health` for people and load balancers, `GET /metrics` for
//! Prometheus.

use super::{Front, own::Origin};
use crate::{
    clock,
    driver::Counts,
    tally::{STATUSES, Tally, Trouble},
};
use agent_protocol::Timestamp;
use axum::{
    Extension, Json,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use build_core::BuildId;
use rustix::fs::statvfs;
use serde_json::json;
use std::{fmt::Write, path::Path, sync::Arc};

/// With less room than this on the data folder's disk, the service is not well.
const FREE_BYTES_MIN: u64 = 64 << 20;

/// Room on the data folder's disk.
struct Disk {
    free_bytes: u64,
    total_bytes: u64,
}

/// Everything that is told.
struct Status {
    counts: Counts,
    /// How long the build that waits the longest has waited.
    queued_seconds_max: u64,
    /// Bytes that agents have written and nobody has read.
    journal_lag_bytes: u64,
    disk: Option<Disk>,
    /// What is wrong now, in words.
    wrong: Vec<String>,
}

/// `GET /health`: whether the service does its work, and what it does. 503 when it cannot keep what
/// it is told.
pub(super) async fn health(State(front): State<Arc<Front>>) -> Response {
    let status = status(&front).await;
    let word = if status.wrong.is_empty() { "ok" } else { "trouble" };
    let code =
        if status.wrong.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let Counts { queued, running, .. } = status.counts;
    let disk = status.disk.as_ref();
    let body = json!({
        "status": word,
        "version": env!("CARGO_PKG_VERSION"),
        "wrong": status.wrong,
        "builds": {
            "queued": queued,
            "running": running,
            "queuedSecondsMax": status.queued_seconds_max,
        },
        "journalLagBytes": status.journal_lag_bytes,
        "disk": disk.map(|disk| json!({
            "freeBytes": disk.free_bytes,
            "totalBytes": disk.total_bytes,
        })),
    });
    (code, Json(body)).into_response()
}

/// `GET /metrics`, in the text format of Prometheus. Builds are not told.
pub(super) async fn metrics(
    State(front): State<Arc<Front>>,
    Extension(origin): Extension<Origin>,
) -> Response {
    if let Origin::Build { .. } = origin {
        return StatusCode::NOT_FOUND.into_response();
    }
    let status = status(&front).await;
    let text = render(&status, &front.grounds.tally);
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

async fn status(front: &Front) -> Status {
    let counts = front.codebuild.driver.counts().await;
    let tally = &front.grounds.tally;
    let mut wrong: Vec<String> = tally
        .lasting()
        .into_iter()
        .map(|(name, at)| format!("{name}: since or before {}", moment(at.millis())))
        .collect();
    let disk = disk(&front.data_dir);
    match &disk {
        Some(disk) if disk.free_bytes < FREE_BYTES_MIN => {
            wrong.push(format!("disk: {} bytes are free", disk.free_bytes));
        }
        Some(_) => {}
        None => wrong.push("disk: the data folder cannot be looked at".into()),
    }
    let lag = |(build, read): (&BuildId, &u64)| {
        let length = std::fs::metadata(front.grounds.journal(build)).ok()?.len();
        Some(length.saturating_sub(*read))
    };
    let since = |at: Timestamp| clock::now().since(at).as_secs();
    Status {
        queued_seconds_max: counts.queued_since.map_or(0, since),
        counts,
        journal_lag_bytes: tally.journals().iter().filter_map(lag).sum(),
        disk,
        wrong,
    }
}

fn disk(folder: &Path) -> Option<Disk> {
    let disk = statvfs(folder).ok()?;
    Some(Disk {
        free_bytes: disk.f_bavail * disk.f_frsize,
        total_bytes: disk.f_blocks * disk.f_frsize,
    })
}

fn moment(millis: u64) -> String {
    let millis = i64::try_from(millis).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(millis).map_or_else(|_| String::new(), |at| at.to_string())
}

fn render(status: &Status, tally: &Tally) -> String {
    let mut out = String::new();
    let Counts { queued, running, provisioning, ending, .. } = status.counts;
    let running = running.saturating_sub(provisioning + ending);
    head(&mut out, "builds", "gauge", "Builds that have not ended, by how far they are.");
    let stages = [
        ("queued", queued),
        ("provisioning", provisioning),
        ("running", running),
        ("ending", ending),
    ];
    for (stage, count) in stages {
        line(&mut out, "builds", &[("stage", stage)], count as u64);
    }
    head(&mut out, "builds_ended_total", "counter", "Builds that ended since the service began.");
    for status in STATUSES {
        let count = tally.ended_with(status);
        line(&mut out, "builds_ended_total", &[("status", status.as_str())], count);
    }
    let gauges = [
        (
            "queue_age_seconds",
            "How long the build has waited that waits the longest.",
            status.queued_seconds_max,
        ),
        (
            "journal_lag_bytes",
            "Bytes that agents have written and the service has not read.",
            status.journal_lag_bytes,
        ),
        (
            "healthy",
            "1 when the service keeps what it is told.",
            u64::from(status.wrong.is_empty()),
        ),
    ];
    for (name, help, value) in gauges {
        head(&mut out, name, "gauge", help);
        line(&mut out, name, &[], value);
    }
    if let Some(disk) = &status.disk {
        head(&mut out, "disk_bytes", "gauge", "Room on the data folder's disk.");
        line(&mut out, "disk_bytes", &[("kind", "free")], disk.free_bytes);
        line(&mut out, "disk_bytes", &[("kind", "total")], disk.total_bytes);
    }
    head(&mut out, "errors_total", "counter", "What went wrong since the service began.");
    for trouble in Trouble::ALL {
        let count = tally.troubles(trouble);
        line(&mut out, "errors_total", &[("what", trouble.as_str())], count);
    }
    out
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# HELP buildyard_{name} {help}\n# TYPE buildyard_{name} {kind}");
}

fn line(out: &mut String, name: &str, labels: &[(&str, &str)], value: u64) {
    let labels: Vec<String> =
        labels.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
    let labels =
        if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
    let _ = writeln!(out, "buildyard_{name}{labels} {value}");
}
