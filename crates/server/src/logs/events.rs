//! PutLogEvents, GetLogEvents, FilterLogEvents.

use super::{desk::Desk, names, refusal};
use store::logs::{
    Batch, Direction, FilterRequest, Found, LogError, LogEvent, NewEvent, Pattern, ReadRequest,
    StreamChoice, TimeRange,
};
use wire::{
    ServiceError,
    logs::{
        FilterLogEventsRequest, FilterLogEventsResponse, FilteredLogEvent, GetLogEventsRequest,
        GetLogEventsResponse, InputLogEvent, OutputLogEvent, PutLogEventsRequest,
        PutLogEventsResponse, RejectedLogEventsInfo,
    },
};

/// The most bytes of a batch, and of an event in it.
const BATCH_BYTES_MAX: usize = 1_048_576;

/// What an event counts for beyond its message.
const EVENT_BYTES: usize = 26;

/// The most events of a page.
const PAGE_EVENTS_MAX: usize = 10_000;

const HOUR_MILLISECONDS: i64 = 60 * 60 * 1000;
const DAY_MILLISECONDS: i64 = 24 * HOUR_MILLISECONDS;

/// The times that events of a batch may have.
const SPAN_MAX: i64 = DAY_MILLISECONDS;
const AHEAD_MAX: i64 = 2 * HOUR_MILLISECONDS;
const BEHIND_MAX: i64 = 14 * DAY_MILLISECONDS;

/// Takes in a batch of events, without those that are too new, too old or expired.
pub(super) fn put(
    desk: &Desk,
    input: PutLogEventsRequest,
) -> Result<PutLogEventsResponse, ServiceError> {
    check_batch(&input.log_events)?;
    let found = find(desk, &input.log_group_name, &input.log_stream_name)?;
    let stream = found.stream.ok_or_else(refusal::no_stream)?;
    let (taken, rejected) = take(desk.now, found.horizon(desk.now), input.log_events);
    let batch = Batch { events: &taken, source: None, ingested_at: desk.now };
    desk.store.append(stream, batch).map_err(|error| desk.told(error))?;
    Ok(PutLogEventsResponse {
        // AWS: the token has lost its meaning, but is still given.
        next_sequence_token: Some(format!("49{:054}", desk.now)),
        rejected_log_events_info: rejected,
        rejected_entity_info: None,
    })
}

/// Gives a page of a stream's events.
pub(super) fn get(
    desk: &Desk,
    input: &GetLogEventsRequest,
) -> Result<GetLogEventsResponse, ServiceError> {
    let (name, identifier) = (&input.log_group_name, &input.log_group_identifier);
    let group = names::one_of(desk, name.as_deref(), identifier.as_deref())?;
    let found = find(desk, group, &input.log_stream_name)?;
    let token = input.next_token.as_deref().map(str::parse).transpose();
    let from_head = input.start_from_head.unwrap_or(false);
    let request = ReadRequest {
        range: TimeRange {
            from: input.start_time.unwrap_or(0).max(found.horizon(desk.now)),
            until: input.end_time.unwrap_or(i64::MAX),
        },
        // AWS: a token knows its direction, whatever the request says beside it.
        token: token.map_err(|error: LogError| desk.told(error))?,
        direction: if from_head { Direction::Forward } else { Direction::Backward },
        limit: page_size(input.limit),
    };
    let stream = found.stream.ok_or_else(refusal::no_stream)?;
    let page = desk.store.read(stream, &request).map_err(|error| desk.told(error))?;
    Ok(GetLogEventsResponse {
        next_forward_token: Some(page.forward.to_string()),
        next_backward_token: Some(page.backward.to_string()),
        events: Some(page.events.into_iter().map(output).collect()),
    })
}

/// Searches a group's streams.
pub(super) fn filter(
    desk: &Desk,
    input: FilterLogEventsRequest,
) -> Result<FilterLogEventsResponse, ServiceError> {
    let (name, identifier) = (&input.log_group_name, &input.log_group_identifier);
    let group = desk.group(names::one_of(desk, name.as_deref(), identifier.as_deref())?)?;
    let streams = match (input.log_stream_names, input.log_stream_name_prefix) {
        (Some(_), Some(_)) => return Err(refusal::names_and_prefix()),
        (Some(names), None) => StreamChoice::Names(names),
        (None, prefix) => StreamChoice::Prefix(prefix.unwrap_or_default()),
    };
    if let StreamChoice::Names(names) = &streams {
        for name in names {
            desk.store.stream_id(group.id, name).map_err(|error| desk.told(error))?;
        }
    }
    let token = input.next_token.as_deref().map(str::parse).transpose();
    let request = FilterRequest {
        streams,
        range: TimeRange {
            from: input.start_time.unwrap_or(0).max(group.horizon(desk.now)),
            // AWS: here the end is a part of the time, and in GetLogEvents it is not.
            until: input.end_time.unwrap_or(i64::MAX).saturating_add(1),
        },
        pattern: pattern(input.filter_pattern.as_deref())?,
        token: token.map_err(|error: LogError| desk.told(error))?,
        limit: page_size(input.limit),
    };
    let page = desk.store.filter(group.id, &request).map_err(|error| desk.told(error))?;
    let names = page.stream_names;
    let filtered = |event: LogEvent| FilteredLogEvent {
        log_stream_name: names.get(&event.stream()).cloned(),
        event_id: Some(event.id()),
        timestamp: Some(event.timestamp),
        ingestion_time: Some(event.ingested_at),
        message: Some(event.message),
    };
    Ok(FilterLogEventsResponse {
        events: Some(page.events.into_iter().map(filtered).collect()),
        // AWS: is always empty now.
        searched_log_streams: Some(Vec::new()),
        next_token: page.next.map(|next| next.to_string()),
    })
}

/// The pattern that a request asks for.
pub(super) fn pattern(text: Option<&str>) -> Result<Pattern, ServiceError> {
    text.unwrap_or_default().parse().map_err(|problem| refusal::pattern(&problem))
}

fn find(desk: &Desk, group: &str, stream: &str) -> Result<Found, ServiceError> {
    desk.store.find(&desk.region, group, stream).map_err(|error| desk.told(error))
}

fn page_size(limit: Option<i32>) -> usize {
    limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(PAGE_EVENTS_MAX)
}

fn output(event: LogEvent) -> OutputLogEvent {
    OutputLogEvent {
        timestamp: Some(event.timestamp),
        message: Some(event.message),
        ingestion_time: Some(event.ingested_at),
    }
}

fn check_batch(events: &[InputLogEvent]) -> Result<(), ServiceError> {
    let sizes = || events.iter().map(|event| event.message.len() + EVENT_BYTES);
    if let Some(size) = sizes().find(|size| *size > BATCH_BYTES_MAX) {
        return Err(refusal::event_too_large(size, BATCH_BYTES_MAX));
    }
    let size = sizes().sum();
    if size > BATCH_BYTES_MAX {
        return Err(refusal::batch_too_large(size, BATCH_BYTES_MAX));
    }
    if !events.is_sorted_by_key(|event| event.timestamp) {
        return Err(refusal::not_chronological());
    }
    match (events.first(), events.last()) {
        (Some(first), Some(last)) if last.timestamp - first.timestamp > SPAN_MAX => {
            Err(refusal::batch_too_long())
        }
        _ => Ok(()),
    }
}

/// Sorts out the events that are not taken: those at the end that are too new, and those at the
/// beginning that are too old or have expired already.
fn take(
    now: i64,
    horizon: i64,
    events: Vec<InputLogEvent>,
) -> (Vec<NewEvent>, Option<RejectedLogEventsInfo>) {
    let before = |time: i64| events.partition_point(|event| event.timestamp < time);
    let too_old = before(now - BEHIND_MAX);
    let expired = before(horizon);
    let too_new = before(now + AHEAD_MAX + 1);
    let index = |index: usize| i32::try_from(index).ok();
    let end = |end: usize| if end > 0 { index(end) } else { None };
    let info = RejectedLogEventsInfo {
        too_new_log_event_start_index: if too_new < events.len() { index(too_new) } else { None },
        too_old_log_event_end_index: end(too_old),
        expired_log_event_end_index: end(expired),
    };
    let first = too_old.max(expired);
    let taken = events
        .into_iter()
        .take(too_new)
        .skip(first)
        .map(|event| NewEvent { timestamp: event.timestamp, message: event.message })
        .collect();
    let rejected = (info != RejectedLogEventsInfo::default()).then_some(info);
    (taken, rejected)
}
