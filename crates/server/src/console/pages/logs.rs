//! Log groups, their streams, and a stream's events.

use super::shown::{self, escaped};
use crate::{
    console::{
        ansi,
        answer::{NoPage, page},
        frame::{Frame, Section},
        session::Visitor,
        words::{self, Moment},
    },
    http::Front,
};
use askama::Template;
use axum::{
    Router,
    extract::{Query, State},
    response::Response,
    routing::get,
};
use serde::Deserialize;
use std::sync::Arc;
use wire::{
    Timestamp,
    logs::{
        DescribeLogGroupsRequest, DescribeLogStreamsRequest, GetLogEventsRequest, Logs, OrderBy,
    },
};

/// Events on a page.
const EVENTS: i32 = 500;

pub(super) fn routes() -> Router<Arc<Front>> {
    Router::new()
        .route("/console/logs", get(groups))
        .route("/console/logs/group", get(streams))
        .route("/console/logs/stream", get(events))
}

#[derive(Template)]
#[template(path = "log_groups.html")]
struct Groups {
    frame: Frame,
    prefix: String,
    groups: Vec<Group>,
    next: Option<String>,
}

struct Group {
    name: String,
    link: String,
    size: String,
    kept: String,
    made: Moment,
}

#[derive(Deserialize)]
struct Wanted {
    #[serde(default)]
    group: String,
    #[serde(default)]
    stream: String,
    #[serde(default)]
    find: String,
    token: Option<String>,
}

fn at(millis: Option<i64>, now: Timestamp) -> Moment {
    words::moment(Timestamp::from_millis(millis.unwrap_or_default()), now)
}

async fn groups(
    State(front): State<Arc<Front>>,
    visitor: Visitor,
    Query(wanted): Query<Wanted>,
) -> Result<Response, NoPage> {
    let prefix = Some(wanted.find.clone()).filter(|prefix| !prefix.is_empty());
    let input = DescribeLogGroupsRequest {
        log_group_name_prefix: prefix,
        next_token: wanted.token,
        ..DescribeLogGroupsRequest::default()
    };
    let described = front.logs.describe_log_groups(&visitor.caller, input).await?;
    let now = shown::now();
    let groups = described.log_groups.into_iter().flatten().map(|group| {
        let name = group.log_group_name.unwrap_or_default();
        Group {
            link: format!("/console/logs/group?group={}", escaped(&name)),
            size: words::size(u64::try_from(group.stored_bytes.unwrap_or_default()).unwrap_or(0)),
            kept: group
                .retention_in_days
                .map_or_else(|| "for ever".to_owned(), |days| format!("{days} days")),
            made: at(group.creation_time, now),
            name,
        }
    });
    let groups = groups.collect();
    let frame = Frame::new(&front, visitor, "Log groups", Section::Logs).await;
    let next = described.next_token.map(|token| escaped(&token));
    Ok(page(Groups { frame, prefix: wanted.find, groups, next }))
}

#[derive(Template)]
#[template(path = "log_streams.html")]
struct Streams {
    frame: Frame,
    group: String,
    group_link: String,
    streams: Vec<Stream>,
    next: Option<String>,
}

struct Stream {
    name: String,
    link: String,
    last: Option<Moment>,
    made: Moment,
}

async fn streams(
    State(front): State<Arc<Front>>,
    visitor: Visitor,
    Query(wanted): Query<Wanted>,
) -> Result<Response, NoPage> {
    let input = DescribeLogStreamsRequest {
        log_group_name: Some(wanted.group.clone()),
        order_by: Some(OrderBy::LastEventTime),
        descending: Some(true),
        next_token: wanted.token,
        ..DescribeLogStreamsRequest::default()
    };
    let described = front.logs.describe_log_streams(&visitor.caller, input).await?;
    let now = shown::now();
    let group_link = format!("/console/logs/group?group={}", escaped(&wanted.group));
    let streams = described.log_streams.into_iter().flatten().map(|stream| {
        let name = stream.log_stream_name.unwrap_or_default();
        let (group, escaped_name) = (escaped(&wanted.group), escaped(&name));
        Stream {
            link: format!("/console/logs/stream?group={group}&stream={escaped_name}"),
            last: stream.last_event_timestamp.map(|millis| at(Some(millis), now)),
            made: at(stream.creation_time, now),
            name,
        }
    });
    let streams = streams.collect();
    let frame = Frame::new(&front, visitor, wanted.group.clone(), Section::Logs).await;
    let next = described.next_token.map(|token| escaped(&token));
    Ok(page(Streams { frame, group: wanted.group, group_link, streams, next }))
}

#[derive(Template)]
#[template(path = "log_stream.html")]
struct Events {
    frame: Frame,
    group: String,
    group_link: String,
    stream: String,
    link: String,
    events: Vec<Event>,
    earlier: String,
    later: String,
}

struct Event {
    at: String,
    html: String,
}

async fn events(
    State(front): State<Arc<Front>>,
    visitor: Visitor,
    Query(wanted): Query<Wanted>,
) -> Result<Response, NoPage> {
    let input = GetLogEventsRequest {
        log_group_name: Some(wanted.group.clone()),
        log_stream_name: wanted.stream.clone(),
        next_token: wanted.token,
        limit: Some(EVENTS),
        start_from_head: Some(true),
        ..GetLogEventsRequest::default()
    };
    let read = front.logs.get_log_events(&visitor.caller, input).await?;
    let events = read.events.into_iter().flatten().map(|event| Event {
        at: Timestamp::from_millis(event.timestamp.unwrap_or_default()).to_iso8601(),
        html: ansi::html(&event.message.unwrap_or_default()),
    });
    let events = events.collect();
    let (group, stream) = (escaped(&wanted.group), escaped(&wanted.stream));
    let frame = Frame::new(&front, visitor, wanted.stream.clone(), Section::Logs).await;
    Ok(page(Events {
        frame,
        group_link: format!("/console/logs/group?group={group}"),
        link: format!("/console/logs/stream?group={group}&stream={stream}"),
        group: wanted.group,
        stream: wanted.stream,
        events,
        earlier: escaped(&read.next_backward_token.unwrap_or_default()),
        later: escaped(&read.next_forward_token.unwrap_or_default()),
    }))
}
